//! `http`: requests to a receiver within the test.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use belay_testkit::eventually;

use crate::process::{Process, daemon};
use crate::subject::{Deaf, GRACE, Node, Shown, Subject, Work};
use crate::world::{LONG, World};

/// Bytes of an answer that are kept.
const LIMIT: usize = 4096;

pub(crate) struct Http {
    address: String,
    open: Open,
}

/// Names of the work under way, by job and fence: for as long as its connection is there.
type Open = Arc<Mutex<HashSet<String>>>;

impl Subject for Http {
    const SUSPENDS: bool = false;
    const STOPPED: &'static str = "cooperative";
    /// The connection is dropped, and nobody believes in the fence any more.
    const DEAF: Deaf = Deaf::Ended("kill");
    const SHOWN: Shown = Shown::Head(LIMIT);

    fn new(_: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let open = Open::default();
        let theirs = Arc::clone(&open);
        // Ends with the process of the test.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let open = Arc::clone(&theirs);
                thread::spawn(move || receive(stream, &open));
            }
        });
        Self { address, open }
    }

    fn start(&self, world: &World, node: Node) -> Process {
        let at = format!("http://{}", self.address);
        let kinds: String = Work::ALL
            .into_iter()
            .map(|work| {
                format!(
                    "[kinds.{}]\nexecutor = \"http\"\nurl = \"{at}/work/{{kind}}/{{id}}\"\n\
                     cancel_url = \"{at}/cancel/{{kind}}/{{id}}\"\nallow = [\"127.0.0.1/32\"]\n\
                     response_limit = {}\ngrace = \"{}ms\"\nmax_attempts = 2\nbackoff = \"0s\"\n",
                    work.kind(),
                    LIMIT,
                    GRACE.as_millis()
                )
            })
            .collect();
        daemon(world, node, &kinds)
    }

    fn nothing_left(&self, _: &World) {
        eventually(LONG, || self.open.lock().unwrap().is_empty().then_some(()));
    }
}

/// Answers one request.
fn receive(mut stream: TcpStream, open: &Open) {
    let Some(head) = read_head(&mut stream) else {
        return;
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let words: Vec<&str> = path.split('/').collect();
    let ["", call, kind, id] = words[..] else {
        return;
    };
    let fence = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("belay-fence:")?
                .trim()
                .parse::<i32>()
                .ok()
        })
        .unwrap_or_default();
    // A client that has gone does not wait for the answer.
    let _ = match (call, kind) {
        ("work", "succeeds") => answer(&mut stream, "200 OK", b"done"),
        ("work", "fails") => answer(&mut stream, "503 Service Unavailable", b"no luck"),
        ("work", "floods") => {
            let mut flood = vec![b'x'; 1_000_000];
            flood.extend(b"the end");
            answer(&mut stream, "200 OK", &flood)
        }
        ("work", "garbles") => answer(&mut stream, "200 OK", b"a\xff\0b"),
        ("work", _) => {
            let name = format!("{id} {fence}");
            open.lock().unwrap().insert(name.clone());
            let goes_on = go_on(&mut stream);
            open.lock().unwrap().remove(&name);
            goes_on
        }
        ("cancel", "deaf") => answer(&mut stream, "500 Internal Server Error", b"what?"),
        _ => answer(&mut stream, "200 OK", b"stopped"),
    };
}

/// The head of a request; its body is read, too.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        seen.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        if body.len() >= length {
            return Some(head.to_owned());
        }
    }
}

fn answer(stream: &mut TcpStream, status: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

/// Begins an answer and does not end it: until the connection is dropped.
fn go_on(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n")?;
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    loop {
        match stream.read(&mut [0; 16]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // Nothing more is to be said: it is gone.
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
