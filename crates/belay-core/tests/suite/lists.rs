//! Lists and counts: newest first, page by page, also while jobs finish in between.

use belay_core::ops::{self, CancelLimit, NewJob};
use belay_core::query::{self, JobFilter, MAX_OFFSET_PAGE, MAX_PAGE};
use belay_core::{Error, JobState};
use belay_testkit::TestDb;
use diesel::prelude::*;

use crate::common::{
    TENANT, claim_from, enqueue, enqueue_n, job, make, me, new_job, new_with, register,
};

#[track_caller]
fn ids(conn: &mut PgConnection, filter: &JobFilter, limit: i64) -> Vec<i64> {
    query::list(conn, filter, limit)
        .unwrap()
        .jobs
        .iter()
        .map(|job| job.id)
        .collect()
}

#[test]
fn jobs_are_listed_newest_first_whether_finished_or_not() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let mut made: Vec<i64> = JobState::ALL.map(|state| make(conn, state).id).to_vec();
    made.reverse();
    let listed = query::list(conn, &JobFilter::default(), 100).unwrap().jobs;
    assert_eq!(listed.iter().map(|job| job.id).collect::<Vec<_>>(), made);
    for entry in listed {
        assert_eq!(
            entry,
            job(conn, entry.id),
            "a list tells what a single look does"
        );
    }
}

#[test]
fn a_walk_meets_every_job_once_while_jobs_finish_and_arrive() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let made = enqueue_n(conn, &new_with(|job| job.queue = Some("q".into())), 20);
    let mut seen = Vec::new();
    let mut filter = JobFilter::default();
    loop {
        let page = ids(conn, &filter, 3);
        let Some(last) = page.last() else { break };
        filter.before = Some(*last);
        seen.extend(page);
        enqueue(conn, &new_job());
        for claimed in claim_from(conn, worker, "q", 2) {
            ops::complete(conn, worker, &[(claimed.id, claimed.fence)]).unwrap();
        }
        let oldest = [made[0], made[19]];
        ops::cancel_many(conn, None, &oldest, &me(), None, CancelLimit::Any).unwrap();
    }
    seen.reverse();
    assert_eq!(seen, made);
}

#[test]
fn a_filter_takes_state_queue_kind_and_tenant_together() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let (other, _) = ops::create_tenant(conn, "other").unwrap();
    let theirs = ops::enqueue(conn, other, &new_job(), None, false, &me())
        .unwrap()
        .id;
    let of = |queue: &str, kind: &str| NewJob {
        queue: Some(queue.into()),
        ..NewJob::new(kind)
    };
    let [a, b, c] = [("x", "sleep"), ("x", "noop"), ("y", "sleep")]
        .map(|(queue, kind)| enqueue(conn, &of(queue, kind)));
    let worker = register(conn);
    let fence = claim_from(conn, worker, "x", 1)[0].fence;
    ops::complete(conn, worker, &[(a, fence)]).unwrap();
    ops::cancel_one(conn, None, c, &me(), None, CancelLimit::Any).unwrap();
    let ours = JobFilter {
        tenant: Some(TENANT),
        ..JobFilter::default()
    };
    let states = |states: &[JobState]| JobFilter {
        states: states.to_vec(),
        ..ours.clone()
    };
    for (filter, expected) in [
        (JobFilter::default(), vec![c, b, a, theirs]),
        (ours.clone(), vec![c, b, a]),
        (
            JobFilter {
                tenant: Some(other),
                ..JobFilter::default()
            },
            vec![theirs],
        ),
        (
            JobFilter {
                queue: Some("x".into()),
                ..ours.clone()
            },
            vec![b, a],
        ),
        (
            JobFilter {
                kind: Some("sleep".into()),
                ..ours.clone()
            },
            vec![c, a],
        ),
        (
            JobFilter {
                kind: Some("sleep".into()),
                queue: Some("x".into()),
                ..ours.clone()
            },
            vec![a],
        ),
        (states(&[JobState::Completed]), vec![a]),
        (states(&[JobState::Cancelled, JobState::Failed]), vec![c]),
        (states(&[JobState::Completed, JobState::Queued]), vec![b, a]),
        (states(&[JobState::Queued, JobState::Running]), vec![b]),
        (states(&[JobState::Suspended]), vec![]),
        (
            JobFilter {
                queue: Some("nowhere".into()),
                ..ours.clone()
            },
            vec![],
        ),
    ] {
        assert_eq!(ids(conn, &filter, 10), expected, "{filter:?}");
    }
}

