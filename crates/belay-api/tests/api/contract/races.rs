//! Cancels that meet each other, a claim, or a completion.
//!
//! Where the order counts, another connection holds what the second one needs until both are under way.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use belay_core::JobState;
use belay_core::ops::{self, LineFloor, Report, Verdict};
use belay_testkit::eventually;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::faces::{FACES, Face};
use super::states::cancels;
use super::table::{Case, Says};
use crate::support::{Made, Reply, World, at_once};

/// Waits until so many statements wait for a lock in the database of the test.
pub(super) fn until_waiting(world: &World, count: i64) {
    let mut conn = world.test_db.conn();
    eventually(Duration::from_secs(30), || {
        let waiting: i64 = diesel::select(diesel::dsl::sql::<BigInt>(
            "(select count(distinct pid) from pg_locks l join pg_stat_activity a using (pid)
              where not l.granted and a.datname = current_database())",
        ))
        .get_result(&mut conn)
        .unwrap();
        (waiting >= count).then_some(())
    });
}

/// Sends a cancel while `holder` holds something that it needs, lets it wait, does `meanwhile`, lets go, and answers both.
fn cancel_against<T>(
    world: &World,
    face: &Face,
    id: i64,
    holder: &mut PgConnection,
    meanwhile: impl FnOnce() -> T,
) -> (Reply, T) {
    let ask = face.cancel_of(world, id);
    std::thread::scope(|scope| {
        let reply = scope.spawn(|| ask.send(world.address()));
        until_waiting(world, 1);
        let done = meanwhile();
        holder.batch_execute("commit").unwrap();
        (reply.join().unwrap(), done)
    })
}

/// Claims what waits in the line of a job.
fn claim(conn: &mut PgConnection, world: &World, id: i64, worker: i64) -> Vec<ops::Claimed> {
    let job = world.seen(id);
    let line = LineFloor {
        line: ops::Line {
            priority: job.priority,
            queue: job.queue,
            kind: job.kind,
        },
        floor: 0,
    };
    ops::claim(conn, worker, &[line], 1).unwrap()
}

/// The number of a worker that holds nothing else of interest.
fn worker(world: &World) -> i64 {
    world.make(JobState::Running).worker
}

/// The worker of a job says that it is done. Belongs into a transaction.
fn complete(conn: &mut PgConnection, made: Made) -> Vec<ops::Settled> {
    let report = Report {
        id: made.id,
        fence: made.fence,
        verdict: Verdict::Completed,
    };
    ops::settle(conn, made.worker, &[report]).unwrap()
}

/// Whether a running job can be cancelled through it, with the setting of `vault` for that.
fn stops_running(face: &Face) -> bool {
    face.name == "vault" || face.says(Case::In(JobState::Running)) == Says::Yes
}

#[test]
fn twenty_cancels_of_one_job_have_one_effect() {
    let world = World::new();
    for state in [JobState::Queued, JobState::Running] {
        for face in &FACES {
            let id = world.make(state).id;
            let was = world.seen(id);
            let ask = face.cancel_of(&world, id);
            let replies = at_once(20, || ask.send(world.address()));
            let now = world.seen(id);
            let first = face.says(Case::In(state));
            let later = face.says(Case::In(now.state));
            let yes = replies
                .iter()
                .filter(|reply| face.said(reply) == Says::Yes)
                .count();
            let expected = match (first, later) {
                (Says::Yes, Says::Yes) => 20,
                (Says::Yes, Says::No) => 1,
                (Says::No, _) => 0,
            };
            assert_eq!(yes, expected, "{state} through {}", face.name);
            for reply in &replies {
                face.answered(reply, face.said(reply), &now);
            }
            let effects = usize::from(first == Says::Yes);
            assert_eq!(cancels(&world, id).len(), effects, "{}", face.name);
            assert_eq!(now.state == was.state, effects == 0, "{}", face.name);
        }
    }
}

#[test]
fn cancels_through_all_interfaces_at_once_have_one_effect() {
    let world = World::new();
    for state in [JobState::Queued, JobState::Running, JobState::Open] {
        for _ in 0..3 {
            let id = world.make(state).id;
            let next = AtomicUsize::new(0);
            let replies = at_once(20, || {
                let face = &FACES[next.fetch_add(1, Ordering::Relaxed) % FACES.len()];
                let ask = face.cancel_of(&world, id);
                (face, ask.send(world.address()))
            });
            let now = world.seen(id);
            for (face, reply) in &replies {
                let said = face.said(reply);
                let (first, later) = (face.says(Case::In(state)), face.says(Case::In(now.state)));
                assert!(
                    said == first || said == later,
                    "{state} through {}",
                    face.name
                );
                face.answered(reply, said, &now);
            }
            assert_eq!(cancels(&world, id).len(), 1, "{state}");
            assert_eq!(
                now.cancel().unwrap().interface,
                cancels(&world, id)[0].split(' ').nth(2).unwrap()
            );
        }
    }
}

#[test]
fn a_cancel_that_meets_a_claim_finds_the_job_running() {
    let world = World::new();
    let worker = worker(&world);
    for face in &FACES {
        let id = world.make(JobState::Queued).id;
        let mut holder = world.test_db.conn();
        holder.batch_execute("begin").unwrap();
        assert_eq!(claim(&mut holder, &world, id, worker).len(), 1);
        let (reply, ()) = cancel_against(&world, face, id, &mut holder, || ());
        let now = world.seen(id);
        let says = face.says(Case::In(JobState::Running));
        face.answered(&reply, says, &now);
        let expected = match says {
            Says::Yes => JobState::Cancelling,
            Says::No => JobState::Running,
        };
        assert_eq!(now.state, expected, "{}", face.name);
    }
}

