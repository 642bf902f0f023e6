//! Retention: whole partitions go, with what belongs to their jobs, and a run that was interrupted anywhere is taken up again.

use std::time::Duration;

use belay_core::ops::{self, DroppedPartition};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::common::{count, counts, make, pid, run, state, texts, until_blocked};

const DAY: Duration = Duration::from_secs(86_400);
const FOR_EVER: Duration = Duration::from_secs(400 * 365 * 86_400);

fn at(moment: &str) -> DateTime<Utc> {
    moment.parse().unwrap()
}

fn names(dropped: &[DroppedPartition]) -> Vec<&str> {
    dropped
        .iter()
        .map(|partition| partition.name.as_str())
        .collect()
}

/// A partition of one day of January 2020 with a job of that day's number, with output, progress and uploads.
fn old_day(conn: &mut PgConnection, day: i64) {
    run(
        conn,
        &format!(
            "select belay.ensure_partition('job_done', 'job_done_202001{day:02}', '2020-01-{day:02}', date '2020-01-{day:02}' + 1);
             insert into belay.job_done (id, worker, run_at, created_at, started_at, claimed_at, finished_at, tenant, was, state, fence,
               priority, attempt, max_attempts, queue, kind, created_by, created_via, payload)
             select {day}, 1, t, t, t, t, t, 1, 'running', 'completed', 1, 5, 1, 5, 'default', 'noop', 'me', 'sql', '{{}}'
             from (select timestamptz '2020-01-{day:02} 12:00:00+00') x (t);
             insert into belay.job_output (job, attempt) values ({day}, 1), ({day}, 2);
             insert into belay.job_progress (job, attempt, done) values ({day}, 1, 1);
             insert into belay.job_upload (job, file, chunk, content) values ({day}, 1, 1, 'x')"
        ),
    );
}

/// A partition of events of January 2020 with one entry.
fn old_events(conn: &mut PgConnection) {
    run(
        conn,
        "select belay.ensure_partition('job_event', 'job_event_202001', '2020-01-01', '2020-02-01');
         insert into belay.job_event (at, job, tenant, attempt, event, actor, via) values ('2020-01-05', 5, 1, 1, 'failed', 'me', 'sql')",
    );
}

/// Jobs that have anything beside them.
fn with_side_data(conn: &mut PgConnection) -> Vec<i64> {
    counts(
        conn,
        "select job from belay.job_output union select job from belay.job_progress union select job from belay.job_upload order by 1",
    )
}

fn partitions(conn: &mut PgConnection, like: &str) -> Vec<String> {
    texts(
        conn,
        &format!(
            "select relname::text from pg_class where relnamespace = 'belay'::regnamespace and relkind = 'r' and relname like '{like}' order by 1"
        ),
    )
}

#[test]
fn what_is_older_than_the_rule_goes_with_everything_that_belongs_to_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for day in [1, 2, 3] {
        old_day(conn, day);
    }
    let young = make(conn, JobState::Completed).id;
    run(
        conn,
        &format!(
            "insert into belay.job_output (job, attempt) values ({}, 1)",
            young + 100
        ),
    );
    let dropped =
        ops::drop_partitions(conn, at("2020-02-01T00:00:00Z"), 30 * DAY, FOR_EVER).unwrap();
    let end = NaiveDate::from_ymd_opt(2020, 1, 2).unwrap();
    assert_eq!(
        dropped,
        [DroppedPartition {
            name: "job_done_20200101".into(),
            end
        }]
    );
    assert_eq!(with_side_data(conn), [2, 3, young + 100]);
    assert_eq!(
        counts(
            conn,
            "select id from belay.job_done where id < 4 and finished_at < '2021-01-01' order by 1"
        ),
        [2, 3]
    );
    assert_eq!(state(conn, young), JobState::Completed);
    assert!(
        ops::drop_partitions(conn, at("2020-02-01T00:00:00Z"), 30 * DAY, FOR_EVER)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_partition_goes_when_its_last_moment_is_older_than_the_rule_and_not_before() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    old_day(conn, 1);
    for early in ["2020-01-31T23:59:59.999Z", "2020-01-01T12:00:00Z"] {
        assert!(
            ops::drop_partitions(conn, at(early), 30 * DAY, FOR_EVER)
                .unwrap()
                .is_empty(),
            "{early}"
        );
    }
    let dropped =
        ops::drop_partitions(conn, at("2020-02-01T00:00:00Z"), 30 * DAY, FOR_EVER).unwrap();
    assert_eq!(names(&dropped), ["job_done_20200101"]);
}

#[test]
fn the_record_is_kept_by_a_rule_of_its_own() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    old_day(conn, 5);
    old_events(conn);
    let january = "select count(*) from belay.job_event where at < '2020-02-01'";
    let now = at("2020-03-01T00:00:00Z");
    assert_eq!(
        names(&ops::drop_partitions(conn, now, 7 * DAY, 90 * DAY).unwrap()),
        ["job_done_20200105"]
    );
    assert_eq!(count(conn, january), 1, "the job is gone, its record stays");
    assert_eq!(
        names(&ops::drop_partitions(conn, now, FOR_EVER, 29 * DAY).unwrap()),
        ["job_event_202001"]
    );
    assert_eq!(count(conn, january), 0);
}

