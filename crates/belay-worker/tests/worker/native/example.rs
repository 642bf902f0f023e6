//! The example is a program as a user would write it. It is built with the tests and run as a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use belay_core::JobState;
use belay_testkit::eventually;
use rustix::process::{Pid, Signal, kill_process};

use super::{job, outputs, rung};
use crate::support::{Bench, PATIENCE, config, end};

struct Program {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Program {
    fn start(bench: &Bench) -> Self {
        // Beside the folder of the tests, where cargo builds it.
        let tests = std::env::current_exe().unwrap();
        let path = tests.ancestors().nth(2).unwrap().join("examples/native");
        assert!(
            path.exists(),
            "{} is missing: cargo build -p belay-worker --example native",
            path.display()
        );
        let mut child = Command::new(path)
            .arg(bench.test.url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut program = Self {
            child,
            lines: Box::new(lines.map_while(Result::ok)),
        };
        // With a part of the tests alone cargo does not build it anew.
        let ready = program.lines.next().expect(
            "it did not start; when it is older than the tests: cargo build -p belay-worker --example native",
        );
        assert!(ready.ends_with(" is ready"), "{ready}");
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_example_runs_jobs_is_stopped_and_ends_in_good_order() {
    let bench = Bench::new();
    let mut program = Program::start(&bench);
    // Somebody has to see to retries.
    let daemon = bench.start(config());

    let counted = bench.enqueue(&job("count", r#"{"to": 3}"#));
    bench.until(counted, JobState::Completed);
    let output = outputs(&bench, counted).pop().unwrap();
    assert_eq!(output.stdout, "1 of 3\n2 of 3\n3 of 3\n");

    let missing = bench.enqueue(&job("read", "\"/nowhere/at/all\""));
    let failed = bench.until(missing, JobState::Failed);
    assert_eq!(failed.attempt, 3);
    assert_eq!(
        failed.last_error.as_deref(),
        Some("No such file or directory (os error 2)")
    );

    let cancelled = bench.enqueue(&job("count", r#"{"to": 1000000}"#));
    eventually(PATIENCE, || outputs(&bench, cancelled).pop());
    bench.cancel(cancelled);
    bench.until(cancelled, JobState::Cancelled);
    assert_eq!(rung(&bench, cancelled), "cooperative");
    let output = outputs(&bench, cancelled).pop().unwrap();
    assert!(
        output.stdout.ends_with("told to stop: Some(Cancel)\n"),
        "{}",
        output.stdout
    );

    let given_back = bench.enqueue(&job("count", r#"{"to": 1000000}"#));
    bench.until(given_back, JobState::Running);
    kill_process(Pid::from_child(&program.child), Signal::TERM).unwrap();
    assert!(program.child.wait().unwrap().success());
    assert_eq!(program.lines.next().as_deref(), Some("ended in good order"));
    let back = bench.job(given_back);
    assert_eq!((back.attempt, back.worker), (0, None));
    end(&daemon);
}
