//! Cancel.

use std::sync::Barrier;

use belay_core::JobState;
use belay_core::ops::Verdict;
use serde_json::{Value, json};

use super::{NOBODY, cancel, failure, job, jobs, success};
use crate::support::{World, at_once, request};

#[test]
fn the_answer_is_this_to_the_byte() {
    let world = World::new();
    let made = world.make(JobState::Queued);
    let path = cancel(&world, made.id);
    let headers = [("X-Request-Id", "trace-1")];
    let reply = world.send_with(&world.admin, "POST", &path, &headers, &Value::Null);
    assert_eq!(
        (reply.status, reply.header("x-request-id")),
        (200, Some("trace-1"))
    );
    assert_eq!(
        reply.text(),
        format!(
            r#"{{"success":true,"data":{{"jobId":"{}","status":"cancelled"}},"error":null,"traceId":"trace-1"}}"#,
            world.seen(made.id).key()
        )
    );
}

#[test]
fn every_state_has_its_word_and_its_answer() {
    let world = World::new();
    for (state, word, status) in [
        (JobState::Open, "queued", 200),
        (JobState::Scheduled, "queued", 200),
        (JobState::Queued, "queued", 200),
        (JobState::Running, "running", 200),
        (JobState::Suspended, "running", 200),
        (JobState::Cancelling, "cancelled", 422),
        (JobState::Cancelled, "cancelled", 422),
        (JobState::Completed, "completed", 422),
        (JobState::Failed, "failed", 422),
    ] {
        let id = world.make(state).id;
        let shown = || world.get(&job(&world, id)).json()["data"]["status"].clone();
        assert_eq!(shown(), word, "{state}");
        let before = world.contents();
        let reply = world.post(&cancel(&world, id), &json!({"reason": "told so"}));
        if status == 200 {
            let key = world.seen(id).key();
            success(&reply, 200, &json!({"jobId": key, "status": "cancelled"}));
            // Also while its worker is still winding down.
            assert_eq!(shown(), "cancelled", "{state}");
            let mark = world.seen(id).cancel().unwrap();
            assert_eq!(
                (
                    mark.actor.as_str(),
                    mark.interface.as_str(),
                    mark.reason.as_deref()
                ),
                ("root", "prospecting", Some("told so"))
            );
        } else {
            let error = failure(&reply, status, "VALIDATION_ERROR");
            let message = format!("the job cannot be cancelled: its status is {word}");
            assert_eq!(error["message"], message.as_str(), "{state}");
            assert_eq!(world.contents(), before, "{state}");
        }
    }
    // What waits again after it ran is queued, and can be cancelled.
    let again = world.queued_again();
    assert_eq!(world.post(&cancel(&world, again), &Value::Null).status, 200);
    assert_eq!(world.seen(again).state, JobState::Cancelled);
}

#[test]
fn a_second_cancel_is_refused_and_names_the_status() {
    let world = World::new();
    for state in [JobState::Queued, JobState::Running] {
        let id = world.make(state).id;
        let path = cancel(&world, id);
        // The header is ignored here: it makes nothing idempotent.
        let twice = |reason: &str| {
            let headers = [("Idempotency-Key", "same")];
            world.send_with(
                &world.admin,
                "POST",
                &path,
                &headers,
                &json!({"reason": reason}),
            )
        };
        assert_eq!(twice("first").status, 200);
        let before = world.contents();
        let error = failure(&twice("first"), 422, "VALIDATION_ERROR");
        assert!(error["message"].as_str().unwrap().contains("cancelled"));
        failure(&twice("second"), 422, "VALIDATION_ERROR");
        assert_eq!(world.contents(), before);
        assert_eq!(
            world.seen(id).cancel().unwrap().reason.as_deref(),
            Some("first")
        );
    }
}

