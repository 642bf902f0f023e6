//! One connection of libpq, as little of it as statements of jobs need.
//!
//! diesel hides three things that decide here: the SQLSTATE of an error, the words with which the server ends a command (`COMMIT`
//! of a failed transaction answers `ROLLBACK`), and rows one by one, so that a statement that answers millions fills no memory.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use pq_sys::{ConnStatusType, ExecStatusType, PGconn, PGresult};

/// Type number of `text`.
pub(super) const TEXT: u32 = 25;
/// Type number of `bigint`.
pub(super) const BIGINT: u32 = 20;
/// Type number of `integer`.
pub(super) const INTEGER: u32 = 23;
/// Type number of `bytea`.
pub(super) const BYTEA: u32 = 17;

/// A value for `$n`: its type and its text, `None` for NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Param {
    pub(super) oid: u32,
    pub(super) text: Option<CString>,
}

/// What a command came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The words of the server, such as `INSERT 0 3`.
    pub(super) tag: String,
    /// Rows it changed or answered.
    pub(super) rows: i64,
    /// The first row it answered.
    pub(super) first: Option<Vec<Option<String>>>,
}

/// What the server, or libpq, said instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PgError {
    /// Five characters; `None` when the words are those of libpq.
    pub(super) sqlstate: Option<String>,
    /// One line.
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// Whether the connection can still be used.
    pub(super) alive: bool,
}

impl PgError {
    fn of_libpq(message: &str, alive: bool) -> Self {
        let line = message.lines().next().unwrap_or_default().trim();
        let message = if line.is_empty() {
            "the connection was lost"
        } else {
            line
        };
        Self {
            sqlstate: None,
            message: message.to_owned(),
            hint: None,
            alive,
        }
    }
}

/// A connection. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    conn: NonNull<PGconn>,
}

// SAFETY: a libpq connection may be used from any thread as long as only one uses it at a time; `Connection` is not `Sync`, and
// what changes it takes `&mut self`.
#[expect(unsafe_code, reason = "libpq is a C library")]
unsafe impl Send for Connection {}

/// Whether libpq can read this connection string. Its own words are not used: they repeat parts of it.
#[expect(unsafe_code, reason = "libpq is a C library")]
pub(super) fn is_connection_string(url: &str) -> bool {
    let Ok(url) = CString::new(url) else {
        return false;
    };
    let mut error: *mut c_char = ptr::null_mut();
    // SAFETY: both pointers are live; what libpq allocates is freed below, exactly once.
    unsafe {
        let options = pq_sys::PQconninfoParse(url.as_ptr(), &raw mut error);
        if !error.is_null() {
            pq_sys::PQfreemem(error.cast::<c_void>());
        }
        if options.is_null() {
            return false;
        }
        pq_sys::PQconninfoFree(options);
    }
    true
}

/// libpq writes notices to standard error unless somebody takes them.
#[expect(unsafe_code, reason = "the type that libpq asks for")]
unsafe extern "C" fn ignore(_: *mut c_void, _: *const c_char) {}

#[expect(unsafe_code, reason = "libpq is a C library")]
fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: libpq answers NUL-terminated texts, which live until the result or connection they belong to changes.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

/// A result, freed when it is dropped.
struct Outcome(NonNull<PGresult>);

impl Drop for Outcome {
    #[expect(unsafe_code, reason = "libpq is a C library")]
    fn drop(&mut self) {
        // SAFETY: it is live, and nobody else frees it.
        unsafe { pq_sys::PQclear(self.0.as_ptr()) }
    }
}

#[expect(unsafe_code, reason = "libpq is a C library")]
impl Connection {
    /// Connects with these settings. `dbname` may be a whole connection string: settings before it give way to it, those after it do
    /// not.
    ///
    /// # Errors
    /// The words of libpq, which may name host and user.
    pub(super) fn open(settings: &[(&CStr, &CStr)]) -> Result<Self, PgError> {
        let ends = [ptr::null()];
        let names: Vec<*const c_char> = settings.iter().map(|s| s.0.as_ptr()).chain(ends).collect();
        let values: Vec<*const c_char> =
            settings.iter().map(|s| s.1.as_ptr()).chain(ends).collect();
        // SAFETY: both arrays end with a null pointer, are equally long and outlive the call, as do their texts.
        let conn = unsafe { pq_sys::PQconnectdbParams(names.as_ptr(), values.as_ptr(), 1) };
        let conn = NonNull::new(conn).ok_or_else(|| PgError::of_libpq("out of memory", false))?;
        let made = Self { conn };
        if !made.is_alive() {
            // SAFETY: the connection is live, also when connecting failed.
            let words = text(unsafe { pq_sys::PQerrorMessage(made.conn.as_ptr()) });
            return Err(PgError {
                message: words,
                ..PgError::of_libpq("", false)
            });
        }
        // SAFETY: the connection is live; the function needs no argument.
        unsafe {
            pq_sys::PQsetNoticeProcessor(made.conn.as_ptr(), Some(ignore), ptr::null_mut());
        }
        Ok(made)
    }

    pub(super) fn is_alive(&self) -> bool {
        // SAFETY: the connection is live.
        (unsafe { pq_sys::PQstatus(self.conn.as_ptr()) }) == ConnStatusType::CONNECTION_OK
    }

