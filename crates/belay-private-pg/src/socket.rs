//! Where the server's Unix socket is.

use std::fs::{self, DirBuilder};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::os_user::{self, OsUser};

/// The port number in the socket's name. The directory is private, so the number never collides.
pub(crate) const PORT: u16 = 5432;

/// Longest path of a Unix socket in bytes, without the closing NUL.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// How to reach a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
}

impl Address {
    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.dir, self.port)
    }

    /// A connection string for libpq and everything built on it.
    pub(crate) fn url(&self, user: &str, database: &str) -> String {
        let host = percent_encoded(self.dir.as_os_str().as_bytes());
        let database = percent_encoded(database.as_bytes());
        format!(
            "postgres://{user}@/{database}?host={host}&port={}",
            self.port
        )
    }
}

/// `run` in the cluster folder, or where that is too long for a socket, a directory under the system's temporary one that
/// depends on nothing but the folder's name.
pub(crate) fn choose(folder: &Path) -> Address {
    let beside = folder.join("run");
    let name = format!("belay-pg-{:016x}", fnv1a(folder.as_os_str().as_bytes()));
    let candidates = [beside, std::env::temp_dir().join(&name)];
    let dir = candidates
        .into_iter()
        .find(|dir| fits(dir))
        .unwrap_or_else(|| Path::new("/tmp").join(&name));
    Address { dir, port: PORT }
}

/// Makes the directory: mode 0700, owned by the user the server runs as. One that exists must be exactly that, because under
/// a shared temporary directory anybody could have put it there.
pub(crate) fn prepare(dir: &Path, user: Option<&OsUser>) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("create", dir)(error)),
    }
    let bad = |reason: String| Error::BadSocketDir {
        path: dir.to_path_buf(),
        reason,
    };
    let metadata = fs::symlink_metadata(dir).map_err(Error::io("look at", dir))?;
    if !metadata.is_dir() {
        return Err(bad(
            "it is not a directory; move it out of the way".to_owned()
        ));
    }
    let me = rustix::process::geteuid().as_raw();
    let wanted = user.map_or(me, |user| user.uid);
    if metadata.uid() == me && me != wanted {
        os_user::give(dir, user)?;
    } else if metadata.uid() != wanted {
        return Err(bad(format!(
            "it belongs to user id {}, not to user id {wanted}; move it out of the way",
            metadata.uid()
        )));
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
        .map_err(Error::io("change the mode of", dir))?;
    os_user::check_reach(dir, user)
}

fn socket_in(dir: &Path, port: u16) -> PathBuf {
    dir.join(format!(".s.PGSQL.{port}"))
}

fn fits(dir: &Path) -> bool {
    socket_in(dir, PORT).as_os_str().len() <= LONGEST
}

/// 64-bit FNV-1a: short, and the same in every build, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(*byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_in_the_folder_unless_the_folder_is_too_deep() {
        assert_eq!(
            choose(Path::new("/srv/pg")).dir,
            Path::new("/srv/pg/run").to_path_buf()
        );
        let deep = PathBuf::from(format!("/srv/{}", "d".repeat(120)));
        let address = choose(&deep);
        assert!(address.socket().as_os_str().len() <= LONGEST);
        assert_eq!(address, choose(&deep));
        let other = PathBuf::from(format!("/srv/{}", "e".repeat(120)));
        assert_ne!(address, choose(&other));
    }

    #[test]
    fn the_longest_path_that_fits_is_used() {
        let tail = "/run/.s.PGSQL.5432".len();
        let fitting = PathBuf::from(format!("/{}", "x".repeat(LONGEST - tail - 1)));
        assert!(choose(&fitting).dir.starts_with(&fitting));
        let longer = PathBuf::from(format!("/{}", "x".repeat(LONGEST - tail)));
        assert!(!choose(&longer).dir.starts_with(&longer));
    }

    #[test]
    fn special_characters_survive_the_url() {
        let address = Address {
            dir: PathBuf::from("/a b/c%&?ü"),
            port: 5432,
        };
        assert_eq!(
            address.url("belay", "x"),
            "postgres://belay@/x?host=%2Fa%20b%2Fc%25%26%3F%C3%BC&port=5432"
        );
    }

    #[test]
    fn a_link_is_not_a_socket_directory() {
        let top = tempfile::tempdir().unwrap();
        let link = top.path().join("link");
        std::os::unix::fs::symlink("/usr", &link).unwrap();
        let error = prepare(&link, None).unwrap_err().to_string();
        assert!(error.contains("not a directory"), "{error}");
    }
}
