//! The commands, one per file. Each works straight on the database; only `serve` knows HTTP.

pub(crate) mod cancel;
pub(crate) mod doctor;
pub(crate) mod enqueue;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod serve;
pub(crate) mod tenant;

use std::process::ExitCode;

use belay_core::{Db, query};

use crate::cli::{Cli, Command};
use crate::config::{Config, Env};
use crate::exit::{Exit, Failure};
use crate::show::Out;
use crate::{database, telemetry};

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) out: Out,
}

impl Context {
    /// The database, with a schema that fits.
    pub(crate) fn db(&self) -> Result<Db, Failure> {
        database::open(&self.config)
    }
}

/// Runs what the command line asks for, and answers with the exit code.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                crate::show::note(format!("belay: {failure}"));
            }
            failure.exit.into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let config = Config::load(&cli.flags(), &Env::of_process())?;
    match &cli.command {
        Command::Serve(_) => telemetry::start(&config.log)?,
        _ => telemetry::start_quiet(),
    }
    let mut context = Context {
        out: Out::new(cli.global.json),
        config,
    };
    match cli.command {
        Command::Serve(command) => command.run(context),
        Command::Migrate(command) => command.run(&mut context),
        Command::Key(command) => command.run(&mut context),
        Command::Tenant(command) => command.run(&mut context),
        Command::Enqueue(command) => command.run(&mut context),
        Command::Cancel(command) => command.run(&mut context),
        Command::Job(command) => command.run(&mut context),
        Command::Jobs(command) => command.run(&mut context),
        Command::Doctor(command) => command.run(&mut context),
        Command::Guard => Err(Failure::new(
            Exit::Usage,
            "guard must be the first argument, and is of no use by hand",
        )),
    }
}

/// Number of the tenant that a flag names; `None` without the flag.
pub(crate) fn tenant_number(db: &Db, word: Option<&str>) -> Result<Option<i32>, Failure> {
    let Some(word) = word else { return Ok(None) };
    Ok(Some(db.read(|conn| query::find_tenant(conn, word))?.id))
}
