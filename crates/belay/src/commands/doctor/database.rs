//! What the database tells.

use std::time::{Duration, Instant};

use belay_core::{Db, migrate, query};
use belay_metrics::{Reading, Sampler};
use chrono::{DateTime, TimeDelta, Utc};

use super::Finding;
use super::figures::{self, Server, Updates};
use super::work::{alive, cancels, waiting_for_nobody};
use crate::config::Config;
use crate::database;
use crate::show::duration;

/// A clock that is off by more than this deserves a word.
const SKEW: TimeDelta = TimeDelta::seconds(2);
/// A snapshot older than this holds back the cleaning of the hot table.
const OLD_SNAPSHOT: f64 = 300.0;
/// A writing transaction older than this makes others wait.
const OLD_WRITING: f64 = 60.0;
/// Updates below this number say nothing.
const FEW_UPDATES: i64 = 10_000;
/// A share of HOT updates, in per cent, below which something is wrong.
const HOT_SHARE: i64 = 80;

/// Adds what it finds, and answers whether the database could be reached.
pub(super) fn look(config: &Config, findings: &mut Vec<Finding>) -> bool {
    let db = match database::connect(config) {
        Ok(db) => db,
        Err(failure) => {
            findings.push(unreachable(failure.message));
            return false;
        }
    };
    let server = match db.read(figures::server) {
        Ok(server) => server,
        Err(error) => {
            findings.push(unreachable(database::explain(config, error).message));
            return false;
        }
    };
    check_server(&server, findings);
    findings.push(clock_skew(&db));
    if let Ok(language) = db.read(query::message_language)
        && !query::is_english(&language)
    {
        findings.push(Finding::failure(
            "messages",
            format!("are in the language {language:?}, which this program cannot tell apart"),
            "let a superuser run: alter role <the role belay logs in as> set lc_messages = 'C'",
        ));
    }
    if let Err(error) = db.read(migrate::check) {
        findings.push(Finding::failure(
            "schema",
            error.to_string(),
            "run `belay migrate` with the newest version of belay",
        ));
        return true;
    }
    findings.push(Finding::ok("schema", "is the one of this program"));
    check_contents(config, &db, findings);
    true
}

fn unreachable(why: String) -> Finding {
    Finding::failure(
        "database",
        why,
        "check that it runs and that DATABASE_URL is right",
    )
}

fn check_server(server: &Server, findings: &mut Vec<Finding>) {
    let minimum = belay_private_pg::MINIMUM_VERSION;
    let major = u32::try_from(server.version / 10_000).unwrap_or(0);
    findings.push(if major < minimum {
        Finding::failure(
            "database",
            format!("PostgreSQL {}", server.version_text),
            format!("upgrade it to version {minimum} or newer"),
        )
    } else if server.standby {
        Finding::failure(
            "database",
            "this is a standby, which takes no writes",
            "name all hosts in DATABASE_URL and add target_session_attrs=read-write",
        )
    } else {
        Finding::ok("database", format!("PostgreSQL {}", server.version_text))
    });
    if !server.autovacuum {
        findings.push(Finding::failure(
            "autovacuum",
            "is off, so the hot table grows without end",
            "set autovacuum = on",
        ));
    }
    if !server.fsync {
        findings.push(Finding::warning(
            "fsync",
            "is off, so a crash of the machine can destroy the database",
            "set fsync = on, unless this is a test",
        ));
    }
}

fn clock_skew(db: &Db) -> Finding {
    let began = Instant::now();
    let before = Utc::now();
    match db.read(query::now) {
        Ok(theirs) => skew(theirs, before, began.elapsed()),
        Err(error) => Finding::failure("clock", error.to_string(), "try again"),
    }
}

fn skew(theirs: DateTime<Utc>, before: DateTime<Utc>, took: Duration) -> Finding {
    // The database looked at its clock about half-way through.
    let ours = before + TimeDelta::from_std(took / 2).unwrap_or_default();
    let off = theirs - ours;
    let words = duration(off.abs().to_std().unwrap_or_default());
    if off.abs() <= SKEW {
        return Finding::ok("clock", format!("differs from the database's by {words}"));
    }
    let side = if off > TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    Finding::warning(
        "clock",
        format!("this machine is {words} {side} the database"),
        "synchronise both clocks (NTP); jobs start by the clock of the database",
    )
}

