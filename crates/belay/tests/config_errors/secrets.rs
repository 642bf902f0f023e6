//! What is secret is never repeated, and can come from files.

use std::fs;

use belay::config::{Config, Env};

use crate::{error, flags};

#[test]
fn a_secret_header_is_never_repeated() {
    for headers in [
        "\"s3cret\"",
        "{ X = \"s3cret\\n\" }",
        "{ X = \"s3cret\\u0000\", Y = { file = \"/a\", env = \"B\" } }",
        "{ X = \"s3cret\", Y = { value = \"s3cret\" } }",
        "{ X = \"s3cret\", Host = \"s3cret\" }",
        "{ X = \"s3cret\", Y = [\"s3cret\"] }",
    ] {
        let kind = format!(
            "[kinds.hook]\nexecutor = \"http\"\nurl = \"http://h/\"\nheaders = {headers}\n"
        );
        let error = error(&kind, &[]);
        assert!(
            error.contains("kinds.hook.headers") && !error.contains("s3cret"),
            "{error}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let kind =
        "[kinds.hook]\nexecutor = \"http\"\nurl = \"http://h/\"\nheaders = { X = \"s3cret\" }\n";
    let config = Config::load(&flags(&dir, kind), &Env::default()).unwrap();
    let shown = format!("{config:?}");
    assert!(
        shown.contains("headers") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[test]
fn a_password_is_never_repeated() {
    let text = "[database]\nurl = \"hunter2@db\"\npool_size = \"hunter2\"\n";
    for found in [
        error("[database]\nurl = \"hunter2@db\"\n", &[]),
        error("", &[("DATABASE_URL", "hunter2@db")]),
        error("[database]\nurl = { password = \"hunter2\" }\n", &[]),
    ] {
        assert!(!found.contains("hunter2"), "{found}");
    }
    let dir = tempfile::tempdir().unwrap();
    let env: Env = [("DATABASE_URL", "postgres://u:hunter2@db/x")]
        .into_iter()
        .collect();
    let config = Config::load(&flags(&dir, ""), &env).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"), "{text}");
}

#[test]
fn a_secret_can_come_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("url");
    fs::write(&secret, "postgres://u:p@db/x\n").unwrap();
    let env: Env = [
        ("DATABASE_URL_FILE", secret.as_os_str()),
        ("DATABASE_URL", "".as_ref()),
    ]
    .into_iter()
    .collect();
    let config = Config::load(&flags(&dir, ""), &env).unwrap();
    assert_eq!(config.database.url.as_deref(), Some("postgres://u:p@db/x"));
}
