//! Output and progress: written only while the worker holds the job, so nothing can be appended to what has ended.

use belay_core::Error;
use belay_core::JobState;
use belay_core::ops::{self, OutputRow, ProgressRow};
use belay_core::query;
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    Made, claim_one, enqueue_n, fail, held, make, me, new_job, pid, register, report, run,
    until_blocked,
};

fn output(made: Made, text: &str) -> OutputRow {
    OutputRow {
        job: made.id,
        fence: made.fence,
        attempt: 1,
        stdout: text.into(),
        stderr: format!("{text} on stderr"),
        stdout_bytes: 10_000_000_000,
        stderr_bytes: 2,
        exit_code: None,
        signal: None,
        ran_ms: Some(1270),
    }
}

fn progress(made: Made, done: i64) -> ProgressRow {
    ProgressRow {
        job: made.id,
        fence: made.fence,
        attempt: 1,
        done,
        total: Some(100),
        message: Some("on its way".into()),
    }
}

#[track_caller]
fn save(conn: &mut PgConnection, made: Made, text: &str, done: i64) {
    ops::save_output(conn, made.worker, &[output(made, text)]).unwrap();
    ops::save_progress(conn, made.worker, &[progress(made, done)]).unwrap();
}

/// Standard output of each attempt, and the progress.
#[track_caller]
fn saved(conn: &mut PgConnection, id: i64) -> (Vec<String>, Option<i64>) {
    let outputs = query::outputs(conn, id).unwrap();
    let progress = query::progress(conn, id).unwrap();
    (
        outputs.into_iter().map(|output| output.stdout).collect(),
        progress.map(|progress| progress.done),
    )
}

#[test]
fn the_latest_output_and_progress_replace_the_earlier_ones() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    assert_eq!(saved(conn, made.id), (vec![], None));
    save(conn, made, "one", 1);
    save(conn, made, "one two", 2);
    assert_eq!(saved(conn, made.id), (vec!["one two".into()], Some(2)));
    let last = OutputRow {
        exit_code: Some(3),
        signal: Some(9),
        ran_ms: Some(1270),
        ..output(made, "the end")
    };
    ops::save_output(conn, made.worker, &[last]).unwrap();
    let view = query::outputs(conn, made.id).unwrap().remove(0);
    assert_eq!(
        (view.attempt, view.exit_code, view.signal),
        (1, Some(3), Some(9))
    );
    assert_eq!((view.stdout_bytes, view.stderr_bytes), (10_000_000_000, 2));
    assert_eq!(view.stderr, "the end on stderr");
    let view = query::progress(conn, made.id).unwrap().unwrap();
    assert_eq!(
        (view.total, view.message.as_deref()),
        (Some(100), Some("on its way"))
    );
    ops::save_output(conn, made.worker, &[]).unwrap();
    ops::save_progress(conn, made.worker, &[]).unwrap();
}

#[test]
fn each_attempt_has_output_of_its_own() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let first = held(conn);
    save(conn, first, "first", 50);
    report(conn, first, fail("no", 0.0));
    ops::promote(conn, 10).unwrap();
    let fence = claim_one(conn, first.worker).fence;
    let second = Made { fence, ..first };
    let row = OutputRow {
        attempt: 2,
        ..output(second, "second")
    };
    ops::save_output(conn, second.worker, &[row]).unwrap();
    assert_eq!(
        saved(conn, first.id),
        (vec!["first".into(), "second".into()], Some(50))
    );
}

#[test]
fn nothing_is_saved_by_a_worker_that_does_not_hold_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    save(conn, made, "kept", 1);
    let other = register(conn);
    for wrong in [
        Made {
            fence: made.fence - 1,
            ..made
        },
        Made {
            fence: made.fence + 1,
            ..made
        },
        Made {
            worker: other,
            ..made
        },
        Made { id: 999, ..made },
    ] {
        save(conn, wrong, "smuggled", 99);
        assert_eq!(
            saved(conn, wrong.id).0.len(),
            usize::from(wrong.id == made.id)
        );
    }
    assert_eq!(saved(conn, made.id), (vec!["kept".into()], Some(1)));
}

