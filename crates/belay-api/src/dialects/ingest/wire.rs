//! A job as this dialect shows it.

use belay_core::model::IngestJob as Row;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BASE, map};
use crate::service::ingest::KIND;
use crate::time::Time;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "019b5287-2e80-8000-8000-00000000004d", "operation": "upsert", "object": "contacts", "createdById": "crm",
    "createdDate": "2026-12-24T18:00:00.000Z", "systemModstamp": "2026-12-24T18:00:01.500Z", "state": "UploadComplete", "contentType": "CSV",
    "apiVersion": "v1", "sourceName": "crm export", "contentUrl": "api/v1/ingest/jobs/019b5287-2e80-8000-8000-00000000004d/batches",
    "retries": 0, "totalProcessingTime": 0
}))]
pub(super) struct IngestJob {
    id: String,
    /// `upsert` or `delete`.
    operation: String,
    /// What is loaded.
    object: String,
    /// The name of the API key that made it.
    created_by_id: String,
    created_date: Time,
    /// The latest change of its state.
    system_modstamp: Time,
    /// `Open`, `UploadComplete`, `InProgress`, `Aborted`, `JobComplete` or `Failed`.
    state: &'static str,
    /// Always `CSV`.
    content_type: &'static str,
    /// Always `v1`.
    api_version: &'static str,
    /// Where the data comes from, in the words of whoever made it.
    source_name: String,
    /// Where its files are uploaded.
    content_url: String,
    /// Attempts after the first.
    retries: i16,
    /// Milliseconds since it was first started, up to its end.
    total_processing_time: i64,
}

/// Jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IngestJobs {
    pub(super) data: Vec<IngestJob>,
}

/// What stands in the payload of an ingest job.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Order {
    pub(super) object: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) source_name: Option<String>,
}

impl IngestJob {
    /// Shows a job. `prefix` is what stands before every path of this instance.
    pub(super) fn new(row: &Row, prefix: &str) -> Self {
        let job = &row.job;
        // Of another kind, or not made through this interface.
        let order: Order = if job.kind == KIND {
            serde_json::from_str(&job.payload).unwrap_or_default()
        } else {
            Order::default()
        };
        let id = job.uid().to_string();
        let content_url = format!("{prefix}{BASE}/jobs/{id}/batches");
        Self {
            operation: order.operation.unwrap_or_else(|| "upsert".into()),
            object: order.object.unwrap_or_else(|| job.kind.clone()),
            created_by_id: job.created_by.clone(),
            created_date: Time(job.created_at),
            system_modstamp: Time(row.modified_at),
            state: map::word(job.state),
            content_type: "CSV",
            api_version: "v1",
            source_name: order.source_name.unwrap_or_default(),
            content_url: content_url.trim_start_matches('/').to_owned(),
            retries: job.attempt.saturating_sub(1).max(0),
            total_processing_time: job.started_at.map_or(0, |started| {
                let end = job.finished_at.unwrap_or(row.read_at);
                (end - started).num_milliseconds().max(0)
            }),
            id,
        }
    }
}
