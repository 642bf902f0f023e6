//! What must be true afterwards.

use std::collections::HashSet;
use std::time::Duration;

use belay_core::ops::{self, Actor, CancelFilter, Via};
use belay_testkit::{eventually, processes_with};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt};

use crate::load::Seen;

/// Only a broken daemon takes longer for anything.
pub(crate) const LONG: Duration = Duration::from_secs(120);

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

pub(crate) fn count(conn: &mut PgConnection, sql: &str) -> i64 {
    diesel::sql_query(format!("select ({sql}) as n"))
        .get_result::<Count>(conn)
        .unwrap()
        .n
}

fn count_of(conn: &mut PgConnection, sql: &str, ids: &[i64]) -> i64 {
    diesel::sql_query(format!("select ({sql}) as n"))
        .bind::<Array<BigInt>, _>(ids)
        .get_result::<Count>(conn)
        .unwrap()
        .n
}

/// Waits until nothing is left to do, and looks at how it all ended.
pub(crate) fn everything_ended_once(conn: &mut PgConnection, seen: &Seen) {
    // Endless jobs whose enqueue was never acknowledged exist all the same.
    let actor = Actor::new("test", Via::Sql);
    let endless = CancelFilter {
        kind: Some("tree".into()),
        ..CancelFilter::default()
    };
    eventually(LONG, || {
        let last = ops::last_job_id(conn).unwrap();
        ops::cancel_chunk(conn, 1, &endless, 0, last, 1000, &actor, None).unwrap();
        (count(conn, "select count(*) from belay.job") == 0).then_some(())
    });
    let distinct: HashSet<i64> = seen.enqueued.iter().copied().collect();
    assert_eq!(
        distinct.len(),
        seen.enqueued.len(),
        "an id was given out twice"
    );
    let ended = count_of(
        conn,
        "select count(*) from belay.job_done where id = any ($1)",
        &seen.enqueued,
    );
    assert_eq!(
        ended,
        i64::try_from(seen.enqueued.len()).unwrap(),
        "acknowledged jobs that ended exactly once"
    );
    assert_eq!(
        count(
            conn,
            "select count(*) - count(distinct id) from belay.job_done"
        ),
        0,
        "jobs that ended twice"
    );
    assert!(!seen.cancelled.is_empty());
    let lost = count_of(
        conn,
        "select count(*) from belay.job_done where id = any ($1) and state <> 'cancelled'",
        &seen.cancelled,
    );
    assert_eq!(
        lost,
        0,
        "accepted cancels that ended otherwise, of {}",
        seen.cancelled.len()
    );
    assert_eq!(
        count(
            conn,
            "select count(*) from belay.job_done where state = 'failed'"
        ),
        0,
        "failed jobs"
    );
    for kind in ["noop", "sleep", "quick"] {
        let done = count(
            conn,
            &format!(
                "select count(*) from belay.job_done where kind = '{kind}' and state = 'completed'"
            ),
        );
        assert!(done > 0, "no job of kind {kind} completed");
    }
}

/// Nothing that bears the mark runs any more.
pub(crate) fn no_command_is_left(mark: &str) {
    eventually(LONG, || {
        let left = processes_with(mark);
        if left.is_empty() { Some(()) } else { None }
    });
}
