//! Cancel, the reason all of this exists.

use std::time::{Duration, Instant};

use belay_core::ops::{Rung, Verdict};
use belay_testkit::eventually;
use serde_json::{Value, json};

use crate::support::World;

fn cancel_path(id: i64) -> String {
    format!("/belay/v1/jobs/{id}/cancel")
}

#[test]
fn a_waiting_job_is_over_with_the_answer() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    world.post(&cancel_path(id), &json!({"reason": "wrong month"})).expect(
        200,
        &json!({"id": id, "was": "queued", "state": "cancelled", "outcome": "cancelled", "message": "it never started and never will"}),
    );
    let job = world.get(&format!("/belay/v1/jobs/{id}")).json();
    assert_eq!(job["state"], "cancelled");
    let mark = json!({"at": "[time]", "actor": "root", "reason": "wrong month", "interface": "native", "rung": "never_started"});
    crate::support::assert_matches(&job["cancel"], &mark);
}

#[test]
fn the_answer_says_what_happens_now_and_when_force_is_used() {
    let world = World::new();
    let spec = belay_core::ops::KindSpec {
        grace: Some(std::time::Duration::from_secs(90)),
        ..belay_core::ops::KindSpec::new("report", "command")
    };
    world
        .db
        .tx(|conn| belay_core::ops::register_kinds(conn, std::slice::from_ref(&spec)))
        .unwrap();
    let job = world.running("report");
    let first = world.post(&cancel_path(job.id), &Value::Null).json();
    let shown = world.get(&format!("/belay/v1/jobs/{}", job.id)).json();
    let at = shown["cancel"]["at"].as_str().unwrap();
    let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
    let kill = (at + chrono::TimeDelta::seconds(90)).format("%Y-%m-%dT%H:%M:%S%.3fZ");
    let words = first["message"].as_str().unwrap();
    assert_eq!(
        words,
        format!(
            "its worker was told to stop; its processes get TERM, and whatever of them is left is killed at {kill}"
        )
    );
    let again = world.post(&cancel_path(job.id), &Value::Null).json();
    let repeated = again["message"].as_str().unwrap();
    assert!(
        repeated.starts_with("was cancelled before, at ") && repeated.ends_with(words),
        "{repeated}"
    );
}

#[test]
fn a_running_job_is_told_to_stop_and_ends_as_cancelled() {
    let world = World::new();
    let job = world.running("noop");
    world.post(&cancel_path(job.id), &Value::Null).expect(
        200,
        &json!({"id": job.id, "was": "running", "state": "cancelling", "outcome": "cancelling", "message": "its worker was told to stop"}),
    );
    world.report(&job, Verdict::Completed);
    let shown = world.get(&format!("/belay/v1/jobs/{}", job.id)).json();
    assert_eq!(
        (&shown["state"], &shown["cancel"]["rung"]),
        (&json!("cancelled"), &json!("cooperative"))
    );
}

#[test]
fn a_job_between_attempts_is_over_too() {
    let world = World::new();
    let job = world.running("noop");
    let verdict = Verdict::Failed {
        error: "oh".into(),
        delay_s: 3600.0,
        retry: true,
    };
    world.report(&job, verdict);
    world.post(&cancel_path(job.id), &Value::Null).expect(
        200,
        &json!({
            "id": job.id, "was": "scheduled", "state": "cancelled", "outcome": "cancelled",
            "message": "it was waiting for another attempt, which will not come"
        }),
    );
}

#[test]
fn a_repeated_cancel_changes_nothing_and_says_who_was_first() {
    let world = World::new();
    let job = world.running("noop");
    world.post(&cancel_path(job.id), &json!({"reason": "first"}));
    let other = world.key("other", &["write"], None);
    let before = world.contents();
    let again = || {
        world.send_as(
            &other,
            "POST",
            &cancel_path(job.id),
            &json!({"reason": "second"}),
        )
    };
    let at = world.get(&format!("/belay/v1/jobs/{}", job.id)).json()["cancel"]["at"].clone();
    let at = at.as_str().unwrap();
    again().expect(
        200,
        &json!({
            "id": job.id, "was": "cancelling", "state": "cancelling", "outcome": "already",
            "message": format!("was cancelled before, at {at} by root; it has not ended yet: its worker was told to stop")
        }),
    );
    assert_eq!(world.contents(), before);
    let stopped = Verdict::Stopped {
        rung: Rung::Term,
        cause: String::new(),
    };
    world.report(&job, stopped);
    again().expect(
        200,
        &json!({
            "id": job.id, "was": "cancelled", "state": "cancelled", "outcome": "already",
            "message": format!("was cancelled before, at {at} by root")
        }),
    );
}

