//! The guard's loop: collect what has ended, obey orders, kill what has to go.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::super::order::Order;
use super::super::procfs::Process;
use super::super::wire::{Ended, Force, Report};
use super::{report, signals, tree};

/// How long the process group is given to vanish by KILL before the rest of the tree is searched.
const GROUP_FIRST: Duration = Duration::from_millis(10);
/// Pause between two rounds of killing: from, doubling, up to.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));
/// How long killed processes may take to go before they are reported, and between reports.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// Rounds of stopping a tree that keeps growing, before the rest is left to a later round.
const MAX_ROUNDS: u32 = 100;

/// Watches over one program until nothing of it is left.
pub(super) struct Watch<'a> {
    socket: BorrowedFd<'a>,
    /// The daemon is there (the socket has not ended).
    connected: bool,
    /// The beginning of an order.
    received: Vec<u8>,
    /// Becomes readable when the daemon's lease is over.
    lease: OwnedFd,
    children: OwnedFd,
    guard: i32,
    program: Pid,
    /// How the program ended. Until it is collected its number is its own, so the process group may be
    /// signalled by number; after that it may not.
    end: Option<WaitStatus>,
    /// Strongest order carried out while the program lived, or while its children had the rest of the grace.
    rung: Option<Force>,
    suspended: bool,
    killing: Option<Killing>,
    killed: u32,
}

struct Killing {
    next_round: Instant,
    pause: Duration,
    next_report: Instant,
}

#[derive(PartialEq, Eq)]
enum Left {
    Something,
    Nothing,
}

impl<'a> Watch<'a> {
    pub(super) fn new(socket: BorrowedFd<'a>, program: Pid) -> io::Result<Self> {
        Ok(Self {
            socket,
            connected: true,
            received: Vec::new(),
            // Counts while the machine sleeps, as leases do.
            lease: timerfd_create(
                TimerfdClockId::Boottime,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            children: signals::of_children()?,
            guard: rustix::process::getpid().as_raw_pid(),
            program,
            end: None,
            rung: None,
            suspended: false,
            killing: None,
            killed: 0,
        })
    }

    /// Returns when the kernel knows of no descendant any more.
    pub(super) fn until_nothing_is_left(mut self) -> io::Result<Ended> {
        loop {
            let orders = self.wait()?;
            // What has ended is collected before orders are obeyed: an order that came too late must not
            // count as the reason of the end.
            if self.collect()? == Left::Nothing {
                break;
            }
            for order in orders {
                self.obey(order);
            }
            self.kill_if_due();
        }
        Ok(Ended {
            code: self.end.and_then(WaitStatus::exit_status),
            signal: self.end.and_then(WaitStatus::terminating_signal),
            rung: self.rung,
            killed: self.killed,
        })
    }

    /// Waits for an order, the end of a child, or the next round of killing.
    fn wait(&mut self) -> io::Result<Vec<Order>> {
        let timeout = self.killing.as_ref().map(|killing| {
            let left = killing.next_round.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        let mut watched = vec![
            PollFd::new(&self.children, PollFlags::IN),
            PollFd::new(&self.lease, PollFlags::IN),
        ];
        if self.connected {
            watched.push(PollFd::new(&self.socket, PollFlags::IN));
        }
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut watched, timeout.as_ref()))?;
        let is_ready = |fd: Option<&PollFd<'_>>| fd.is_some_and(|fd| !fd.revents().is_empty());
        let child = is_ready(watched.first());
        let over = is_ready(watched.get(1));
        let order = is_ready(watched.get(2));
        if child {
            self.forget_signals();
        }
        let mut orders = if order {
            self.read_orders()?
        } else {
            Vec::new()
        };
        // Also after a freeze of this process in which a later lease has arrived: then that one counts.
        let renewed = orders.iter().any(|order| matches!(order, Order::Lease(_)));
        if over && !renewed {
            // Noted as read.
            let _ = rustix::io::read(self.lease.as_fd(), &mut [0_u8; 8]);
            orders.push(Order::Kill);
        }
        Ok(orders)
    }

    /// Sets when the daemon's lease is over.
    fn extend(&self, nanos: u64) {
        const SECOND: u64 = 1_000_000_000;
        let at = Timespec {
            tv_sec: i64::try_from(nanos / SECOND).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(nanos % SECOND).unwrap_or(0),
        };
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: at,
        };
        let _ = timerfd_settime(&self.lease, TimerfdTimerFlags::ABSTIME, &once);
    }

    /// One signal can stand for many children, so they are only noted as read.
    fn forget_signals(&self) {
        let mut buffer = [0_u8; 1024];
        while rustix::io::read(self.children.as_fd(), &mut buffer).is_ok_and(|read| read > 0) {}
    }

