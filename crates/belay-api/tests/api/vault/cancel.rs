//! Cancel: what becomes of each entry.

use belay_core::JobState;
use belay_core::ops::{self, Line, LineFloor, NewWorker, Rung, Verdict};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::{
    accepted, cancel, cancel_ids, data, expect, queued, refused, status, unknown, wrong_state,
};
use crate::support::vault_states::{ALL, cancel as cancel_elsewhere, job_in};
use crate::support::{World, assert_matches};

#[test]
fn the_published_answer_comes_byte_for_byte() {
    let world = World::new();
    let done = world.completed();
    let waiting = world.enqueue(&json!({"kind": "noop"}));
    let reply = cancel(
        &world,
        format!(
            "[\n    {{\n        \"job_id\": {waiting}\n    }},\n    {{\n        \"job_id\": {done}\n    }}\n]"
        ),
    );
    assert_eq!(
        (reply.status, reply.text()),
        (
            200,
            format!(
                "{{\"responseStatus\":\"SUCCESS\",\"data\":[{{\"responseStatus\":\"SUCCESS\",\"data\":{{\"id\":{waiting}}}}},\
                 {{\"responseStatus\":\"FAILURE\",\"errors\":{{\"type\":\"INVALID_DATA\",\"message\":\"Job [{done}] is not found in QUEUED or \
                 QUEUEING state\"}}}}]}}"
            )
        )
    );
}

/// What a job is called before, whether a cancel is accepted, and what it is called then.
fn table(state: JobState, cancel_running: bool) -> (&'static str, bool, &'static str) {
    match state {
        JobState::Open => ("QUEUEING", true, "CANCELLED"),
        JobState::Scheduled => ("SCHEDULED", true, "CANCELLED"),
        JobState::Queued => ("QUEUED", true, "CANCELLED"),
        JobState::Running | JobState::Suspended if cancel_running => {
            ("RUNNING", true, "CANCELLING")
        }
        JobState::Running | JobState::Suspended => ("RUNNING", false, "RUNNING"),
        JobState::Cancelling => ("CANCELLING", true, "CANCELLING"),
        JobState::Cancelled => ("CANCELLED", false, "CANCELLED"),
        JobState::Completed => ("SUCCESS", false, "SUCCESS"),
        JobState::Failed => ("ERRORS_ENCOUNTERED", false, "ERRORS_ENCOUNTERED"),
    }
}

#[test]
fn every_state_has_its_word_and_its_answer() {
    for cancel_running in [false, true] {
        let world = World::with(|builder| builder.vault_cancel_running(cancel_running));
        let ids = ALL.map(|state| job_in(&world, state));
        for (id, state) in ids.into_iter().zip(ALL) {
            let (word, _, _) = table(state, cancel_running);
            assert_eq!(status(&world, id), word, "{state}");
        }
        // One by one, then all at once: a repeat of a cancel never has a second effect.
        let mut unchanged = Vec::new();
        for (id, state) in ids.into_iter().zip(ALL) {
            let (word, fine, then) = table(state, cancel_running);
            let expected = if fine { accepted(id) } else { wrong_state(id) };
            let before = world.contents();
            assert_eq!(cancel_ids(&world, &[id]), [expected], "{state}");
            assert_eq!(status(&world, id), then, "{state}");
            assert_eq!(world.contents() == before, word == then, "{state}");
            unchanged.push(if then == "CANCELLING" {
                accepted(id)
            } else {
                wrong_state(id)
            });
        }
        let before = world.contents();
        assert_eq!(cancel_ids(&world, &ids), unchanged);
        assert_eq!(world.contents(), before);
    }
}

#[test]
fn a_job_that_waits_for_another_attempt_is_cancelled() {
    let world = World::new();
    let job = world.running("noop");
    let verdict = Verdict::Failed {
        error: "oh".into(),
        delay_s: 3600.0,
        retry: true,
    };
    world.report(&job, verdict);
    assert_eq!(status(&world, job.id), "SCHEDULED");
    assert_eq!(cancel_ids(&world, &[job.id]), [accepted(job.id)]);
    assert_eq!(status(&world, job.id), "CANCELLED");
}

