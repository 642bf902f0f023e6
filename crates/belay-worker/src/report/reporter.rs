//! The threads that bring reports to the database.
//!
//! They never wait for a batch to fill up: they take what is there. A report is kept until the database has answered it,
//! through lost connections and restarts; sending it twice is safe, because it carries its fence.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use belay_core::db::Role;
use belay_core::{Error, Result};

use super::item::{Batch, Item};
use super::queue::{Leftovers, Work};
use super::save::{Rows, last_words};
use super::send::{Answer, send};
use super::tally::Tally;
use crate::link::Link;
use crate::shared::{Phase, Shared};

/// Threads that send reports. The second one also takes what was refused, and writes what running attempts show.
pub(crate) const THREADS: usize = 2;

/// Into how many parts a refused batch is cut.
const PARTS: usize = 8;
/// Longest wait between two tries of a report that the database refuses.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// How often a report on a suspended job is tried.
const SUSPENDED_WAIT: Duration = Duration::from_secs(1);
/// How often the thread looks at the phase of the worker.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) struct Reporter {
    shared: Arc<Shared>,
    thread: usize,
    link: Link,
    next_save: Instant,
}

impl Reporter {
    pub(crate) fn new(shared: &Arc<Shared>, thread: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            thread,
            link: Link::new(&shared.db, Role::Hot, Duration::from_secs(2)),
            next_save: Instant::now() + shared.config.beat,
        }
    }

    pub(crate) fn run(mut self) {
        while self.shared.phase.now() < Phase::Closing {
            let wait = self.link.retry_in();
            if !wait.is_zero() {
                self.shared.phase.wait_for(Phase::Closing, wait);
                continue;
            }
            // Before anything is taken: what fails later may have been sent.
            if self.link.connect().is_err() {
                continue;
            }
            if let Some(work) = self.shared.reports.take(self.thread, self.patience()) {
                let leftovers = self.handle(work);
                self.shared.reports.put_back(self.thread, leftovers);
            }
            if self.thread == 1 && Instant::now() >= self.next_save {
                self.save();
                self.next_save = Instant::now() + self.shared.config.beat;
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.thread == 1 {
            LOOK.min(self.next_save.saturating_duration_since(Instant::now()))
        } else {
            LOOK
        }
    }

    fn handle(&mut self, work: Work) -> Leftovers {
        let Work { mut batch, suspect } = work;
        // After a freeze, everything here is stopped before anything is reported. What is reported then is either still
        // true, because nobody took the job, or stale.
        self.shared.check(&batch.registration);
        let again = |batch| Leftovers {
            again: Some(batch),
            ..Leftovers::default()
        };
        match self.last_words(&batch) {
            Ok(()) => {}
            Err(Error::Unreachable(_)) => return again(batch),
            Err(error) => return self.refused(batch, &error),
        }
        match self.link.run(|session| send(session, &batch, suspect)) {
            Ok(answers) => self.settle(batch, &answers),
            Err(Error::Unreachable(_)) => {
                for item in &mut batch.items {
                    item.unsure = true;
                }
                again(batch)
            }
            Err(error) => self.refused(batch, &error),
        }
    }

    /// Writes what the attempts of a batch have shown last.
    fn last_words(&mut self, batch: &Batch) -> Result<()> {
        if batch.items.iter().all(|item| item.job.is_none()) {
            return Ok(());
        }
        let _order = self
            .shared
            .saving
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.link.run(|session| last_words(session, batch))
    }

    /// Deals with the answers: most reports are done with.
    fn settle(&self, batch: Batch, answers: &[Answer]) -> Leftovers {
        let mut leftovers = Leftovers::default();
        let mut again = Vec::new();
        let mut tally = Tally::new(&self.shared);
        for (index, mut item) in batch.items.into_iter().enumerate() {
            match answers.get(index).copied().unwrap_or(Answer::Changed) {
                Answer::Became(state) => tally.settled(&item, state),
                Answer::Stale => tally.stale(&item),
                Answer::Suspended => {
                    tally.parked(&mut item);
                    let parked = single(&batch.registration, item);
                    leftovers.parked.push((SUSPENDED_WAIT, parked));
                }
                Answer::Changed if item.tries < 3 => {
                    item.tries += 1;
                    again.push(item);
                }
                Answer::Changed => {
                    tally.parked(&mut item);
                    let parked = single(&batch.registration, item);
                    leftovers.parked.push((wait_after(1), parked));
                }
            }
        }
        if !again.is_empty() {
            leftovers.again = Some(Batch {
                registration: batch.registration,
                items: again,
            });
        }
        tally.finish();
        leftovers
    }

    /// Something in the batch is locked, or the database does not take it. The rest must not wait for it.
    fn refused(&self, mut batch: Batch, error: &Error) -> Leftovers {
        let mut leftovers = Leftovers::default();
        if batch.items.len() > 1 {
            leftovers.suspects = batch.split(PARTS);
            return leftovers;
        }
        let mut tally = Tally::new(&self.shared);
        let mut wait = Duration::ZERO;
        for item in &mut batch.items {
            item.tries = item.tries.saturating_add(1);
            wait = wait_after(item.tries);
            if matches!(error, Error::Busy(_)) {
                tracing::debug!(job = item.key.0, %error, "a report waits for somebody else's lock");
            } else {
                tracing::error!(job = item.key.0, %error, ?wait, "the database refuses a report; it is kept and sent again");
            }
            tally.parked(item);
        }
        leftovers.parked.push((wait, batch));
        tally.finish();
        leftovers
    }

    /// Writes what running attempts have shown since the last time.
    fn save(&mut self) {
        let registration = self.shared.current();
        if !self.shared.check(&registration) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let _order = shared.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows = Rows::default();
        let mut taken = Vec::new();
        for job in shared.held.of(&registration) {
            if let Some(unsaved) = job.shown.take() {
                rows.add(&job, &unsaved);
                taken.push((job, unsaved));
            }
        }
        if taken.is_empty() {
            return;
        }
        let written = self
            .link
            .run(|session| rows.write(session, registration.id));
        if let Err(error) = written {
            tracing::warn!(%error, "what running jobs show could not be written; it is tried again with the next heartbeat");
            for (job, unsaved) in taken {
                job.shown.give_back(unsaved);
            }
        }
    }
}

fn single(registration: &Arc<crate::lease::Registration>, item: Item) -> Batch {
    Batch {
        registration: Arc::clone(registration),
        items: vec![item],
    }
}

/// 100 ms, doubling up to [`MAX_WAIT`].
fn wait_after(tries: u8) -> Duration {
    let doublings = u32::from(tries.saturating_sub(1)).min(10);
    (Duration::from_millis(100) * 2_u32.pow(doublings)).min(MAX_WAIT)
}

/// Held by whoever takes and writes output, so that nothing older is written after something newer.
pub(crate) type Saving = Mutex<()>;
