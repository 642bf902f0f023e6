//! What is left alone for too long.

use crate::support::{Bench, PATIENCE, config, end};
use belay_core::JobState;
use belay_core::ops;
use belay_testkit::eventually;

/// A job that somebody made eight days ago.
fn old(bench: &Bench, kind: &str, state: &str) -> i64 {
    bench.number(&format!(
        "insert into belay.job (tenant, state, ticket, upload, priority, max_attempts, queue, kind, created_by, created_via, created_at, run_at)
         values (1, '{state}', case when '{state}' = 'queued' then nextval('belay.ticket') end, '{state}' = 'open', 5, 3, 'default', '{kind}', 't', 'native',
           now() - interval '8 days', now() - interval '8 days') returning id as n"
    ))
}

#[test]
fn ingest_jobs_that_nobody_closes_or_runs_are_aborted() {
    let bench = Bench::with_tables();
    let (open, waiting) = (
        old(&bench, "ingest", "open"),
        old(&bench, "ingest", "queued"),
    );
    bench.upload(open, &[b"id\n1\n"]);
    let other = old(&bench, "sleep", "queued");
    let young = bench.open("contacts", "upsert");
    bench.upload(young, &[b"id\n1\n"]);
    // It runs nothing of this.
    let mut config = config();
    config.kinds.retain(|kind| kind.spec.name == "noop");
    let worker = bench.start(config);
    for id in [open, waiting] {
        let job = bench.until(id, JobState::Cancelled);
        let cancel = job.cancel().unwrap();
        assert_eq!(
            (cancel.actor.as_str(), cancel.interface.as_str()),
            ("daemon", "daemon")
        );
        assert_eq!(
            cancel.reason.as_deref(),
            Some("neither closed nor run within 604800 s")
        );
        assert_eq!(cancel.rung.as_deref(), Some("never_started"));
    }
    let status = eventually(PATIENCE, || {
        worker.status().duties.get("ingest_age").cloned()
    });
    assert_eq!(
        status.outcome.as_deref(),
        Ok("2 ingest jobs aborted that waited too long")
    );
    end(&worker);
    assert_eq!(bench.job(other).state, JobState::Queued);
    assert_eq!(bench.job(young).state, JobState::Open);
    let kept = format!("select count(*) as n from belay.job_upload where job = {young}");
    assert_eq!((bench.number(&kept), bench.stored()), (1, 2));
}

#[test]
fn uploads_that_were_left_in_the_middle_are_deleted() {
    let bench = Bench::with_tables();
    let job = bench.open("contacts", "upsert");
    bench.upload(job, &[b"id\n1\n"]);
    let mut files = Vec::new();
    for _ in 0..25 {
        let begun = bench.db.tx(|c| ops::begin_upload(c, None, job)).unwrap();
        let ops::Begun::Upload(file) = begun else {
            panic!("{begun:?}");
        };
        bench
            .db
            .read(|c| ops::append_chunk(c, file, 1, b"id\n2\n"))
            .unwrap();
        files.push(file);
    }
    let (last, left) = files.split_last().unwrap();
    bench.sql(&format!(
        "update belay.upload set touched_at = now() - interval '3 hours' where file <> {last}"
    ));
    let worker = bench.start(config());
    let status = eventually(PATIENCE, || worker.status().duties.get("uploads").cloned());
    end(&worker);
    assert_eq!(
        status.outcome.as_deref(),
        Ok("24 uploads deleted that were left in the middle")
    );
    // The file that counts, and the upload that is not old.
    assert_eq!(
        bench.number("select count(*) as n from belay.job_upload"),
        2
    );
    assert_eq!(bench.number("select count(*) as n from belay.upload"), 1);
    let late = bench.db.read(|c| ops::append_chunk(c, left[0], 2, b"x"));
    assert!(!late.unwrap(), "nothing can be added to it");
    let finished = bench
        .db
        .tx(|c| ops::finish_upload(c, None, job, left[0], 6));
    assert_eq!(finished.unwrap(), ops::Uploaded::Forgotten);
}
