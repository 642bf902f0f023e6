//! Stopping, killing and holding still.

use std::time::Duration;

use belay_worker::executors::{Control, Finish, Rung, StopCause};
use rustix::process::Signal;

use crate::support::{Job, flag, kill, let_the_executor_act, until};

const CANCEL: Control = Control::Stop(StopCause::Cancel);
const TERMED: Finish = Finish::Stopped { rung: Rung::Term };
const KILLED: Finish = Finish::Stopped { rung: Rung::Kill };
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(300);

/// Waits in small steps that a TERM can interrupt.
const WAIT: &str = "while :; do sleep 0.05; done";

#[tokio::test]
async fn a_program_that_cooperates_is_not_killed() {
    // It ends with code 0 and is stopped all the same, whatever the cause was.
    for cause in [
        StopCause::Cancel,
        StopCause::Timeout,
        StopCause::LeaseLost,
        StopCause::Shutdown,
    ] {
        let script = format!("trap 'echo bye; exit 0' TERM; echo up; {WAIT}");
        let started = Job::sh(&script).grace(LONG).start();
        started.says("up").await;
        started.control.send(Control::Stop(cause)).unwrap();
        let sink = started.sink.clone();
        assert_eq!(started.finish().await, TERMED);
        assert_eq!(sink.last().stdout, "up\nbye\n");
        assert_eq!(sink.last().exit_code, Some(0));
    }
}

#[tokio::test]
async fn a_program_that_knows_nothing_of_signals_ends_by_term() {
    let started = Job::new(&["sleep", "1000"]).grace(LONG).start();
    until("it runs", || !started.programs().is_empty()).await;
    started.control.send(CANCEL).unwrap();
    let sink = started.sink.clone();
    assert_eq!(started.finish().await, TERMED);
    assert_eq!(
        (sink.last().exit_code, sink.last().signal),
        (None, Some(15))
    );
}

#[tokio::test]
async fn of_a_tree_that_resists_nothing_is_left() {
    let stubborn = r#"trap "" TERM HUP; while :; do sleep 1; done"#;
    let script = r#"
        i=0
        while [ $i -lt 8 ]; do
            setsid sh -c "$STUBBORN" &
            (setsid sh -c "exec sleep 1000" &)
            sh -c "$STUBBORN" &
            (setsid sh -c "(setsid sh -c \"$STUBBORN\" &)" &)
            env -i sh -c "$STUBBORN" "$TEST_MARK" &
            i=$((i + 1))
        done
        echo up; trap "" TERM; wait; while :; do sleep 1; done"#;
    let started = Job::sh(script)
        .env("STUBBORN", stubborn)
        .grace(SHORT)
        .start();
    started.says("up").await;
    until("40 processes run", || started.programs().len() > 40).await;
    started.control.send(CANCEL).unwrap();
    assert_eq!(started.finish().await, KILLED);
}

#[tokio::test]
async fn a_tree_that_keeps_forking_cannot_win() {
    let script = r#"
        while :; do
            (setsid sh -c 'trap "" TERM; sleep 0.02; (setsid sleep 1000 &) ; exec sleep 1000' &)
            sleep 0.01
        done"#;
    let started = Job::sh(script).start();
    until("it has grown", || started.programs().len() > 40).await;
    started
        .control
        .send(Control::Kill(StopCause::LeaseLost))
        .unwrap();
    assert_eq!(started.finish().await, KILLED);
}

#[tokio::test]
async fn children_keep_the_grace_when_the_program_is_gone() {
    let (_folder, path, text) = flag();
    let script = r#"
        setsid sh -c 'trap "sleep 0.3; touch \"$FLAG\"; exit" TERM; echo up; while :; do sleep 0.05; done' &
        exec sleep 1000"#;
    let started = Job::sh(script).env("FLAG", text).grace(LONG).start();
    started.says("up").await;
    started.control.send(CANCEL).unwrap();
    assert_eq!(started.finish().await, TERMED);
    assert!(path.exists(), "the child could not finish its work");
}

#[tokio::test]
async fn without_grace_there_is_no_term() {
    let script = format!("trap 'exit 0' TERM; echo up; {WAIT}");
    let started = Job::sh(&script).grace(Duration::ZERO).start();
    started.says("up").await;
    started.control.send(CANCEL).unwrap();
    assert_eq!(started.finish().await, KILLED);
}

#[tokio::test]
async fn a_kill_does_not_wait_for_the_grace() {
    let started = Job::sh(&format!("trap 'echo term' TERM; echo up; {WAIT}"))
        .grace(LONG)
        .start();
    started.says("up").await;
    started.control.send(CANCEL).unwrap();
    started.says("term").await;
    started
        .control
        .send(Control::Kill(StopCause::LeaseLost))
        .unwrap();
    assert_eq!(started.finish().await, KILLED);
}

#[tokio::test]
async fn a_stop_is_not_taken_back() {
    let started = Job::sh(&format!("trap 'echo term' TERM; echo up; {WAIT}"))
        .grace(SHORT)
        .start();
    started.says("up").await;
    started.control.send(CANCEL).unwrap();
    started.says("term").await;
    started.control.send(Control::Run).unwrap();
    assert_eq!(started.finish().await, KILLED);
}

#[tokio::test]
async fn a_forgotten_attempt_is_killed() {
    let started = Job::sh(&format!("trap '' TERM; echo up; {WAIT}"))
        .grace(LONG)
        .start();
    started.says("up").await;
    let traces = started.traces();
    drop(started.control);
    assert_eq!(started.task.await.unwrap(), KILLED);
    assert!(traces().is_empty());
}

