//! `cargo xtask schema`: keeps `schema.rs` equal to what the migrations make.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use belay_private_pg::{Cluster, Profile, TemporaryCluster};

use super::{Outcome, refuse_unknown};
use crate::schema_file;
use crate::tree::{Tree, root};

pub(super) const ABOUT: &str = "Writes schema.rs from a freshly migrated database (needs the diesel CLI); --check only compares";

const FILE: &str = "crates/belay-core/src/schema.rs";
const DATABASE: &str = "belay_schema";

pub(super) fn run(arguments: &[String]) -> Outcome {
    refuse_unknown(arguments, &["--check"])?;
    let cluster = start_cluster()?;
    if !arguments.is_empty() {
        return match check(&cluster) {
            Ok(()) => {
                println!("{FILE} is fresh");
                Ok(ExitCode::SUCCESS)
            }
            Err(message) => Err(message),
        };
    }
    migrate(&cluster)?;
    let output = Command::new("diesel")
        .args(["print-schema", "--database-url", &cluster.url(DATABASE)])
        .current_dir(root())
        .output()
        .map_err(|error| {
            format!("cannot run diesel: {error}; install it with: cargo install diesel_cli --no-default-features --features postgres")
        })?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    std::fs::write(root().join(FILE), output.stdout)
        .map_err(|error| format!("cannot write {FILE}: {error}"))?;
    println!("{FILE} is written");
    Ok(ExitCode::SUCCESS)
}

/// A throwaway cluster.
pub(super) fn start_cluster() -> Result<TemporaryCluster, String> {
    let bin_dir = std::env::var_os("BELAY_PG_BIN").map(PathBuf::from);
    TemporaryCluster::start(bin_dir, Profile::Fast).map_err(|error| error.to_string())
}

/// Compares the file with a database that only the migrations have touched.
pub(super) fn check(cluster: &Cluster) -> Result<(), String> {
    migrate(cluster)?;
    let rows = cluster
        .administer(DATABASE, schema_file::CATALOGUE)
        .map_err(|error| error.to_string())?;
    let database = schema_file::from_catalogue(&rows)?;
    let text = std::fs::read_to_string(root().join(FILE))
        .map_err(|error| format!("cannot read {FILE}: {error}"))?;
    let differences = schema_file::differences(&schema_file::parse(&text), &database);
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{FILE} is not what the migrations make; run cargo xtask schema (and mention new tables in diesel.toml):\n{differences}"
    ))
}

/// Runs the migrations as they lie in the tree, which the program's own embedded copy is made from. Not through that copy,
/// because it exists only when belay-core compiles, and belay-core compiles only with a fresh `schema.rs`.
fn migrate(cluster: &Cluster) -> Result<(), String> {
    let say = |error: belay_private_pg::Error| error.to_string();
    cluster.ensure_database(DATABASE).map_err(say)?;
    cluster
        .administer(DATABASE, "CREATE SCHEMA belay")
        .map_err(say)?;
    let tree = Tree::read()?;
    for file in &tree.files {
        if file.path.starts_with("migrations/") && file.path.ends_with("/up.sql") {
            let sql = format!("SET search_path TO belay, pg_catalog;\n{}", file.text);
            cluster
                .administer(DATABASE, &sql)
                .map_err(|error| format!("{}: {error}", file.path))?;
        }
    }
    Ok(())
}
