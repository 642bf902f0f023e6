//! Loads that are stopped in the middle.

use std::time::Duration;

use crate::support::{Bench, PATIENCE, config, end};
use belay_core::JobState;
use belay_core::ops::Outcome;
use belay_testkit::eventually;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// A trigger that waits, on the row 500, for as long as somebody holds a lock, and a note for each row.
const HELD: &str = "
    create table public.note (id integer);
    create function public.hold() returns trigger language plpgsql as $$
    begin
      if new.id = 500 then perform pg_advisory_xact_lock(77); end if;
      insert into public.note values (new.id);
      return new;
    end $$;
    create trigger hold before insert on public.contacts for each row execute function public.hold();
";

/// Processes that wait for the lock; other databases have locks of that name, too.
const WAITING: &str =
    "select pid from pg_locks where locktype = 'advisory' and not granted and objid = 77
    and database = (select oid from pg_database where datname = current_database())";

fn numbers(from: u32, to: u32) -> String {
    (from..=to).map(|n| format!("{n}\n")).collect()
}

/// A database in which a load of `contacts` stops at the row 500 for as long as the connection lives.
fn held() -> (Bench, PgConnection) {
    let bench = Bench::with_tables();
    bench.sql(HELD);
    let mut lock = bench.test.conn();
    lock.batch_execute("select pg_advisory_lock(77)").unwrap();
    (bench, lock)
}

/// Waits until a load hangs.
fn until_held(bench: &Bench) {
    let waiting = format!("select count(*) as n from ({WAITING}) w");
    eventually(PATIENCE, || (bench.number(&waiting) == 1).then_some(()));
}

fn loaded(bench: &Bench) -> (i64, i64) {
    (
        bench.number("select count(*) as n from public.contacts"),
        bench.number("select count(*) as n from public.note"),
    )
}

#[test]
fn a_cancel_stops_a_statement_that_takes_long_and_leaves_nothing() {
    let (bench, _lock) = held();
    let worker = bench.ingest_worker();
    let first = format!("id\n{}", numbers(1, 30_000).replace("500\n", "30500\n"));
    let id = bench.closed("contacts", "upsert", &[&first, "id\n1\n500\n"]);
    until_held(&bench);
    let shown =
        format!("select coalesce(max(done), 0) as n from belay.job_progress where job = {id}");
    eventually(PATIENCE, || (bench.number(&shown) == 30_000).then_some(()));
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
    assert_eq!(bench.stored(), 0, "its data is gone at once");
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    assert_eq!(loaded(&bench), (0, 0));
    assert_eq!(
        bench.events(id),
        [
            "created",
            "closed",
            "claimed",
            "cancel_requested",
            "cancelled"
        ]
    );
    end(&worker);
}

/// The worker learns of the cancel only by its heartbeat, which does not come in time.
fn unheard(bench: &Bench) -> belay_worker::WorkerConfig {
    let mut config = bench.ingest_config();
    config.listen = false;
    config.beat = Duration::from_secs(3);
    config.lease = Duration::from_secs(60);
    config
}

#[test]
fn a_load_that_ends_after_a_cancel_it_has_not_heard_of_is_rolled_back() {
    let (bench, lock) = held();
    let worker = bench.start(unheard(&bench));
    let id = bench.closed("contacts", "upsert", &["id\n1\n500\n"]);
    until_held(&bench);
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
    drop(lock);
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    assert_eq!(loaded(&bench), (0, 0));
    worker.stop_now();
    assert!(worker.join_timeout(PATIENCE));
}

#[test]
fn a_load_that_finds_its_data_gone_waits_to_be_told_why() {
    let (bench, lock) = held();
    let worker = bench.start(unheard(&bench));
    let id = bench.open("contacts", "upsert");
    // More than a batch, so that the load has not read the last chunk when it hangs.
    let chunk = format!("id\n{}", numbers(1, 30_000));
    bench.upload(id, &[chunk.as_bytes(), b"40000\n"]);
    bench.close(id);
    until_held(&bench);
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
    drop(lock);
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    assert_eq!(loaded(&bench), (0, 0));
    worker.stop_now();
    assert!(worker.join_timeout(PATIENCE));
}

#[test]
fn a_load_whose_lease_is_lost_is_rolled_back_and_done_again() {
    let (bench, lock) = held();
    let worker = bench.ingest_worker();
    let id = bench.closed("contacts", "upsert", &["id\n1\n500\n"]);
    until_held(&bench);
    let (fence, worker_then) = (bench.job(id).fence, bench.job(id).worker);
    bench.sql("update belay.worker set beat_at = clock_timestamp() - interval '1 hour'");
    // The job is taken away while its statement goes on.
    eventually(PATIENCE, || {
        (bench.number(&format!(
            "select fence::bigint as n from belay.job where id = {id}"
        )) > i64::from(fence))
        .then_some(())
    });
    drop(lock);
    let job = bench.until(id, JobState::Completed);
    end(&worker);
    assert!(job.fence > fence, "another attempt has done it");
    assert_ne!(job.worker, worker_then, "under another lease");
    assert_eq!(loaded(&bench), (2, 2), "once");
}

