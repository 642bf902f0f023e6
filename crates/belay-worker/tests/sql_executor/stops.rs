//! Statements that are stopped, and statements that somebody else was faster than.

use std::time::{Duration, Instant};

use belay_core::JobState;
use belay_core::ops::Outcome;
use belay_testkit::eventually;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::support::{Bench, EFFECT, HELD, PATIENCE, end, stop};

/// An effect, and then a minute.
const LONG: &str = "with made as (insert into public.effect values ('', $1) returning 1) select pg_sleep(60) from made";
const X: &str = r#"{"value": "x"}"#;

fn rung(bench: &Bench, id: i64) -> String {
    let job = bench.until(id, JobState::Cancelled);
    job.cancel().unwrap().rung.clone().unwrap()
}

#[test]
fn a_cancel_ends_the_statement_and_leaves_nothing() {
    let bench = Bench::new();
    let worker = bench.worker(LONG);
    // Somebody else of the same role, whom nobody must hit.
    let url = bench.url();
    let other = std::thread::spawn(move || {
        PgConnection::establish(&url)
            .unwrap()
            .batch_execute("set application_name = 'other'; select pg_sleep(3)")
    });
    let id = bench.enqueue(X);
    bench.until_sessions("wait_event = 'PgSleep'", 2);
    let began = Instant::now();
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
    assert_eq!(rung(&bench, id), "term");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    bench.until_sessions("application_name <> 'other'", 0);
    other.join().unwrap().unwrap();
    assert_eq!(bench.effects(), 0);
    end(&worker);
}

#[test]
fn a_statement_that_ignores_a_cancel_loses_its_session() {
    let bench = Bench::new();
    bench.as_role(
        "create function own.stubborn() returns void language plpgsql as $$
         begin
           insert into public.effect values ('', 'stubborn');
           loop
             begin perform pg_sleep(60); exception when query_canceled then null; end;
           end loop;
         end $$",
    );
    let worker = bench.worker("select own.stubborn()");
    let id = bench.enqueue("{}");
    bench.until_sessions("wait_event = 'PgSleep'", 1);
    let began = Instant::now();
    bench.cancel(id);
    assert_eq!(rung(&bench, id), "kill");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1), "before the grace: {took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    bench.until_sessions("true", 0);
    assert_eq!(bench.effects(), 0);
    end(&worker);
}

#[test]
fn a_cancel_that_the_worker_has_not_heard_of_wins_over_the_statement() {
    let bench = Bench::new();
    let held = bench.hold();
    let worker = bench.deaf_worker(bench.settings(HELD));
    let id = bench.enqueue(X);
    bench.until_held();
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
    drop(held);
    assert_eq!(rung(&bench, id), "cooperative");
    assert_eq!(bench.effects(), 0);
    stop(&worker);
}

/// A transaction that cancels the job and has not committed, while the statement wants to end it.
fn cancelling(bench: &Bench, id: i64) -> PgConnection {
    let mut conn = bench.test.conn();
    conn.batch_execute(&format!("begin; select belay.cancel({id})"))
        .unwrap();
    conn
}

#[test]
fn a_cancel_that_commits_while_the_statement_wants_to_end_the_job_wins() {
    for commits in [true, false] {
        let bench = Bench::new();
        let held = bench.hold();
        let worker = bench.deaf_worker(bench.settings(HELD));
        let id = bench.enqueue(X);
        bench.until_held();
        let mut cancel = cancelling(&bench, id);
        drop(held);
        bench.until_sessions("wait_event_type = 'Lock' and query like '%sql_settle%'", 1);
        if commits {
            cancel.batch_execute("commit").unwrap();
            assert_eq!(rung(&bench, id), "cooperative");
            assert_eq!(bench.effects(), 0);
        } else {
            cancel.batch_execute("rollback").unwrap();
            bench.until(id, JobState::Completed);
            assert_eq!(bench.effects_of(id), 1);
        }
        stop(&worker);
    }
}

#[test]
fn a_cancel_after_the_end_is_refused() {
    let bench = Bench::new();
    let worker = bench.worker(EFFECT);
    let id = bench.enqueue(X);
    bench.until(id, JobState::Completed);
    assert_eq!(bench.cancel(id).outcome, Outcome::Refused);
    assert_eq!(bench.effects_of(id), 1);
    end(&worker);
}

#[test]
fn an_attempt_over_its_time_is_stopped_and_leaves_nothing() {
    let bench = Bench::new();
    let worker = bench.worker(LONG);
    let id = bench.enqueue_with(X, |job| {
        job.timeout_s = Some(1);
        job.max_attempts = Some(1);
    });
    let job = bench.until(id, JobState::Failed);
    assert_eq!(job.last_error.as_deref(), Some("timed out after 1 s"));
    bench.until_sessions("true", 0);
    assert_eq!(bench.effects(), 0);
    end(&worker);
}

