//! `belay job ID`: a job as it stands.

use belay_core::model::{Job, OutputView, ProgressView};
use belay_core::query;

use super::{Context, Target, tenant_number};
use crate::exit::{Exit, Failure};
use crate::show::{maybe_time, time};
use crate::wire;

pub(super) fn run(target: &Target, context: &mut Context) -> Result<Exit, Failure> {
    let db = context.db()?;
    let tenant = tenant_number(&db, target.tenant.as_deref())?;
    let (job, progress, last) = db.read(|conn| {
        let job = query::get(conn, tenant, &target.id)?;
        let progress = query::progress(conn, job.id)?;
        let last = query::outputs(conn, job.id)?.pop();
        Ok((job, progress, last))
    })?;
    if context.out.is_json() {
        context
            .out
            .json(&wire::Job::new(&job, progress.as_ref()), false)?;
    } else {
        let mut pairs = pairs(&job, progress.as_ref());
        pairs.extend(
            last.and_then(|output| ended(&output))
                .map(|how| ("program", how)),
        );
        context.out.pairs(&pairs)?;
    }
    Ok(Exit::Ok)
}

/// How the program of the latest attempt that has a result ended, and after how long.
fn ended(output: &OutputView) -> Option<String> {
    let how = match (output.exit_code, output.signal) {
        (None, None) => return None,
        (Some(code), _) => format!("attempt {} exited with code {code}", output.attempt),
        (None, Some(signal)) => {
            format!("attempt {} was ended by signal {signal}", output.attempt)
        }
    };
    let after = output.ran_ms.map_or_else(String::new, |ms| {
        format!(" after {:.1} s", ms as f64 / 1000.0)
    });
    Some(how + &after)
}

fn pairs(job: &Job, progress: Option<&ProgressView>) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("job", format!("{} ({})", job.id, job.uid())),
        ("state", job.state.to_string()),
        ("kind", job.kind.clone()),
        ("queue", format!("{}, priority {}", job.queue, job.priority)),
        ("tenant", job.tenant.to_string()),
        (
            "attempt",
            format!("{} of {}", job.attempt, job.max_attempts),
        ),
        (
            "created",
            format!(
                "{} by {} through {}",
                time(job.created_at),
                job.created_by,
                job.created_via
            ),
        ),
        ("not before", time(job.run_at)),
        ("started", maybe_time(job.started_at)),
        ("finished", maybe_time(job.finished_at)),
    ];
    if let Some(worker) = job.worker {
        pairs.push(("worker", format!("{worker}, fence {}", job.fence)));
    }
    if let Some(seconds) = job.timeout_s {
        pairs.push(("timeout", format!("{seconds}s")));
    }
    if let Some(seconds) = job.job_timeout_s {
        pairs.push(("job timeout", format!("{seconds}s")));
    }
    if let Some(key) = &job.unique_key {
        pairs.push(("unique key", key.clone()));
    }
    if let Some(original) = job.retry_of {
        pairs.push(("retry of", original.to_string()));
    }
    if let Some(cancel) = job.cancel() {
        let mut text = format!(
            "{} by {} through {}",
            time(cancel.at),
            cancel.actor,
            cancel.interface
        );
        if let Some(reason) = cancel.reason {
            text = format!("{text}: {reason}");
        }
        pairs.push(("cancelled", text));
        if let Some(rung) = cancel.rung {
            pairs.push(("stopped by", rung));
        }
    }
    if let Some(progress) = progress {
        pairs.push(("progress", words(progress)));
    }
    if let Some(error) = &job.last_error {
        pairs.push(("error", error.clone()));
    }
    let payload = if job.data_deleted {
        "deleted".into()
    } else {
        job.payload.clone()
    };
    pairs.push(("payload", payload));
    pairs
}

/// Progress in words: "3 of 10: copying".
pub(super) fn words(progress: &ProgressView) -> String {
    let mut text = match progress.total {
        Some(total) => format!("{} of {total}", progress.done),
        None => progress.done.to_string(),
    };
    if let Some(message) = progress.message.as_deref().filter(|m| !m.is_empty()) {
        text.push_str(": ");
        text.push_str(message);
    }
    text
}
