//! `belay enqueue`: makes a job.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use belay_core::id::JobRef;
use belay_core::ops::{self, NewJob};
use belay_core::query;
use chrono::{DateTime, Utc};
use clap::Args;

use super::{Context, tenant_number};
use crate::config::parse_duration;
use crate::exit::{Exit, Failure};
use crate::show::time;
use crate::{actor, wire};

/// A payload file is not read further than this; the database allows less.
const MAX_READ: u64 = 2 * 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Enqueue {
    /// What the job is: noop, sleep, or a kind of the configuration
    kind: String,
    /// The payload
    #[arg(long, value_name = "JSON", conflicts_with = "payload_file")]
    payload: Option<String>,
    /// File that holds the payload; - for standard input
    #[arg(long, value_name = "FILE")]
    payload_file: Option<PathBuf>,
    /// Where it waits; the kind's queue when not given
    #[arg(long)]
    queue: Option<String>,
    /// From 0 (first) to 9 (last)
    #[arg(long, value_name = "N")]
    priority: Option<i16>,
    /// Not before this time, for example 2027-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "delay")]
    run_at: Option<DateTime<Utc>>,
    /// Not before this long from now, for example "10m"
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    delay: Option<Duration>,
    /// Attempts in all, 1 to 1000
    #[arg(long, value_name = "N")]
    max_attempts: Option<i16>,
    /// How long one attempt may take, in whole seconds, for example "5m"
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// How long the whole job may take from its first start, with all attempts and the waits between them
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    job_timeout: Option<Duration>,
    /// At most one unfinished job of the tenant has this key
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// The same request with the same key within 24 hours is answered with the same job
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Name, number or 24-digit key of the tenant
    #[arg(long, default_value = "default")]
    tenant: String,
}

impl Enqueue {
    pub(crate) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        let mut job = self.job()?;
        job.check()?;
        let db = context.db()?;
        let actor = actor::login();
        let tenant = tenant_number(&db, Some(&self.tenant))?.unwrap_or(1);
        let (made, existed) = db.tx(|conn| {
            if let Some(delay) = self.delay {
                let delay = chrono::TimeDelta::from_std(delay).unwrap_or(chrono::TimeDelta::MAX);
                let now = query::now(conn)?;
                job.run_at = now.checked_add_signed(delay);
            }
            let key = self.idempotency_key.as_deref();
            let enqueued = ops::enqueue(conn, tenant, &job, key, false, &actor)?;
            let made = query::get(conn, None, &JobRef::number(enqueued.id))?;
            Ok((made, enqueued.existed))
        })?;
        if context.out.is_json() {
            context.out.json(&wire::Job::new(&made, None), false)?;
        } else {
            let when = if made.state == belay_core::JobState::Scheduled {
                format!(" for {}", time(made.run_at))
            } else {
                String::new()
            };
            let before = if existed { ", as it was before" } else { "" };
            context.out.line(format!(
                "job {} is {}{when}{before} (kind {}, queue {})",
                made.id, made.state, made.kind, made.queue
            ))?;
        }
        Ok(Exit::Ok)
    }

    fn job(&self) -> Result<NewJob, Failure> {
        let mut job = NewJob::new(&self.kind);
        if let Some(payload) = &self.payload {
            job.payload.clone_from(payload);
        } else if let Some(path) = &self.payload_file {
            job.payload = read(path)?;
        }
        job.queue.clone_from(&self.queue);
        job.priority = self.priority;
        job.run_at = self.run_at;
        job.max_attempts = self.max_attempts;
        job.unique_key.clone_from(&self.unique_key);
        let seconds =
            |flag, time: Option<Duration>| time.map(|t| whole_seconds(flag, t)).transpose();
        job.timeout_s = seconds("--timeout", self.timeout)?;
        job.job_timeout_s = seconds("--job-timeout", self.job_timeout)?;
        Ok(job)
    }
}

fn whole_seconds(flag: &str, timeout: Duration) -> Result<i32, Failure> {
    if timeout.subsec_nanos() != 0 {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "{flag} is {}, which is not a whole number of seconds",
                humantime::format_duration(timeout)
            ),
        ));
    }
    // What is too much for the type is too much for the database, which says so.
    Ok(i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX))
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let outcome = if path == Path::new("-") {
        io::stdin().lock().take(MAX_READ).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_READ).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("cannot read the payload from {}: {error}", path.display()),
        )
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            Exit::Usage,
            format!("the payload in {} is not valid UTF-8", path.display()),
        )
    })
}
