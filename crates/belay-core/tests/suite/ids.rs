//! One job, three spellings: computed alike in the database and in the program, and worthless with the time of another job.

use belay_core::id::{self, JobRef};
use belay_core::{Error, JobState, ops, query};
use belay_testkit::TestDb;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz};

use crate::common::{TENANT, job, make};

#[derive(QueryableByName, PartialEq, Debug)]
struct Spelled {
    #[diesel(sql_type = Text)]
    uid: String,
    #[diesel(sql_type = Text)]
    key: String,
}

#[test]
fn the_database_and_the_program_spell_alike() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let moments = [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000999Z",
        "2026-11-25T04:35:44.123456Z",
        "2026-11-25T04:35:44.999999Z",
        "2038-01-19T03:14:08Z",
        "2106-02-07T06:28:15.999Z",
    ];
    let ids = [
        1,
        9,
        10,
        255,
        256,
        i64::from(i32::MAX),
        1 << 32,
        (1 << 53) + 1,
        (1 << 62) - 1,
    ];
    for moment in moments {
        let at: DateTime<Utc> = moment.parse().unwrap();
        for number in ids {
            let theirs: Spelled = diesel::sql_query(
                "select belay.job_uid($1, $2)::text as uid, belay.job_key($1, $2) as key",
            )
            .bind::<BigInt, _>(number)
            .bind::<Timestamptz, _>(at)
            .get_result(conn)
            .unwrap();
            let ours = Spelled {
                uid: id::uid(number, at).to_string(),
                key: id::key(number, at),
            };
            assert_eq!(theirs, ours, "{number} at {moment}");
            for text in [ours.uid.to_uppercase(), ours.uid, ours.key] {
                let named: JobRef = text.parse().unwrap();
                assert_eq!(named.id, number);
                assert!(named.matches(at), "{text} at {moment}");
            }
        }
    }
}

#[test]
fn a_job_is_found_under_each_of_its_names_in_every_state() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in JobState::ALL {
        let number = make(conn, state).id;
        let stored = job(conn, number);
        let uid = stored.uid().to_string();
        for text in [number.to_string(), uid.to_uppercase(), uid, stored.key()] {
            let named: JobRef = text.parse().unwrap();
            assert_eq!(
                query::get(conn, Some(TENANT), &named).unwrap(),
                stored,
                "{text}"
            );
            assert_eq!(
                query::resolve(conn, Some(TENANT), &named).unwrap(),
                number,
                "{text}"
            );
        }
    }
}

#[test]
fn a_spelling_with_another_time_names_no_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    for state in [JobState::Queued, JobState::Completed] {
        let number = make(conn, state).id;
        let at = job(conn, number).created_at;
        for text in [
            id::uid(number, at + TimeDelta::milliseconds(1)).to_string(),
            id::uid(number, at - TimeDelta::milliseconds(1)).to_string(),
            id::uid(number + 1000, at).to_string(),
            id::key(number, at + TimeDelta::seconds(1)),
            id::key(number, at - TimeDelta::seconds(1)),
            id::key(number + 1000, at),
        ] {
            let named: JobRef = text.parse().unwrap();
            for missing in [
                query::get(conn, None, &named).map(|job| job.id),
                query::resolve(conn, None, &named),
            ] {
                assert!(
                    matches!(missing, Err(Error::Missing { .. })),
                    "{text}: {missing:?}"
                );
            }
        }
    }
}

#[test]
fn a_job_of_another_tenant_is_no_job() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    for state in [JobState::Running, JobState::Failed] {
        let number = make(conn, state).id;
        let stored = job(conn, number);
        for text in [stored.uid().to_string(), stored.key()] {
            let named: JobRef = text.parse().unwrap();
            let resolved = query::resolve(conn, Some(other), &named);
            assert!(
                matches!(resolved, Err(Error::Missing { .. })),
                "{resolved:?}"
            );
        }
        let got = query::get(conn, Some(other), &JobRef::number(number));
        assert!(matches!(got, Err(Error::Missing { .. })), "{got:?}");
    }
    // A number is answered as it is: whoever uses it names the tenant again.
    assert_eq!(
        query::resolve(conn, Some(other), &JobRef::number(5)).unwrap(),
        5
    );
}

#[test]
fn a_tenant_has_a_number_and_a_key() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    ops::create_tenant(conn, "other").unwrap();
    let all = query::tenants(conn).unwrap();
    assert_eq!(
        all.iter()
            .map(|t| (t.id, t.name.as_str()))
            .collect::<Vec<_>>(),
        [(1, "default"), (2, "other")]
    );
    for tenant in all {
        assert_eq!(tenant.key().len(), 24);
        for word in [tenant.name.clone(), tenant.id.to_string(), tenant.key()] {
            assert_eq!(query::find_tenant(conn, &word).unwrap(), tenant, "{word}");
        }
    }
    for word in [
        "nobody",
        "3",
        "0",
        "",
        "a\0",
        "ffffffff0000000000000001",
        "99999999999999999999",
    ] {
        let found = query::find_tenant(conn, word);
        assert!(
            matches!(found, Err(Error::Missing { .. })),
            "{word:?}: {found:?}"
        );
    }
}
