//! One claim: how much there is room for, from which tickets, and what follows from its answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use belay_core::ops::{self, Claimed, LineFloor};
use belay_core::{Error, Result};

use super::Dispatcher;
use crate::lease::Registration;
use crate::pace::Yield;
use crate::report;
use crate::source::Weight;
use belay_core::floors::Offer;

/// How often the last ticket is read at most, to move the floors of empty lines.
const TICKET: Duration = Duration::from_millis(100);

/// What a claim brought.
#[derive(Default)]
pub(super) struct Claim {
    pub(super) jobs: Vec<Claimed>,
    pub(super) got: Yield,
    /// Lines that gave nothing and whose floor is far behind, and the last ticket known before.
    pub(super) empty_lines: Option<(Vec<LineFloor>, i64)>,
}

impl Dispatcher {
    /// How many jobs may be claimed now.
    pub(super) fn room(&self, weight: Weight) -> usize {
        let batch = usize::try_from(self.shared.config.batch).unwrap_or(1);
        let taken = self
            .shared
            .taken(weight)
            .map_or(usize::MAX, |taken| taken.load(Ordering::Acquire));
        let window = match weight {
            Weight::Light => self.shared.config.light_window,
            Weight::Heavy => self.shared.config.slots as usize,
            Weight::Ahead(kind) => self.shared.ahead.get(kind).map_or(0, |kind| kind.window),
        };
        let free = window.saturating_sub(taken);
        let too_few = match weight {
            // A claim of a few costs nearly as much as one of many.
            Weight::Light | Weight::Ahead(_) => free < batch.min(window) / 2,
            Weight::Heavy => {
                let unanswered = self.shared.heavy_reports.load(Ordering::Acquire);
                unanswered > window + report::MAX_BATCH
            }
        };
        if too_few { 0 } else { free.min(batch) }
    }

    pub(super) fn claim(
        &mut self,
        index: usize,
        registration: &Arc<Registration>,
        offer: Offer,
        room: usize,
    ) -> Result<Claim> {
        let last_ticket = self.last_ticket(index)?;
        // Between a freeze and the claim stands only this.
        if !self.shared.check(registration) {
            return Ok(Claim::default());
        }
        let batch = i32::try_from(room).unwrap_or(i32::MAX);
        let claimed = self
            .link
            .run(|s| s.run(|conn| ops::claim(conn, registration.id, &offer.lines, batch)));
        let jobs = match claimed {
            Ok(jobs) => jobs,
            Err(error) => {
                if matches!(error, Error::Unreachable(_)) {
                    self.doubt_claim(registration, &offer.lines);
                }
                return Err(error);
            }
        };
        let mut floors = self.floors();
        if !jobs.is_empty() {
            floors.claimed(&jobs);
        }
        if jobs.len() >= room {
            drop(floors);
            return Ok(Claim {
                jobs,
                got: Yield::Full,
                empty_lines: None,
            });
        }
        let raisable = floors.exhausted(offer.lines, &jobs, last_ticket);
        drop(floors);
        Ok(Claim {
            got: if offer.more {
                // Not all lines have been looked at.
                Yield::Full
            } else if jobs.is_empty() {
                Yield::Nothing
            } else {
                Yield::Some
            },
            jobs,
            empty_lines: last_ticket
                .filter(|_| !raisable.is_empty())
                .map(|last| (raisable, last)),
        })
    }

    /// The last ticket, when the next claim may be empty and it was not read just now.
    fn last_ticket(&mut self, index: usize) -> Result<Option<i64>> {
        let now = Instant::now();
        let Some(lane) = self.lanes.get_mut(index) else {
            return Ok(None);
        };
        let lately = lane
            .asked
            .is_some_and(|asked| now.saturating_duration_since(asked) < TICKET);
        if !lane.short || self.hinted || lately {
            return Ok(None);
        }
        lane.asked = Some(now);
        self.link.run(|s| s.run(ops::last_ticket)).map(Some)
    }

    /// Moves the floors of empty lines, except where a job is queued that somebody else holds locked.
    pub(super) fn raise(&mut self, mut lines: Vec<LineFloor>, last_ticket: i64) {
        let busy = self
            .link
            .run(|s| s.run(|conn| ops::lines_with_work(conn, &lines)));
        match busy {
            Ok(busy) => {
                lines.retain(|offer| !busy.contains(&offer.line));
                let mut floors = self.floors();
                floors.raise(&lines, last_ticket);
                floors.activate(&busy);
            }
            // Only speed was at stake.
            Err(error) => tracing::debug!(%error, "the floors of empty lines were not moved"),
        }
    }
}
