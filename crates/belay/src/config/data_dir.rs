//! The data directory: the private database, the first key, and what commands need to find the daemon.

use std::path::{Path, PathBuf};

use super::env::Env;
use super::{ConfigError, Place};

/// Where a data directory is when nobody says: `/var/lib/belay` for root, the user's own data directory otherwise.
pub(crate) fn default(env: &Env, root: bool) -> Result<PathBuf, ConfigError> {
    if root {
        return Ok(PathBuf::from("/var/lib/belay"));
    }
    // The standard says that a relative path here is invalid and is to be ignored.
    if let Some(dir) = env.path("XDG_DATA_HOME").filter(|dir| dir.is_absolute()) {
        return Ok(dir.join("belay"));
    }
    if let Some(home) = env.path("HOME").filter(|home| home.is_absolute()) {
        return Ok(home.join(".local/share/belay"));
    }
    Err(ConfigError {
        place: Place::Nowhere,
        member: "data_dir".into(),
        message: "cannot be guessed, because HOME is not set; set BELAY_DATA_DIR".into(),
    })
}

/// The files of a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The data directory at a path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of the private PostgreSQL.
    #[must_use]
    pub fn cluster(&self) -> PathBuf {
        self.0.join("pg")
    }

    /// The first key, which only its owner may read.
    #[must_use]
    pub fn admin_key(&self) -> PathBuf {
        self.0.join("admin.key")
    }

    /// Where the running daemon answers, as `http://127.0.0.1:7117`.
    #[must_use]
    pub fn address(&self) -> PathBuf {
        self.0.join("address")
    }

    /// The connection string of the running private PostgreSQL; it holds no password.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("database")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_users_have_their_places() {
        let env = |pairs: &[(&str, &str)]| -> Env { pairs.iter().copied().collect() };
        let user = |pairs: &[(&str, &str)]| default(&env(pairs), false).ok();
        assert_eq!(
            default(&env(&[]), true).ok(),
            Some(PathBuf::from("/var/lib/belay"))
        );
        assert_eq!(
            user(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]),
            Some(PathBuf::from("/x/belay"))
        );
        assert_eq!(
            user(&[("XDG_DATA_HOME", "x"), ("HOME", "/h")]),
            Some(PathBuf::from("/h/.local/share/belay"))
        );
        assert_eq!(user(&[("HOME", "")]), None);
    }
}
