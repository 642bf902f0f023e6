//! A database for one test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::url::with_database;
use crate::{TEST_URL_VARIABLE, template};

/// A database of its own, dropped with the value, whoever is still connected.
#[derive(Debug)]
pub struct TestDb {
    name: String,
    url: String,
    admin_url: String,
}

impl TestDb {
    /// A migrated, empty database.
    ///
    /// # Panics
    ///
    /// Without `BELAY_TEST_URL`, and when the cluster refuses.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "making a database is too much for a default"
    )]
    pub fn new() -> Self {
        let admin_url = admin_url();
        let mut admin = connect(&admin_url);
        let template = template::ensure(&mut admin, &admin_url);
        Self::create(&mut admin, admin_url, &template)
    }

    /// A database without any schema, for tests of the migrations themselves.
    ///
    /// # Panics
    ///
    /// As [`TestDb::new`].
    #[must_use]
    pub fn unmigrated() -> Self {
        let admin_url = admin_url();
        let mut admin = connect(&admin_url);
        Self::create(&mut admin, admin_url, "template0")
    }

    fn create(admin: &mut PgConnection, admin_url: String, template: &str) -> Self {
        let name = fresh_name();
        admin
            .batch_execute(&format!(
                "CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
            ))
            .unwrap_or_else(|error| panic!("creating a database for a test: {error}"));
        Self {
            url: with_database(&admin_url, &name),
            name,
            admin_url,
        }
    }

    /// The connection string, as superuser.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new connection, as superuser, with the server's default settings.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    #[must_use]
    pub fn conn(&self) -> PgConnection {
        connect(&self.url)
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        // Also after a failed test. What is left behind goes with the cluster at the end of the run.
        let dropped = PgConnection::establish(&self.admin_url).map(|mut admin| {
            admin.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name))
        });
        if let Ok(Err(error)) = dropped {
            eprintln!("the database {} of a test stays behind: {error}", self.name);
        }
    }
}

fn admin_url() -> String {
    std::env::var(TEST_URL_VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{TEST_URL_VARIABLE} is not set, and this test needs a PostgreSQL. Run it with `cargo xtask test [arguments of the \
             test runner]`, which starts one, or run everything with ./deploy/test"
        )
    })
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"))
}

/// Unique among all processes that share a cluster.
fn fresh_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let nanoseconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos());
    format!(
        "belay_test_{}_{nanoseconds:x}_{}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    )
}
