//! `POST /v1/jobs`

use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::http::{Method, StatusCode};
use belay_core::ops::NewJob;
use chrono::{DateTime, Utc};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::Errors;
use super::{BASE, path, wire};
use crate::auth::Scope;
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb, json, shorten};
use crate::service;

/// What a job is when nobody says.
const KIND: &str = "noop";

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::POST, Scope::JobsWrite, |call| {
        Box::pin(create_customer_job(call))
    })
}

/// A job to be made. Everything but `kind` and `payload` is kept with it.
#[derive(Debug, ToSchema)]
#[schema(as = JobsRequest, example = json!({"typeId": 3, "contactId": 12, "reference": "R-1", "kind": "sleep", "payload": {"seconds": 30}}))]
#[expect(
    dead_code,
    reason = "describes the body; what is kept of it is its text"
)]
pub(super) struct CreateRequest {
    #[schema(rename = "typeId", minimum = 1)]
    type_id: i64,
    #[schema(rename = "contactId", minimum = 1)]
    contact_id: i64,
    /// In minutes.
    #[schema(rename = "plannedDuration", minimum = 0)]
    planned_duration: Option<i32>,
    reference: Option<String>,
    description: Option<String>,
    #[schema(rename = "orderNumber")]
    order_number: Option<String>,
    #[schema(rename = "personId", value_type = Option<String>, example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    person_id: Option<Uuid>,
    /// Objects with a `definitionId` and a `value`.
    #[schema(rename = "customFields", value_type = Option<Vec<Object>>)]
    custom_fields: Option<Vec<Value>>,
    /// Not before this time.
    #[schema(rename = "plannedStartAt", value_type = Option<String>, format = DateTime)]
    planned_start_at: Option<DateTime<Utc>>,
    /// Name of a registered kind; `noop` when left out.
    kind: Option<String>,
    /// What is handed to what runs it.
    #[schema(value_type = Option<Object>)]
    payload: Option<Value>,
}

/// A body that was found to be right.
struct Asked {
    job: NewJob,
    /// What is kept beside the payload.
    attributes: String,
}

impl Asked {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        members.storable()?;
        let mut errors = Errors::default();
        let kind = errors.keep(members.text("kind")).flatten();
        let payload = errors.keep(payload(members)).flatten();
        let attributes = members.rest();
        errors.keep(positive(members, "typeId"));
        errors.keep(positive(members, "contactId"));
        errors.keep(minutes(members));
        for name in ["reference", "description", "orderNumber"] {
            errors.keep(members.text(name));
        }
        errors.keep(person(members));
        errors.keep(custom_fields(members));
        let run_at = errors
            .keep(members.time_to_keep("plannedStartAt"))
            .flatten();
        if !errors.is_empty() {
            return Err(errors.fault());
        }
        let mut job = NewJob::new(kind.unwrap_or_else(|| KIND.to_owned()));
        if let Some(payload) = payload {
            job.payload = payload;
        }
        job.run_at = run_at;
        Ok(Self { job, attributes })
    }
}

fn wrong(name: &'static str, raw: &str, what: &str) -> Fault {
    Fault::invalid(
        name,
        format!("{name} is {}, it must be {what}", shorten(raw)),
    )
}

fn positive(members: &mut Members<'_>, name: &'static str) -> Result<(), Fault> {
    let what = "an integer from 1 to 9223372036854775807";
    match members.integer::<i64>(name)? {
        Some(number) if number >= 1 => Ok(()),
        Some(number) => Err(wrong(name, &number.to_string(), what)),
        None => Err(Fault::invalid(
            name,
            format!("{name} is missing; it must be {what}"),
        )),
    }
}

fn minutes(members: &mut Members<'_>) -> Result<(), Fault> {
    let name = "plannedDuration";
    match members.integer::<i32>(name)? {
        Some(minutes) if minutes < 0 => Err(wrong(
            name,
            &minutes.to_string(),
            "a number of minutes, from 0",
        )),
        _ => Ok(()),
    }
}

fn person(members: &mut Members<'_>) -> Result<(), Fault> {
    let name = "personId";
    let Some(text) = members.text(name)? else {
        return Ok(());
    };
    // Only the usual spelling, of those that the parser knows.
    if text.len() == 36 && Uuid::try_parse(&text).is_ok() {
        return Ok(());
    }
    Err(wrong(name, &format!("{text:?}"), "a UUID"))
}

fn custom_fields(members: &mut Members<'_>) -> Result<(), Fault> {
    let name = "customFields";
    let Some(raw) = members.raw(name).filter(|raw| raw.get() != "null") else {
        return Ok(());
    };
    let fine = |field: &Value| {
        field.is_object()
            && match field.get("definitionId") {
                Some(Value::Number(id)) => id.as_i64().is_some_and(|id| id >= 1),
                Some(Value::String(id)) => !id.is_empty(),
                _ => false,
            }
    };
    match serde_json::from_str::<Vec<Value>>(raw.get()) {
        Ok(fields) if fields.iter().all(fine) => Ok(()),
        _ => Err(wrong(
            name,
            raw.get(),
            "a list of objects with a definitionId and a value",
        )),
    }
}

fn payload(members: &mut Members<'_>) -> Result<Option<String>, Fault> {
    let name = "payload";
    let Some(raw) = members.raw(name).filter(|raw| raw.get() != "null") else {
        return Ok(None);
    };
    if raw.get().starts_with('{') {
        return Ok(Some(raw.get().to_owned()));
    }
    Err(wrong(name, raw.get(), "a JSON object"))
}

/// Create a job
///
/// With a `plannedStartAt` in the future its status is `scheduled`, else `sent`.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "customer jobs",
    request_body = CreateRequest,
    responses((status = 201, description = "It was made", body = wire::Created, headers(("Location" = String, description = "Where it is")))),
)]
pub(super) async fn create_customer_job(mut call: Call) -> Answer {
    let customer = path::customer(&call)?;
    let caller = path::access(&call, customer).await?;
    let Asked { job, attributes } = call.body(MEBIBYTE, Need::Required, Asked::take).await?;
    let via = caller.via;
    let made = call
        .request
        .database(move |db| {
            service::enqueue::enqueue_with(db, &caller, &job, None, Some(&attributes))
        })
        .await?;
    let api = &call.request.api;
    api.metrics.enqueued(via, 1);
    let id = made.seen.job.id;
    let place = HeaderValue::try_from(format!("{}{BASE}/{id}", api.prefix))
        .map_err(|e| Fault::internal(e.to_string()))?;
    let mut answer = json(StatusCode::CREATED, &wire::Created { id })?;
    answer.headers_mut().insert(LOCATION, place);
    Ok(answer)
}
