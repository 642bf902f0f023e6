//! The private PostgreSQL of a daemon without `DATABASE_URL`: started with it, revived when it dies, stopped last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use belay_private_pg::{Cluster, Error, StopMode};

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::stop::{Stop, Wish};

/// The database in it.
const DATABASE: &str = "belay";
/// How often the server is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often its log is looked at, which grows in months.
const TRIM: Duration = Duration::from_secs(3600);
/// Time before the second attempt to revive it; it doubles with each further one.
const SOON: Duration = Duration::from_millis(250);
/// The longest time between two attempts.
const LATER: Duration = Duration::from_secs(15);

/// The running server and the thread that watches it.
#[derive(Debug)]
pub(crate) struct PrivateDb {
    cluster: Arc<Cluster>,
    watcher: JoinHandle<()>,
    /// Dropped to end the watcher.
    end: mpsc::Sender<()>,
    closing: Arc<AtomicBool>,
}

impl PrivateDb {
    /// Starts it, with its database. `None` when the daemon was asked to stop meanwhile.
    pub(crate) fn start(config: &Config, stop: &Stop) -> Result<Option<Self>, Failure> {
        let starting = Arc::new(AtomicBool::new(true));
        let closing = Arc::new(AtomicBool::new(false));
        let give_up = {
            let (starting, closing, stop) = (starting.clone(), closing.clone(), stop.clone());
            move || {
                let asked = starting.load(Ordering::Acquire) && stop.wish() > Wish::Run;
                asked || closing.load(Ordering::Acquire)
            }
        };
        let started = Cluster::builder(config.data_dir.cluster())
            .bin_dir(config.database.pg_bin.clone())
            .ends_with_this_process()
            .cancelled_when(give_up)
            .start();
        let cluster = match started {
            Ok(cluster) => cluster,
            Err(Error::Cancelled) => return Ok(None),
            Err(error) => return Err(failure(&error)),
        };
        cluster
            .ensure_database(DATABASE)
            .map_err(|error| failure(&error))?;
        starting.store(false, Ordering::Release);
        let cluster = Arc::new(cluster);
        let (end, ended) = mpsc::channel();
        let watcher = thread::Builder::new()
            .name("private-database".into())
            .spawn({
                let cluster = Arc::clone(&cluster);
                move || watch(&cluster, &ended)
            })
            .map_err(|error| {
                Failure::new(Exit::Refused, format!("the system gave no thread: {error}"))
            })?;
        Ok(Some(Self {
            cluster,
            watcher,
            end,
            closing,
        }))
    }

    /// The connection string.
    pub(crate) fn url(&self) -> String {
        self.cluster.url(DATABASE)
    }

    /// A client program of the server's own version, if it is installed.
    pub(crate) fn psql(&self) -> String {
        let path = self.cluster.bin_dir().join("psql");
        if path.is_file() {
            path.display().to_string()
        } else {
            "psql".into()
        }
    }

    /// Stops it. Nothing may use it any more.
    pub(crate) fn stop(self, mode: StopMode) {
        self.closing.store(true, Ordering::Release);
        drop(self.end);
        if self.watcher.join().is_err() {
            tracing::error!("the thread that watches the private database has panicked");
        }
        // The watcher held the only other reference.
        let Some(cluster) = Arc::into_inner(self.cluster) else {
            return;
        };
        match cluster.stop(mode) {
            Ok(()) => tracing::info!("the private database has stopped"),
            Err(error) => tracing::error!(%error, "the private database was left behind"),
        }
    }
}

/// A private database that does not come up is a database that cannot be reached, whatever the reason.
fn failure(error: &Error) -> Failure {
    Failure::new(
        Exit::Unreachable,
        format!("the private database cannot be used: {error}"),
    )
}

fn watch(cluster: &Cluster, ended: &mpsc::Receiver<()>) {
    let mut trimmed = Instant::now();
    let mut pause = LOOK;
    let mut failed: u32 = 0;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        pause = LOOK;
        if cluster.is_running() {
            failed = 0;
            if trimmed.elapsed() >= TRIM {
                trimmed = Instant::now();
                if let Err(error) = cluster.trim_log() {
                    tracing::warn!(%error, "the log of the private database grows on");
                }
            }
            continue;
        }
        tracing::error!(log = %cluster.log_file().display(), "the private database has died; starting it again");
        match cluster.restart() {
            Ok(()) => tracing::info!("the private database is back"),
            Err(Error::Cancelled) => {}
            Err(error) => {
                pause = LATER.min(SOON * 2_u32.saturating_pow(failed.min(10)));
                failed += 1;
                tracing::error!(%error, again_in = ?pause, "the private database does not start");
            }
        }
    }
}