    /// A second descriptor of its socket, with which another thread can cut it.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn socket(&self) -> io::Result<OwnedFd> {
        // SAFETY: the connection is live.
        let fd = unsafe { pq_sys::PQsocket(self.conn.as_ptr()) };
        if fd < 0 {
            return Err(io::ErrorKind::NotConnected.into());
        }
        // SAFETY: libpq keeps the descriptor open while the connection is not used, and this call ends before that.
        unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()
    }

    /// Runs fixed commands, separated by semicolons. Answers the first row that any of them answered.
    pub(super) fn batch(&mut self, sql: &CStr) -> Result<Answer, PgError> {
        // SAFETY: connection and text are live.
        let sent = unsafe { pq_sys::PQsendQuery(self.conn.as_ptr(), sql.as_ptr()) };
        self.answer(sent)
    }

    /// Runs one command by the extended protocol, by which the server takes no more than one.
    pub(super) fn query(&mut self, sql: &CStr, params: &[Param]) -> Result<Answer, PgError> {
        let count = c_int::try_from(params.len())
            .map_err(|_| PgError::of_libpq("too many parameters", true))?;
        let types: Vec<u32> = params.iter().map(|p| p.oid).collect();
        let values: Vec<*const c_char> = params
            .iter()
            .map(|p| p.text.as_ref().map_or(ptr::null(), |text| text.as_ptr()))
            .collect();
        // SAFETY: connection and texts are live, both arrays have `count` members; no lengths and formats means texts.
        let sent = unsafe {
            pq_sys::PQsendQueryParams(
                self.conn.as_ptr(),
                sql.as_ptr(),
                count,
                types.as_ptr(),
                values.as_ptr(),
                ptr::null(),
                ptr::null(),
                0,
            )
        };
        self.answer(sent)
    }

    fn answer(&mut self, sent: c_int) -> Result<Answer, PgError> {
        if sent != 1 {
            return Err(self.last_error());
        }
        // SAFETY: the connection is live.
        unsafe { pq_sys::PQsetSingleRowMode(self.conn.as_ptr()) };
        let mut answer = Answer::default();
        let mut failed = None;
        loop {
            // SAFETY: the connection is live; a result belongs to us.
            let result = unsafe { pq_sys::PQgetResult(self.conn.as_ptr()) };
            let Some(result) = NonNull::new(result).map(Outcome) else {
                break;
            };
            // SAFETY: the result is live.
            match unsafe { pq_sys::PQresultStatus(result.0.as_ptr()) } {
                ExecStatusType::PGRES_SINGLE_TUPLE => {
                    if answer.first.is_none() {
                        answer.first = Some(row(&result));
                    }
                }
                ExecStatusType::PGRES_COMMAND_OK | ExecStatusType::PGRES_TUPLES_OK => {
                    // SAFETY: the result is live.
                    let (tag, rows) = unsafe {
                        (
                            text(pq_sys::PQcmdStatus(result.0.as_ptr())),
                            text(pq_sys::PQcmdTuples(result.0.as_ptr())),
                        )
                    };
                    answer.tag = tag;
                    answer.rows = rows.parse().unwrap_or(0);
                }
                ExecStatusType::PGRES_EMPTY_QUERY => {}
                ExecStatusType::PGRES_COPY_IN
                | ExecStatusType::PGRES_COPY_OUT
                | ExecStatusType::PGRES_COPY_BOTH => {
                    // It would go on for ever. What ends the connection ends the transaction.
                    return Err(PgError::of_libpq("the statement wants to copy data", false));
                }
                _ => {
                    failed.get_or_insert_with(|| error(&result));
                }
            }
        }
        match failed {
            None if self.is_alive() => Ok(answer),
            None => Err(self.last_error()),
            Some(error) => Err(PgError {
                alive: self.is_alive(),
                ..error
            }),
        }
    }

    fn last_error(&self) -> PgError {
        // SAFETY: the connection is live.
        let words = text(unsafe { pq_sys::PQerrorMessage(self.conn.as_ptr()) });
        PgError::of_libpq(&words, self.is_alive())
    }
}

impl Drop for Connection {
    #[expect(unsafe_code, reason = "libpq is a C library")]
    fn drop(&mut self) {
        // SAFETY: the connection is live, and nobody uses it after this.
        unsafe { pq_sys::PQfinish(self.conn.as_ptr()) }
    }
}

#[expect(unsafe_code, reason = "libpq is a C library")]
fn row(result: &Outcome) -> Vec<Option<String>> {
    let result = result.0.as_ptr();
    // SAFETY: the result is live and has one row; the columns asked for are those it has.
    unsafe {
        (0..pq_sys::PQnfields(result))
            .map(|column| {
                (pq_sys::PQgetisnull(result, 0, column) == 0)
                    .then(|| text(pq_sys::PQgetvalue(result, 0, column)))
            })
            .collect()
    }
}

#[expect(unsafe_code, reason = "libpq is a C library")]
fn error(result: &Outcome) -> PgError {
    let field = |code: u8| {
        // SAFETY: the result is live.
        let value = unsafe { pq_sys::PQresultErrorField(result.0.as_ptr(), c_int::from(code)) };
        (!value.is_null()).then(|| text(value))
    };
    let Some(message) = field(pq_sys::PG_DIAG_MESSAGE_PRIMARY) else {
        // SAFETY: the result is live.
        let words = text(unsafe { pq_sys::PQresultErrorMessage(result.0.as_ptr()) });
        return PgError::of_libpq(&words, false);
    };
    PgError {
        sqlstate: field(pq_sys::PG_DIAG_SQLSTATE),
        message,
        hint: field(pq_sys::PG_DIAG_MESSAGE_HINT),
        alive: true,
    }
}
