//! `belay key` and `belay tenant`.

use belay_core::query;
use serde_json::json;

use crate::support::Cli;

#[test]
fn a_key_is_printed_once_and_works() {
    let cli = Cli::new();
    let made = cli
        .run(&[
            "key",
            "create",
            "--name",
            "ci",
            "--tenant",
            "default",
            "--scope",
            "read,write",
            "--scope",
            "jobs:read",
            "--expires",
            "90d",
            "--json",
        ])
        .exits(0)
        .json();
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with("belay_"));
    assert_eq!(made["scopes"], json!(["read", "write", "jobs:read"]));
    assert_eq!(made["tenants"], json!([1]));
    let found = cli
        .db
        .read(|conn| query::find_key(conn, secret))
        .unwrap()
        .unwrap();
    assert_eq!(found.name, "ci");
    assert!(found.expires_at.is_some());

    let listed = cli.run(&["key", "list", "--json"]).exits(0);
    assert!(!listed.stdout.contains(secret));
    assert_eq!(listed.json()["keys"][0]["name"], "ci");
    let table = cli.run(&["key", "list"]).exits(0);
    assert!(table.stdout.contains("valid"), "{table:#?}");
}

#[test]
fn without_json_the_key_stands_alone_on_standard_output() {
    let cli = Cli::new();
    let run = cli
        .run(&["key", "create", "--scope", "admin", "--all-tenants"])
        .exits(0);
    let secret = run.stdout.trim_end();
    assert!(
        secret.starts_with("belay_") && !secret.contains(char::is_whitespace),
        "{run:#?}"
    );
    assert!(run.stderr.contains("not shown again"), "{run:#?}");
}

#[test]
fn keys_without_a_name_get_different_ones() {
    let cli = Cli::new();
    let name = || {
        let made = cli.run(&[
            "key",
            "create",
            "--scope",
            "read",
            "--all-tenants",
            "--json",
        ]);
        made.exits(0).json()["name"].as_str().unwrap().to_owned()
    };
    assert_ne!(name(), name());
}

#[test]
fn a_revoked_key_is_no_good_any_more() {
    let cli = Cli::new();
    cli.run(&[
        "key",
        "create",
        "--name",
        "ci",
        "--scope",
        "read",
        "--all-tenants",
    ])
    .exits(0);
    cli.run(&[
        "key",
        "create",
        "--name",
        "ci",
        "--scope",
        "read",
        "--all-tenants",
    ])
    .exits(1);
    cli.run(&["key", "revoke", "ci"]).exits(0);
    cli.run(&["key", "revoke", "ci"]).exits(0);
    let table = cli.run(&["key", "list"]).exits(0);
    assert!(table.stdout.contains("revoked"), "{table:#?}");
    cli.run(&["key", "revoke", "nobody"]).exits(3);
}

#[test]
fn what_is_wrong_with_a_key_is_said() {
    let cli = Cli::new();
    for (args, code, words) in [
        (vec!["key", "create", "--all-tenants"], 2, "--scope"),
        (vec!["key", "create", "--scope", "read"], 2, "--tenant"),
        (
            vec!["key", "create", "--scope", "everything", "--all-tenants"],
            2,
            "the scopes are read, write, admin",
        ),
        (
            vec!["key", "create", "--scope", "read", "--tenant", "nobody"],
            3,
            "nobody",
        ),
        (
            vec![
                "key",
                "create",
                "--scope",
                "read",
                "--all-tenants",
                "--name",
                "a b",
            ],
            2,
            "a b",
        ),
    ] {
        let run = cli.run(&args).exits(code);
        assert!(run.stderr.contains(words), "{run:#?}");
    }
}

#[test]
fn tenants() {
    let cli = Cli::new();
    let made = cli
        .run(&["tenant", "create", "acme", "--json"])
        .exits(0)
        .json();
    assert_eq!(made["id"], 2);
    assert_eq!(made["name"], "acme");
    let key = made["key"].as_str().unwrap();
    assert_eq!(key.len(), 24);
    for word in ["acme", "2", key] {
        let job = cli
            .run(&["enqueue", "noop", "--tenant", word, "--json"])
            .exits(0)
            .json();
        assert_eq!(job["tenant"], 2);
    }
    let list = cli.run(&["tenant", "list", "--json"]).exits(0).json();
    assert_eq!(list["tenants"][0]["name"], "default");
    assert_eq!(list["tenants"][1], made);
    cli.run(&["tenant", "create", "acme"]).exits(1);
    cli.run(&["tenant", "create", "a b"]).exits(2);
    let table = cli.run(&["tenant", "list"]).exits(0);
    assert_eq!(table.stdout.lines().count(), 3, "{table:#?}");
}
