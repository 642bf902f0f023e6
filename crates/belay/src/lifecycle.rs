//! x
use crate::config::Config;
use crate::exit::{Exit, Failure};
pub(crate) fn run(config: Config) -> Result<Exit, Failure> {
    let _ = config;
    Ok(Exit::Ok)
}
