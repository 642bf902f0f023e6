//! The threads that move jobs. Their choices come from a generator with a fixed seed each; the interleaving comes from the machine.

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use belay_core::db::{Role, Session};
use belay_core::ops::{
    self, Actor, Beat, Line, LineFloor, NewJob, NewWorker, Report, Settled, Verdict, Via,
};
use belay_core::{Error, JobState};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt};

use super::dice::Dice;
use super::verdict::Log;
use super::{Completion, Race};

/// A claimed batch on its way to a completer.
pub(crate) struct Batch {
    worker: i64,
    jobs: Vec<(i64, i32)>,
}

pub(crate) fn actor() -> Actor {
    Actor::new("race", Via::Native)
}

fn register(session: &mut Session) -> i64 {
    let worker = NewWorker {
        name: "race".into(),
        host: "here".into(),
        pid: 1,
        version: "0".into(),
        queues: None,
        kinds: vec!["race".into()],
        slots: 1,
        lease: Duration::from_secs(15),
    };
    session.run(|conn| ops::register(conn, &worker)).unwrap()
}

pub(crate) fn enqueue_all(race: &Race) {
    let mut dice = Dice::new(1);
    let mut session = race.db.session(Role::Hot).unwrap();
    let mut made = 0;
    while made < race.jobs {
        if made - race.position.load(SeqCst) > 6000 {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let size = [1, 20, 100, 300][usize::try_from(dice.below(4)).unwrap()].min(race.jobs - made);
        let jobs: Vec<NewJob> = (0..size).map(|_| NewJob::new("race")).collect();
        let ids = session
            .run(|conn| ops::enqueue_many(conn, 1, &jobs, &actor()))
            .unwrap();
        made += size;
        race.enqueued.store(ids.last().unwrap().id, SeqCst);
    }
}

/// Claims batches of many sizes from a floor that moves, and takes a new identity now and then, giving the old one up
/// while its jobs are still being worked on.
pub(crate) fn claimer(race: &Race, seed: u64, send: &SyncSender<Batch>) -> Log {
    let mut dice = Dice::new(seed);
    let mut session = race.db.session(Role::Hot).unwrap();
    let line = Line {
        priority: 5,
        queue: "race".into(),
        kind: "race".into(),
    };
    let (mut worker, mut floor, mut turn) = (register(&mut session), 0, 0_u64);
    let mut log = Log::default();
    while !race.over.load(SeqCst) {
        turn += 1;
        if turn % 60 == 0 {
            session.run(|conn| ops::stop(conn, worker)).unwrap();
            worker = register(&mut session);
        }
        if !session
            .run(|conn| {
                ops::beat(
                    conn,
                    worker,
                    Beat {
                        running: 1,
                        ticket_ceiling: floor,
                        stopping: false,
                    },
                )
            })
            .unwrap()
        {
            log.deaths += 1;
            worker = register(&mut session);
        }
        if turn % 5 == 0 {
            log.signalled += session
                .run(|conn| ops::signals(conn, worker))
                .unwrap()
                .len();
        }
        if turn % 20 == 0 {
            floor = 0;
        }
        let size = [1, 5, 20, 50, 100][usize::try_from(dice.below(5)).unwrap()];
        let claimed = session
            .run(|conn| {
                ops::claim(
                    conn,
                    worker,
                    &[LineFloor {
                        line: line.clone(),
                        floor,
                    }],
                    size,
                )
            })
            .unwrap();
        let Some(last) = claimed.iter().map(|job| job.ticket).max() else {
            floor = 0;
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        floor = last + 1;
        log.claimed += claimed.len();
        race.position
            .fetch_max(claimed.iter().map(|job| job.id).max().unwrap(), SeqCst);
        if send
            .send(Batch {
                worker,
                jobs: claimed.iter().map(|job| (job.id, job.fence)).collect(),
            })
            .is_err()
        {
            break;
        }
    }
    log
}

/// Completes most of a batch, fails and snoozes some of it, and forgets some batches whole.
pub(crate) fn completer(race: &Race, seed: u64) -> Log {
    let mut dice = Dice::new(seed);
    let mut session = race.db.session(Role::Hot).unwrap();
    let mut log = Log::default();
    loop {
        let next = race
            .batches
            .lock()
            .unwrap()
            .recv_timeout(Duration::from_millis(200));
        let Ok(Batch { worker, mut jobs }) = next else {
            if race.over.load(SeqCst) {
                return log;
            }
            continue;
        };
        let pick = usize::try_from(dice.below(u64::try_from(jobs.len()).unwrap())).unwrap();
        race.hot.store(jobs[pick].0, SeqCst);
        if dice.chance(30) {
            dice.pause(6000);
        }
        if dice.chance(2) {
            continue; // A crash: nobody will ever report these.
        }
        let odd = jobs.split_off(jobs.len() - jobs.len() * 6 / 100);
        let mixed: Vec<Report> = odd
            .iter()
            .map(|&(id, fence)| {
                let verdict = match dice.below(4) {
                    0 => Verdict::Snoozed { delay_s: 0.0 },
                    1 => Verdict::Completed,
                    2 => Verdict::Stopped {
                        rung: ops::Rung::Term,
                        cause: "race".into(),
                    },
                    _ => Verdict::Failed {
                        error: "boom".into(),
                        delay_s: 0.0,
                        retry: dice.chance(80),
                    },
                };
                Report { id, fence, verdict }
            })
            .collect();
        settle(&mut session, worker, mixed, &mut log);
        complete(race.completion, &mut session, worker, jobs, &mut log);
    }
}

fn settle(session: &mut Session, worker: i64, mut reports: Vec<Report>, log: &mut Log) {
    while !reports.is_empty() {
        let settled = match session.tx(|conn| ops::settle(conn, worker, &reports)) {
            Ok(settled) => settled,
            Err(Error::Busy(_)) => continue,
            Err(error) => panic!("{error}"),
        };
        let mut held = Vec::new();
        for (report, settled) in reports.into_iter().zip(settled) {
            match settled {
                Settled::Now(state) => log.reported(report.id, state),
                Settled::Held => held.push(report),
                Settled::Stale => log.stale += 1,
            }
        }
        reports = held;
    }
}

fn complete(
    how: Completion,
    session: &mut Session,
    worker: i64,
    mut jobs: Vec<(i64, i32)>,
    log: &mut Log,
) {
    while !jobs.is_empty() {
        let answer = match how {
            Completion::Real => session.run(|conn| ops::complete(conn, worker, &jobs)),
            Completion::BlindToCancels => session.run(|conn| blind(conn, worker, &jobs)),
        };
        let done: HashMap<i64, JobState> = match answer {
            Ok(done) => done.into_iter().collect(),
            Err(Error::Busy(_)) => continue,
            Err(error) => panic!("{error}"),
        };
        for (&id, &state) in &done {
            log.reported(id, state);
        }
        jobs.retain(|(id, _)| !done.contains_key(id));
        if jobs.is_empty() {
            return;
        }
        let held: Vec<i64> = session
            .run(|conn| ops::unresolved(conn, worker, &jobs))
            .unwrap()
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        log.stale += jobs.len() - held.len();
        jobs.retain(|(id, _)| held.contains(id));
    }
}

/// The control: completes whatever the worker holds and claims that it was running.
fn blind(
    conn: &mut PgConnection,
    worker: i64,
    jobs: &[(i64, i32)],
) -> belay_core::Result<Vec<(i64, JobState)>> {
    #[derive(QueryableByName)]
    struct Done {
        #[diesel(sql_type = BigInt)]
        id: i64,
    }
    let rows: Vec<Done> = diesel::sql_query(
        "with d as (delete from belay.job j where j.id = any ($2) and j.worker = $1 returning j.*)
         insert into belay.job_done (id, worker, run_at, created_at, started_at, claimed_at, tenant, was, state, fence, priority, attempt,
           max_attempts, queue, kind, created_by, created_via, payload)
         select id, worker, run_at, created_at, started_at, claimed_at, tenant, 'running', 'completed', fence, priority, attempt,
           max_attempts, queue, kind, created_by, created_via, payload from d returning id",
    )
    .bind::<BigInt, _>(worker)
    .bind::<Array<BigInt>, _>(jobs.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, JobState::Completed))
        .collect())
}
