//! Uploaded data: it counts only while the job is open, and is gone with a cancel, in the transaction that accepts it.

use belay_core::JobState;
use belay_core::ops::{self, Begun, CancelLimit, NewJob, Outcome, Uploaded};
use belay_testkit::TestDb;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind::SerializationFailure;

use crate::common::{
    claim_one, count, counts, in_an_hour, job, make, make_from, me, new_job, refused, register,
    run, state,
};

#[track_caller]
fn cancel(conn: &mut PgConnection, id: i64) -> Outcome {
    ops::cancel_one(conn, None, id, &me(), None, CancelLimit::Any)
        .unwrap()
        .outcome
}

#[test]
fn a_cancel_before_the_start_deletes_the_uploaded_data_in_its_own_transaction() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let upload = |conn: &mut PgConnection, id: i64| {
        run(
            conn,
            &format!(
                "insert into belay.job_upload (job, file, chunk, content) values ({id}, 1, 1, 'a'), ({id}, 1, 2, 'b')"
            ),
        );
    };
    let open = make(conn, JobState::Open);
    let closed = make(conn, JobState::Open);
    let closed_for_later = make_from(
        conn,
        JobState::Open,
        NewJob {
            run_at: in_an_hour(),
            ..new_job()
        },
    );
    for made in [closed, closed_for_later] {
        conn.transaction(|conn| ops::close(conn, None, made.id, &me()))
            .unwrap();
    }
    let running = make(conn, JobState::Running);
    let bystander = make(conn, JobState::Open);
    let gone = [open, closed, closed_for_later];
    for made in gone.iter().chain([&running, &bystander]) {
        upload(conn, made.id);
    }
    for made in gone {
        let left = format!(
            "select count(*) from belay.job_upload where job = {}",
            made.id
        );
        run(conn, "begin");
        cancel(conn, made.id);
        assert_eq!(count(conn, &left), 0);
        assert_eq!(count(&mut db.conn(), &left), 2, "not before the commit");
        run(conn, "rollback");
        assert_eq!((count(conn, &left), job(conn, made.id).cancel()), (2, None));
        cancel(conn, made.id);
        assert_eq!(count(conn, &left), 0);
    }
    // What has started may be reading its data until it has stopped.
    assert_eq!(cancel(conn, running.id), Outcome::Cancelling);
    let mut left = [running.id, bystander.id];
    left.sort_unstable();
    assert_eq!(
        counts(conn, "select distinct job from belay.job_upload order by 1"),
        left
    );
}

/// Chunks, files that count, and uploads under way, of all jobs.
fn stored(conn: &mut PgConnection) -> Vec<i64> {
    ["job_upload", "job_file", "upload"]
        .map(|table| count(conn, &format!("select count(*) from belay.{table}")))
        .to_vec()
}

#[track_caller]
fn open(conn: &mut PgConnection) -> i64 {
    let job = NewJob::new("ingest");
    ops::enqueue(conn, 1, &job, None, true, &me()).unwrap().id
}

#[track_caller]
fn begin(conn: &mut PgConnection, job: i64) -> i64 {
    let begun = conn.transaction(|conn| ops::begin_upload(conn, None, job));
    match begun.unwrap() {
        Begun::Upload(file) => file,
        other => panic!("{other:?}"),
    }
}

fn finish(conn: &mut PgConnection, job: i64, file: i64) -> Uploaded {
    conn.transaction(|conn| ops::finish_upload(conn, None, job, file, 2))
        .unwrap()
}

/// A job with a file that counts and an upload under way, whose number is answered, too.
fn filled(conn: &mut PgConnection) -> (i64, i64) {
    let job = open(conn);
    let whole = begin(conn, job);
    assert!(ops::append_chunk(conn, whole, 1, b"ab").unwrap());
    assert_eq!(finish(conn, job, whole), Uploaded::File(1));
    let half = begin(conn, job);
    assert!(ops::append_chunk(conn, half, 1, b"ab").unwrap());
    (job, half)
}

