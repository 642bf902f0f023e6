//! What a statement does when nobody disturbs it.

use std::time::Duration;

use belay_core::JobState;

use crate::support::{Bench, EFFECT, end, stop};

#[test]
fn the_effect_and_the_end_of_the_job_are_one_transaction() {
    let bench = Bench::new();
    let worker = bench.worker(EFFECT);
    let ids: Vec<i64> = (0..20)
        .map(|_| bench.enqueue(r#"{"value": "x"}"#))
        .collect();
    for id in &ids {
        let job = bench.until(*id, JobState::Completed);
        assert_eq!(job.attempt, 1);
        assert_eq!(bench.effects_of(*id), 1);
    }
    end(&worker);
    assert_eq!(bench.effects(), 20);
}

#[test]
fn values_arrive_as_they_are_and_are_never_sql() {
    let bench = Bench::new();
    let mut settings = bench.settings(
        "insert into public.effect (xid, value) values ($1::numeric::text, concat_ws('|', $2, $3, coalesce($4, 'NULL'), $5::jsonb ->> 'a', coalesce($6, 'NULL')))",
    );
    settings.params = ["/n/0", "text", "flag", "none", "", "?absent"]
        .map(Into::into)
        .to_vec();
    let worker = bench.start(Bench::config(settings));
    let evil = "'); drop table public.effect; --\\' $1 \u{1F600}";
    let payload = format!(
        r#"{{"n": [12345678901234567890.5], "text": {}, "flag": true, "none": null, "a": "b"}}"#,
        serde_json::to_string(evil).unwrap()
    );
    let id = bench.enqueue(&payload);
    bench.until(id, JobState::Completed);
    let found = bench.number(&format!(
        "select count(*) as n from public.effect where xid = '12345678901234567890.5' and value = $q${evil}|true|NULL|b|NULL$q$"
    ));
    assert_eq!(found, 1);
    let why = bench.failure(r#"{"n": [1], "text": "secret-value", "flag": 1}"#);
    assert!(
        why.contains("the payload has no \"none\", which is $4"),
        "{why}"
    );
    end(&worker);
}

#[test]
fn how_many_rows_it_was_is_kept_as_output() {
    let bench = Bench::new();
    let worker = bench.worker("insert into public.effect select $1, '' from generate_series(1, 3)");
    let id = bench.enqueue(r#"{"value": "x"}"#);
    bench.until(id, JobState::Completed);
    end(&worker);
    let kept = bench.number(&format!(
        "select count(*) as n from belay.job_output where job = {id} and stdout = E'3 rows\\n'"
    ));
    assert_eq!(kept, 1);
}

/// A statement may answer more rows than the daemon could hold.
#[test]
fn rows_are_counted_and_not_kept() {
    let bench = Bench::new();
    let worker = bench.worker("select repeat('x', 1000) from generate_series(1, 300000)");
    let id = bench.enqueue("{}");
    bench.until(id, JobState::Completed);
    end(&worker);
    let kept = bench.number(&format!(
        "select count(*) as n from belay.job_output where job = {id} and stdout = E'300000 rows\\n'"
    ));
    assert_eq!(kept, 1);
}

#[test]
fn what_the_values_are_the_cause_of_fails_at_once_and_is_not_repeated() {
    let bench = Bench::new();
    bench.sql("create unique index on public.effect (value)");
    let worker = bench.worker("insert into public.effect values ('', $1::bigint::text)");
    bench.until(bench.enqueue(r#"{"value": 7}"#), JobState::Completed);
    let why = bench.failure(r#"{"value": "secret-value"}"#);
    assert_eq!(
        why,
        "SQLSTATE 22P02: invalid input syntax for type bigint: \"$1\""
    );
    let why = bench.failure(r#"{"value": 7}"#);
    assert_eq!(
        why,
        "SQLSTATE 23505: duplicate key value violates unique constraint \"effect_value_idx\""
    );
    end(&worker);
    assert_eq!(bench.effects(), 1);
}

/// The job must not be completed by a transaction that cannot commit.
#[test]
fn constraints_that_wait_for_the_commit_are_heard_before_the_job_ends() {
    let bench = Bench::new();
    bench.sql("create table public.parent (id text primary key);
        alter table public.effect add foreign key (value) references public.parent deferrable initially deferred");
    let worker = bench.worker(EFFECT);
    let why = bench.failure(r#"{"value": "nobody"}"#);
    assert!(why.starts_with("SQLSTATE 23503: "), "{why}");
    end(&worker);
    assert_eq!(bench.effects(), 0);
}

#[test]
fn a_lock_that_is_not_had_in_time_is_tried_again() {
    let bench = Bench::new();
    let held = bench.hold();
    let mut settings = bench.settings(crate::support::HELD);
    settings.lock_timeout = Some(Duration::from_millis(20));
    let worker = bench.start(Bench::config(settings));
    let id = bench.enqueue_with(r#"{"value": "x"}"#, |job| job.max_attempts = Some(1000));
    belay_testkit::eventually(crate::support::PATIENCE, || {
        let error = bench.job(id).last_error?;
        assert_eq!(
            error,
            "SQLSTATE 55P03: canceling statement due to lock timeout"
        );
        Some(())
    });
    drop(held);
    let job = bench.until(id, JobState::Completed);
    assert!(job.attempt > 1);
    assert_eq!((bench.effects(), bench.effects_of(id)), (1, 1));
    end(&worker);
}

#[test]
fn a_statement_that_takes_longer_than_its_own_limit_fails_and_may_be_tried_again() {
    let bench = Bench::new();
    let mut settings = bench.settings("select pg_sleep(60)");
    settings.statement_timeout = Some(Duration::from_millis(50));
    let worker = bench.start(Bench::config(settings));
    let id = bench.enqueue_with("{}", |job| job.max_attempts = Some(2));
    let job = bench.until(id, JobState::Failed);
    assert_eq!(job.attempt, 2);
    assert_eq!(
        job.last_error.as_deref(),
        Some("SQLSTATE 57014: canceling statement due to statement timeout")
    );
    stop(&worker);
}

#[test]
fn a_statement_may_use_the_functions_that_belay_grants() {
    let bench = Bench::new();
    bench.sql(&format!("grant belay_client to {}", bench.role.0));
    let worker = bench.worker("select belay.enqueue('noop', jsonb_build_object('of', $1))");
    let id = bench.enqueue(r#"{"value": "x"}"#);
    bench.until(id, JobState::Completed);
    let made = bench.number(
        "select (select count(*) from belay.job where kind = 'noop') + (select count(*) from belay.job_done where kind = 'noop') as n",
    );
    assert_eq!(made, 1);
    end(&worker);
}
