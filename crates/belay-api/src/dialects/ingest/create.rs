//! `POST /api/v1/ingest/jobs`

use actix_web::http::{Method, StatusCode};
use utoipa::ToSchema;

use super::{SCOPE, answer, wire};
use crate::http::{Answer, Call, Fault, MEBIBYTE, Members, Need, Verb};
use crate::service;

/// Longest name of an object, in characters: it is part of a key.
const LONGEST_OBJECT: usize = 255;

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::POST, SCOPE, |call| {
        Box::pin(create_ingest_job(call))
    })
}

/// A job to be made.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"object": "contacts", "sourceName": "crm export", "operation": "upsert"}))]
#[expect(non_snake_case, reason = "the names on the wire")]
pub(super) struct IngestJobRequest {
    /// What is loaded: an object that the daemon's configuration declares, or any other name for rows of the record store. 1 to 255 characters.
    object: String,
    /// Where the data comes from; may be empty.
    sourceName: String,
    /// `upsert` or `delete`.
    operation: String,
}

impl IngestJobRequest {
    fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        let request = Self {
            object: members.needed_text("object")?,
            sourceName: members.needed_text("sourceName")?,
            operation: members.needed_text("operation")?,
        };
        if request.object.trim().is_empty() {
            return Err(Fault::invalid(
                "object",
                "object is blank; name what is loaded",
            ));
        }
        let length = request.object.chars().count();
        if length > LONGEST_OBJECT {
            return Err(Fault::invalid(
                "object",
                format!("object has {length} characters, at most {LONGEST_OBJECT} are allowed"),
            ));
        }
        if !matches!(request.operation.as_str(), "upsert" | "delete") {
            let shown: String = request.operation.chars().take(60).collect();
            return Err(Fault::invalid(
                "operation",
                format!("operation is {shown:?}, it must be \"upsert\" or \"delete\""),
            ));
        }
        Ok(request)
    }
}

/// Make a job that takes files
#[utoipa::path(
    post, path = "/api/v1/ingest/jobs", tag = "ingest",
    request_body = IngestJobRequest,
    responses((status = 201, description = "It was made; `contentUrl` says where its files go", body = wire::IngestJob, content_type = "application/json;charset=UTF-8")),
)]
pub(super) async fn create_ingest_job(mut call: Call) -> Answer {
    let query = call.query(&["tenant"])?;
    let caller = call.caller(&query).await?;
    let request = call
        .body(MEBIBYTE, Need::Required, IngestJobRequest::take)
        .await?;
    let order = wire::Order {
        object: Some(request.object),
        operation: Some(request.operation),
        source_name: Some(request.sourceName),
    };
    let payload = serde_json::to_string(&order).map_err(|e| Fault::internal(e.to_string()))?;
    let via = caller.via;
    let made = call
        .request
        .database(move |db| service::ingest::create(db, &caller, payload))
        .await?;
    let api = &call.request.api;
    api.metrics.enqueued(via, 1);
    answer(
        StatusCode::CREATED,
        &wire::IngestJob::new(&made, &api.prefix),
    )
}
