//! Everything that is done with jobs beside making and cancelling them.

use std::collections::BTreeSet;

use belay_core::ops::{self, Verdict};
use serde_json::{Value, json};

use crate::support::World;

fn ids(page: &Value) -> Vec<i64> {
    let jobs = page["jobs"].as_array().unwrap();
    jobs.iter().map(|job| job["id"].as_i64().unwrap()).collect()
}

#[test]
fn a_running_job_shows_its_progress_and_its_attempt() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop", "payload": [1]}));
    let (worker, claimed) = world.claim("noop");
    let progress = ops::ProgressRow {
        job: id,
        fence: claimed.fence,
        attempt: 1,
        done: 3,
        total: Some(9),
        message: Some("third".into()),
    };
    world
        .db
        .read(|c| ops::save_progress(c, worker, &[progress]))
        .unwrap();
    let shown = json!({
        "id": id, "uid": "[uuid]", "key": "[key]", "tenant": 1, "kind": "noop", "queue": "default", "priority": 5, "state": "running",
        "attempt": 1, "max_attempts": 5, "fence": 1, "worker": worker, "payload": [1],
        "progress": {"done": 3, "total": 9, "message": "third"}, "error": null, "retry_of": null, "created_at": "[time]",
        "run_at": "[time]", "started_at": "[time]", "finished_at": null, "cancel": null
    });
    world
        .get(&format!("/belay/v1/jobs/{id}"))
        .expect(200, &shown);
    world
        .get("/belay/v1/jobs?state=running")
        .expect(200, &json!({"jobs": [shown], "next": null}));
}

#[test]
fn a_failed_job_shows_its_error() {
    let world = World::new();
    let job = world.running("noop");
    let verdict = Verdict::Failed {
        error: "disk full".into(),
        delay_s: 0.0,
        retry: false,
    };
    world.report(&job, verdict);
    let shown = world.get(&format!("/belay/v1/jobs/{}", job.id)).json();
    assert_eq!(
        (&shown["state"], &shown["error"]),
        (&json!("failed"), &json!("disk full"))
    );
    assert!(shown["finished_at"].is_string());
}

