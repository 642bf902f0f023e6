//! `bulk-actions`

use super::{Bad, KEY, List, UID, broken};
use crate::contract::face::{Ask, Face};

pub(super) fn list() -> Vec<Bad> {
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
