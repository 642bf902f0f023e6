//! The list of what no client should send, by interface and operation.

use super::face::{Ask, Face, group};
use crate::support::World;

/// A request that must be refused.
pub(super) struct Bad {
    pub(super) face: Face,
    pub(super) ask: Ask,
    /// The status code of the answer.
    pub(super) status: u16,
    /// Only an entry of a list is bad: then that entry says so.
    pub(super) single: bool,
}

struct List {
    face: Face,
    all: Vec<Bad>,
}

impl List {
    fn add(&mut self, status: u16, ask: Ask) {
        self.all.push(Bad {
            face: self.face,
            ask: if self.face == Face::Jobs && !ask.headers.iter().any(|(n, _)| n == "Customer-Id")
            {
                ask.with("Customer-Id", "1")
            } else {
                ask
            },
            status,
            single: false,
        });
    }

    fn json(&mut self, status: u16, method: &'static str, path: &str, bodies: &[&str]) {
        for body in bodies {
            let ask = Ask::new(method, path)
                .with("Content-Type", "application/json")
                .body(*body);
            self.add(status, ask);
        }
    }

    fn get(&mut self, status: u16, path: &str, queries: &[&str]) {
        for query in queries {
            self.add(status, Ask::new("GET", format!("{path}?{query}")));
        }
    }
}

/// What is malformed whatever it is for.
fn broken() -> Vec<String> {
    vec![
        "{\"a\":\"\\u0000\"}".into(),
        "{\"a\":\"\\ud800\"}".into(),
        "{\"a\":1,\"a\":2}".into(),
        format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70)),
        "{\"a\":1e999}".into(),
        "{\"a\":01}".into(),
        "{'a':1}".into(),
    ]
}

const KEY: &str = "6b065cb0000000000000004d";
const UID: &str = "01a210da-1086-8000-8000-00000000004d";

pub(super) fn all(world: &World) -> Vec<Bad> {
    let mut all = prospecting(world);
    all.extend(jobs());
    all.extend(vault());
    all.extend(bulk());
    all.extend(ingest());
    all
}

fn prospecting(world: &World) -> Vec<Bad> {
    let mut list = List {
        face: Face::Prospecting,
        all: Vec::new(),
    };
    let base = format!("/v1/accounts/{}/prospecting", group(world, 1));
    for id in [
        "x",
        "1",
        "6B065CB0000000000000004D",
        "6b065cb0000000000000004",
        "6b065cb0000000000000004dd",
        "%00",
        UID,
        "6b065cb000000000000000zz",
        "%C3%A9",
        "6b065cb0%20000000000000004",
    ] {
        list.add(400, Ask::new("POST", format!("{base}/{id}/cancel")));
        list.add(
            400,
            Ask::new("GET", format!("/v1/accounts/{id}/prospecting")),
        );
    }
    list.add(404, Ask::new("POST", format!("{base}/{KEY}/cancel")));
    // A job and an account that can never be.
    let zero = "0".repeat(24);
    list.add(404, Ask::new("POST", format!("{base}/{zero}/cancel")));
    list.add(
        403,
        Ask::new("GET", format!("/v1/accounts/{zero}/prospecting")),
    );
    let there = world.make(belay_core::JobState::Queued);
    let cancel = format!("{base}/{}/cancel", world.seen(there.id).key());
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(1001));
    list.json(
        400,
        "POST",
        &cancel,
        &[
            "[]",
            "\"x\"",
            "1",
            "null",
            "true",
            "{\"reason\": 5}",
            "{\"reason\": [\"a\"]}",
            "{\"reason\": {}}",
            &long,
        ],
    );
    for text in broken() {
        list.json(400, "POST", &cancel, &[&text]);
    }
    list.json(
        400,
        "POST",
        &base,
        &[
            "",
            "{}",
            "[]",
            "{\"type\": 5}",
            "{\"type\": null}",
            "{\"type\": \"\"}",
            "{\"type\": \"sleep\", \"runAt\": \"soon\"}",
            "{\"type\": \"sleep\", \"runAt\": 5}",
            "{\"type\": \"sleep\", \"runAt\": \"2026-13-01T00:00:00Z\"}",
        ],
    );
    for key in ["", "a\tb", &"k".repeat(256)] {
        list.add(
            400,
            Ask::new("POST", &base)
                .with("Content-Type", "application/json")
                .with("Idempotency-Key", key)
                .body("{\"type\": \"sleep\"}"),
        );
    }
    list.get(
        400,
        &base,
        &[
            "limit=0",
            "limit=101",
            "limit=x",
            "limit=-1",
            "limit=1.5",
            "status=nothing",
            "status=RUNNING",
            "cursor=x",
            "cursor=p00",
            "limit=1&limit=2",
        ],
    );
    list.all
}

