//! What a wish does in each state.

use belay_core::JobState;
use belay_core::ops::Verdict;
use serde_json::Value;

use super::{JOBS, fault};
use crate::support::{Reply, World};

const CLOSE: &str = "UploadComplete";
const ABORT: &str = "Aborted";

/// Sends a request through the interface `jobs`.
fn as_customer(world: &World, method: &str, path: &str, body: &Value) -> Reply {
    world.send_with(&world.admin, method, path, &[("Customer-Id", "1")], body)
}

/// State, the two answers (a word with 200, or 409), and whether uploaded data is left after the abort.
#[test]
fn every_state_and_both_wishes() {
    for (state, closed, aborted) in [
        (JobState::Open, Some("UploadComplete"), Some("Aborted")),
        (JobState::Scheduled, Some("UploadComplete"), Some("Aborted")),
        (JobState::Queued, Some("UploadComplete"), Some("Aborted")),
        (JobState::Running, Some("InProgress"), Some("Aborted")),
        (JobState::Suspended, Some("InProgress"), Some("Aborted")),
        (JobState::Cancelling, None, Some("Aborted")),
        (JobState::Cancelled, None, Some("Aborted")),
        (JobState::Completed, Some("JobComplete"), None),
        (JobState::Failed, Some("Failed"), None),
    ] {
        for (wish, expected) in [(CLOSE, closed), (ABORT, aborted)] {
            let world = World::new();
            let (id, _) = world.ingest_in(state);
            let before = world.get(&format!("{JOBS}/{id}"));
            let reply = world.wish(&id, wish);
            let after = world.get(&format!("{JOBS}/{id}"));
            match expected {
                Some(word) => {
                    assert_eq!(reply.status, 200, "{state} {wish}: {}", reply.text());
                    assert_eq!(reply.json()["state"], word, "{state} {wish}");
                    let stays = before.json()["state"] == word && state != JobState::Open;
                    let moved = before.json()["systemModstamp"] != after.json()["systemModstamp"];
                    assert_ne!(stays, moved, "{state} {wish}");
                }
                None => {
                    let body = fault(&reply, 409, "CONFLICT");
                    let message = body["message"].as_str().unwrap();
                    let word = before.json()["state"].as_str().unwrap().to_owned();
                    assert!(message.contains(&word), "{state} {wish}: {message}");
                    assert_eq!(
                        before.json()["systemModstamp"],
                        after.json()["systemModstamp"],
                        "{state} {wish}"
                    );
                }
            }
            if wish == ABORT && expected.is_some() {
                assert_eq!(world.stored(), (0, 0, 0), "{state}");
            }
            // A repeat is answered alike and changes nothing.
            let again = world.wish(&id, wish);
            assert_eq!(again.status, reply.status, "{state} {wish}");
            assert_eq!(
                world.get(&format!("{JOBS}/{id}")).json()["systemModstamp"],
                after.json()["systemModstamp"],
                "{state} {wish}"
            );
            // Nothing can be added after either.
            fault(&world.upload(&id, super::CSV), 409, "CONFLICT");
        }
    }
}

#[test]
fn an_abort_of_a_running_job_tells_its_worker_and_nothing_brings_it_back() {
    let world = World::new();
    let (id, claimed) = world.ingest_in(JobState::Running);
    let claimed = claimed.unwrap();
    assert_eq!(world.wish(&id, ABORT).json()["state"], "Aborted");
    let told = world.number(&format!(
        "select count(*) as n from belay.job where id = {} and state = 'cancelling' and cancel_at is not null",
        claimed.id
    ));
    assert_eq!(told, 1, "what the worker's next heartbeat reads");
    world.report(&claimed, Verdict::Completed);
    assert_eq!(world.word(&id), "Aborted");
    let native = world.get(&format!("/belay/v1/jobs/{id}")).json();
    assert_eq!(native["state"], "cancelled");
    assert_eq!(native["cancel"]["interface"], "ingest");
    assert_eq!(world.wish(&id, ABORT).status, 200);
}

