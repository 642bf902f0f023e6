//! Reports.

use belay_testkit::eventually;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::support::{Player, job, key_of, rescue, silence};
use crate::support::World;

#[test]
fn every_outcome_does_what_it_says() {
    let world = World::new();
    let player = Player::with(
        &world,
        &json!({"name": "w", "slots": 9, "kinds": [{"name": "mail", "max_attempts": 2}]}),
    );
    let ids: Vec<i64> = (0..7)
        .map(|_| world.enqueue(&json!({"kind": "mail"})))
        .collect();
    player.claim(&json!({"slots": 9}));
    let outcomes = [
        (json!({"outcome": "completed"}), "completed"),
        (
            json!({"outcome": "failed", "error": "no such address", "retry": false}),
            "failed",
        ),
        (
            json!({"outcome": "failed", "error": "try later", "delay_s": 3600}),
            "scheduled",
        ),
        (
            json!({"outcome": "failed", "error": "too slow", "timed_out": true, "retry": false, "rung": "kill"}),
            "failed",
        ),
        (
            json!({"outcome": "snoozed", "delay_s": 3600.5}),
            "scheduled",
        ),
        (json!({"outcome": "cancelled"}), "scheduled"),
        (json!({"outcome": "failed"}), "scheduled"),
    ];
    let results: Vec<Value> = ids
        .iter()
        .zip(&outcomes)
        .map(|(id, (said, _))| {
            let mut result = said.clone();
            result["id"] = (*id).into();
            result["fence"] = 1.into();
            result
        })
        .collect();
    let expected: Vec<Value> = ids
        .iter()
        .zip(&outcomes)
        .map(|(id, (_, state))| json!({"id": id, "fence": 1, "accepted": true, "state": state}))
        .collect();
    player
        .post("finish", &json!({"results": results}))
        .expect(200, &json!({"results": expected}));
    for (id, (_, state)) in ids.iter().zip(&outcomes) {
        assert_eq!(job(&world, *id)["state"], *state);
    }
    assert_eq!(job(&world, ids[1])["error"], "no such address");
    // An attempt that was given back or snoozed is not used up; one that failed is.
    let attempts = [2, 4, 5].map(|i: usize| job(&world, ids[i])["attempt"].as_i64().unwrap());
    assert_eq!(attempts, [1, 0, 0]);
    let timeline = world
        .get(&format!("/belay/v1/jobs/{}/timeline", ids[3]))
        .text();
    assert!(
        timeline.contains("timed_out") && timeline.contains("kill"),
        "{timeline}"
    );
}

#[test]
fn a_failure_waits_as_its_kind_says() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    world
        .test_db
        .conn()
        .batch_execute(
            r#"update belay.kind set backoff = '{"policy":"fixed","wait":{"secs":5000,"nanos":0}}' where name = 'mail'"#,
        )
        .unwrap();
    let id = world.enqueue(&json!({"kind": "mail"}));
    let held = player.claim_one();
    player.finish(&[held], "failed").expect(
        200,
        &json!({"results": [{"id": id, "fence": 1, "accepted": true, "state": "scheduled"}]}),
    );
    let run_at = job(&world, id)["run_at"].as_str().unwrap().to_owned();
    let wait = chrono::DateTime::parse_from_rfc3339(&run_at)
        .unwrap()
        .to_utc()
        - chrono::Utc::now();
    assert!((4900..=5000).contains(&wait.num_seconds()), "{wait}");
}

