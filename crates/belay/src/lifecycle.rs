//! The life of the daemon: start, serve, stop.
//!
//! The order of a stop: the worker claims nothing more and its jobs end (HTTP goes on meanwhile, so that they can be cancelled),
//! then the HTTP server, and the private database last.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use belay_private_pg::StopMode;
use belay_worker::Worker;
use sd_notify::NotifyState;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::banner::Banner;
use crate::compose::{self, Daemon};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::first_run::FirstKey;
use crate::stop::{Stop, Wish};
use crate::{files, signals};

/// How long answers that are under way get to be finished, in seconds.
const LAST_ANSWERS: u64 = 5;
/// How often a stop that takes its time says what it waits for.
const REPORT: Duration = Duration::from_secs(10);

/// Runs the daemon until it is asked to stop. When it is ready it says so on standard output, as one JSON object if that is wanted.
///
/// # Errors
/// When it cannot start, or the HTTP server ends by itself.
pub(crate) fn run(config: Config, json: bool) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("belay")
        .enable_all()
        .build()
        .map_err(|error| system("no runtime", &error))?;
    let outcome = runtime.block_on(live(config, json));
    // Whatever still blocks by now has been waited for long enough.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

fn system(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Refused, format!("the system gave {what}: {error}"))
}

async fn live(config: Config, json: bool) -> Result<Exit, Failure> {
    let stop = Stop::new();
    signals::listen(stop.clone()).map_err(|error| system("no signals", &error))?;
    let listener = compose::bind(config.http.listen)?;
    let url = compose::local_url(&listener, config.http.listen);
    let threads = config.http.threads;
    let started = {
        let stop = stop.clone();
        blocking(move || Daemon::start(config, &stop)).await??
    };
    let Some(daemon) = started else {
        tracing::info!("asked to stop before the start was complete");
        return Ok(Exit::Ok);
    };
    let server = {
        let api = daemon.api.clone();
        HttpServer::new(move || {
            let api = api.clone();
            let rest = api.unknown_route();
            App::new()
                .configure(move |routes| api.configure(routes))
                .default_service(rest)
        })
        .workers(threads)
        .shutdown_timeout(LAST_ANSWERS)
        .disable_signals()
        .listen(listener)
        .map(HttpServer::run)
    };
    let outcome = match server {
        Ok(server) => {
            announce(&daemon, &url, json);
            let http = server.handle();
            serve(&daemon, http, tokio::spawn(server), &stop).await
        }
        Err(error) => Err(system("no HTTP server", &error)),
    };
    blocking(move || end(daemon, &stop)).await?;
    tracing::info!("stopped");
    outcome.map(|()| Exit::Ok)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    spawn_blocking(work).await.map_err(|error| {
        Failure::new(
            Exit::Refused,
            format!("a part of the daemon failed: {error}"),
        )
    })
}

/// Tells people, commands and the service manager that the daemon is ready.
fn announce(daemon: &Daemon, url: &str, json: bool) {
    let data_dir = &daemon.config.data_dir;
    if let Err(error) = files::write_private(&data_dir.address(), url) {
        tracing::warn!(%error, file = %data_dir.address().display(), "the address was not written down");
    }
    let key = data_dir.admin_key();
    let database = daemon.private.as_ref().map(|db| (db.psql(), db.url()));
    let banner = Banner {
        url,
        key: key.is_file().then_some(key.as_path()),
        new_key: matches!(daemon.first_key, FirstKey::Made),
        database: database
            .as_ref()
            .map(|(psql, url)| (psql.as_str(), url.as_str())),
        drain: daemon.config.worker.drain,
    };
    // Nobody may be looking.
    let _ = if json {
        writeln!(std::io::stdout(), "{}", banner.json())
    } else {
        write!(std::io::stdout(), "{}", banner.text())
    };
    tracing::info!(url, "ready");
    notify(&[NotifyState::Ready]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager was not told");
    }
}

/// Serves until a stop is wanted, then ends worker and HTTP server.
async fn serve(
    daemon: &Daemon,
    http: ServerHandle,
    mut server: JoinHandle<std::io::Result<()>>,
    stop: &Stop,
) -> Result<(), Failure> {
    let broken = tokio::select! {
        () = stop.wanted(Wish::Drain) => None,
        ended = &mut server => {
            stop.ask();
            let why = match ended {
                Ok(Ok(())) => "it ended by itself".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::error!(why, "the HTTP server is gone; stopping");
            Some(why)
        }
        () = keep_alive() => None,
    };
    notify(&[NotifyState::Stopping]);
    if let Some(worker) = &daemon.worker {
        drain(worker, stop).await;
    }
    daemon.api.stop_waiting();
    if let Some(why) = broken {
        return Err(Failure::new(
            Exit::Refused,
            format!("the HTTP server is gone: {why}"),
        ));
    }
    tokio::select! {
        () = http.stop(stop.wish() < Wish::Now) => {}
        () = stop.wanted(Wish::Now) => http.stop(false).await,
    }
    match server.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the HTTP server did not end well"),
        Err(error) => tracing::warn!(%error, "the HTTP server did not end well"),
    }
    Ok(())
}

/// Tells a service manager that watches us that we live; does nothing, for ever, when none does.
async fn keep_alive() {
    let Some(every) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval((every / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

/// Ends the worker: in good order, or at once when somebody wants that.
async fn drain(worker: &Arc<Worker>, stop: &Stop) {
    if stop.wish() >= Wish::Now {
        worker.stop_now();
    } else {
        worker.drain();
    }
    let mut reports = tokio::time::interval(REPORT);
    reports.tick().await;
    let mut told = false;
    loop {
        tokio::select! {
            () = worker.ended() => return,
            () = stop.wanted(Wish::Now), if !told => {
                told = true;
                worker.stop_now();
            }
            _ = reports.tick() => {
                let status = worker.status();
                let jobs = status.running_heavy + status.running_light;
                tracing::info!(jobs, "waiting for running jobs");
            }
        }
    }
}

/// Ends what is left, the database last.
fn end(daemon: Daemon, stop: &Stop) {
    let Daemon {
        config,
        worker,
        api,
        first_key: _,
        private,
    } = daemon;
    files::remove(&config.data_dir.address());
    // Both hold connections.
    drop((worker, api));
    let Some(private) = private else { return };
    files::remove(&config.data_dir.database());
    private.stop(if stop.wish() >= Wish::Now {
        StopMode::Immediate
    } else {
        StopMode::Fast
    });
}
