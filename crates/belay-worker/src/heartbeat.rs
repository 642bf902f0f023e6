//! The thread that renews the lease, and brings what the database wants of the running jobs.
//!
//! It has a connection of its own and does nothing that could take long. A notification makes it ask for signals at once;
//! every heartbeat asks anyway.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use belay_core::db::Role;
use belay_core::ops::{self, Beat, SignalState};
use belay_core::{Error, Result};

use crate::attempt::Wishes;
use crate::bell::{CHANGE, SIGNALS};
use crate::clock;
use crate::executors::{Control, StopCause};
use crate::lease::Registration;
use crate::link::Link;
use crate::shared::{Phase, Shared};

/// Most jobs that one heartbeat asks about whether they are still held.
const LOST_AT_ONCE: usize = 1000;

pub(crate) struct Heartbeat {
    shared: Arc<Shared>,
    link: Link,
    next_beat: Instant,
    /// Where the next check for lost jobs begins.
    turn: usize,
}

impl Heartbeat {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            link: Link::new(&shared.db, Role::Beat, Duration::from_millis(500)),
            next_beat: Instant::now(),
            turn: 0,
        }
    }

    pub(crate) fn run(mut self) {
        while self.shared.phase.now() < Phase::Closing {
            let registration = self.shared.current();
            if self.shared.check(&registration) {
                self.turn(&registration);
            } else {
                self.register();
            }
        }
        if self.shared.clean_end.load(Ordering::Acquire) {
            self.end();
        }
    }

    /// A heartbeat when it is time for one, signals when somebody rang; then waits.
    fn turn(&mut self, registration: &Arc<Registration>) {
        let now = Instant::now();
        if now >= self.next_beat {
            self.next_beat = now + self.shared.config.beat;
            if !self.beat(registration) {
                // Not a beat later: the lease runs.
                self.next_beat = now
                    + self
                        .link
                        .retry_in()
                        .clamp(Duration::from_millis(20), self.shared.config.beat);
            }
        }
        let wait = self.next_beat.saturating_duration_since(Instant::now());
        let heard = self.shared.bells.heart.wait(SIGNALS | CHANGE, wait);
        if heard & SIGNALS != 0 && self.shared.check(registration) {
            // A job that was ended by force is not among the signals: it is not held any more.
            let asked = self
                .signals(registration)
                .and_then(|()| self.lost(registration));
            if let Err(error) = asked {
                tracing::debug!(%error, "asking for signals failed; the next heartbeat brings them");
            }
        }
    }

    /// Renews the lease and asks for everything. `false` when the lease was not renewed.
    fn beat(&mut self, registration: &Arc<Registration>) -> bool {
        let (heavy, light) = self.shared.running();
        let running = i64::try_from(heavy).unwrap_or(i64::MAX);
        let light = i64::try_from(light).unwrap_or(i64::MAX);
        self.shared.metrics.running(running, light);
        let beat = Beat {
            running: i32::try_from(running + light).unwrap_or(i32::MAX),
            ticket_ceiling: registration.ceiling(),
            stopping: self.shared.phase.now() > Phase::Work,
        };
        let id = registration.id;
        // The lease is counted from before the statement was sent.
        let sent = clock::now();
        let answer = self.link.run(|s| s.run(|conn| ops::beat(conn, id, beat)));
        let took = clock::now().saturating_sub(sent).as_secs_f64();
        self.shared.metrics.beat(matches!(answer, Ok(true)), took);
        match answer {
            Ok(true) => registration.renew(sent),
            Ok(false) => {
                self.shared
                    .lose(registration, "the database says that it is over");
                return false;
            }
            Err(error) => {
                tracing::warn!(worker = id, %error, age = ?registration.age(), "a heartbeat failed");
                return false;
            }
        }
        let rest = self
            .signals(registration)
            .and_then(|()| self.lost(registration));
        if let Err(error) = rest {
            tracing::warn!(worker = id, %error, "a heartbeat brought no signals");
        }
        true
    }

    /// Tells the running jobs what is wanted of them.
    fn signals(&mut self, registration: &Arc<Registration>) -> Result<()> {
        let asked = Instant::now();
        let id = registration.id;
        let signals = self.link.run(|s| s.run(|conn| ops::signals(conn, id)))?;
        let mut wishes = Wishes::default();
        let mut ages = HashMap::new();
        for signal in signals {
            let key = (signal.id, signal.fence);
            ages.insert(key, signal.age);
            match signal.state {
                SignalState::Cancel { .. } => wishes.cancel.push(key),
                SignalState::Suspend => wishes.suspend.push(key),
            }
        }
        for job in self.shared.held.tell(registration, &wishes) {
            // From the acceptance, by the database's clock, to now; the answer's way here is counted by ours.
            let age = ages.get(&job.key).copied().unwrap_or_default() + asked.elapsed();
            job.accepted_before(age);
            self.shared.metrics.cancel_told(age.as_secs_f64());
        }
        Ok(())
    }

    /// Kills what this worker does not hold any more.
    fn lost(&mut self, registration: &Arc<Registration>) -> Result<()> {
        let jobs = self.shared.held.of(registration);
        if jobs.is_empty() {
            return Ok(());
        }
        let begin = self.turn % jobs.len();
        self.turn = if jobs.len() > LOST_AT_ONCE {
            begin + LOST_AT_ONCE
        } else {
            0
        };
        let asked: Vec<_> = jobs
            .iter()
            .cycle()
            .skip(begin)
            .take(jobs.len().min(LOST_AT_ONCE))
            .collect();
        let keys: Vec<_> = asked.iter().map(|job| job.key).collect();
        let id = registration.id;
        let lost = self
            .link
            .run(|s| s.run(|conn| ops::lost(conn, id, &keys)))?;
        let newest = |id: i64| keys.iter().filter(|key| key.0 == id).map(|key| key.1).max();
        for job in asked {
            let (id, fence) = job.key;
            // The answer names jobs, not attempts. Of two attempts at one job only the older can be lost; should the newer
            // be lost too, the next heartbeat says so. One that has ended since is not held either: telling it does no harm.
            let is_older = newest(id).is_some_and(|newest| fence < newest);
            let is_only = keys.iter().filter(|key| key.0 == id).count() == 1;
            if lost.contains(&id) && (is_only || is_older) {
                job.want(Control::Kill(StopCause::LeaseLost));
            }
        }
        Ok(())
    }

    /// Registers anew after the lease was lost. What ran under the old one has been killed.
    fn register(&mut self) {
        if self.shared.phase.now() > Phase::Work {
            // There is nothing more to claim.
            self.shared
                .phase
                .wait_for(Phase::Closing, Duration::from_millis(200));
            return;
        }
        let introduction = self.shared.introduction();
        let sent = clock::now();
        match self
            .link
            .run(|s| s.run(|conn| ops::register(conn, &introduction)))
        {
            Ok(id) => {
                tracing::info!(worker = id, "registered anew");
                let lease = self.shared.config.lease;
                self.shared.replace(Registration::new(id, lease, sent));
                self.next_beat = Instant::now();
            }
            Err(error) => {
                let wait = self
                    .link
                    .retry_in()
                    .clamp(Duration::from_millis(20), Duration::from_secs(1));
                if !matches!(error, Error::Unreachable(_)) {
                    tracing::warn!(%error, "registering anew failed; it is tried again");
                }
                self.shared.phase.wait_for(Phase::Closing, wait);
            }
        }
    }

    /// Ends the lease, so that nobody has to wait until it runs out.
    fn end(&mut self) {
        let id = self.shared.current().id;
        if let Err(error) = self.link.run(|s| s.run(|conn| ops::stop(conn, id))) {
            tracing::warn!(worker = id, %error, "the lease could not be ended; it runs out by itself");
        }
    }
}
