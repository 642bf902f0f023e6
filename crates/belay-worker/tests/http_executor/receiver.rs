//! A receiver of requests, on threads of its own, so that no runtime of a test holds it up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    /// Lines of the head, names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} came twice");
        value
    }
}

/// What the receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Sends this and closes.
    Bytes(Vec<u8>),
    /// Sends this, then waits until the other side closes.
    AndHang(Vec<u8>),
    /// Sends the first, and the second again and again until the other side closes.
    Endless(Vec<u8>, Vec<u8>),
}

impl Reply {
    /// A whole answer.
    pub(crate) fn status(status: &str, body: &str) -> Self {
        Self::with(status, "", body.as_bytes())
    }

    /// A whole answer with further header lines, each with its line end.
    pub(crate) fn with(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        Self::Bytes([head.as_bytes(), body].concat())
    }

    pub(crate) fn ok() -> Self {
        Self::status("200 OK", "done")
    }

    /// Nothing, until the other side closes.
    pub(crate) fn hang() -> Self {
        Self::AndHang(Vec::new())
    }
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    requests: Vec<Request>,
    /// How many connections the other side closed while the receiver was waiting for that.
    closed: usize,
}

/// Listens, answers, and notes what came.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Receiver {
    pub(crate) fn new(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::on([127, 0, 0, 1].into(), 0, script)
    }

    /// The same answer to everybody.
    pub(crate) fn always(reply: Reply) -> Self {
        Self::new(move |_| reply.clone())
    }

    pub(crate) fn on(
        ip: IpAddr,
        port: u16,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((ip, port)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let script = Arc::new(script);
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, script) = (Arc::clone(&shared), Arc::clone(&script));
                seen.lock().unwrap().connections += 1;
                thread::spawn(move || serve(&stream.unwrap(), &seen, script.as_ref()));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// Requests whose first line contains `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.requests
            .iter()
            .filter(|r| r.line.contains(text))
            .count()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(crate) fn closed(&self) -> usize {
        self.seen.lock().unwrap().closed
    }
}

fn serve(stream: &TcpStream, seen: &Mutex<Seen>, script: &dyn Fn(&Request) -> Reply) {
    let mut reader = BufReader::new(stream);
    let Some(request) = read(&mut reader) else {
        return;
    };
    seen.lock().unwrap().requests.push(request.clone());
    let mut writer = stream;
    match script(&request) {
        Reply::Bytes(bytes) => drop(writer.write_all(&bytes)),
        Reply::AndHang(bytes) => {
            let _ = writer.write_all(&bytes);
            // Ends when the other side closes, in whatever way.
            let _ = reader.read_to_end(&mut Vec::new());
            seen.lock().unwrap().closed += 1;
        }
        Reply::Endless(head, again) => {
            let _ = writer.write_all(&head);
            while writer.write_all(&again).is_ok() {}
            seen.lock().unwrap().closed += 1;
        }
    }
}

/// Reads a request; `None` when the other side closed before it was whole.
fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    let mut next = |reader: &mut dyn BufRead| {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    let first = next(reader)?;
    let mut headers = Vec::new();
    loop {
        let line = next(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut request = Request {
        line: first,
        headers,
        body: String::new(),
    };
    let length = request
        .header("content-length")
        .unwrap_or("0")
        .parse()
        .unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