#[test]
fn a_time_for_which_an_open_job_is_planned_is_no_change_of_its_state() {
    let world = World::new();
    let (id, _) = world.ingest_in(JobState::Open);
    let path = format!("{JOBS}/{id}");
    let number = world.get(&format!("/belay/v1/jobs/{id}")).json()["id"].clone();
    let later = serde_json::json!({"plannedStartAt": "2999-12-24T18:00:00.000Z"});
    let planned = as_customer(
        &world,
        "PUT",
        &format!("/v1/jobs/{number}/schedule"),
        &later,
    );
    assert_eq!(planned.status, 204, "{}", planned.text());
    let stamp = |body: Value| body["systemModstamp"].as_str().unwrap().to_owned();
    let before = stamp(world.get(&path).json());
    assert!(before.as_str() < "2999", "{before}");
    assert_eq!(world.wish(&id, CLOSE).status, 200);
    assert!(before < stamp(world.get(&path).json()));
}

#[test]
fn a_job_of_any_kind_that_is_deleted_here_is_gone_and_one_that_lost_its_data_elsewhere_is_not() {
    let world = World::new();
    for (through, status, left) in [("ingest", 204, 404), ("native", 204, 200)] {
        let job = world.make(JobState::Completed);
        let job = world.seen(job.id);
        let paths = [
            format!("{JOBS}/{}", job.uid()),
            format!("/api/actions/bulk/jobs/{}", job.uid()),
        ];
        for path in &paths {
            assert_eq!(world.get(path).status, 200, "{path}");
        }
        let customer = format!("/v1/jobs/{}", job.id);
        let customer = || as_customer(&world, "GET", &customer, &Value::Null).status;
        assert_eq!(customer(), 200);
        let data = format!("/belay/v1/jobs/{}/data", job.id);
        let path = if through == "ingest" {
            &paths[0]
        } else {
            &data
        };
        let deleted = world.send("DELETE", path, &Value::Null);
        assert_eq!(deleted.status, status, "{}", deleted.text());
        for path in &paths {
            assert_eq!(world.get(path).status, left, "{through} {path}");
        }
        assert_eq!(customer(), left, "{through}");
        let native = world.get(&format!("/belay/v1/jobs/{}", job.id));
        assert_eq!(native.status, 200, "operators still see it");
    }
}

#[test]
fn jobs_are_deleted_by_state() {
    for (state, gone) in [
        (JobState::Open, false),
        (JobState::Scheduled, true),
        (JobState::Queued, true),
        (JobState::Running, false),
        (JobState::Suspended, false),
        (JobState::Cancelling, true),
        (JobState::Cancelled, true),
        (JobState::Completed, true),
        (JobState::Failed, true),
    ] {
        let world = World::new();
        let (id, claimed) = world.ingest_in(state);
        let path = format!("{JOBS}/{id}");
        let reply = world.send("DELETE", &path, &Value::Null);
        if !gone {
            let body = fault(&reply, 409, "CONFLICT");
            let word = world.word(&id);
            assert!(body["message"].as_str().unwrap().contains(&word), "{state}");
            assert_eq!(world.stored().1, 1, "{state}");
            continue;
        }
        assert_eq!(reply.status, 204, "{state}: {}", reply.text());
        fault(&world.get(&path), 404, "NOT_FOUND");
        assert_eq!(world.get(JOBS).text(), "{\"data\":[]}", "{state}");
        assert_eq!(world.stored(), (0, 0, 0), "{state}");
        let left = "select count(*) as n from belay.job_done where payload = '{}' and data_deleted_at is not null";
        assert_eq!(world.number(left), 1, "{state}: its row stays");
        if let Some(claimed) = claimed.filter(|_| state == JobState::Cancelling) {
            // Its worker finds that the job was taken away.
            let report = belay_core::ops::Report {
                id: claimed.id,
                fence: claimed.fence,
                verdict: Verdict::Completed,
            };
            let settled = world
                .db
                .tx(|c| belay_core::ops::settle(c, 1, std::slice::from_ref(&report)))
                .unwrap();
            assert_eq!(settled, [belay_core::ops::Settled::Stale]);
        }
    }
}
