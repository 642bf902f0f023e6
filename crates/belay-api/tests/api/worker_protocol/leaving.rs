//! Clients that leave in the middle of a long poll.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use belay_testkit::eventually;
use serde_json::json;

use super::support::{Player, job, rescue, sleeps};
use crate::support::World;

/// Sends a long poll and answers its connection.
fn poll(player: &Player<'_>) -> TcpStream {
    let mut client = TcpStream::connect(player.world.address()).unwrap();
    let body = json!({"slots": 5, "wait_s": 30}).to_string();
    write!(
        client,
        "POST {} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        player.path("claim"),
        player.key,
        body.len()
    )
    .unwrap();
    eventually(Duration::from_secs(20), || {
        sleeps(player.world).then_some(())
    });
    client
}

#[test]
fn what_a_client_that_left_was_given_comes_back_with_a_check() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let client = poll(&player);
    // It does not leave: it just never reads, which the server cannot know.
    let id = world.enqueue(&json!({"kind": "mail"}));
    eventually(Duration::from_secs(20), || {
        (job(&world, id)["state"] == "running").then_some(())
    });
    drop(client);
    let reply = player.post("beat", &json!({"jobs": [], "check": true}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    rescue(&world);
    let seen = job(&world, id);
    assert_eq!(
        (&seen["state"], &seen["attempt"]),
        (&json!("queued"), &json!(0))
    );
    assert_eq!(player.claim_one().0, id);
}

#[test]
fn a_poll_whose_client_has_left_takes_nothing_after_a_check() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    // Its writing half is closed, so the server may go on with it.
    let client = poll(&player);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(
        player
            .post("beat", &json!({"jobs": [], "check": true}))
            .status,
        200
    );
    let id = world.enqueue(&json!({"kind": "mail"}));
    // Time enough for the old poll to be woken and to take it, if it could.
    let other = poll_once(&player);
    assert_eq!(other, id);
    drop(client);
}

fn poll_once(player: &Player<'_>) -> i64 {
    let jobs = player.claim(&json!({"slots": 5, "wait_s": 20}));
    jobs[0]["id"].as_i64().unwrap()
}