#[test]
fn lists_are_walked_page_by_page_and_filtered() {
    let world = World::new();
    let mut made = Vec::new();
    for i in 0..5 {
        let queue = if i % 2 == 0 { "even" } else { "odd" };
        made.push(world.enqueue(&json!({"kind": "noop", "queue": queue})));
    }
    let later = world.enqueue(&json!({"kind": "sleep", "run_at": "2099-01-01T00:00:00Z"}));
    world.post(&format!("/belay/v1/jobs/{}/cancel", made[0]), &Value::Null);

    let mut walked = Vec::new();
    let mut path = "/belay/v1/jobs?limit=2".to_owned();
    loop {
        let page = world.get(&path).json();
        assert!(ids(&page).len() <= 2);
        walked.extend(ids(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/belay/v1/jobs?limit=2&cursor={next}");
    }
    let mut all: Vec<i64> = made.iter().copied().chain([later]).collect();
    all.reverse();
    assert_eq!(walked, all);

    let of = |filter: &str| {
        let page = world.get(&format!("/belay/v1/jobs?{filter}")).json();
        ids(&page).into_iter().collect::<BTreeSet<i64>>()
    };
    assert_eq!(of("queue=odd"), [made[1], made[3]].into());
    assert_eq!(of("kind=sleep"), [later].into());
    assert_eq!(of("state=cancelled"), [made[0]].into());
    assert_eq!(of("state=scheduled,cancelled"), [later, made[0]].into());
    assert_eq!(
        of("state=queued&queue=even&kind=noop"),
        [made[2], made[4]].into()
    );
    assert_eq!(of("state=failed"), [].into());
}

#[test]
fn filters_that_cannot_be_meant_are_refused() {
    let world = World::new();
    for (query, field) in [
        ("state=done", "state"),
        ("state=queued,", "state"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "limit"),
        ("cursor=7", "cursor"),
        ("cursor=p00000000000000zz", "cursor"),
        ("queu=x", "queu"),
        ("queue=a&queue=b", "queue"),
        ("kind=a%00b", "kind"),
    ] {
        let reply = world.get(&format!("/belay/v1/jobs?{query}"));
        reply.problem(400, "malformed", &json!({"field": field}));
    }
    assert_eq!(world.get("/belay/v1/jobs?limit=500").status, 200);
}

#[test]
fn the_timeline_tells_a_life_in_order() {
    let world = World::new();
    let job = world.running("noop");
    world.post(
        &format!("/belay/v1/jobs/{}/cancel", job.id),
        &json!({"reason": "wrong month"}),
    );
    let event = |event: &str, was: Value, state: Value, attempt: i64| {
        json!({
            "at": "[time]", "event": event, "was": was, "state": state, "attempt": attempt, "worker": "[number]", "actor": "[text]",
            "interface": "[text]", "reason": null, "detail": null
        })
    };
    let mut created = event("created", Value::Null, Value::Null, 0);
    (created["worker"], created["actor"], created["interface"]) =
        (Value::Null, "root".into(), "native".into());
    let claimed = event("claimed", "queued".into(), "running".into(), 1);
    let mut asked = event("cancel_requested", "running".into(), "cancelling".into(), 1);
    (asked["actor"], asked["interface"], asked["reason"]) =
        ("root".into(), "native".into(), "wrong month".into());
    world
        .get(&format!("/belay/v1/jobs/{}/timeline", job.id))
        .expect(
            200,
            &json!({"id": job.id, "events": [created, claimed, asked]}),
        );
}

#[test]
fn output_is_shown_by_attempt() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    let place = format!("/belay/v1/jobs/{id}/output");
    world
        .get(&place)
        .expect(200, &json!({"id": id, "attempts": []}));
    let (worker, claimed) = world.claim("noop");
    let row = ops::OutputRow {
        job: id,
        fence: claimed.fence,
        attempt: 1,
        stdout: "é\n".into(),
        stderr: "oh".into(),
        stdout_bytes: 30,
        stderr_bytes: 2,
        exit_code: Some(1),
        signal: None,
        ran_ms: Some(1270),
    };
    world
        .db
        .read(|c| ops::save_output(c, worker, &[row]))
        .unwrap();
    world.get(&place).expect(
        200,
        &json!({"id": id, "attempts": [{
            "attempt": 1, "stdout": "é\n", "stderr": "oh", "stdout_bytes": 30, "stderr_bytes": 2, "exit_code": 1, "signal": null,
            "ran_s": 1.27, "updated_at": "[time]"
        }]}),
    );
}

#[test]
fn a_finished_job_is_retried_as_a_new_one() {
    let world = World::new();
    let old = world.completed();
    let reply = world.post(
        &format!("/belay/v1/jobs/{old}/retry"),
        &json!({"reason": "once more"}),
    );
    assert_eq!(reply.status, 201, "{}", reply.text());
    let new = reply.json();
    assert_eq!(
        (&new["retry_of"], &new["state"]),
        (&json!(old), &json!("queued"))
    );
    let place = format!("/belay/v1/jobs/{}", new["id"]);
    assert_eq!(reply.header("location"), Some(place.as_str()));
    assert_eq!(
        world.get(&format!("/belay/v1/jobs/{old}")).json()["state"],
        "completed"
    );

    let before = world.contents();
    world.post(&format!("{place}/retry"), &Value::Null).problem(
        409,
        "refused",
        &json!({"state": "queued", "detail": format!("job {} cannot be retried: it has not finished, it is queued", new["id"])}),
    );
    assert_eq!(world.contents(), before);
}

#[test]
fn a_running_job_is_held_still_and_goes_on() {
    let world = World::new();
    let job = world.running("sleep");
    let verb = |verb: &str| {
        world.post(
            &format!("/belay/v1/jobs/{}/{verb}", job.id),
            &json!({"reason": "why not"}),
        )
    };
    verb("suspend").expect(
        200,
        &json!({"id": job.id, "was": "running", "state": "suspended", "message": "its worker was told to hold it still"}),
    );
    verb("suspend").expect(
        200,
        &json!({"id": job.id, "was": "suspended", "state": "suspended", "message": "it was suspended already"}),
    );
    verb("resume").expect(
        200,
        &json!({"id": job.id, "was": "suspended", "state": "running", "message": "its worker was told to go on"}),
    );
    verb("resume").expect(
        200,
        &json!({"id": job.id, "was": "running", "state": "running", "message": "it was running already"}),
    );
    verb("start").problem(409, "refused", &json!({"state": "running"}));
}

#[test]
fn what_cannot_be_suspended_is_refused() {
    let world = World::new();
    let waiting = world.enqueue(&json!({"kind": "sleep", "run_at": "2099-01-01T00:00:00Z"}));
    let noop = world.running("noop").id;
    let before = world.contents();
    for (id, state) in [(waiting, "scheduled"), (noop, "running")] {
        world
            .post(&format!("/belay/v1/jobs/{id}/suspend"), &Value::Null)
            .problem(409, "refused", &json!({"state": state}));
    }
    world
        .post(&format!("/belay/v1/jobs/{waiting}/resume"), &Value::Null)
        .problem(409, "refused", &json!({"state": "scheduled"}));
    assert_eq!(world.contents(), before);
}

#[test]
fn a_scheduled_job_starts_now() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop", "run_at": "2099-01-01T00:00:00Z"}));
    let start = || world.post(&format!("/belay/v1/jobs/{id}/start"), &Value::Null);
    start().expect(
        200,
        &json!({"id": id, "was": "scheduled", "state": "queued", "message": "it waits no longer and joined its line"}),
    );
    start().expect(
        200,
        &json!({"id": id, "was": "queued", "state": "queued", "message": "it was queued already"}),
    );
    assert_eq!(world.claim("noop").1.id, id);
}