#[test]
fn a_load_whose_connection_is_lost_is_tried_again() {
    let (bench, lock) = held();
    let worker = bench.ingest_worker();
    let id = bench.closed("contacts", "upsert", &["id\n1\n500\n"]);
    until_held(&bench);
    bench.sql(&format!(
        "select pg_terminate_backend(w.pid) from ({WAITING}) w"
    ));
    drop(lock);
    let job = bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!(job.attempt, 2);
    assert_eq!(loaded(&bench), (2, 2));
}

#[test]
fn a_load_that_takes_longer_than_it_may_is_rolled_back() {
    let (bench, lock) = held();
    let mut config = bench.ingest_config();
    for kind in &mut config.kinds {
        kind.spec.max_attempts = 1;
    }
    let worker = bench.start(config);
    let id = bench.open("contacts", "upsert");
    bench.upload(id, &[b"id\n1\n500\n"]);
    bench.sql(&format!(
        "update belay.job set timeout_s = 1 where id = {id}"
    ));
    bench.close(id);
    let job = bench.until(id, JobState::Failed);
    end(&worker);
    drop(lock);
    assert_eq!(job.last_error.as_deref(), Some("timed out after 1 s"));
    assert_eq!(loaded(&bench), (0, 0));
}

#[test]
fn a_worker_that_shuts_down_gives_a_load_back() {
    let (bench, lock) = held();
    let worker = bench.ingest_worker();
    let id = bench.closed("contacts", "upsert", &["id\n1\n500\n"]);
    until_held(&bench);
    worker.stop_now();
    assert!(worker.join_timeout(PATIENCE));
    let job = bench.job(id);
    assert_eq!((job.attempt, job.cancel()), (0, None));
    assert_eq!(loaded(&bench), (0, 0));
    drop(lock);
    let worker = bench.ingest_worker();
    bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!(loaded(&bench), (2, 2));
    // Without the kind nobody would have run it.
    assert!(config().kinds.iter().all(|kind| kind.spec.name != "ingest"));
}

/// Holds what a load of `contacts` takes, as another load of it does.
fn another_load(bench: &Bench) -> PgConnection {
    let mut other = bench.test.conn();
    other
        .batch_execute(
            "select pg_advisory_lock(hashtextextended('belay load \"public\".\"contacts\"', 0))",
        )
        .unwrap();
    other
}

fn until_it_waits(bench: &Bench, id: i64) {
    eventually(PATIENCE, || {
        let progress = bench.db.read(|c| belay_core::query::progress(c, id));
        let message = progress.unwrap()?.message?;
        (message == "waits for another load of the same object").then_some(())
    });
}

#[test]
fn loads_of_one_object_are_one_after_the_other() {
    let bench = Bench::with_tables();
    let other = another_load(&bench);
    let worker = bench.ingest_worker();
    let id = bench.closed("contacts", "upsert", &["id\n1\n"]);
    until_it_waits(&bench, id);
    let elsewhere = bench.closed("places", "upsert", &["country,Town\nit,Rome\n"]);
    bench.until(elsewhere, JobState::Completed);
    assert_eq!(bench.job(id).state, JobState::Running);
    drop(other);
    let job = bench.until(id, JobState::Completed);
    end(&worker);
    assert_eq!((job.attempt, job.fence), (1, 1));
}

#[test]
fn a_load_that_waits_for_another_one_can_be_cancelled() {
    let bench = Bench::with_tables();
    let other = another_load(&bench);
    let worker = bench.ingest_worker();
    let id = bench.closed("contacts", "upsert", &["id\n1\n"]);
    until_it_waits(&bench, id);
    assert_eq!(bench.cancel(id).outcome, Outcome::Cancelling);
    bench.until(id, JobState::Cancelled);
    drop(other);
    end(&worker);
    assert_eq!(bench.number("select count(*) as n from public.contacts"), 0);
}

#[test]
fn an_earlier_attempt_that_is_still_at_work_in_the_database_is_ended() {
    let bench = Bench::with_tables();
    let id = bench.open("contacts", "upsert");
    bench.upload(id, &[b"id\n1\n"]);
    // What the connection of a frozen daemon looks like, and one of another job.
    let mut frozen = bench.test.conn();
    frozen
        .batch_execute(&format!(
            "set application_name = 'belay load {id} 0'; begin; insert into public.contacts (id) values (1)"
        ))
        .unwrap();
    let mut other = bench.test.conn();
    other
        .batch_execute(&format!("set application_name = 'belay load {id}1 0'"))
        .unwrap();
    let worker = bench.ingest_worker();
    bench.close(id);
    bench.until(id, JobState::Completed);
    end(&worker);
    assert!(frozen.batch_execute("commit").is_err());
    other.batch_execute("select 1").unwrap();
    assert_eq!(bench.number("select count(*) as n from public.contacts"), 1);
}
