//! A cluster that leaves nothing.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{Cluster, Error, Profile};

/// A private cluster in a temporary folder. The folder vanishes with the value; the server also when this process is killed.
///
/// Everything a [`Cluster`] can do works on it directly.
#[derive(Debug)]
pub struct TemporaryCluster {
    // Before the folder: the server stops first.
    cluster: Cluster,
    _folder: TempDir,
}

impl TemporaryCluster {
    /// Starts one, with the server programs in `bin_dir` or, without it, with those that [`locate`](crate::locate) finds.
    ///
    /// # Errors
    ///
    /// As for [`ClusterBuilder::start`](crate::ClusterBuilder::start).
    pub fn start(bin_dir: Option<PathBuf>, profile: Profile) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("belay-temporary-pg-")
            .tempdir()
            .map_err(Error::io("create a folder in", std::env::temp_dir()))?;
        // As root the server runs as another user, who has to pass through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))
            .map_err(Error::io("change the mode of", folder.path()))?;
        let cluster = Cluster::builder(folder.path().join("pg"))
            .bin_dir(bin_dir)
            .profile(profile)
            .ends_with_this_process()
            .start()?;
        Ok(Self {
            cluster,
            _folder: folder,
        })
    }
}

impl Deref for TemporaryCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}
