//! A network between worker and daemon that loses an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes everything on until an answer holds the text that is to be lost; that connection is cut, with the answer.
pub(crate) struct Proxy {
    address: String,
    loses: Arc<Mutex<Option<&'static str>>>,
}

impl Proxy {
    /// To the daemon at this URL.
    pub(crate) fn start(url: &str) -> Self {
        let to = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let loses = Arc::default();
        let shared = Arc::clone(&loses);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(server) = TcpStream::connect(&to) {
                    connect(client, server, &shared);
                }
            }
        });
        Self { address, loses }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Loses the next answer that holds this text.
    pub(crate) fn lose(&self, text: &'static str) {
        *self.loses.lock().unwrap() = Some(text);
    }

    /// Whether that has happened.
    pub(crate) fn has_lost(&self) -> bool {
        self.loses.lock().unwrap().is_none()
    }
}

fn connect(client: TcpStream, server: TcpStream, loses: &Arc<Mutex<Option<&'static str>>>) {
    let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let loses = Arc::clone(loses);
    thread::spawn(move || copy(up, server, |_| false));
    thread::spawn(move || {
        copy(down, client, |bytes| {
            let mut loses = loses.lock().unwrap();
            let found = loses.is_some_and(|text| String::from_utf8_lossy(bytes).contains(text));
            if found {
                *loses = None;
            }
            found
        });
    });
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut cut: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..read).unwrap_or_default();
        if cut(bytes) || to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
