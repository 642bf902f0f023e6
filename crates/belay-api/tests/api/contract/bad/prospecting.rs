//! `prospecting`

use super::{Bad, KEY, List, UID, broken};
use crate::contract::face::{Ask, Face, group};
use crate::support::World;

pub(super) fn list(world: &World) -> Vec<Bad> {
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
