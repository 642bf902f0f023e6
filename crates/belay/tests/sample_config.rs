//! The annotated sample tells the truth: it parses, every default in it is the real one, and no setting is missing.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use belay::config::{Config, ConfigError, Env, Flags};

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/belay.toml");
    fs::read_to_string(path).unwrap()
}

/// The sample with its settings switched on: those `wanted` says, by line.
fn switched_on(wanted: impl Fn(&str) -> bool) -> String {
    sample()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if is_setting(rest) && wanted(line) => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
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

fn is_of_kind(line: &str) -> bool {
    let sample = sample();
    let kinds = sample.find("#[kinds.report]").unwrap();
    sample.find(line).unwrap() >= kinds
}

#[test]
fn as_it_stands_it_changes_nothing() {
    assert_eq!(load(&sample()).unwrap(), defaults());
}

#[test]
fn every_default_it_shows_is_the_real_one() {
    let text = switched_on(|line| !line.contains("(not set)") && !is_of_kind(line));
    assert!(
        text.contains("\npool_size = 16\n"),
        "nothing is switched on"
    );
    assert_eq!(load(&text).unwrap(), defaults());
}

#[test]
fn every_default_of_a_kind_is_the_real_one() {
    let minimal = "[kinds.report]\nexecutor = \"command\"\nargv = [\"/usr/local/bin/make-report\", \"--verbose\"]\n[kinds.mail]\nexecutor = \"remote\"\n";
    let text = switched_on(|line| !line.contains("(not set)") && is_of_kind(line));
    assert!(text.contains("\ngrace = "), "nothing is switched on");
    assert_eq!(load(&text).unwrap(), load(minimal).unwrap());
}

#[test]
fn every_example_is_accepted() {
    let config = load(&switched_on(|_| true)).unwrap();
    assert_eq!(config.worker.name.as_deref(), Some("node-1"));
    assert_eq!(config.kinds.len(), 2);
    assert_eq!(config.ingest.objects.len(), 1);
}

/// An unknown member is answered with the names of all known ones, which is the list to compare with.
#[test]
fn no_setting_is_missing() {
    let sample = switched_on(|_| true);
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
        "kinds.mail",
    ] {
        let header = if section.is_empty() {
            String::new()
        } else {
            format!("[{section}]\n")
        };
        // What runs a kind decides which members it has.
        let runs = if section == "kinds.mail" {
            "executor = \"remote\"\n"
        } else if section.starts_with("kinds.") {
            "executor = \"command\"\nargv = [\"x\"]\n"
        } else {
            ""
        };
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
