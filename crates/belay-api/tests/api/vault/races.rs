//! Requests that meet.

use std::sync::{Arc, Barrier};
use std::thread;

use belay_core::ops::Verdict;
use serde_json::{Value, json};

use super::{CANCEL, accepted, data, queued, status, wrong_state};
use crate::support::{World, request};

/// More with the variable `BELAY_ROUNDS`.
fn rounds(usual: usize) -> usize {
    std::env::var("BELAY_ROUNDS").map_or(usual, |text| text.parse().unwrap())
}

fn body(ids: &[i64]) -> String {
    let entries: Vec<Value> = ids.iter().map(|id| json!({"job_id": id})).collect();
    json!(entries).to_string()
}

#[test]
fn two_overlapping_requests_in_opposite_orders_both_finish() {
    let world = World::new();
    for round in 0..rounds(50) {
        // 500 each, 250 of them in both.
        let ids = queued(&world, 750);
        let upwards = ids[..500].to_vec();
        let downwards: Vec<i64> = ids[250..].iter().rev().copied().collect();
        let barrier = Arc::new(Barrier::new(2));
        let threads = [upwards, downwards].map(|ids| {
            let (barrier, address, key) =
                (Arc::clone(&barrier), world.address(), world.admin.clone());
            thread::spawn(move || {
                let text = body(&ids);
                barrier.wait();
                let headers = [("Authorization", key.as_str())];
                let reply = request(address, "POST", CANCEL, &headers, text.as_bytes());
                (ids, data(&reply))
            })
        });
        let mut accepts = 0;
        for thread in threads {
            let (ids, answers) = thread.join().unwrap();
            assert_eq!(answers.len(), 500, "round {round}");
            for (id, answer) in ids.into_iter().zip(answers) {
                if answer == accepted(id) {
                    accepts += 1;
                } else {
                    assert_eq!(answer, wrong_state(id), "round {round}");
                }
            }
        }
        // Each job was cancelled by exactly one of the two.
        assert_eq!(accepts, 750, "round {round}");
    }
}

#[test]
fn a_cancel_and_a_completion_have_one_winner() {
    let world = World::with(|builder| builder.vault_cancel_running(true));
    for _ in 0..rounds(20) {
        let job = world.running("noop");
        let (key, address, id) = (world.admin.clone(), world.address(), job.id);
        let barrier = Arc::new(Barrier::new(2));
        let theirs = Arc::clone(&barrier);
        let thread = thread::spawn(move || {
            let text = body(&[id]);
            theirs.wait();
            let headers = [("Authorization", key.as_str())];
            data(&request(address, "POST", CANCEL, &headers, text.as_bytes()))
        });
        barrier.wait();
        world.report(&job, Verdict::Completed);
        let answers = thread.join().unwrap();
        let expected = match status(&world, id).as_str() {
            "CANCELLED" => accepted(id),
            "SUCCESS" => wrong_state(id),
            other => panic!("{other}"),
        };
        assert_eq!(answers, [expected]);
    }
}
