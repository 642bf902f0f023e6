//! `jobs`

use super::{Bad, KEY, List, UID, broken};
use crate::contract::face::{Ask, Face};

pub(super) fn list() -> Vec<Bad> {
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
