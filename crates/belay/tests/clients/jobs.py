"""A whole cycle of the interface `jobs` through an OAuth 2 client that others wrote: token, create, watch, cancel, look again."""

import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the daemon under test speaks plain HTTP

from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

url, key_name, key = os.environ["BELAY_URL"], os.environ["BELAY_KEY_NAME"], os.environ["BELAY_KEY"]

session = OAuth2Session(client=BackendApplicationClient(client_id=key_name, scope="jobs:read jobs:write"))
token = session.fetch_token(f"{url}/auth/tokens", auth=HTTPBasicAuth(key_name, key))
assert token["token_type"] == "Bearer" and token["expires_in"] > 0, token
session.headers["Customer-Id"] = "1"

made = session.post(
    f"{url}/v1/jobs",
    json={"typeId": 7, "contactId": 9, "reference": "R-1", "plannedStartAt": "2999-01-01T00:00:00Z"},
)
assert made.status_code == 201, made.text
job = made.json()["id"]
assert made.headers["Location"].endswith(f"/v1/jobs/{job}"), made.headers
seen = session.get(f"{url}/v1/jobs/{job}").json()
assert (seen["status"], seen["typeId"], seen["reference"]) == ("scheduled", 7, "R-1"), seen

for _ in range(2):
    cancelled = session.put(f"{url}/v1/jobs/{job}/cancel", json={"reason": "customer left"})
    assert (cancelled.status_code, cancelled.content) == (204, b""), cancelled.text
seen = session.get(f"{url}/v1/jobs/{job}").json()
assert (seen["status"], seen["cancellationReason"]) == ("cancelled", "customer left"), seen
history = session.get(f"{url}/v1/jobs/{job}/statusHistory").json()["items"]
assert [entry["status"] for entry in history] == ["scheduled", "cancelled"], history
print("jobs: a whole cycle")
