//! The annotated sample tells the truth: it parses, every default in it is the real one, and no setting is missing.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use belay::config::{Config, ConfigError, Env, Flags};

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/belay.toml");
    fs::read_to_string(path).unwrap()
}

/// The sample with its settings switched on: those `wanted` says, by section and line.
fn switched_on(wanted: impl Fn(&str, &str) -> bool) -> String {
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in sample().lines() {
        let setting = line.strip_prefix('#').filter(|rest| is_setting(rest));
        if let Some(name) = setting.unwrap_or(line).strip_prefix('[') {
            section = name.split(']').next().unwrap().to_owned();
        }
        let line = match setting {
            Some(setting) if wanted(&section, line) => setting,
            _ => line,
        };
        lines.push(line.to_owned());
    }
    lines.join("\n")
}

fn is_setting(text: &str) -> bool {
    text.starts_with('[')
        || text.split_once(" = ").is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
}

fn load(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("belay.toml");
    fs::write(&file, text).unwrap();
    let flags = Flags {
        config: Some(file),
        data_dir: Some(PathBuf::from("/data")),
        ..Flags::default()
    };
    Config::load(&flags, &Env::default())
}

/// The configuration when nothing is configured.
fn defaults() -> Config {
    load("").unwrap()
}

/// The kinds of the sample, with what they cannot do without.
const KINDS: [(&str, &str); 4] = [
    (
        "kinds.report",
        "executor = \"command\"\nargv = [\"/usr/local/bin/make-report\", \"--verbose\"]\n",
    ),
    (
        "kinds.webhook",
        "executor = \"http\"\nurl = \"https://hooks.example/jobs/{uid}?to={payload.to}\"\n",
    ),
    (
        "kinds.rollup",
        "executor = \"sql\"\ndatabase_url = \"postgres://rollup:secret@db.example/app\"\nstatement = \"insert into totals select $1::bigint, sum(amount) from orders where customer = $1::bigint and day = $2::date\"\nparams = [\"/customer/id\", \"day\"]\n",
    ),
    ("kinds.mail", "executor = \"remote\"\n"),
];

fn is_default(line: &str) -> bool {
    !line.contains("(not set)")
}

#[test]
fn as_it_stands_it_changes_nothing() {
    assert_eq!(load(&sample()).unwrap(), defaults());
}

#[test]
fn every_default_it_shows_is_the_real_one() {
    let text = switched_on(|section, line| is_default(line) && !section.starts_with("kinds."));
    assert!(
        text.contains("\npool_size = 16\n"),
        "nothing is switched on"
    );
    assert_eq!(load(&text).unwrap(), defaults());
}

#[test]
fn every_default_of_a_kind_is_the_real_one() {
    for (kind, needs) in KINDS {
        let text = switched_on(|section, line| is_default(line) && section == kind);
        assert!(text.contains("\ngrace = "), "nothing is switched on");
        let minimal = format!("[{kind}]\n{needs}");
        assert_eq!(load(&text).unwrap(), load(&minimal).unwrap());
        let longer = format!("{minimal}grace = \"11s\"\n");
        assert_ne!(load(&text).unwrap(), load(&longer).unwrap());
    }
}

#[test]
fn every_example_is_accepted() {
    let config = load(&switched_on(|_, _| true)).unwrap();
    assert_eq!(config.worker.name.as_deref(), Some("node-1"));
    assert_eq!(config.kinds.len(), KINDS.len());
    assert_eq!(config.ingest.objects.len(), 1);
}

/// An unknown member is answered with the names of all known ones, which is the list to compare with.
#[test]
fn no_setting_is_missing() {
    let sample = switched_on(|_, _| true);
    for section in [
        "",
        "database",
        "http",
        "log",
        "worker",
        "retention",
        "ingest",
        "ingest.objects.contacts",
        "kinds.report",
        "kinds.webhook",
        "kinds.rollup",
        "kinds.mail",
    ] {
        let header = if section.is_empty() {
            String::new()
        } else {
            format!("[{section}]\n")
        };
        // What runs a kind decides which members it has.
        let runs = KINDS
            .iter()
            .find(|(kind, _)| *kind == section)
            .map_or("", |(_, needs)| needs);
        let error = load(&format!("{header}{runs}no_such_setting = 1\n"))
            .unwrap_err()
            .to_string();
        let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert!(known.len() >= 2, "{error}");
        let begin = sample.find(header.trim_end()).unwrap();
        let part = &sample[begin + header.trim_end().len()..];
        // A section ends where the next begins.
        let part = part.split("\n[").next().unwrap();
        for name in known {
            let below = if section.is_empty() {
                name.to_owned()
            } else {
                format!("{section}.{name}")
            };
            let there =
                part.contains(&format!("\n{name} = ")) || sample.contains(&format!("[{below}"));
            assert!(
                there,
                "{name:?} of section {section:?} is not in the sample"
            );
        }
    }
}
