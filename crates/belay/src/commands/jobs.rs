//! `belay jobs`: a list, newest first.

use belay_core::model::{Job, ProgressView};
use belay_core::query::{self, JobFilter, MAX_PAGE};
use belay_core::{Db, JobState};
use chrono::{DateTime, Utc};
use clap::Args;

use super::{Context, tenant_number};
use crate::exit::{Exit, Failure};
use crate::show::ago;
use crate::{clock, wire};

#[derive(Debug, Args)]
pub(crate) struct Jobs {
    /// In one of these states; may be given several times
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
    states: Vec<JobState>,
    /// Of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Of this tenant, by name, number or 24-digit key; of all when not given
    #[arg(long)]
    tenant: Option<String>,
    /// With smaller numbers than this
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl Jobs {
    pub(crate) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        let db = context.db()?;
        let filter = JobFilter {
            tenant: tenant_number(&db, self.tenant.as_deref())?,
            states: self.states.clone(),
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            before: self.before,
            ..JobFilter::default()
        };
        let jobs = self.pages(&db, filter)?;
        if context.out.is_json() {
            let full = jobs.len() >= self.limit as usize;
            let next = jobs.last().filter(|_| full).map(|job| job.id);
            let jobs = with_progress(&db, jobs)?;
            let page = wire::Jobs {
                jobs: jobs
                    .iter()
                    .map(|(job, progress)| wire::Job::new(job, progress.as_ref()))
                    .collect(),
                next: next.map(|id| id.to_string()),
            };
            context.out.json(&page, false)?;
            return Ok(Exit::Ok);
        }
        let now = db.read(clock::database_now)?;
        let rows = jobs.iter().map(|job| row(job, now)).collect();
        context.out.table(
            &[
                "id", "state", "kind", "queue", "prio", "attempt", "age", "worker", "error",
            ],
            rows,
            "no jobs",
        )?;
        Ok(Exit::Ok)
    }

    fn pages(&self, db: &Db, mut filter: JobFilter) -> Result<Vec<Job>, Failure> {
        let mut all: Vec<Job> = Vec::new();
        loop {
            let left = i64::from(self.limit) - all.len() as i64;
            let size = left.min(MAX_PAGE);
            let page = db.read(|conn| query::list(conn, &filter, size))?;
            let last = (page.len() as i64) < size || size == left;
            all.extend(page);
            if last {
                return Ok(all);
            }
            filter.before = all.last().map(|job| job.id);
        }
    }
}

fn with_progress(db: &Db, jobs: Vec<Job>) -> Result<Vec<(Job, Option<ProgressView>)>, Failure> {
    Ok(db.read(|conn| {
        jobs.into_iter()
            .map(|job| {
                let progress = match job.started_at {
                    Some(_) => query::progress(conn, job.id)?,
                    None => None,
                };
                Ok((job, progress))
            })
            .collect()
    })?)
}

fn row(job: &Job, now: DateTime<Utc>) -> Vec<String> {
    let error = job.last_error.as_deref().unwrap_or("");
    vec![
        job.id.to_string(),
        job.state.to_string(),
        job.kind.clone(),
        job.queue.clone(),
        job.priority.to_string(),
        format!("{}/{}", job.attempt, job.max_attempts),
        ago(job.created_at, now),
        job.worker.map_or_else(|| "-".into(), |w| w.to_string()),
        error.chars().take(60).collect(),
    ]
}
