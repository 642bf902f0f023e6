//! `POST /belay/v1/jobs/cancel`

use actix_web::http::{Method, StatusCode};
use belay_core::id::JobRef;
use belay_core::ops::{CancelLimit, MAX_CANCEL};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json};
use crate::native::v1::wire;
use crate::service;

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::Write, |call| {
        Box::pin(cancel_jobs(call))
    })
}

/// Which jobs to cancel.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"ids": [77, "6b065cb0000000000000004e"], "reason": "wrong month"}))]
pub(crate) struct CancelManyRequest {
    /// Up to 500 jobs, each by its number, its UUID or its 24 hexadecimal digits.
    #[schema(value_type = Vec<wire::JobName>, max_items = 500)]
    ids: Vec<(JobRef, Value)>,
    /// Why; goes on record, up to 1000 characters.
    reason: Option<String>,
}

impl CancelManyRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let list = members.needed_list("ids", MAX_CANCEL)?;
        let ids = list
            .into_iter()
            .enumerate()
            .map(|(i, raw)| id(i, raw))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            ids,
            reason: members.text("reason")?,
        })
    }
}

fn id(i: usize, raw: &RawValue) -> Result<(JobRef, Value), Fault> {
    let wrong = |why: String| Fault::invalid(format!("ids[{i}]"), format!("ids[{i}]: {why}"));
    let value: Value =
        serde_json::from_str(raw.get()).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    let text = match &value {
        Value::String(text) => text.as_str(),
        // As it is written, so that 1.0 and 1e3 are no ids.
        Value::Number(_) => raw.get(),
        _ => {
            return Err(wrong(format!(
                "{} is not a job id: use a number or a string",
                crate::http::shorten(raw.get())
            )));
        }
    };
    let job = text
        .parse()
        .map_err(|e: belay_core::id::NotAnId| wrong(e.to_string()))?;
    Ok((job, value))
}

/// Cancel many jobs
///
/// In one step, with one answer per job in the order of the request. A job that is missing, of another tenant or finished does not keep the others
/// from being cancelled.
#[utoipa::path(
    post, path = "/belay/v1/jobs/cancel", tag = "jobs",
    request_body = CancelManyRequest,
    responses((status = 200, description = "What happened to each", body = wire::CancelAnswers)),
)]
pub(crate) async fn cancel_jobs(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let caller = call.caller(&query).await?;
    let request = call
        .body(MEBIBYTE, Need::Required, CancelManyRequest::take)
        .await?;
    let (jobs, asked): (Vec<JobRef>, Vec<Value>) = request.ids.into_iter().unzip();
    let via = caller.via;
    let cancelled = call
        .request
        .database(move |db| {
            let reason = request.reason.as_deref();
            service::cancel::cancel_many(db, &caller, &jobs, reason, CancelLimit::Any)
        })
        .await?;
    let metrics = &call.request.api.metrics;
    let results = cancelled
        .iter()
        .zip(&asked)
        .map(|(cancelled, asked)| {
            metrics.cancel_answered(via, cancelled.outcome);
            wire::CancelAnswer::asked(cancelled, asked)
        })
        .collect();
    json(StatusCode::OK, &wire::CancelAnswers { results })
}
