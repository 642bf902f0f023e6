//! The template: one migrated database, copied for every test.

use std::fs;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::url::with_database;

/// Holds one test process at a time while the template is made.
const LOCK: i64 = 0x6265_6c61_795f_7470;

/// Name of the migrated template database; makes it if this schema has none in the cluster yet.
pub(crate) fn ensure(admin: &mut PgConnection, admin_url: &str) -> String {
    let name = format!("belay_template_{:016x}", migrations_hash());
    if exists(admin, &name) {
        return name;
    }
    // Held by the session, so it is free again when this process dies.
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<BigInt, _>(LOCK)
        .execute(admin)
        .expect("locking the making of the template database");
    if !exists(admin, &name) {
        make(admin, admin_url, &name);
    }
    diesel::sql_query("SELECT pg_advisory_unlock($1)")
        .bind::<BigInt, _>(LOCK)
        .execute(admin)
        .expect("unlocking the making of the template database");
    name
}

/// The final name appears when the template is complete, so a run that is killed half-way leaves none that looks finished.
fn make(admin: &mut PgConnection, admin_url: &str, name: &str) {
    let unfinished = format!("{name}_unfinished");
    let mut run = |sql: String| {
        admin
            .batch_execute(&sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    };
    run(format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"));
    run(format!("CREATE DATABASE {unfinished} TEMPLATE template0"));
    belay_core::migrate::run(&with_database(admin_url, &unfinished))
        .unwrap_or_else(|error| panic!("migrating the template database: {error}"));
    run(format!("ALTER DATABASE {unfinished} RENAME TO {name}"));
    // Nobody may connect: a session in a template makes copying it fail.
    run(format!(
        "ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
    ));
}

fn exists(admin: &mut PgConnection, name: &str) -> bool {
    diesel::select(
        diesel::dsl::sql::<Bool>("EXISTS (SELECT 1 FROM pg_database WHERE datname = ")
            .bind::<Text, _>(name)
            .sql(" AND NOT datallowconn)"),
    )
    .get_result(admin)
    .expect("looking for the template database")
}

/// Changes whenever a migration does, so that a cluster that outlives a run never serves an old schema.
fn migrations_hash() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut hash = Fnv::new();
    let mut folders: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()))
        .map(|entry| entry.expect("reading the folder of migrations").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    for path in folders {
        hash.add(path.file_name().unwrap_or_default().as_encoded_bytes());
        hash.add(&fs::read(path.join("up.sql")).unwrap_or_default());
    }
    hash.0
}

/// 64-bit FNV-1a: no secret is at stake, and equal files give equal names in every process.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds the bytes and their number, so that two fields never run into each other.
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&bytes.len().to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
