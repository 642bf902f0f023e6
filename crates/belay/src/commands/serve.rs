//! `belay serve`: the daemon.

use std::net::SocketAddr;

use clap::Args;

use crate::cli::address;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::lifecycle;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port of the HTTP API; port 0 takes any free one [env: BELAY_LISTEN]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
}

impl Serve {
    pub(crate) fn run(&self, config: Config) -> Result<Exit, Failure> {
        lifecycle::run(config)
    }
}
