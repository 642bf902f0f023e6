//! Bodies that are large, without end, or no text.

use belay_worker::executors::Finish;

use crate::receiver::{Receiver, Reply};
use crate::support::{error_of, run, settings, until};

const ENDLESS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";

#[tokio::test]
async fn a_body_without_end_is_cut_off_and_its_connection_dropped() {
    let receiver = Receiver::always(Reply::Endless(ENDLESS.to_vec(), vec![b'x'; 64 * 1024]));
    let mut settings = settings(receiver.url("/"));
    settings.response_limit = 1000;
    let (finish, output) = run(settings, "{}").await;
    assert_eq!(finish, Finish::Completed);
    assert_eq!(output.stdout, "x".repeat(1000));
    assert!(output.stdout_bytes > 1000, "{}", output.stdout_bytes);
    assert!(
        output
            .stderr
            .contains("longer than 1000 bytes (response_limit)"),
        "{}",
        output.stderr
    );
    until("the connection is dropped", || receiver.closed() == 1).await;
}

#[tokio::test]
async fn a_large_body_does_not_change_what_its_status_says() {
    for (status, retry) in [
        ("404 Not Found", false),
        ("500 Internal Server Error", true),
    ] {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 99999999999\r\n\r\n");
        let receiver = Receiver::always(Reply::Endless(head.into(), vec![b'x'; 64 * 1024]));
        let (finish, output) = run(settings(receiver.url("/")), "{}").await;
        let (error, will) = error_of(&finish);
        assert_eq!(will, retry);
        assert_eq!(
            error,
            format!("the receiver answered {status}: {}", "x".repeat(200))
        );
        assert_eq!(output.stdout.len(), 64 * 1024);
        until("the connection is dropped", || receiver.closed() == 1).await;
    }
}

#[tokio::test]
async fn chunks_are_put_together() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nTrailer: x\r\n\r\n";
    let receiver = Receiver::always(Reply::Bytes(answer.to_vec()));
    let (finish, output) = run(settings(receiver.url("/")), "{}").await;
    assert_eq!(
        (finish, output.stdout.as_str()),
        (Finish::Completed, "abcde")
    );
}

#[tokio::test]
async fn what_is_no_text_is_replaced() {
    let receiver = Receiver::always(Reply::with("500 Oh", "", b"a\0b\xff\xfec\xe2\x82"));
    let (finish, output) = run(settings(receiver.url("/")), "{}").await;
    assert_eq!(output.stdout, "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}");
    assert_eq!(output.stdout_bytes, 8);
    let (error, _) = error_of(&finish);
    assert!(
        !error.contains('\0') && error.contains("c\u{fffd}"),
        "{error}"
    );
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let receiver = Receiver::always(Reply::Endless(
        b"HTTP/1.1 200 OK\r\n".to_vec(),
        b"X: y\r\n".repeat(1000),
    ));
    let (finish, _) = run(settings(receiver.url("/")), "{}").await;
    assert!(error_of(&finish).1);
    until("the connection is dropped", || receiver.closed() == 1).await;
}
