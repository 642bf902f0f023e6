//! The shape of a row: in each state exactly the columns are set that belong to it, whoever writes.

use belay_core::JobState;
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind::CheckViolation;

use crate::common::{Value, insert_row, refusal, run, shape};

/// The value that a column must not have where it has `value` now.
fn broken((column, value): Value) -> Value {
    let wrong = match (column, value) {
        ("upload", "true") => "false",
        ("upload", _) => "true",
        (_, value) if value != "null" => "null",
        ("ticket", _) => "nextval('belay.ticket')",
        ("worker", _) => "7",
        ("cancel_actor" | "cancel_via", _) => "'somebody'",
        _ => "timestamptz '2026-01-02'",
    };
    (column, wrong)
}

/// The columns whose presence the state decides. The reason of a cancel may be missing.
fn decided(state: JobState) -> Vec<Value> {
    let mut values = shape(state).to_vec();
    values.retain(|(column, _)| *column != "cancel_reason");
    values
}

#[track_caller]
fn is_refused(conn: &mut PgConnection, statement: &str, case: &str) {
    let result = conn.batch_execute(statement);
    run(conn, "rollback");
    assert!(result.is_err(), "{case} was accepted");
    let refusal = refusal(result);
    assert!(refusal.is(&CheckViolation), "{case}: {refusal:?}");
}

#[test]
fn an_update_cannot_set_or_clear_a_column_against_the_state() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in JobState::ALL
        .into_iter()
        .filter(|state| !state.is_terminal())
    {
        for value in decided(state) {
            let (column, wrong) = broken(value);
            // The triggers are off while the row is put in place, so that any state can be the first.
            run(
                conn,
                &format!(
                    "begin; set local session_replication_role = replica; {}; set local session_replication_role = origin",
                    insert_row(&shape(state), state)
                ),
            );
            let update = format!("update belay.job set {column} = {wrong} where id = 1");
            is_refused(conn, &update, &format!("{column} = {wrong} while {state}"));
        }
    }
}

#[test]
fn an_insert_cannot_either() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in [JobState::Open, JobState::Scheduled, JobState::Queued] {
        for at in 0..decided(state).len() {
            let mut values = decided(state);
            values[at] = broken(values[at]);
            run(conn, "begin");
            let case = format!("{:?} in a job that is {state}", values[at]);
            is_refused(conn, &insert_row(&values, state), &case);
        }
    }
}

/// A state is changed together with what belongs to it or not at all.
#[test]
fn a_state_alone_cannot_be_changed() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for (was, now) in [
        (JobState::Open, JobState::Queued),
        (JobState::Open, JobState::Scheduled),
        (JobState::Scheduled, JobState::Queued),
        (JobState::Queued, JobState::Running),
        (JobState::Running, JobState::Queued),
        (JobState::Running, JobState::Scheduled),
        (JobState::Running, JobState::Suspended),
        (JobState::Running, JobState::Cancelling),
        (JobState::Suspended, JobState::Running),
        (JobState::Suspended, JobState::Queued),
        (JobState::Suspended, JobState::Cancelling),
    ] {
        run(
            conn,
            &format!(
                "begin; set local session_replication_role = replica; {}; set local session_replication_role = origin",
                insert_row(&shape(was), was)
            ),
        );
        let update = format!("update belay.job set state = '{now}' where id = 1");
        is_refused(conn, &update, &format!("{was} > {now} alone"));
    }
}
