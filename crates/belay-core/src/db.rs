//! Connections: a pool for requests, sessions of their own for the worker's threads.
//!
//! Behind a transaction pooler (`pooler = true`) nothing of a session survives a transaction, so every call becomes one
//! transaction, its settings are local to it, and no statement is kept prepared.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{CacheSize, SimpleConnection};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool, PooledConnection};

use crate::error::{Error, Result};

/// Where the database is and how to use it.
#[derive(Clone)]
pub struct DbConfig {
    /// Connection string, as libpq takes it.
    pub url: String,
    /// Whether a transaction pooler stands in between.
    pub pooler: bool,
    /// Connections kept for requests, from 1.
    pub pool_size: u32,
    /// How long a request waits for a connection before it is told that the daemon is busy.
    pub pool_wait: Duration,
}

impl DbConfig {
    /// The usual settings for a connection string: no pooler, 8 connections, 3 seconds.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pooler: false,
            pool_size: 8,
            pool_wait: Duration::from_secs(3),
        }
    }
}

impl fmt::Debug for DbConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connection string may hold a password.
        f.debug_struct("DbConfig")
            .field("pooler", &self.pooler)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

/// What a connection is used for, which decides its timeouts and how the planner may behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Requests of people and programs.
    Request,
    /// Claims and reports: no plan may depend on the statistics of an often empty table, and waits are short.
    Hot,
    /// Heartbeats: an answer is needed long before the lease ends.
    Beat,
    /// Background duties: longer statements, pinned plans.
    Duty,
    /// Loads of uploaded data: one long transaction on other people's tables. Statements take as long as they take, and whoever
    /// runs one must be able to cancel it.
    Load,
}

impl Role {
    const fn settings(self) -> &'static [(&'static str, &'static str)] {
        const PINNED: [(&str, &str); 6] = [
            ("jit", "off"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_bitmapscan", "off"),
            ("max_parallel_workers_per_gather", "0"),
        ];
        const HOT: [(&str, &str); 10] = with_timeouts(PINNED, "10000", "250");
        const BEAT: [(&str, &str); 10] = with_timeouts(PINNED, "2000", "2000");
        const DUTY: [(&str, &str); 10] = with_timeouts(PINNED, "60000", "2000");
        match self {
            Self::Request => &[
                ("jit", "off"),
                ("statement_timeout", "10000"),
                ("lock_timeout", "3000"),
                ("idle_in_transaction_session_timeout", "30000"),
                ("timezone", "UTC"),
            ],
            Self::Hot => &HOT,
            Self::Beat => &BEAT,
            Self::Duty => &DUTY,
            Self::Load => &[
                ("jit", "off"),
                ("work_mem", "64MB"),
                ("statement_timeout", "0"),
                ("lock_timeout", "15000"),
                // A load whose daemon is frozen, or cut off, must not keep its rows from the next attempt.
                ("idle_in_transaction_session_timeout", "60000"),
                ("tcp_keepalives_idle", "10"),
                ("tcp_keepalives_interval", "5"),
                ("tcp_keepalives_count", "3"),
                ("tcp_user_timeout", "25000"),
                ("timezone", "UTC"),
            ],
        }
    }

    fn sql(self, local: bool) -> String {
        let word = if local { "set local" } else { "set" };
        self.settings()
            .iter()
            .map(|(name, value)| format!("{word} {name} = '{value}';"))
            .collect()
    }
}

const fn with_timeouts(
    pinned: [(&'static str, &'static str); 6],
    statement_ms: &'static str,
    lock_ms: &'static str,
) -> [(&'static str, &'static str); 10] {
    [
        pinned[0],
        pinned[1],
        pinned[2],
        pinned[3],
        pinned[4],
        pinned[5],
        ("statement_timeout", statement_ms),
        ("lock_timeout", lock_ms),
        ("idle_in_transaction_session_timeout", "30000"),
        ("timezone", "UTC"),
    ]
}

