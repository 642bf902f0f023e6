//! Waiting for notifications. They are hints only: everything works without them, a little later.
//!
//! diesel can drain notifications but not wait for them, so this speaks to libpq itself, on a connection of its own.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The one channel of a database.
pub const CHANNEL: &str = "belay";

/// What a notification says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// There may be work in some line.
    Wake,
    /// The worker with this number has jobs to stop, to hold still or to let go on.
    Stop(i64),
    /// Something a newer version says.
    Other(String),
}

impl Hint {
    fn parse(payload: &str) -> Self {
        match payload.split_once(' ') {
            None if payload == "wake" => Self::Wake,
            Some(("stop", worker)) => worker
                .parse()
                .map_or_else(|_| Self::Other(payload.to_owned()), Self::Stop),
            _ => Self::Other(payload.to_owned()),
        }
    }
}

/// Why listening ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("listening for notifications failed: {0}")]
pub struct ListenError(String);

/// A connection that listens.
#[derive(Debug)]
pub struct Listener {
    conn: NonNull<pq_sys::PGconn>,
}

// SAFETY: a libpq connection may be used from any thread as long as only one uses it at a time; `Listener` is not `Sync`
// and all calls take `&mut self`.
#[expect(unsafe_code, reason = "libpq is a C library")]
unsafe impl Send for Listener {}

#[expect(unsafe_code, reason = "libpq is a C library")]
impl Listener {
    /// Connects and listens on [`CHANNEL`].
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn connect(url: &str) -> Result<Self, ListenError> {
        let url = CString::new(url)
            .map_err(|_| ListenError("the connection string holds a NUL character".into()))?;
        // SAFETY: `url` is a NUL-terminated string that outlives the call. The result is null only without memory.
        let conn = unsafe { pq_sys::PQconnectdb(url.as_ptr()) };
        let conn = NonNull::new(conn).ok_or_else(|| ListenError("out of memory".into()))?;
        let mut listener = Self { conn };
        // SAFETY: the connection is live, also when connecting failed.
        if unsafe { pq_sys::PQstatus(listener.conn.as_ptr()) }
            != pq_sys::ConnStatusType::CONNECTION_OK
        {
            return Err(listener.last_error());
        }
        listener.listen()?;
        Ok(listener)
    }

    fn listen(&mut self) -> Result<(), ListenError> {
        let sql =
            CString::new(format!("listen {CHANNEL}")).map_err(|e| ListenError(e.to_string()))?;
        // SAFETY: connection and text are live; the result is freed exactly once.
        let ok = unsafe {
            let result = pq_sys::PQexec(self.conn.as_ptr(), sql.as_ptr());
            let ok = pq_sys::PQresultStatus(result) == pq_sys::ExecStatusType::PGRES_COMMAND_OK;
            pq_sys::PQclear(result);
            ok
        };
        if ok { Ok(()) } else { Err(self.last_error()) }
    }

    /// Waits until a notification is here or `timeout` is over, and answers all that have come, without repeats.
    ///
    /// # Errors
    /// When the connection is lost; connect anew then.
    pub fn wait(&mut self, timeout: Duration) -> Result<Vec<Hint>, ListenError> {
        let deadline = Instant::now() + timeout;
        loop {
            let hints = self.drain()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !hints.is_empty() || left.is_zero() {
                return Ok(hints);
            }
            self.poll(left)?;
        }
    }

    fn poll(&self, timeout: Duration) -> Result<(), ListenError> {
        // SAFETY: the connection is live.
        let fd = unsafe { pq_sys::PQsocket(self.conn.as_ptr()) };
        if fd < 0 {
            return Err(self.last_error());
        }
        // SAFETY: libpq owns the descriptor and keeps it open while the connection lives, which outlives this borrow.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let timeout = Timespec::try_from(timeout).ok();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(ListenError(e.to_string())),
        }
    }

    fn drain(&mut self) -> Result<Vec<Hint>, ListenError> {
        let mut hints = Vec::new();
        // SAFETY: the connection is live.
        if unsafe { pq_sys::PQconsumeInput(self.conn.as_ptr()) } != 1 {
            return Err(self.last_error());
        }
        loop {
            // SAFETY: the connection is live; a non-null result is ours until freed, which happens below, exactly once,
            // after its text was copied.
            let hint = unsafe {
                let Some(notification) = NonNull::new(pq_sys::PQnotifies(self.conn.as_ptr()))
                else {
                    break;
                };
                let hint =
                    Hint::parse(&CStr::from_ptr(notification.as_ref().extra).to_string_lossy());
                pq_sys::PQfreemem(notification.as_ptr().cast());
                hint
            };
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        Ok(hints)
    }

    fn last_error(&self) -> ListenError {
        // SAFETY: the connection is live; the text belongs to it and is copied.
        let text = unsafe { CStr::from_ptr(pq_sys::PQerrorMessage(self.conn.as_ptr())) };
        ListenError(text.to_string_lossy().trim().to_owned())
    }
}

#[expect(unsafe_code, reason = "libpq is a C library")]
impl Drop for Listener {
    fn drop(&mut self) {
        // SAFETY: the connection is live and never used again.
        unsafe { pq_sys::PQfinish(self.conn.as_ptr()) }
    }
}
