//! Stops and kills, and what the receiver is told of them.

use std::future::{Future as _, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use belay_worker::executors::{Control, Finish, Rung, Running, StopCause};

use crate::receiver::{Receiver, Reply};
use crate::support::{CANCEL, begin, run, settings, start, start_with, until, with_cancel};

const KILL: Control = Control::Kill(StopCause::LeaseLost);

const fn stopped(rung: Rung) -> Finish {
    Finish::Stopped { rung }
}

/// Answers work with one thing and cancels with another.
fn receiver(work: Reply, cancel: Reply) -> Receiver {
    Receiver::new(move |request| {
        let is_cancel = request.line.contains("/cancel");
        if is_cancel {
            cancel.clone()
        } else {
            work.clone()
        }
    })
}

fn head_and_hang() -> Reply {
    Reply::AndHang(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart".to_vec())
}

#[tokio::test]
async fn a_cancel_drops_the_connection_and_calls_the_cancel_url() {
    for (cause, word) in [
        (StopCause::Cancel, "cancel"),
        (StopCause::Timeout, "timeout"),
        (StopCause::JobTimeout, "timeout"),
        (StopCause::Shutdown, "shutdown"),
    ] {
        let receiver = receiver(Reply::hang(), Reply::ok());
        let started = start(with_cancel(&receiver), r#"{"secret":1}"#);
        until("the request is there", || receiver.requests().len() == 1).await;
        started.tell(Control::Stop(cause));
        let sink = started.sink.clone();
        assert_eq!(started.end().await, stopped(Rung::Cooperative));
        assert_eq!(
            sink.last().stderr,
            "cancel confirmed by the receiver: 200\n"
        );
        until("the connection is dropped", || receiver.closed() == 1).await;
        let requests = receiver.requests();
        assert_eq!(requests.len(), 2);
        let cancel = &requests[1];
        assert_eq!(cancel.line, "POST /cancel/7 HTTP/1.1");
        assert_eq!(
            (cancel.body.as_str(), cancel.header("content-length")),
            ("", Some("0"))
        );
        for (name, value) in [
            ("belay-cancel", word),
            ("belay-job-id", "7"),
            ("belay-job-uid", "0b3a"),
            ("belay-fence", "17"),
            ("belay-attempt", "2"),
            ("idempotency-key", "0b3a"),
        ] {
            assert_eq!(cancel.header(name), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn the_connection_is_dropped_before_the_receiver_is_told() {
    // The cancel is answered only once the connection of the work is gone.
    let gone = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = std::sync::Arc::clone(&gone);
    let receiver = std::sync::Arc::new(Receiver::new(move |request| {
        if !request.line.contains("/cancel") {
            return Reply::hang();
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while seen.load(Ordering::SeqCst) == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        Reply::ok()
    }));
    let started = start(with_cancel(&receiver), "{}");
    until("the request is there", || receiver.requests().len() == 1).await;
    started.tell(CANCEL);
    let watched = std::sync::Arc::clone(&receiver);
    let watch = tokio::spawn(async move {
        until("the connection is dropped", || watched.closed() == 1).await;
        gone.store(1, Ordering::SeqCst);
    });
    assert_eq!(started.end().await, stopped(Rung::Cooperative));
    watch.await.unwrap();
}

#[tokio::test]
async fn a_cancel_while_the_body_is_read_keeps_what_was_read() {
    let receiver = receiver(head_and_hang(), Reply::ok());
    let started = start(with_cancel(&receiver), "{}");
    until("a part is read", || started.sink.last().stdout == "part").await;
    started.tell(CANCEL);
    let sink = started.sink.clone();
    assert_eq!(started.end().await, stopped(Rung::Cooperative));
    assert_eq!(sink.last().stdout, "part");
    until("the connection is dropped", || receiver.closed() == 1).await;
    assert_eq!(receiver.count("/cancel/7"), 1);
}

#[tokio::test]
async fn a_body_that_drips_is_shown_while_it_does() {
    let receiver = receiver(
        Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 8]),
        Reply::ok(),
    );
    let mut settings = with_cancel(&receiver);
    settings.response_limit = 16 * 1024 * 1024;
    let started = start(settings, "{}");
    until("something is shown", || {
        started.sink.last().stdout.starts_with("xxxx")
    })
    .await;
    started.tell(CANCEL);
    assert_eq!(started.end().await, stopped(Rung::Cooperative));
    until("the connection is dropped", || receiver.closed() == 1).await;
}

#[tokio::test]
async fn a_cancel_before_the_start_sends_nothing() {
    for first in [CANCEL, KILL] {
        let receiver = Receiver::always(Reply::ok());
        let started = start_with(with_cancel(&receiver), "{}", first);
        assert_eq!(started.end().await, stopped(Rung::Cooperative));
        assert_eq!(receiver.connections(), 0);
    }
}

#[tokio::test]
async fn a_second_cancel_changes_nothing() {
    let receiver = receiver(Reply::hang(), Reply::ok());
    let started = start(with_cancel(&receiver), "{}");
    until("the request is there", || receiver.requests().len() == 1).await;
    started.tell(CANCEL);
    started.tell(CANCEL);
    assert_eq!(started.end().await, stopped(Rung::Cooperative));
    assert_eq!(receiver.count("/cancel/7"), 1);
}

#[tokio::test]
async fn an_answer_that_is_there_before_the_stop_is_seen_counts() {
    let answer = Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    let receiver = receiver(answer, Reply::ok());
    let (control, _, mut running) = begin(with_cancel(&receiver), "{}", Control::Run);
    while receiver.requests().is_empty() {
        assert!(poll(&mut running).await.is_pending());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The connection has a task of its own, which reads the answer while the attempt is not driven.
    tokio::time::sleep(Duration::from_millis(300)).await;
    control.send_replace(CANCEL);
    assert_eq!(poll(&mut running).await, Poll::Ready(Finish::Completed));
    assert_eq!(receiver.count("/cancel"), 0);
}

async fn poll(running: &mut Running) -> Poll<Finish> {
    poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await
}

#[tokio::test]
async fn a_cancel_that_is_not_confirmed_is_tried_again() {
    let tries = AtomicUsize::new(0);
    let receiver = Receiver::new(move |request| {
        if !request.line.contains("/cancel") {
            return Reply::hang();
        }
        match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::status("503 No", ""),
            1 => Reply::Bytes(Vec::new()),
            // Only says that it is going to.
            2 => Reply::status("202 Accepted", ""),
            _ => Reply::status("204 No Content", ""),
        }
    });
    let started = start(with_cancel(&receiver), "{}");
    until("the request is there", || receiver.requests().len() == 1).await;
    let asked = Instant::now();
    started.tell(CANCEL);
    let sink = started.sink.clone();
    assert_eq!(started.end().await, stopped(Rung::Cooperative));
    assert_eq!(
        sink.last().stderr,
        "cancel confirmed by the receiver: 204\n"
    );
    assert_eq!(receiver.count("/cancel/7"), 4);
    // 250 ms, then twice as long each time.
    assert!(
        asked.elapsed() >= Duration::from_millis(1750),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn tries_are_bounded_in_number() {
    let receiver = receiver(Reply::hang(), Reply::status("500 No", ""));
    let mut settings = with_cancel(&receiver);
    settings.cancel_tries = 2;
    settings.cancel_method = "DELETE".into();
    let started = start(settings, "{}");
    until("the request is there", || receiver.requests().len() == 1).await;
    started.tell(CANCEL);
    let sink = started.sink.clone();
    assert_eq!(started.end().await, stopped(Rung::Kill));
    assert_eq!(receiver.count("DELETE /cancel/7"), 2);
    assert_eq!(
        sink.last().stderr,
        "cancel not confirmed after 2 tries: the receiver answered 500 Internal Server Error\n"
    );
}

#[tokio::test]
async fn tries_are_bounded_in_time() {
    // No answer, and redirects, which are not followed here either.
    for (cancel, tries, words) in [
        (Reply::hang(), 2, "the receiver did not answer in time"),
        (
            Reply::with("302 Found", "Location: /\r\n", b""),
            3,
            "the receiver answered 302 Found",
        ),
    ] {
        let receiver = receiver(Reply::hang(), cancel);
        let mut settings = with_cancel(&receiver);
        settings.cancel_tries = 100;
        settings.grace = Duration::from_millis(900);
        let started = start(settings, "{}");
        until("the request is there", || receiver.requests().len() == 1).await;
        let asked = Instant::now();
        started.tell(CANCEL);
        let sink = started.sink.clone();
        assert_eq!(started.end().await, stopped(Rung::Kill));
        assert!(
            asked.elapsed() < Duration::from_millis(1500),
            "{:?}",
            asked.elapsed()
        );
        let notes = sink.last().stderr;
        assert!(
            notes.contains(&format!("not confirmed after {tries} tries: {words}")),
            "{notes}"
        );
        assert_eq!(receiver.count("/cancel/7"), tries);
    }
}

#[tokio::test]
async fn without_a_cancel_url_the_connection_is_all_there_is() {
    let receiver = Receiver::always(Reply::hang());
    let started = start(settings(receiver.url("/")), "{}");
    until("the request is there", || receiver.requests().len() == 1).await;
    started.tell(CANCEL);
    let sink = started.sink.clone();
    assert_eq!(started.end().await, stopped(Rung::Term));
    assert!(sink.last().stderr.contains("no cancel_url"));
    until("the connection is dropped", || receiver.closed() == 1).await;
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_kill_drops_the_connection_and_calls_nobody() {
    for work in [Reply::hang(), head_and_hang()] {
        let receiver = receiver(work, Reply::ok());
        let started = start(with_cancel(&receiver), "{}");
        until("the request is there", || receiver.requests().len() == 1).await;
        started.tell(KILL);
        assert_eq!(started.end().await, stopped(Rung::Kill));
        until("the connection is dropped", || receiver.closed() == 1).await;
        assert_eq!(receiver.connections(), 1);
    }
}

#[tokio::test]
async fn a_worker_that_forgets_the_attempt_kills_it() {
    let receiver = receiver(Reply::hang(), Reply::ok());
    let mut started = start(with_cancel(&receiver), "{}");
    until("the request is there", || receiver.requests().len() == 1).await;
    started.control = tokio::sync::watch::Sender::new(Control::Run);
    assert_eq!(started.end().await, stopped(Rung::Kill));
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_kill_ends_the_tries() {
    let receiver = receiver(Reply::hang(), Reply::hang());
    let mut settings = with_cancel(&receiver);
    settings.grace = Duration::from_secs(600);
    let started = start(settings, "{}");
    until("the request is there", || receiver.requests().len() == 1).await;
    started.tell(CANCEL);
    until("the cancel is there", || receiver.count("/cancel") == 1).await;
    started.tell(Control::Kill(StopCause::Cancel));
    assert_eq!(started.end().await, stopped(Rung::Kill));
    until("both connections are dropped", || receiver.closed() == 2).await;
}

#[tokio::test]
async fn a_large_payload_that_nobody_reads_can_be_cancelled() {
    // Listens and never accepts.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let payload = format!("\"{}\"", "x".repeat(30_000_000));
    let started = start(settings(url), &payload);
    tokio::time::sleep(Duration::from_millis(200)).await;
    started.tell(CANCEL);
    assert_eq!(started.end().await, stopped(Rung::Term));
}

#[tokio::test]
async fn accepted_work_is_held_until_it_is_reported() {
    let receiver = receiver(Reply::status("202 Accepted", "queued"), Reply::ok());
    let started = start(with_cancel(&receiver), "{}");
    until("it is accepted", || {
        started.sink.last().stderr.contains("202")
    })
    .await;
    assert_eq!(started.sink.last().stdout, "queued");
    assert!(started.sink.last().stderr.contains("the fence 17"));
    // Holding still is nothing a receiver could be asked for.
    started.tell(Control::Suspend);
    started.tell(Control::Run);
    // Not held any more: somebody has reported.
    started.tell(KILL);
    assert_eq!(started.end().await, Finish::Reported);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn accepted_work_is_called_off_like_any_other() {
    for (cause, word) in [
        (StopCause::Cancel, "cancel"),
        (StopCause::Timeout, "timeout"),
    ] {
        let hangs = b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nqueu".to_vec();
        for work in [Reply::status("202 Accepted", ""), Reply::AndHang(hangs)] {
            let receiver = receiver(work, Reply::ok());
            let started = start(with_cancel(&receiver), "{}");
            until("the request is there", || receiver.requests().len() == 1).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            started.tell(Control::Stop(cause));
            assert_eq!(started.end().await, stopped(Rung::Cooperative));
            let cancel = receiver.requests().pop().unwrap();
            assert_eq!(cancel.header("belay-cancel"), Some(word));
        }
    }
}

#[tokio::test]
async fn accepted_work_without_a_cancel_url_has_the_grace_period_to_report() {
    let receiver = Receiver::always(Reply::status("202 Accepted", ""));
    let mut settings = settings(receiver.url("/"));
    settings.grace = Duration::from_millis(500);
    for (cause, least, most) in [
        // Only of a cancel does it learn by its beats.
        (
            StopCause::Cancel,
            Duration::from_millis(500),
            Duration::from_secs(20),
        ),
        (
            StopCause::Timeout,
            Duration::ZERO,
            Duration::from_millis(400),
        ),
        (
            StopCause::Shutdown,
            Duration::ZERO,
            Duration::from_millis(400),
        ),
    ] {
        let started = start(settings.clone(), "{}");
        until("it is accepted", || {
            started.sink.last().stderr.contains("202")
        })
        .await;
        let asked = Instant::now();
        started.tell(Control::Stop(cause));
        assert_eq!(started.end().await, stopped(Rung::Kill));
        let took = asked.elapsed();
        assert!(took >= least && took <= most, "{cause:?}: {took:?}");
    }
    // A report ends the wait.
    settings.grace = Duration::from_secs(600);
    let started = start(settings, "{}");
    until("it is accepted", || {
        started.sink.last().stderr.contains("202")
    })
    .await;
    started.tell(CANCEL);
    until("the stop is seen", || {
        started.sink.last().stderr.contains("no cancel_url")
    })
    .await;
    started.tell(Control::Kill(StopCause::Cancel));
    assert_eq!(started.end().await, stopped(Rung::Kill));
}

#[tokio::test]
async fn nothing_is_called_off_that_has_ended() {
    let receiver = receiver(Reply::status("500 No", ""), Reply::ok());
    let (finish, _) = run(with_cancel(&receiver), "{}").await;
    assert!(matches!(finish, Finish::Failed { .. }));
    assert_eq!(receiver.count("/cancel"), 0);
}
