//! How commands find the database: the one of the configuration, or the private one of the running daemon.

use std::fs;
use std::io;

use belay_core::{Db, Error, migrate};

use crate::config::Config;
use crate::exit::{Exit, Failure};

/// Connections of a command: it does one thing at a time.
const POOL_SIZE: u32 = 1;

/// The connection string to use.
///
/// # Errors
/// When the configuration names none and no daemon runs on the data directory.
pub(crate) fn url(config: &Config) -> Result<String, Failure> {
    if let Some(url) = &config.database.url {
        return Ok(url.clone());
    }
    let file = config.data_dir.database();
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim_end().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::new(Exit::Unreachable, no_daemon(config)))
        }
        Err(error) => Err(Failure::new(
            Exit::Unreachable,
            format!(
                "cannot read {}: {error}; run this as the user who runs the daemon",
                file.display()
            ),
        )),
    }
}

fn no_daemon(config: &Config) -> String {
    format!(
        "no daemon runs on {}; start one with `belay serve`, or name the data directory (BELAY_DATA_DIR) or the database \
         (DATABASE_URL) it uses",
        config.data_dir.path().display()
    )
}

/// The database with the schema that this program knows.
///
/// # Errors
/// [`Exit::Unreachable`], or [`Exit::Refused`] for another schema.
pub(crate) fn open(config: &Config) -> Result<Db, Failure> {
    let db = connect(config)?;
    db.read(migrate::check)
        .map_err(|error| explain(config, error))?;
    Ok(db)
}

/// The database, whatever schema it has. Connects with the first use.
///
/// # Errors
/// As [`url`].
pub(crate) fn connect(config: &Config) -> Result<Db, Failure> {
    let mut settings = config.database.config(&url(config)?);
    settings.pool_size = POOL_SIZE;
    Ok(Db::new(settings)?)
}

/// Adds what a person can do about a private database that does not answer.
pub(crate) fn explain(config: &Config, error: Error) -> Failure {
    match error {
        Error::Unreachable(why) if config.database.url.is_none() => Failure::new(
            Exit::Unreachable,
            format!(
                "the private database of {} does not answer, so its daemon has probably stopped; start it with `belay serve` ({why})",
                config.data_dir.path().display()
            ),
        ),
        other => other.into(),
    }
}
