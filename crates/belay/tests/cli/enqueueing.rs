//! `belay enqueue`.

use serde_json::json;

use crate::support::Cli;

#[test]
fn a_job_with_the_defaults_of_its_kind() {
    let cli = Cli::new();
    let job = cli.run(&["enqueue", "noop", "--json"]).exits(0).json();
    assert_eq!(job["state"], "queued");
    assert_eq!(job["queue"], "default");
    assert_eq!(job["priority"], 5);
    assert_eq!(job["max_attempts"], 3);
    assert_eq!(job["payload"], json!({}));
    assert_eq!(job["tenant"], 1);
    assert_eq!(job["cancel"], json!(null));
    let names: Vec<&String> = job.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 21, "{names:?}");
}

#[test]
fn a_job_with_everything() {
    let cli = Cli::new();
    let args = [
        "enqueue",
        "noop",
        "--json",
        "--payload",
        r#"{"to":"x","n":1.50}"#,
        "--queue",
        "mail",
        "--priority",
        "1",
        "--delay",
        "1h",
        "--max-attempts",
        "7",
        "--timeout",
        "90s",
        "--unique-key",
        "k",
    ];
    let job = cli.run(&args).exits(0).json();
    assert_eq!(job["state"], "scheduled");
    assert_eq!(job["queue"], "mail");
    assert_eq!(job["priority"], 1);
    assert_eq!(job["max_attempts"], 7);
    assert_eq!(job["payload"]["to"], "x");
    let again = cli.run(&args).exits(0).json();
    assert_eq!(again["id"], job["id"], "the unique key was used twice");
}

#[test]
fn the_record_names_the_person() {
    let cli = Cli::new();
    let id = cli.enqueue(&["noop"]).to_string();
    let timeline = cli.run(&["job", "timeline", &id, "--json"]).exits(0).json();
    let created = &timeline["events"][0];
    let login = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let login = String::from_utf8(login.stdout).unwrap();
    assert_eq!(created["event"], "created");
    assert_eq!(created["actor"], login.trim());
    assert_eq!(created["interface"], "cli");
}

#[test]
fn the_payload_comes_from_a_file_or_from_standard_input() {
    let cli = Cli::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"from":"file"}"#).unwrap();
    let path = file.path().to_str().unwrap();
    let job = cli
        .run(&["enqueue", "noop", "--json", "--payload-file", path])
        .exits(0)
        .json();
    assert_eq!(job["payload"], json!({"from": "file"}));
    let job = cli
        .run_with_input(
            &["enqueue", "noop", "--json", "--payload-file", "-"],
            r#"{"from":"stdin"}"#,
        )
        .exits(0)
        .json();
    assert_eq!(job["payload"], json!({"from": "stdin"}));
}

#[test]
fn words_for_people() {
    let cli = Cli::new();
    let run = cli.run(&["enqueue", "noop"]).exits(0);
    assert_eq!(run.stdout, "job 1 is queued (kind noop, queue default)\n");
    let run = cli
        .run(&["enqueue", "noop", "--run-at", "2999-01-31T08:00:00Z"])
        .exits(0);
    assert_eq!(
        run.stdout,
        "job 2 is scheduled for 2999-01-31T08:00:00Z (kind noop, queue default)\n"
    );
}

#[test]
fn what_is_wrong_is_refused_with_its_reason() {
    let cli = Cli::new();
    for (args, code, words) in [
        (vec!["enqueue"], 2, "<KIND>"),
        (vec!["enqueue", "nope"], 2, "nope"),
        (vec!["enqueue", "noop", "--payload", "{"], 2, "payload"),
        (
            vec!["enqueue", "noop", "--priority", "10"],
            2,
            "priority is 10",
        ),
        (
            vec!["enqueue", "noop", "--timeout", "1500ms"],
            2,
            "whole number of seconds",
        ),
        (vec!["enqueue", "noop", "--delay", "10"], 2, "10s"),
        (
            vec!["enqueue", "noop", "--payload-file", "/no/such/file"],
            2,
            "/no/such/file",
        ),
        (vec!["enqueue", "noop", "--tenant", "nobody"], 3, "nobody"),
        (
            vec![
                "enqueue",
                "noop",
                "--delay",
                "1s",
                "--run-at",
                "2999-01-31T08:00:00Z",
            ],
            2,
            "cannot be used with",
        ),
    ] {
        let run = cli.run(&args).exits(code);
        assert!(run.stderr.contains(words), "{run:#?}");
        assert_eq!(run.stdout, "");
    }
    let jobs = cli.run(&["jobs", "--json"]).exits(0).json();
    assert_eq!(jobs["jobs"], json!([]));
}

#[test]
fn an_idempotency_key_is_good_for_one_request() {
    let cli = Cli::new();
    let one = cli.enqueue(&["noop", "--idempotency-key", "a"]);
    assert_eq!(cli.enqueue(&["noop", "--idempotency-key", "a"]), one);
    cli.run(&[
        "enqueue",
        "noop",
        "--idempotency-key",
        "a",
        "--priority",
        "1",
    ])
    .exits(1);
}
