//! The second wall: raw SQL by a superuser meets the same table of transitions.

use belay_core::JobState;
use belay_core::state::TRANSITIONS;
use belay_testkit::TestDb;
use diesel::connection::SimpleConnection;
use diesel::result::DatabaseErrorKind::CheckViolation;

use crate::common::{insert_row, make, refusal, refused, run, shape, text, texts};

const CREATED: [JobState; 3] = [JobState::Open, JobState::Scheduled, JobState::Queued];

fn is_legal(was: JobState, now: JobState) -> bool {
    TRANSITIONS.iter().any(|(w, _, n)| (*w, *n) == (was, now))
}

fn update(was: JobState, now: JobState) -> String {
    let set: Vec<String> = shape(now)
        .into_iter()
        // What has started stays started.
        .filter(|(column, _)| !was.is_held() || !["started_at", "claimed_at"].contains(column))
        .map(|(column, value)| format!("{column} = {value}"))
        .collect();
    format!(
        "update belay.job set state = '{now}', {} where id = 1",
        set.join(", ")
    )
}

#[test]
fn an_update_of_the_state_goes_through_exactly_when_it_is_legal() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let live = || JobState::ALL.into_iter().filter(|s| !s.is_terminal());
    for was in live() {
        for now in live().filter(|now| *now != was) {
            // The triggers are off while the row is put in place, so that any state can be the first.
            run(
                conn,
                &format!(
                    "begin; set local session_replication_role = replica; {}; set local session_replication_role = origin",
                    insert_row(&shape(was), was)
                ),
            );
            let result = conn.batch_execute(&update(was, now));
            run(conn, "rollback");
            if is_legal(was, now) {
                assert!(result.is_ok(), "{was} > {now}: {result:?}");
                continue;
            }
            let refusal = refusal(result);
            assert!(refusal.is(&CheckViolation), "{was} > {now}: {refusal:?}");
            // Leaving `cancelling` meets the guard of the cancel mark first.
            let guards: &[&str] = match was {
                JobState::Cancelling => &["job_transition", "job_first_cancel"],
                _ => &["job_transition"],
            };
            assert!(
                guards.contains(&refusal.constraint.as_str()),
                "{was} > {now}: {refusal:?}"
            );
        }
    }
}

#[test]
fn leaving_cancelling_is_refused_also_when_the_mark_stays() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = make(conn, JobState::Cancelling);
    for now in ["running", "suspended", "queued", "scheduled", "open"] {
        let refusal = refused(
            conn,
            &format!(
                "update belay.job set state = '{now}' where id = {}",
                made.id
            ),
        );
        assert_eq!(refusal.constraint, "job_transition", "{now}: {refusal:?}");
        assert_eq!(
            refusal.message,
            format!("job {}: a job cannot go from cancelling to {now}", made.id)
        );
    }
}

#[test]
fn an_update_to_a_terminal_state_is_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for was in [JobState::Queued, JobState::Running, JobState::Cancelling] {
        let id = make(conn, was).id;
        for now in ["completed", "failed", "cancelled"] {
            let refusal = refused(
                conn,
                &format!("update belay.job set state = '{now}' where id = {id}"),
            );
            assert!(refusal.is(&CheckViolation), "{was} > {now}: {refusal:?}");
        }
    }
}

#[test]
fn a_job_can_be_inserted_exactly_in_a_first_state() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in JobState::ALL {
        run(conn, "begin");
        let result = conn.batch_execute(&insert_row(&shape(state), state));
        run(conn, "rollback");
        if CREATED.contains(&state) {
            assert!(result.is_ok(), "{state}: {result:?}");
        } else {
            let refusal = refusal(result);
            assert!(refusal.is(&CheckViolation), "{state}: {refusal:?}");
        }
    }
}

#[test]
fn the_number_of_a_job_is_positive() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for id in [0, -1, i64::MIN] {
        let row = insert_row(&shape(JobState::Queued), JobState::Queued);
        let refusal = refused(conn, &row.replacen("(1, ", &format!("({id}, "), 1));
        assert_eq!(refusal.constraint, "job_id_positive", "{refusal:?}");
    }
}

fn insert_done(was: JobState, now: JobState) -> String {
    let when = |is: bool, yes| if is { yes } else { "null" };
    let cancelled = now == JobState::Cancelled;
    let ran = was.is_held();
    format!(
        "insert into belay.job_done (id, worker, run_at, created_at, started_at, claimed_at, cancel_at, tenant, was, state, fence, priority,
           attempt, max_attempts, queue, kind, created_by, created_via, cancel_actor, cancel_via, cancel_rung, payload)
         values (1, {worker}, now(), now(), {at}, {at}, {mark_at}, 1, '{was}', '{now}', 1, 5, 1, 5, 'default', 'noop', 'me', 'sql',
           {mark}, {mark}, {rung}, '{{}}')",
        worker = when(ran, "7"),
        at = when(ran, "now()"),
        mark_at = when(cancelled, "now()"),
        mark = when(cancelled, "'x'"),
        rung = when(cancelled, "'forced'"),
    )
}

