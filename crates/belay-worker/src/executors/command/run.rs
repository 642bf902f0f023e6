//! One attempt from start to end: feeds the program, shows its output, passes on what the worker wants.

use std::future::pending;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::{Attempt, Control, Finish, Output, Rung};
use super::account::Account;
use super::launch::{self, Launched};
use super::order::Order;
use super::settings::CommandSettings;
use super::streams::Streams;
use super::wire::{CannotStart, Ended, Report};
use super::{environment, lost, outcome};

/// How long a guard may keep silent after it was told to kill. It reports every few seconds then.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a guard may take to exit after its last report.
const LAST_BREATH: Duration = Duration::from_secs(5);
/// Longest line accepted from a guard, in bytes.
const MAX_REPORT: usize = 1024 * 1024;

/// Runs one attempt.
pub(super) async fn run(
    settings: Arc<CommandSettings>,
    account: Option<Account>,
    mut attempt: Attempt,
) -> Finish {
    if !may_start(&mut attempt.control).await {
        return Finish::Stopped {
            rung: Rung::Cooperative,
        };
    }
    let name = environment::run_name();
    match launch::launch(&settings, account.as_ref(), &attempt, &name) {
        Ok(launched) => Session::new(settings, attempt, name, launched).run().await,
        Err(error) => Finish::Failed { error, retry: true },
    }
}

/// Waits until the attempt may start; `false` when it must not start at all.
async fn may_start(control: &mut watch::Receiver<Control>) -> bool {
    loop {
        match *control.borrow_and_update() {
            Control::Run => return true,
            Control::Suspend => {}
            Control::Stop(_) | Control::Kill(_) => return false,
        }
        if control.changed().await.is_err() {
            return false;
        }
    }
}

/// What the guard was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Run,
    Suspend,
    Stop,
    Kill,
}

/// How the guard's reports ended.
#[derive(Debug)]
enum Last {
    CannotStart(CannotStart),
    Ended(Ended),
    /// There was no last report.
    Lost,
}

/// Something to react to.
enum Event {
    Control(Result<(), watch::error::RecvError>),
    Lease(Result<(), watch::error::RecvError>),
    Readable,
    Writable,
    Streams,
    Deadline,
    Show,
}

struct Session {
    settings: Arc<CommandSettings>,
    attempt: Attempt,
    run: String,
    guard: Child,
    socket: UnixStream,
    /// Bytes that the socket has still to take.
    unsent: Vec<u8>,
    /// The beginning of a report.
    line: Vec<u8>,
    program: Option<Pid>,
    streams: Streams,
    told: Told,
    /// When the program was handed to its guard.
    began: Instant,
    /// The worker's side of the control is there.
    watching: bool,
    /// There will be further leases.
    leased: bool,
    /// End of the grace period, or of the patience with a silent guard.
    deadline: Option<Instant>,
}

impl Session {
    fn new(
        settings: Arc<CommandSettings>,
        mut attempt: Attempt,
        run: String,
        launched: Launched,
    ) -> Self {
        let Launched {
            guard,
            socket,
            unsent,
            stdin,
            stdout,
            stderr,
            progress,
        } = launched;
        let payload = std::mem::take(&mut attempt.payload).into_bytes();
        let limit = settings.output_limit;
        let mut session = Self {
            streams: Streams::new(stdin, payload, stdout, stderr, progress, limit),
            settings,
            attempt,
            run,
            guard,
            socket,
            unsent,
            line: Vec::new(),
            program: None,
            told: Told::Run,
            began: Instant::now(),
            watching: true,
            leased: true,
            deadline: None,
        };
        session.pass_lease_on();
        session
    }

    async fn run(mut self) -> Finish {
        let last = loop {
            // A program that floods its output must not keep other attempts from this thread.
            tokio::task::consume_budget().await;
            match self.next().await {
                Event::Control(Ok(())) => {
                    let wanted = *self.attempt.control.borrow_and_update();
                    self.want(wanted);
                }
                Event::Control(Err(_)) => {
                    // A worker that forgot this attempt cannot stop it any more.
                    self.watching = false;
                    self.kill();
                }
                Event::Lease(Ok(())) => self.pass_lease_on(),
                Event::Lease(Err(_)) => self.leased = false,
                Event::Readable => {
                    if let Some(last) = self.read_reports() {
                        break last;
                    }
                }
                Event::Writable => self.send(),
                Event::Streams => {
                    if let Some(progress) = self.streams.take_progress() {
                        self.attempt.sink.progress(progress);
                    }
                }
                Event::Deadline if self.told == Told::Kill => {
                    // It is alive and does nothing: then without it.
                    tracing::error!(
                        job = self.attempt.job,
                        "the guard process does not answer and is killed"
                    );
                    self.deadline = None;
                    let _ = self.guard.start_kill();
                }
                Event::Deadline => self.kill(),
                Event::Show => {
                    let output = self.streams.output();
                    self.attempt.sink.output(output);
                }
            }
        };
        self.finish(last).await
    }

    async fn next(&mut self) -> Event {
        let deadline = self.deadline;
        let show_at = self.streams.show_at();
        tokio::select! {
            changed = self.attempt.control.changed(), if self.watching => Event::Control(changed),
            changed = self.attempt.lease.changed(), if self.leased => Event::Lease(changed),
            _ = self.socket.readable() => Event::Readable,
            _ = self.socket.writable(), if !self.unsent.is_empty() => Event::Writable,
            () = self.streams.step() => Event::Streams,
            () = at(deadline) => Event::Deadline,
            () = at(show_at) => Event::Show,
        }
    }

