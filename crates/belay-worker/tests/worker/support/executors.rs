//! Executors that do what a test wants.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use belay_core::ops::Claimed;
use belay_worker::KindConfig;
use belay_worker::executors::{
    Attempt, Control, Executor, Finish, Output, Progress, Rung, Running, StopCause,
};

/// A kind with one attempt more than the default and no wait between them.
pub(crate) fn kind(name: &str, executor: impl Executor + 'static) -> KindConfig {
    let mut kind = KindConfig::new(name, "test", Arc::new(executor));
    kind.spec.backoff = belay_worker::Backoff::fixed(Duration::ZERO);
    kind
}

/// Ends every attempt in the same way.
#[derive(Debug)]
pub(crate) struct Always(pub(crate) Finish);

impl Executor for Always {
    fn run(&self, _: Attempt) -> Running {
        Box::pin(ready(self.0.clone()))
    }
}

/// Light, but without a way to run on the spot; every attempt ends in the same way.
#[derive(Debug)]
pub(crate) struct LightAlways(pub(crate) Finish);

impl Executor for LightAlways {
    fn run(&self, _: Attempt) -> Running {
        Box::pin(ready(self.0.clone()))
    }

    fn is_light(&self) -> bool {
        true
    }
}

/// Light and on the spot: the payload is how it ends.
#[derive(Debug)]
pub(crate) struct OnTheSpot;

impl Executor for OnTheSpot {
    fn run(&self, _: Attempt) -> Running {
        Box::pin(ready(Finish::Failed {
            error: "not on the spot".into(),
            retry: false,
        }))
    }

    fn is_light(&self) -> bool {
        true
    }

    fn run_light(&self, job: &Claimed) -> Option<Finish> {
        Some(match job.payload.as_str() {
            "\"fail\"" => Finish::Failed {
                error: "on the spot".into(),
                retry: false,
            },
            "\"snooze\"" if job.fence == 1 => Finish::Snoozed {
                delay: Duration::from_millis(1),
            },
            "\"panic\"" => panic!("on the spot"),
            _ => Finish::Completed,
        })
    }
}

/// Panics.
#[derive(Debug)]
pub(crate) struct Panics;

impl Executor for Panics {
    fn run(&self, _: Attempt) -> Running {
        Box::pin(async { panic!("out of cheese") })
    }
}

/// Shows output and progress, then waits until it is told to stop.
#[derive(Debug)]
pub(crate) struct Talks;

impl Executor for Talks {
    fn run(&self, mut attempt: Attempt) -> Running {
        Box::pin(async move {
            attempt.sink.progress(Progress {
                done: 1,
                total: Some(2),
                message: Some("half\0way".into()),
            });
            attempt.sink.output(output("begun"));
            stopped(&mut attempt).await;
            attempt.sink.output(output("begun, ended"));
            Finish::Stopped { rung: Rung::Term }
        })
    }
}

fn output(stdout: &str) -> Output {
    Output {
        stdout: stdout.into(),
        stdout_bytes: stdout.len() as i64,
        ..Output::default()
    }
}

async fn stopped(attempt: &mut Attempt) -> Control {
    let wanted = attempt
        .control
        .wait_for(|wanted| matches!(wanted, Control::Stop(_) | Control::Kill(_)))
        .await;
    wanted.map_or(Control::Kill(StopCause::LeaseLost), |wanted| *wanted)
}

/// Waits for a stop, notes when it came and of what kind, and ends in the way it was made with.
#[derive(Debug, Clone)]
pub(crate) struct Waits {
    pub(crate) told: Arc<Mutex<Vec<(Instant, Control)>>>,
    pub(crate) started: Arc<AtomicUsize>,
    then: Finish,
}

impl Waits {
    pub(crate) fn then(then: Finish) -> Self {
        Self {
            told: Arc::default(),
            started: Arc::default(),
            then,
        }
    }

    pub(crate) fn then_stopped() -> Self {
        Self::then(Finish::Stopped {
            rung: Rung::Cooperative,
        })
    }

    pub(crate) fn told(&self) -> Vec<(Instant, Control)> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }
}

impl Executor for Waits {
    fn run(&self, mut attempt: Attempt) -> Running {
        let this = self.clone();
        this.started.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let control = stopped(&mut attempt).await;
            this.told.lock().unwrap().push((Instant::now(), control));
            this.then
        })
    }
}

/// Never ends, whatever it is told.
#[derive(Debug)]
pub(crate) struct Deaf;

impl Executor for Deaf {
    fn run(&self, _: Attempt) -> Running {
        Box::pin(std::future::pending())
    }
}

/// Obeys a kill only.
#[derive(Debug)]
pub(crate) struct Stubborn;

impl Executor for Stubborn {
    fn run(&self, mut attempt: Attempt) -> Running {
        Box::pin(async move {
            let _ = attempt
                .control
                .wait_for(|wanted| matches!(wanted, Control::Kill(_)))
                .await;
            Finish::Stopped { rung: Rung::Kill }
        })
    }
}

/// Says that it can hold still, and ends when it should.
#[derive(Debug)]
pub(crate) struct EndsWhenSuspended;

impl Executor for EndsWhenSuspended {
    fn run(&self, mut attempt: Attempt) -> Running {
        Box::pin(async move {
            let _ = attempt
                .control
                .wait_for(|wanted| *wanted == Control::Suspend)
                .await;
            Finish::Completed
        })
    }

    fn can_suspend(&self) -> bool {
        true
    }
}
