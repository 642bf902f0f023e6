//! The cluster folder: its layout, its lock, and the check of what is in it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::error::Error;

/// The log is moved aside when it is longer than this, in bytes.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// The files of one cluster folder. All paths are absolute and free of links.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    pub(crate) pgdata: PathBuf,
    pub(crate) conf: PathBuf,
    pub(crate) log: PathBuf,
}

impl Site {
    /// Makes the folder if it is missing.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        if !folder.is_dir() {
            if let Some(parent) = folder
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
            {
                fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            }
            // As root the server runs as another user, who has to pass through to its data but not to look around.
            let mode = if rustix::process::geteuid().is_root() {
                0o711
            } else {
                0o700
            };
            fs::DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(folder)
                .map_err(Error::io("create", folder))?;
        }
        let folder = fs::canonicalize(folder).map_err(Error::io("resolve", folder))?;
        Ok(Self {
            pgdata: folder.join("pgdata"),
            conf: folder.join("server.conf"),
            log: folder.join("server.log"),
            folder,
        })
    }

    /// The major version that wrote the data; `None` when there is no data yet.
    pub(crate) fn data_version(&self) -> Result<Option<u32>, Error> {
        let bad = |reason: String| Error::BadData {
            path: self.pgdata.clone(),
            reason,
        };
        match fs::symlink_metadata(&self.pgdata) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("look at", &self.pgdata)(error)),
        }
        let file = self.pgdata.join("PG_VERSION");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(bad(
                    "it has no file PG_VERSION, so it is not a complete data directory; move it away or restore it"
                        .to_owned(),
                ));
            }
            Err(error) => return Err(Error::io("read", file)(error)),
        };
        match text.trim().parse() {
            Ok(major) => Ok(Some(major)),
            Err(_) => Err(bad(format!("its file PG_VERSION says {:?}", text.trim()))),
        }
    }

    /// Opens the server's log for appending.
    pub(crate) fn open_log(&self) -> Result<File, Error> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(&self.log)
            .map_err(Error::io("open", &self.log))
    }

    /// Keeps the log short: above 16 MiB its content moves to `server.log.1`. A running server goes on writing to the same file.
    pub(crate) fn trim_log(&self) -> Result<(), Error> {
        match fs::metadata(&self.log) {
            Ok(metadata) if metadata.len() > LOG_LIMIT => {}
            _ => return Ok(()),
        }
        let previous = self.log.with_extension("log.1");
        fs::copy(&self.log, &previous).map_err(Error::io("write", &previous))?;
        let log = self.open_log()?;
        log.set_len(0).map_err(Error::io("shorten", &self.log))
    }

    /// The last lines of the log, for an error message.
    pub(crate) fn log_tail(&self) -> String {
        const BYTES: i64 = 2000;
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(&self.log) {
            if file.seek(SeekFrom::End(-BYTES)).is_err() {
                // Shorter than that.
                let _ = file.rewind();
            }
            let _ = file.read_to_end(&mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(10)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Writes the configuration file whole or not at all.
    pub(crate) fn write_conf(&self, text: &str) -> Result<(), Error> {
        let fresh = self.conf.with_extension("conf.new");
        fs::write(&fresh, text).map_err(Error::io("write", &fresh))?;
        fs::rename(&fresh, &self.conf).map_err(Error::io("write", &self.conf))
    }
}

/// Holds the folder: no other value of this crate, in this process or another, owns it meanwhile.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
}

impl FolderLock {
    pub(crate) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(Error::InUse {
                    path: folder.to_path_buf(),
                    holder: match holder.trim() {
                        "" => "another process".to_owned(),
                        pid => format!("process {pid}"),
                    },
                });
            }
            Err(error) => return Err(Error::io("lock", &path)(error.into())),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(Error::io("write", &path))?;
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing would do, unless a child that another thread is just starting still holds a copy of the descriptor.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Never write through a link that somebody put there.
fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_exclusive_and_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        let error = FolderLock::take(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        drop(lock);
        FolderLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_a_data_directory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::open(folder.path()).unwrap();
        assert_eq!(site.data_version().unwrap(), None);
        fs::create_dir(&site.pgdata).unwrap();
        let error = site.data_version().unwrap_err().to_string();
        assert!(error.contains("no file PG_VERSION"), "{error}");
        fs::write(site.pgdata.join("PG_VERSION"), "15\n").unwrap();
        assert_eq!(site.data_version().unwrap(), Some(15));
    }

    #[test]
    fn a_long_log_moves_aside_and_its_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::open(folder.path()).unwrap();
        let mut writer = site.open_log().unwrap();
        writer.write_all(b"first\nsecond\n").unwrap();
        site.trim_log().unwrap();
        assert_eq!(site.log_tail(), "first\nsecond");
        writer
            .write_all(&vec![b'x'; usize::try_from(LOG_LIMIT).unwrap()])
            .unwrap();
        site.trim_log().unwrap();
        writer.write_all(b"third\n").unwrap();
        assert_eq!(fs::read_to_string(&site.log).unwrap(), "third\n");
        let previous = fs::metadata(folder.path().join("server.log.1")).unwrap();
        assert!(previous.len() > LOG_LIMIT);
    }
}
