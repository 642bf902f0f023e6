use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::*;
use crate::executors::builtin::Sleep;
use crate::executors::{Running, Sink};
use crate::lease::Registration;
use crate::source::Source;

fn held() -> Arc<HeldJob> {
    let lease = Duration::from_secs(15);
    let registration = Arc::new(Registration::new(1, lease, crate::clock::now()));
    Arc::new(HeldJob::new((1, 1), 1, Source::of_noops(), registration))
}

fn attempt(job: &HeldJob, seconds: u32) -> Attempt {
    Attempt {
        job: 1,
        uid: String::new(),
        tenant: 1,
        queue: "default".into(),
        kind: "sleep".into(),
        attempt: 1,
        max_attempts: 1,
        fence: 1,
        worker: 1,
        lease: watch::Sender::new(Duration::MAX).subscribe(),
        payload: format!("{{\"seconds\": {seconds}}}"),
        control: job.watch(),
        sink: Arc::clone(&job.shown) as Arc<dyn Sink>,
    }
}

async fn run_sleep(job: &HeldJob, seconds: u32, timeout_s: Option<i32>) -> Finish {
    attend(
        Arc::new(Sleep),
        attempt(job, seconds),
        job,
        Limits::new(timeout_s, None),
        None,
    )
    .await
}

const STOPPED: Finish = Finish::Stopped {
    rung: Rung::Cooperative,
};

#[tokio::test(start_paused = true)]
async fn it_ends_in_time_or_is_told_why_not() {
    let job = held();
    assert_eq!(run_sleep(&job, 5, Some(6)).await, Finish::Completed);
    assert_eq!(job.cause(), None);
    let began = Instant::now();
    assert_eq!(run_sleep(&job, 600, Some(6)).await, STOPPED);
    assert_eq!(began.elapsed().as_secs(), 6);
    assert_eq!(job.cause(), Some(StopCause::Timeout));
}

#[tokio::test(start_paused = true)]
async fn time_that_it_is_held_still_does_not_count() {
    let job = held();
    let theirs = Arc::clone(&job);
    let running = tokio::spawn(async move { run_sleep(&theirs, 8, Some(10)).await });
    sleep(Duration::from_secs(4)).await;
    job.want(Control::Suspend);
    sleep(Duration::from_secs(1000)).await;
    job.want(Control::Run);
    assert_eq!(running.await.unwrap(), Finish::Completed);
    assert_eq!(job.cause(), None);
}

/// Must not be started.
#[derive(Debug)]
struct Never;

impl Executor for Never {
    fn run(&self, _: Attempt) -> Running {
        panic!("it was started")
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_to_stop_before_its_start_never_starts() {
    for suspended_first in [false, true] {
        let job = held();
        if suspended_first {
            job.want(Control::Suspend);
        } else {
            job.want(Control::Stop(StopCause::Cancel));
        }
        let theirs = Arc::clone(&job);
        let running = tokio::spawn(async move {
            attend(
                Arc::new(Never),
                attempt(&theirs, 0),
                &theirs,
                Limits::new(None, None),
                None,
            )
            .await
        });
        sleep(Duration::from_secs(1)).await;
        job.want(Control::Stop(StopCause::Cancel));
        assert_eq!(running.await.unwrap(), STOPPED);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_first_await_is_a_failure_too() {
    let job = held();
    let finish = attend(
        Arc::new(Never),
        attempt(&job, 0),
        &job,
        Limits::new(None, None),
        None,
    )
    .await;
    assert_eq!(
        finish,
        Finish::Failed {
            error: "the executor panicked: it was started".into(),
            retry: true
        }
    );
}
