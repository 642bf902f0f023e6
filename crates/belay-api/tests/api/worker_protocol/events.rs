//! Event streams.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use belay_testkit::eventually;
use serde_json::{Value, json};

use super::support::{Player, job, silence};
use crate::support::World;

/// An open stream.
struct Stream {
    lines: BufReader<TcpStream>,
}

impl Stream {
    fn open(player: &Player<'_>) -> Self {
        let mut tcp = TcpStream::connect(player.world.address()).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            tcp,
            "GET {} HTTP/1.1\r\nHost: test\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n",
            player.path("events"),
            player.key
        )
        .unwrap();
        let mut lines = BufReader::new(tcp);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(lines.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(
            head.to_ascii_lowercase()
                .contains("content-type: text/event-stream"),
            "{head}"
        );
        Self { lines }
    }

    /// The next event that is not `work`; `None` when the stream has ended.
    fn next(&mut self) -> Option<(String, Value)> {
        loop {
            let (name, data) = self.any()?;
            if name != "work" {
                return Some((name, data));
            }
        }
    }

    fn any(&mut self) -> Option<(String, Value)> {
        let mut name = None;
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            if let Some(word) = line.strip_prefix("event: ") {
                name = Some(word.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name.unwrap(), serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// Reads to the end.
    fn ends(&mut self) {
        while self.any().is_some() {}
    }
}

fn suspendable(world: &World) -> Player<'_> {
    Player::with(
        world,
        &json!({"name": "w", "slots": 9, "kinds": [{"name": "mail", "can_suspend": true, "grace_s": 2}]}),
    )
}

#[test]
fn every_wish_is_told_as_it_comes_and_what_is_wanted_already_on_connecting() {
    let world = World::new();
    let player = suspendable(&world);
    let id = world.enqueue(&json!({"kind": "mail"}));
    let held = player.claim_one();
    let act = |verb: &str, body: Value| {
        let reply = world.post(&format!("/belay/v1/jobs/{id}/{verb}"), &body);
        assert_eq!(reply.status, 200, "{}", reply.text());
    };
    let key = json!({"id": id, "fence": 1});
    let mut first = Stream::open(&player);
    act("suspend", json!({}));
    assert_eq!(first.next().unwrap(), ("suspend".into(), key.clone()));
    let mut second = Stream::open(&player);
    assert_eq!(second.next().unwrap(), ("suspend".into(), key.clone()));
    act("resume", json!({}));
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.next().unwrap(), ("resume".into(), key.clone()));
    }
    act("cancel", json!({"reason": "why"}));
    let cancel = json!({"id": id, "fence": 1, "reason": "why", "grace_s": 2.0});
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.next().unwrap(), ("cancel".into(), cancel.clone()));
    }
    assert_eq!(player.finish(&[held], "cancelled").status, 200);
    assert_eq!(job(&world, id)["state"], "cancelled");
}

#[test]
fn what_is_ended_by_force_is_lost_and_what_is_reported_is_not() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let mut stream = Stream::open(&player);
    let done = world.enqueue(&json!({"kind": "mail"}));
    let held = player.claim_one();
    assert_eq!(player.finish(&[held], "completed").status, 200);
    let id = world.enqueue(&json!({"kind": "mail"}));
    assert_ne!(done, id);
    player.claim_one();
    world.post(
        &format!("/belay/v1/jobs/{id}/cancel"),
        &json!({"force": true}),
    );
    assert_eq!(
        stream.next().unwrap(),
        ("lost".into(), json!({"id": id, "fence": 1}))
    );
}

#[test]
fn a_drain_and_the_end_of_the_worker_are_told() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let mut stream = Stream::open(&player);
    world.post(
        &format!("/belay/v1/workers/{}/drain", player.id),
        &json!({}),
    );
    assert_eq!(stream.next().unwrap(), ("drain".into(), json!({})));
    let path = format!("/belay/v1/worker/{}", player.id);
    assert_eq!(
        world
            .send_as(&player.key, "DELETE", &path, &Value::Null)
            .status,
        204
    );
    assert_eq!(stream.next().unwrap(), ("worker_lost".into(), json!({})));
    assert_eq!(stream.next(), None);
}

#[test]
fn a_worker_without_a_lease_gets_no_stream() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    silence(&world, player.id);
    let reply = world.send_as(&player.key, "GET", &player.path("events"), &Value::Null);
    reply.problem(409, "refused", &json!({"outcome": "worker_lost"}));
    let json_only = [("Accept", "text/html")];
    let reply = world.send_with(
        &player.key,
        "GET",
        &player.path("events"),
        &json_only,
        &Value::Null,
    );
    reply.problem(406, "not-acceptable", &json!({}));
}

#[test]
fn an_idle_worker_hears_of_work() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let mut stream = Stream::open(&player);
    // Once it sleeps it is told, because something may have come before.
    assert_eq!(stream.any().unwrap().0, "work");
    let id = world.enqueue(&json!({"kind": "mail"}));
    assert_eq!(stream.any().unwrap().0, "work");
    assert_eq!(player.claim_one().0, id);
}

#[test]
fn streams_of_a_key_that_is_revoked_end() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let name = world.get("/belay/v1/workers").json()["workers"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut stream = Stream::open(&player);
    let gone = world.send("DELETE", &format!("/belay/v1/keys/{name}"), &Value::Null);
    assert!(gone.status < 300, "{}", gone.text());
    stream.ends();
    assert_eq!(player.post("beat", &json!({"jobs": []})).status, 401);
}

#[test]
fn a_stop_ends_streams_and_polls_at_once() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let mut stream = Stream::open(&player);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| player.claim(&json!({"slots": 1, "wait_s": 30})));
        eventually(Duration::from_secs(20), || {
            super::support::sleeps(&world).then_some(())
        });
        let began = Instant::now();
        world.api.stop_waiting();
        stream.ends();
        assert_eq!(waiting.join().unwrap(), Vec::<Value>::new());
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    });
    // What comes later is answered without waiting.
    let began = Instant::now();
    assert_eq!(player.claim(&json!({"slots": 1, "wait_s": 30})).len(), 0);
    assert!(began.elapsed() < Duration::from_secs(5));
}
