//! Statements in another database than Belay's: fenced, as well as it goes.

use belay_core::JobState;
use belay_core::ops::Outcome;
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;

use crate::support::{Bench, HELD, TABLE, as_role, end, number, stop};

const X: &str = r#"{"value": "x"}"#;

/// Belay's database, and another one of the same cluster in which the same role has a table.
fn two() -> (TestDb, Bench) {
    let bench = Bench::new();
    let there = TestDb::unmigrated();
    there
        .conn()
        .batch_execute(&format!(
            "{TABLE}; grant all on public.effect to {}",
            bench.role.0
        ))
        .unwrap();
    (there, bench)
}

fn effects(there: &TestDb) -> i64 {
    number(&mut there.conn(), "select count(*) as n from public.effect")
}

fn settings(
    bench: &Bench,
    there: &TestDb,
    statement: &str,
) -> belay_worker::executors::sql::SqlSettings {
    let mut settings = bench.settings(statement);
    settings.database_url = as_role(there.url(), &bench.role.0);
    settings
}

fn until_held(there: &TestDb) {
    belay_testkit::eventually(crate::support::PATIENCE, || {
        (number(
            &mut there.conn(),
            "select count(*) as n from pg_stat_activity where datname = current_database() and wait_event = 'advisory'",
        ) == 1)
        .then_some(())
    });
}

fn hold(there: &TestDb) -> diesel::PgConnection {
    let mut conn = there.conn();
    conn.batch_execute("select pg_advisory_lock(77)").unwrap();
    conn
}

#[test]
fn it_takes_effect_and_the_job_is_completed() {
    let (there, bench) = two();
    let worker = bench.start(Bench::config(settings(&bench, &there, HELD)));
    let id = bench.enqueue(X);
    bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!((effects(&there), bench.effects()), (1, 0));
}

#[test]
fn a_cancel_before_the_commit_leaves_nothing() {
    let (there, bench) = two();
    let held = hold(&there);
    let worker = bench.deaf_worker(settings(&bench, &there, HELD));
    let id = bench.enqueue(X);
    until_held(&there);
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
    drop(held);
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    assert_eq!(effects(&there), 0);
    stop(&worker);
}

#[test]
fn a_lost_job_leaves_nothing() {
    let (there, bench) = two();
    let held = hold(&there);
    let worker = bench.deaf_worker(settings(&bench, &there, HELD));
    let id = bench.enqueue(X);
    until_held(&there);
    bench.sql(&format!(
        "update belay.job set state = 'scheduled', ticket = null, worker = null, fence = fence + 1, run_at = now() + interval '1 day' where id = {id}"
    ));
    drop(held);
    belay_testkit::eventually(crate::support::PATIENCE, || {
        (number(
            &mut there.conn(),
            &format!(
                "select count(*) as n from pg_stat_activity where datname = current_database() and usename = '{}'",
                bench.role.0
            ),
        ) == 0)
            .then_some(())
    });
    assert_eq!(effects(&there), 0);
    assert_eq!(bench.job(id).state, JobState::Scheduled);
    stop(&worker);
}

/// Where the other one is of another Belay, or a copy of this one.
#[test]
fn a_copy_of_the_database_is_another_database() {
    let (_, bench) = two();
    let copy = TestDb::new();
    copy.conn()
        .batch_execute(&format!(
            "{TABLE}; grant all on public.effect to {}",
            bench.role.0
        ))
        .unwrap();
    let worker = bench.start(Bench::config(settings(&bench, &copy, HELD)));
    let id = bench.enqueue(X);
    bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!((effects(&copy), bench.effects()), (1, 0));
}

#[test]
fn what_cannot_be_reached_is_tried_again_and_its_address_is_not_told() {
    let bench = Bench::new();
    let role = &bench.role.0;
    for (url, words) in [
        (
            format!("postgres://{role}:hunter2@localhost:1/secret_name"),
            "Connection refused",
        ),
        (
            as_role(bench.test.url(), "nobody_of_that_name"),
            "role \"nobody_of_that_name\" does not exist",
        ),
        (
            bench
                .url()
                .replace(bench.test.name(), "no_such_database")
                .replace("no_such_database_role", role),
            "database \"no_such_database\" does not exist",
        ),
    ] {
        let mut settings = bench.settings("select 1");
        settings.database_url = url;
        let worker = bench.start(Bench::config(settings));
        let id = bench.enqueue_with("{}", |job| job.max_attempts = Some(2));
        let job = bench.until(id, JobState::Failed);
        assert_eq!(job.attempt, 2, "it may be there later");
        let error = job.last_error.unwrap();
        assert!(error.contains(words), "{error}");
        for secret in ["hunter2", "localhost", "secret_name", "socket", "/"] {
            assert!(!error.contains(secret), "{error}");
        }
        stop(&worker);
    }
}
