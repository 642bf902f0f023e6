//! One attempt from start to end.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Request, Response, StatusCode, Url};
use tokio::sync::watch;

use super::super::{Attempt, Control, Finish, Rung, StopCause};
use super::answer::{self, Meaning};
use super::failure::causes;
use super::kit::Kit;
use super::request;
use super::shown::Shown;

/// Runs one attempt.
pub(super) async fn run(kit: Arc<Kit>, mut attempt: Attempt) -> Finish {
    if wanted(&attempt.control).is_some() {
        // The receiver has not heard of it.
        return Finish::Stopped {
            rung: Rung::Cooperative,
        };
    }
    match Session::new(kit, &mut attempt) {
        Ok((session, request)) => session.run(request).await,
        Err(finish) => finish,
    }
}

/// The stop or kill that the worker wants, if it does. Holding still is nothing that a receiver could be asked for.
fn wanted(control: &watch::Receiver<Control>) -> Option<Control> {
    let control = *control.borrow();
    matches!(control, Control::Stop(_) | Control::Kill(_)).then_some(control)
}

/// Waits for a stop or a kill.
async fn stopped(control: &mut watch::Receiver<Control>) -> Control {
    let told = control
        .wait_for(|wanted| matches!(wanted, Control::Stop(_) | Control::Kill(_)))
        .await;
    // A worker that forgot this attempt cannot stop it any more.
    told.map_or(Control::Kill(StopCause::LeaseLost), |told| *told)
}

/// Waits for a kill.
pub(super) async fn killed(control: &mut watch::Receiver<Control>) {
    let _ = control
        .wait_for(|wanted| matches!(wanted, Control::Kill(_)))
        .await;
}

/// How far the receiver has come, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It may have the request.
    Asked,
    /// It has taken the work over, and goes on without a connection.
    Accepted,
}

/// An attempt that has begun.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) kit: Arc<Kit>,
    pub(super) control: watch::Receiver<Control>,
    pub(super) identity: HeaderMap,
    pub(super) fence: i32,
    pub(super) cancel_url: Option<Url>,
    pub(super) shown: Shown,
}

impl Session {
    /// Prepares everything, the call that stops the work as well: what could not be stopped is not begun.
    fn new(kit: Arc<Kit>, attempt: &mut Attempt) -> Result<(Self, Request), Finish> {
        let fail = |error| Finish::Failed {
            error,
            retry: false,
        };
        let url = kit.checked.url.render(attempt).map_err(fail)?;
        let cancel_url = match &kit.checked.cancel_url {
            Some(template) => {
                let url = template
                    .render(attempt)
                    .map_err(|error| fail(format!("the cancel URL: {error}")))?;
                kit.check(&url)
                    .map_err(|refused| fail(format!("the cancel URL: {refused}")))?;
                Some(url)
            }
            None => None,
        };
        let identity = request::identity(attempt).map_err(fail)?;
        let opened = kit
            .open()
            .map_err(|error| Finish::Failed { error, retry: true })?;
        let payload = std::mem::take(&mut attempt.payload);
        let method = &kit.checked.method;
        let request = request::work(method, url, &opened.headers, &identity, payload);
        let session = Self {
            control: attempt.control.clone(),
            identity,
            fence: attempt.fence,
            cancel_url,
            shown: Shown::new(Arc::clone(&attempt.sink)),
            kit,
        };
        Ok((session, request))
    }

    async fn run(mut self, request: Request) -> Finish {
        // An answer that is here together with a stop counts: it says what has happened.
        let sent = tokio::select! {
            biased;
            sent = self.kit.send(request) => Ok(sent),
            told = stopped(&mut self.control) => Err(told),
        };
        match sent {
            Ok(Ok(response)) => self.answered(response).await,
            Ok(Err(failure)) => failure.into(),
            Err(told) => self.stop(Stage::Asked, told).await,
        }
    }

    async fn answered(mut self, mut response: Response) -> Finish {
        let status = response.status();
        let meaning = Meaning::of(status);
        let stage = match meaning {
            Meaning::Accepted => Stage::Accepted,
            Meaning::Completed | Meaning::Failed { .. } => Stage::Asked,
        };
        let broken = loop {
            // A body that never ends must not keep other attempts from this thread.
            tokio::task::consume_budget().await;
            let limit = self.kit.settings.response_limit;
            let next = tokio::select! {
                biased;
                next = self.shown.body.take(&mut response, limit) => Ok(next),
                told = stopped(&mut self.control) => Err(told),
            };
            match next {
                Ok(Ok(true)) => self.shown.show_now_and_then(),
                Ok(Ok(false)) => break None,
                Ok(Err(error)) => break Some(causes(&error.without_url())),
                Err(told) => {
                    drop(response);
                    return self.stop(stage, told).await;
                }
            }
        };
        let headers = std::mem::take(response.headers_mut());
        // With the connection, if there is more to come.
        drop(response);
        if self.shown.body.is_cut() {
            let limit = self.kit.settings.response_limit;
            self.shown.note(format_args!(
                "the answer is longer than {limit} bytes (response_limit); the rest was not read"
            ));
        }
        self.shown.show();
        match meaning {
            Meaning::Accepted => self.handed_over(status).await,
            Meaning::Failed { retry } => answer::failure(status, &headers, retry, &self.shown.body),
            Meaning::Completed => match broken {
                None => Finish::Completed,
                Some(why) => Finish::Failed {
                    error: format!(
                        "the receiver answered {status}, and the answer broke off: {why}"
                    ),
                    retry: true,
                },
            },
        }
    }

    /// The receiver has the work, and will report with the fence. The slot stays taken until it has, or until a stop.
    async fn handed_over(mut self, status: StatusCode) -> Finish {
        let fence = self.fence;
        self.shown.note(format_args!(
            "the receiver answered {status}: it has the work, and reports with the fence {fence}"
        ));
        let told = stopped(&mut self.control).await;
        self.stop(Stage::Accepted, told).await
    }

    async fn stop(mut self, stage: Stage, told: Control) -> Finish {
        match told {
            // Not held any more: the receiver has reported. Or the lease is over, and nobody here can report.
            Control::Kill(StopCause::LeaseLost) if stage == Stage::Accepted => Finish::Reported,
            Control::Stop(cause) => Finish::Stopped {
                rung: self.call_off(stage, cause).await,
            },
            Control::Kill(_) | Control::Run | Control::Suspend => {
                self.shown.note("killed: the receiver was not told");
                Finish::Stopped { rung: Rung::Kill }
            }
        }
    }
}