fn jobs() -> Vec<Bad> {
    let mut list = List {
        face: Face::Jobs,
        all: Vec::new(),
    };
    for id in [
        "0",
        "-1",
        "+1",
        "1.0",
        "x",
        "9223372036854775808",
        KEY,
        UID,
        "%00",
        "1%20",
    ] {
        list.add(400, Ask::new("POST", format!("/v1/jobs/{id}/cancel")));
        list.add(400, Ask::new("GET", format!("/v1/jobs/{id}")));
    }
    for customer in [
        "",
        "0",
        "01",
        "+1",
        "1.0",
        "x",
        "-1",
        "9223372036854775808",
        "1, 1",
    ] {
        list.add(
            400,
            Ask::new("POST", "/v1/jobs/2/cancel").with("Customer-Id", customer),
        );
    }
    list.add(404, Ask::new("PUT", "/v1/jobs/999/cancel"));
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(1001));
    list.json(
        400,
        "POST",
        "/v1/jobs/2/cancel",
        &["[]", "\"x\"", "1", "null"],
    );
    list.json(
        422,
        "PUT",
        "/v1/jobs/2/cancel",
        &[
            "{\"reason\": 5}",
            "{\"reason\": \"\"}",
            "{\"reason\": \"  \"}",
            "{\"reason\": []}",
            &long,
        ],
    );
    for text in broken() {
        list.json(400, "POST", "/v1/jobs", &[&text]);
    }
    list.json(400, "POST", "/v1/jobs", &["", "[]", "7"]);
    let with = |more: &str| format!("{{\"typeId\": 1, \"contactId\": 1, {more}}}");
    let bodies = [
        "{}".to_owned(),
        "{\"typeId\": 1}".into(),
        "{\"contactId\": 1}".into(),
        "{\"typeId\": 0, \"contactId\": 1}".into(),
        "{\"typeId\": \"1\", \"contactId\": 1}".into(),
        "{\"typeId\": 1.5, \"contactId\": 1}".into(),
        with("\"kind\": \"unknown\""),
        with("\"kind\": 5"),
        with("\"payload\": []"),
        with("\"plannedStartAt\": \"soon\""),
        with("\"plannedDuration\": \"x\""),
        with("\"personId\": \"x\""),
        with("\"customFields\": {}"),
        with("\"customFields\": [1]"),
        with("\"reference\": 7"),
    ];
    for body in &bodies {
        list.json(422, "POST", "/v1/jobs", &[body]);
    }
    list.get(
        400,
        "/v1/jobs",
        &[
            "pageNumber=0",
            "pageNumber=2147484",
            "pageNumber=x",
            "pageSize=0",
            "pageSize=1001",
            "pageSize=1.5",
            "status=nothing",
        ],
    );
    list.get(
        400,
        "/v1/jobs/2/statusHistory",
        &["sortBy=id", "direction=up", "pageNumber=-1"],
    );
    list.json(
        422,
        "PUT",
        "/v1/jobs/2/schedule",
        &[
            "{}",
            "{\"plannedStartAt\": \"x\"}",
            "{\"plannedStartAt\": 5}",
        ],
    );
    list.json(
        422,
        "PUT",
        "/v1/jobs/2/result",
        &[
            "{}",
            "{\"success\": \"yes\"}",
            "{\"success\": true, \"comment\": 5}",
        ],
    );
    list.all
}