/// The database as requests see it: a pool. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: Pool<ConnectionManager<PgConnection>>,
    config: Arc<DbConfig>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Db {
    /// Makes the pool. Connections are opened when needed, so this succeeds while the database is away.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a pool size of 0.
    pub fn new(config: DbConfig) -> Result<Self> {
        if config.pool_size == 0 {
            return Err(Error::invalid(
                "pool_size",
                "pool_size is 0, it must be at least 1",
            ));
        }
        let pool = Pool::builder()
            .max_size(config.pool_size)
            .min_idle(Some(0))
            .connection_timeout(config.pool_wait)
            .idle_timeout(Some(Duration::from_secs(300)))
            .connection_customizer(Box::new(Prepare {
                pooler: config.pooler,
            }))
            .build_unchecked(ConnectionManager::new(&config.url));
        Ok(Self {
            pool,
            config: Arc::new(config),
        })
    }

    /// The settings this was made with.
    #[must_use]
    pub fn config(&self) -> &DbConfig {
        &self.config
    }

    /// Connections open and idle now, for metrics.
    #[must_use]
    pub fn pool_state(&self) -> (u32, u32) {
        let state = self.pool.state();
        (state.connections, state.idle_connections)
    }

    fn get(&self) -> Result<PooledConnection<ConnectionManager<PgConnection>>> {
        self.pool.get().map_err(|e| {
            let state = self.pool.state();
            if state.connections >= self.config.pool_size && state.idle_connections == 0 {
                Error::Busy(format!(
                    "all {} database connections are in use",
                    self.config.pool_size
                ))
            } else {
                Error::Unreachable(e.to_string())
            }
        })
    }

    /// Runs reads. Behind a pooler they share one transaction; otherwise each statement is its own.
    ///
    /// # Errors
    /// Those of `f`; [`Error::Busy`] and [`Error::Unreachable`] from the pool.
    pub fn read<T>(&self, f: impl FnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let mut conn = self.get()?;
        if self.config.pooler {
            local_tx(&mut conn, Role::Request, f)
        } else {
            f(&mut conn)
        }
    }

    /// Runs `f` in one transaction, committed when it answers `Ok`. Tries again, up to three times, when the database
    /// says that two transactions got in each other's way.
    ///
    /// # Errors
    /// Those of `f`; [`Error::Busy`] and [`Error::Unreachable`] from the pool.
    pub fn tx<T>(&self, mut f: impl FnMut(&mut PgConnection) -> Result<T>) -> Result<T> {
        let mut tries = 0;
        loop {
            let mut conn = self.get()?;
            let outcome = if self.config.pooler {
                local_tx(&mut conn, Role::Request, &mut f)
            } else {
                (*conn).transaction(&mut f)
            };
            match outcome {
                Err(Error::Busy(why))
                    if tries < 3 && (why.contains("serialize") || why.contains("deadlock")) =>
                {
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// Opens a connection of its own, outside the pool.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub fn session(&self, role: Role) -> Result<Session> {
        let mut conn = PgConnection::establish(&self.config.url)?;
        prepare(&mut conn, role, self.config.pooler)?;
        Ok(Session {
            conn,
            role,
            pooler: self.config.pooler,
        })
    }
}

#[derive(Debug)]
struct Prepare {
    pooler: bool,
}

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for Prepare {
    fn on_acquire(&self, conn: &mut PgConnection) -> std::result::Result<(), diesel::r2d2::Error> {
        prepare(conn, Role::Request, self.pooler).map_err(diesel::r2d2::Error::QueryError)
    }
}

fn prepare(conn: &mut PgConnection, role: Role, pooler: bool) -> QueryResult<()> {
    if pooler {
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        Ok(())
    } else {
        conn.batch_execute(&role.sql(false))
    }
}

fn local_tx<T>(
    conn: &mut PgConnection,
    role: Role,
    f: impl FnOnce(&mut PgConnection) -> Result<T>,
) -> Result<T> {
    conn.transaction(|conn| {
        conn.batch_execute(&role.sql(true))?;
        f(conn)
    })
}

/// A connection of its own for one thread.
pub struct Session {
    conn: PgConnection,
    role: Role,
    pooler: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Runs single statements, each its own transaction (one transaction for all of them behind a pooler).
    ///
    /// # Errors
    /// Those of `f`.
    pub fn run<T>(&mut self, f: impl FnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        if self.pooler {
            local_tx(&mut self.conn, self.role, f)
        } else {
            f(&mut self.conn)
        }
    }

    /// Runs `f` in one transaction.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn tx<T>(&mut self, f: impl FnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        if self.pooler {
            local_tx(&mut self.conn, self.role, f)
        } else {
            self.conn.transaction(f)
        }
    }

    /// The bare connection, for statements that must stand outside any transaction.
    pub fn raw(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}
