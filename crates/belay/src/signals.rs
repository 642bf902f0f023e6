//! Signals. TERM and INT ask for a stop in good order, a second one for a stop at once, a third one does not wait for it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::stop::{Stop, Wish};

/// Exit code after a signal that nobody waited for.
const IMPATIENT: i32 = 1;

/// Listens from now on.
///
/// # Errors
/// When the system refuses.
pub(crate) fn listen(stop: Stop) -> io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = term.recv() => asked(&stop, "SIGTERM"),
                Some(()) = interrupt.recv() => asked(&stop, "SIGINT"),
                open = hung_up(&mut hangup) => if !open { return },
            }
        }
    });
    Ok(())
}

/// The log goes to standard error, so there is no file to open anew, and the configuration is read at start only: the signal
/// must just not end the daemon when its terminal goes away.
async fn hung_up(hangup: &mut Signal) -> bool {
    let open = hangup.recv().await.is_some();
    tracing::info!("SIGHUP is ignored; restart the daemon to read the configuration anew");
    open
}

fn asked(stop: &Stop, signal: &str) {
    match (stop.wish(), stop.ask()) {
        (Wish::Run, _) => {
            tracing::info!("{signal}: stopping in good order; a second signal stops at once");
        }
        (Wish::Drain, _) => tracing::warn!("{signal}: stopping at once"),
        (Wish::Now, _) => {
            tracing::error!("{signal}: not waiting any longer");
            std::process::exit(IMPATIENT);
        }
    }
}
