//! Claims: what is given, and to whom.

use std::time::{Duration, Instant};

use belay_core::ops::{self, KindSpec};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::support::{Player, key_of, silence, sleeps};
use crate::support::World;

#[test]
fn a_job_comes_with_all_that_is_known_of_it() {
    let world = World::new();
    let player = Player::with(
        &world,
        &json!({"name": "w", "slots": 1, "kinds": [{"name": "mail", "timeout_s": 60, "job_timeout_s": 600}]}),
    );
    let id = world.enqueue(
        &json!({"kind": "mail", "payload": {"to": "ada"}, "priority": 3, "max_attempts": 2}),
    );
    let jobs = player.claim(&json!({"slots": 10}));
    let left = jobs[0]["left_s"].as_f64().unwrap();
    assert!((590.0..=600.0).contains(&left), "{left}");
    crate::support::assert_matches(
        &jobs[0],
        &json!({
            "id": id, "uid": "[uuid]", "key": "[key]", "tenant": 1, "kind": "mail", "queue": "default", "priority": 3, "attempt": 1,
            "max_attempts": 2, "fence": 1, "timeout_s": 60, "left_s": "[number]", "created_at": "[time]", "payload": {"to": "ada"}
        }),
    );
    assert_eq!(player.claim(&json!({"slots": 10})), Vec::<Value>::new());
    let row = &world.get("/belay/v1/workers").json()["workers"][0];
    assert_eq!(row["running"], 1);
}

#[test]
fn lines_are_taken_in_order_and_claims_can_be_narrowed() {
    let world = World::new();
    let player = Player::with(
        &world,
        &json!({"name": "w", "slots": 9, "kinds": ["a", "b"], "queues": ["x", "y"]}),
    );
    let mut ids = Vec::new();
    for (kind, queue, priority) in [("a", "x", 5), ("a", "y", 1), ("b", "x", 5), ("a", "z", 0)] {
        ids.push(world.enqueue(&json!({"kind": kind, "queue": queue, "priority": priority})));
    }
    let claim = |body: Value| -> Vec<i64> {
        player
            .claim(&body)
            .iter()
            .map(|job| key_of(job).0)
            .collect()
    };
    assert_eq!(claim(json!({"slots": 9, "queues": ["z"]})), [0; 0]);
    assert_eq!(claim(json!({"slots": 9, "kinds": ["c"]})), [0; 0]);
    assert_eq!(claim(json!({"slots": 9, "kinds": ["b"]})), [ids[2]]);
    assert_eq!(claim(json!({"slots": 1})), [ids[1]]);
    assert_eq!(claim(json!({"slots": 9})), [ids[0]]);
}

#[test]
fn a_key_for_some_tenants_gets_only_their_jobs() {
    let world = World::new();
    let acme = world.tenant("acme");
    let key = world.key("acme-worker", &["worker"], Some(&[acme]));
    let body = json!({"name": "w", "slots": 100, "kinds": ["mail"]});
    let of_acme = Player::of_key(&world, key, &body);
    let of_all = Player::with(&world, &body);
    let enqueue = |tenant: &str| {
        let reply = world.send_with(
            &world.admin,
            "POST",
            "/belay/v1/jobs",
            &[("Belay-Tenant", tenant)],
            &json!({"kind": "mail"}),
        );
        reply.json()["id"].as_i64().unwrap()
    };
    let others: Vec<i64> = (0..20).map(|_| enqueue("default")).collect();
    let ours = enqueue("acme");
    let got = of_acme.claim(&json!({"slots": 100}));
    assert_eq!(got.iter().map(key_of).collect::<Vec<_>>(), [(ours, 1)]);
    assert_eq!(of_acme.claim(&json!({"slots": 100})).len(), 0);
    let got = of_all.claim(&json!({"slots": 100}));
    assert_eq!(
        got.iter().map(|job| key_of(job).0).collect::<Vec<_>>(),
        others
    );
}

#[test]
fn a_kind_that_the_daemon_takes_over_gives_nothing_any_more() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    world.enqueue(&json!({"kind": "mail"}));
    player.claim_one();
    let id = world.enqueue(&json!({"kind": "mail"}));
    world
        .db
        .tx(|c| ops::register_kinds(c, &[KindSpec::new("mail", "command")]))
        .unwrap();
    assert_eq!(player.claim(&json!({"slots": 1})).len(), 0);
    world
        .db
        .tx(|c| ops::register_kinds(c, &[KindSpec::new("mail", "remote")]))
        .unwrap();
    assert_eq!(player.claim_one().0, id);
}

