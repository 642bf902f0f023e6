//! The embedded migrations: the schema travels inside the program.

use diesel::connection::{CacheSize, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::{Error, Result, is_contention};
use crate::stmt::stmt;

/// Every migration this program knows, in order.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// What a run of the migrations found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Names of the migrations that were run now, in order.
    pub applied: Vec<String>,
}

/// Brings the database at `url` up to this program's schema. Safe to call from many nodes at once: they take turns.
///
/// # Errors
/// [`Error::Unreachable`] without a connection; [`Error::Refused`] when the database has a migration this program does
/// not know, that is, when it was migrated by a newer version, or when a migration fails; [`Error::Busy`] when it meets the locks of
/// transactions that are open.
pub fn run(url: &str) -> Result<Migrated> {
    let mut conn = connect(url)?;
    run_on(&mut conn)
}

fn connect(url: &str) -> Result<PgConnection> {
    Ok(PgConnection::establish(url)?)
}

fn run_on(conn: &mut PgConnection) -> Result<Migrated> {
    // All in one transaction, so that nothing of it is left in the session: behind a pooler that is somebody else's next.
    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    conn.transaction(|conn| {
        conn.batch_execute(
            "set local lock_timeout = '60s';
             select pg_advisory_xact_lock(hashtext('belay.migrate'));
             create schema if not exists belay;
             set local search_path to belay, pg_catalog;",
        )?;
        refuse_newer(conn)?;
        let applied = conn
            .run_pending_migrations(MIGRATIONS)
            .map_err(|e| in_the_way(e.as_ref()).unwrap_or_else(|| failed(e)))?;
        Ok(Migrated {
            applied: applied.iter().map(ToString::to_string).collect(),
        })
    })
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Refused {
        state: None,
        message: format!("a migration failed and was rolled back: {error}"),
    }
}

/// Clients that are at work hold locks that a migration needs. What comes of that passes.
fn in_the_way(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let said = error.to_string();
    is_contention(&said).then(|| {
        Error::Busy(format!(
            "a migration met transactions of clients and was rolled back: {said}; end those that are open for long"
        ))
    })
}

fn refuse_newer(conn: &mut PgConnection) -> Result<()> {
    let known = known()?;
    let newer: Vec<String> = conn
        .applied_migrations()
        .map_err(failed)?
        .into_iter()
        .map(|version| version.to_string())
        .filter(|version| !known.contains(version))
        .collect();
    if newer.is_empty() {
        return Ok(());
    }
    Err(Error::Refused {
        state: None,
        message: format!(
            "this database was migrated by a newer version of belay (it has {}); run that version, or a later one",
            newer.join(", ")
        ),
    })
}

fn known() -> Result<Vec<String>> {
    let migrations: Vec<Box<dyn diesel::migration::Migration<diesel::pg::Pg>>> =
        diesel::migration::MigrationSource::migrations(&MIGRATIONS).map_err(failed)?;
    Ok(migrations
        .iter()
        .map(|m| m.name().version().to_string())
        .collect())
}

/// Tells whether the database has exactly the schema this program knows, without changing anything.
///
/// # Errors
/// [`Error::Refused`] says what is missing or newer.
pub fn check(conn: &mut PgConnection) -> Result<()> {
    let there = stmt::<Bool>(
        "-- has_schema\n select to_regclass('belay.__diesel_schema_migrations') is not null",
    )
    .get_result::<bool>(conn)?;
    if !there {
        return Err(Error::Refused {
            state: None,
            message: "the database has no belay schema yet; run `belay migrate`".into(),
        });
    }
    let applied: Vec<String> =
        stmt::<Text>("-- migrations\n select version::text from belay.__diesel_schema_migrations")
            .load(conn)?;
    let known = known()?;
    if let Some(newer) = applied.iter().find(|v| !known.contains(v)) {
        return Err(Error::Refused {
            state: None,
            message: format!(
                "the database has migration {newer}, which this program does not know; run a newer belay"
            ),
        });
    }
    if let Some(missing) = known.iter().find(|v| !applied.contains(v)) {
        return Err(Error::Refused {
            state: None,
            message: format!("the database lacks migration {missing}; run `belay migrate`"),
        });
    }
    Ok(())
}

/// Undoes every migration, newest first. All data is lost. For tests.
///
/// # Errors
/// As [`run`].
pub fn revert_all(url: &str) -> Result<()> {
    let mut conn = connect(url)?;
    conn.batch_execute("set search_path to belay, pg_catalog")?;
    conn.revert_all_migrations(MIGRATIONS).map_err(failed)?;
    Ok(())
}