#[test]
fn what_was_fenced_out_is_refused_and_the_rest_is_taken() {
    let world = World::new();
    let first = Player::new(&world, "mail");
    let second = Player::new(&world, "mail");
    let lost = world.enqueue(&json!({"kind": "mail"}));
    let held = first.claim_one();
    silence(&world, first.id);
    rescue(&world);
    let again = second.claim_one();
    assert_eq!((again.0, again.1), (lost, held.1 + 2));
    // The first one comes back.
    first.post("beat", &json!({"jobs": []})).problem(
        409,
        "refused",
        &json!({"outcome": "worker_lost"}),
    );
    let refused = |accepted: Value| json!({"results": [{"id": lost, "fence": held.1, "accepted": false, "reason": "fenced_out"}, accepted]});
    let kept = world.enqueue(&json!({"kind": "mail"}));
    let third = Player::new(&world, "mail");
    let other = third.claim_one();
    assert_eq!(other.0, kept);
    for outcome in ["completed", "failed", "snoozed", "cancelled"] {
        let mut result = json!({"id": lost, "fence": held.1, "outcome": outcome});
        if outcome == "snoozed" {
            result["delay_s"] = 1.into();
        }
        let reply = first.post("finish", &json!({"results": [result]}));
        assert_eq!(reply.status, 409, "{}", reply.text());
        assert_eq!(reply.json()["results"][0]["reason"], "fenced_out");
    }
    third.finish(&[held, other], "completed").problem(
        409,
        "refused",
        &refused(json!({"id": kept, "fence": 1, "accepted": true, "state": "completed"})),
    );
    assert_eq!(job(&world, lost)["state"], "running");
    assert_eq!(job(&world, lost)["worker"], second.id);
    assert_eq!(second.finish(&[again], "completed").status, 200);
}

#[test]
fn a_cancel_that_came_first_wins_whatever_is_reported() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    for outcome in ["completed", "failed", "snoozed", "cancelled"] {
        let id = world.enqueue(&json!({"kind": "mail"}));
        let (_, fence) = player.claim_one();
        world.post(
            &format!("/belay/v1/jobs/{id}/cancel"),
            &json!({"reason": "no"}),
        );
        let mut result = json!({"id": id, "fence": fence, "outcome": outcome});
        if outcome == "snoozed" {
            result["delay_s"] = 1.into();
        }
        if outcome == "cancelled" {
            result["rung"] = "term".into();
        }
        player.post("finish", &json!({"results": [result]})).expect(
            200,
            &json!({"results": [{"id": id, "fence": fence, "accepted": true, "state": "cancelled"}]}),
        );
        let rung = if outcome == "cancelled" {
            "term"
        } else {
            "cooperative"
        };
        assert_eq!(job(&world, id)["cancel"]["rung"], rung);
    }
}

#[test]
fn a_suspended_job_is_reported_on_when_it_goes_on() {
    let world = World::new();
    let player = Player::with(
        &world,
        &json!({"name": "w", "slots": 9, "kinds": [{"name": "mail", "can_suspend": true}]}),
    );
    let id = world.enqueue(&json!({"kind": "mail"}));
    let held = player.claim_one();
    let act = |verb: &str| world.post(&format!("/belay/v1/jobs/{id}/{verb}"), &json!({}));
    assert_eq!(act("suspend").status, 200);
    for outcome in ["completed", "failed"] {
        player.finish(&[held], outcome).problem(
            409,
            "refused",
            &json!({"results": [{"id": id, "fence": 1, "accepted": false, "reason": "suspended"}]}),
        );
    }
    assert_eq!(act("resume").status, 200);
    assert_eq!(player.finish(&[held], "completed").status, 200);
}

#[test]
fn output_is_kept_with_the_report() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let id = world.enqueue(&json!({"kind": "mail"}));
    player.claim_one();
    let long = format!("begin{}", "ö".repeat(40_000));
    let output = json!({"stdout": long, "stderr": "oh", "exit_code": 3, "signal": 9});
    let result = json!({"id": id, "fence": 1, "outcome": "failed", "retry": false, "error": "exit 3", "output": output});
    assert_eq!(
        player.post("finish", &json!({"results": [result]})).status,
        200
    );
    let reply = world.get(&format!("/belay/v1/jobs/{id}/output")).json();
    let kept = reply.to_string();
    assert!(!kept.contains("begin") && kept.contains("öööö"));
    assert!(
        kept.contains("\"exit_code\":3") && kept.contains("\"signal\":9"),
        "{}",
        &kept[kept.len() - 300..]
    );
    assert!(kept.contains("80005"), "the whole length");
}

