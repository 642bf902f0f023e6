//! `belay jobs` and `belay job get|timeline|output`.

use belay_core::ops::{self, OutputRow};

use crate::support::Cli;

fn ids(list: &serde_json::Value) -> Vec<i64> {
    list["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_i64().unwrap())
        .collect()
}

#[test]
fn lists_newest_first_by_every_filter() {
    let cli = Cli::new();
    let hand = cli.worker();
    cli.run(&["tenant", "create", "acme"]).exits(0);
    let done = cli.enqueue(&["work"]);
    let claimed = hand.claim();
    hand.complete(&claimed);
    let mail = cli.enqueue(&["work", "--queue", "mail"]);
    let later = cli.enqueue(&["noop", "--delay", "1h"]);
    let acme = cli.enqueue(&["noop", "--tenant", "acme"]);
    for (args, expected) in [
        (vec![], vec![acme, later, mail, done]),
        (vec!["--state", "completed"], vec![done]),
        (vec!["--state", "completed,scheduled"], vec![later, done]),
        (vec!["--queue", "mail"], vec![mail]),
        (vec!["--kind", "noop"], vec![acme, later]),
        (vec!["--tenant", "acme"], vec![acme]),
        (vec!["--limit", "2"], vec![acme, later]),
        (vec!["--before", "3"], vec![mail, done]),
        (vec!["--state", "failed"], vec![]),
    ] {
        let args = [vec!["jobs", "--json"], args].concat();
        let list = cli.run(&args).exits(0).json();
        assert_eq!(ids(&list), expected, "{args:?}");
    }
    cli.run(&["jobs", "--state", "lost"]).exits(2);
    cli.run(&["jobs", "--limit", "0"]).exits(2);
}

#[test]
fn a_list_longer_than_a_page_is_whole() {
    let cli = Cli::new();
    let job = ops::NewJob::new("noop");
    let actor = ops::Actor::new("test", ops::Via::Native);
    cli.db
        .tx(|conn| ops::enqueue_many(conn, 1, &vec![job.clone(); 620], &actor))
        .unwrap();
    let list = cli
        .run(&["jobs", "--json", "--limit", "610"])
        .exits(0)
        .json();
    let found = ids(&list);
    assert_eq!(found.len(), 610);
    assert!(found.windows(2).all(|pair| pair[0] > pair[1]));
    assert_eq!(list["next"], found[609].to_string());
    let list = cli
        .run(&["jobs", "--json", "--limit", "700"])
        .exits(0)
        .json();
    assert_eq!(ids(&list).len(), 620);
    assert_eq!(list["next"], serde_json::Value::Null);
}

#[test]
fn tables_for_people() {
    let cli = Cli::new();
    let empty = cli.run(&["jobs"]).exits(0);
    assert_eq!(empty.stdout, "no jobs\n");
    cli.enqueue(&["noop"]);
    let table = cli.run(&["jobs"]).exits(0);
    let words: Vec<Vec<&str>> = table
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(words[0][..4], ["ID", "STATE", "KIND", "QUEUE"]);
    assert_eq!(
        words[1][..6],
        ["1", "queued", "noop", "default", "5", "0/3"]
    );
}

#[test]
fn a_job_as_words() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli.enqueue(&["work"]).to_string();
    let claimed = hand.claim();
    hand.fail(&claimed, "disk \u{1b}[31mfull");
    let by_get = cli.run(&["job", "get", &id]).exits(0);
    let by_id = cli.run(&["job", &id]).exits(0);
    assert_eq!(by_get.stdout, by_id.stdout);
    assert!(by_id.stdout.contains("state       failed\n"), "{by_id:#?}");
    assert!(
        by_id.stdout.contains("error       disk \u{fffd}[31mfull\n"),
        "{by_id:#?}"
    );
    cli.run(&["job", "999"]).exits(3);
    cli.run(&["job"]).exits(2);
    cli.run(&["job", "frobnicate"]).exits(2);
}

#[test]
fn the_life_of_a_job() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli.enqueue(&["work"]).to_string();
    let claimed = hand.claim();
    cli.run(&["cancel", &id, "--reason", "enough"]).exits(0);
    hand.complete(&claimed);
    let timeline = cli.run(&["job", "timeline", &id, "--json"]).exits(0).json();
    assert_eq!(timeline["id"].to_string(), id);
    let events: Vec<&str> = timeline["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        events,
        ["created", "claimed", "cancel_requested", "cancelled"]
    );
    assert_eq!(timeline["events"][2]["reason"], "enough");
    let table = cli.run(&["job", "timeline", &id]).exits(0);
    assert!(table.stdout.contains("running > cancelling"), "{table:#?}");
}

#[test]
fn output_goes_where_the_job_sent_it() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli.enqueue(&["work"]).to_string();
    let quiet = cli.run(&["job", "output", &id]).exits(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let claimed = hand.claim();
    let row = OutputRow {
        job: claimed.id,
        fence: claimed.fence,
        attempt: 1,
        stdout: "tail\n".into(),
        stderr: "oops\n".into(),
        stdout_bytes: 105,
        stderr_bytes: 5,
        exit_code: Some(3),
        signal: None,
        ran_ms: Some(1270),
    };
    cli.db
        .tx(|conn| ops::save_output(conn, hand.id, std::slice::from_ref(&row)))
        .unwrap();
    let shown = cli.run(&["job", &id]).exits(0);
    let ended = "attempt 1 exited with code 3 after 1.3 s";
    assert!(shown.stdout.contains(ended), "{shown:#?}");
    let run = cli.run(&["job", "output", &id]).exits(0);
    assert_eq!(run.stdout, "tail\n");
    assert_eq!(
        run.stderr,
        "oops\nbelay: the first 100 bytes of standard output were not kept\n"
    );
    let json = cli.run(&["job", "output", &id, "--json"]).exits(0).json();
    assert_eq!(json["attempts"][0]["exit_code"], 3);
    assert_eq!(json["attempts"][0]["attempt"], 1);
    cli.run(&["job", "output", &id, "--attempt", "1"]).exits(0);
    cli.run(&["job", "output", &id, "--attempt", "2"]).exits(3);
}