#[test]
fn the_data_of_a_finished_job_is_deleted() {
    let world = World::new();
    let running = world.running("noop");
    let place = format!("/belay/v1/jobs/{}/data", running.id);
    let before = world.contents();
    world.send("DELETE", &place, &Value::Null).problem(
        409,
        "refused",
        &json!({"state": "running"}),
    );
    assert_eq!(world.contents(), before);

    world.report(&running, Verdict::Completed);
    let deleted = world.send("DELETE", &format!("{place}?reason=gdpr"), &Value::Null);
    assert_eq!((deleted.status, deleted.body.as_slice()), (204, &b""[..]));
    let after = world.contents();
    assert!(
        after.contains("gdpr") && after.contains("data_deleted"),
        "{after}"
    );
    assert_eq!(world.send("DELETE", &place, &Value::Null).status, 204);
    assert_eq!(world.contents(), after);
    world
        .post(
            &format!("/belay/v1/jobs/{}/retry", running.id),
            &Value::Null,
        )
        .problem(409, "refused", &json!({"state": "completed"}));
}

#[test]
fn queues_are_shown_with_how_full_they_are() {
    let world = World::new();
    world.running("noop");
    world.enqueue(&json!({"kind": "noop"}));
    world.enqueue(&json!({"kind": "noop", "queue": "slow", "run_at": "2099-01-01T00:00:00Z"}));
    let jobs = |queued: i64, running: i64, scheduled: i64| json!({"open": 0, "scheduled": scheduled, "queued": queued, "running": running, "suspended": 0, "cancelling": 0});
    world.get("/belay/v1/queues").expect(
        200,
        &json!({"queues": [
            {"name": "default", "jobs": jobs(1, 1, 0), "at_least": []},
            {"name": "slow", "jobs": jobs(0, 0, 1), "at_least": []}
        ]}),
    );
}

#[test]
fn kinds_and_workers_are_shown() {
    let world = World::new();
    let kind = |name: &str, executor: &str, can_suspend: bool| {
        json!({
            "name": name, "executor": executor, "queue": "default", "priority": 5, "max_attempts": 5, "timeout_s": null,
            "job_timeout_s": null, "can_suspend": can_suspend, "grace_s": null
        })
    };
    let mut kinds = world.get("/belay/v1/kinds").json();
    let kinds = kinds["kinds"].as_array_mut().unwrap();
    kinds.retain(|kind| kind["name"] == "noop" || kind["name"] == "sleep");
    assert_eq!(
        *kinds,
        [
            kind("noop", "builtin", false),
            kind("sleep", "builtin", true)
        ]
    );
    world
        .get("/belay/v1/workers")
        .expect(200, &json!({"workers": []}));
    world.running("noop");
    world.get("/belay/v1/workers").expect(
        200,
        &json!({"workers": [{
            "id": "[number]", "name": "test", "host": "here", "pid": 1, "version": "0", "queues": null, "kinds": ["noop"], "slots": 1,
            "running": 0, "lease_ms": 600_000, "started_at": "[time]", "beat_at": "[time]", "state": "alive",
            "key": null, "tenants": null, "drain": false
        }]}),
    );
}
