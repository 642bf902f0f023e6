//! Many at once.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::Duration;

use belay_core::ops::Verdict;
use belay_testkit::eventually;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde_json::{Value, json};

use crate::support::{Reply, World, at_once};

fn count(replies: &[Reply], outcome: &str) -> usize {
    replies
        .iter()
        .filter(|reply| reply.json()["outcome"] == outcome)
        .count()
}

#[test]
fn of_twenty_cancels_of_one_job_exactly_one_is_accepted() {
    let world = World::new();
    for (id, outcome) in [
        (world.running("noop").id, "cancelling"),
        (world.enqueue(&json!({"kind": "noop"})), "cancelled"),
    ] {
        let path = format!("/belay/v1/jobs/{id}/cancel");
        let replies = at_once(20, || world.post(&path, &json!({"reason": "x"})));
        assert_eq!(
            (count(&replies, outcome), count(&replies, "already")),
            (1, 19)
        );
        let events = world.get(&format!("/belay/v1/jobs/{id}/timeline")).json();
        let cancels = events["events"].as_array().unwrap().iter();
        assert_eq!(cancels.filter(|e| e["reason"] == "x").count(), 1);
    }
}

#[test]
fn a_cancel_and_a_completion_never_both_win() {
    let world = World::new();
    for _ in 0..10 {
        let job = world.running("noop");
        let path = format!("/belay/v1/jobs/{}/cancel", job.id);
        let barrier = Barrier::new(2);
        let reply = std::thread::scope(|scope| {
            let reply = scope.spawn(|| {
                barrier.wait();
                world.post(&path, &Value::Null)
            });
            barrier.wait();
            world.report(&job, Verdict::Completed);
            reply.join().unwrap()
        });
        let state = world.get(&format!("/belay/v1/jobs/{}", job.id)).json()["state"].clone();
        match reply.json()["outcome"].as_str().unwrap() {
            "cancelling" => assert_eq!(state, "cancelled"),
            "refused" => assert_eq!(state, "completed"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn of_twenty_requests_with_one_key_one_makes_the_job() {
    let world = World::new();
    let replies = at_once(20, || {
        let headers = [("Idempotency-Key", "k")];
        world.send_with(
            &world.admin,
            "POST",
            "/belay/v1/jobs",
            &headers,
            &json!({"kind": "noop"}),
        )
    });
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    let existed = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!((made, existed), (1, 19));
    let first = replies[0].json()["id"].clone();
    assert!(replies.iter().all(|reply| reply.json()["id"] == first));
}

#[test]
fn a_client_that_leaves_does_not_cut_a_cancel_in_half() {
    let world = World::new();
    let id = world.enqueue(&json!({"kind": "noop"}));
    let mut conn = world.test_db.conn();
    conn.batch_execute(&format!(
        "begin; select from belay.job where id = {id} for update"
    ))
    .unwrap();
    let mut client = TcpStream::connect(world.address()).unwrap();
    let request = format!(
        "POST /belay/v1/jobs/{id}/cancel HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
        world.admin
    );
    client.write_all(request.as_bytes()).unwrap();
    let mut watcher = world.test_db.conn();
    eventually(Duration::from_secs(30), || {
        let waits: bool = diesel::select(diesel::dsl::sql::<Bool>(
            "exists (select from pg_locks l join pg_stat_activity a using (pid) where not l.granted and a.datname = current_database())",
        ))
        .get_result(&mut watcher)
        .unwrap();
        waits.then_some(())
    });
    drop(client);
    conn.batch_execute("rollback").unwrap();
    eventually(Duration::from_secs(30), || {
        let job = world.get(&format!("/belay/v1/jobs/{id}")).json();
        (job["state"] == "cancelled").then_some(())
    });
}
