//! The cluster as a value.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use crate::data_dir::{FolderLock, Site};
use crate::error::Error;
use crate::launch::{self, Launch};
use crate::locate::locate;
use crate::postmaster::Postmaster;
use crate::socket;
use crate::wire::Session;
use crate::{Profile, SUPERUSER, initdb, os_user};

/// How long a fast stop may take before it becomes an immediate one. The closing checkpoint is the long part.
const FAST_STOP: Duration = Duration::from_secs(60);

/// How a server is asked to stop. Nothing committed is lost either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions, writes everything to disk, ends. The next start is quick.
    Fast,
    /// Ends at once; the next start recovers from the write-ahead log.
    Immediate,
}

/// Collects what a start needs. Made by [`Cluster::builder`].
pub struct ClusterBuilder {
    folder: PathBuf,
    bin_dir: Option<PathBuf>,
    profile: Profile,
    settings: Vec<(String, String)>,
    ends_with_process: bool,
    cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for ClusterBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterBuilder")
            .field("folder", &self.folder)
            .field("bin_dir", &self.bin_dir)
            .field("profile", &self.profile)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl ClusterBuilder {
    /// The folder of the server programs; `None` (the default) searches, see [`locate`].
    #[must_use]
    pub fn bin_dir(mut self, dir: Option<PathBuf>) -> Self {
        self.bin_dir = dir;
        self
    }

    /// What the cluster is for; [`Profile::Durable`] unless said otherwise.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// One more server setting, stronger than the profile's, weaker than `ALTER SYSTEM`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Ends the server when this process is gone, even if it was killed. Without this such a server goes on, and the next start
    /// adopts it. An adopted server is not bound.
    #[must_use]
    pub fn ends_with_this_process(mut self) -> Self {
        self.ends_with_process = true;
        self
    }

    /// Asked every few milliseconds while a start or restart waits; `true` ends it with [`Error::Cancelled`]. A cancelled
    /// start leaves no process and no half-made data behind.
    #[must_use]
    pub fn cancelled_when(mut self, cancelled: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.cancelled = Arc::new(cancelled);
        self
    }

    /// Starts the server: makes the data on first use, adopts a healthy server that an earlier process left behind,
    /// recovers after a crash. Blocks until the server answers: about a second on first use, a tenth of one later, as long as
    /// recovery takes after a crash.
    ///
    /// # Errors
    ///
    /// See [`Error`]; each says what to do.
    pub fn start(self) -> Result<Cluster, Error> {
        let site = Site::open(&self.folder)?;
        let lock = FolderLock::take(&site.folder)?;
        let data_version = site.data_version()?;
        let programs = locate(self.bin_dir.as_deref(), data_version)?;
        let user = os_user::choose(&site.pgdata)?;
        os_user::check_reach(&site.folder, user.as_ref())?;
        if data_version.is_none() {
            initdb::run(
                &site,
                &programs,
                user.as_ref(),
                self.profile,
                &*self.cancelled,
            )?;
        }
        let mut launch = Launch {
            address: socket::choose(&site.folder),
            site,
            programs,
            user,
            profile: self.profile,
            settings: self.settings,
            ends_with_process: self.ends_with_process,
            cancelled: self.cancelled,
        };
        let found = launch::find_running(&launch)?;
        let adopted = found.is_some();
        let server = match found {
            Some((postmaster, address)) => {
                tracing::info!(pid = postmaster.pid(), folder = %launch.site.folder.display(), "adopted a running PostgreSQL server");
                launch.address = address;
                postmaster
            }
            None => launch::start(&launch)?,
        };
        Ok(Cluster {
            server: Mutex::new(Some(server)),
            launch,
            adopted,
            _lock: lock,
        })
    }
}

/// A running private cluster. Dropping it stops the server and keeps the data; see [`Cluster::detach`] for the other wish.
///
/// All methods take `&self`, so that a test can kill the server under threads that use it.
#[derive(Debug)]
pub struct Cluster {
    /// `None` after [`Cluster::kill9`].
    server: Mutex<Option<Postmaster>>,
    launch: Launch,
    adopted: bool,
    /// Released last, when the server is stopped.
    _lock: FolderLock,
}

impl Cluster {
    /// Begins a start in `folder`, which is made if it is missing.
    pub fn builder(folder: impl Into<PathBuf>) -> ClusterBuilder {
        ClusterBuilder {
            folder: folder.into(),
            bin_dir: None,
            profile: Profile::default(),
            settings: Vec::new(),
            ends_with_process: false,
            cancelled: Arc::new(|| false),
        }
    }

    /// A connection string for `database`, understood by libpq and everything built on it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.launch.address.url(SUPERUSER, database)
    }