#[test]
fn of_two_at_once_one_is_accepted() {
    let world = World::new();
    for state in [
        JobState::Queued,
        JobState::Running,
        JobState::Scheduled,
        JobState::Suspended,
    ] {
        let path = cancel(&world, world.make(state).id);
        let mut statuses: Vec<u16> = at_once(2, || world.post(&path, &Value::Null).status);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422], "{state}");
    }
}

#[test]
fn a_cancel_and_a_completion_never_both_win() {
    let world = World::new();
    for _ in 0..10 {
        let made = world.make(JobState::Running);
        let path = cancel(&world, made.id);
        let barrier = Barrier::new(2);
        let reply = std::thread::scope(|scope| {
            let reply = scope.spawn(|| {
                barrier.wait();
                world.post(&path, &Value::Null)
            });
            barrier.wait();
            world.settle(made, Verdict::Completed);
            reply.join().unwrap()
        });
        match reply.status {
            200 => assert_eq!(world.seen(made.id).state, JobState::Cancelled),
            422 => {
                assert_eq!(world.seen(made.id).state, JobState::Completed);
                assert!(reply.text().contains("completed"), "{}", reply.text());
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn bodies_that_are_accepted() {
    let world = World::new();
    let bearer = format!("Bearer {}", world.admin);
    for (types, body) in [
        (None, ""),
        (Some("text/plain"), ""),
        (Some("application/json"), ""),
        (None, "{}"),
        (Some("Application/JSON; charset=utf-8"), "{}"),
        (None, r#"{"reason": null, "because": 7}"#),
        (None, "\u{feff}{\"reason\": \"\"}"),
    ] {
        let path = cancel(&world, world.make(JobState::Queued).id);
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(types.map(|types| ("Content-Type", types)));
        let reply = request(world.address(), "POST", &path, &headers, body.as_bytes());
        assert_eq!(reply.status, 200, "{types:?} {body}: {}", reply.text());
    }
}

#[test]
fn bodies_that_are_refused_change_nothing() {
    let world = World::new();
    let path = cancel(&world, world.make(JobState::Queued).id);
    let before = world.contents();
    let long = format!(r#"{{"reason": "{}"}}"#, "r".repeat(1001));
    let deep = format!(r#"{{"a": {}{}}}"#, "[".repeat(64), "]".repeat(64));
    let send = |types: &str, body: &[u8]| {
        let bearer = format!("Bearer {}", world.admin);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", types)];
        request(world.address(), "POST", &path, &headers, body)
    };
    for body in [
        "[]".as_bytes(),
        b"null",
        b"7",
        b"\"x\"",
        b"{",
        b"{}{}",
        b"{\"reason\": 7}",
        b"{\"reason\": [\"x\"]}",
        b"{\"reason\": \"\\u0000\"}",
        b"{\"reason\": \"a\", \"reason\": \"b\"}",
        b"{\"reason\": \"\xff\"}",
        long.as_bytes(),
        deep.as_bytes(),
    ] {
        failure(&send("application/json", body), 400, "VALIDATION_ERROR");
    }
    failure(&send("text/plain", b"{}"), 415, "UNSUPPORTED_MEDIA_TYPE");
    let huge = vec![b' '; (1 << 20) + 1];
    failure(&send("application/json", &huge), 413, "PAYLOAD_TOO_LARGE");
    assert_eq!(world.contents(), before);
    // Characters count, not bytes.
    let most = json!({"reason": "é".repeat(1000)});
    assert_eq!(world.post(&path, &most).status, 200);
}

#[test]
fn what_is_wrong_with_the_body_comes_after_the_job_and_before_its_state() {
    let world = World::new();
    let bad = json!({"reason": 7});
    let nobody = format!("{}/{NOBODY}/cancel", jobs(&world));
    failure(&world.post(&nobody, &bad), 404, "NOT_FOUND");
    let done = cancel(&world, world.make(JobState::Completed).id);
    failure(&world.post(&done, &bad), 400, "VALIDATION_ERROR");
    failure(&world.post(&done, &json!({})), 422, "VALIDATION_ERROR");
}
