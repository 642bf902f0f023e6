//! `GET /belay/v1/worker/{worker}/events`: what heartbeats say, sooner.
//!
//! A task per stream reads what is wanted of the worker whenever the database has news for it, tells what has changed since it
//! last did, and ends when the client leaves, the server stops, the key ends or the lease is over. Between it and the client stand
//! a few messages: a client that does not read is cut off, and its heartbeats say the same.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::web::Bytes;
use belay_core::query::remote::{Signal, lost, signals, standing};
use belay_core::{Error, Result};
use serde::Serialize;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::{Instant, sleep_until};

use super::hub::{Key, Remote, Shared};
use super::{hub, wire, worker};
use crate::auth::{Scope, bearer};
use crate::http::{Allowed, Answer, Call, Face, Fault, Verb, preferred};
use crate::native::{self, Problem};

/// Streams of one instance.
const MOST: usize = 1000;
/// Messages on their way to a client.
const QUEUE: usize = 64;
/// How often something is sent, if only a comment, and everything is read anew.
const TICK: Duration = Duration::from_secs(10);
/// How often everything is read anew while notifications do not come.
const POLL: Duration = Duration::from_secs(1);
/// The least time between two events that say that there may be work.
const WORK: Duration = Duration::from_millis(50);

/// As the rest of the native API, but what goes well is a stream.
pub(super) static FACE: Face = Face {
    via: native::FACE.via,
    render: native::render,
    accept: accepts,
    credential: bearer,
    strict: true,
};

fn accepts(headers: &HeaderMap) -> std::result::Result<(), Fault> {
    if preferred(headers, &["text/event-stream", "application/json"]).is_some() {
        return Ok(());
    }
    Err(Fault::not_acceptable(
        "the answer would be text/event-stream, which the header Accept rules out",
    ))
}

pub(crate) fn verb() -> Verb {
    Verb::keyed(Method::GET, Scope::Worker, |call| Box::pin(events(call)))
}

