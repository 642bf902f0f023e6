//! Runs attempts and records what they show.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use belay_worker::executors::http::{HttpExecutor, HttpSettings, Looking, Lookup};
use belay_worker::executors::{
    Attempt, Control, Executor, Finish, Output, Progress, Running, Sink, StopCause,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::receiver::Receiver;

/// Far longer than anything here takes; only reached when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const CANCEL: Control = Control::Stop(StopCause::Cancel);

#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Output>);

impl Sink for Recorder {
    fn output(&self, output: Output) {
        *self.0.lock().unwrap() = output;
    }
    fn progress(&self, _: Progress) {}
}

/// A running attempt.
pub(crate) struct Started {
    pub(crate) control: watch::Sender<Control>,
    pub(crate) sink: Arc<Recorder>,
    task: JoinHandle<Finish>,
}

/// Settings for a receiver on this machine.
pub(crate) fn settings(url: impl Into<String>) -> HttpSettings {
    let mut settings = HttpSettings::new(url);
    settings.allow = vec!["127.0.0.1/32".into()];
    settings
}

/// Settings with a cancel URL at the same receiver.
pub(crate) fn with_cancel(receiver: &Receiver) -> HttpSettings {
    let mut settings = settings(receiver.url("/work/{id}"));
    settings.cancel_url = Some(receiver.url("/cancel/{id}"));
    settings
}

pub(crate) fn start(settings: HttpSettings, payload: &str) -> Started {
    start_with(settings, payload, Control::Run)
}

pub(crate) fn start_with(settings: HttpSettings, payload: &str, first: Control) -> Started {
    let (control, sink, running) = begin(settings, payload, first);
    Started {
        control,
        sink,
        task: tokio::spawn(running),
    }
}

/// An attempt that nobody drives yet.
pub(crate) fn begin(
    settings: HttpSettings,
    payload: &str,
    first: Control,
) -> (watch::Sender<Control>, Arc<Recorder>, Running) {
    let (control, seen) = watch::channel(first);
    let sink = Arc::new(Recorder::default());
    let attempt = Attempt {
        job: 7,
        uid: "0b3a".into(),
        tenant: 3,
        queue: "hooks".into(),
        kind: "hook".into(),
        attempt: 2,
        max_attempts: 5,
        fence: 17,
        worker: 1,
        lease: watch::Sender::new(Duration::MAX).subscribe(),
        payload: payload.into(),
        control: seen,
        sink: sink.clone(),
    };
    let executor = HttpExecutor::new(settings).unwrap();
    (control, sink, executor.run(attempt))
}

/// Runs an attempt to its end.
pub(crate) async fn run(settings: HttpSettings, payload: &str) -> (Finish, Output) {
    let started = start(settings, payload);
    let (sink, control) = (started.sink.clone(), started.control.clone());
    let finish = started.end().await;
    drop(control);
    (finish, sink.last())
}

impl Recorder {
    pub(crate) fn last(&self) -> Output {
        self.0.lock().unwrap().clone()
    }
}

impl Started {
    pub(crate) async fn end(self) -> Finish {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the attempt does not end")
            .unwrap()
    }

    pub(crate) fn tell(&self, control: Control) {
        self.control.send_replace(control);
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[track_caller]
pub(crate) fn error_of(finish: &Finish) -> (&str, bool) {
    match finish {
        Finish::Failed { error, retry } => (error, *retry),
        Finish::RetryAfter { error, .. } => (error, true),
        other => panic!("not a failure: {other:?}"),
    }
}

/// Answers one list of addresses after the other; the last one stays. Notes what was asked.
#[derive(Debug)]
pub(crate) struct Answers {
    left: Mutex<Vec<Vec<IpAddr>>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Answers {
    pub(crate) fn new(lists: &[&[&str]]) -> Arc<Self> {
        let list = |list: &&[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self {
            left: Mutex::new(lists.iter().rev().map(list).collect()),
            asked: Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Lookup for Answers {
    fn lookup(&self, name: &str) -> Looking {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut left = self.left.lock().unwrap();
        let list = match left.len() {
            1 => left[0].clone(),
            _ => left.pop().unwrap(),
        };
        Box::pin(async { Ok(list) })
    }
}