#[test]
fn the_same_job_twice_in_a_batch_is_settled_once() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    for outcome in ["completed", "failed"] {
        let id = world.enqueue(&json!({"kind": "mail"}));
        let held = player.claim_one();
        let reply = player.finish(&[held, held], outcome);
        assert_eq!(reply.status, 409);
        let answers = &reply.json()["results"];
        assert_eq!(
            (&answers[0]["accepted"], &answers[1]["accepted"]),
            (&json!(true), &json!(false))
        );
        assert_ne!(job(&world, id)["state"], "running");
    }
}

#[test]
fn a_job_that_somebody_holds_locked_does_not_keep_the_others() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let ids: Vec<i64> = (0..5)
        .map(|_| world.enqueue(&json!({"kind": "mail"})))
        .collect();
    let held: Vec<(i64, i64)> = player
        .claim(&json!({"slots": 9}))
        .iter()
        .map(key_of)
        .collect();
    let mut holder = world.test_db.conn();
    holder
        .batch_execute(&format!(
            "begin; select from belay.job where id = {} for update",
            ids[2]
        ))
        .unwrap();
    let reply = player.finish(&held, "completed");
    assert_eq!(reply.status, 409, "{}", reply.text());
    for (i, answer) in reply.json()["results"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        if i == 2 {
            assert_eq!(
                (&answer["accepted"], &answer["reason"]),
                (&json!(false), &json!("busy"))
            );
        } else {
            assert_eq!(answer["state"], "completed");
        }
    }
    let alone = player.finish(&held[2..3], "completed");
    alone.problem(503, "busy", &json!({}));
    assert_eq!(alone.header("retry-after"), Some("1"));
    holder.batch_execute("rollback").unwrap();
    eventually(std::time::Duration::from_secs(20), || {
        (player.finish(&held[2..3], "completed").status == 200).then_some(())
    });
}

#[test]
fn bad_reports_change_nothing() {
    let world = World::new();
    let player = Player::new(&world, "mail");
    let id = world.enqueue(&json!({"kind": "mail"}));
    let (_, fence) = player.claim_one();
    let good = json!({"id": id, "fence": fence, "outcome": "completed"});
    for (member, value, field) in [
        ("id", json!(null), "results[1].id"),
        ("id", json!(0), "results[1].id"),
        ("id", json!("7"), "results[1].id"),
        ("fence", json!(null), "results[1].fence"),
        ("fence", json!(-1), "results[1].fence"),
        ("fence", json!(4_294_967_296_i64), "results[1].fence"),
        ("outcome", json!("done"), "results[1].outcome"),
        ("outcome", json!(null), "results[1].outcome"),
        ("outcome", json!("snoozed"), "results[1].delay_s"),
        ("delay_s", json!(1), "results[1].delay_s"),
        ("rung", json!("term"), "results[1].rung"),
        ("extra", json!(1), "results[1].extra"),
        ("output", json!("text"), "results[1].output"),
        ("output", json!({"stdin": "x"}), "results[1].output.stdin"),
        ("output", json!({"stdout": 7}), "results[1].output.stdout"),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        let reply = player.post("finish", &json!({"results": [good, bad]}));
        let problem = reply.json();
        assert_eq!(
            (reply.status, &problem["field"]),
            (422, &json!(field)),
            "{bad} {problem}"
        );
    }
    for body in [
        json!({}),
        json!({"results": []}),
        json!({"results": vec![good.clone(); 1001]}),
    ] {
        player
            .post("finish", &body)
            .problem(422, "invalid", &json!({"field": "results"}));
    }
    assert_eq!(job(&world, id)["state"], "running");
    assert_eq!(player.finish(&[(id, fence)], "completed").status, 200);
}
