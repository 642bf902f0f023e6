//! What becomes of an attempt, by its answer.

use std::time::{Duration, SystemTime};

use belay_worker::executors::Finish;

use crate::receiver::{Receiver, Reply};
use crate::support::{error_of, run, settings};

async fn answered(reply: Reply) -> Finish {
    let receiver = Receiver::always(reply);
    let (finish, _) = run(settings(receiver.url("/")), "{}").await;
    assert_eq!(receiver.requests().len(), 1, "nothing is sent twice");
    finish
}

fn failed(error: &str, retry: bool) -> Finish {
    Finish::Failed {
        error: error.into(),
        retry,
    }
}

#[tokio::test]
async fn successes_complete() {
    for status in [
        "200 OK",
        "201 Created",
        "203 X",
        "206 Partial Content",
        "299 Odd",
    ] {
        assert_eq!(
            answered(Reply::status(status, "x")).await,
            Finish::Completed,
            "{status}"
        );
    }
    let empty = Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    assert_eq!(answered(empty).await, Finish::Completed);
}

#[tokio::test]
async fn failures_are_retried_when_that_may_help() {
    for (status, retry) in [
        ("400 Bad Request", false),
        ("401 Unauthorized", false),
        ("404 Not Found", false),
        ("409 Conflict", false),
        ("410 Gone", false),
        ("422 Unprocessable Entity", false),
        ("408 Request Timeout", true),
        ("425 Too Early", true),
        ("429 Too Many Requests", true),
        ("500 Internal Server Error", true),
        ("502 Bad Gateway", true),
        ("503 Service Unavailable", true),
        ("504 Gateway Timeout", true),
    ] {
        let expected = failed(
            &format!("the receiver answered {status}: no such\" thing"),
            retry,
        );
        let body = "no\r\n\u{7} such\"\u{1b}\tthing";
        assert_eq!(answered(Reply::status(status, body)).await, expected);
    }
    let finish = answered(Reply::status("500 X", &"y".repeat(5000))).await;
    let expected = format!(
        "the receiver answered 500 Internal Server Error: {}",
        "y".repeat(200)
    );
    assert_eq!(finish, failed(&expected, true));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Receiver::always(Reply::ok());
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let place = format!("Location: {}\r\n", target.url("/"));
        let finish = answered(Reply::with(status, &place, b"")).await;
        let (error, retry) = error_of(&finish);
        assert!(
            !retry && error.contains("redirects are not followed"),
            "{error}"
        );
        assert!(error.contains(&target.url("/")), "{error}");
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_wait_that_the_receiver_asks_for_is_kept() {
    let wait = async |status: &str, value: &str| {
        let headers = format!("Retry-After: {value}\r\n");
        match answered(Reply::with(status, &headers, b"")).await {
            Finish::RetryAfter { error, delay } => {
                assert_eq!(error, format!("the receiver answered {status}"));
                Some(delay)
            }
            Finish::Failed { .. } => None,
            other => panic!("{other:?}"),
        }
    };
    for status in [
        "429 Too Many Requests",
        "503 Service Unavailable",
        "500 Internal Server Error",
    ] {
        assert_eq!(
            wait(status, "120").await,
            Some(Duration::from_secs(120)),
            "{status}"
        );
    }
    assert_eq!(wait("404 Not Found", "120").await, None);
    assert_eq!(wait("503 Service Unavailable", "soon").await, None);
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    assert_eq!(
        wait("503 Service Unavailable", "99999999999").await,
        Some(year)
    );
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    let delay = wait("503 Service Unavailable", &date).await.unwrap();
    assert!(
        delay > Duration::from_secs(3500) && delay <= Duration::from_secs(3600),
        "{delay:?}"
    );
}

#[tokio::test]
async fn no_answer_is_retried() {
    // Nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (finish, _) = run(settings(format!("http://{free}/secret-path")), "{}").await;
    let (error, retry) = error_of(&finish);
    assert!(
        retry && error.starts_with(&format!("cannot connect to http://{free}: ")),
        "{error}"
    );
    assert!(
        error.contains("Connection refused") && !error.contains("secret-path"),
        "{error}"
    );
    // Closes at once; answers what is not HTTP; breaks off in the middle.
    for (reply, words) in [
        (Reply::Bytes(Vec::new()), "cannot get an answer from"),
        (
            Reply::Bytes(b"SSH-2.0-x\r\n".to_vec()),
            "cannot get an answer from",
        ),
        (
            Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec()),
            "200 OK, and the answer broke off",
        ),
    ] {
        let finish = answered(reply).await;
        let (error, retry) = error_of(&finish);
        assert!(retry && error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn connecting_is_bounded() {
    // A queue of one that is full: further connections are not answered.
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    rustix::net::bind(
        &socket,
        &"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap(),
    )
    .unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let mut full = Vec::new();
    let soon = Duration::from_millis(100);
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, soon) {
        full.push(stream);
    }
    let mut settings = settings(format!("http://{address}/"));
    settings.connect_timeout = Duration::from_millis(200);
    let (finish, _) = run(settings, "{}").await;
    let expected = format!("no connection to http://{address} within 200ms");
    assert_eq!(finish, failed(&expected, true));
}
