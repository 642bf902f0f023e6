//! Starting a server and waiting until it answers; finding one that already runs.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::data_dir::Site;
use crate::error::Error;
use crate::locate::Programs;
use crate::os_user::{self, OsUser};
use crate::postmaster::{Phase, PidFile, Postmaster};
use crate::settings::{self, Profile};
use crate::socket::{self, Address};
use crate::wire::Session;
use crate::{poll, processes};

/// How long a server may be silent while it neither starts nor is ready. A server that says it is starting (recovery after
/// a crash reads up to `max_wal_size`) gets all the time it needs.
const SILENCE: Duration = Duration::from_secs(60);

/// A wait this long is worth a line in the log.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Everything a start needs, also the second one.
pub(crate) struct Launch {
    pub(crate) site: Site,
    pub(crate) programs: Programs,
    pub(crate) user: Option<OsUser>,
    pub(crate) profile: Profile,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) address: Address,
    pub(crate) ends_with_process: bool,
    pub(crate) cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("site", &self.site)
            .field("programs", &self.programs)
            .field("user", &self.user)
            .field("profile", &self.profile)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Launch {
    fn not_started(&self, reason: String) -> Error {
        Error::NotStarted {
            path: self.site.folder.clone(),
            reason,
            log: self.site.log.clone(),
            log_tail: self.site.log_tail(),
        }
    }

    /// Asks the server which data it serves; anything but ours means that somebody else answers at this address.
    fn confirm(&self, address: &Address) -> Result<(), Error> {
        let rows = Session::open(address, "postgres")?.query("SHOW data_directory")?;
        let answer = rows.first().and_then(|row| row.first()).cloned().flatten();
        match answer {
            Some(path) if Path::new(&path) == self.site.pgdata => Ok(()),
            other => Err(Error::Statement {
                code: "08006".to_owned(),
                message: format!(
                    "the server at {} serves {}",
                    address.socket().display(),
                    other.unwrap_or_default()
                ),
            }),
        }
    }
}

/// Starts a server. There must be none on this data. When it does not become ready, it is ended again.
pub(crate) fn start(launch: &Launch) -> Result<Postmaster, Error> {
    let site = &launch.site;
    socket::prepare(&launch.address.dir, launch.user.as_ref())?;
    clear_leftovers(&site.pgdata, &launch.address)?;
    site.trim_log()?;
    site.write_conf(&settings::render(
        launch.profile,
        &launch.address.dir,
        launch.address.port,
        &launch.settings,
    ))?;
    let log = site.open_log()?;
    let second = log
        .try_clone()
        .map_err(Error::io("open", &launch.site.log))?;
    let program = launch.programs.postgres();
    let mut option = std::ffi::OsString::from("--config-file=");
    option.push(&site.conf);
    let child = os_user::command(&program, launch.user.as_ref())
        .arg("-D")
        .arg(&site.pgdata)
        .arg(option)
        .stdout(log)
        .stderr(second)
        .spawn()
        .map_err(Error::io("run", &program))?;
    let mut postmaster = Postmaster::started(child);
    let tied = if launch.ends_with_process {
        postmaster.tie(launch.user.as_ref())
    } else {
        Ok(())
    };
    match tied.and_then(|()| wait_until_ready(launch, &mut postmaster)) {
        Ok(()) => Ok(postmaster),
        Err(error) => {
            if let Err(second) = postmaster.end_hard() {
                tracing::error!(error = %second, "a server that did not become ready was left behind");
            }
            tidy_up(launch);
            Err(error)
        }
    }
}

fn wait_until_ready(launch: &Launch, postmaster: &mut Postmaster) -> Result<(), Error> {
    let mut patience = Patience::new();
    let ready = poll::until(Duration::MAX, || {
        if (launch.cancelled)() {
            return Err(Error::Cancelled);
        }
        if let Some(how) = postmaster.ended() {
            return Err(launch.not_started(format!("it ended with {how}")));
        }
        match PidFile::read(&launch.site.pgdata)?.filter(|file| file.pid == postmaster.pid()) {
            Some(file) if file.phase == Phase::Ready => return Ok(Some(())),
            Some(file) if file.phase == Phase::Starting => patience.renew(),
            _ => {}
        }
        if patience.is_over() {
            return Err(launch.not_started("it says nothing".to_owned()));
        }
        Ok(None)
    })?;
    debug_assert!(ready.is_some());
    launch
        .confirm(&launch.address)
        .map_err(|error| launch.not_started(error.to_string()))
}

