//! A thread's own connection, which comes back after it was lost.

use std::time::{Duration, Instant};

use belay_core::backoff::{Backoff, random};
use belay_core::db::Role;
use belay_core::{Db, Error, Result, Session};
use diesel::RunQueryDsl;

/// A session that is opened when it is needed. After a failure to connect it answers [`Error::Unreachable`] at once until
/// a growing, jittered wait is over.
#[derive(Debug)]
pub(crate) struct Link {
    db: Db,
    role: Role,
    session: Option<Session>,
    failures: i16,
    next_try: Instant,
    waits: Backoff,
}

impl Link {
    /// A link that waits at most `cap` between two tries to connect.
    pub(crate) fn new(db: &Db, role: Role, cap: Duration) -> Self {
        Self {
            db: db.clone(),
            role,
            session: None,
            failures: 0,
            next_try: Instant::now(),
            waits: Backoff::Exponential {
                base: Duration::from_millis(50),
                cap,
                jitter: true,
            },
        }
    }

    /// How long until the next try to connect makes sense; zero while connected.
    pub(crate) fn retry_in(&self) -> Duration {
        if self.session.is_some() {
            Duration::ZERO
        } else {
            self.next_try.saturating_duration_since(Instant::now())
        }
    }

    /// Connects if that is needed, so that a later [`Error::Unreachable`] is one of a connection that was there.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub(crate) fn connect(&mut self) -> Result<()> {
        self.session().map(drop)
    }

    /// Runs `f` on the session. [`Error::Unreachable`] means that the connection is gone, and that what `f` sent last may or
    /// may not have happened.
    ///
    /// # Errors
    /// Those of `f`, and [`Error::Unreachable`].
    pub(crate) fn run<T>(&mut self, f: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        let session = self.session()?;
        let outcome = f(session);
        match &outcome {
            Err(Error::Unreachable(_)) => self.drop_session(),
            Err(Error::Database(_)) => {
                // Not every way in which a connection dies has a name of its own, so ask it. It is replaced in any case: a
                // plan or a setting of this session may be what is wrong.
                let probe = session.run(|conn| {
                    diesel::sql_query("select 1")
                        .execute(conn)
                        .map_err(Error::from)
                });
                self.drop_session();
                if let Err(probe) = probe {
                    return Err(Error::Unreachable(probe.to_string()));
                }
            }
            _ => self.failures = 0,
        }
        outcome
    }

    fn session(&mut self) -> Result<&mut Session> {
        if self.session.is_none() {
            if !self.retry_in().is_zero() {
                return Err(Error::Unreachable("waiting before the next try".into()));
            }
            match self.db.session(self.role) {
                Ok(session) => self.session = Some(session),
                Err(error) => {
                    self.drop_session();
                    tracing::debug!(%error, role = ?self.role, "cannot connect to the database");
                    return Err(error);
                }
            }
        }
        self.session
            .as_mut()
            .ok_or_else(|| Error::Unreachable("not connected".into()))
    }

    fn drop_session(&mut self) {
        self.session = None;
        self.failures = self.failures.saturating_add(1);
        self.next_try = Instant::now() + self.waits.delay(self.failures, random());
    }
}
