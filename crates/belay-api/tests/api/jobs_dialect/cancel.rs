//! Cancel.

use std::sync::Barrier;

use belay_core::JobState;
use belay_core::ops::{self, Line, LineFloor};
use serde_json::{Value, json};

use super::{cancel, nothing, problem, unprocessable};
use crate::support::{World, at_once, request};

/// Entries of the record that say `cancelled`.
fn cancels(world: &World, id: i64) -> usize {
    let history = world
        .ask("GET", &format!("/v1/jobs/{id}/statusHistory"), &Value::Null)
        .json();
    let items = history["items"].as_array().unwrap().iter();
    items.filter(|item| item["status"] == "cancelled").count()
}

#[test]
fn every_state_has_its_word_and_its_answer() {
    let world = World::new();
    for method in ["POST", "PUT"] {
        for (state, word, status) in [
            (JobState::Open, "new", 204),
            (JobState::Scheduled, "scheduled", 204),
            (JobState::Queued, "sent", 204),
            (JobState::Running, "started", 422),
            (JobState::Suspended, "suspended", 422),
            (JobState::Cancelling, "cancelled", 422),
            (JobState::Cancelled, "cancelled", 422),
            (JobState::Completed, "completedOk", 422),
            (JobState::Failed, "completedWithIssues", 422),
        ] {
            let id = world.make(state).id;
            assert_eq!(world.shown(id)["status"], word, "{state}");
            let before = world.contents();
            let reply = world.ask(method, &cancel(id), &json!({"reason": " told so "}));
            if status == 204 {
                nothing(&reply);
                assert_eq!(world.shown(id)["status"], "cancelled");
                assert_eq!(world.shown(id)["cancellationReason"], "told so");
                let mark = world.seen(id).cancel().unwrap();
                assert_eq!(
                    (mark.actor.as_str(), mark.interface.as_str()),
                    ("root", "jobs")
                );
            } else {
                let body = unprocessable(&reply, &cancel(id), &["status"]);
                let words = body["errors"]["status"][0].as_str().unwrap();
                assert!(words.contains(&format!("its status is {word}")), "{words}");
                assert_eq!(world.contents(), before, "{state}");
            }
        }
    }
}

#[test]
fn a_job_that_waits_again_after_it_ran_has_been_started() {
    let world = World::new();
    let id = world.queued_again();
    assert_eq!(world.shown(id)["status"], "sent");
    let before = world.contents();
    let body = unprocessable(
        &world.ask("POST", &cancel(id), &Value::Null),
        &cancel(id),
        &["status"],
    );
    assert_eq!(
        body["detail"],
        "the job cannot be cancelled: its status is sent, and it has been started before"
    );
    assert_eq!(world.contents(), before);
    // Cancelled through another interface it is over, and still no job that was never started.
    world.cancelled_by_maker(id);
    unprocessable(
        &world.ask("PUT", &cancel(id), &Value::Null),
        &cancel(id),
        &["status"],
    );
}

#[test]
fn a_second_cancel_is_answered_alike_and_the_first_reason_stays() {
    let world = World::new();
    let id = world.make(JobState::Scheduled).id;
    nothing(&world.ask("POST", &cancel(id), &json!({"reason": "first"})));
    let before = world.contents();
    nothing(&world.ask("PUT", &cancel(id), &json!({"reason": "second"})));
    nothing(&world.ask("POST", &cancel(id), &Value::Null));
    assert_eq!(world.contents(), before);
    assert_eq!(world.shown(id)["cancellationReason"], "first");
    assert_eq!(cancels(&world, id), 1);
    // Whoever cancelled it.
    let id = world.make(JobState::Queued).id;
    world.cancelled_by_maker(id);
    nothing(&world.ask("POST", &cancel(id), &json!({"reason": "mine"})));
    assert_eq!(world.shown(id)["cancellationReason"], "made so");
}

#[test]
fn of_twenty_at_once_all_are_answered_alike_and_one_is_on_record() {
    let world = World::new();
    let id = world.make(JobState::Queued).id;
    for reply in at_once(20, || {
        world.ask("POST", &cancel(id), &json!({"reason": "x"}))
    }) {
        nothing(&reply);
    }
    assert_eq!(cancels(&world, id), 1);
    let rows = world.contents();
    assert_eq!(
        rows.matches(",cancelled,queued,cancelled,root,jobs,x,")
            .count(),
        1,
        "{rows}"
    );
}

