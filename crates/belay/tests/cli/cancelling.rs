//! `belay cancel`.

use belay_core::ops::{Rung, Verdict};
use serde_json::{Value, json};

use crate::support::Cli;

fn outcomes(answer: &Value) -> Vec<&str> {
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["outcome"].as_str().unwrap())
        .collect()
}

#[test]
fn one_answer_per_id_in_the_order_asked() {
    let cli = Cli::new();
    let hand = cli.worker();
    let running = cli.enqueue(&["work"]).to_string();
    hand.claim();
    let done = cli.enqueue(&["work"]).to_string();
    let claimed = hand.claim();
    hand.complete(&claimed);
    let queued = cli.enqueue(&["work"]).to_string();
    let run = cli
        .run(&[
            "cancel",
            "--json",
            "--reason",
            "test",
            &done,
            "999",
            &queued,
            &running,
            &queued,
            "00000000-0000-8000-8000-00000000004d",
        ])
        .exits(1);
    let answer = run.json();
    assert_eq!(
        outcomes(&answer),
        [
            "refused",
            "missing",
            "cancelled",
            "cancelling",
            "already",
            "missing"
        ]
    );
    let first = &answer["results"][0];
    assert_eq!(first["was"], "completed");
    assert_eq!(first["state"], "completed");
    assert_eq!(answer["results"][1]["id"], 999);
    assert_eq!(answer["results"][1]["was"], json!(null));
    assert_eq!(
        answer["results"][5]["id"],
        "00000000-0000-8000-8000-00000000004d"
    );
    let job = cli.run(&["job", &queued, "--json"]).exits(0).json();
    assert_eq!(job["state"], "cancelled");
    assert_eq!(job["cancel"]["reason"], "test");
    assert_eq!(job["cancel"]["interface"], "cli");
}

#[test]
fn exit_codes() {
    let cli = Cli::new();
    let id = cli.enqueue(&["work"]).to_string();
    cli.run(&["cancel", "999"]).exits(3);
    cli.run(&["cancel", &id]).exits(0);
    let again = cli.run(&["cancel", &id]).exits(0);
    assert_eq!(
        again.stdout,
        format!("job {id}: it had been cancelled before; it is cancelled\n")
    );
    cli.run(&["cancel"]).exits(2);
    cli.run(&["cancel", "abc"]).exits(2);
    cli.run(&["cancel", &id, "--timeout", "1s"]).exits(2);
    cli.run(&["cancel", &id, "--reason", &"x".repeat(1001)])
        .exits(2);
}

#[test]
fn waiting_tells_how_the_job_ended() {
    let cli = Cli::new();
    let hand = cli.worker();
    let waiting = cli.enqueue(&["work"]).to_string();
    cli.run(&["cancel", "--wait", &waiting]).exits(5);

    let id = cli.enqueue(&["work"]).to_string();
    let claimed = hand.claim();
    let timed_out = cli
        .run(&["cancel", "--wait", "--timeout", "10ms", &id])
        .exits(6);
    assert!(
        timed_out.stdout.contains("was told to stop"),
        "{timed_out:#?}"
    );
    let waiting = cli.spawn(&["cancel", "--wait", "--json", &id]);
    hand.report(
        &claimed,
        Verdict::Stopped {
            rung: Rung::Cooperative,
            cause: "cancel".into(),
        },
    );
    let run: crate::support::Run = waiting.wait_with_output().unwrap().into();
    assert_eq!(run.exits(5).json()["results"][0]["state"], "cancelled");

    let done = cli.enqueue(&["work"]).to_string();
    let claimed = hand.claim();
    hand.complete(&claimed);
    cli.run(&["cancel", "--wait", &done]).exits(0);
    cli.run(&["cancel", "--wait", "999"]).exits(3);
}

#[test]
fn force_does_not_wait_for_the_worker() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli.enqueue(&["work"]).to_string();
    hand.claim();
    let run = cli.run(&["cancel", "--force", &id]).exits(0);
    assert!(
        run.stdout
            .contains(&format!("worker {} may still run its code", hand.id)),
        "{run:#?}"
    );
    let job = cli.run(&["job", &id, "--json"]).exits(0).json();
    assert_eq!(job["state"], "cancelled");
    assert_eq!(job["cancel"]["rung"], "forced");
    let again = cli
        .run(&["cancel", "--force", "--json", &id, "999"])
        .exits(3)
        .json();
    assert_eq!(outcomes(&again), ["already", "missing"]);
}

#[test]
fn jobs_of_other_tenants_are_missing() {
    let cli = Cli::new();
    cli.run(&["tenant", "create", "acme"]).exits(0);
    let id = cli.enqueue(&["work"]).to_string();
    cli.run(&["cancel", "--tenant", "acme", &id]).exits(3);
    cli.run(&["cancel", "--tenant", "acme", "--force", &id])
        .exits(3);
    let job = cli.run(&["job", &id, "--json"]).exits(0).json();
    assert_eq!(job["state"], "queued");
}

#[test]
fn every_spelling_of_an_id_is_taken() {
    let cli = Cli::new();
    for spelling in ["id", "uid", "key"] {
        let job = cli.run(&["enqueue", "work", "--json"]).exits(0).json();
        let words = match &job[spelling] {
            Value::String(words) => words.clone(),
            number => number.to_string(),
        };
        let answer = cli.run(&["cancel", "--json", &words]).exits(0).json();
        assert_eq!(answer["results"][0]["id"], job["id"]);
    }
}

#[test]
fn more_than_one_statement_takes() {
    let cli = Cli::new();
    let id = cli.enqueue(&["work"]).to_string();
    let mut args = vec!["cancel", "--json"];
    args.resize(600, "999999");
    args.push(&id);
    let answer = cli.run(&args).exits(3).json();
    let outcomes = outcomes(&answer);
    assert_eq!(outcomes.len(), 599);
    assert_eq!(outcomes.last(), Some(&"cancelled"));
}
