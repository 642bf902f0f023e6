//! What an executor has to say for itself, so that the scenarios can be written once.

use std::time::Duration;

use belay_core::ops::NewJob;
use belay_testkit::eventually;

use crate::process::Process;
use crate::world::{LONG, World};

/// How long work may take to stop, in every kind of the suite.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// What a job does. Each is a kind of its own, whose failed attempts are repeated at once, twice in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Ends well, at once.
    Succeeds,
    /// Fails, with the words "no luck" somewhere.
    Fails,
    /// Writes `begun`, goes on until it is told to stop, and stops then.
    Waits,
    /// Writes `begun` and goes on, whatever it is told.
    Deaf,
    /// Writes a million `x` and then `the end`, and ends well.
    Floods,
    /// Writes `a`, a byte that is no UTF-8, a NUL and `b`, and ends well.
    Garbles,
}

impl Work {
    pub(crate) const ALL: [Self; 6] = [
        Self::Succeeds,
        Self::Fails,
        Self::Waits,
        Self::Deaf,
        Self::Floods,
        Self::Garbles,
    ];

    /// The name of its kind.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Succeeds => "succeeds",
            Self::Fails => "fails",
            Self::Waits => "waits",
            Self::Deaf => "deaf",
            Self::Floods => "floods",
            Self::Garbles => "garbles",
        }
    }

    pub(crate) fn job(self) -> NewJob {
        NewJob::new(self.kind())
    }
}

/// What a process that runs jobs is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) lease: Duration,
    pub(crate) slots: u32,
    pub(crate) drain: Duration,
}

impl Node {
    /// With a lease that a busy machine does not lose.
    pub(crate) const fn steady(name: &'static str) -> Self {
        Self {
            name,
            lease: Duration::from_secs(15),
            slots: 4,
            drain: Duration::from_secs(1),
        }
    }

    /// With a lease that a test can wait for.
    pub(crate) const fn brief(name: &'static str) -> Self {
        Self {
            lease: Duration::from_secs(2),
            ..Self::steady(name)
        }
    }

    pub(crate) fn beat(&self) -> Duration {
        // Output is seen with the heartbeat.
        (self.lease / 8).min(Duration::from_millis(200))
    }
}

/// What becomes of work that does not listen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deaf {
    /// It is ended after its grace period, with this rung on record.
    Ended(&'static str),
    /// Nobody can end it: the job stays `cancelling` for as long as its process lives.
    GoesOn {
        /// Whether its standard error says so.
        says_so: bool,
    },
}

/// What becomes of output.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown {
    /// Its last bytes are kept, so many of each stream.
    Tail {
        limit: usize,
        /// Whether all are counted.
        counted: bool,
    },
    /// Its first bytes are kept, so many; the rest is not read.
    Head(usize),
    /// None of it is kept.
    Nothing,
}

/// One executor.
pub(crate) trait Subject {
    /// Whether running work can be held still.
    const SUSPENDS: bool;
    /// The rung on record of work that stops when it is told.
    const STOPPED: &'static str;
    const DEAF: Deaf;
    /// What the error of an attempt begins with that took longer than a second and was allowed one.
    const TIMED_OUT: &'static str = "timed out after 1 s";
    const SHOWN: Shown;

    /// Prepares what belongs to the whole test.
    fn new(world: &World) -> Self;

    /// Starts a process that runs all kinds of [`Work`] and registers a worker with the name of the node.
    fn start(&self, world: &World, node: Node) -> Process;

    /// Waits until the code of a job that runs is at work.
    fn begun(&self, world: &World, id: i64) {
        eventually(LONG, || {
            let output = world.output(id)?;
            output.stdout.contains("begun").then_some(())
        });
    }

    /// Fails unless all that jobs have started is gone, or soon is.
    fn nothing_left(&self, _: &World) {}
}
