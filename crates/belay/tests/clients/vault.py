"""A whole cycle of the interface `vault` through a client that others wrote: log in, watch, start, cancel, look again, log out."""

import os
import sys
import time

import requests
from veevatools.veevavault.client.vault_client import VaultClient
from veevatools.veevavault.services.authentication import AuthenticationService
from veevatools.veevavault.services.jobs.jobs import JobsService

url, key_name, key = os.environ["BELAY_URL"], os.environ["BELAY_KEY_NAME"], os.environ["BELAY_KEY"]


def make(body):
    """The interface does not make jobs; its clients only know some that exist."""
    answer = requests.post(
        f"{url}/belay/v1/jobs", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=10
    )
    answer.raise_for_status()
    return answer.json()["id"]


def until(jobs, job, status):
    for _ in range(200):
        seen = jobs.retrieve_job_status(job)["data"]["status"]
        if seen == status:
            return
        time.sleep(0.05)
    sys.exit(f"job {job} never became {status}; it is {seen}")


client = VaultClient()
# It logs in with the newest version that it knows, and takes the newest that it is told of from then on.
client.LatestAPIversion = "v25.3"
client.authenticate(vaultURL=url, vaultUserName=key_name, vaultPassword=key)
assert client.LatestAPIversion == "v26.1", client.LatestAPIversion
assert client.sessionId and client.sessionId != key, client.sessionId
assert client.session_keep_alive()["responseStatus"] == "SUCCESS"
jobs = JobsService(client)

scheduled = make({"kind": "sleep", "payload": {"seconds": 0}, "run_at": "2999-01-01T00:00:00Z"})
doomed = make({"kind": "sleep", "payload": {"seconds": 600}, "run_at": "2999-01-01T00:00:00Z"})
until(jobs, scheduled, "SCHEDULED")
monitored = {job["job_id"] for job in jobs.retrieve_job_monitors(status="scheduled")["jobs"]}
assert {scheduled, doomed} <= monitored, monitored

started = jobs.start_job(scheduled)
assert started["responseStatus"] == "SUCCESS" and started["job_id"] == scheduled, started
until(jobs, scheduled, "SUCCESS")

# The client has no method for it, but a call for what it has no method for.
cancelled = client.api_call(
    f"api/{client.LatestAPIversion}/services/jobs/actions/cancel",
    method="POST",
    json=[{"job_id": doomed}, {"job_id": str(scheduled)}, {"job_id": "x"}],
)
assert cancelled["responseStatus"] == "SUCCESS", cancelled
assert [entry["responseStatus"] for entry in cancelled["data"]] == ["SUCCESS", "FAILURE", "FAILURE"], cancelled
assert cancelled["data"][0]["data"]["id"] == doomed, cancelled
until(jobs, doomed, "CANCELLED")
finished = {job["job_id"]: job["status"] for job in jobs.retrieve_job_histories(limit=200)["jobs"]}
assert finished[doomed] == "CANCELLED" and finished[scheduled] == "SUCCESS", finished

session = client.sessionId
assert AuthenticationService(client).logout()["responseStatus"] == "SUCCESS"
gone = requests.get(
    f"{url}/api/{client.LatestAPIversion}/services/jobs/{doomed}", headers={"Authorization": session}, timeout=10
)
assert gone.json()["errors"][0]["type"] == "INVALID_SESSION_ID", gone.text
print("vault: a whole cycle")
