//! `belay.sql_settle`: the one function by which a transaction of somebody else's role ends a job.

use belay_core::JobState;
use belay_core::ops::{self, AttemptStanding};
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::common::{count, make, refused, run, text};

/// Calls it as `belay_sql`, with the token of that attempt.
fn settle(db: &TestDb, conn: &mut PgConnection, job: i64, fence: i32, worker: i64) -> String {
    let token: String = ops::sql_token(&mut db.conn(), worker, job, fence)
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text(
        conn,
        &format!("select belay.sql_settle({job}, {fence}, {worker}, '\\x{token}')"),
    )
}

fn as_belay_sql(db: &TestDb) -> PgConnection {
    let mut conn = db.conn();
    run(&mut conn, "set role belay_sql");
    conn
}

#[test]
fn only_a_running_job_is_completed_and_only_for_its_attempt() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let sql = &mut as_belay_sql(&db);
    for state in JobState::ALL {
        let job = make(conn, state);
        let (fence, worker) = (job.fence, job.worker);
        let expected = match state {
            JobState::Running => "completed",
            JobState::Suspended => "suspended",
            JobState::Cancelling => "cancelling",
            _ => "stale",
        };
        assert_eq!(settle(&db, sql, job.id, fence + 1, worker), "stale");
        assert_eq!(settle(&db, sql, job.id, fence, worker + 1), "stale");
        assert_eq!(settle(&db, sql, job.id, fence, worker), expected, "{state}");
        let now = text(
            conn,
            &format!(
                "select state::text from (select id, state from belay.job union all select id, state from belay.job_done) j where id = {}",
                job.id
            ),
        );
        let then = if state == JobState::Running {
            "completed"
        } else {
            state.as_str()
        };
        assert_eq!(now, then);
    }
}

#[test]
fn a_completed_job_keeps_all_that_an_ordinary_report_keeps() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let [one, other] = [(); 2].map(|()| make(conn, JobState::Running));
    let sql = &mut as_belay_sql(&db);
    assert_eq!(settle(&db, sql, one.id, one.fence, one.worker), "completed");
    ops::complete(conn, other.worker, &[(other.id, other.fence)]).unwrap();
    let unlike = count(
        conn,
        &format!(
            "select count(*) from jsonb_each((select to_jsonb(d) from belay.job_done d where id = {})) a
             join jsonb_each((select to_jsonb(d) from belay.job_done d where id = {})) b using (key)
             where (a.value = 'null') <> (b.value = 'null')",
            one.id, other.id
        ),
    );
    assert_eq!(unlike, 0);
}

#[test]
fn without_the_token_nothing_happens() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let job = make(conn, JobState::Running);
    let worker = job.worker;
    let sql = &mut as_belay_sql(&db);
    let other: String = ops::sql_token(conn, worker, job.id + 1, job.fence)
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for token in ["null".to_owned(), "''".into(), format!("'\\x{other}'")] {
        let refusal = refused(
            sql,
            &format!(
                "select belay.sql_settle({}, {}, {worker}, {token})",
                job.id, job.fence
            ),
        );
        assert!(refusal.message.contains("not the token"), "{refusal:?}");
    }
    let standing = ops::sql_standing(conn, worker, job.id, job.fence).unwrap();
    assert_eq!(standing, AttemptStanding::Holds(JobState::Running));
}

/// Every database has a secret of its own, also one that was made at the same time.
#[test]
fn the_secret_is_random_and_long() {
    let (a, b) = (TestDb::unmigrated(), TestDb::unmigrated());
    let [a, b] = [a, b].map(|db| {
        belay_core::migrate::run(db.url()).unwrap();
        text(
            &mut db.conn(),
            "select encode(secret, 'hex') from belay.sql_secret",
        )
    });
    assert_eq!((a.len(), b.len()), (64, 64));
    assert_ne!(a, b);
}

#[test]
fn what_became_of_an_attempt_is_told_when_it_is_decided() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let job = make(conn, JobState::Running);
    let worker = job.worker;
    let ask = |conn: &mut PgConnection| ops::sql_outcome(conn, worker, job.id, job.fence);
    let sql = &mut as_belay_sql(&db);
    sql.batch_execute("begin").unwrap();
    assert_eq!(settle(&db, sql, job.id, job.fence, worker), "completed");
    run(conn, "set lock_timeout = '50ms'");
    assert!(ask(conn).unwrap_err().is_transient());
    sql.batch_execute("commit").unwrap();
    let completed = AttemptStanding::Ended(JobState::Completed);
    assert_eq!(ask(conn).unwrap(), completed);
    assert_eq!(
        ops::sql_standing(conn, worker, job.id, job.fence).unwrap(),
        completed
    );
    assert_eq!(
        ops::sql_outcome(conn, worker, job.id, job.fence + 1).unwrap(),
        AttemptStanding::Lost
    );
}
