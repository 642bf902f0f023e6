//! Suspend, resume and start-now: what they answer where there is nothing to do, and where it cannot be done.

use belay_core::ops::{self, SignalState};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    TENANT, enqueue, events, facts, held, in_an_hour, job, make, me, new_job, new_with, register,
};

type Deed = fn(&mut PgConnection, Option<i32>, i64) -> Result<JobState, Error>;

fn suspend(conn: &mut PgConnection, tenant: Option<i32>, id: i64) -> Result<JobState, Error> {
    conn.transaction(|conn| ops::suspend(conn, tenant, id, &me(), None))
}

fn resume(conn: &mut PgConnection, tenant: Option<i32>, id: i64) -> Result<JobState, Error> {
    conn.transaction(|conn| ops::resume(conn, tenant, id, &me(), None))
}

fn start_now(conn: &mut PgConnection, tenant: Option<i32>, id: i64) -> Result<JobState, Error> {
    conn.transaction(|conn| ops::start_now(conn, tenant, id, &me(), None))
}

#[test]
fn each_answers_the_state_before_and_does_nothing_twice() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let deeds: [(Deed, JobState, JobState); 3] = [
        (suspend, JobState::Running, JobState::Suspended),
        (resume, JobState::Suspended, JobState::Running),
        (start_now, JobState::Scheduled, JobState::Queued),
    ];
    for (deed, was, now) in deeds {
        let id = make(conn, was).id;
        assert_eq!(deed(conn, Some(TENANT), id).unwrap(), was);
        assert_eq!(job(conn, id).state, now);
        let before = facts(conn, id);
        assert_eq!(
            deed(conn, Some(TENANT), id).unwrap(),
            now,
            "it is there already"
        );
        assert_eq!(facts(conn, id), before);
    }
}

#[test]
fn every_other_state_refuses_and_says_which_it_is() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let deeds: [(Deed, [JobState; 2]); 3] = [
        (suspend, [JobState::Running, JobState::Suspended]),
        (resume, [JobState::Suspended, JobState::Running]),
        (start_now, [JobState::Scheduled, JobState::Queued]),
    ];
    for (deed, fine) in deeds {
        for state in JobState::ALL
            .into_iter()
            .filter(|state| !fine.contains(state))
        {
            let id = make(conn, state).id;
            let before = facts(conn, id);
            let refused = deed(conn, None, id);
            assert!(
                matches!(&refused, Err(Error::Refused { state: Some(s), message })
                    if *s == state && message.contains(&format!("job {id}")) && message.contains(state.as_str())),
                "{state}: {refused:?}"
            );
            assert_eq!(facts(conn, id), before);
        }
        assert!(matches!(
            deed(conn, None, 999_999),
            Err(Error::Missing { .. })
        ));
        let id = make(conn, fine[0]).id;
        assert!(
            matches!(deed(conn, Some(99), id), Err(Error::Missing { .. })),
            "of another tenant"
        );
    }
}

#[test]
fn a_kind_that_cannot_be_held_still_refuses() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let id = enqueue(conn, &new_with(|job| job.kind = "noop".into()));
    crate::common::claim_one(conn, worker);
    let refused = suspend(conn, None, id);
    assert!(
        matches!(&refused, Err(Error::Refused { message, .. }) if message.contains("\"noop\"")),
        "{refused:?}"
    );
}

#[test]
fn the_worker_keeps_the_job_under_the_same_fence_and_is_told() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    suspend(conn, None, made.id).unwrap();
    let told = ops::signals(conn, made.worker).unwrap();
    assert!(
        matches!(&told[..], [s] if (s.id, s.fence, &s.state) == (made.id, made.fence, &SignalState::Suspend)),
        "{told:?}"
    );
    assert!(
        ops::lost(conn, made.worker, &[(made.id, made.fence)])
            .unwrap()
            .is_empty()
    );
    resume(conn, None, made.id).unwrap();
    assert_eq!(
        ops::signals(conn, made.worker).unwrap(),
        [],
        "without a signal it should run"
    );
    let now = job(conn, made.id);
    assert_eq!(
        (now.fence, now.worker, now.attempt),
        (made.fence, Some(made.worker), 1)
    );
}

#[test]
fn what_is_started_now_may_run_now() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_with(|job| job.run_at = in_an_hour()));
    start_now(conn, None, id).unwrap();
    let worker = register(conn);
    let claimed = crate::common::claim_one(conn, worker);
    assert_eq!(claimed.id, id);
    assert!(
        (0.0..60.0).contains(&claimed.waited),
        "{} s",
        claimed.waited
    );
    assert_eq!(
        events(conn, id),
        ["started_now scheduled>queued tester native - -"]
    );
}

#[test]
fn a_reason_that_cannot_be_kept_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = enqueue(conn, &new_job());
    let long = "r".repeat(1001);
    for refused in [
        conn.transaction(|conn| ops::suspend(conn, None, id, &me(), Some(&long))),
        conn.transaction(|conn| ops::resume(conn, None, id, &me(), Some(&long))),
        conn.transaction(|conn| ops::start_now(conn, None, id, &me(), Some(&long))),
        conn.transaction(|conn| {
            ops::delete_data(conn, None, id, &me(), Some(&long)).map(|()| JobState::Queued)
        }),
        conn.transaction(|conn| {
            ops::force_cancel(conn, None, id, &me(), Some(&long)).map(|forced| forced.was)
        }),
    ] {
        assert!(
            matches!(
                refused,
                Err(Error::Invalid {
                    field: "reason",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}