    /// The directory of the Unix socket, for clients that do not take a connection string.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.launch.address.dir
    }

    /// The port number in the socket's name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.launch.address.port
    }

    /// The folder of the server programs in use; client programs such as `psql` usually lie beside them.
    #[must_use]
    pub fn bin_dir(&self) -> &Path {
        &self.launch.programs.bin_dir
    }

    /// Major version of the server.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.launch.programs.major
    }

    /// The server's log file.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.launch.site.log
    }

    /// Name of the operating system user the server runs as; `None`: the user of this process.
    #[must_use]
    pub fn os_user(&self) -> Option<&str> {
        self.launch.user.as_ref().map(|user| user.name.as_str())
    }

    /// Whether the server was already running when [`ClusterBuilder::start`] was called.
    #[must_use]
    pub fn was_adopted(&self) -> bool {
        self.adopted
    }

    /// Process number of the server's first process; `None` when it does not run.
    #[must_use]
    pub fn postmaster_pid(&self) -> Option<i32> {
        let mut server = self.server();
        let postmaster = server.as_mut()?;
        postmaster.ended().is_none().then(|| postmaster.pid())
    }

    /// Whether the server process is there. It can die by itself (killed for lack of memory); [`Cluster::restart`] revives it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.postmaster_pid().is_some()
    }

    /// Creates the database unless it exists.
    ///
    /// # Errors
    ///
    /// [`Error::BadDatabaseName`], or [`Error::Statement`] with the server's words.
    pub fn ensure_database(&self, name: &str) -> Result<(), Error> {
        let plain = name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !plain || name.len() > 63 || !name.starts_with(|first: char| first.is_ascii_lowercase())
        {
            return Err(Error::BadDatabaseName(name.to_owned()));
        }
        let mut session = Session::open(&self.launch.address, "postgres")?;
        let found = session.query(&format!(
            "SELECT 1 FROM pg_database WHERE datname = '{name}'"
        ))?;
        if found.is_empty() {
            session.query(&format!("CREATE DATABASE {name}"))?;
        }
        Ok(())
    }

    /// Runs statements of administration in `database` as the superuser, and returns the rows of the last one as text (`None`
    /// is NULL). Not a database client: no parameters, no types, one answer in memory, at most a minute.
    ///
    /// # Errors
    ///
    /// [`Error::Statement`], with SQLSTATE `08006` when the connection fails.
    pub fn administer(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        Session::open(&self.launch.address, database)?.query(sql)
    }

    /// Moves the log aside when it has grown beyond 16 MiB. Every start does this too; a process that runs for months
    /// calls it now and then.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn trim_log(&self) -> Result<(), Error> {
        self.launch.site.trim_log()
    }

    /// Kills the server's first process with SIGKILL, as a crash would, and waits until it is gone. For tests of crashes.
    ///
    /// # Errors
    ///
    /// [`Error::NotStopped`].
    pub fn kill9(&self) -> Result<(), Error> {
        let mut server = self.server();
        if let Some(postmaster) = server.as_mut()
            && !postmaster.end(Signal::KILL, FAST_STOP)?
        {
            return Err(Error::NotStopped {
                pid: postmaster.pid(),
                reason: "it ignores SIGKILL".to_owned(),
            });
        }
        *server = None;
        Ok(())
    }

    /// Stops the server (fast) if it runs and starts it again, with the same address. Also the way back after
    /// [`Cluster::kill9`] or after the server died by itself.
    ///
    /// # Errors
    ///
    /// As for [`ClusterBuilder::start`]; the server is down then, and another call may try again.
    pub fn restart(&self) -> Result<(), Error> {
        let mut server = self.server();
        if let Some(mut postmaster) = server.take() {
            stop(&mut postmaster, StopMode::Fast)?;
        }
        *server = Some(launch::start(&self.launch)?);
        Ok(())
    }

    /// Stops the server and gives the folder free.
    ///
    /// # Errors
    ///
    /// [`Error::NotStopped`] when not even SIGKILL ends it.
    pub fn stop(self, mode: StopMode) -> Result<(), Error> {
        self.shut_down(mode)
    }

    /// Gives the folder free and leaves the server running; the next start in the folder adopts it. Returns its process number.
    #[must_use]
    pub fn detach(self) -> Option<i32> {
        self.server().take().map(|postmaster| postmaster.pid())
    }

    fn server(&self) -> MutexGuard<'_, Option<Postmaster>> {
        // A panic elsewhere does not change which process is ours.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut_down(&self, mode: StopMode) -> Result<(), Error> {
        let Some(mut postmaster) = self.server().take() else {
            return Ok(());
        };
        stop(&mut postmaster, mode)?;
        launch::tidy_up(&self.launch);
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Data of tests is thrown away, so they need no closing checkpoint.
        let mode = match self.launch.profile {
            Profile::Fast => StopMode::Immediate,
            Profile::Durable | Profile::Bench => StopMode::Fast,
        };
        if let Err(error) = self.shut_down(mode) {
            tracing::error!(%error, "the private PostgreSQL server was left behind");
        }
    }
}

fn stop(postmaster: &mut Postmaster, mode: StopMode) -> Result<(), Error> {
    if mode == StopMode::Fast && postmaster.end(Signal::INT, FAST_STOP)? {
        return Ok(());
    }
    postmaster.end_hard()
}
