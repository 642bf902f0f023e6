//! The daemon put together: database, worker, HTTP server. Everything here blocks, and runs beside the signals.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use belay_api::{AdminApi, Check, Health};
use belay_core::db::Role;
use belay_core::{Db, Error, migrate, ops, query};
use belay_metrics::Metrics;
use belay_private_pg::StopMode;
use belay_worker::{Worker, WorkerError};
use diesel::pg::PgConnection;

use crate::config::{Config, worker_config};
use crate::exit::{Exit, Failure};
use crate::first_run::{self, FirstKey};
use crate::private_db::PrivateDb;
use crate::stop::{Stop, Wish};
use crate::{files, machine};

/// Time before the second look for a database that is away; it doubles with each further one.
const SOON: Duration = Duration::from_millis(250);
/// The longest time between two looks.
const LATER: Duration = Duration::from_secs(5);
/// How often the wish to stop is looked at while waiting.
const LOOK: Duration = Duration::from_millis(50);

/// Everything that runs, besides the HTTP server itself. Field order is the order in which it ends when it is just dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) config: Config,
    pub(crate) worker: Option<Arc<Worker>>,
    pub(crate) api: AdminApi,
    pub(crate) first_key: FirstKey,
    pub(crate) private: Option<PrivateDb>,
}

impl Daemon {
    /// Brings everything up. `None` when the daemon was asked to stop meanwhile; nothing is left running then, nor after an
    /// error.
    pub(crate) fn start(config: Config, stop: &Stop) -> Result<Option<Self>, Failure> {
        prepare_data_dir(&config)?;
        let private = match config.database.url {
            Some(_) => None,
            None => match PrivateDb::start(&config, stop)? {
                None => return Ok(None),
                private => private,
            },
        };
        match Self::on_database(config, private.as_ref(), stop) {
            Ok(Some(daemon)) => Ok(Some(Self { private, ..daemon })),
            other => {
                if let Some(private) = private {
                    private.stop(StopMode::Fast);
                }
                other
            }
        }
    }

    fn on_database(
        config: Config,
        private: Option<&PrivateDb>,
        stop: &Stop,
    ) -> Result<Option<Self>, Failure> {
        // A daemon that was killed left it behind, and whoever waits for this one must not take it for the new address.
        files::remove(&config.data_dir.address());
        let url = match (private, &config.database.url) {
            (Some(private), _) => private.url(),
            (None, Some(url)) => url.clone(),
            (None, None) => String::new(),
        };
        let db = Db::new(config.database.config(&url))?;
        let Some(()) = patiently(&config, stop, || prepare_schema(&config, &db))? else {
            return Ok(None);
        };
        if private.is_some() {
            let file = config.data_dir.database();
            files::write_private(&file, &url).map_err(|error| {
                Failure::new(
                    Exit::Refused,
                    format!("cannot write {}: {error}", file.display()),
                )
            })?;
        }
        let key_file = config.data_dir.admin_key();
        let first_key = first_run::ensure_key(&db, &key_file)?;
        if let FirstKey::NotWritten(error) = &first_key {
            tracing::error!(
                %error,
                file = %key_file.display(),
                "the first key was not made, because it cannot be written down; make one with `belay key create --scope admin --all-tenants`"
            );
        }
        refuse_open_door(&config, &db)?;
        let metrics = Metrics::new().map_err(|e| Failure::new(Exit::Refused, e.to_string()))?;
        let worker = if config.worker.enabled {
            match patiently(&config, stop, || start_worker(&config, &db, &metrics))? {
                None => return Ok(None),
                worker => worker,
            }
        } else {
            // Nobody else may make known what workers elsewhere run.
            let Some(()) = patiently(&config, stop, || declare_kinds(&config, &db))? else {
                return Ok(None);
            };
            None
        };
        let mut api = AdminApi::builder(db)
            .metrics(metrics)
            .metrics_key_required(config.http.metrics_key);
        if let Some(limit) = config.http.limit() {
            api = api.rate_limit(limit);
        }
        api = api
            .vault_cancel_running(config.vault.cancel_running)
            .vault_status_interval(config.vault.status_interval);
        for dialect in config.dialects.off() {
            api = api.without_dialect(dialect);
        }
        if let Some(worker) = &worker {
            api = api.health(Arc::new(WorkerHealth(Arc::clone(worker))));
        }
        let api = api
            .build()
            .map_err(|e| Failure::new(Exit::Refused, e.to_string()))?;
        Ok(Some(Self {
            config,
            worker,
            api,
            first_key,
            private: None,
        }))
    }
}

/// With a database elsewhere the directory is a convenience, and a machine without a place for it is no reason not to start.
fn prepare_data_dir(config: &Config) -> Result<(), Failure> {
    let path = config.data_dir.path();
    match files::make_data_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if config.database.url.is_some() => {
            tracing::warn!(%error, path = %path.display(), "there is no data directory");
            Ok(())
        }
        Err(error) => Err(Failure::new(
            Exit::Refused,
            format!(
                "cannot make the data directory {}: {error}; choose another one (BELAY_DATA_DIR)",
                path.display()
            ),
        )),
    }
}