#[test]
fn a_claim_that_meets_a_cancel_takes_nothing() {
    let world = World::new();
    let worker = worker(&world);
    for face in &FACES {
        let id = world.make(JobState::Queued).id;
        let was = world.seen(id);
        // The cancel holds the job and waits for a place to write down what it did.
        let mut holder = world.test_db.conn();
        holder
            .batch_execute("begin; lock table belay.job_event in exclusive mode")
            .unwrap();
        let (reply, claimed) = cancel_against(&world, face, id, &mut holder, || {
            claim(&mut world.test_db.conn(), &world, id, worker)
        });
        assert_eq!(claimed, [], "{}", face.name);
        face.accepted(&reply, &was);
        let later = claim(&mut world.test_db.conn(), &world, id, worker);
        assert_eq!(later, [], "{}", face.name);
        assert_eq!(world.seen(id).state, JobState::Cancelled);
    }
}

#[test]
fn a_cancel_that_meets_a_completion_finds_the_job_completed() {
    let world = World::with(|builder| builder.vault_cancel_running(true));
    for face in &FACES {
        let made = world.make(JobState::Running);
        let mut holder = world.test_db.conn();
        holder.batch_execute("begin").unwrap();
        let settled = complete(&mut holder, made);
        assert_eq!(settled, [ops::Settled::Now(JobState::Completed)]);
        let (reply, ()) = cancel_against(&world, face, made.id, &mut holder, || ());
        let now = world.seen(made.id);
        assert_eq!(now.state, JobState::Completed, "{}", face.name);
        face.refused(&reply, &now);
        assert_eq!(cancels(&world, made.id).len(), 0);
    }
}

#[test]
fn a_completion_that_meets_a_cancel_ends_cancelled() {
    let world = World::with(|builder| builder.vault_cancel_running(true));
    for face in FACES.iter().filter(|face| stops_running(face)) {
        let made = world.make(JobState::Running);
        let was = world.seen(made.id);
        let mut holder = world.test_db.conn();
        holder
            .batch_execute("begin; lock table belay.job_event in exclusive mode")
            .unwrap();
        let (reply, settled) = std::thread::scope(|scope| {
            let (reply, worker) = cancel_against(&world, face, made.id, &mut holder, || {
                let worker = scope.spawn(|| {
                    let mut conn = world.test_db.conn();
                    conn.transaction(|conn| diesel::QueryResult::Ok(complete(conn, made)))
                        .unwrap()
                });
                // The cancel, and the worker behind it.
                until_waiting(&world, 2);
                worker
            });
            (reply, worker.join().unwrap())
        });
        face.accepted(&reply, &was);
        assert_eq!(settled, [ops::Settled::Now(JobState::Cancelled)]);
        assert_eq!(world.seen(made.id).state, JobState::Cancelled);
        assert_eq!(cancels(&world, made.id).len(), 1, "{}", face.name);
    }
}

#[test]
fn whoever_comes_first_a_cancel_and_a_claim_never_both_win() {
    let world = World::new();
    let worker = worker(&world);
    for face in &FACES {
        for _ in 0..5 {
            let id = world.make(JobState::Queued).id;
            let ask = face.cancel_of(&world, id);
            let barrier = Barrier::new(2);
            let (reply, claimed) = std::thread::scope(|scope| {
                let reply = scope.spawn(|| {
                    barrier.wait();
                    ask.send(world.address())
                });
                let mut conn = world.test_db.conn();
                barrier.wait();
                let claimed = claim(&mut conn, &world, id, worker);
                (reply.join().unwrap(), claimed)
            });
            let now = world.seen(id);
            face.answered(&reply, face.said(&reply), &now);
            let expected = match (claimed.len(), face.said(&reply)) {
                (0, Says::Yes) => JobState::Cancelled,
                (1, Says::Yes) => JobState::Cancelling,
                (1, Says::No) => JobState::Running,
                other => panic!("{}: {other:?}", face.name),
            };
            assert_eq!(now.state, expected, "{}", face.name);
        }
    }
}

#[test]
fn whoever_comes_first_a_cancel_and_a_completion_never_both_win() {
    let world = World::with(|builder| builder.vault_cancel_running(true));
    for face in &FACES {
        for _ in 0..5 {
            let made = world.make(JobState::Running);
            let ask = face.cancel_of(&world, made.id);
            let barrier = Barrier::new(2);
            let reply = std::thread::scope(|scope| {
                let reply = scope.spawn(|| {
                    barrier.wait();
                    ask.send(world.address())
                });
                let mut conn = world.test_db.conn();
                barrier.wait();
                conn.transaction(|conn| diesel::QueryResult::Ok(complete(conn, made)))
                    .unwrap();
                reply.join().unwrap()
            });
            let expected = match face.said(&reply) {
                Says::Yes => JobState::Cancelled,
                Says::No => JobState::Completed,
            };
            let now = world.seen(made.id);
            assert_eq!(now.state, expected, "{}", face.name);
            let effects = usize::from(expected == JobState::Cancelled);
            assert_eq!(cancels(&world, made.id).len(), effects, "{}", face.name);
        }
    }
}