    /// Tells the guard how long the program may go on if this process says nothing more.
    fn pass_lease_on(&mut self) {
        let until = *self.attempt.lease.borrow_and_update();
        let nanos = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
        // A guard that is behind gets the next one.
        if self.unsent.is_empty() || self.program.is_none() {
            self.unsent.extend(Order::Lease(nanos).encode());
            self.send();
        }
    }

    /// Follows the worker's wish. A stop is never taken back.
    fn want(&mut self, wanted: Control) {
        match (wanted, self.told) {
            (Control::Suspend, Told::Run) => self.tell(Told::Suspend, Order::Stop),
            (Control::Run, Told::Suspend) => self.tell(Told::Run, Order::Cont),
            (Control::Stop(_), Told::Run | Told::Suspend) if self.settings.grace.is_zero() => {
                self.kill();
            }
            (Control::Stop(_), Told::Run | Told::Suspend) => {
                self.deadline = Some(Instant::now() + self.settings.grace);
                self.tell(Told::Stop, Order::Term);
            }
            (Control::Kill(_), _) => self.kill(),
            (Control::Run | Control::Suspend | Control::Stop(_), _) => {}
        }
    }

    fn kill(&mut self) {
        if self.told == Told::Kill {
            return;
        }
        self.deadline = Some(Instant::now() + SILENCE);
        self.tell(Told::Kill, Order::Kill);
        // In case somebody stopped the guard together with the program.
        if let Some(guard) = self.guard.id().and_then(|id| i32::try_from(id).ok())
            && let Some(guard) = Pid::from_raw(guard)
        {
            let _ = rustix::process::kill_process(guard, Signal::CONT);
        }
    }

    fn tell(&mut self, told: Told, order: Order) {
        self.told = told;
        self.unsent.extend(order.encode());
        self.send();
    }

    /// Sends what the socket takes. That the guard is gone shows when its reports end.
    fn send(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.try_write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// Takes in what the guard has said; its last word, if that was among it.
    fn read_reports(&mut self) -> Option<Last> {
        let mut buffer = [0; 4096];
        match self.socket.try_read(&mut buffer) {
            Ok(0) => return Some(Last::Lost),
            Ok(read) => self.line.extend(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(_) => return Some(Last::Lost),
        }
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            match Report::from_line(&line) {
                Ok(Report::Started(pid)) => self.program = Pid::from_raw(pid),
                Ok(Report::CannotStart(refused)) => return Some(Last::CannotStart(refused)),
                Ok(Report::Stuck(pids)) => self.note_stuck(&pids),
                Ok(Report::Ended(ended)) => return Some(Last::Ended(ended)),
                Err(_) => return Some(Last::Lost),
            }
        }
        (self.line.len() > MAX_REPORT).then_some(Last::Lost)
    }

    fn note_stuck(&mut self, pids: &[i32]) {
        tracing::warn!(
            job = self.attempt.job,
            ?pids,
            "processes of this job were killed and do not end; the job stays until they do"
        );
        if self.told == Told::Kill {
            self.deadline = Some(Instant::now() + SILENCE);
        }
    }

    async fn finish(mut self, last: Last) -> Finish {
        match last {
            Last::Ended(ended) => {
                let _ = timeout(LAST_BREATH, self.guard.wait()).await;
                self.streams.drain().await;
                self.streams
                    .set_end(ended.code, ended.signal, self.began.elapsed());
                let output = self.show_last();
                outcome::of_end(&ended, &output.stderr)
            }
            Last::CannotStart(refused) => {
                let _ = timeout(LAST_BREATH, self.guard.wait()).await;
                let program = self.settings.argv.first().map_or("", String::as_str);
                let cwd = launch::working_directory(&self.settings).to_string_lossy();
                outcome::of_refusal(&refused, program, &cwd)
            }
            Last::Lost => {
                let status = self.bury_guard().await;
                self.streams.drain().await;
                let output = self.show_last();
                self.of_lost(status, &output)
            }
        }
    }

    /// Makes sure that a guard that broke off is dead, and that nothing of its tree lives on.
    async fn bury_guard(&mut self) -> Option<ExitStatus> {
        let status = match timeout(LAST_BREATH, self.guard.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                let _ = self.guard.start_kill();
                self.guard.wait().await.ok()
            }
        };
        let run = self.run.clone();
        let program = self.program;
        let _ = tokio::task::spawn_blocking(move || lost::kill_all(&run, program)).await;
        status
    }

    fn of_lost(&self, status: Option<ExitStatus>, output: &Output) -> Finish {
        if matches!(self.told, Told::Stop | Told::Kill) {
            return Finish::Stopped { rung: Rung::Kill };
        }
        let how = status.map_or_else(|| "it is gone".to_owned(), |status| status.to_string());
        let error = if self.program.is_some() {
            format!("the guard process of the program was lost ({how}), and the program with it")
        } else {
            let head = format!("the guard process ended before it could start the program ({how})");
            outcome::with_quote(&head, &output.stderr)
        };
        Finish::Failed { error, retry: true }
    }

    fn show_last(&mut self) -> Output {
        if let Some(progress) = self.streams.take_progress() {
            self.attempt.sink.progress(progress);
        }
        let output = self.streams.output();
        self.attempt.sink.output(output.clone());
        output
    }
}

/// Waits until `instant`, or forever.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
