//! `POST /api/{version}/services/jobs/actions/cancel`

use std::collections::{HashMap, HashSet};

use actix_web::http::Method;
use belay_core::id::JobRef;
use belay_core::ops::CancelLimit;

use utoipa::ToSchema;

use super::answer::answer;
use super::entries::{self, Entry};
use super::job::caller;
use super::map;
use super::wire::{CancelAnswer, CancelAnswers, Status};
use crate::auth::Scope;
use crate::http::{Answer, Call, Verb};
use crate::service::cancel;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::VaultWrite, |call| {
        Box::pin(cancel_vault_jobs(call))
    })
}

/// A job to cancel.
#[derive(Debug, ToSchema)]
#[schema(as = VaultCancelEntry, example = json!({"job_id": 77}))]
pub(super) struct CancelEntry {
    /// Its number, also as a string of digits.
    #[expect(
        dead_code,
        reason = "read one by one, so that an entry that is wrong spoils no other"
    )]
    job_id: i64,
}

/// Cancel up to 500 jobs
///
/// One answer for each entry, in their order, whatever became of the others. A job that is not running is cancelled at once; one that runs is left
/// alone, unless the setting `vault.cancel_running` says otherwise. The body may also be `text/csv` with a header that has `job_id`.
#[utoipa::path(
    post, path = "/api/{version}/services/jobs/actions/cancel", tag = "vault",
    request_body(content((Vec<CancelEntry> = "application/json"), (String = "text/csv"))),
    responses((status = 200, description = "One answer for each entry, in their order", body = CancelAnswers)),
)]
pub(super) async fn cancel_vault_jobs(mut call: Call) -> Answer {
    let caller = caller(&call).await?;
    let entries = entries::read(&mut call.request).await?;
    let limit = if call.request.api.dialects.vault_cancel_running {
        CancelLimit::Any
    } else {
        CancelLimit::Waiting
    };
    let mut named = HashSet::with_capacity(entries.len());
    let jobs: Vec<JobRef> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Job(id) => named.insert(*id).then_some(JobRef::number(*id)),
            Entry::Invalid(_) | Entry::Missing => None,
        })
        .collect();
    let mut answers = HashMap::with_capacity(jobs.len());
    if !jobs.is_empty() {
        let via = caller.via;
        let cancelled = call
            .request
            .database(move |db| cancel::cancel_many(db, &caller, &jobs, None, limit))
            .await?;
        for cancelled in cancelled {
            call.request
                .api
                .metrics
                .cancel_answered(via, cancelled.outcome);
            answers.insert(cancelled.id, map::cancelled(&cancelled));
        }
    }
    let one = |entry: &Entry| -> CancelAnswer {
        let known = match entry {
            Entry::Job(id) => answers.get(id).cloned(),
            Entry::Invalid(_) | Entry::Missing => None,
        };
        known.unwrap_or_else(|| map::unusable(entry))
    };
    answer(
        &call.request,
        &CancelAnswers {
            response_status: Status::Success,
            data: entries.iter().map(one).collect(),
        },
    )
}
