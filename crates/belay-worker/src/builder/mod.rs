//! A worker as part of somebody's program.

use std::future::Future;
use std::time::Duration;

use belay_core::db::DbConfig;
use belay_core::{Db, migrate};
use belay_metrics::Metrics;

use crate::config::{KindConfig, WorkerConfig};
use crate::error::WorkerError;
use crate::worker::Worker;

/// Puts a worker together; made by [`Worker::builder`].
///
/// It serves all queues, with 32 slots and nothing but the kinds it is given, and leaves the duties that the whole database needs
/// to the daemon.
#[derive(Debug)]
#[must_use = "a worker begins with `start`"]
pub struct WorkerBuilder {
    source: Source,
    config: WorkerConfig,
    metrics: Option<Metrics>,
}

#[derive(Debug)]
enum Source {
    None,
    Url(String),
    Db(Db),
}

impl Worker {
    /// A worker within this program.
    pub fn builder() -> WorkerBuilder {
        WorkerBuilder {
            source: Source::None,
            config: WorkerConfig {
                kinds: Vec::new(),
                duties: false,
                ..WorkerConfig::new(program())
            },
            metrics: None,
        }
    }

    /// Works until `shutdown` is ready, then drains and returns when the worker has ended. Returns earlier when the worker
    /// has ended for another reason.
    pub async fn run_until(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => self.drain(),
            () = self.ended() => {}
        }
        self.ended().await;
    }

    /// Works until this process is sent SIGTERM or SIGINT, then drains; a second signal ends the drain and kills what runs. Blocks the
    /// thread until the worker has ended. For programs that do nothing else with these signals.
    ///
    /// # Errors
    /// When the system refuses to report signals. The worker goes on then.
    pub fn run_until_terminated(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};

        let runtime = self.runtime();
        let guard = runtime.enter();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        drop(guard);
        let stop = self.stopper();
        runtime.spawn(async move {
            // The stages of a stop, gentle first. Ends with the runtime.
            for hard in [false, true] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                stop(hard);
            }
        });
        self.join();
        Ok(())
    }
}

impl WorkerBuilder {
    /// Where the database is: a connection string, as libpq takes it. This or [`WorkerBuilder::db`] is needed.
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.source = Source::Url(url.into());
        self
    }

    /// The database, when the program has it already.
    pub fn db(mut self, db: Db) -> Self {
        self.source = Source::Db(db);
        self
    }

    /// A name for people, 1 to 200 characters; that of the program unless set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// The queues to serve; all unless set.
    pub fn queues(mut self, queues: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.queues = Some(queues.into_iter().map(Into::into).collect());
        self
    }

    /// Jobs that run at once, 0 to 10000; 32 unless set. Kinds with [`Prefetch`](crate::executors::Prefetch) have a number of their own.
    pub fn slots(mut self, slots: u32) -> Self {
        self.config.slots = slots;
        self
    }

    /// Adds a kind of job: a [`Native`](crate::executors::native::Native), or one with an executor of the program's own.
    pub fn kind(mut self, kind: impl Into<KindConfig>) -> Self {
        self.config.kinds.push(kind.into());
        self
    }

    /// How long the worker may be silent before others take its jobs, 1 s to 1 h and at least four beats; 15 s unless set.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.config.lease = lease;
        self
    }

    /// Time between heartbeats, from 10 ms; 1 s unless set.
    pub fn beat(mut self, beat: Duration) -> Self {
        self.config.beat = beat;
        self
    }

    /// How long running jobs may go on after [`Worker::drain`], up to 7 days; 30 s unless set.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.config.drain = drain;
        self
    }

    /// Whether it takes part in the duties that the whole database needs: promoting, rescuing, pruning. Off unless set, because a
    /// daemon (`belay serve`) sees to them; without any daemon at least one worker must.
    pub fn duties(mut self, duties: bool) -> Self {
        self.config.duties = duties;
        self
    }

    /// Where the worker counts, to be shown by the program; nowhere visible unless set.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Changes whatever else a worker can be told.
    pub fn configure(mut self, change: impl FnOnce(&mut WorkerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Registers the kinds and the worker and starts to work. Blocks for a few round trips to the database.
    ///
    /// # Errors
    /// [`WorkerError::Invalid`] for a setting; [`WorkerError::Database`] when the database is away, refuses a kind, or has not exactly the schema
    /// that this version knows; [`WorkerError::Thread`] when the system is out of threads.
    pub fn start(self) -> Result<Worker, WorkerError> {
        if self.config.kinds.is_empty() {
            return Err(WorkerError::invalid(
                "kinds",
                "the worker was given no kind of job, so it would run nothing: add one with `kind`",
            ));
        }
        let db = match self.source {
            Source::Db(db) => db,
            Source::Url(url) => Db::new(DbConfig::new(url))?,
            Source::None => {
                return Err(WorkerError::invalid(
                    "database",
                    "the worker was not told where its database is: call `database` or `db`",
                ));
            }
        };
        db.read(migrate::check)?;
        let metrics = match self.metrics {
            Some(metrics) => metrics,
            None => Metrics::new().map_err(|error| {
                WorkerError::invalid("metrics", format!("no counters could be made: {error}"))
            })?,
        };
        Worker::start(db, self.config, metrics)
    }
}

/// The name of this program.
fn program() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .filter(|name| (1..=200).contains(&name.chars().count()))
        .unwrap_or_else(|| "worker".into())
}