fn vault() -> Vec<Bad> {
    let mut list = List {
        face: Face::Vault,
        all: Vec::new(),
    };
    let jobs = "/api/v26.1/services/jobs";
    let cancel = format!("{jobs}/actions/cancel");
    let many = format!("[{}]", vec!["{\"job_id\": 1}"; 501].join(","));
    list.json(
        200,
        "POST",
        &cancel,
        &[
            "",
            "{}",
            "null",
            "\"x\"",
            "7",
            "[",
            "[]",
            "[{\"job_id\":1}] []",
            &many,
        ],
    );
    for text in [
        "[{\"job_id\":01}]".to_owned(),
        "[{'job_id':1}]".into(),
        format!("[{}{}]", "[".repeat(70), "]".repeat(70)),
    ] {
        list.json(200, "POST", &cancel, &[&text]);
    }
    for table in [
        "",
        "x\n1\n",
        "job_id\n",
        "job_id\n\"1\n",
        "\u{feff}",
        "id;job_id\n1;2\n",
    ] {
        list.add(
            200,
            Ask::new("POST", &cancel)
                .with("Content-Type", "text/csv")
                .body(table),
        );
    }
    list.add(
        200,
        Ask::new("POST", &cancel)
            .with("Content-Type", "text/csv")
            .body(b"job_id\n\xff\n".to_vec()),
    );
    for entry in [
        "0",
        "-1",
        "1.5",
        "true",
        "\"x\"",
        "\"9223372036854775808\"",
        "9223372036854775808",
        "null",
        "\"\"",
        "[1]",
        "{}",
        "\" 1 2\"",
        "\"<a&b>\"",
        "1e2",
    ] {
        let ask = Ask::new("POST", &cancel)
            .with("Content-Type", "application/json")
            .body(format!("[{{\"job_id\": {entry}}}]"));
        list.all.push(Bad {
            face: Face::Vault,
            ask,
            status: 200,
            single: true,
        });
    }
    for element in ["1", "\"x\"", "null", "[1]", "{}"] {
        let ask = Ask::new("POST", &cancel)
            .with("Content-Type", "application/json")
            .body(format!("[{element}]"));
        list.all.push(Bad {
            face: Face::Vault,
            ask,
            status: 200,
            single: true,
        });
    }
    for id in ["0", "x", "-1", "1.5", "99999999999999999999", UID, "%00"] {
        list.add(200, Ask::new("GET", format!("{jobs}/{id}")));
        list.add(200, Ask::new("POST", format!("{jobs}/start_now/{id}")));
    }
    for of in ["monitors", "histories"] {
        list.get(
            200,
            &format!("{jobs}/{of}"),
            &[
                "limit=0",
                "limit=201",
                "limit=x",
                "offset=-1",
                "offset=x",
                "start_date=soon",
                "end_date=2026-13-01T00:00:00Z",
                "status=nothing",
            ],
        );
    }
    for version in ["v24.1", "26.1", "v26", "V26.1", "v26.1.1", "v026.1"] {
        list.add(
            404,
            Ask::new("GET", format!("/api/{version}/services/jobs/1")),
        );
    }
    list.all
}