#[test]
fn a_cancel_and_a_claim_never_both_win() {
    let world = World::new();
    let (mut cancelled, mut claimed) = (0, 0);
    for _ in 0..20 {
        let id = world.make(JobState::Queued).id;
        let job = world.seen(id);
        let worker = world.make(JobState::Running).worker;
        let line = LineFloor {
            line: Line {
                priority: job.priority,
                queue: job.queue,
                kind: job.kind,
            },
            floor: 0,
        };
        let barrier = Barrier::new(2);
        let (reply, got) = std::thread::scope(|scope| {
            let reply = scope.spawn(|| {
                barrier.wait();
                world.ask("POST", &cancel(id), &Value::Null)
            });
            barrier.wait();
            let got = world
                .db
                .read(|c| ops::claim(c, worker, &[line], 1))
                .unwrap();
            (reply.join().unwrap(), got.len())
        });
        let now = world.seen(id);
        match (reply.status, got) {
            (204, 0) => {
                assert_eq!((now.state, now.started_at), (JobState::Cancelled, None));
                cancelled += 1;
            }
            (422, 1) => {
                assert_eq!(now.state, JobState::Running);
                claimed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(cancelled + claimed, 20);
}

#[test]
fn bodies_that_are_accepted() {
    let world = World::new();
    let bearer = format!("Bearer {}", world.admin);
    for (types, body) in [
        (None, ""),
        (Some("text/plain"), ""),
        (None, "{}"),
        (Some("application/json; charset=utf-8"), "{}"),
        (None, r#"{"reason": null, "because": 7}"#),
        (None, "\u{feff}{\"reason\": \"x\"}"),
    ] {
        let path = cancel(world.make(JobState::Queued).id);
        // Names of headers have no case.
        let mut headers = vec![("Authorization", bearer.as_str()), ("customer-id", "1")];
        headers.extend(types.map(|types| ("Content-Type", types)));
        nothing(&request(
            world.address(),
            "POST",
            &path,
            &headers,
            body.as_bytes(),
        ));
    }
}

#[test]
fn bodies_that_are_refused_change_nothing() {
    let world = World::new();
    let path = cancel(world.make(JobState::Queued).id);
    let before = world.contents();
    let bearer = format!("Bearer {}", world.admin);
    let send = |types: &str, body: &[u8]| {
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Customer-Id", "1"),
            ("Content-Type", types),
        ];
        request(world.address(), "PUT", &path, &headers, body)
    };
    for body in [
        "[]".as_bytes(),
        b"null",
        b"\"x\"",
        b"{",
        b"{} x",
        b"{\"reason\": \"a\", \"reason\": \"b\"}",
    ] {
        problem(&send("application/json", body), 400, &path);
    }
    let long = json!({"reason": "r".repeat(1001)}).to_string();
    for body in [
        r#"{"reason": ""}"#,
        r#"{"reason": " \n "}"#,
        r#"{"reason": 7}"#,
        r#"{"reason": "\u0000"}"#,
        r#"{"reason": ["x"]}"#,
        &long,
    ] {
        unprocessable(
            &send("application/json", body.as_bytes()),
            &path,
            &["reason"],
        );
    }
    problem(&send("application/xml", b"{}"), 415, &path);
    problem(
        &send("application/json", &vec![b' '; (1 << 20) + 1]),
        413,
        &path,
    );
    assert_eq!(world.contents(), before);
    // What is trimmed does not count.
    let most = json!({"reason": format!("  {}  ", "é".repeat(1000))});
    nothing(&world.ask("PUT", &path, &most));
}

#[test]
fn a_bad_reason_comes_after_the_job_and_before_its_state() {
    let world = World::new();
    let bad = json!({"reason": ""});
    problem(&world.ask("POST", &cancel(4711), &bad), 404, &cancel(4711));
    let id = world.make(JobState::Running).id;
    unprocessable(
        &world.ask("POST", &cancel(id), &bad),
        &cancel(id),
        &["reason"],
    );
    unprocessable(
        &world.ask("POST", &cancel(id), &json!({})),
        &cancel(id),
        &["status"],
    );
}