#[test]
fn good_and_bad_entries_keep_their_order_and_bad_ones_spoil_nothing() {
    let world = World::new();
    let done = world.completed();
    let other = world.tenant("other");
    let theirs = world.send_with(
        &world.admin,
        "POST",
        "/belay/v1/jobs",
        &[("Belay-Tenant", "other")],
        &json!({"kind": "noop"}),
    );
    let theirs = theirs.json()["id"].as_i64().unwrap();
    let ids = queued(&world, 3);
    let missing = || refused("PARAMETER_REQUIRED", "Missing required parameter [job_id]");
    let invalid = |shown: &str| refused("INVALID_DATA", format!("Invalid job_id [{shown}]"));
    let (entries, expected): (Vec<Value>, Vec<Value>) = [
        (json!({"job_id": ids[2]}), accepted(ids[2])),
        (json!({"job_id": "abc"}), invalid("abc")),
        (json!({"job_id": 999_999}), unknown(999_999)),
        (json!({"job_id": ids[0].to_string()}), accepted(ids[0])),
        (json!({"id": ids[1]}), missing()),
        (json!(ids[1]), missing()),
        (json!(null), missing()),
        (json!({"job_id": null}), missing()),
        (json!({"job_id": ""}), missing()),
        (json!({"job_id": 0}), invalid("0")),
        (json!({"job_id": -3}), invalid("-3")),
        (json!({"job_id": 1.5}), invalid("1.5")),
        (json!({"job_id": true}), invalid("true")),
        (
            json!({"job_id": [ids[1]]}),
            invalid(&format!("[{}]", ids[1])),
        ),
        (json!({"job_id": "x\u{0}y"}), invalid("x\u{0}y")),
        (
            json!({"job_id": 9_223_372_036_854_775_808_u64}),
            invalid("9223372036854775808"),
        ),
        (json!({"job_id": i64::MAX}), unknown(i64::MAX)),
        (json!({"job_id": done}), wrong_state(done)),
        (json!({"job_id": theirs}), unknown(theirs)),
        (json!({"job_id": ids[1], "reason": "x"}), accepted(ids[1])),
    ]
    .into_iter()
    .unzip();
    assert_eq!(data(&cancel(&world, json!(entries))), expected);
    for id in ids {
        assert_eq!(status(&world, id), "CANCELLED");
    }
    let reply = super::send(
        &world,
        "GET",
        &format!("/api/v26.1/services/jobs/{theirs}"),
        &[("Belay-Tenant", &other.to_string())],
        "",
    );
    assert_eq!(reply.json()["data"]["status"], "QUEUED");
}

#[test]
fn the_outer_status_is_success_also_when_every_entry_failed() {
    let world = World::new();
    let reply = cancel(&world, r#"[{"job_id": 1}, 7]"#);
    assert_eq!(reply.json()["responseStatus"], "SUCCESS");
    assert_eq!(data(&reply).len(), 2);
}

#[test]
fn an_entry_that_occurred_before_gets_the_same_answer() {
    let world = World::new();
    let done = world.completed();
    let id = world.enqueue(&json!({"kind": "noop"}));
    let (good, bad, none) = (accepted(id), wrong_state(done), unknown(4711));
    assert_eq!(
        cancel_ids(&world, &[id, done, id, 4711, done, 4711, id]),
        [&good, &bad, &good, &none, &bad, &none, &good].map(Clone::clone)
    );
    // It was cancelled once.
    let timeline = world.get(&format!("/belay/v1/jobs/{id}/timeline")).json();
    let cancels = timeline["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event"] == "cancelled")
        .count();
    assert_eq!(cancels, 1, "{timeline:#}");
}

#[test]
fn numbers_in_texts_are_answered_as_numbers() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    let body = format!(r#"[{{"job_id":"{id}"}},{{"job_id":"00{id}"}}]"#);
    let text = cancel(&world, body).text();
    assert_eq!(text.matches(&format!("\"id\":{id}}}")).count(), 2, "{text}");
}

#[test]
fn five_hundred_pass_and_one_more_changes_nothing() {
    let world = World::new();
    let ids = queued(&world, 500);
    let before = world.contents();
    let entries =
        |ids: &[i64]| -> Vec<Value> { ids.iter().map(|id| json!({"job_id": id})).collect() };
    let mut repeats = entries(&ids);
    repeats.push(json!({"job_id": ids[0]}));
    let mut nothing = entries(&ids[..499]);
    nothing.extend([json!(null), json!(null)]);
    for too_many in [repeats, nothing, vec![json!({}); 501]] {
        let reply = cancel(&world, json!(too_many));
        let message = super::expect_failure(&reply, 200, "INVALID_DATA");
        assert!(message.contains("501"), "{message}");
        assert_eq!(world.contents(), before);
    }
    let expected: Vec<Value> = ids.iter().map(|id| accepted(*id)).collect();
    assert_eq!(cancel_ids(&world, &ids), expected);
    assert_eq!(
        cancel_ids(&world, &ids),
        ids.iter().map(|id| wrong_state(*id)).collect::<Vec<_>>()
    );
}

#[test]
fn what_was_cancelled_while_it_waited_is_never_claimed() {
    let world = World::new();
    let ids = queued(&world, 2);
    assert_eq!(cancel_ids(&world, &ids[..1]), [accepted(ids[0])]);
    let line = LineFloor {
        line: Line {
            priority: 5,
            queue: "default".into(),
            kind: "noop".into(),
        },
        floor: 0,
    };
    let worker = NewWorker {
        name: "test".into(),
        host: "here".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec!["noop".into()],
        slots: 1,
        lease: std::time::Duration::from_secs(600),
    };
    let worker = world.db.read(|c| ops::register(c, &worker)).unwrap();
    let claimed = world
        .db
        .read(|c| ops::claim(c, worker, &[line], 10))
        .unwrap();
    let claimed: Vec<i64> = claimed.iter().map(|job| job.id).collect();
    assert_eq!(claimed, ids[1..]);
}

