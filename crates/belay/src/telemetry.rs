//! The log: lines on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{ConfigError, Format, Log};

/// Libraries that tell at the level `info` what nobody who runs the daemon can use.
const CHATTER: &str = "actix_server=warn,tokio_cron_scheduler=warn";

/// Sends the log of this process to standard error, from now on.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(log: &Log) -> Result<(), ConfigError> {
    log.filter()?;
    // Put before what is asked for, which therefore wins.
    let filter = Log {
        filter: format!("{CHATTER},{}", log.filter),
        ..log.clone()
    };
    install(filter.filter()?, log.format);
    Ok(())
}

/// For commands: only what goes wrong.
pub(crate) fn start_quiet() {
    // Retries of the pool are reported by the command itself, in words for its user.
    install(EnvFilter::new("warn,r2d2=off"), Format::Text);
}

fn install(filter: EnvFilter, format: Format) {
    let lines = fmt::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // They would go to standard error as well, with a panic when nobody reads that any more.
        .log_internal_errors(false)
        .with_target(false);
    // Fails when the process has a log already, as in a test: then that one stays.
    let _ = match format {
        Format::Text => lines.with_ansi(is_terminal()).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
}

fn is_terminal() -> bool {
    use std::io::IsTerminal as _;
    // See no-color.org.
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