#[tokio::test]
async fn a_suspended_tree_holds_still_and_goes_on() {
    let (_folder, path, text) = flag();
    let script = r#"
        (setsid sh -c 'while [ ! -e "$FLAG" ]; do :; done; sleep 1000' &)
        echo up; while [ ! -e "$FLAG" ]; do sleep 0.02; done; echo done"#;
    let started = Job::sh(script).env("FLAG", text).start();
    started.says("up").await;
    until("both run", || started.programs().len() >= 2).await;
    for _ in 0..3 {
        started.control.send(Control::Suspend).unwrap();
        until("all hold still", || started.holds_still()).await;
        started.control.send(Control::Run).unwrap();
        until("all go on", || {
            started
                .programs()
                .iter()
                .all(|process| process.state != 'T')
        })
        .await;
    }
    started.control.send(Control::Suspend).unwrap();
    until("all hold still", || started.holds_still()).await;
    std::fs::write(path, "").unwrap();
    assert_eq!(started.sink.last().stdout, "up\n");
    started.control.send(Control::Run).unwrap();
    let sink = started.sink.clone();
    assert_eq!(started.finish().await, Finish::Completed);
    assert_eq!(sink.last().stdout, "up\ndone\n");
}

#[tokio::test]
async fn a_suspended_program_can_be_stopped() {
    for (trap, expected) in [
        ("trap 'echo bye; exit 1' TERM", TERMED),
        ("trap '' TERM", KILLED),
    ] {
        let grace = if expected == TERMED { LONG } else { SHORT };
        let started = Job::sh(&format!("{trap}; echo up; {WAIT}"))
            .grace(grace)
            .start();
        started.says("up").await;
        started.control.send(Control::Suspend).unwrap();
        until("it holds still", || started.holds_still()).await;
        started.control.send(CANCEL).unwrap();
        assert_eq!(started.finish().await, expected);
    }
}

#[tokio::test]
async fn a_suspended_program_can_be_killed() {
    let started = Job::sh(&format!("echo up; {WAIT}")).start();
    started.says("up").await;
    started.control.send(Control::Suspend).unwrap();
    until("it holds still", || started.holds_still()).await;
    started
        .control
        .send(Control::Kill(StopCause::Shutdown))
        .unwrap();
    assert_eq!(started.finish().await, KILLED);
}

#[tokio::test]
async fn a_flood_of_output_does_not_hold_up_a_stop() {
    for script in [
        "yes",
        "yes >&2",
        "yes 1/2 >&3",
        "yes & yes >&2 & yes 1/2 >&3",
    ] {
        let script = format!("trap '' TERM; {script} & wait; wait; wait");
        let started = Job::sh(&script).grace(SHORT).start();
        until("it floods", || {
            let output = started.sink.last();
            output.stdout_bytes + output.stderr_bytes > 1_000_000
                || started.sink.progress().len() > 50
        })
        .await;
        started.control.send(CANCEL).unwrap();
        assert_eq!(started.finish().await, KILLED);
    }
}

#[tokio::test]
async fn a_program_that_had_ended_before_the_stop_keeps_its_result() {
    let script = r#"
        (setsid sleep 1000 &)
        echo up; while [ ! -e "$FLAG" ]; do sleep 0.02; done; exit 3"#;
    let killing = Control::Kill(StopCause::LeaseLost);
    for wanted in [CANCEL, killing] {
        let (_folder, path, text) = flag();
        let started = Job::sh(script).env("FLAG", text).grace(LONG).start();
        started.says("up").await;
        // With the guard standing still, the end of the program and the order wait for it together.
        let guard = started.guard().unwrap().pid;
        kill(guard, Signal::STOP);
        std::fs::write(path, "").unwrap();
        until("only what it left behind lives", || {
            let programs = started.programs();
            programs.len() == 1 && programs.iter().all(|p| p.command.starts_with("sleep\0"))
        })
        .await;
        started.control.send(wanted).unwrap();
        let_the_executor_act().await;
        if wanted != killing {
            // The executor does this itself for a kill.
            kill(guard, Signal::CONT);
        }
        assert_eq!(
            started.finish().await,
            Finish::Failed {
                error: "exited with code 3".into(),
                retry: true
            }
        );
    }
}

#[tokio::test]
async fn a_guard_that_was_stopped_still_obeys_a_kill() {
    let started = Job::sh(&format!("echo up; {WAIT}")).start();
    started.says("up").await;
    let guard = started.guard().unwrap().pid;
    kill(guard, Signal::STOP);
    until("it is stopped", || {
        started.guard().is_some_and(|guard| guard.state == 'T')
    })
    .await;
    started
        .control
        .send(Control::Kill(StopCause::Cancel))
        .unwrap();
    assert_eq!(started.finish().await, KILLED);
}

#[tokio::test]
async fn signals_from_a_terminal_do_not_reach_guard_or_program() {
    let started = Job::sh(&format!("echo up; {WAIT}")).grace(LONG).start();
    started.says("up").await;
    let guard = started.guard().unwrap().pid;
    for signal in [
        Signal::INT,
        Signal::TERM,
        Signal::HUP,
        Signal::TSTP,
        Signal::QUIT,
    ] {
        kill(guard, signal);
    }
    started.control.send(CANCEL).unwrap();
    assert_eq!(started.finish().await, TERMED);
}
