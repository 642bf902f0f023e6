//! Uploaded data: gone with a cancel before the start, in the transaction that accepts it.

use belay_core::JobState;
use belay_core::ops::{self, CancelLimit, NewJob, Outcome};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{count, counts, in_an_hour, job, make, make_from, me, new_job, run};

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
