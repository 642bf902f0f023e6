//! `belay job retry|suspend|resume|start|delete-data`.

use serde_json::json;

use crate::support::Cli;

#[test]
fn retry_makes_a_new_job() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli
        .enqueue(&["work", "--payload", r#"{"a":1}"#])
        .to_string();
    cli.run(&["job", "retry", &id]).exits(1);
    let claimed = hand.claim();
    hand.fail(&claimed, "no luck");
    let job = cli
        .run(&["job", "retry", &id, "--reason", "again", "--json"])
        .exits(0)
        .json();
    assert_eq!(job["retry_of"].to_string(), id);
    assert_eq!(job["payload"], json!({"a": 1}));
    assert_eq!(job["state"], "queued");
    cli.run(&["job", "retry", "999"]).exits(3);
}

#[test]
fn suspend_and_resume() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli.enqueue(&["work"]).to_string();
    cli.run(&["job", "suspend", &id]).exits(1);
    hand.claim();
    let answer = cli.run(&["job", "suspend", &id, "--json"]).exits(0).json();
    assert_eq!(answer["was"], "running");
    assert_eq!(answer["state"], "suspended");
    let again = cli.run(&["job", "suspend", &id]).exits(0);
    assert_eq!(
        again.stdout,
        format!("job {id}: it was suspended already\n")
    );
    let answer = cli.run(&["job", "resume", &id, "--json"]).exits(0).json();
    assert_eq!(answer["was"], "suspended");
    assert_eq!(answer["state"], "running");
}

#[test]
fn start_now() {
    let cli = Cli::new();
    let id = cli.enqueue(&["work", "--delay", "1h"]).to_string();
    let answer = cli.run(&["job", "start", &id, "--json"]).exits(0).json();
    assert_eq!(answer["was"], "scheduled");
    assert_eq!(answer["state"], "queued");
    let run = cli.run(&["job", "start", &id]).exits(0);
    assert_eq!(run.stdout, format!("job {id}: it was queued already\n"));
}

#[test]
fn deleted_data_is_gone_and_the_job_stays() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli
        .enqueue(&["work", "--payload", r#"{"secret":1}"#])
        .to_string();
    let refused = cli.run(&["job", "delete-data", &id]).exits(1);
    assert!(refused.stderr.contains("cancel it first"), "{refused:#?}");
    let claimed = hand.claim();
    hand.complete(&claimed);
    cli.run(&["job", "delete-data", &id]).exits(0);
    let job = cli.run(&["job", &id, "--json"]).exits(0).json();
    assert_eq!(job["payload"], json!({}));
    assert_eq!(job["state"], "completed");
    let words = cli.run(&["job", &id]).exits(0);
    assert!(words.stdout.contains("payload     deleted"), "{words:#?}");
    let timeline = cli.run(&["job", "timeline", &id]).exits(0);
    assert!(timeline.stdout.contains("data_deleted"), "{timeline:#?}");
}

#[test]
fn the_tenant_limits_every_change() {
    let cli = Cli::new();
    cli.run(&["tenant", "create", "acme"]).exits(0);
    let id = cli.enqueue(&["work"]).to_string();
    for verb in [
        "get",
        "watch",
        "timeline",
        "output",
        "retry",
        "suspend",
        "resume",
        "start",
        "delete-data",
    ] {
        let run = cli.run(&["job", verb, &id, "--tenant", "acme"]).exits(3);
        assert_eq!(
            run.stderr,
            format!("belay: there is no job {id}\n"),
            "{verb}"
        );
    }
}
