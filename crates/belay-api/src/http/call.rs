//! A request on its way through a handler, and what handlers ask of it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, web};
use belay_core::id::JobRef;
use belay_core::ops::Via;
use belay_core::{Db, Error, JobState};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Face, Fault, Form, Members, Need, Query, RequestId, body, form};
use crate::auth::{self, Grant, Scope};
use crate::blocking;
use crate::service::{self, Caller};
use crate::state::Inner;

/// Pauses between two looks at a job somebody waits for.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A request that found its verb.
pub(crate) struct Request {
    pub(crate) api: Arc<Inner>,
    pub(crate) http: HttpRequest,
    /// Taken by whoever reads the body.
    pub(super) payload: Option<web::Payload>,
    pub(crate) via: Via,
    pub(crate) face: &'static Face,
    /// What the header `X-Request-Id` of the answer will say.
    pub(crate) id: RequestId,
}

impl Request {
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.http.headers()
    }

    /// Reads the query string.
    pub(crate) fn query(&self, known: &[&str]) -> Result<Query, Fault> {
        Query::parse(self.http.query_string(), known, self.face.strict)
    }

    /// Reads the body as it is, at most `limit` bytes. Can be read once; a second time it is empty.
    pub(crate) async fn bytes(&mut self, limit: usize) -> Result<Bytes, Fault> {
        let payload = self.payload.take();
        body::receive(self.headers(), payload, limit).await
    }

    /// The body as it arrives, for whoever reads it piece by piece. Can be taken once.
    pub(crate) fn payload(&mut self) -> Option<web::Payload> {
        self.payload.take()
    }

    /// Reads a body of the type `application/x-www-form-urlencoded`.
    pub(crate) async fn form(&mut self) -> Result<Form, Fault> {
        let bytes = self.bytes(body::MEBIBYTE).await;
        form::check_type(self.headers())?;
        Form::parse(&bytes?)
    }

    /// A part of the path by its name in the route.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.http.match_info().get(name).unwrap_or_default()
    }

    /// Runs work on the database, whole, whatever becomes of the client.
    pub(crate) async fn database<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Db) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Fault> {
        blocking::database(&self.api, work).await
    }
}

/// A credential that was good when a request began.
pub(crate) struct Allowed {
    api: Arc<Inner>,
    token: String,
    via: Via,
}

impl Allowed {
    /// Refuses a key that was revoked or has expired since. What is remembered of keys is some seconds old.
    pub(crate) async fn check(&self) -> Result<(), Fault> {
        auth::authenticate(&self.api, &self.token, self.via)
            .await
            .map(drop)
    }

    /// Becomes true when nobody shall wait any more.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.api.stopping.subscribe()
    }
}

/// A request whose API key was found and has the scope of the verb.
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) grant: Arc<Grant>,
}

impl Call {
    pub(crate) fn query(&self, known: &[&str]) -> Result<Query, Fault> {
        self.request.query(known)
    }

    /// Refuses a key without a further scope.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Fault> {
        self.grant.require(scope)
    }

    /// The job the path names.
    pub(crate) fn job(&self) -> Result<JobRef, Fault> {
        self.request
            .part("id")
            .parse()
            .map_err(|e: belay_core::id::NotAnId| Fault::malformed(e.to_string()).field("id"))
    }

    /// What tells whether this request would still be allowed, for what goes on for long.
    pub(crate) fn allowed(&self) -> Result<Allowed, Fault> {
        Ok(Allowed {
            api: Arc::clone(&self.request.api),
            token: (self.request.face.credential)(self.request.headers())?,
            via: self.request.via,
        })
    }

    /// Who asks, on that tenant, which was found to be one that the key may touch.
    pub(crate) fn caller_on(&self, tenant: i32) -> Caller {
        Caller {
            grant: Arc::clone(&self.grant),
            tenant,
            via: self.request.via,
        }
    }

    /// Who asks, on which tenant; the query string may name it as `tenant`.
    pub(crate) async fn caller(&self, query: &Query) -> Result<Caller, Fault> {
        let request = &self.request;
        let tenant = auth::choose(
            &request.api,
            request.headers(),
            query.text("tenant"),
            &self.grant,
        )
        .await?;
        Ok(self.caller_on(tenant))
    }

    /// Reads the JSON body and takes what is wanted out of it. Can be read once; a second time it is empty.
    pub(crate) async fn body<T: Send + 'static>(
        &mut self,
        limit: usize,
        need: Need,
        take: fn(&mut Members<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let payload = self.request.payload.take();
        let strict = self.request.face.strict;
        body::read(self.request.headers(), payload, limit, need, strict, take).await
    }

    /// Reads a body that belongs to a job. That there is no such job goes before what is wrong with the body.
    pub(crate) async fn body_for<T: Send + 'static>(
        &mut self,
        caller: &Caller,
        job: JobRef,
        take: fn(&mut Members<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self.body(body::MEBIBYTE, Need::Optional, take).await {
            Ok(taken) => Ok(taken),
            Err(fault) => {
                let caller = caller.clone();
                self.request
                    .database(move |db| service::read::exists(db, &caller, &job))
                    .await?;
                Err(fault)
            }
        }
    }

    /// Waits until a job has ended, at most so long, and answers the state it was last seen in. Holds no thread and no
    /// connection meanwhile. A database that goes away ends nothing: the job is looked at again until the time is over.
    pub(crate) async fn end_of(&self, caller: &Caller, job: i64, seconds: u64) -> Option<JobState> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let mut stopping = self.request.api.stopping.subscribe();
        let mut pause = FIRST_PAUSE;
        let mut seen = None;
        loop {
            let who = caller.clone();
            let state = self
                .request
                .database(move |db| service::read::state(db, &who, &JobRef::number(job)))
                .await;
            if let Ok(state) = state {
                seen = Some(state);
            }
            if seen.is_some_and(JobState::is_terminal) || Instant::now() >= deadline {
                return seen;
            }
            let stop = timeout_at(deadline, async {
                tokio::select! {
                    () = sleep(pause) => false,
                    // An error means that the API is gone, which is as good as stopping.
                    _ = stopping.wait_for(|stop| *stop) => true,
                }
            });
            if let Ok(true) = stop.await {
                return seen;
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
}
