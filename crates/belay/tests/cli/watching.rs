//! `belay job watch`: what it shows, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;

use belay_core::ops::{self, OutputRow, ProgressRow, Rung, Verdict};
use serde_json::Value;

use crate::support::{Cli, Hand};

/// A watch that is under way, line by line.
struct Watch {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Watch {
    /// Watches, reading standard error, where everything is said that the job did not write.
    fn errors(mut child: Child) -> Self {
        let stream = child.stderr.take().unwrap();
        Self::of(child, stream)
    }

    fn output(mut child: Child) -> Self {
        let stream = child.stdout.take().unwrap();
        Self::of(child, stream)
    }

    fn of(child: Child, stream: impl Read + 'static) -> Self {
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        Self {
            child,
            lines: Box::new(lines),
        }
    }

    /// Waits for the next line.
    fn next(&mut self) -> String {
        self.lines.next().unwrap()
    }

    fn code(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

fn write(cli: &Cli, hand: &Hand, job: &ops::Claimed, stdout: &str) {
    let row = OutputRow {
        job: job.id,
        fence: job.fence,
        attempt: job.attempt,
        stdout: stdout.into(),
        stderr: String::new(),
        stdout_bytes: stdout.len() as i64,
        stderr_bytes: 0,
        exit_code: None,
        signal: None,
        ran_ms: Some(1270),
    };
    cli.db
        .tx(|conn| ops::save_output(conn, hand.id, std::slice::from_ref(&row)))
        .unwrap();
}

fn progress(cli: &Cli, hand: &Hand, job: &ops::Claimed, done: i64) {
    let row = ProgressRow {
        job: job.id,
        fence: job.fence,
        attempt: job.attempt,
        done,
        total: Some(10),
        message: Some("copying".into()),
    };
    cli.db
        .tx(|conn| ops::save_progress(conn, hand.id, std::slice::from_ref(&row)))
        .unwrap();
}

#[test]
fn states_and_progress_are_told_as_they_come() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli.enqueue(&["work"]).to_string();
    let mut watch = Watch::errors(cli.spawn(&["job", "watch", &id]));
    assert_eq!(
        watch.next(),
        format!("belay: job {id} is queued (attempt 0 of 3)")
    );
    let claimed = hand.claim();
    assert_eq!(
        watch.next(),
        format!("belay: job {id} is running (attempt 1 of 3)")
    );
    progress(&cli, &hand, &claimed, 3);
    assert_eq!(watch.next(), "belay: progress 3 of 10: copying");
    hand.fail(&claimed, "no luck");
    assert_eq!(
        watch.next(),
        format!("belay: job {id} is failed (attempt 1 of 3): no luck")
    );
    assert_eq!(watch.code(), 1);
}

#[test]
fn output_is_shown_as_it_comes() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli.enqueue(&["work"]).to_string();
    let claimed = hand.claim();
    let mut watch = Watch::output(cli.spawn(&["job", "watch", &id]));
    write(&cli, &hand, &claimed, "one\n");
    assert_eq!(watch.next(), "one");
    write(&cli, &hand, &claimed, "one\ntwo\n");
    assert_eq!(watch.next(), "two");
    hand.complete(&claimed);
    assert_eq!(watch.lines.next(), None);
    assert_eq!(watch.code(), 0);
}

#[test]
fn programs_get_a_line_per_change() {
    let cli = Cli::new();
    let hand = cli.worker();
    let id = cli.enqueue(&["work"]).to_string();
    let mut watch = Watch::output(cli.spawn(&["job", "watch", &id, "--json"]));
    let mut state = || {
        let job: Value = serde_json::from_str(&watch.next()).unwrap();
        (
            job["state"].as_str().unwrap().to_owned(),
            job["progress"]["done"].clone(),
        )
    };
    assert_eq!(state(), ("queued".into(), Value::Null));
    let claimed = hand.claim();
    assert_eq!(state(), ("running".into(), Value::Null));
    progress(&cli, &hand, &claimed, 4);
    assert_eq!(state(), ("running".into(), 4.into()));
    cli.run(&["cancel", &id]).exits(0);
    assert_eq!(state(), ("cancelling".into(), 4.into()));
    let rung = Rung::Term;
    let cause = "cancel".into();
    hand.report(&claimed, Verdict::Stopped { rung, cause });
    assert_eq!(state(), ("cancelled".into(), 4.into()));
    assert_eq!(watch.code(), 5);
}

#[test]
fn a_watch_can_be_limited() {
    let cli = Cli::new();
    let id = cli.enqueue(&["work"]).to_string();
    let run = cli
        .run(&["job", "watch", &id, "--timeout", "10ms"])
        .exits(6);
    assert!(
        run.stderr
            .ends_with(&format!("job {id} has not ended yet\n"))
    );
    cli.run(&["job", "watch", "999"]).exits(3);
}
