//! Heartbeats: what is told, and what a check gives back.

use diesel::connection::SimpleConnection;
use serde_json::json;

use super::support::{Player, job, key_of, named, rescue};
use crate::support::World;

#[test]
fn a_cancel_is_told_with_its_reason_and_the_grace_of_the_kind() {
    let world = World::new();
    let player = Player::with(
        &world,
        &json!({"name": "w", "slots": 9, "kinds": [{"name": "mail", "grace_s": 2.5, "can_suspend": true}]}),
    );
    let ids: Vec<i64> = (0..3)
        .map(|_| world.enqueue(&json!({"kind": "mail"})))
        .collect();
    let held: Vec<(i64, i64)> = player
        .claim(&json!({"slots": 9}))
        .iter()
        .map(key_of)
        .collect();
    let nothing = json!({"lease_s": 15.0, "cancel": [], "suspend": [], "lost": [], "drain": false});
    assert_eq!(player.beat(&held), nothing);
    world.post(
        &format!("/belay/v1/jobs/{}/cancel", ids[0]),
        &json!({"reason": "wrong month"}),
    );
    world.post(&format!("/belay/v1/jobs/{}/suspend", ids[1]), &json!({}));
    let told = player.beat(&held);
    assert_eq!(
        told["cancel"],
        json!([{"id": ids[0], "fence": 1, "reason": "wrong month", "grace_s": 2.5}])
    );
    assert_eq!(told["suspend"], json!([{"id": ids[1], "fence": 1}]));
    world.post(&format!("/belay/v1/jobs/{}/resume", ids[1]), &json!({}));
    assert_eq!(player.beat(&held)["suspend"], json!([]));
    assert_eq!(player.finish(&held[..1], "cancelled").status, 200);
    assert_eq!(player.beat(&held[1..]), nothing);
}

#[test]
fn what_is_not_held_any_more_is_lost() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let id = world.enqueue(&json!({"kind": "mail"}));
    let held = player.claim_one();
    let forced = world.post(
        &format!("/belay/v1/jobs/{id}/cancel"),
        &json!({"force": true}),
    );
    assert_eq!(forced.status, 200, "{}", forced.text());
    let stranger = (id + 1000, 1);
    assert_eq!(
        player.beat(&[held, stranger])["lost"],
        json!([{"id": id, "fence": 1}, {"id": stranger.0, "fence": 1}])
    );
}

#[test]
fn progress_and_output_are_kept_while_a_job_runs() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let id = world.enqueue(&json!({"kind": "mail"}));
    player.claim_one();
    let show = |done: i64, fence: i64| {
        let body = json!({"jobs": [{"id": id, "fence": fence, "progress": {"done": done, "total": 9, "message": "m"}, "output": {"stdout": format!("{done}")}}]});
        assert_eq!(player.post("beat", &body).status, 200);
    };
    show(4, 1);
    show(5, 2);
    assert_eq!(
        job(&world, id)["progress"],
        json!({"done": 4, "total": 9, "message": "m"})
    );
    let output = world.get(&format!("/belay/v1/jobs/{id}/output")).text();
    assert!(output.contains("\"stdout\":\"4\""), "{output}");
}