#[test]
fn a_finished_job_refuses() {
    let world = World::new();
    let id = world.completed();
    let before = world.contents();
    for body in [json!({}), json!({"force": true})] {
        world.post(&cancel_path(id), &body).problem(
            409,
            "refused",
            &json!({
                "id": id, "was": "completed", "state": "completed", "outcome": "refused", "message": "has already completed",
                "detail": format!("job {id} has already completed")
            }),
        );
    }
    assert_eq!(world.contents(), before);
}

#[test]
fn a_job_that_is_not_there_is_missing() {
    let world = World::new();
    for body in [json!({}), json!({"force": true})] {
        world.post(&cancel_path(4711), &body).problem(
            404,
            "not-found",
            &json!({"outcome": "missing", "message": "no such job", "detail": "there is no job 4711"}),
        );
    }
}

#[test]
fn force_ends_a_running_job_and_needs_the_scope_admin() {
    let world = World::new();
    let job = world.running("noop");
    let writer = world.key("writer", &["read", "write"], None);
    let before = world.contents();
    world
        .send_as(
            &writer,
            "POST",
            &cancel_path(job.id),
            &json!({"force": true}),
        )
        .problem(403, "forbidden", &json!({}));
    assert_eq!(world.contents(), before);

    let worker = world.get(&format!("/belay/v1/jobs/{}", job.id)).json()["worker"].clone();
    world.post(&cancel_path(job.id), &json!({"force": true, "reason": "stuck"})).expect(
        200,
        &json!({
            "id": job.id, "was": "running", "state": "cancelled", "outcome": "cancelled",
            "message": format!("was ended by force; worker {worker} may still be running its code until its next heartbeat")
        }),
    );
    let shown = world.get(&format!("/belay/v1/jobs/{}", job.id)).json();
    assert_eq!(
        (&shown["cancel"]["rung"], &shown["cancel"]["reason"]),
        (&json!("forced"), &json!("stuck"))
    );
    let again = world
        .post(&cancel_path(job.id), &json!({"force": true}))
        .json();
    assert_eq!(again["outcome"], "already");

    let waiting = world.enqueue(&json!({"kind": "noop"}));
    let over = world
        .post(&cancel_path(waiting), &json!({"force": true}))
        .json();
    assert_eq!(
        (&over["outcome"], &over["message"]),
        (
            &json!("cancelled"),
            &json!("it never started and never will")
        )
    );
}

#[test]
fn many_are_cancelled_in_one_step_and_answered_in_order() {
    let world = World::new();
    let done = world.completed();
    let running = world.running("noop").id;
    let waiting = world.enqueue(&json!({"kind": "noop"}));
    let other = world.enqueue(&json!({"kind": "noop"}));
    let key = world.get(&format!("/belay/v1/jobs/{other}")).json()["key"].clone();
    let uid = world.get(&format!("/belay/v1/jobs/{running}")).json()["uid"].clone();
    // Fits no job: the time in it is another.
    let wrong = format!("00000001{}", &key.as_str().unwrap()[8..]);
    let reply = world.post(
        "/belay/v1/jobs/cancel",
        &json!({"ids": [waiting, 999_999, uid, done, wrong, key, waiting.to_string(), running], "reason": "all of it"}),
    );
    let answers = reply.json();
    let short: Vec<Value> = answers["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| json!([a["id"], a["was"], a["state"], a["outcome"]]))
        .collect();
    assert_eq!(
        json!(short),
        json!([
            [waiting, "queued", "cancelled", "cancelled"],
            [999_999, null, null, "missing"],
            [running, "running", "cancelling", "cancelling"],
            [done, "completed", "completed", "refused"],
            [wrong, null, null, "missing"],
            [other, "queued", "cancelled", "cancelled"],
            [waiting, "cancelled", "cancelled", "already"],
            [running, "cancelling", "cancelling", "already"],
        ])
    );
    let first = &answers["results"][0];
    crate::support::assert_matches(
        first,
        &json!({"id": waiting, "was": "queued", "state": "cancelled", "outcome": "cancelled", "message": "it never started and never will"}),
    );
    world
        .post("/belay/v1/jobs/cancel", &json!({"ids": []}))
        .expect(200, &json!({"results": []}));
}

#[test]
fn lists_of_jobs_that_cannot_be_meant_change_nothing() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    let before = world.contents();
    for (bad, field) in [
        (json!([id, 0]), "ids[1]"),
        (json!([id, -1]), "ids[1]"),
        (json!([id, 1.5]), "ids[1]"),
        (json!([id, 1.0]), "ids[1]"),
        (json!([id, 9_223_372_036_854_775_808_u64]), "ids[1]"),
        (json!([id, "x"]), "ids[1]"),
        (json!([id, null]), "ids[1]"),
        (json!([id, [id]]), "ids[1]"),
        (json!(id), "ids"),
        (json!(vec![id; 501]), "ids"),
    ] {
        let shown = bad.to_string();
        let reply = world.post("/belay/v1/jobs/cancel", &json!({"ids": bad}));
        assert_eq!(reply.status, 422, "{shown}");
        reply.problem(422, "invalid", &json!({"field": field}));
    }
    world
        .post("/belay/v1/jobs/cancel", &json!({"reason": "x"}))
        .problem(
            422,
            "invalid",
            &json!({"field": "ids", "detail": "ids is missing; it must be a list"}),
        );
    assert_eq!(world.contents(), before);
    let many = world
        .post("/belay/v1/jobs/cancel", &json!({"ids": vec![id; 500]}))
        .json();
    assert_eq!(many["results"].as_array().unwrap().len(), 500);
}