#[test]
fn output_is_saved_in_exactly_the_states_in_which_a_worker_holds_the_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in JobState::ALL {
        let made = make(conn, state);
        save(conn, made, "late", 1);
        let expected = if state.is_held() {
            (vec!["late".into()], Some(1))
        } else {
            (vec![], None)
        };
        assert_eq!(saved(conn, made.id), expected, "{state}");
    }
}

#[test]
fn what_was_saved_stays_when_the_job_ends_and_nothing_comes_after() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    save(conn, made, "so far", 7);
    conn.transaction(|conn| ops::force_cancel(conn, None, made.id, &me(), None))
        .unwrap();
    save(conn, made, "a zombie writes", 8);
    assert_eq!(saved(conn, made.id), (vec!["so far".into()], Some(7)));
}

#[test]
fn odd_numbers_and_long_words_are_brought_into_range() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    let row = ProgressRow {
        done: -5,
        total: Some(-1),
        message: Some("é".repeat(500)),
        ..progress(made, 0)
    };
    ops::save_progress(conn, made.worker, &[row]).unwrap();
    let view = query::progress(conn, made.id).unwrap().unwrap();
    assert_eq!((view.done, view.total), (0, Some(0)));
    assert_eq!(view.message, Some("é".repeat(200)));
    let unknown = ProgressRow {
        total: None,
        message: None,
        ..progress(made, 3)
    };
    ops::save_progress(conn, made.worker, &[unknown]).unwrap();
    let view = query::progress(conn, made.id).unwrap().unwrap();
    assert_eq!((view.done, view.total, view.message), (3, None, None));
}

/// A batch of a worker may hold two rows of one job; the latest counts.
#[test]
fn two_rows_of_one_job_in_a_batch_do_not_spoil_it() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    let saved_both = ops::save_progress(conn, made.worker, &[progress(made, 1), progress(made, 2)]);
    assert!(saved_both.is_ok(), "{saved_both:?}");
    let saved_both = ops::save_output(conn, made.worker, &[output(made, "a"), output(made, "b")]);
    assert!(saved_both.is_ok(), "{saved_both:?}");
}

/// A message comes from the job's own code, so it may hold anything.
#[test]
fn a_nul_in_a_message_does_not_spoil_the_batch() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let made = held(conn);
    let row = ProgressRow {
        message: Some("a\0b".into()),
        ..progress(made, 1)
    };
    let saved = ops::save_progress(conn, made.worker, &[row]);
    assert!(saved.is_ok(), "{saved:?}");
}

#[test]
fn a_job_cannot_end_while_its_output_is_being_written() {
    let db = TestDb::new();
    let (mut first, mut conn, mut saving) = (db.conn(), db.conn(), db.conn());
    let worker = register(&mut conn);
    enqueue_n(&mut conn, &new_job(), 2);
    let [slow, ended] = [(); 2].map(|()| {
        let claimed = claim_one(&mut conn, worker);
        Made {
            id: claimed.id,
            worker,
            fence: claimed.fence,
        }
    });
    // Somebody holds the row that output of one job goes to.
    ops::save_output(&mut conn, worker, &[output(slow, "slow")]).unwrap();
    run(&mut first, "begin");
    run(
        &mut first,
        &format!(
            "select from belay.job_output where job = {} for update",
            slow.id
        ),
    );
    let rows = [output(ended, "secret"), output(slow, "slow")];
    let waiting = pid(&mut saving);
    std::thread::scope(|scope| {
        let saved = scope.spawn(|| ops::save_output(&mut saving, worker, &rows));
        until_blocked(&mut db.conn(), waiting);
        run(&mut conn, "set lock_timeout = '50ms'");
        let forced = ops::force_cancel(&mut conn, None, ended.id, &me(), None);
        assert!(matches!(forced, Err(Error::Busy(_))), "{forced:?}");
        run(&mut first, "commit");
        saved.join().unwrap().unwrap();
    });
    ops::force_cancel(&mut conn, None, ended.id, &me(), None).unwrap();
    ops::delete_data(&mut conn, None, ended.id, &me(), None).unwrap();
    assert_eq!(saved(&mut conn, ended.id).0, Vec::<String>::new());
}
