//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{cancel, doctor, enqueue, job, jobs, key, migrate, serve, tenant};
use crate::config::{Flags, Format, parse_address};

const EXIT_CODES: &str = "\
Exit codes:
  0  done; the watched job completed
  1  refused, or went wrong; the watched job failed
  2  the command line or the configuration is wrong
  3  there is no such job, tenant or key
  4  the database cannot be reached
  5  the watched job was cancelled
  6  the time given with --timeout was over first

Settings: flag > environment > file > default. Variables: BELAY_CONFIG, BELAY_LISTEN, DATABASE_URL,
BELAY_DATA_DIR, BELAY_PG_BIN, BELAY_LOG, BELAY_LOG_FORMAT; DATABASE_URL_FILE names a file that holds the secret.";

/// A job daemon on PostgreSQL where every job can be stopped.
#[derive(Debug, Parser)]
#[command(name = "belay", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Configuration file [env: BELAY_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory [env: BELAY_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Connection string of the database; other users of this machine can read it here, so prefer the variable [env: DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Folder of the PostgreSQL server programs [env: BELAY_PG_BIN]
    #[arg(long, global = true, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    /// What is logged, for example "info,belay_worker=debug" [env: BELAY_LOG]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look [env: BELAY_LOG_FORMAT]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// Answer in JSON, in the shapes of the HTTP API
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Cli {
    /// The settings among the arguments.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.global.config.clone(),
            data_dir: self.global.data_dir.clone(),
            database_url: self.global.database_url.clone(),
            pg_bin: self.global.pg_bin.clone(),
            listen: match &self.command {
                Command::Serve(serve) => serve.listen,
                _ => None,
            },
            log: self.global.log.clone(),
            log_format: self.global.log_format,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon: database, worker and HTTP API
    Serve(serve::Serve),
    /// Bring the schema of the database up to date
    Migrate(migrate::Migrate),
    /// API keys
    #[command(subcommand)]
    Key(key::Key),
    /// Tenants
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// Make a job
    Enqueue(enqueue::Enqueue),
    /// Stop jobs, whatever they are doing
    Cancel(cancel::Cancel),
    /// See and change one job
    Job(job::JobArgs),
    /// List jobs, newest first
    Jobs(jobs::Jobs),
    /// Look for what is wrong, and say what to do
    Doctor(doctor::Doctor),
    /// Started by the daemon around each command; of no use by hand
    #[command(hide = true)]
    Guard,
}

/// For clap: an address to listen on.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    parse_address(text)
}
