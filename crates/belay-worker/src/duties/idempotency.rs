//! Forgets idempotency keys after a day, and logins that have ended.

use std::time::Duration;

use belay_core::Result;
use belay_core::ops;

use super::{Context, Duty};

const EVERY: Duration = Duration::from_secs(3600);
const KEEP: Duration = Duration::from_secs(24 * 3600);
/// What one statement forgets at most.
const BATCH: usize = 5000;
/// Most statements per run.
const MAX_ROUNDS: usize = 1000;

/// Hourly on one node.
pub(super) struct IdempotencyKeys;

impl Duty for IdempotencyKeys {
    fn name(&self) -> &'static str {
        "idempotency_keys"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, context: &mut Context<'_>) -> Result<Option<String>> {
        if !context.is_due("idempotency_keys", EVERY)? {
            return Ok(None);
        }
        let mut forgotten = 0;
        for _ in 0..MAX_ROUNDS {
            let now = context
                .link
                .run(|s| s.run(|conn| ops::forget_idempotency_keys(conn, KEEP)))?;
            forgotten += now;
            if now < BATCH {
                break;
            }
        }
        let sessions = context.link.run(|s| s.run(ops::forget_sessions))?;
        Ok(Some(format!(
            "{forgotten} keys and {sessions} logins forgotten"
        )))
    }
}
