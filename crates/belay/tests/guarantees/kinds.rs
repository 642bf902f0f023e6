//! The table of what an accepted cancel means for the work itself, by what the work is.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use belay_core::ops::NewJob;
use belay_core::{JobState, query};
use belay_testkit::{eventually, processes_with};
use belay_worker::executors::command::{CommandExecutor, CommandSettings};
use belay_worker::executors::http::{HttpExecutor, HttpSettings};
use belay_worker::executors::native::Native;
use belay_worker::{KindConfig, Worker};

use crate::bench::{Bench, PATIENCE, end, long};

#[test]
fn command() {
    let bench = Bench::new();
    let mark = format!("belay-guarantee-{}", std::process::id());
    let script = format!(
        "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done; : {mark}' &); \
         (sh -c '(while :; do sleep 1; done; : {mark}) &' &); while :; do sleep 1; done; : {mark}"
    );
    let mut settings = CommandSettings::new(vec!["/bin/sh".into(), "-c".into(), script]);
    settings.grace = Duration::from_millis(500);
    settings.guard = vec![env!("CARGO_BIN_EXE_belay").into(), "guard".into()];
    let executor = CommandExecutor::new(settings).unwrap();
    let worker = bench.worker(
        vec![KindConfig::new("tree", "command", Arc::new(executor))],
        true,
    );
    let id = bench.enqueue(&NewJob::new("tree"));
    eventually(PATIENCE, || {
        (processes_with(&mark).len() >= 3).then_some(())
    });
    bench.cancel(id);
    let job = bench.until(id, JobState::Cancelled);
    // At the very moment at which it says so.
    assert_eq!(processes_with(&mark), Vec::<String>::new());
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("kill"));
    end(&worker);
}

#[test]
fn built_in() {
    let bench = Bench::new();
    let worker = bench.worker(Vec::new(), true);
    let id = bench.enqueue(&long());
    bench.until(id, JobState::Running);
    bench.cancel(id);
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    end(&worker);
}

#[test]
fn native() {
    let bench = Bench::new();
    let goes_on = Arc::new(AtomicBool::new(true));
    let started = Arc::new(AtomicBool::new(false));
    let (theirs, began) = (Arc::clone(&goes_on), Arc::clone(&started));
    // Never looks whether it is told to stop.
    let deaf = Native::sync("deaf", move |_| {
        began.store(true, SeqCst);
        while theirs.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    })
    .grace(Duration::from_millis(100));
    let worker = Worker::builder()
        .db(bench.db.clone())
        .kind(deaf)
        .start()
        .unwrap();
    let id = bench.enqueue(&NewJob::new("deaf"));
    eventually(PATIENCE, || started.load(SeqCst).then_some(()));
    bench.cancel(id);
    // Overdue, which its output shows, and honestly not cancelled while the code runs.
    let shown = eventually(PATIENCE, || {
        assert_eq!(bench.job(id).state, JobState::Cancelling);
        let outputs = bench.db.read(|conn| query::outputs(conn, id)).unwrap();
        outputs
            .into_iter()
            .map(|output| output.stderr)
            .find(|stderr| stderr.contains("still running"))
    });
    assert!(shown.contains("told to stop"), "{shown}");
    goes_on.store(false, SeqCst);
    bench.until(id, JobState::Cancelled);
    let last = bench.timeline(id).pop().unwrap();
    assert_eq!(last.detail.unwrap()["finished_anyway"], "completed");
    end(&worker);
}

/// Takes requests and answers none of them, except those to `/cancel`. Sends the target and the fence of each.
fn receiver() -> (SocketAddr, mpsc::Receiver<(String, i32)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut target = String::new();
            reader.read_line(&mut target).unwrap();
            let fence = reader.lines().map_while(Result::ok).find_map(|line| {
                let line = line.to_lowercase();
                line.strip_prefix("belay-fence: ")?.trim().parse().ok()
            });
            if target.contains("/cancel") {
                let answer = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).unwrap();
            } else {
                open.push(stream);
            }
            if heard.send((target, fence.unwrap())).is_err() {
                return;
            }
        }
    });
    (address, hears)
}

#[test]
fn http() {
    let bench = Bench::new();
    let (address, hears) = receiver();
    let mut settings = HttpSettings::new(format!("http://{address}/work"));
    settings.cancel_url = Some(format!("http://{address}/cancel"));
    settings.allow = vec!["127.0.0.1".into()];
    let executor = HttpExecutor::new(settings).unwrap();
    let kind = || KindConfig::new("hook", "http", Arc::new(executor.clone()));
    let first = bench.worker(vec![kind()], true);
    let id = bench.enqueue(&NewJob::new("hook"));
    let (_, first_fence) = hears.recv_timeout(PATIENCE).unwrap();
    // Its worker stops; another one sends it again, and the receiver can tell which is the younger.
    end(&first);
    let second = bench.worker(vec![kind()], true);
    let (_, fence) = loop {
        let heard = hears.recv_timeout(PATIENCE).unwrap();
        if heard.0.contains("/work") {
            break heard;
        }
    };
    assert!(fence > first_fence, "{fence} after {first_fence}");
    // A cancel calls the receiver, with the fence of what it is to stop.
    bench.cancel(id);
    let (target, stopped) = hears.recv_timeout(PATIENCE).unwrap();
    assert!(target.contains("/cancel"), "{target}");
    assert_eq!(stopped, fence);
    let job = bench.until(id, JobState::Cancelled);
    assert_eq!(job.cancel().unwrap().rung.as_deref(), Some("cooperative"));
    end(&second);
}
