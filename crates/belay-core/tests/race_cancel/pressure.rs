//! The threads that get in the way: cancels, suspensions, deaths of workers, rescues.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use belay_core::Error;
use belay_core::db::Role;
use belay_core::ops::{self, CancelLimit};
use diesel::prelude::*;

use super::Race;
use super::actors::actor;
use super::dice::Dice;
use super::verdict::Log;

/// Cancels around what is being claimed and completed: one at a time, or many; sometimes inside a transaction that waits,
/// and sometimes takes it back.
pub(crate) fn canceller(race: &Race, seed: u64, bulk: bool) -> Log {
    let mut dice = Dice::new(seed);
    let mut session = race.db.session(Role::Duty).unwrap();
    let mut log = Log::default();
    while !race.over.load(SeqCst) {
        let near = if dice.chance(60) {
            race.hot.load(SeqCst)
        } else {
            race.position.load(SeqCst)
        };
        let known = race.enqueued.load(SeqCst);
        let size = if bulk {
            [2, 10, 60][usize::try_from(dice.below(3)).unwrap()]
        } else {
            1
        };
        let ids: Vec<i64> = (0..size)
            .map(|_| {
                if dice.chance(80) {
                    dice.around(near, 60, 60)
                } else {
                    dice.around(near, 500, 2500)
                }
            })
            .collect();
        let long = dice.chance(5);
        let take_back = long && dice.chance(50);
        let answers = session.tx(|conn| {
            let answers =
                ops::cancel_many(conn, None, &ids, &actor(), Some("race"), CancelLimit::Any)?;
            if long {
                dice.pause(4000);
            }
            if take_back {
                Err(Error::Busy("taken back".into()))
            } else {
                Ok(answers)
            }
        });
        match answers {
            Ok(answers) => log.answered(&answers, known),
            Err(Error::Busy(why)) => log.taken_back += usize::from(why == "taken back"),
            Err(error) => panic!("{error}"),
        }
        if !bulk {
            dice.pause(800);
        }
    }
    log
}

/// Holds jobs still for a moment and lets them go on.
pub(crate) fn suspender(race: &Race, seed: u64) -> Log {
    let mut dice = Dice::new(seed);
    let mut session = race.db.session(Role::Duty).unwrap();
    let mut log = Log::default();
    while !race.over.load(SeqCst) {
        let id = dice.around(race.hot.load(SeqCst), 20, 40);
        match session.tx(|conn| ops::suspend(conn, None, id, &actor(), None)) {
            Ok(_) => log.suspended += 1,
            Err(Error::Refused { .. } | Error::Missing { .. } | Error::Busy(_)) => {
                dice.pause(2000);
                continue;
            }
            Err(error) => panic!("{error}"),
        }
        dice.pause(2000);
        while let Err(Error::Busy(_)) =
            session.tx(|conn| ops::resume(conn, None, id, &actor(), None))
        {}
    }
    log
}

/// Promotes, declares living workers dead, rescues.
pub(crate) fn scheduler(race: &Race) -> Log {
    let mut dice = Dice::new(50);
    let mut session = race.db.session(Role::Duty).unwrap();
    let mut log = Log::default();
    while !race.over.load(SeqCst) {
        session.run(|conn| ops::promote(conn, 1000)).unwrap();
        if dice.chance(3) {
            session
                .run(|conn| {
                    diesel::sql_query(
                        "update belay.worker set beat_at = now() - interval '1 hour' where id = (
                           select id from belay.worker where dead_at is null order by random() limit 1)",
                    )
                    .execute(conn)?;
                    Ok(())
                })
                .unwrap();
        }
        session.run(ops::mark_dead).unwrap();
        if dice.chance(20) {
            let whole = dice.chance(50);
            log.rescued += session
                .tx(|conn| ops::rescue(conn, 500, whole))
                .unwrap()
                .total();
        }
        thread::sleep(Duration::from_millis(5));
    }
    log
}
