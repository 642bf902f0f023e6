//! The configuration: flag > environment > file > default. One file of this folder per section.

mod data_dir;
mod database;
mod dialects;
mod duration;
mod env;
mod error;
mod file;
mod http;
mod ingest;
mod kinds;
mod log;
mod retention;
mod vault;
mod worker;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

pub use data_dir::DataDir;
pub use database::Database;
pub use dialects::Dialects;
pub(crate) use duration::parse as parse_duration;
pub use env::Env;
pub use error::{ConfigError, Place};
pub use http::Http;
pub use ingest::{Ingest, Object};
pub use kinds::{Executor, Kind};
pub use log::{Format, Log};
pub use retention::Retention;
pub use vault::Vault;
pub use worker::Worker;
pub(crate) use worker::config as worker_config;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the daemon keeps what is its own.
    pub data_dir: DataDir,
    /// Where the jobs are.
    pub database: Database,
    /// The HTTP server.
    pub http: Http,
    /// The compatibility interfaces.
    pub dialects: Dialects,
    /// The interface `vault`.
    pub vault: Vault,
    /// The log.
    pub log: Log,
    /// How this node runs jobs.
    pub worker: Worker,
    /// How long things are kept.
    pub retention: Retention,
    /// What uploaded CSV can be loaded into.
    pub ingest: Ingest,
    /// What this node can run beside the built-in kinds.
    pub kinds: BTreeMap<String, Kind>,
}

/// What flags of the command line can set.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The data directory.
    pub data_dir: Option<PathBuf>,
    /// The connection string.
    pub database_url: Option<String>,
    /// The folder of the PostgreSQL server programs.
    pub pg_bin: Option<PathBuf>,
    /// The address to listen on.
    pub listen: Option<SocketAddr>,
    /// The log filter.
    pub log: Option<String>,
    /// The log format.
    pub log_format: Option<Format>,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sections {
    data_dir: Option<PathBuf>,
    database: Database,
    http: Http,
    dialects: Dialects,
    vault: Vault,
    log: Log,
    worker: Worker,
    retention: Retention,
    ingest: Ingest,
    kinds: BTreeMap<String, Kind>,
}

impl Config {
    /// Reads everything and checks it.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(flags: &Flags, env: &Env) -> Result<Self, ConfigError> {
        let path = flags.config.clone().or_else(|| env.path("BELAY_CONFIG"));
        let file = path.as_deref().map(file::File::read).transpose()?;
        let sections = match &file {
            Some(file) => file.parse()?,
            None => Sections::default(),
        };
        // Whatever is wrong in the file is reported as such, before flags and variables are put over it.
        sections.check().map_err(|error| match &file {
            Some(file) => file.locate(error),
            None => error,
        })?;
        sections.overlaid(flags, env)
    }
}

impl Sections {
    fn check(&self) -> Result<(), ConfigError> {
        self.database.check()?;
        self.http.check()?;
        self.vault.check()?;
        self.log.check()?;
        self.ingest.objects()?;
        let all = Config {
            data_dir: DataDir::new(PathBuf::new()),
            database: self.database.clone(),
            http: self.http.clone(),
            dialects: self.dialects,
            vault: self.vault,
            log: self.log.clone(),
            worker: self.worker.clone(),
            retention: self.retention,
            ingest: self.ingest.clone(),
            kinds: self.kinds.clone(),
        };
        // Any name will do here: what is missing is filled in later and always fits.
        worker_config(&all, "worker").map(|_| ())
    }

    fn overlaid(mut self, flags: &Flags, env: &Env) -> Result<Config, ConfigError> {
        if let Some(url) = env.secret("DATABASE_URL")? {
            self.database.url = Some(url);
            self.database
                .check()
                .map_err(|error| ConfigError::variable("DATABASE_URL", error.message))?;
        }
        if let Some(dir) = env.path("BELAY_PG_BIN") {
            self.database.pg_bin = Some(dir);
        }
        if let Some(listen) = env.text("BELAY_LISTEN")? {
            self.http.listen =
                parse_address(&listen).map_err(|m| ConfigError::variable("BELAY_LISTEN", m))?;
        }
        if let Some(filter) = env.text("BELAY_LOG")? {
            self.log.filter = filter;
            self.log
                .check()
                .map_err(|error| ConfigError::variable("BELAY_LOG", error.message))?;
        }
        if let Some(word) = env.text("BELAY_LOG_FORMAT")? {
            self.log.format =
                file::value(&word).map_err(|m| ConfigError::variable("BELAY_LOG_FORMAT", m))?;
        }
        let data_dir = flags
            .data_dir
            .clone()
            .or_else(|| env.path("BELAY_DATA_DIR"))
            .or_else(|| self.data_dir.take());
        let data_dir = match data_dir {
            Some(dir) => dir,
            None => data_dir::default(env, rustix::process::geteuid().is_root())?,
        };
        self.put_flags(flags)?;
        Ok(Config {
            data_dir: DataDir::new(std::path::absolute(&data_dir).unwrap_or(data_dir)),
            database: self.database,
            http: self.http,
            dialects: self.dialects,
            vault: self.vault,
            log: self.log,
            worker: self.worker,
            retention: self.retention,
            ingest: self.ingest,
            kinds: self.kinds,
        })
    }

    fn put_flags(&mut self, flags: &Flags) -> Result<(), ConfigError> {
        let as_flag = |name: &'static str| {
            move |error: ConfigError| ConfigError {
                place: Place::Flag,
                member: name.to_owned(),
                message: error.message,
            }
        };
        if let Some(url) = &flags.database_url {
            self.database.url = Some(url.clone());
            self.database.check().map_err(as_flag("--database-url"))?;
        }
        if let Some(dir) = &flags.pg_bin {
            self.database.pg_bin = Some(dir.clone());
        }
        if let Some(listen) = flags.listen {
            self.http.listen = listen;
        }
        if let Some(filter) = &flags.log {
            self.log.filter.clone_from(filter);
            self.log.check().map_err(as_flag("--log"))?;
        }
        if let Some(format) = flags.log_format {
            self.log.format = format;
        }
        Ok(())
    }
}

/// Reads an address to listen on.
pub(crate) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is not an address with a port; write for example 127.0.0.1:7117, 0.0.0.0:7117 or [::1]:7117"
        )
    })
}
