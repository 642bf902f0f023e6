//! Who outlives whom: the daemon, the guard, the program, its children, and many attempts at once.

use std::process::{Command, Stdio};
use std::time::Duration;

use belay_worker::executors::{Control, Finish, Rung, StopCause};
use rustix::process::{Resource, Signal, getrlimit, setrlimit};

use tokio::sync::watch;

use crate::support::{Job, Started, alive, flag, from_now, kill, let_the_executor_act, until};

/// A tree that resists: in the group, out of the group, and with nothing in its environment.
const TREE: &str = r#"
    stubborn='trap "" TERM HUP; while :; do sleep 1; done'
    sh -c "$stubborn" &
    (setsid sh -c "$stubborn" &)
    (setsid sh -c "(setsid sh -c \"$stubborn\" &)" &)
    echo up; trap "" TERM HUP; while :; do sleep 0.05; done"#;

async fn grown(started: &Started) {
    started.says("up").await;
    until("the tree has grown", || started.programs().len() >= 4).await;
}

#[tokio::test]
async fn the_tree_dies_with_the_lease_of_a_frozen_daemon() {
    if std::env::var_os("BELAY_TEST_HOST").is_some() {
        let (renew, lease) = watch::channel(Duration::MAX);
        let started = Job::sh(TREE).lease(lease).start();
        grown(&started).await;
        renew.send(from_now(Duration::from_secs(2))).unwrap();
        let_the_executor_act().await;
        println!("grown {}", std::process::id());
        let _ = started.finish().await;
        unreachable!("it was to be frozen by then");
    }
    let (mut host, number) = host("the_tree_dies_with_the_lease_of_a_frozen_daemon").await;
    let mark = format!("mark-{number}-end");
    kill(i32::try_from(host.id()).unwrap(), Signal::STOP);
    until("the tree is gone", || {
        alive(&mark, number).iter().all(|seen| seen.is_guard)
    })
    .await;
    host.kill().unwrap();
    host.wait().unwrap();
}

#[tokio::test]
async fn a_lease_that_is_renewed_does_not_end() {
    let (renew, lease) = watch::channel(from_now(Duration::from_secs(2)));
    let started = Job::sh("sleep 3; echo done").lease(lease).start();
    let renewing = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if renew.send(from_now(Duration::from_secs(2))).is_err() {
                return;
            }
        }
    });
    assert_eq!(started.finish().await, Finish::Completed);
    renewing.abort();
}

#[tokio::test]
async fn a_lease_that_is_over_kills_without_grace() {
    let (_renew, lease) = watch::channel(from_now(Duration::from_millis(500)));
    let started = Job::sh(TREE)
        .grace(Duration::from_secs(600))
        .lease(lease)
        .start();
    let killed = Finish::Stopped { rung: Rung::Kill };
    assert_eq!(started.finish().await, killed);
}

/// Starts this test once more as a daemon; answers it, and the number of its job, once the tree of that has grown.
async fn host(test: &str) -> (std::process::Child, i64) {
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("life::{test}"), "--nocapture"])
        .env("BELAY_TEST_HOST", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = host.stdout.take().unwrap();
    // Numbers of jobs start at the process id of whoever runs them.
    let number = i64::from(host.id()) * 10_000;
    let grown = tokio::task::spawn_blocking(move || {
        use std::io::{BufRead, BufReader};
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.any(|line| line.contains("grown"))
    });
    assert!(grown.await.unwrap(), "the host ended early");
    (host, number)
}

#[tokio::test]
async fn the_tree_dies_with_the_daemon() {
    // This test is also the daemon: started again with the variable set, it runs a job until it is killed.
    if std::env::var_os("BELAY_TEST_HOST").is_some() {
        let started = Job::sh(TREE).start();
        grown(&started).await;
        println!("grown {}", std::process::id());
        let _ = started.finish().await;
        unreachable!("nobody stops this job");
    }
    let (mut host, number) = host("the_tree_dies_with_the_daemon").await;
    let mark = format!("mark-{number}-end");
    assert!(alive(&mark, number).len() >= 5, "four programs and a guard");

    host.kill().unwrap();
    host.wait().unwrap();
    until("the tree and its guard are gone", || {
        alive(&mark, number).is_empty()
    })
    .await;
}

