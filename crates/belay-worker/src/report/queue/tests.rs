use std::sync::Arc;

use belay_core::ops::Verdict;

use super::*;
use crate::lease::Registration;
use crate::report::Item;
use crate::source::{Source, Weight};

fn registration(id: i64) -> Arc<Registration> {
    let lease = Duration::from_secs(15);
    Arc::new(Registration::new(id, lease, crate::clock::now()))
}

fn batch(registration: &Arc<Registration>, ids: std::ops::Range<i64>, success: bool) -> Batch {
    let source = Source::of_noops();
    let items = ids
        .map(|id| Item {
            key: (id, 1),
            source: Arc::clone(&source),
            verdict: (!success).then(|| Box::new(Verdict::Snoozed { delay_s: 1.0 })),
            ran_s: 0.0,
            weight: Weight::Light,
            unsure: false,
            counted: true,
            tries: 0,
            job: None,
        })
        .collect();
    Batch {
        registration: Arc::clone(registration),
        items,
    }
}

fn ids(work: &Work) -> Vec<i64> {
    work.batch.keys().map(|(id, _)| id).collect()
}

fn take(queue: &Queue, thread: usize) -> Work {
    queue.take(thread, Duration::ZERO).unwrap()
}

fn done(queue: &Queue, thread: usize) {
    queue.put_back(thread, Leftovers::default());
}

#[test]
fn successes_are_joined_up_to_a_full_batch() {
    let (queue, registration) = (Queue::default(), registration(1));
    for n in 0..4 {
        queue.push(batch(&registration, n * 200..(n + 1) * 200, true));
    }
    assert_eq!(ids(&take(&queue, 0)), (0..500).collect::<Vec<_>>());
    assert_eq!(ids(&take(&queue, 1)), (500..800).collect::<Vec<_>>());
    assert!(queue.take(0, Duration::ZERO).is_none());
}

#[test]
fn registrations_and_kinds_of_reports_do_not_mix() {
    let queue = Queue::default();
    let (one, two) = (registration(1), registration(2));
    queue.push(batch(&one, 0..1, true));
    queue.push(batch(&two, 1..2, true));
    queue.push(batch(&one, 2..3, false));
    queue.push(batch(&one, 3..3, true));
    assert_eq!(ids(&take(&queue, 0)), [2], "the rare ones first");
    assert_eq!(ids(&take(&queue, 0)), [0]);
    assert_eq!(ids(&take(&queue, 0)), [1]);
}

#[test]
fn everything_unanswered_is_known_by_name() {
    let (queue, registration) = (Queue::default(), registration(1));
    queue.push(batch(&registration, 0..1, true));
    queue.push(batch(&registration, 1..2, false));
    let known = |queue: &Queue| {
        let mut known: Vec<i64> = queue.keys().into_iter().map(|(id, _)| id).collect();
        known.sort_unstable();
        known
    };
    assert_eq!(known(&queue), [0, 1]);
    let in_hand = take(&queue, 0);
    assert_eq!(known(&queue), [0, 1]);
    assert!(!queue.wait_settled(Duration::ZERO));
    queue.put_back(
        0,
        Leftovers {
            parked: vec![(Duration::from_secs(60), in_hand.batch)],
            ..Leftovers::default()
        },
    );
    take(&queue, 1);
    done(&queue, 1);
    assert_eq!(known(&queue), [1], "parked");
    assert!(
        queue.wait_settled(Duration::ZERO),
        "what is parked is not waited for"
    );
}

#[test]
fn suspects_go_to_one_thread_which_still_takes_fresh_ones() {
    let (queue, registration) = (Queue::default(), registration(1));
    queue.push(batch(&registration, 0..100, true));
    let refused = take(&queue, 0);
    let parts = refused.batch.split(8);
    assert_eq!(parts.len(), 8);
    queue.put_back(
        0,
        Leftovers {
            suspects: parts,
            ..Leftovers::default()
        },
    );
    assert!(queue.take(0, Duration::ZERO).is_none());
    queue.push(batch(&registration, 100..101, true));
    queue.push(batch(&registration, 101..102, false));
    let order: Vec<bool> = (0..4)
        .map(|_| {
            let work = take(&queue, 1);
            done(&queue, 1);
            work.suspect
        })
        .collect();
    assert_eq!(order, [true, false, true, false]);
}

#[test]
fn what_is_parked_comes_back_when_its_time_is_over() {
    let (queue, registration) = (Queue::default(), registration(1));
    queue.push(batch(&registration, 0..1, true));
    let work = take(&queue, 0);
    queue.put_back(
        0,
        Leftovers {
            parked: vec![(Duration::from_millis(20), work.batch)],
            ..Leftovers::default()
        },
    );
    assert!(queue.take(1, Duration::ZERO).is_none());
    let work = queue.take(1, Duration::from_secs(60)).unwrap();
    assert!(work.suspect);
    assert_eq!(ids(&work), [0]);
}

#[test]
fn what_was_not_answered_goes_first() {
    let (queue, registration) = (Queue::default(), registration(1));
    queue.push(batch(&registration, 0..500, true));
    queue.push(batch(&registration, 500..1000, true));
    let work = take(&queue, 0);
    queue.put_back(
        0,
        Leftovers {
            again: Some(work.batch),
            ..Leftovers::default()
        },
    );
    assert_eq!(ids(&take(&queue, 0)), (0..500).collect::<Vec<_>>());
}

#[test]
fn a_closed_queue_keeps_nobody_waiting() {
    let queue = Queue::default();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| queue.take(0, Duration::from_secs(60)).is_none());
        queue.close();
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn splitting_loses_nothing() {
    let registration = registration(1);
    for n in [1, 2, 7, 8, 9, 500] {
        let parts = batch(&registration, 0..n, true).split(8);
        assert!(parts.len() <= 8);
        let all: Vec<i64> = parts.iter().flat_map(Batch::keys).map(|k| k.0).collect();
        assert_eq!(all, (0..n).collect::<Vec<_>>());
    }
}
