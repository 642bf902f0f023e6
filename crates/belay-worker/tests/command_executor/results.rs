//! What a program's end becomes, and what is shown of it.

use std::path::PathBuf;
use std::time::Duration;

use belay_worker::executors::{Control, Finish, Progress, Rung, StopCause};

use crate::support::{Job, flag, until};

fn failed(error: &str, retry: bool) -> Finish {
    Finish::Failed {
        error: error.into(),
        retry,
    }
}

#[tokio::test]
async fn success_with_the_payload_on_stdin() {
    let mut job = Job::new(&["cat"]);
    job.payload = r#"{"n": 1, "s": "ä"}"#.into();
    let (finish, output) = job.run().await;
    assert_eq!(finish, Finish::Completed);
    assert_eq!(output.stdout, r#"{"n": 1, "s": "ä"}"#);
    assert_eq!(output.stdout_bytes, 19);
    assert_eq!((output.exit_code, output.signal), (Some(0), None));
}

#[tokio::test]
async fn a_large_payload_flows_while_output_comes_back() {
    let mut job = Job::sh("cat; cat /dev/null >&2");
    job.payload = "x".repeat(3_000_000);
    job.settings.output_limit = 10;
    let (finish, output) = job.run().await;
    assert_eq!(finish, Finish::Completed);
    assert_eq!(
        (output.stdout.as_str(), output.stdout_bytes),
        ("xxxxxxxxxx", 3_000_000)
    );
}

#[tokio::test]
async fn a_program_need_not_read_its_payload() {
    let mut job = Job::new(&["true"]);
    job.payload = "x".repeat(3_000_000);
    assert_eq!(job.run().await.0, Finish::Completed);
}

#[tokio::test]
async fn a_failure_tells_code_and_last_words() {
    let (finish, output) = Job::sh("echo out; echo first >&2; echo last >&2; exit 3")
        .run()
        .await;
    assert_eq!(finish, failed("exited with code 3: last", true));
    assert_eq!(output.stdout, "out\n");
    assert_eq!(output.stderr, "first\nlast\n");
    assert_eq!(output.exit_code, Some(3));
}

#[tokio::test]
async fn a_signal_from_elsewhere_is_a_failure() {
    let (finish, output) = Job::sh("kill -KILL $$").run().await;
    assert_eq!(finish, failed("killed by signal 9 (SIGKILL)", true));
    assert_eq!((output.exit_code, output.signal), (None, Some(9)));
}

#[tokio::test]
async fn a_program_that_cannot_start_fails_for_good() {
    let (finish, _) = Job::new(&["no-such-program-here"]).run().await;
    assert_eq!(
        finish,
        failed(
            "cannot start program \"no-such-program-here\": no such program in PATH",
            false
        )
    );
    for (program, cause) in [
        ("/nowhere/prog", "No such file or directory"),
        ("/etc/passwd", "Permission denied"),
        ("/etc", "Permission denied"),
    ] {
        let (finish, _) = Job::new(&[program]).run().await;
        let Finish::Failed {
            error,
            retry: false,
        } = finish
        else {
            panic!("{finish:?}");
        };
        assert!(error.contains(program) && error.contains(cause), "{error}");
    }
    let mut job = Job::new(&["true"]);
    job.settings.cwd = Some(PathBuf::from("/nowhere"));
    let Finish::Failed {
        error,
        retry: false,
    } = job.run().await.0
    else {
        panic!("started in a directory that is not there");
    };
    assert!(error.contains("directory \"/nowhere\""), "{error}");
}

#[tokio::test]
async fn output_is_bounded_and_cleaned() {
    let mut job = Job::sh(r"head -c 1000000 /dev/zero; printf 'a\000b\377c'; printf 'x\377' >&2");
    job.settings.output_limit = 5;
    let (finish, output) = job.run().await;
    assert_eq!(finish, Finish::Completed);
    assert_eq!(output.stdout, "a\u{fffd}b\u{fffd}c");
    assert_eq!(output.stdout_bytes, 1_000_005);
    assert_eq!(
        (output.stderr.as_str(), output.stderr_bytes),
        ("x\u{fffd}", 2)
    );
}

#[tokio::test]
async fn output_is_shown_while_the_program_runs_and_not_too_often() {
    let (_folder, path, text) = flag();
    let started =
        Job::sh(r#"echo hello; while [ ! -e "$FLAG" ]; do echo .; sleep 0.01; done; echo bye"#)
            .env("FLAG", text)
            .start();
    let before = std::time::Instant::now();
    started.says("hello").await;
    until("several showings", || started.sink.outputs().len() >= 5).await;
    // The first is shown at once, the others 200 ms apart.
    assert!(before.elapsed() >= Duration::from_millis(700));
    std::fs::write(path, "").unwrap();
    let sink = started.sink.clone();
    assert_eq!(started.finish().await, Finish::Completed);
    assert!(sink.last().stdout.ends_with("bye\n"));
    let ends: Vec<_> = sink
        .outputs()
        .iter()
        .map(|output| output.exit_code)
        .collect();
    assert_eq!(
        ends.iter().flatten().count(),
        1,
        "only the last one has an exit code"
    );
}

#[tokio::test]
async fn progress_comes_from_descriptor_3() {
    let script = r#"[ "$BELAY_PROGRESS_FD" = 3 ] || exit 9
        echo 'reading' >&3; echo '1/3 one' >&3; read go <"$FLAG"; printf '3/3' >&3"#;
    let (folder, path, text) = flag();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success(),
        "{folder:?}"
    );
    let started = Job::sh(script).env("FLAG", text).start();
    let progress = |done, message: Option<&str>| Progress {
        done,
        total: Some(3),
        message: message.map(str::to_owned),
    };
    let sink = started.sink.clone();
    until("first progress", || {
        sink.progress() == [progress(1, Some("one"))]
    })
    .await;
    std::fs::write(path, "go\n").unwrap();
    assert_eq!(started.finish().await, Finish::Completed);
    assert_eq!(
        sink.progress(),
        [progress(1, Some("one")), progress(3, None)]
    );
}

#[tokio::test]
async fn a_stop_that_comes_first_starts_nothing() {
    let (_folder, path, text) = flag();
    for first in [
        Control::Stop(StopCause::Cancel),
        Control::Kill(StopCause::LeaseLost),
    ] {
        let job = Job::sh(r#"touch "$FLAG""#).env("FLAG", &text);
        let stopped = Finish::Stopped {
            rung: Rung::Cooperative,
        };
        assert_eq!(job.start_with(first).finish().await, stopped);
    }
    assert!(!path.exists());
}

#[tokio::test]
async fn a_suspended_attempt_starts_when_it_may() {
    let started = Job::new(&["echo", "up"]).start_with(Control::Suspend);
    tokio::task::yield_now().await;
    assert!(started.alive().is_empty());
    started.control.send(Control::Run).unwrap();
    assert_eq!(started.finish().await, Finish::Completed);

    let started = Job::new(&["echo", "up"]).start_with(Control::Suspend);
    started
        .control
        .send(Control::Stop(StopCause::Cancel))
        .unwrap();
    assert_eq!(
        started.finish().await,
        Finish::Stopped {
            rung: Rung::Cooperative
        }
    );
}

#[tokio::test]
async fn a_guard_that_does_not_work_is_told_and_may_be_retried() {
    let with_guard = |guard: &[&str]| {
        let mut job = Job::new(&["true"]);
        job.settings.guard = guard.iter().map(Into::into).collect();
        job
    };
    for (guard, words) in [
        (
            &["/nowhere/guard"][..],
            "cannot start the guard process \"/nowhere/guard\": No such file",
        ),
        (
            &["/bin/false"],
            "ended before it could start the program (exit status: 1)",
        ),
        (
            &["/bin/sh", "-c", "echo a library is missing >&2"],
            ": a library is missing",
        ),
    ] {
        let (finish, _) = with_guard(guard).run().await;
        let Finish::Failed { error, retry: true } = finish else {
            panic!("{finish:?}");
        };
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn the_guard_is_of_no_use_by_hand() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_belay-guard"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("started by the daemon"), "{words}");
}