#[test]
fn a_check_gives_back_what_is_not_named() {
    let world = World::new();
    let player = Player::with(
        &world,
        &json!({"name": "w", "slots": 9, "kinds": [{"name": "mail", "can_suspend": true}]}),
    );
    let ids: Vec<i64> = (0..4)
        .map(|_| world.enqueue(&json!({"kind": "mail"})))
        .collect();
    let held: Vec<(i64, i64)> = player
        .claim(&json!({"slots": 9}))
        .iter()
        .map(key_of)
        .collect();
    world.post(&format!("/belay/v1/jobs/{}/cancel", ids[2]), &json!({}));
    world.post(&format!("/belay/v1/jobs/{}/suspend", ids[3]), &json!({}));
    // Without the word nothing happens: an answer may be on its way.
    player.beat(&[]);
    assert_eq!(job(&world, ids[1])["state"], "running");
    let reply = player.post("beat", &json!({"jobs": named(&held[..1]), "check": true}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    rescue(&world);
    let states = ids
        .iter()
        .map(|id| job(&world, *id)["state"].as_str().unwrap().to_owned());
    assert_eq!(
        states.collect::<Vec<_>>(),
        ["running", "queued", "cancelled", "queued"]
    );
    for id in [ids[1], ids[3]] {
        assert_eq!(job(&world, id)["attempt"], 0);
        let timeline = world.get(&format!("/belay/v1/jobs/{id}/timeline")).text();
        assert!(timeline.contains("released"), "{timeline}");
    }
    // They come again, under a new fence, and the old one counts for nothing.
    let mut again: Vec<(i64, i64)> = player
        .claim(&json!({"slots": 9}))
        .iter()
        .map(key_of)
        .collect();
    again.sort_unstable();
    assert_eq!(
        again.iter().map(|key| key.0).collect::<Vec<_>>(),
        [ids[1], ids[3]]
    );
    assert_eq!(player.finish(&held[1..2], "completed").status, 409);
    assert_eq!(player.finish(&again, "completed").status, 200);
    assert_eq!(player.finish(&held[..1], "completed").status, 200);
}

#[test]
fn a_check_finds_jobs_of_any_line_behind_others_that_run() {
    let world = World::new();
    let other = Player::new(&world, "mail");
    let player = Player::new(&world, "mail");
    for priority in [1, 5, 9] {
        for _ in 0..3 {
            world.enqueue(&json!({"kind": "mail", "priority": priority}));
        }
    }
    assert_eq!(other.claim(&json!({"slots": 4})).len(), 4);
    assert_eq!(player.claim(&json!({"slots": 4})).len(), 4);
    assert_eq!(
        player
            .post("beat", &json!({"jobs": [], "check": true}))
            .status,
        200
    );
    rescue(&world);
    assert_eq!(other.claim(&json!({"slots": 9})).len(), 5);
}

#[test]
fn a_claim_that_began_before_a_check_gives_nothing_after_it() {
    use belay_core::ops::{Line, LineFloor, remote};
    let world = World::new();
    let player = Player::new(&world, "mail");
    world.enqueue(&json!({"kind": "mail"}));
    assert_eq!(
        player
            .post("beat", &json!({"jobs": [], "check": true}))
            .status,
        200
    );
    let line = LineFloor {
        line: Line {
            priority: 5,
            queue: "default".into(),
            kind: "mail".into(),
        },
        floor: 0,
    };
    let late = world
        .db
        .read(|c| remote::claim(c, player.id, 0, None, std::slice::from_ref(&line), 9));
    assert_eq!(late.unwrap().len(), 0);
    player.claim_one();
}

#[test]
fn a_drained_worker_is_told_and_gets_nothing_more() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    world.enqueue(&json!({"kind": "mail"}));
    let path = format!("/belay/v1/workers/{}/drain", player.id);
    let writer = world.key("writer", &["read", "write", "worker"], None);
    world
        .send_as(&writer, "POST", &path, &json!({}))
        .problem(403, "forbidden", &json!({}));
    assert_eq!(player.beat(&[])["drain"], false);
    assert_eq!(world.post(&path, &json!({})).status, 204);
    assert_eq!(player.beat(&[])["drain"], true);
    assert_eq!(player.claim(&json!({"slots": 1})).len(), 0);
    let row = &world.get("/belay/v1/workers").json()["workers"][0];
    assert_eq!(row["drain"], true);
    let missing = world.post("/belay/v1/workers/999/drain", &json!({}));
    missing.problem(404, "not-found", &json!({}));
}

#[test]
fn bad_heartbeats_renew_nothing() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    world
        .test_db
        .conn()
        .batch_execute("update belay.worker set beat_at = now() - interval '5 s'")
        .unwrap();
    for (body, field) in [
        (json!({}), "jobs"),
        (json!({"jobs": 7}), "jobs"),
        (json!({"jobs": [7]}), "jobs[0]"),
        (json!({"jobs": [{"id": 7}]}), "jobs[0].fence"),
        (
            json!({"jobs": [{"id": 7, "fence": 1, "progress": {}}]}),
            "jobs[0].progress.done",
        ),
        (
            json!({"jobs": [{"id": 7, "fence": 1, "progress": {"done": -1}}]}),
            "jobs[0].progress.done",
        ),
        (
            json!({"jobs": [{"id": 7, "fence": 1, "state": "x"}]}),
            "jobs[0].state",
        ),
        (json!({"jobs": [], "check": 1}), "check"),
    ] {
        let reply = player.post("beat", &body);
        reply.problem(422, "invalid", &json!({"field": field}));
    }
    let row = &world.get("/belay/v1/workers").json()["workers"][0];
    let beat = chrono::DateTime::parse_from_rfc3339(row["beat_at"].as_str().unwrap()).unwrap();
    assert!((chrono::Utc::now() - beat.to_utc()).num_seconds() >= 5);
}