#[test]
fn a_worker_that_shuts_down_stops_the_statement_and_gives_the_job_back() {
    let bench = Bench::new();
    let worker = bench.worker(LONG);
    let id = bench.enqueue(X);
    bench.until_sessions("wait_event = 'PgSleep'", 1);
    stop(&worker);
    let job = bench.job(id);
    assert_eq!((job.attempt, job.state.is_terminal()), (0, false));
    bench.until_sessions("true", 0);
    assert_eq!(bench.effects(), 0);
    let worker = bench.worker(EFFECT);
    bench.until(id, JobState::Completed);
    assert_eq!((bench.effects(), bench.effects_of(id)), (1, 1));
    end(&worker);
}

#[test]
fn an_attempt_whose_lease_was_lost_is_rolled_back_and_done_once() {
    let bench = Bench::new();
    let held = bench.hold();
    let worker = bench.worker(HELD);
    let id = bench.enqueue(X);
    bench.until_held();
    let fence = bench.job(id).fence;
    bench.sql("update belay.worker set beat_at = clock_timestamp() - interval '1 hour'");
    eventually(PATIENCE, || (bench.job(id).fence > fence).then_some(()));
    drop(held);
    let job = bench.until(id, JobState::Completed);
    assert!(job.fence > fence);
    assert_eq!((bench.effects(), bench.effects_of(id)), (1, 1));
    end(&worker);
}

/// The worker does not hear of it: its statement goes on to the end, under a fence that is not the job's any more.
#[test]
fn a_statement_with_an_old_fence_changes_nothing() {
    let bench = Bench::new();
    let held = bench.hold();
    let worker = bench.deaf_worker(bench.settings(HELD));
    let id = bench.enqueue_with(X, |job| job.max_attempts = Some(3));
    bench.until_held();
    // As a rescue does it.
    bench.sql(&format!(
        "update belay.job set state = 'scheduled', ticket = null, worker = null, claimed_at = claimed_at, fence = fence + 1, run_at = now() + interval '1 day' where id = {id}"
    ));
    drop(held);
    bench.until_sessions("true", 0);
    assert_eq!(bench.effects(), 0);
    assert_eq!(bench.job(id).state, JobState::Scheduled);
    stop(&worker);
}

#[test]
fn a_session_that_is_lost_between_the_effect_and_the_end_is_tried_again() {
    let bench = Bench::new();
    let held = bench.hold();
    let worker = bench.deaf_worker(bench.settings(HELD));
    let id = bench.enqueue(X);
    bench.until_held();
    let mut cancel = cancelling(&bench, id);
    drop(held);
    bench.until_sessions("wait_event_type = 'Lock' and query like '%sql_settle%'", 1);
    bench.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like '%belay.sql_settle%' and pid <> pg_backend_pid()");
    bench.until_sessions("wait_event_type = 'Lock'", 0);
    cancel.batch_execute("rollback").unwrap();
    let job = bench.until(id, JobState::Completed);
    assert_eq!(job.attempt, 2);
    assert_eq!((bench.effects(), bench.effects_of(id)), (1, 1));
    stop(&worker);
}

#[test]
fn an_earlier_attempt_that_is_still_at_work_is_ended() {
    let bench = Bench::new();
    // It makes the kind known.
    end(&bench.worker(EFFECT));
    let id = bench.enqueue(X);
    let mut older = PgConnection::establish(&bench.url()).unwrap();
    older
        .batch_execute(&format!(
            "set application_name = 'belay sql {id} 0'; begin; insert into public.effect values ('', 'older')"
        ))
        .unwrap();
    let mut another = PgConnection::establish(&bench.url()).unwrap();
    another
        .batch_execute(&format!("set application_name = 'belay sql {id}0 0'"))
        .unwrap();
    let worker = bench.worker(EFFECT);
    bench.until(id, JobState::Completed);
    assert!(older.batch_execute("commit").is_err());
    another.batch_execute("select 1").unwrap();
    assert_eq!(bench.effects(), 1);
    end(&worker);
}

/// The server process is frozen, so that it obeys nobody.
#[test]
fn a_server_that_does_not_answer_holds_up_nobody_and_commits_nothing() {
    let bench = Bench::new();
    let worker = bench.worker(LONG);
    let id = bench.enqueue(X);
    bench.until_sessions("wait_event = 'PgSleep'", 1);
    let pid = bench.number(
        "select pid::bigint as n from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
    );
    let frozen = Frozen::new(i32::try_from(pid).unwrap());
    let began = Instant::now();
    bench.cancel(id);
    assert_eq!(rung(&bench, id), "kill");
    assert!(
        began.elapsed() < Duration::from_secs(12),
        "{:?}",
        began.elapsed()
    );
    drop(frozen);
    bench.until_sessions("true", 0);
    assert_eq!(bench.effects(), 0);
    end(&worker);
}

struct Frozen(rustix::process::Pid);

impl Frozen {
    fn new(pid: i32) -> Self {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        rustix::process::kill_process(self.0, rustix::process::Signal::CONT).unwrap();
    }
}

/// With these the server ends what runs for a daemon that is gone.
#[test]
fn a_statement_does_not_outlive_its_daemon_for_long() {
    let bench = Bench::new();
    let worker = bench.worker(
        "insert into public.effect select current_setting('client_connection_check_interval'), current_setting('idle_in_transaction_session_timeout')",
    );
    let id = bench.enqueue("{}");
    bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!(
        bench.number("select count(*) as n from public.effect where xid = '2s' and value = '1min'"),
        1
    );
}
