//! Tenants and API keys: names that are allowed, a key that is shown once, and its end.

use belay_core::Error;
use belay_core::ops::{self, NewKey};
use belay_core::query;
use belay_testkit::TestDb;
use chrono::{TimeDelta, Utc};

use crate::common::{count, me, run, text};

fn key(name: &str) -> NewKey {
    NewKey {
        name: name.into(),
        scopes: vec!["jobs:read".into(), "jobs:write".into()],
        tenants: Some(vec![1]),
        expires_at: None,
    }
}

#[test]
fn a_key_is_found_by_what_was_shown_once_and_is_not_stored() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (id, token) = ops::create_key(conn, &key("robot@ci"), &me()).unwrap();
    let (_, other) = ops::create_key(
        conn,
        &NewKey {
            tenants: None,
            ..key("another")
        },
        &me(),
    )
    .unwrap();
    assert_ne!(token, other);
    assert_eq!(token.len(), "belay_".len() + 48);
    let found = query::find_key(conn, &token).unwrap().unwrap();
    assert_eq!(
        (found.id, found.name.as_str(), found.created_by.as_str()),
        (id, "robot@ci", "tester")
    );
    assert_eq!(
        (found.scopes, found.tenants),
        (key("").scopes, Some(vec![1]))
    );
    assert_eq!(
        query::find_key(conn, &other).unwrap().unwrap().tenants,
        None
    );
    let stored = text(conn, "select string_agg(k::text, ' ') from belay.api_key k");
    assert!(!stored.contains(&token[6..]), "{stored}");
    for wrong in [
        "",
        "belay_",
        &token[..token.len() - 1],
        &token.to_uppercase(),
        &format!("{token} "),
        "\0",
    ] {
        assert_eq!(query::find_key(conn, wrong).unwrap(), None, "{wrong:?}");
    }
}

#[test]
fn a_key_ends_when_it_is_revoked_or_its_time_is_over() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let now = Utc::now();
    let soon = NewKey {
        expires_at: Some(now + TimeDelta::hours(1)),
        ..key("soon")
    };
    let (_, token) = ops::create_key(conn, &soon, &me()).unwrap();
    let found = query::find_key(conn, &token).unwrap().unwrap();
    assert!(found.is_valid(now) && !found.is_valid(now + TimeDelta::hours(2)));

    let (_, token) = ops::create_key(conn, &key("k"), &me()).unwrap();
    assert!(
        query::find_key(conn, &token)
            .unwrap()
            .unwrap()
            .is_valid(now)
    );
    assert!(ops::revoke_key(conn, "k").unwrap());
    let revoked = query::find_key(conn, &token).unwrap().unwrap();
    assert!(!revoked.is_valid(now));
    run(
        conn,
        "update belay.api_key set revoked_at = '2026-01-01' where name = 'k'",
    );
    assert!(ops::revoke_key(conn, "k").unwrap(), "again");
    let again = query::find_key(conn, &token).unwrap().unwrap();
    assert!(
        again.revoked_at < revoked.revoked_at,
        "the first time stays"
    );
    assert!(!ops::revoke_key(conn, "nobody").unwrap());
    let names: Vec<String> = query::keys(conn)
        .unwrap()
        .into_iter()
        .map(|key| key.name)
        .collect();
    assert_eq!(names, ["soon", "k"]);
}

#[test]
fn names_are_checked_and_taken_once() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let long = "n".repeat(101);
    for name in ["", "-x", "a b", "a\n", &long] {
        let refused = ops::create_key(conn, &key(name), &me());
        assert!(
            matches!(&refused, Err(Error::Invalid { field: "name", .. })),
            "{name:?}: {refused:?}"
        );
        let refused = ops::create_tenant(conn, name);
        assert!(
            matches!(&refused, Err(Error::Invalid { field: "name", .. })),
            "{name:?}: {refused:?}"
        );
    }
    // What could be taken for a number or an id of a tenant.
    for name in [
        "2",
        "6b065cb0000000000000004d",
        "01a210da-1086-8000-8000-00000000004D",
    ] {
        let refused = ops::create_tenant(conn, name);
        assert!(
            matches!(&refused, Err(Error::Invalid { field: "name", message }) if message.contains("looks like")),
            "{name:?}: {refused:?}"
        );
    }
    ops::create_key(conn, &key("k"), &me()).unwrap();
    let taken = ops::create_key(conn, &key("k"), &me());
    assert!(
        matches!(&taken, Err(Error::Conflict { message }) if message.contains("\"k\"")),
        "{taken:?}"
    );
    let taken = ops::create_tenant(conn, "default");
    assert!(
        matches!(&taken, Err(Error::Conflict { message }) if message.contains("\"default\"")),
        "{taken:?}"
    );
    assert_eq!(count(conn, "select count(*) from belay.api_key"), 1);
    assert_eq!(count(conn, "select count(*) from belay.tenant"), 1);
}

/// A NUL cannot be stored, and is the caller's mistake and not the database's.
#[test]
fn a_nul_in_a_name_is_refused_as_a_name() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let refused = ops::create_key(conn, &key("a\0"), &me());
    assert!(
        matches!(&refused, Err(Error::Invalid { field: "name", .. })),
        "{refused:?}"
    );
    let refused = ops::create_tenant(conn, "a\0");
    assert!(
        matches!(&refused, Err(Error::Invalid { field: "name", .. })),
        "{refused:?}"
    );
}