fn bulk() -> Vec<Bad> {
    let mut list = List {
        face: Face::Bulk,
        all: Vec::new(),
    };
    let jobs = "/api/actions/bulk/jobs";
    for id in [
        "x",
        "1",
        KEY,
        "01a210da10868000800000000000004d",
        "%00",
        "01a210da-1086-8000-8000-00000000004",
        "{01a210da-1086-8000-8000-00000000004d}",
    ] {
        list.add(400, Ask::new("POST", format!("{jobs}/{id}/cancel")));
        list.add(400, Ask::new("GET", format!("{jobs}/{id}")));
    }
    list.add(404, Ask::new("POST", format!("{jobs}/{UID}/cancel")));
    list.add(
        404,
        Ask::new(
            "GET",
            format!("{jobs}/01a210da-1086-4000-8000-00000000004d"),
        ),
    );
    for text in broken() {
        list.json(400, "POST", jobs, &[&text]);
    }
    list.json(
        400,
        "POST",
        jobs,
        &[
            "",
            "[]",
            "7",
            "{}",
            "{\"action_type\": 5}",
            "{\"action_type\": \"\"}",
            "{\"action_type\": \"unknown\"}",
            "{\"action_type\": null}",
        ],
    );
    let with = |more: &str| format!("{{\"action_type\": \"sleep\", {more}}}");
    for more in [
        "\"criteria\": []",
        "\"criteria\": \"x\"",
        "\"action_duration\": -1",
        "\"action_duration\": \"x\"",
        "\"action_duration\": 1.5",
        "\"action_reason\": 5",
        "\"max_limit\": -1",
        "\"max_limit\": \"x\"",
        "\"scheduled_at\": \"soon\"",
        "\"scheduled_at\": 5",
        "\"tenant\": \"x\"",
    ] {
        list.json(400, "POST", jobs, &[&with(more)]);
    }
    list.json(403, "POST", jobs, &[&with("\"tenant\": -1")]);
    for kind in ["cancel_jobs", "retry_jobs"] {
        for criteria in [
            "{}",
            "{\"nothing\": 1}",
            "{\"state\": \"nothing\"}",
            "{\"state\": []}",
            "{\"created_before\": \"x\"}",
            "{\"queue\": 5}",
            "{\"kind\": null}",
        ] {
            list.json(
                400,
                "POST",
                jobs,
                &[&format!(
                    "{{\"action_type\": \"{kind}\", \"criteria\": {criteria}}}"
                )],
            );
        }
        list.json(
            400,
            "POST",
            jobs,
            &[&format!("{{\"action_type\": \"{kind}\"}}")],
        );
    }
    list.get(
        400,
        jobs,
        &[
            "limit=0",
            "limit=201",
            "limit=x",
            "offset=-1",
            "offset=x",
            "status=nothing",
            "status=SCHEDULED",
        ],
    );
    list.all
}

fn ingest() -> Vec<Bad> {
    let mut list = List {
        face: Face::Ingest,
        all: Vec::new(),
    };
    let jobs = "/api/v1/ingest/jobs";
    for id in [
        "x",
        "1",
        KEY,
        "%00",
        "01a210da-1086-8000-8000-00000000004",
        UID,
    ] {
        list.add(404, Ask::new("GET", format!("{jobs}/{id}")));
        list.add(404, Ask::new("DELETE", format!("{jobs}/{id}")));
        list.json(
            404,
            "PATCH",
            &format!("{jobs}/{id}"),
            &["{\"state\": \"Aborted\"}"],
        );
        list.add(
            404,
            Ask::new("PUT", format!("{jobs}/{id}/batches"))
                .with("Content-Type", "text/csv")
                .body("id\n1\n"),
        );
    }
    for text in broken() {
        list.json(400, "POST", jobs, &[&text]);
    }
    list.json(
        400,
        "POST",
        jobs,
        &[
            "",
            "[]",
            "7",
            "{}",
            "{\"object\": \"a\", \"sourceName\": \"b\"}",
            "{\"object\": \"a\", \"operation\": \"upsert\"}",
            "{\"sourceName\": \"b\", \"operation\": \"upsert\"}",
            "{\"object\": \"\", \"sourceName\": \"b\", \"operation\": \"upsert\"}",
            "{\"object\": \"  \", \"sourceName\": \"b\", \"operation\": \"upsert\"}",
            "{\"object\": 5, \"sourceName\": \"b\", \"operation\": \"upsert\"}",
            "{\"object\": \"a\", \"sourceName\": null, \"operation\": \"upsert\"}",
            "{\"object\": \"a\", \"sourceName\": \"b\", \"operation\": \"insert\"}",
            "{\"object\": \"a\", \"sourceName\": \"b\", \"operation\": \"UPSERT\"}",
            "{\"object\": \"a\", \"sourceName\": \"b\", \"operation\": 5}",
        ],
    );
    list.get(
        400,
        jobs,
        &[
            "limit=x",
            "limit=-1",
            "offset=-1",
            "offset=x",
            "states=Nothing",
            "states=open",
            "orderBy=nothing",
            "orderby=state;drop",
        ],
    );
    list.all
}
