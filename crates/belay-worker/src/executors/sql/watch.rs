//! Waits for a statement to end, and makes it end when its attempt is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use super::fault::Fault;
use super::session::{self, Interruption, Whose};
use super::settings::Ready;
use super::signal::Signal;
use crate::executors::{Control, Finish, Rung};

/// How often a statement is interrupted: one may catch the error, and another may just have begun.
const AGAIN: Duration = Duration::from_millis(300);
/// How long a server may leave the end of a session unanswered before the connection is cut on this side.
const SILENCE: Duration = Duration::from_secs(5);

type Outcome = Result<Finish, Fault>;

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was stopped before its statement began, which it never will.
    NeverBegun,
    /// The thread has ended.
    Over {
        outcome: Result<Outcome, JoinError>,
        /// What it took, when it was told to stop.
        told: Option<Rung>,
    },
}

/// Whoever watches over a statement.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) ready: Arc<Ready>,
    pub(super) whose: Whose,
    pub(super) signal: Arc<Signal>,
}

impl Watch {
    /// Waits for the end.
    pub(super) async fn over(
        &self,
        mut work: JoinHandle<Outcome>,
        control: &mut watch::Receiver<Control>,
    ) -> Ended {
        tokio::select! {
            biased;
            outcome = &mut work => return Ended::Over { outcome, told: None },
            () = told_to_stop(control) => {}
        }
        if self.signal.stop() {
            // The thread may be connecting. It sees the stop before it begins.
            return Ended::NeverBegun;
        }
        let mut ladder = Ladder {
            kill_at: Instant::now() + self.ready.grace,
            cut_at: None,
            rung: Rung::Cooperative,
        };
        loop {
            let how = ladder.step(control);
            let mut attempt = self.interrupt(how);
            let done = tokio::select! {
                biased;
                outcome = &mut work => return Ended::Over { outcome, told: Some(ladder.rung_with(how)) },
                done = &mut attempt => done.unwrap_or(false),
                // A server that does not answer holds up neither the next rung nor the last one.
                () = ladder.until_cut() => false,
            };
            if done {
                ladder.rung = ladder.rung_with(how);
            }
            if ladder.is_over() {
                self.signal.cut();
                ladder.rung = Rung::Kill;
            }
            tokio::select! {
                biased;
                outcome = &mut work => return Ended::Over { outcome, told: Some(ladder.rung) },
                () = sleep_until(Instant::now() + AGAIN) => {}
            }
        }
    }

    /// Interrupts the statement on a connection of its own. Answers whether there was something to interrupt.
    fn interrupt(&self, how: Interruption) -> JoinHandle<bool> {
        let (ready, signal, whose) = (
            Arc::clone(&self.ready),
            Arc::clone(&self.signal),
            self.whose,
        );
        spawn_blocking(move || {
            if signal.while_open(|_| ()).is_none() {
                return false;
            }
            let Ok(mut conn) = session::second(&ready, whose) else {
                // It is tried again.
                return false;
            };
            signal
                .while_open(|backend| session::interrupt(&mut conn, backend, how))
                .is_some_and(|done| done.unwrap_or(false))
        })
    }
}

struct Ladder {
    kill_at: Instant,
    cut_at: Option<Instant>,
    rung: Rung,
}

impl Ladder {
    fn step(&mut self, control: &watch::Receiver<Control>) -> Interruption {
        let killed =
            matches!(*control.borrow(), Control::Kill(_)) || control.has_changed().is_err();
        if !killed && Instant::now() < self.kill_at {
            return Interruption::Cancel;
        }
        self.cut_at.get_or_insert_with(|| Instant::now() + SILENCE);
        Interruption::Terminate
    }

    /// The rung that is reached when this has an effect.
    fn rung_with(&self, how: Interruption) -> Rung {
        match (how, self.rung) {
            (Interruption::Terminate, _) | (_, Rung::Kill) => Rung::Kill,
            (Interruption::Cancel, _) => Rung::Term,
        }
    }

    fn is_over(&self) -> bool {
        self.cut_at.is_some_and(|at| at <= Instant::now())
    }

    /// Until an interruption has taken too long: the next rung, or the end of patience.
    async fn until_cut(&self) {
        let at = self
            .cut_at
            .unwrap_or_else(|| self.kill_at.max(Instant::now() + AGAIN));
        sleep_until(at).await;
    }
}

/// Ends when the attempt is told to stop, or when nobody is left who could tell it.
async fn told_to_stop(control: &mut watch::Receiver<Control>) {
    let _ = control
        .wait_for(|wanted| matches!(wanted, Control::Stop(_) | Control::Kill(_)))
        .await;
}
