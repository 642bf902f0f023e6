//! How attempts end by themselves.

use serde_json::json;

use crate::LONG;
use crate::daemon::Daemon;
use crate::language::Language;
use crate::program::{Options, Program};
use belay_testkit::eventually;
use chrono::{DateTime, Utc};

fn both(language: Language) -> (Daemon, Program) {
    let daemon = Daemon::start();
    let program = Program::start(language, &daemon, &Options::default());
    (daemon, program)
}

fn time(value: &serde_json::Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

pub(crate) fn success_is_reported_with_what_was_written(language: Language) {
    let (daemon, _program) = both(language);
    let id = daemon.enqueue("conf.echo", json!({"payload": {"some": "thing"}}));
    let job = daemon.await_state(id, "completed");
    assert_eq!((&job["attempt"], &job["fence"]), (&json!(1), &json!(1)));
    assert_eq!(daemon.output(id)["stdout"], "attempt 1 under fence 1\n");
}

pub(crate) fn a_failure_is_retried_after_its_backoff(language: Language) {
    let (daemon, _program) = both(language);
    let members = json!({"payload": {"error": "no luck"}, "max_attempts": 2});
    let id = daemon.enqueue("conf.fail", members);
    let job = daemon.await_state(id, "failed");
    assert_eq!(
        (&job["attempt"], &job["error"]),
        (&json!(2), &json!("no luck"))
    );
    let first = daemon.event(id, "attempt_failed");
    assert_eq!(first["detail"]["error"], "no luck");
    let wait = first["detail"]["retry_in_s"].as_f64().unwrap();
    // The default of a kind: a second, and up to half of it less.
    assert!((0.5..=1.0).contains(&wait), "{first:#}");
    let events = daemon.events(id);
    let mut claims = events.as_array().unwrap().iter();
    let second = claims
        .rfind(|event| event["event"] == "claimed")
        .map(|event| time(&event["at"]))
        .unwrap();
    // The wait is counted from the moment at which the report arrived, which is later than the claim and not on record.
    let waited = (second - time(&first["detail"]["claimed_at"])).as_seconds_f64();
    assert!(waited >= wait - 0.001, "{waited}: {events:#}");
}

pub(crate) fn a_failure_may_name_its_own_delay(language: Language) {
    let (daemon, _program) = both(language);
    let payload = json!({"error": "come back later", "delay_s": 3600});
    let id = daemon.enqueue("conf.fail", json!({"payload": payload}));
    daemon.await_state(id, "scheduled");
    let event = daemon.event(id, "attempt_failed");
    assert_eq!(event["detail"]["retry_in_s"], 3600.0);
    assert_eq!(daemon.cancel(id, "enough")["outcome"], "cancelled");
}

pub(crate) fn a_failure_without_retry_is_final(language: Language) {
    let (daemon, _program) = both(language);
    let payload = json!({"error": "never again \u{1f642}", "retry": false});
    let id = daemon.enqueue("conf.fail", json!({"payload": payload}));
    let job = daemon.await_state(id, "failed");
    assert_eq!(job["attempt"], 1);
    assert_eq!(job["error"], "never again \u{1f642}");
}

pub(crate) fn what_nobody_thought_of_is_a_failure(language: Language) {
    let (daemon, _program) = both(language);
    let id = daemon.enqueue("conf.panic", json!({"max_attempts": 1}));
    let job = daemon.await_state(id, "failed");
    let error = job["error"].as_str().unwrap();
    assert!(
        error.ends_with("Error: something nobody thought of"),
        "{error}"
    );
    // Where it happened is told to whoever looks.
    let output = daemon.output(id);
    assert!(
        output["stderr"].as_str().unwrap().contains("conformance"),
        "{output:#}"
    );
    // The worker goes on.
    let id = daemon.enqueue("conf.echo", json!({}));
    daemon.await_state(id, "completed");
}

pub(crate) fn an_attempt_over_its_time_has_timed_out(language: Language) {
    let (daemon, _program) = both(language);
    let id = daemon.enqueue("conf.wait", json!({"timeout_s": 1, "max_attempts": 2}));
    let job = daemon.await_state(id, "failed");
    assert_eq!(job["attempt"], 2);
    for name in ["attempt_failed", "failed"] {
        let event = daemon.event(id, name);
        assert_eq!(event["detail"]["cause"], "timed_out", "{event:#}");
    }
    let output = daemon.output(id);
    assert!(
        output["stdout"]
            .as_str()
            .unwrap()
            .starts_with("told to stop: timeout"),
        "{output:#}"
    );
}

pub(crate) fn a_snoozed_job_comes_back_with_its_attempt(language: Language) {
    let (daemon, _program) = both(language);
    let id = daemon.enqueue("conf.snooze", json!({"payload": {"delay_s": 0.5}}));
    let job = daemon.await_state(id, "completed");
    assert_eq!((&job["attempt"], &job["fence"]), (&json!(1), &json!(2)));
    assert_eq!(daemon.event(id, "snoozed")["detail"]["delay_s"], 0.5);
}

pub(crate) fn output_is_bounded_and_always_text(language: Language) {
    let (daemon, _program) = both(language);
    let id = daemon.enqueue("conf.output", json!({}));
    daemon.await_state(id, "completed");
    let output = daemon.output(id);
    let stdout = output["stdout"].as_str().unwrap();
    assert!(
        stdout.ends_with("bytes \u{fffd}\u{fffd}|the end\n"),
        "{stdout}"
    );
    assert!(stdout.contains("003999 xxx") && !stdout.contains("000000 xxx"));
    assert!(stdout.len() <= 64 * 1024, "{}", stdout.len());
    assert_eq!(output["stderr"], "nul \u{fffd}, half a pair \u{fffd}|");
}

pub(crate) fn a_report_that_meets_a_lock_is_repeated(language: Language) {
    let daemon = Daemon::start();
    let beats = Options {
        lease_s: 5,
        ..Options::default()
    };
    let _program = Program::start(language, &daemon, &beats);
    let job = json!({"kind": "conf.stubborn", "payload": {"seconds": 3}});
    let made = daemon.post("/jobs/batch", &json!({"jobs": [job, job]}));
    let [locked, free] = [0, 1].map(|n| made["results"][n]["id"].as_i64().unwrap());
    for id in [locked, free] {
        daemon.await_begun(id);
    }
    let holder = daemon.lock(locked);
    // The one does not keep the other.
    daemon.await_state(free, "completed");
    assert_eq!(daemon.job(locked)["state"], "running");
    drop(holder);
    let job = daemon.await_state(locked, "completed");
    assert_eq!((&job["attempt"], &job["fence"]), (&json!(1), &json!(1)));
}

pub(crate) fn many_jobs_through_few_slots_end_once_each(language: Language) {
    const JOBS: usize = 1000;
    let (daemon, _program) = both(language);
    let jobs = vec![json!({"kind": "conf.echo"}); JOBS];
    let answer = daemon.post("/jobs/batch", &json!({ "jobs": jobs }));
    let made = answer["results"].as_array().unwrap();
    let ids: Vec<i64> = made.iter().map(|it| it["id"].as_i64().unwrap()).collect();
    eventually(LONG, || {
        let queues = daemon.get("/queues");
        let all = queues["queues"].as_array().unwrap();
        let left: i64 = all
            .iter()
            .flat_map(|queue| queue["jobs"].as_object().unwrap().values())
            .filter_map(serde_json::Value::as_i64)
            .sum();
        (left == 0).then_some(())
    });
    assert_eq!(ids.len(), JOBS);
    for id in ids {
        let job = daemon.job(id);
        assert_eq!(
            (&job["state"], &job["fence"]),
            (&json!("completed"), &json!(1))
        );
    }
}
