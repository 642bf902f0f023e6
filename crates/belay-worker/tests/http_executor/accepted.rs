//! Work that its receiver has taken over with 202.

use std::time::{Duration, Instant};

use belay_worker::executors::{Control, Finish, Rung, StopCause};

use crate::receiver::{Receiver, Reply};
use crate::support::{CANCEL, KILL, receiver, settings, start, stopped, until, with_cancel};

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