fn prepare_schema(config: &Config, db: &Db) -> Result<(), Error> {
    // Not from the pool, which would try for a while by itself before it says that the database is away.
    let mut session = db.session(Role::Request)?;
    session.run(refuse_other_languages)?;
    let current = session.run(migrate::check);
    if current.is_ok() || !config.database.migrate {
        return current;
    }
    let migrated = migrate::run(&db.config().url)?;
    for name in migrated.applied {
        tracing::info!(name, "applied a migration");
    }
    Ok(())
}

/// Waits for a lock that were too long, and a few other things, can be told from defects only by the words of the database.
fn refuse_other_languages(conn: &mut PgConnection) -> Result<(), Error> {
    let language = query::message_language(conn)?;
    if query::is_english(&language) {
        return Ok(());
    }
    Err(Error::Refused {
        state: None,
        message: format!(
            "the database writes its messages in the language {language:?} (lc_messages), which this program cannot tell apart; let a \
             superuser run: alter role <the role belay logs in as> set lc_messages = 'C'"
        ),
    })
}

fn start_worker(config: &Config, db: &Db, metrics: &Metrics) -> Result<Arc<Worker>, Error> {
    let mut settings = worker_config(config, &machine::name())
        .map_err(|error| Error::invalid("worker", error.to_string()))?;
    let objects = config
        .ingest
        .objects()
        .map_err(|error| Error::invalid("ingest", error.to_string()))?;
    settings
        .kinds
        .extend(belay_worker::database_kinds(db, objects));
    match Worker::start(db.clone(), settings, metrics.clone()) {
        Ok(worker) => Ok(Arc::new(worker)),
        Err(WorkerError::Database(error)) => Err(error),
        Err(error) => Err(Error::invalid("worker", error.to_string())),
    }
}

fn declare_kinds(config: &Config, db: &Db) -> Result<(), Error> {
    let settings = worker_config(config, &machine::name())
        .map_err(|error| Error::invalid("worker", error.to_string()))?;
    db.tx(|conn| ops::register_kinds(conn, &settings.declared))
}

/// Tries until it succeeds, the time to wait for a database is over, or somebody asks to stop (`None`).
fn patiently<T>(
    config: &Config,
    stop: &Stop,
    mut attempt: impl FnMut() -> Result<T, Error>,
) -> Result<Option<T>, Failure> {
    let began = Instant::now();
    let wait = config.database.start_wait;
    let mut pause = SOON;
    loop {
        let error = match attempt() {
            Ok(done) => return Ok(Some(done)),
            Err(error) if error.is_transient() => error,
            Err(error) => return Err(error.into()),
        };
        if stop.wish() > Wish::Run {
            return Ok(None);
        }
        let left = wait.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(Failure::new(
                Exit::Unreachable,
                format!(
                    "{error}. Gave up after {}; check that the database runs and that DATABASE_URL is right",
                    humantime::format_duration(wait)
                ),
            ));
        }
        let next = pause.min(left);
        tracing::warn!(%error, again_in = ?next, give_up_in = ?Duration::from_secs(left.as_secs()), "waiting for the database");
        if !slept(next, stop) {
            return Ok(None);
        }
        pause = (pause * 2).min(LATER);
    }
}

/// Waits, and answers whether nobody has asked to stop.
fn slept(time: Duration, stop: &Stop) -> bool {
    let began = Instant::now();
    while stop.wish() == Wish::Run {
        let left = time.saturating_sub(began.elapsed());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(LOOK));
    }
    false
}

/// Whoever can reach the address but has no key can do nothing, and nobody has one: then something is wrong.
fn refuse_open_door(config: &Config, db: &Db) -> Result<(), Failure> {
    let listen = config.http.listen;
    if listen.ip().is_loopback() || first_run::has_valid_key(db)? {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        format!(
            "other machines can reach {listen}, and there is no valid API key; make one first (belay key create --scope admin --all-tenants), \
             or listen on 127.0.0.1"
        ),
    ))
}

/// Takes the address, so that a second daemon is told before it has started a database.
pub(crate) fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    TcpListener::bind(listen).map_err(|error| {
        let advice = match error.kind() {
            AddrInUse => "another program, perhaps another belay, listens there; stop it, or choose another address",
            AddrNotAvailable => "this machine does not have that address; choose another one",
            PermissionDenied => "ports below 1024 need more rights; choose a higher one",
            _ => "choose another address",
        };
        Failure::new(
            Exit::Refused,
            format!("cannot listen on {listen}: {error}; {advice} (BELAY_LISTEN, --listen, or http.listen in the file)"),
        )
    })
}

/// Where programs on this machine reach the server.
pub(crate) fn local_url(listener: &TcpListener, wanted: SocketAddr) -> String {
    let mut address = listener.local_addr().unwrap_or(wanted);
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

/// Makes `/readyz` fail while the worker of this node does not work, also because the daemon is stopping.
struct WorkerHealth(Arc<Worker>);

impl Health for WorkerHealth {
    fn checks(&self) -> Vec<Check> {
        let status = self.0.status();
        vec![if !status.alive {
            Check::failed(
                "worker",
                "it has no lease; it registers anew when the database answers",
            )
        } else if !status.claiming {
            Check::failed("worker", "it is stopping")
        } else {
            Check::ok("worker")
        }]
    }
}
