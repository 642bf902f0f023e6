//! `PUT /api/v1/ingest/jobs/{id}/batches`
//!
//! Bytes go into the database in chunks as they arrive. Between two chunks the request holds no connection and no lock, and the
//! client is read from no faster than the database keeps what it sends.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::Payload;
use belay_core::JobState;
use futures_util::StreamExt;
use tokio::runtime::Handle;

use super::{SCOPE, about, asked, map};
use crate::blocking;
use crate::http::{Answer, Call, Fault, Verb, check_coding, media_type};
use crate::service::ingest::{self, Kept};
use crate::service::{self, Caller};
use crate::state::Inner;

/// Bytes in a chunk, about.
const CHUNK: usize = 1 << 20;
/// Bytes that are read, at most, of a file that is refused.
const REST: usize = 8 << 20;
/// How long they may take.
const REST_TIME: Duration = Duration::from_secs(2);

pub(super) fn verb() -> Verb {
    Verb::keyed(Method::PUT, SCOPE, |call| {
        Box::pin(upload_ingest_file(call))
    })
}

/// Upload a file
///
/// CSV in UTF-8. To upsert, the first record names the columns; to delete, there is no such record, and the one or two columns are the key.
/// Up to 100 files; they are loaded in the order in which their uploads ended.
#[utoipa::path(
    put, path = "/api/v1/ingest/jobs/{id}/batches", tag = "ingest",
    request_body(content = String, content_type = "text/csv", description = "At most 150,000,000 bytes"),
    responses(
        (status = 202, description = "The file counts"),
        (status = 409, description = "The job is not open, or has 100 files", body = super::fault::IngestError, content_type = "application/json;charset=UTF-8"),
        (status = 413, description = "The file is too large; nothing of it is kept", body = super::fault::IngestError, content_type = "application/json;charset=UTF-8"),
        (status = 415, description = "The file is not text/csv", body = super::fault::IngestError, content_type = "application/json;charset=UTF-8"),
    ),
)]
pub(super) async fn upload_ingest_file(mut call: Call) -> Answer {
    let (caller, job) = asked(&call).await?;
    let who = caller.clone();
    let found = call
        .request
        .database(move |db| ingest::get(db, &who, &job))
        .await
        .map_err(about(&call))?
        .job;
    let limit = call.request.api.dialects.ingest_file_limit;
    check_head(call.request.headers(), limit)?;
    if found.state != JobState::Open {
        return Err(not_open(found.state));
    }
    let payload = call.request.payload().ok_or_else(empty)?;
    let mut body = Body {
        payload,
        received: 0,
        limit,
        chunk: Vec::with_capacity(CHUNK),
    };
    if !body.fill().await? {
        return Err(empty());
    }
    let upload = Upload::begin(&call.request.api, caller, found.id).await?;
    if let Err(fault) = upload.take(&mut body).await {
        body.rest().await;
        return Err(fault);
    }
    Ok(HttpResponse::Accepted().finish())
}

fn check_head(headers: &HeaderMap, limit: usize) -> Result<(), Fault> {
    check_coding(headers)?;
    if media_type(headers).as_deref() != Some("text/csv") {
        return Err(Fault::unsupported_media_type(
            "the body must be text/csv; set the header Content-Type accordingly",
        ));
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(0) => Err(empty()),
        Some(length) if length > limit as u64 => Err(Fault::too_large(limit)),
        _ => Ok(()),
    }
}

fn empty() -> Fault {
    Fault::malformed("the body is empty; send the file")
}

fn not_open(state: JobState) -> Fault {
    let word = map::word(state);
    Fault::refused(
        format!("the job is {word} and takes no files any more"),
        Some(state),
    )
}

/// The body as it arrives.
struct Body {
    payload: Payload,
    received: usize,
    limit: usize,
    chunk: Vec<u8>,
}