#[test]
fn bad_claims_are_refused() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    world.enqueue(&json!({"kind": "mail"}));
    for (body, field) in [
        (json!({}), "slots"),
        (json!({"slots": 0}), "slots"),
        (json!({"slots": 1001}), "slots"),
        (json!({"slots": 1, "wait_s": 31}), "wait_s"),
        (json!({"slots": 1, "wait_s": -1}), "wait_s"),
        (json!({"slots": 1, "queues": []}), "queues"),
        (json!({"slots": 1, "kinds": "mail"}), "kinds"),
        (json!({"slots": 1, "wait": 1}), "wait"),
    ] {
        let reply = player.post("claim", &body);
        reply.problem(422, "invalid", &json!({"field": field}));
    }
    player.claim_one();
}

#[test]
fn a_worker_whose_lease_is_over_gets_nothing() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    world.enqueue(&json!({"kind": "mail"}));
    silence(&world, player.id);
    let lost = json!({"outcome": "worker_lost"});
    player
        .post("claim", &json!({"slots": 1}))
        .problem(409, "refused", &lost);
    player
        .post("claim", &json!({"slots": 1, "wait_s": 20}))
        .problem(409, "refused", &lost);
    player
        .post("beat", &json!({"jobs": []}))
        .problem(409, "refused", &lost);
}

#[test]
fn a_claim_that_waits_is_woken_by_an_enqueue() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let began = Instant::now();
    let (jobs, id) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| player.claim(&json!({"slots": 5, "wait_s": 25})));
        belay_testkit::eventually(Duration::from_secs(20), || sleeps(&world).then_some(()));
        let id = world.enqueue(&json!({"kind": "mail"}));
        (waiting.join().unwrap(), id)
    });
    assert_eq!(
        jobs.iter().map(|job| key_of(job).0).collect::<Vec<_>>(),
        [id]
    );
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_claim_that_waits_ends_when_its_time_is_over() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let began = Instant::now();
    assert_eq!(player.claim(&json!({"slots": 5, "wait_s": 0.3})).len(), 0);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(300), "{took:?}");
}

#[test]
fn work_of_a_line_that_is_new_is_found_by_who_waits() {
    let world = World::new();
    let player = Player::with(
        &world,
        &json!({"name": "w", "slots": 9, "kinds": ["a", "b"]}),
    );
    world.enqueue(&json!({"kind": "a"}));
    assert_eq!(player.claim(&json!({"slots": 9})).len(), 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| player.claim(&json!({"slots": 9, "wait_s": 25})));
        // Past the API and without a notification, as a COPY would.
        world
            .test_db
            .conn()
            .batch_execute("select belay.ensure_line('late', 'b', 5::smallint)")
            .unwrap();
        let id = world.enqueue(&json!({"kind": "b", "queue": "late"}));
        assert_eq!(key_of(&waiting.join().unwrap()[0]).0, id);
    });
}

#[test]
fn claims_at_once_never_give_a_job_twice() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let jobs = vec![ops::NewJob::new("mail"); 500];
    let actor = ops::Actor::new("test", ops::Via::Cli);
    world
        .db
        .tx(|c| ops::enqueue_many(c, 1, &jobs, &actor))
        .unwrap();
    let mut got: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut ids = Vec::new();
                    loop {
                        let jobs = player.claim(&json!({"slots": 20}));
                        if jobs.is_empty() {
                            return ids;
                        }
                        ids.extend(jobs.iter().map(|job| key_of(job).0));
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    got.sort_unstable();
    let mut once = got.clone();
    once.dedup();
    assert_eq!((got.len(), once.len()), (500, 500));
}

#[test]
fn a_job_whose_transaction_commits_late_is_found_left_of_the_floor() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    world.enqueue(&json!({"kind": "mail"}));
    player.claim_one();
    let mut late = world.test_db.conn();
    late.batch_execute("begin; select belay.enqueue('mail')")
        .unwrap();
    let jobs = vec![ops::NewJob::new("mail"); 1500];
    let actor = ops::Actor::new("test", ops::Via::Cli);
    world
        .db
        .tx(|c| ops::enqueue_many(c, 1, &jobs, &actor))
        .unwrap();
    for _ in 0..2 {
        player.claim(&json!({"slots": 1000}));
    }
    // Empty, so the floor follows the last ticket.
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(player.claim(&json!({"slots": 1000})).len(), 0);
    late.batch_execute("commit").unwrap();
    assert_eq!(player.claim(&json!({"slots": 9, "wait_s": 30})).len(), 1);
}

#[test]
fn a_poll_of_a_key_that_is_revoked_ends() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let row = world.get("/belay/v1/workers").json()["workers"][0].clone();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| player.post("claim", &json!({"slots": 1, "wait_s": 30})));
        belay_testkit::eventually(Duration::from_secs(20), || sleeps(&world).then_some(()));
        let name = row["key"].as_str().unwrap();
        world.send("DELETE", &format!("/belay/v1/keys/{name}"), &Value::Null);
        let id = world.enqueue(&json!({"kind": "mail"}));
        waiting
            .join()
            .unwrap()
            .problem(401, "unauthenticated", &json!({}));
        assert_eq!(super::support::job(&world, id)["state"], "queued");
    });
}
