//! A PostgreSQL of its own, for tests that crash it.

use std::ops::Deref;
use std::path::PathBuf;

use belay_private_pg::{Cluster, Profile, TemporaryCluster};

/// A private cluster that leaves nothing. Everything [`Cluster`] can do, above all [`Cluster::kill9`] and [`Cluster::restart`],
/// works on it directly.
#[derive(Debug)]
pub struct TestCluster(TemporaryCluster);

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
        let bin_dir = std::env::var_os("BELAY_PG_BIN").map(PathBuf::from);
        let cluster = TemporaryCluster::start(bin_dir, profile);
        Self(cluster.unwrap_or_else(|error| panic!("{error}")))
    }

    /// The connection string of a migrated database of that name; it is made if it is missing.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    #[must_use]
    pub fn migrated(&self, database: &str) -> String {
        self.0
            .ensure_database(database)
            .unwrap_or_else(|error| panic!("{error}"));
        let url = self.0.url(database);
        belay_core::migrate::run(&url).unwrap_or_else(|error| panic!("migrating: {error}"));
        url
    }
}

impl Deref for TestCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}
