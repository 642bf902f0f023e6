//! `belay serve`: the daemon.

use std::net::SocketAddr;

use clap::Args;

use super::Context;
use crate::cli::address;
use crate::exit::{Exit, Failure};
use crate::lifecycle;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port of the HTTP API; port 0 takes any free one [env: BELAY_LISTEN]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
}

impl Serve {
    pub(crate) fn run(&self, context: Context) -> Result<Exit, Failure> {
        let json = context.out.is_json();
        // The daemon says one thing, when it is ready, and nothing may hold its standard output until then.
        drop(context.out);
        lifecycle::run(context.config, json)
    }
}
