//! Each state, met by a cancel; and what a repeat does.

use belay_core::JobState;
use belay_core::id::JobRef;
use belay_core::model::Job;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::faces::FACES;
use super::table::{Case, Says, TABLE};
use crate::support::World;

/// What is on record of cancels of a job: event, actor, interface and reason, one line each.
pub(super) fn cancels(world: &World, id: i64) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        text: String,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "select concat_ws(' ', event, actor, via, coalesce(reason, '-')) as text from belay.job_event
         where job = $1 and state in ('cancelling', 'cancelled') and via not in ('worker', 'daemon') order by at, text",
    )
    .bind::<BigInt, _>(id)
    .load(&mut world.test_db.conn())
    .unwrap();
    rows.into_iter().map(|row| row.text).collect()
}

/// The state that an accepted cancel leaves a job in.
fn after(state: JobState) -> JobState {
    match state {
        JobState::Running | JobState::Suspended | JobState::Cancelling => JobState::Cancelling,
        _ => JobState::Cancelled,
    }
}

fn reason(job: &Job) -> Option<String> {
    job.cancel().and_then(|cancel| cancel.reason)
}

#[test]
fn every_state_is_answered_as_the_table_says_and_read_alike_in_every_interface() {
    let world = World::new();
    for (case, _) in TABLE {
        for face in &FACES {
            let about = format!("{case:?} through {}", face.name);
            let id = case.make(&world);
            let was = world.seen(id);
            assert_eq!(was.state, case.state(), "{about}");
            for reader in &FACES {
                let word = reader.word(&world, id);
                assert_eq!(word, reader.word_for(was.state), "{about}, {}", reader.name);
            }
            let before = world.contents();
            let ask = face.because(face.cancel_of(&world, id), "told so");
            let reply = ask.send(world.address());
            let says = face.says(case);
            face.answered(&reply, says, &was);
            let now = world.seen(id);
            if says == Says::Yes && was.state != after(was.state) {
                assert_eq!(now.state, after(was.state), "{about}");
                let cancel = now.cancel().unwrap();
                assert_eq!(
                    (cancel.actor.as_str(), cancel.interface.as_str()),
                    ("root", face.name),
                    "{about}"
                );
                let told = face.keeps_reasons.then(|| "told so".to_owned());
                assert_eq!(reason(&now), told, "{about}");
                assert_eq!(cancels(&world, id).len(), 1, "{about}");
            } else {
                assert_eq!(world.contents(), before, "{about}");
            }
            for reader in &FACES {
                let word = reader.word(&world, id);
                assert_eq!(word, reader.word_for(now.state), "{about}, {}", reader.name);
            }
        }
    }
}

#[test]
fn a_second_cancel_is_answered_as_fixed_and_has_no_second_effect() {
    let world = World::new();
    for state in [
        JobState::Open,
        JobState::Scheduled,
        JobState::Queued,
        JobState::Running,
        JobState::Suspended,
    ] {
        for first in &FACES {
            if first.says(Case::In(state)) == Says::No {
                continue;
            }
            let id = world.make(state).id;
            let told = first.because(first.cancel_of(&world, id), "first");
            first.accepted(&told.send(world.address()), &world.seen(id));
            let seen = world.seen(id);
            let before = world.contents();
            // Through the same interface and through each of the others.
            for second in &FACES {
                let case = Case::In(seen.state);
                for reason in ["first", "second"] {
                    let told = second.because(second.cancel_of(&world, id), reason);
                    let reply = told.send(world.address());
                    second.answered(&reply, second.says(case), &seen);
                }
            }
            assert_eq!(
                world.contents(),
                before,
                "{state} first through {}",
                first.name
            );
            let why = if first.keeps_reasons { "first" } else { "-" };
            let event = format!("{} root {} {why}", cancel_event(&world, id), first.name);
            assert_eq!(cancels(&world, id), [event]);
        }
    }
}

/// How the event of a cancel is called.
fn cancel_event(world: &World, id: i64) -> String {
    let lines = cancels(world, id);
    lines[0].split(' ').next().unwrap().to_owned()
}

#[test]
fn what_finishes_after_the_stop_was_accepted_is_cancelled_in_every_interface() {
    let world = World::new();
    for face in &FACES {
        if face.says(Case::In(JobState::Running)) == Says::No {
            continue;
        }
        let made = world.make(JobState::Running);
        let reply = face.cancel_of(&world, made.id).send(world.address());
        face.accepted(&reply, &world.seen(made.id));
        world.settle(made, belay_core::ops::Verdict::Completed);
        assert_eq!(world.seen(made.id).state, JobState::Cancelled);
        for reader in &FACES {
            let word = reader.word(&world, made.id);
            assert_eq!(word, reader.word_for(JobState::Cancelled));
        }
    }
}

#[test]
fn a_job_that_never_started_loses_its_files_with_its_cancel_in_every_interface() {
    let world = World::new();
    for face in &FACES {
        for state in [JobState::Open, JobState::Scheduled, JobState::Queued] {
            let (uid, _) = world.ingest_in(state);
            let job: JobRef = uid.parse().unwrap();
            let was = world.seen(job.id);
            assert_eq!(was.state, state);
            assert_ne!(world.stored(), (0, 0, 0));
            let reply = face.cancel_of(&world, job.id).send(world.address());
            match face.name {
                // Its answer tells more of these jobs than of others.
                "ingest" => assert_eq!(reply.json()["state"], "Aborted"),
                _ => face.accepted(&reply, &was),
            }
            assert_eq!(world.seen(job.id).state, JobState::Cancelled);
            assert_eq!(world.stored(), (0, 0, 0), "{state} through {}", face.name);
        }
    }
}
