//! Calls off work that a receiver has, or may have.

use std::time::Duration;

use reqwest::{StatusCode, Url};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::{Rung, StopCause};
use super::failure::Failure;
use super::request;
use super::run::{Session, Stage, killed};

/// The first wait between two tries; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A single try may take this part of the grace period, so that one that hangs is not the only one.
const TRIES_THAT_HANG: u32 = 3;

/// How the tries ended.
enum Told {
    Confirmed(StatusCode),
    /// Not confirmed after so many tries, for this reason.
    Not(u32, String),
    Killed,
}

impl Session {
    /// Tells the receiver, after the connection was dropped, and answers what it took. Ends within the grace period, and at once
    /// when the attempt is killed.
    pub(super) async fn call_off(&mut self, stage: Stage, cause: StopCause) -> Rung {
        let end = Instant::now() + self.kit.settings.grace;
        let Some(url) = self.cancel_url.take() else {
            return self.without_url(stage, cause, end).await;
        };
        match self.tell(&url, cause, end).await {
            Told::Confirmed(status) => {
                self.shown.note(format_args!(
                    "cancel confirmed by the receiver: {}",
                    status.as_u16()
                ));
                Rung::Cooperative
            }
            Told::Not(tries, why) => {
                let times = if tries == 1 { "try" } else { "tries" };
                self.shown.note(format_args!(
                    "cancel not confirmed after {tries} {times}: {why}"
                ));
                self.wait_for_report(stage, cause, end).await;
                Rung::Kill
            }
            Told::Killed => {
                self.shown
                    .note("killed before the receiver had confirmed the cancel");
                Rung::Kill
            }
        }
    }

    async fn without_url(&mut self, stage: Stage, cause: StopCause, end: Instant) -> Rung {
        if stage == Stage::Asked {
            self.shown
                .note("the connection was dropped; the kind has no cancel_url to call");
            return Rung::Term;
        }
        self.shown.note(
            "the kind has no cancel_url to call; the receiver learns of the stop when it reports",
        );
        self.wait_for_report(stage, cause, end).await;
        Rung::Kill
    }

    /// Whoever has taken a job over learns with its next beat that the job is cancelled, and may still end it in good order;
    /// then the job is not held here any more. Of other stops it does not learn.
    async fn wait_for_report(&mut self, stage: Stage, cause: StopCause, end: Instant) {
        if stage == Stage::Accepted && cause == StopCause::Cancel {
            let _ = timeout_at(end, killed(&mut self.control)).await;
        }
    }

    async fn tell(&mut self, url: &Url, cause: StopCause, end: Instant) -> Told {
        let grace = self.kit.settings.grace;
        let tries = self.kit.settings.cancel_tries;
        let mut wait = FIRST_WAIT;
        let mut last = "the grace period is over".to_owned();
        for done in 1..=tries {
            let at_most = end.min(Instant::now() + grace / TRIES_THAT_HANG);
            let tried = tokio::select! {
                biased;
                tried = timeout_at(at_most, self.try_once(url, cause)) => tried,
                () = killed_too(&self.control) => return Told::Killed,
            };
            match tried {
                Ok(Ok(status)) if is_confirmed(status) => return Told::Confirmed(status),
                Ok(Ok(status)) => last = format!("the receiver answered {status}"),
                Ok(Err(Failure { words, retry })) => {
                    last = words;
                    if !retry {
                        return Told::Not(done, last);
                    }
                }
                Err(_) => last = "the receiver did not answer in time".to_owned(),
            }
            let next = Instant::now() + wait;
            if done == tries || next >= end {
                return Told::Not(done, last);
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            tokio::select! {
                biased;
                () = killed_too(&self.control) => return Told::Killed,
                () = sleep_until(next) => {}
            }
        }
        Told::Not(tries, last)
    }

    async fn try_once(&self, url: &Url, cause: StopCause) -> Result<StatusCode, Failure> {
        let method = &self.kit.checked.cancel_method;
        let opened = self
            .kit
            .open()
            .map_err(|words| Failure { words, retry: true })?;
        let request = request::cancel(method, url.clone(), &opened.headers, &self.identity, cause);
        // Only the status counts; the connection is dropped with the rest.
        Ok(self.kit.send(request).await?.status())
    }
}

/// Whether the receiver says that the work has stopped. 202 only says that it is going to.
fn is_confirmed(status: StatusCode) -> bool {
    status.is_success() && status != StatusCode::ACCEPTED
}

async fn killed_too(control: &tokio::sync::watch::Receiver<super::super::Control>) {
    killed(&mut control.clone()).await;
}