/// Looks for a server that an earlier process left on this data. Waits for one that is starting, and for the end of one that
/// is stopping. `None`: no server runs, and a new one may start.
pub(crate) fn find_running(launch: &Launch) -> Result<Option<(Postmaster, Address)>, Error> {
    let site = &launch.site;
    let mut patience = Patience::new();
    let found = poll::until(Duration::MAX, || {
        if (launch.cancelled)() {
            return Err(Error::Cancelled);
        }
        let Some(file) = PidFile::read(&site.pgdata)? else {
            return Ok(Some(None));
        };
        if file.pid < 0 && processes::is_alive(-file.pid) {
            return Err(Error::InUse {
                path: site.folder.clone(),
                holder: format!("process {}, a server in single-user mode", -file.pid),
            });
        }
        if !processes::is_alive(file.pid)
            || processes::serves(file.pid, &site.pgdata) == Some(false)
        {
            return Ok(Some(None));
        }
        let unresponsive = |reason: String| Error::Unresponsive {
            path: site.folder.clone(),
            pid: file.pid,
            reason,
        };
        match (file.phase, &file.socket_dir, file.port) {
            (Phase::Ready, Some(dir), Some(port)) => {
                let address = Address {
                    dir: dir.clone(),
                    port,
                };
                match launch.confirm(&address) {
                    Ok(()) => return Ok(Some(Some((file.pid, address)))),
                    // It may have begun to stop since the file was read; then look again.
                    Err(error) if still_as(&file, &site.pgdata) => {
                        return Err(unresponsive(error.to_string()));
                    }
                    Err(_) => {}
                }
            }
            (Phase::Starting, ..) => patience.renew(),
            (Phase::Ready | Phase::Stopping, ..) => {}
        }
        if patience.is_over() {
            return Err(unresponsive(format!(
                "it has been {:?} for a minute",
                file.phase
            )));
        }
        Ok(None)
    })?;
    if let Some(Some((pid, address))) = found {
        return Ok(Some((Postmaster::found(pid), address)));
    }
    Ok(None)
}

fn still_as(file: &PidFile, pgdata: &Path) -> bool {
    processes::is_alive(file.pid) && matches!(PidFile::read(pgdata), Ok(Some(now)) if now == *file)
}

/// Clears what a dead server left and what would keep a new one from starting for no reason: server processes without a
/// postmaster, and a `postmaster.pid` that is empty or whose number belongs to some other program or to a process that has ended
/// but was not collected. Any other such file is left to PostgreSQL, which checks more than we can.
fn clear_leftovers(pgdata: &Path, address: &Address) -> Result<(), Error> {
    processes::end_orphans(pgdata);
    let path = PidFile::path(pgdata);
    let stale = match PidFile::read(pgdata)? {
        None => path.exists(),
        Some(file) => {
            processes::exists(file.pid)
                && (!processes::is_alive(file.pid)
                    || processes::serves(file.pid, pgdata) == Some(false))
        }
    };
    if stale {
        tracing::info!(path = %path.display(), "removing a stale postmaster.pid");
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    // The socket and its lock file lie in a directory of this folder's servers alone, and there is none.
    let socket = address.socket();
    let mut lock = socket.clone().into_os_string();
    lock.push(".lock");
    for path in [PathBuf::from(lock), socket] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes what is of no use without a server: a socket directory outside the folder.
pub(crate) fn tidy_up(launch: &Launch) {
    if !launch.address.dir.starts_with(&launch.site.folder) {
        // Fails while something is left in it, which is right.
        let _ = fs::remove_dir(&launch.address.dir);
    }
}

/// Measures silence, and mentions long waits in the log.
struct Patience {
    since: Instant,
    began: Instant,
    reported: Instant,
}

impl Patience {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            since: now,
            began: now,
            reported: now,
        }
    }

    fn renew(&mut self) {
        self.since = Instant::now();
    }

    fn is_over(&mut self) -> bool {
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            tracing::info!(
                seconds = self.began.elapsed().as_secs(),
                "waiting for PostgreSQL (it may be recovering after a crash)"
            );
        }
        self.since.elapsed() >= SILENCE
    }
}
