//! `vault`

use super::{Bad, List, UID};
use crate::contract::face::{Ask, Face};

pub(super) fn list() -> Vec<Bad> {
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