/// Hear what is wanted of a worker
///
/// Server-sent events: `cancel` with id, fence, reason and grace_s; `suspend`, `resume` and `lost` with id and fence; `drain`; `work` (there may
/// be work); `worker_lost`, which is the last. On connecting all that is wanted now. Only makes things come sooner: every heartbeat says the same.
#[utoipa::path(
    get, path = "/belay/v1/worker/{worker}/events", tag = "worker",
    params(("worker" = i64, Path, description = "Number of the worker", example = 7)),
    responses(
        (status = 200, description = "A comment every 10 seconds, and events", body = String, content_type = "text/event-stream"),
        (status = 409, description = "The lease is over (`outcome` is `worker_lost`)", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn events(call: Call) -> Answer {
    call.query(&[])?;
    let worker = worker(&call).await?;
    let hub = Arc::clone(hub(&call));
    let slot = Slot::take(&hub.streams)?;
    let id = worker.id;
    let now = hub
        .sessions
        .run(move |session| session.run(|conn| standing(conn, id)))
        .await?;
    if !now.alive {
        return Err(super::worker_lost(&call, &worker));
    }
    let (send, mut receive) = mpsc::channel::<Bytes>(QUEUE);
    let stream = Stream {
        allowed: call.allowed()?,
        hub,
        worker,
        send,
        told: Told::default(),
        _slot: slot,
    };
    actix_web::rt::spawn(stream.run());
    let body = futures_util::stream::poll_fn(move |context| {
        receive
            .poll_recv(context)
            .map(|message| message.map(Ok::<_, Infallible>))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // Proxies shall not gather what is meant to come at once.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body))
}

/// One of the streams there may be.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(open: &Arc<AtomicUsize>) -> std::result::Result<Self, Fault> {
        let slot = Self(Arc::clone(open));
        if open.fetch_add(1, Ordering::AcqRel) >= MOST {
            return Err(Error::Busy(format!("{MOST} event streams are open")).into());
        }
        Ok(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Stream {
    allowed: Allowed,
    hub: Arc<Shared>,
    worker: Arc<Remote>,
    send: Sender<Bytes>,
    told: Told,
    _slot: Slot,
}

/// The client is not there any more, or does not read.
struct Gone;

impl Stream {
    async fn run(mut self) {
        let mut news = self.worker.news.subscribe();
        let mut wakes = self.hub.wakes.subscribe();
        let mut stopping = self.allowed.stopping();
        let mut next_comment = Instant::now();
        let mut next_work = Instant::now();
        let send = self.send.clone();
        loop {
            news.borrow_and_update();
            if self
                .allowed
                .check()
                .await
                .is_err_and(|fault| fault.kind.status().is_client_error())
            {
                return;
            }
            let told = match self.read().await {
                // It is asked again in a moment; the heartbeats of a client whose database is away say what there is to say.
                Err(_) => Ok(true),
                Ok(now) => self.tell(now),
            };
            if !told.unwrap_or(false) {
                return;
            }
            let pause = if self.hub.listening.load(Ordering::Acquire) {
                TICK
            } else {
                POLL
            };
            let look = Instant::now() + pause;
            loop {
                tokio::select! {
                    _ = stopping.wait_for(|stop| *stop) => return,
                    () = send.closed() => return,
                    changed = news.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        break;
                    }
                    changed = async {
                        sleep_until(next_work).await;
                        wakes.changed().await
                    } => {
                        next_work = Instant::now() + WORK;
                        if changed.is_err() || self.event("work", &Nothing {}).is_err() {
                            return;
                        }
                    }
                    () = sleep_until(next_comment) => {
                        next_comment = Instant::now() + TICK;
                        if self.message(":\n\n".into()).is_err() {
                            return;
                        }
                    }
                    () = sleep_until(look) => break,
                }
            }
        }
    }

    /// What is wanted now.
    async fn read(&self) -> std::result::Result<Now, Fault> {
        let (hub, worker) = (Arc::clone(&self.hub), Arc::clone(&self.worker));
        self.hub
            .sessions
            .run(move |session| {
                let keys = worker.keys();
                let slept = keys.is_empty() && hub.put_to_sleep(session, &worker)?;
                session.run(|conn| -> Result<Now> {
                    let standing = standing(conn, worker.id)?;
                    Ok(Now {
                        alive: standing.alive,
                        drain: standing.drain,
                        signals: signals(conn, worker.id)?,
                        lost: lost(conn, worker.id, &keys)?,
                        slept,
                    })
                })
            })
            .await
    }

    /// Tells what has changed. `false`: that was the last.
    fn tell(&mut self, now: Now) -> std::result::Result<bool, Gone> {
        if !now.alive {
            self.event("worker_lost", &Nothing {})?;
            return Ok(false);
        }
        let mut lost = now.lost;
        if !lost.is_empty() {
            // What was reported on meanwhile is not lost.
            let held: HashSet<Key> = self.worker.keys().into_iter().collect();
            lost.retain(|key| held.contains(key));
            for key in &lost {
                self.worker.done(*key);
            }
        }
        for order in self.told.changes(&now.signals, &lost) {
            match order {
                Order::Cancel(cancel) => self.event("cancel", &cancel)?,
                Order::Suspend(key) => self.event("suspend", &wire::Held::from(key))?,
                Order::Resume(key) => self.event("resume", &wire::Held::from(key))?,
                Order::Lost(key) => self.event("lost", &wire::Held::from(key))?,
            }
        }
        if now.drain && !self.told.drain {
            self.told.drain = true;
            self.event("drain", &Nothing {})?;
        }
        if now.slept {
            // What was committed before it slept sent no notification.
            self.event("work", &Nothing {})?;
        }
        Ok(true)
    }

    fn event(&self, name: &str, data: &impl Serialize) -> std::result::Result<(), Gone> {
        let data = serde_json::to_string(data).map_err(|_| Gone)?;
        self.message(format!("event: {name}\ndata: {data}\n\n"))
    }

    fn message(&self, text: String) -> std::result::Result<(), Gone> {
        self.send.try_send(Bytes::from(text)).map_err(|_| Gone)
    }
}

/// An event without members.
#[derive(Serialize)]
struct Nothing {}

struct Now {
    alive: bool,
    drain: bool,
    signals: Vec<Signal>,
    lost: Vec<Key>,
    slept: bool,
}

/// What a client was told.
#[derive(Debug, Default)]
struct Told {
    /// Whether it shall be held still; otherwise stopped.
    signals: BTreeMap<Key, bool>,
    drain: bool,
}

#[derive(Debug)]
enum Order {
    Cancel(wire::Cancel),
    Suspend(Key),
    Resume(Key),
    Lost(Key),
}

impl Told {
    /// What has changed since the last time.
    fn changes(&mut self, signals: &[Signal], lost: &[Key]) -> Vec<Order> {
        let mut orders = Vec::new();
        let mut now = BTreeMap::new();
        for signal in signals {
            let key = (signal.id, signal.fence);
            now.insert(key, signal.suspend);
            if self.signals.get(&key) == Some(&signal.suspend) {
                continue;
            }
            orders.push(if signal.suspend {
                Order::Suspend(key)
            } else {
                Order::Cancel(signal.into())
            });
        }
        for (key, suspend) in &self.signals {
            // A job that was cancelled never goes on; one that was reported on and is gone needs no word either.
            if *suspend && !now.contains_key(key) && !lost.contains(key) {
                orders.push(Order::Resume(*key));
            }
        }
        orders.extend(lost.iter().map(|key| Order::Lost(*key)));
        self.signals = now;
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(id: i64, suspend: bool) -> Signal {
        Signal {
            id,
            fence: 1,
            suspend,
            reason: None,
            grace_ms: Some(1500),
        }
    }

    fn words(told: &mut Told, signals: &[Signal], lost: &[Key]) -> Vec<String> {
        told.changes(signals, lost)
            .into_iter()
            .map(|order| match order {
                Order::Cancel(cancel) => serde_json::to_string(&cancel).unwrap(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let mut told = Told::default();
        assert_eq!(
            words(&mut told, &[signal(1, false), signal(2, true)], &[]),
            [
                r#"{"id":1,"fence":1,"reason":null,"grace_s":1.5}"#,
                "Suspend((2, 1))"
            ]
        );
        assert!(words(&mut told, &[signal(1, false), signal(2, true)], &[]).is_empty());
        assert_eq!(
            words(&mut told, &[signal(1, false)], &[]),
            ["Resume((2, 1))"]
        );
        assert_eq!(
            words(&mut told, &[signal(2, true)], &[]),
            ["Suspend((2, 1))"]
        );
        assert_eq!(words(&mut told, &[], &[(2, 1)]), ["Lost((2, 1))"]);
        assert!(words(&mut told, &[], &[]).is_empty());
    }

    #[test]
    fn a_suspended_job_that_is_cancelled_is_told_so() {
        let mut told = Told::default();
        words(&mut told, &[signal(2, true)], &[]);
        assert_eq!(
            words(&mut told, &[signal(2, false)], &[]),
            [r#"{"id":2,"fence":1,"reason":null,"grace_s":1.5}"#]
        );
    }
}
