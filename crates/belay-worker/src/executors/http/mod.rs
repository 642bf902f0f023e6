//! The `http` executor: hands a job to a receiver by an HTTP request, and calls it off again.
//!
//! # What the receiver gets
//! - The payload, exactly as stored, as the body of a `POST`, `PUT` or `PATCH`, with `Content-Type: application/json` unless
//!   the kind's `headers` say otherwise.
//! - `Belay-Job-Id`, `Belay-Job-Uid`, `Belay-Tenant`, `Belay-Kind`, `Belay-Attempt`, `Belay-Max-Attempts`: which attempt at which job.
//! - `Belay-Fence`: a number that every claim of the job raises. A receiver that remembers the highest one it has seen of a job
//!   can refuse whatever comes with a lower one: that attempt is over. `Belay-Job-Uid` and `Belay-Fence` together name one
//!   execution.
//! - `Idempotency-Key`: the job's UUID, the same for all attempts at it. An attempt whose answer was lost is followed by another, and
//!   that the work is one and the same is what the receiver has to know to do it once. A key that changed with the attempt would
//!   make it do the work twice in exactly that case. A receiver should not keep *failures* under the key: a retry is meant to try
//!   again. A job that is retried by hand is a new job, with a new key.
//!
//! # URLs
//! `{id}`, `{uid}`, `{kind}`, `{attempt}`, `{tenant}`, `{queue}` and `{payload.a.b}` (a member of the payload: a text, a number, true or
//! false) may stand in the path and in the query. Values are percent-encoded, also `/`, so that none leaves its place; one that
//! would make a part of the path empty, `.` or `..` fails the attempt for good. Scheme, host, port and user are never filled in.
//!
//! # How it ends
//! | answer | what becomes of the attempt |
//! | --- | --- |
//! | 2xx other than 202 | completed; the body is its output |
//! | 202 | the receiver has taken it over and reports with the fence; the attempt stays running until then |
//! | 3xx | failed for good: redirects are not followed |
//! | 408, 425, 429, 5xx | failed, retried after `Retry-After` or the kind's backoff |
//! | other 4xx | failed for good |
//! | none: no connection, broken off | failed, retried |
//! | none: the address is refused | failed for good |
//!
//! # How it is stopped
//! - The connection is dropped at once. Then `cancel_url` is called with the same headers and `Belay-Cancel: cancel`, `timeout` or
//!   `shutdown`, until it is answered with 2xx other than 202, which says that the work has stopped (rung `cooperative`). `cancel_tries` and
//!   `grace` bound that; what is not confirmed then counts as `kill`: the fence of the attempt is worth nothing any more.
//! - Without `cancel_url` the dropped connection is all the receiver is told (rung `term`). One that has answered 202 and sends
//!   beats learns of a cancel by them, and has the grace period to report.
//! - A kill (the lease is lost, the worker is told to stop now) drops the connection and makes no further request.
//! - An answer that came before the stop was seen counts.
//!
//! # Where requests go
//! Only to http and https. Addresses that are not ordinary ones (loopback, private, link-local and so on, also when an IPv6
//! address carries them) are refused unless the setting `allow` names them. A name is looked up once per connection, all its
//! addresses are checked, and exactly those are connected to. No redirects, no proxies of the environment, no reuse of
//! connections.
//!
//! # Limits
//! A receiver that ignores both the dropped connection and the cancel goes on: nobody can reach into another machine. Its late
//! report is refused by the fence. A lookup that the system does not finish keeps a thread of the runtime until it does.

mod address;
mod allow;
mod answer;
mod body;
mod cancel;
mod client;
mod failure;
mod headers;
mod kit;
mod lookup;
mod request;
mod run;
mod settings;
mod shown;
mod template;

use std::sync::Arc;
use std::time::Duration;

use super::{Attempt, Executor, Running};
pub use headers::HeaderSource;
use kit::Kit;
pub use lookup::{Looking, Lookup, SystemLookup};
pub use settings::{HttpSettings, SettingsError};

/// Sends the requests of one kind of job.
#[derive(Debug, Clone)]
pub struct HttpExecutor {
    kit: Arc<Kit>,
}

impl HttpExecutor {
    /// Checks `settings` and takes them over. Reads no secrets and no files yet: [`Executor::prepare`] does.
    ///
    /// # Errors
    /// When a setting can never work.
    pub fn new(settings: HttpSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            kit: Arc::new(Kit::new(settings)?),
        })
    }
}

impl Executor for HttpExecutor {
    fn run(&self, attempt: Attempt) -> Running {
        Box::pin(run::run(Arc::clone(&self.kit), attempt))
    }

    fn grace(&self) -> Option<Duration> {
        Some(self.kit.settings.grace)
    }

    fn prepare(&self) -> Result<(), String> {
        self.kit.open().map(drop)
    }
}
