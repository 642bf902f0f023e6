//! A report on its way to the database.

use std::sync::Arc;

use belay_core::ops::Verdict;

use crate::attempt::{HeldJob, Key};
use crate::lease::Registration;
use crate::source::{Source, Weight};

/// The report on one attempt. Lives from the attempt's end until the database has answered.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) source: Arc<Source>,
    /// `None`: it worked, which is what most say.
    pub(crate) verdict: Option<Box<Verdict>>,
    /// Seconds from its claim to its end.
    pub(crate) ran_s: f64,
    /// What it takes up until it is answered for.
    pub(crate) weight: Weight,
    /// Whether it was sent before and the answer was lost, so that it may have been settled already.
    pub(crate) unsure: bool,
    /// Whether it still counts as outstanding. A report that is parked does not, so that it holds back no claim.
    pub(crate) counted: bool,
    /// How often the database refused it.
    pub(crate) tries: u8,
    /// The attempt, when it was more than a call: what it has shown last, and when it was told of a cancel.
    pub(crate) job: Option<Arc<HeldJob>>,
}

impl Item {
    pub(crate) fn is_success(&self) -> bool {
        self.verdict.is_none()
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
            .as_deref()
            .cloned()
            .unwrap_or(Verdict::Completed)
    }
}

/// Reports of one registration that go in one statement: all successes, or all something else.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) registration: Arc<Registration>,
    pub(crate) items: Vec<Item>,
}

impl Batch {
    pub(crate) fn is_success(&self) -> bool {
        self.items.first().is_some_and(Item::is_success)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.items.iter().map(|item| item.key)
    }

    /// Cuts it into up to `parts` batches of about the same size.
    pub(crate) fn split(self, parts: usize) -> Vec<Self> {
        let size = self.items.len().div_ceil(parts.max(1)).max(1);
        let mut rest = self.items.into_iter();
        let mut batches = Vec::with_capacity(parts);
        loop {
            let items: Vec<Item> = rest.by_ref().take(size).collect();
            if items.is_empty() {
                return batches;
            }
            batches.push(Self {
                registration: Arc::clone(&self.registration),
                items,
            });
        }
    }
}
