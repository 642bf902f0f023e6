//! The daemon's ends of the program's pipes: payload in, output and progress out.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout};

use super::super::{Output, Progress};
use super::capture::Tail;
use super::progress::ProgressLines;

/// Least time between two showings of the output.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// Bytes read at once.
const CHUNK: usize = 32 * 1024;
/// How much is still read after the program and all its children have ended. All of it waits in the pipes
/// by then, unless a stranger was given one of them; neither his silence nor his noise may hold up the end.
const DRAIN: (Duration, usize) = (Duration::from_millis(500), 4 * 1024 * 1024);

/// All four pipes and what has come through them.
#[derive(Debug)]
pub(super) struct Streams {
    stdin: Option<pipe::Sender>,
    payload: Vec<u8>,
    /// How much of the payload has been written.
    written: usize,
    stdout: Option<pipe::Receiver>,
    stderr: Option<pipe::Receiver>,
    progress: Option<pipe::Receiver>,
    out: Tail,
    err: Tail,
    lines: ProgressLines,
    newest_progress: Option<Progress>,
    end: (Option<i32>, Option<i32>, Option<Duration>),
    last_shown: Option<Instant>,
    show_at: Option<Instant>,
    buffer: Vec<u8>,
}

enum Ready {
    Stdin,
    Stdout,
    Stderr,
    Progress,
}

impl Streams {
    pub(super) fn new(
        stdin: pipe::Sender,
        payload: Vec<u8>,
        stdout: pipe::Receiver,
        stderr: pipe::Receiver,
        progress: pipe::Receiver,
        limit: usize,
    ) -> Self {
        Self {
            stdin: Some(stdin),
            payload,
            written: 0,
            stdout: Some(stdout),
            stderr: Some(stderr),
            progress: Some(progress),
            out: Tail::new(limit),
            err: Tail::new(limit),
            lines: ProgressLines::default(),
            newest_progress: None,
            end: (None, None, None),
            last_shown: None,
            show_at: None,
            buffer: vec![0; CHUNK],
        }
    }

    /// Waits until one pipe can move and moves it one step. Cancel safe: only the waiting suspends.
    pub(super) async fn step(&mut self) {
        let ready = tokio::select! {
            () = writable(self.stdin.as_ref()) => Ready::Stdin,
            () = readable(self.stdout.as_ref()) => Ready::Stdout,
            () = readable(self.stderr.as_ref()) => Ready::Stderr,
            () = readable(self.progress.as_ref()) => Ready::Progress,
        };
        match ready {
            Ready::Stdin => self.feed(),
            Ready::Stdout => {
                let read = read(&mut self.stdout, &mut self.buffer);
                self.out.push(read);
                let changed = !read.is_empty();
                self.note_output(changed);
            }
            Ready::Stderr => {
                let read = read(&mut self.stderr, &mut self.buffer);
                self.err.push(read);
                let changed = !read.is_empty();
                self.note_output(changed);
            }
            Ready::Progress => {
                let read = read(&mut self.progress, &mut self.buffer);
                let newest = self.lines.push(read);
                self.newest_progress = newest.or(self.newest_progress.take());
            }
        }
    }

    /// Writes the payload and then closes the pipe; a program that does not read it is not at fault.
    fn feed(&mut self) {
        let Some(stdin) = &self.stdin else { return };
        let rest = self.payload.get(self.written..).unwrap_or_default();
        if !rest.is_empty() {
            match stdin.try_write(rest) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.written = self.payload.len(),
            }
        }
        if self.written >= self.payload.len() {
            self.stdin = None;
            self.payload = Vec::new();
            self.written = 0;
        }
    }

    fn note_output(&mut self, changed: bool) {
        if changed && self.show_at.is_none() {
            let now = Instant::now();
            self.show_at = Some(
                self.last_shown
                    .map_or(now, |shown| now.max(shown + SHOW_EVERY)),
            );
        }
    }

    /// When the output should be shown next, if it has changed.
    pub(super) fn show_at(&self) -> Option<Instant> {
        self.show_at
    }

    /// The output so far; counts as shown.
    pub(super) fn output(&mut self) -> Output {
        self.show_at = None;
        self.last_shown = Some(Instant::now());
        Output {
            stdout: self.out.text(),
            stderr: self.err.text(),
            stdout_bytes: self.out.total(),
            stderr_bytes: self.err.total(),
            exit_code: self.end.0,
            signal: self.end.1,
            ran: self.end.2,
        }
    }

    /// Progress that has come in since the last call.
    pub(super) fn take_progress(&mut self) -> Option<Progress> {
        self.newest_progress.take()
    }

    /// Notes how the program ended, to be shown with the output.
    pub(super) fn set_end(&mut self, code: Option<i32>, signal: Option<i32>, ran: Duration) {
        self.end = (code, signal, Some(ran));
    }

    /// Reads what is left in the pipes, within bounds, and closes them.
    pub(super) async fn drain(&mut self) {
        self.stdin = None;
        let seen = |streams: &Self| streams.out.total().saturating_add(streams.err.total());
        let before = seen(self);
        let mut steps = 0_usize;
        let drained = async {
            while self.stdout.is_some() || self.stderr.is_some() || self.progress.is_some() {
                tokio::task::consume_budget().await;
                self.step().await;
                steps += 1;
                let read = usize::try_from(seen(self) - before).unwrap_or(usize::MAX);
                // Steps count as well, as progress has no byte count.
                if read > DRAIN.1 || steps > DRAIN.1 / 1024 {
                    break;
                }
            }
        };
        let _ = timeout(DRAIN.0, drained).await;
        self.stdout = None;
        self.stderr = None;
        self.progress = None;
        if let Some(progress) = self.lines.finish() {
            self.newest_progress = Some(progress);
        }
    }
}

/// Reads once without waiting. Closes the pipe at its end, or when it is broken.
fn read<'a>(pipe: &mut Option<pipe::Receiver>, buffer: &'a mut [u8]) -> &'a [u8] {
    let Some(open) = pipe else { return &[] };
    match open.try_read(buffer) {
        Ok(0) => *pipe = None,
        Ok(read) => return buffer.get(..read).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(_) => *pipe = None,
    }
    &[]
}

async fn readable(pipe: Option<&pipe::Receiver>) {
    match pipe {
        // An error shows again in the read that follows.
        Some(pipe) => drop(pipe.readable().await),
        None => pending().await,
    }
}

async fn writable(pipe: Option<&pipe::Sender>) {
    match pipe {
        Some(pipe) => drop(pipe.writable().await),
        None => pending().await,
    }
}