#[test]
fn an_upload_counts_when_it_ends_while_the_job_is_open() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (job, half) = filled(conn);
    assert_eq!(stored(conn), [2, 1, 1]);
    assert_eq!(finish(conn, job, half), Uploaded::File(2));
    assert_eq!(
        finish(conn, job, half),
        Uploaded::Forgotten,
        "it counts once"
    );
    assert!(
        !ops::append_chunk(conn, half, 2, b"ab").unwrap(),
        "it is whole"
    );
    ops::discard_upload(conn, half).unwrap();
    assert_eq!(stored(conn), [2, 2, 0]);
    let given_up = begin(conn, job);
    assert!(ops::append_chunk(conn, given_up, 1, b"ab").unwrap());
    ops::discard_upload(conn, given_up).unwrap();
    assert_eq!(stored(conn), [2, 2, 0]);
    assert_eq!(finish(conn, job, given_up), Uploaded::Forgotten);
    let other = conn.transaction(|conn| ops::begin_upload(conn, Some(99), job));
    assert_eq!(
        other.unwrap_err().to_string(),
        format!("there is no job {job}")
    );
    run(
        conn,
        &format!(
            "insert into belay.job_file (job, ordinal, file, bytes) select {job}, n, 1000 + n, 1 from generate_series(3, 100) n"
        ),
    );
    let full = conn.transaction(|conn| ops::begin_upload(conn, None, job));
    assert_eq!(full.unwrap(), Begun::Full);
}

#[test]
fn a_close_cuts_off_what_is_under_way_and_the_job_waits_from_now_on() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (id, half) = filled(conn);
    run(
        conn,
        &format!("update belay.job set run_at = now() - interval '1 day' where id = {id}"),
    );
    conn.transaction(|conn| ops::close(conn, None, id, &me()))
        .unwrap();
    assert_eq!(stored(conn), [1, 1, 0]);
    let found = job(conn, id);
    assert_eq!(found.state, JobState::Queued);
    assert!(found.run_at > found.created_at, "{found:?}");
    assert!(!ops::append_chunk(conn, half, 2, b"ab").unwrap());
    assert_eq!(finish(conn, id, half), Uploaded::NotOpen(JobState::Queued));
    let late = conn.transaction(|conn| ops::begin_upload(conn, None, id));
    assert_eq!(late.unwrap(), Begun::NotOpen(JobState::Queued));
    cancel(conn, id);
    assert_eq!(
        finish(conn, id, half),
        Uploaded::NotOpen(JobState::Cancelled)
    );
    assert_eq!(stored(conn), [0, 0, 0]);
}

#[test]
fn a_cancel_takes_everything_also_of_a_load_that_runs() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (id, half) = filled(conn);
    assert_eq!(cancel(conn, id), Outcome::Cancelled);
    assert_eq!(stored(conn), [0, 0, 0]);
    assert!(!ops::append_chunk(conn, half, 2, b"ab").unwrap());

    for force in [false, true] {
        let (id, _) = filled(conn);
        conn.transaction(|conn| ops::close(conn, None, id, &me()))
            .unwrap();
        let worker = register(conn);
        assert_eq!(claim_one(conn, worker).id, id);
        if force {
            conn.transaction(|conn| ops::force_cancel(conn, None, id, &me(), None))
                .unwrap();
        } else {
            run(conn, "begin");
            assert_eq!(cancel(conn, id), Outcome::Cancelling);
            assert_eq!(stored(conn), [0, 0, 0]);
            assert_eq!(stored(&mut db.conn()), [1, 1, 0], "not before the commit");
            run(conn, "commit");
        }
        assert_eq!(stored(conn), [0, 0, 0], "{force}");
    }
}

/// A cancel inside somebody's transaction works on the snapshot of that transaction's beginning. It must not overlook what was
/// uploaded since, so it is refused and made again.
#[test]
fn a_cancel_with_an_old_snapshot_does_not_overlook_an_upload() {
    type Act = fn(&mut PgConnection, i64, i64);
    let acts: [(&str, Act); 3] = [
        ("begin", |conn, job, _| assert!(begin(conn, job) > 0)),
        ("chunk", |conn, _, half| {
            assert!(ops::append_chunk(conn, half, 2, b"ab").unwrap());
        }),
        ("finish", |conn, job, half| {
            assert_eq!(finish(conn, job, half), Uploaded::File(2));
        }),
    ];
    for (name, act) in acts {
        let db = TestDb::new();
        let conn = &mut db.conn();
        let (id, half) = filled(conn);
        let mut old = db.conn();
        run(&mut old, "begin isolation level repeatable read");
        assert_eq!(state(&mut old, id), JobState::Open);
        act(conn, id, half);
        let refusal = refused(&mut old, &format!("select * from belay.cancel({id})"));
        assert!(refusal.is(&SerializationFailure), "{name}: {refusal:?}");
        run(&mut old, "rollback");
        run(&mut old, &format!("select * from belay.cancel({id})"));
        assert_eq!(stored(conn), [0, 0, 0], "{name}");
    }
}