fn wait_for(world: &World, id: i64, seconds: &str) -> crate::support::Reply {
    let prefer = format!("wait={seconds}");
    world.send_with(
        &world.admin,
        "POST",
        &cancel_path(id),
        &[("Prefer", &prefer)],
        &Value::Null,
    )
}

fn is_cancelling(world: &World, id: i64) -> Option<()> {
    let job = world.get(&format!("/belay/v1/jobs/{id}")).json();
    (job["state"] == "cancelling").then_some(())
}

#[test]
fn waiting_answers_as_soon_as_the_job_has_ended() {
    let world = World::new();
    let job = world.running("noop");
    let began = Instant::now();
    let reply = std::thread::scope(|scope| {
        let reply = scope.spawn(|| wait_for(&world, job.id, "60"));
        eventually(Duration::from_secs(30), || is_cancelling(&world, job.id));
        world.report(&job, Verdict::Completed);
        reply.join().unwrap()
    });
    reply.expect(
        200,
        &json!({
            "id": job.id, "was": "running", "state": "cancelled", "outcome": "cancelling",
            "message": "its worker was told to stop, and has stopped"
        }),
    );
    assert_eq!(reply.header("preference-applied"), Some("wait=60"));
    assert!(began.elapsed() < Duration::from_secs(50));
}

#[test]
fn waiting_ends_with_the_time_asked_for() {
    let world = World::new();
    let job = world.running("noop");
    let began = Instant::now();
    let reply = wait_for(&world, job.id, "1");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        (reply.status, &reply.json()["state"]),
        (200, &json!("cancelling"))
    );
    assert_eq!(reply.header("preference-applied"), Some("wait=1"));
    // Also whoever was not first may wait, and what is over needs no waiting.
    assert_eq!(wait_for(&world, job.id, "1").json()["outcome"], "already");
    world.report(&job, Verdict::Completed);
    assert_eq!(wait_for(&world, job.id, "60").json()["state"], "cancelled");
}

#[test]
fn waiting_holds_neither_a_thread_nor_a_connection() {
    // More waiters than there are connections, threads of the server, or calls to the database.
    let world = World::with(|builder| builder.calls_at_once(2));
    let jobs: Vec<_> = (0..20).map(|_| world.running("noop")).collect();
    std::thread::scope(|scope| {
        let waiters: Vec<_> = jobs
            .iter()
            .map(|job| scope.spawn(|| wait_for(&world, job.id, "60")))
            .collect();
        for job in &jobs {
            eventually(Duration::from_secs(30), || is_cancelling(&world, job.id));
        }
        for job in &jobs {
            world.report(job, Verdict::Completed);
        }
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().json()["state"], "cancelled");
        }
    });
}

#[test]
fn whoever_waits_is_answered_when_the_server_is_about_to_stop() {
    let world = World::new();
    let job = world.running("noop");
    let began = Instant::now();
    let reply = std::thread::scope(|scope| {
        let reply = scope.spawn(|| wait_for(&world, job.id, "60"));
        eventually(Duration::from_secs(30), || is_cancelling(&world, job.id));
        world.api.stop_waiting();
        reply.join().unwrap()
    });
    assert_eq!(
        (reply.status, &reply.json()["state"]),
        (200, &json!("cancelling"))
    );
    assert!(began.elapsed() < Duration::from_secs(50));
}
