//! How much the daemon's memory grows while a file of 150 MB is uploaded, and how long that takes.
//!
//! `cargo bench -p belay --bench upload`. Linux only, like the figures it reads.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark"
)]

mod daemon;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use self::daemon::Daemon;

const BYTES: usize = 150_000_000;
const ROUNDS: u32 = 3;

fn main() {
    let daemon = Daemon::start(Duration::from_secs(3));
    for round in 1..=ROUNDS {
        // From here on the peak counts anew.
        fs::write(format!("/proc/{}/clear_refs", daemon.pid()), "5").expect("resetting the peak");
        let before = daemon.memory("VmRSS:");
        let (status, seconds) = upload(daemon.folder());
        let peak = daemon.memory("VmHWM:");
        assert_eq!(status, 202);
        println!(
            "round {round}: {:.0} MB in {seconds:.1} s ({:.0} MB/s); memory {before:.1} MB before, {peak:.1} MB at most: {:.1} MB more (goal: under 32 MB)",
            BYTES as f64 / 1e6,
            BYTES as f64 / 1e6 / seconds,
            peak - before
        );
    }
}

/// Makes a job and uploads the file. Answers the status and how long the upload took.
fn upload(data_dir: &Path) -> (u16, f64) {
    let read = |name: &str| {
        fs::read_to_string(data_dir.join(name))
            .expect("a file of the daemon")
            .trim()
            .to_owned()
    };
    let host = read("address").replace("http://", "");
    let key = read("admin.key");
    let head = |method: &str, path: &str, media: &str, length: usize| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Type: {media}\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let body = "{\"object\":\"o\",\"sourceName\":\"\",\"operation\":\"upsert\"}";
    let path = "/api/v1/ingest/jobs";
    let (status, made) = exchange(&host, |stream| {
        let head = head("POST", path, "application/json", body.len());
        write!(stream, "{head}{body}").expect("sending");
    });
    assert_eq!(status, 201, "{made}");
    let id = made
        .split("\"id\":\"")
        .nth(1)
        .and_then(|rest| rest.get(..36))
        .expect("an id");
    let mut piece = Vec::with_capacity(1_100_000);
    for n in 0_u64.. {
        if piece.len() >= 1_000_000 {
            break;
        }
        let id = n.wrapping_mul(6_364_136_223_846_793_005) >> 20;
        writeln!(
            piece,
            "{id},\"Person, number {id}\",person{id}@example.org,42.5"
        )
        .expect("a text");
    }
    piece.truncate(1_000_000);
    let began = Instant::now();
    let (status, _) = exchange(&host, |stream| {
        let head = head("PUT", &format!("{path}/{id}/batches"), "text/csv", BYTES);
        stream.write_all(head.as_bytes()).expect("sending");
        for _ in 0..BYTES / piece.len() {
            stream.write_all(&piece).expect("sending");
        }
    });
    (status, began.elapsed().as_secs_f64())
}

fn exchange(host: &str, send: impl FnOnce(&mut TcpStream)) -> (u16, String) {
    let mut stream = TcpStream::connect(host).expect("a connection");
    send(&mut stream);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("no status in {answer:?}"));
    (status, answer)
}