fn check_contents(config: &Config, db: &Db, findings: &mut Vec<Finding>) {
    // The figures of the metrics, read once more.
    let sample = Sampler::new(db.clone(), Duration::ZERO).sample();
    let read = db.read(|conn| {
        Ok((
            query::workers(conn)?,
            query::now(conn)?,
            figures::updates(conn)?,
            figures::oldest_holder(conn)?,
            query::keys(conn)?,
            query::unserved_lines(conn)?,
        ))
    });
    let (Some(reading), Ok((workers, now, updates, holder, keys, unserved))) =
        (&sample.reading, read)
    else {
        findings.push(Finding::failure(
            "contents",
            "the tables could not be read",
            "run `belay migrate`, and check the rights of the user in DATABASE_URL",
        ));
        return;
    };
    findings.push(partitions(reading.partitions_ahead));
    findings.push(alive(&workers, reading, now));
    if let Some(finding) = waiting_for_nobody(&unserved) {
        findings.push(finding);
    }
    findings.push(cancels(reading));
    let holder = holder.map_or_else(String::new, |h| format!(": session {} ({})", h.pid, h.who));
    findings.push(transactions(reading, &holder));
    findings.push(hot(&updates));
    if !keys.iter().any(|key| key.is_valid(now)) {
        findings.push(Finding::warning(
            "keys",
            "there is no valid API key, so nobody can use the HTTP API",
            "belay key create --scope admin --all-tenants",
        ));
    }
    if let Ok(token) = std::fs::read_to_string(config.data_dir.admin_key()) {
        let key = db.read(|conn| query::find_key(conn, token.trim()));
        if matches!(&key, Ok(key) if !key.as_ref().is_some_and(|key| key.is_valid(now))) {
            findings.push(Finding::warning(
                "keys",
                format!(
                    "the key in {} does not work any more",
                    config.data_dir.admin_key().display()
                ),
                "delete the file, or put a key into it: belay key create --scope admin --all-tenants",
            ));
        }
    }
    if config.database.pooler {
        findings.push(Finding::ok("pooler", "settings for a transaction pooler"));
    }
}

fn partitions(ahead: i32) -> Finding {
    match ahead {
        ..=0 => Finding::failure(
            "partitions",
            "there is none for tomorrow, so no job can finish then",
            "start a daemon with `duties = true`, which makes them",
        ),
        1 => Finding::warning(
            "partitions",
            "there is only tomorrow's",
            "start a daemon with `duties = true`, which makes them",
        ),
        days => Finding::ok("partitions", format!("made for {days} days ahead")),
    }
}

fn transactions(reading: &Reading, holder: &str) -> Finding {
    let words = |s: f64| duration(Duration::try_from_secs_f64(s).unwrap_or_default());
    let (snapshot, writing) = (reading.oldest_snapshot_s, reading.oldest_writing_s);
    if snapshot > OLD_SNAPSHOT {
        return Finding::warning(
            "transactions",
            format!(
                "the oldest snapshot is {} old, and nothing dead since can be cleaned up{holder}",
                words(snapshot)
            ),
            "end that session: select pg_terminate_backend(PID)",
        );
    }
    if writing > OLD_WRITING {
        return Finding::warning(
            "transactions",
            format!(
                "the oldest writing transaction is {} old{holder}",
                words(writing)
            ),
            "end that session: select pg_terminate_backend(PID)",
        );
    }
    Finding::ok(
        "transactions",
        format!("none is older than {}", words(snapshot.max(writing).ceil())),
    )
}

fn hot(updates: &Updates) -> Finding {
    if updates.all < FEW_UPDATES {
        return Finding::ok("claims", format!("{} updates so far", updates.all));
    }
    let share = updates.hot * 100 / updates.all;
    let detail = format!(
        "{share} % of {} updates touched no index; {} dead rows",
        updates.all, updates.dead_rows
    );
    if share < HOT_SHARE {
        return Finding::warning(
            "claims",
            detail,
            "drop indexes that were added to belay.job, and end old snapshots",
        );
    }
    Finding::ok("claims", detail)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_clock_is_judged_at_the_middle_of_the_question() {
        let before = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let level = |off: i64, took: u64| {
            skew(
                before + TimeDelta::milliseconds(off),
                before,
                Duration::from_millis(took),
            )
            .level
        };
        assert_eq!(level(0, 0), Level::Ok);
        assert_eq!(level(-1900, 0), Level::Ok);
        assert_eq!(level(2500, 0), Level::Warning);
        assert_eq!(level(2500, 2000), Level::Ok);
        assert_eq!(level(-2500, 0), Level::Warning);
    }

    #[test]
    fn partitions_that_run_out_are_told_before_they_do() {
        assert_eq!(partitions(0).level, Level::Failure);
        assert_eq!(partitions(1).level, Level::Warning);
        assert_eq!(partitions(7).level, Level::Ok);
    }

    #[test]
    fn the_share_of_hot_updates_is_judged_once_there_are_enough() {
        let level = |all, hot| {
            hot_level(&Updates {
                all,
                hot,
                dead_rows: 0,
            })
        };
        assert_eq!(level(100, 0), Level::Ok);
        assert_eq!(level(20_000, 19_000), Level::Ok);
        assert_eq!(level(20_000, 1_000), Level::Warning);
    }

    #[test]
    fn old_transactions_are_told_with_their_session() {
        let reading = |snapshot, writing| Reading {
            at: Instant::now(),
            jobs: Vec::new(),
            workers: belay_metrics::Workers::default(),
            cancelling: belay_metrics::Cancelling::default(),
            oldest_snapshot_s: snapshot,
            oldest_writing_s: writing,
            partitions_ahead: 14,
        };
        assert_eq!(transactions(&reading(10.0, 10.0), "").level, Level::Ok);
        for old in [reading(301.0, 0.0), reading(0.0, 61.0)] {
            let finding = transactions(&old, ": session 7 (bob)");
            assert_eq!(finding.level, Level::Warning);
            assert!(finding.detail.ends_with("session 7 (bob)"), "{finding:?}");
        }
    }

    fn hot_level(updates: &Updates) -> Level {
        hot(updates).level
    }
}
