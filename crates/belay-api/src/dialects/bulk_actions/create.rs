//! `POST /api/actions/bulk/jobs`

use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::http::{Method, StatusCode};
use belay_core::id::JobRef;
use belay_core::ops::{BulkTerms, NewJob};
use belay_core::query;
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{BASE, wire};
use crate::auth::{self, Scope};
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json, shorten};
use crate::service;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::BulkWrite, |call| {
        Box::pin(create_bulk_action(call))
    })
}

/// A bulk action to be made.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "action_type": "cancel_jobs", "criteria": {"queue": "mail", "state": "queued"}, "action_reason": "the campaign was called off",
    "max_limit": 100_000
}))]
pub(super) struct BulkActionRequest {
    /// What is done: the kind of the job, which must be registered. `cancel_jobs` and `retry_jobs` act on the jobs that fit the criteria.
    action_type: String,
    /// What the kind's handler gets. Of `cancel_jobs` and `retry_jobs` at least one of `queue`, `kind`, `state` (a word or a list of words),
    /// `created_before` and `created_after` (times).
    #[schema(value_type = Option<Object>)]
    criteria: Option<Box<RawValue>>,
    /// Of the caller's own meaning; 0 when left out.
    #[schema(minimum = 0)]
    action_duration: Option<i64>,
    /// Why; goes on record with every job that is acted on, up to 1000 characters.
    action_reason: Option<String>,
    /// Most jobs that are acted on; 0, or left out, for no limit.
    #[schema(minimum = 0)]
    max_limit: Option<i64>,
    /// Not before this time; now when it is past or left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    scheduled_at: Option<DateTime<Utc>>,
    /// Number of the tenant; needed only by an API key that may touch several.
    tenant: Option<i64>,
}

impl BulkActionRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        members.storable()?;
        let criteria = members.raw("criteria").filter(|raw| raw.get() != "null");
        if let Some(other) = criteria.filter(|raw| !raw.get().starts_with('{')) {
            let shown = shorten(other.get());
            return Err(Fault::invalid(
                "criteria",
                format!("criteria is {shown}, it must be an object"),
            ));
        }
        Ok(Self {
            action_type: members.needed_text("action_type")?,
            criteria: criteria.map(ToOwned::to_owned),
            action_duration: members.integer("action_duration")?,
            action_reason: members.text("action_reason")?,
            max_limit: members.integer("max_limit")?,
            scheduled_at: members.time("scheduled_at")?,
            tenant: members.integer("tenant")?,
        })
    }
}

/// Make a bulk action
///
/// A job of the kind `action_type`, with the criteria as its payload.
#[utoipa::path(
    post, path = "/api/actions/bulk/jobs", tag = "bulk-actions",
    request_body = BulkActionRequest,
    responses((status = 201, description = "It was made", body = wire::BulkAction,
        headers(("Location" = String, description = "Where it can be seen")))),
)]
pub(super) async fn create_bulk_action(mut call: Call) -> Answer {
    let request = call
        .body(MEBIBYTE, Need::Required, BulkActionRequest::take)
        .await?;
    let caller = call.caller_on(tenant(&call, request.tenant).await?);
    let job = NewJob {
        payload: request
            .criteria
            .map_or_else(|| "{}".to_owned(), |raw| raw.get().to_owned()),
        run_at: request.scheduled_at,
        ..NewJob::new(request.action_type)
    };
    let terms = BulkTerms {
        duration: request.action_duration.unwrap_or(0),
        reason: request.action_reason,
        max_limit: request.max_limit.unwrap_or(0),
    };
    let action = call
        .request
        .database(move |db| service::bulk::create(db, &caller, &job, &terms))
        .await
        .map_err(in_its_members)?;
    let api = &call.request.api;
    api.metrics.enqueued(call.request.via, 1);
    let action = wire::BulkAction::from(action);
    let place = format!("{}{BASE}/jobs/{}", api.prefix, action.job_id);
    let place = HeaderValue::try_from(place).map_err(|e| Fault::internal(e.to_string()))?;
    let mut answer = json(StatusCode::CREATED, &action)?;
    answer.headers_mut().insert(LOCATION, place);
    Ok(answer)
}

/// Names the member of this request instead of that of a job.
fn in_its_members(mut fault: Fault) -> Fault {
    let about = &mut fault.about;
    let name = match about.field.as_deref() {
        Some("kind") => "action_type",
        Some("payload") => "criteria",
        Some("run_at") => "scheduled_at",
        Some("reason") => "action_reason",
        _ => return fault,
    };
    about.field = Some(name.into());
    fault
}

/// The tenant whose job it will be.
async fn tenant(call: &Call, named: Option<i64>) -> Result<i32, Fault> {
    if let Some(number) = named {
        return auth::by_id(&call.request.api, JobRef::number(number), &call.grant).await;
    }
    let reach = match &call.grant.tenants {
        Some(tenants) => tenants.clone(),
        None => {
            let all = call.request.database(|db| db.read(query::tenants)).await?;
            all.into_iter().map(|tenant| tenant.id).collect()
        }
    };
    match reach.as_slice() {
        [only] => Ok(*only),
        [] => Err(Fault::forbidden("this API key may touch no tenant")),
        _ => Err(Fault::invalid(
            "tenant",
            "tenant is missing; this API key may touch several, so it must be the number of one",
        )),
    }
}