impl Body {
    /// Reads on until there is a chunk, or until the end. Answers whether there is anything.
    async fn fill(&mut self) -> Result<bool, Fault> {
        while self.chunk.len() < CHUNK {
            let Some(piece) = self.payload.next().await else {
                break;
            };
            let piece = piece
                .map_err(|e| Fault::malformed(format!("the body did not arrive whole: {e}")))?;
            self.received = self.received.saturating_add(piece.len());
            if self.received > self.limit {
                return Err(Fault::too_large(self.limit));
            }
            self.chunk.extend_from_slice(&piece);
        }
        Ok(!self.chunk.is_empty())
    }

    /// Reads some of what is left and forgets it. Most clients do not listen before they have sent everything, and one that is
    /// about to finish shall find the connection as it was.
    async fn rest(&mut self) {
        let read = async {
            let mut left = REST;
            while let Some(Ok(piece)) = self.payload.next().await {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(REST_TIME, read).await;
    }
}

/// An upload under way. When it is dropped before it counts, because the client has left or something went wrong, what has come
/// so far is deleted.
struct Upload {
    api: Arc<Inner>,
    caller: Caller,
    job: i64,
    file: i64,
    over: bool,
}

impl Upload {
    async fn begin(api: &Arc<Inner>, caller: Caller, job: i64) -> Result<Self, Fault> {
        let who = caller.clone();
        let begun = blocking::database(api, move |db| ingest::begin_upload(db, &who, job));
        Ok(Self {
            api: Arc::clone(api),
            caller,
            job,
            file: number(begun.await?)?,
            over: false,
        })
    }

    /// Takes the body, of which the first chunk is there.
    async fn take(mut self, body: &mut Body) -> Result<(), Fault> {
        let taken = match self.keep(body).await {
            Ok(()) => self.finish(body.received).await,
            Err(fault) => Err(fault),
        };
        if taken.is_err() {
            // Before the client is told, so that it is true.
            let file = self.file;
            if let Err(fault) =
                blocking::database(&self.api, move |db| ingest::discard_upload(db, file)).await
            {
                left_behind(file, &fault.detail);
            }
        }
        self.over = true;
        taken
    }

    async fn keep(&self, body: &mut Body) -> Result<(), Fault> {
        let mut count = 0;
        loop {
            count += 1;
            let (caller, job, file) = (self.caller.clone(), self.job, self.file);
            let chunk = mem::take(&mut body.chunk);
            let (kept, mut chunk) = blocking::database(&self.api, move |db| {
                let kept = ingest::append(db, &caller, job, file, count, &chunk)?;
                Ok((kept, chunk))
            })
            .await?;
            number(kept)?;
            chunk.clear();
            body.chunk = chunk;
            if !body.fill().await? {
                return Ok(());
            }
        }
    }

    async fn finish(&self, bytes: usize) -> Result<(), Fault> {
        let (caller, job, file) = (self.caller.clone(), self.job, self.file);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let kept = blocking::database(&self.api, move |db| {
            ingest::finish_upload(db, &caller, job, file, bytes)
        });
        number(kept.await?).map(drop)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (db, file) = (self.api.db.clone(), self.file);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || {
                if let Err(error) = service::ingest::discard_upload(&db, file) {
                    left_behind(file, &error.to_string());
                }
            })),
            Err(_) => left_behind(file, "the server is stopping"),
        }
    }
}

fn left_behind(file: i64, error: &str) {
    tracing::warn!(
        file,
        error,
        "an upload that does not count could not be deleted; a background duty will"
    );
}

fn number(kept: Kept) -> Result<i64, Fault> {
    match kept {
        Kept::Yes(number) => Ok(number),
        Kept::NotOpen(state) => Err(not_open(state)),
        Kept::Full => Err(Fault::refused(
            "the job is Open and has 100 files, which is as many as it can have",
            Some(JobState::Open),
        )),
        Kept::Forgotten => Err(Fault::conflict(
            "the upload was silent for hours and was given up; send the file again",
        )),
    }
}