    fn read_orders(&mut self) -> io::Result<Vec<Order>> {
        let mut buffer = [0; 64];
        match rustix::io::read(self.socket, &mut buffer) {
            Ok(0) => {}
            Ok(read) => {
                self.received.extend(buffer.get(..read).unwrap_or_default());
                return Ok(Order::take_all(&mut self.received));
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Ok(Vec::new()),
            // A broken socket is an ended one.
            Err(_) => {}
        }
        self.connected = false;
        Ok(vec![Order::Kill])
    }

    /// Collects every child that has ended.
    fn collect(&mut self) -> io::Result<Left> {
        // Without __WALL, children made by a bare clone() are not seen, and the answer would be too early.
        let options = WaitOptions::NOHANG
            | WaitOptions::from_bits_retain(u32::from_ne_bytes(libc::__WALL.to_ne_bytes()));
        loop {
            match rustix::process::wait(options) {
                Ok(Some((pid, status))) => self.note(pid, status),
                Ok(None) => break,
                Err(rustix::io::Errno::CHILD) => return Ok(Left::Nothing),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.end.is_some() && self.rung.is_none() {
            // The result is in; what the program left behind is not part of it.
            self.start_killing();
        }
        Ok(Left::Something)
    }

    fn note(&mut self, pid: Pid, status: WaitStatus) {
        let of_kill = status.terminating_signal() == Some(Signal::KILL.as_raw());
        if self.killing.is_some() && of_kill {
            self.killed = self.killed.saturating_add(1);
        }
        if pid == self.program {
            self.end = Some(status);
            if let Some(killing) = &mut self.killing {
                killing.next_round = Instant::now();
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Kill => {
                if self.end.is_none() || self.rung.is_some() {
                    self.rung = Some(Force::Kill);
                }
                self.start_killing();
            }
            Order::Term if self.rung.is_none() && self.killing.is_none() => {
                self.rung = Some(Force::Term);
                self.signal_tree(Signal::TERM);
                // A stopped process acts on TERM only once it goes on, whoever stopped it.
                self.signal_tree(Signal::CONT);
                self.suspended = false;
            }
            Order::Stop if self.rung.is_none() && self.killing.is_none() => {
                self.suspended = true;
                self.signal_group(Signal::STOP);
                self.stop_until_still();
            }
            Order::Lease(nanos) => self.extend(nanos),
            Order::Cont if self.suspended => {
                self.suspended = false;
                self.signal_tree(Signal::CONT);
            }
            // Too late, or without effect.
            Order::Term | Order::Stop | Order::Cont => {}
        }
    }

    fn start_killing(&mut self) {
        if self.killing.is_some() {
            return;
        }
        let now = Instant::now();
        // Most programs never leave their group, and one signal reaches all of it at once.
        self.signal_group(Signal::KILL);
        let wait = if self.end.is_none() {
            GROUP_FIRST
        } else {
            Duration::ZERO
        };
        self.killing = Some(Killing {
            next_round: now + wait,
            pause: PAUSE.0,
            next_report: now + STUCK_AFTER,
        });
    }

    fn kill_if_due(&mut self) {
        let now = Instant::now();
        let Some(killing) = &mut self.killing else {
            return;
        };
        if now < killing.next_round {
            return;
        }
        killing.next_round = now + killing.pause;
        killing.pause = (killing.pause * 2).min(PAUSE.1);
        let is_report_due = now >= killing.next_report;
        if is_report_due {
            killing.next_report = now + STUCK_AFTER;
        }

        self.signal_group(Signal::KILL);
        // Stopped first, so that a tree that forks faster than it is walked cannot win.
        let found = self.stop_what_is_found(|_, _| false);
        for process in &found {
            process.signal(Signal::KILL);
        }
        if is_report_due && self.connected {
            let stuck = found.iter().map(|process| process.pid).collect();
            let _ = report(self.socket, &Report::Stuck(stuck));
        }
    }

    /// Signals the program's process group, as long as that is certain to be its own.
    fn signal_group(&self, signal: Signal) {
        if self.end.is_none() {
            let _ = rustix::process::kill_process_group(self.program, signal);
        }
    }

    /// Signals the process group, and whatever has left it.
    fn signal_tree(&self, signal: Signal) {
        self.signal_group(signal);
        let group = self.program.as_raw_pid();
        for process in tree::descendants(self.guard) {
            if self.end.is_some() || process.group != group {
                process.signal(signal);
            }
        }
    }

    /// Stops the tree and waits until it holds still.
    fn stop_until_still(&self) {
        let mut was_still = false;
        self.stop_what_is_found(|found, is_new| {
            // A process can still finish a fork after it was signalled; its child is listed before it is
            // seen standing still. So two pictures are needed, the later one without anything new.
            let is_done = was_still && !is_new;
            was_still = found
                .iter()
                .all(|process| process.is_still() || process.waits_for_still_child(found));
            if !was_still {
                std::thread::sleep(Duration::from_millis(1));
            }
            !is_done
        });
    }

    /// Sends STOP to every living descendant, and looks again as long as there is a new one or `more` asks
    /// for it. Returns the living ones of the last look.
    fn stop_what_is_found(&self, mut more: impl FnMut(&[Process], bool) -> bool) -> Vec<Process> {
        let mut stopped = BTreeSet::new();
        let mut found = Vec::new();
        for _ in 0..MAX_ROUNDS {
            found = tree::descendants(self.guard);
            found.retain(|process| !process.is_dead());
            let mut is_new = false;
            for process in &found {
                if stopped.insert((process.pid, process.started)) {
                    is_new = true;
                    process.signal(Signal::STOP);
                }
            }
            if !more(&found, is_new) && !is_new {
                break;
            }
        }
        found
    }
}
