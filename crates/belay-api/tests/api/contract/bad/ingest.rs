//! `ingest`

use super::{Bad, KEY, List, UID, broken};
use crate::contract::face::{Ask, Face};

pub(super) fn list() -> Vec<Bad> {
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
