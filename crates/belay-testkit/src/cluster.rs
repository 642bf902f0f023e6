//! A PostgreSQL of its own, for tests that crash it.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use belay_private_pg::{Cluster, Profile};
use tempfile::TempDir;

/// A private cluster in a temporary folder; server and folder vanish with the value. Everything [`Cluster`] can do, above all
/// [`Cluster::kill9`] and [`Cluster::restart`], works on it directly.
#[derive(Debug)]
pub struct TestCluster {
    // Before the folder: the server stops first.
    cluster: Cluster,
    _folder: TempDir,
}

impl TestCluster {
    /// Starts one without `fsync`. What is committed survives [`Cluster::kill9`] all the same, because only the machine could
    /// forget it.
    ///
    /// # Panics
    ///
    /// When it does not start; the message says why.
    #[must_use]
    pub fn start() -> Self {
        Self::with_profile(Profile::Fast)
    }

    /// Starts one with the profile asked for.
    ///
    /// # Panics
    ///
    /// When it does not start; the message says why.
    #[must_use]
    pub fn with_profile(profile: Profile) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("belay-test-")
            .tempdir()
            .expect("making a temporary folder");
        // As root the server runs as another user, who has to pass through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))
            .expect("opening the temporary folder to the server");
        let cluster = Cluster::builder(folder.path().join("pg"))
            .bin_dir(std::env::var_os("BELAY_PG_BIN").map(PathBuf::from))
            .profile(profile)
            .start()
            .unwrap_or_else(|error| panic!("{error}"));
        Self {
            cluster,
            _folder: folder,
        }
    }

    /// The connection string of a migrated database of that name; it is made if it is missing.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    #[must_use]
    pub fn migrated(&self, database: &str) -> String {
        self.cluster
            .ensure_database(database)
            .unwrap_or_else(|error| panic!("{error}"));
        let url = self.cluster.url(database);
        belay_core::migrate::run(&url).unwrap_or_else(|error| panic!("migrating: {error}"));
        url
    }
}

impl Deref for TestCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}