#[tokio::test]
async fn the_tree_dies_with_an_attempt_that_is_dropped() {
    let started = Job::sh(TREE).start();
    grown(&started).await;
    let traces = started.traces();
    started.task.abort();
    until("the tree and its guard are gone", || traces().is_empty()).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_killed() {
    let script = r#"
        sh -c 'trap "" TERM HUP; echo child; while :; do sleep 1; done' &
        (setsid sh -c 'echo orphan; exec sleep 1000' &)
        while [ "$(wc -l <"$FLAG" 2>/dev/null)" != 2 ]; do
            sleep 0.02; [ -e "$FLAG" ] && break
        done
        echo result"#;
    let (_folder, path, text) = flag();
    let started = Job::sh(script).env("FLAG", text).start();
    started.says("child").await;
    started.says("orphan").await;
    std::fs::write(path, "").unwrap();
    let sink = started.sink.clone();
    // `finish` checks that nothing is left.
    assert_eq!(started.finish().await, Finish::Completed);
    assert!(sink.last().stdout.ends_with("result\n"));
}

#[tokio::test]
async fn a_killed_guard_takes_everything_along() {
    let started = Job::sh(TREE).start();
    grown(&started).await;
    kill(started.guard().unwrap().pid, Signal::KILL);
    let finish = started.finish().await;
    let Finish::Failed { error, retry: true } = finish else {
        panic!("{finish:?}");
    };
    assert!(
        error.contains("guard process of the program was lost (signal: 9"),
        "{error}"
    );

    let started = Job::sh(TREE).grace(Duration::from_secs(3600)).start();
    grown(&started).await;
    let guard = started.guard().unwrap().pid;
    kill(guard, Signal::STOP);
    started
        .control
        .send(Control::Stop(StopCause::Cancel))
        .unwrap();
    let_the_executor_act().await;
    kill(guard, Signal::KILL);
    assert_eq!(started.finish().await, Finish::Stopped { rung: Rung::Kill });
}

#[tokio::test]
async fn a_stranger_who_holds_a_pipe_does_not_hold_the_attempt() {
    let (_folder, path, text) = flag();
    let script = r#"echo up; while [ ! -e "$FLAG" ]; do sleep 0.02; done; echo result"#;
    let started = Job::sh(script).env("FLAG", text).start();
    started.says("up").await;
    let program = started
        .programs()
        .into_iter()
        .find(|p| p.command.contains("/bin/sh"))
        .unwrap();
    let held = [1, 2, 3].map(|fd| {
        let pipe = format!("/proc/{}/fd/{fd}", program.pid);
        std::fs::OpenOptions::new().write(true).open(pipe).unwrap()
    });
    std::fs::write(path, "").unwrap();
    let sink = started.sink.clone();
    assert_eq!(started.finish().await, Finish::Completed);
    assert_eq!(sink.last().stdout, "up\nresult\n");
    drop(held);
}

/// Starts many attempts at once from several threads.
async fn many(count: usize, make: impl Fn() -> Job) -> Vec<Started> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(make().start());
    }
    for started in &all {
        started.says("up").await;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn concurrent_attempts_do_not_hold_each_others_sockets() {
    let (_folder, path, text) = flag();
    let script = r#"echo up; while [ ! -e "$FLAG" ]; do sleep 0.2; done"#;
    let all = many(50, || Job::sh(script).env("FLAG", text.clone())).await;
    // Give up every other one: if any other guard or program held its socket, its guard would not notice.
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for (index, started) in all.into_iter().enumerate() {
        if index % 2 == 0 {
            kept.push(started);
        } else {
            started.task.abort();
            dropped.push(started.traces());
        }
    }
    for traces in dropped {
        until("it is gone", || traces().is_empty()).await;
    }
    for started in &kept {
        assert!(started.guard().is_some() && !started.programs().is_empty());
    }
    std::fs::write(path, "").unwrap();
    for started in kept {
        assert_eq!(started.finish().await, Finish::Completed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_and_fifty_attempts_run_and_stop_at_once() {
    // Six descriptors each; the usual soft limit is 1024.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let all = many(250, || {
        Job::sh("echo up; exec sleep 1000").grace(Duration::from_secs(3600))
    })
    .await;
    for started in &all {
        started
            .control
            .send(Control::Stop(StopCause::Shutdown))
            .unwrap();
    }
    for started in all {
        assert_eq!(started.finish().await, Finish::Stopped { rung: Rung::Term });
    }
}
