//! What a killed daemon held, in the hands of another.

use belay_core::ops::{self, Actor, CancelLimit, NewJob, Outcome, Via};
use belay_core::{JobState, id::JobRef, query};
use belay_testkit::{TestDb, eventually, processes_with};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};

use crate::LEASE;
use crate::check::{LONG, count, no_command_is_left};
use crate::daemon::{Daemon, Site};

#[derive(QueryableByName)]
struct At {
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

fn at(conn: &mut PgConnection, sql: &str, id: i64) -> DateTime<Utc> {
    diesel::sql_query(format!("select ({sql}) as at"))
        .bind::<BigInt, _>(id)
        .get_result::<At>(conn)
        .unwrap()
        .at
}

fn enqueue(conn: &mut PgConnection, kind: &str) -> i64 {
    let job = NewJob {
        payload: r#"{"seconds": 3600}"#.into(),
        ..NewJob::new(kind)
    };
    ops::enqueue(conn, 1, &job, None, false, &Actor::new("test", Via::Sql))
        .unwrap()
        .id
}

fn job(conn: &mut PgConnection, id: i64) -> belay_core::model::Job {
    query::get(conn, None, &JobRef::number(id)).unwrap()
}

/// The first daemon gets the jobs because it is alone; then comes the second, and the first is killed.
#[test]
fn held_jobs_come_back_within_the_lease_and_two_seconds() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (first_site, second_site) = (Site::new(db.url()), Site::new(db.url()));
    let first = Daemon::named(&first_site, "first");
    let kinds = ["sleep", "sleep", "sleep", "sleep", "sleep", "tree"];
    let ids = kinds.map(|kind| enqueue(conn, kind));
    let running = "select count(*) from belay.job where state = 'running'";
    eventually(LONG, || (count(conn, running) == 6).then_some(()));
    eventually(LONG, || {
        (processes_with(&first_site.mark).len() >= 2).then_some(())
    });
    let holder = job(conn, ids[0]).worker.unwrap();
    let second = Daemon::named(&second_site, "second");
    first.kill_9();
    // Its commands end with it, at once.
    no_command_is_left(&first_site.mark);
    let last_beat = at(
        conn,
        "select beat_at from belay.worker where id = $1",
        holder,
    );
    for id in &ids {
        eventually(LONG, || (job(conn, *id).fence >= 3).then_some(()));
        let back = at(
            conn,
            "select min(e.at) from belay.job_event e where e.job = $1 and e.event = 'lease_lost'",
            *id,
        );
        let took = (back - last_beat).as_seconds_f64();
        assert!(
            took <= LEASE.as_secs_f64() + 2.0,
            "job {id} came back {took} s after the last heartbeat"
        );
        assert!(
            took >= LEASE.as_secs_f64() - 1.0,
            "job {id} was taken from a living worker, {took} s after its heartbeat"
        );
    }
    eventually(LONG, || (count(conn, running) == 6).then_some(()));
    assert_ne!(job(conn, ids[0]).worker, Some(holder));
    for id in &ids {
        ops::cancel_one(
            conn,
            None,
            *id,
            &Actor::new("test", Via::Sql),
            None,
            CancelLimit::Any,
        )
        .unwrap();
    }
    eventually(LONG, || {
        (count(conn, "select count(*) from belay.job") == 0).then_some(())
    });
    no_command_is_left(&second_site.mark);
    second.stop();
}

#[test]
fn a_cancel_that_is_accepted_while_nobody_is_there_ends_as_cancelled() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let site = Site::new(db.url());
    let daemon = Daemon::start(&site);
    let id = enqueue(conn, "tree");
    eventually(LONG, || {
        (job(conn, id).state == JobState::Running).then_some(())
    });
    daemon.kill_9();
    let answer = ops::cancel_one(
        conn,
        None,
        id,
        &Actor::new("test", Via::Sql),
        Some("gone"),
        CancelLimit::Any,
    )
    .unwrap();
    assert_eq!(answer.outcome, Outcome::Cancelling);
    assert_eq!(
        job(conn, id).state,
        JobState::Cancelling,
        "nobody has said that it stopped"
    );
    let daemon = Daemon::start(&site);
    let ended = eventually(LONG, || {
        Some(job(conn, id)).filter(|job| job.state.is_terminal())
    });
    assert_eq!(
        (ended.state, ended.attempt),
        (JobState::Cancelled, 1),
        "it never ran again"
    );
    let mark = ended.cancel().unwrap();
    assert_eq!(mark.rung.as_deref(), Some("lease_lost"));
    assert_eq!(mark.reason.as_deref(), Some("gone"));
    no_command_is_left(&site.mark);
    daemon.stop();
}