/// Reads as `CANCELLING` until the worker has stopped, whatever the worker says then.
fn is_cancelling_until_it_stops(world: &World, stop: impl Fn(&World, i64)) {
    for verdict in [
        Verdict::Completed,
        Verdict::Stopped {
            rung: Rung::Term,
            cause: String::new(),
        },
        Verdict::Failed {
            error: "oh".into(),
            delay_s: 0.0,
            retry: true,
        },
    ] {
        let job = world.running("noop");
        assert_eq!(status(world, job.id), "RUNNING");
        stop(world, job.id);
        assert_eq!(status(world, job.id), "CANCELLING");
        assert_eq!(cancel_ids(world, &[job.id]), [accepted(job.id)]);
        world.report(&job, verdict);
        assert_eq!(status(world, job.id), "CANCELLED");
        assert_eq!(cancel_ids(world, &[job.id]), [wrong_state(job.id)]);
    }
}

#[test]
fn a_running_job_cancelled_elsewhere_is_cancelling_until_its_worker_has_stopped() {
    let world = World::new();
    is_cancelling_until_it_stops(&world, cancel_elsewhere);
}

#[test]
fn a_running_job_cancelled_here_where_that_is_allowed_does_the_same() {
    let world = World::with(|builder| builder.vault_cancel_running(true));
    is_cancelling_until_it_stops(&world, |world, id| {
        assert_eq!(cancel_ids(world, &[id]), [accepted(id)]);
    });
}

#[test]
fn who_cancelled_and_through_what_is_on_record() {
    let world = World::new();
    let key = world.key("integration", &["vault:write"], None);
    let id = world.enqueue(&json!({"kind": "noop"}));
    let body = format!(r#"[{{"job_id":{id}}}]"#);
    let reply = super::send_as(&world, &key, "POST", super::CANCEL, &[], body);
    assert_eq!(data(&reply), [accepted(id)]);
    let job = world.get(&format!("/belay/v1/jobs/{id}")).json();
    assert_matches(
        &job["cancel"],
        &json!({"at": "[time]", "actor": "integration", "reason": null, "interface": "vault", "rung": "never_started"}),
    );
}

/// A cancelled job of that kind whose data was deleted.
fn deleted(world: &World, kind: &str) -> i64 {
    let id = world.enqueue(&json!({"kind": kind}));
    cancel_elsewhere(world, id);
    let path = format!("/belay/v1/jobs/{id}/data");
    assert_eq!(world.send("DELETE", &path, &Value::Null).status, 204);
    id
}

#[test]
fn an_ingest_job_that_was_deleted_is_not_there() {
    let world = World::new();
    world
        .test_db
        .conn()
        .batch_execute(
            "insert into belay.kind (name, executor) values ('ingest', 'builtin') on conflict do nothing",
        )
        .unwrap();
    // Of other kinds a deletion of the data hides nothing.
    let noop = deleted(&world, "noop");
    assert_eq!(status(&world, noop), "CANCELLED");
    assert_eq!(cancel_ids(&world, &[noop]), [wrong_state(noop)]);
    let id = deleted(&world, "ingest");
    let path = format!("/api/v26.1/services/jobs/{id}");
    assert_eq!(
        cancel_ids(&world, &[id, 4711]),
        [unknown(id), unknown(4711)]
    );
    for (method, path) in [
        ("GET", path.clone()),
        ("GET", format!("{path}/tasks")),
        ("POST", format!("/api/v26.1/services/jobs/start_now/{id}")),
    ] {
        let reply = super::send(&world, method, &path, &[], "");
        let message = super::expect_failure(&reply, 200, "INVALID_DATA");
        assert_eq!(message, format!("Job [{id}] is not found"));
    }
    let list = super::get(&world, "/services/jobs/histories");
    assert_eq!(list.json()["jobs"][0]["job_id"], noop);
    assert_eq!(list.json()["responseDetails"]["total"], 1);
}

#[test]
fn every_answer_is_counted() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    cancel_ids(&world, &[id, 4711]);
    let metrics = world.get("/metrics").text();
    for outcome in ["cancelled", "missing"] {
        let line = metrics.lines().find(|line| {
            line.contains("cancel") && line.contains("\"vault\"") && line.contains(outcome)
        });
        assert!(line.is_some_and(|line| line.ends_with(" 1")), "{line:?}");
    }
    // Nothing was there to be asked about.
    let reply = cancel(&world, "[{}]");
    expect(
        &reply,
        200,
        &json!({"responseStatus": "SUCCESS", "data": [refused("PARAMETER_REQUIRED", "Missing required parameter [job_id]")]}),
    );
}