#[test]
fn a_page_has_from_one_to_five_hundred_jobs() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue_n(conn, &new_job(), 501);
    for limit in [0, -1, MAX_PAGE + 1, i64::MAX] {
        let refused = query::list(conn, &JobFilter::default(), limit);
        assert!(
            matches!(&refused, Err(Error::Invalid { field: "limit", message }) if message.contains(&limit.to_string())),
            "{refused:?}"
        );
    }
    assert_eq!(ids(conn, &JobFilter::default(), MAX_PAGE).len(), 500);
    assert_eq!(ids(conn, &JobFilter::default(), 1), [501]);
}

#[test]
fn a_page_by_number_has_up_to_a_thousand_and_payloads_only_where_they_are_wanted() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    enqueue_n(conn, &new_with(|job| job.payload = "[7]".into()), 1002);
    let all = JobFilter::default();
    for (offset, limit) in [(0, 0), (0, MAX_OFFSET_PAGE + 1), (-1, 1), (i64::MAX, 1)] {
        let refused = query::page(conn, &all, offset, limit);
        assert!(
            matches!(refused, Err(Error::Invalid { .. })),
            "{offset} {limit}"
        );
    }
    let page = query::page(conn, &all, 0, MAX_OFFSET_PAGE).unwrap();
    assert_eq!(
        (page.len(), page[0].id, page[0].payload.as_str()),
        (1000, 1002, "[7]")
    );
    let bare = JobFilter {
        without_payload: true,
        ..JobFilter::default()
    };
    let page = query::page(conn, &bare, 1000, 5).unwrap();
    let rest: Vec<(i64, &str)> = page
        .iter()
        .map(|job| (job.id, job.payload.as_str()))
        .collect();
    assert_eq!(rest, [(2, "{}"), (1, "{}")]);
    let listed = query::list(conn, &bare, 1).unwrap();
    assert_eq!(listed.jobs[0].payload, "{}");
}

#[test]
fn unfinished_jobs_are_counted_by_queue_and_state_up_to_a_cap() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let worker = register(conn);
    let of = |queue: &str| new_with(|job| job.queue = Some(queue.into()));
    enqueue_n(conn, &of("a"), 5);
    claim_from(conn, worker, "a", 2);
    enqueue_n(conn, &of("b"), 3000);
    let open = make(conn, JobState::Open);
    let scheduled = make(conn, JobState::Scheduled);
    make(conn, JobState::Completed);
    let counts = |conn: &mut PgConnection, cap| -> Vec<(String, JobState, i64, bool)> {
        query::queue_counts(conn, cap)
            .unwrap()
            .into_iter()
            .map(|row| (row.queue, row.state, row.jobs, row.capped))
            .collect()
    };
    let mut expected = vec![
        ("a".to_owned(), JobState::Queued, 3, false),
        ("a".to_owned(), JobState::Running, 2, false),
        ("b".to_owned(), JobState::Queued, 3000, false),
    ];
    for (made, state) in [(open, JobState::Open), (scheduled, JobState::Scheduled)] {
        expected.push((job(conn, made.id).queue, state, 1, false));
    }
    expected.sort();
    assert_eq!(counts(conn, 100_000), expected);
    let capped = counts(conn, 1000);
    let b = capped.iter().find(|row| row.0 == "b").unwrap();
    assert_eq!((b.2, b.3), (1000, true));
    let a = capped.iter().find(|row| row.0 == "a").unwrap();
    assert!(!a.3, "{a:?}");
}

#[test]
fn a_page_ends_before_its_payloads_grow_too_large_and_the_walk_goes_on() {
    let db = TestDb::new();
    let conn = &mut db.conn();
    let large = NewJob {
        payload: format!("\"{}\"", "x".repeat(1_000_000)),
        ..new_job()
    };
    let mut made = enqueue_n(conn, &large, 20);
    made.reverse();
    let mut filter = JobFilter::default();
    let (mut seen, mut pages) = (Vec::new(), Vec::new());
    loop {
        let page = query::list(conn, &filter, 100).unwrap();
        pages.push(page.jobs.len());
        seen.extend(page.jobs.iter().map(|job| job.id));
        if !page.more {
            break;
        }
        filter.before = seen.last().copied();
    }
    assert_eq!(seen, made);
    assert_eq!(pages, [8, 8, 4]);
}