#[test]
fn a_job_can_end_exactly_as_the_table_says() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for was in JobState::ALL {
        for now in JobState::ALL {
            run(conn, "begin");
            let result = conn.batch_execute(&insert_done(was, now));
            run(conn, "rollback");
            if now.is_terminal() && is_legal(was, now) {
                assert!(result.is_ok(), "{was} > {now}: {result:?}");
            } else {
                let refusal = refusal(result);
                assert!(refusal.is(&CheckViolation), "{was} > {now}: {refusal:?}");
            }
        }
    }
}

/// The worst bug of job systems cannot be written: a row is cancelled exactly when it carries a cancel mark.
#[test]
fn a_cancelled_job_cannot_be_stored_as_completed() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let completed = insert_done(JobState::Running, JobState::Completed);
    let cancelled = insert_done(JobState::Cancelling, JobState::Cancelled);
    run(conn, &format!("begin; {completed}; rollback"));
    for (wrong, what) in [
        (
            completed
                .replace("cancel_at, tenant", "tenant, cancel_at")
                .replace("null, 1, 'running'", "1, now(), 'running'"),
            "completed with the time of a cancel",
        ),
        (
            cancelled.replace("'cancelling', 'cancelled'", "'running', 'completed'"),
            "completed with a whole cancel mark",
        ),
        (
            cancelled.replace("'forced'", "null"),
            "cancelled without what it took",
        ),
        (
            completed.replace("values (1, 7,", "values (1, null,"),
            "completed by nobody",
        ),
    ] {
        assert!(
            wrong != completed && wrong != cancelled,
            "{what} is not what it says"
        );
        let refusal = refused(conn, &wrong);
        assert!(refusal.is(&CheckViolation), "{what}: {refusal:?}");
        assert!(
            refusal.constraint.starts_with("done_"),
            "{what}: {refusal:?}"
        );
    }
}

#[test]
fn who_a_job_is_and_its_first_start_and_cancel_are_never_rewritten() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    run(conn, "insert into belay.tenant (name) values ('other')");
    let id = make(conn, JobState::Cancelling).id;
    for (set, guard) in [
        ("id = id + 1000", "job_identity"),
        ("tenant = 2", "job_identity"),
        ("created_at = created_at - interval '1 s'", "job_identity"),
        ("fence = fence - 1", "job_fence"),
        (
            "started_at = started_at + interval '1 s'",
            "job_first_start",
        ),
        ("started_at = null", "job_first_start"),
        ("cancel_at = cancel_at - interval '1 s'", "job_first_cancel"),
        ("cancel_actor = 'another'", "job_first_cancel"),
        ("cancel_reason = 'another'", "job_first_cancel"),
        ("cancel_reason = null", "job_first_cancel"),
        ("cancel_via = 'another'", "job_first_cancel"),
    ] {
        let refusal = refused(conn, &format!("update belay.job set {set} where id = {id}"));
        assert_eq!(refusal.constraint, guard, "{set}: {refusal:?}");
    }
}

/// Only deleting the content of a finished job changes its row.
#[test]
fn a_finished_job_never_changes() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = make(conn, JobState::Completed).id;
    let columns = texts(
        conn,
        "select attname || ' ' || format_type(atttypid, null) from pg_attribute
         where attrelid = 'belay.job_done'::regclass and attnum > 0 and not attisdropped
           and attname not in ('payload', 'last_error', 'data_deleted_at') order by attnum",
    );
    let mut changed = Vec::new();
    for column in columns {
        let (name, kind) = column.split_once(' ').unwrap();
        let value = match kind {
            "bigint" | "integer" | "smallint" => "77",
            "timestamp with time zone" => "now() - interval '1 s'",
            "belay.job_state" | "job_state" => "'failed'",
            "belay.cancel_rung" | "cancel_rung" => "'forced'",
            "text" => "'x'",
            other => panic!("a column of type {other}"),
        };
        run(conn, "begin");
        let result = conn.batch_execute(&format!(
            "update belay.job_done set {name} = {value} where id = {id}"
        ));
        run(conn, "rollback");
        if result.is_ok() {
            changed.push(name.to_owned());
        }
    }
    assert_eq!(
        changed,
        Vec::<String>::new(),
        "these columns of a finished job can be rewritten"
    );
}

#[test]
fn finished_jobs_and_the_record_cannot_be_deleted_row_by_row() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let id = make(conn, JobState::Cancelled).id;
    let partition = text(
        conn,
        &format!("select tableoid::regclass::text from belay.job_done where id = {id}"),
    );
    for (statement, guard) in [
        (
            format!("delete from belay.job_done where id = {id}"),
            "job_done_kept",
        ),
        (
            format!("delete from {partition} where id = {id}"),
            "job_done_kept",
        ),
        (
            format!("delete from belay.job_event where job = {id}"),
            "job_event_append_only",
        ),
        (
            format!("update belay.job_event set actor = 'nobody' where job = {id}"),
            "job_event_append_only",
        ),
    ] {
        let refusal = refused(conn, &statement);
        assert_eq!(refusal.constraint, guard, "{statement}: {refusal:?}");
    }
}