#[test]
fn what_is_young_or_to_come_stays_and_so_does_everything_without_end() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    old_day(conn, 1);
    run(
        conn,
        "create table belay.job_done_2020 (x integer); create table belay.job_done_20201399 (x integer); create table belay.job_event_202013 (x integer)",
    );
    let before = partitions(conn, "job\\_%");
    assert!(
        ops::drop_partitions(conn, Utc::now(), FOR_EVER, FOR_EVER)
            .unwrap()
            .is_empty()
    );
    assert!(
        ops::drop_partitions(conn, Utc::now(), Duration::MAX, Duration::MAX)
            .unwrap()
            .is_empty()
    );
    assert_eq!(partitions(conn, "job\\_%"), before);
    // Without any patience yesterday goes, today and what was prepared stay, and what only looks like a partition as well.
    ops::drop_partitions(conn, Utc::now(), Duration::ZERO, Duration::ZERO).unwrap();
    assert!(belay_core::query::tomorrow_is_prepared(conn).unwrap());
    let left = partitions(conn, "job\\_%");
    assert!(left.len() >= before.len() - 3, "{left:?}");
    for odd in ["job_done_2020", "job_done_20201399", "job_event_202013"] {
        assert!(left.contains(&odd.to_owned()), "{odd}");
    }
    make(conn, JobState::Cancelled);
}

#[test]
fn a_job_with_very_much_output_goes_too() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    old_day(conn, 1);
    run(
        conn,
        "insert into belay.job_output (job, attempt) select 1, g from generate_series(3, 12000) g",
    );
    ops::drop_partitions(conn, at("2021-01-01T00:00:00Z"), DAY, FOR_EVER).unwrap();
    assert!(with_side_data(conn).is_empty());
}

#[test]
fn a_run_that_was_interrupted_after_the_detach_is_taken_up() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    old_day(conn, 1);
    old_events(conn);
    run(
        conn,
        "alter table belay.job_done detach partition belay.job_done_20200101;
         alter table belay.job_event detach partition belay.job_event_202001",
    );
    let dropped = ops::drop_partitions(conn, at("2021-01-01T00:00:00Z"), DAY, DAY).unwrap();
    assert_eq!(names(&dropped), ["job_done_20200101", "job_event_202001"]);
    assert!(with_side_data(conn).is_empty());
}

#[test]
fn a_run_that_was_interrupted_in_the_detach_is_taken_up() {
    let db = TestDb::new();
    let (mut reader, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    old_day(conn, 1);
    run(&mut reader, "begin; select from belay.job_done");
    // The detach waits for the reader and is broken off there.
    let interrupted = {
        let mut detacher = db.conn();
        let waiting = pid(&mut detacher);
        std::thread::scope(|scope| {
            let detach = scope.spawn(move || {
                detacher.batch_execute("alter table belay.job_done detach partition belay.job_done_20200101 concurrently")
            });
            until_blocked(conn, waiting);
            run(conn, &format!("select pg_cancel_backend({waiting})"));
            detach.join().unwrap()
        })
    };
    assert!(interrupted.is_err());
    run(&mut reader, "commit");
    let pending = "select count(*) from pg_inherits where inhdetachpending";
    assert_eq!(count(conn, pending), 1);
    let dropped = ops::drop_partitions(conn, at("2021-01-01T00:00:00Z"), DAY, FOR_EVER).unwrap();
    assert_eq!(names(&dropped), ["job_done_20200101"]);
    assert_eq!(count(conn, pending), 0);
}

#[test]
fn a_partition_in_use_is_busy_and_goes_later() {
    let db = TestDb::new();
    let (mut reader, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    for day in [1, 2] {
        old_day(conn, day);
    }
    run(&mut reader, "begin; select from belay.job_done");
    run(conn, "set lock_timeout = '50ms'");
    let busy = ops::drop_partitions(conn, at("2021-01-01T00:00:00Z"), DAY, FOR_EVER);
    assert!(matches!(busy, Err(Error::Busy(_))), "{busy:?}");
    // Jobs go on finishing meanwhile.
    make(conn, JobState::Completed);
    run(&mut reader, "commit");
    let dropped = ops::drop_partitions(conn, at("2021-01-01T00:00:00Z"), DAY, FOR_EVER).unwrap();
    assert_eq!(names(&dropped), ["job_done_20200101", "job_done_20200102"]);
    assert!(with_side_data(conn).is_empty());
}

#[test]
fn somebody_elses_long_transaction_is_no_obstacle() {
    let db = TestDb::new();
    let (mut holder, mut conn) = (db.conn(), db.conn());
    let conn = &mut conn;
    old_day(conn, 1);
    run(
        &mut holder,
        "begin isolation level repeatable read; select from belay.kind",
    );
    run(conn, "set lock_timeout = '2s'");
    let dropped = ops::drop_partitions(conn, at("2021-01-01T00:00:00Z"), DAY, FOR_EVER).unwrap();
    assert_eq!(names(&dropped), ["job_done_20200101"]);
}
