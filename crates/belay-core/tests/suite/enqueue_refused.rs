//! Enqueue: values that are refused, by name, before anything is stored; and the values that are just not.

use belay_core::Error;
use belay_core::ops::{self, NewJob};
use belay_testkit::TestDb;
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::common::{TENANT, count, enqueue, job, me, new_job, new_with};

#[track_caller]
fn refused_field(conn: &mut PgConnection, job: &NewJob) -> (&'static str, String) {
    match ops::enqueue(conn, TENANT, job, None, false, &me()) {
        Err(Error::Invalid { field, message }) => (field, message),
        other => panic!("{job:?} was answered by {other:?}"),
    }
}

#[test]
fn wrong_members_are_refused_by_name_and_leave_nothing() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let long = "q".repeat(101);
    let cases = [
        (
            "kind",
            NewJob::new("unheard-of"),
            "unknown kind \"unheard-of\"",
        ),
        ("kind", NewJob::new(""), "unknown kind"),
        ("kind", NewJob::new("a\0b"), "NUL"),
        (
            "queue",
            new_with(|job| job.queue = Some(String::new())),
            "queue name \"\"",
        ),
        (
            "queue",
            new_with(|job| job.queue = Some("-x".into())),
            "queue name \"-x\"",
        ),
        (
            "queue",
            new_with(|job| job.queue = Some("a b".into())),
            "queue name \"a b\"",
        ),
        (
            "queue",
            new_with(|job| job.queue = Some("a\n".into())),
            "queue name",
        ),
        ("queue", new_with(|job| job.queue = Some(long)), "1 to 100"),
        (
            "queue",
            new_with(|job| job.queue = Some("a\0".into())),
            "NUL",
        ),
        (
            "priority",
            new_with(|job| job.priority = Some(10)),
            "priority is 10",
        ),
        (
            "priority",
            new_with(|job| job.priority = Some(-1)),
            "priority is -1",
        ),
        (
            "max_attempts",
            new_with(|job| job.max_attempts = Some(0)),
            "max_attempts is 0",
        ),
        (
            "max_attempts",
            new_with(|job| job.max_attempts = Some(1001)),
            "max_attempts is 1001",
        ),
        (
            "timeout_s",
            new_with(|job| job.timeout_s = Some(0)),
            "timeout_s is 0",
        ),
        (
            "timeout_s",
            new_with(|job| job.timeout_s = Some(31_536_001)),
            "timeout_s is 31536001",
        ),
        (
            "unique_key",
            new_with(|job| job.unique_key = Some(String::new())),
            "1 to 255",
        ),
        (
            "unique_key",
            new_with(|job| job.unique_key = Some("k".repeat(256))),
            "256 characters",
        ),
        (
            "unique_key",
            new_with(|job| job.unique_key = Some("\0".into())),
            "NUL",
        ),
        (
            "payload",
            NewJob {
                payload: "{".into(),
                ..new_job()
            },
            "not acceptable as JSON",
        ),
        (
            "payload",
            new_with(|job| job.payload = String::new()),
            "not acceptable as JSON",
        ),
        (
            "payload",
            NewJob {
                payload: r#"{"a": 1, "a": 2}"#.into(),
                ..new_job()
            },
            "twice",
        ),
        (
            "payload",
            new_with(|job| job.payload = r#"["\u0000"]"#.into()),
            "NUL",
        ),
    ];
    for (field, new, part) in cases {
        let (said, message) = refused_field(conn, &new);
        assert_eq!(said, field, "{message}");
        assert!(message.contains(part), "{field}: {message}");
    }
    let nobody = ops::enqueue(conn, 99, &new_job(), None, false, &me());
    assert!(
        matches!(&nobody, Err(Error::Invalid { field: "tenant", message }) if message.contains("unknown tenant 99")),
        "{nobody:?}"
    );
    assert_eq!(count(conn, "select count(*) from belay.job"), 0);
    assert_eq!(count(conn, "select count(*) from belay.line"), 0);
}

/// JSON allows numbers of any size; the database does not.
#[test]
fn a_number_that_the_database_cannot_hold_is_refused_as_a_payload() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for payload in ["1e-20000", "[1e400]", "-1e999999"] {
        let (field, message) = refused_field(conn, &new_with(|job| job.payload = payload.into()));
        assert_eq!(field, "payload", "{payload}: {message}");
    }
}

/// The limit is one on the text that the caller sends, whatever form the database stores it in and whichever way it goes in.
#[test]
fn a_payload_of_one_mebibyte_is_accepted_and_one_byte_more_is_not() {
    const MIB: usize = 1_048_576;
    let db = TestDb::new();
    let conn = &mut db.conn();
    let text = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    let numbers = format!("[{}1]", "1,".repeat(MIB / 2 - 2));
    let objects = format!("[{}{{}}]", "{},".repeat(MIB / 3 - 2));
    let mut refused = Vec::new();
    for (what, payload) in [
        ("string", text(MIB)),
        ("numbers", numbers),
        ("objects", objects),
    ] {
        assert!(payload.len() <= MIB);
        let new = NewJob {
            payload,
            queue: Some(what.into()),
            ..new_job()
        };
        // The first job of a line takes another way than the next ones.
        for way in ["first of its line", "next in its line"] {
            if let Err(error) = ops::enqueue(conn, TENANT, &new, None, false, &me()) {
                refused.push(format!("{what}, {way}: {error}"));
            }
            enqueue(conn, &new_with(|job| job.queue = Some(what.into())));
        }
        if let Err(error) = ops::enqueue_many(conn, TENANT, std::slice::from_ref(&new), &me()) {
            refused.push(format!("{what}, many: {error}"));
        }
    }
    assert_eq!(refused, Vec::<String>::new());
    let new = new_with(|job| job.payload = text(MIB + 1));
    let (field, message) = refused_field(conn, &new);
    assert_eq!(field, "payload");
    assert!(message.contains("1048577"), "{message}");
}

/// Whatever time is accepted can be read again, alone and in a list.
#[test]
fn a_time_at_the_edge_of_the_calendar_is_stored_or_refused() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for at in [
        DateTime::<Utc>::MAX_UTC,
        DateTime::<Utc>::MIN_UTC,
        DateTime::<Utc>::UNIX_EPOCH,
    ] {
        let new = new_with(|job| job.run_at = Some(at));
        match ops::enqueue(conn, TENANT, &new, None, false, &me()) {
            Ok(made) => {
                job(conn, made.id);
            }
            Err(Error::Invalid { field, .. }) => assert_eq!(field, "run_at"),
            Err(other) => panic!("run_at {at} was answered by {other:?}"),
        }
    }
}
