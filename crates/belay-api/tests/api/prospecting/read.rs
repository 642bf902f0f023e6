//! Seeing jobs and account groups.

use belay_core::JobState;
use belay_core::ops::{self, ProgressRow};
use serde_json::{Value, json};

use super::{failure, group, job, jobs, success};
use crate::support::{Wish, World};

#[test]
fn a_job_is_shown_whole() {
    let world = World::new();
    for state in JobState::ALL {
        let made = world.make(state);
        let stored = world.seen(made.id);
        let data = success(
            &world.get(&job(&world, made.id)),
            200,
            &json!({
                "jobId": stored.key(), "type": "prospecting", "status": "[text]", "createdAt": "[time]", "updatedAt": "[time]", "stages": {},
                "error": if state == JobState::Failed { json!({"code": "[text]", "message": "made to fail"}) } else { Value::Null }
            }),
        );
        let last = [
            stored.claimed_at,
            stored.finished_at,
            stored.cancel().map(|mark| mark.at),
        ];
        let last = last
            .into_iter()
            .flatten()
            .max()
            .unwrap_or(stored.created_at);
        let text = last.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        assert_eq!(data["updatedAt"], text.as_str(), "{state}");
    }
}

#[test]
fn progress_is_a_stage() {
    let world = World::new();
    let made = world.make(JobState::Running);
    let save = |done, total| {
        let row = ProgressRow {
            job: made.id,
            fence: made.fence,
            attempt: 1,
            done,
            total,
            message: None,
        };
        world
            .db
            .tx(|c| ops::save_progress(c, made.worker, std::slice::from_ref(&row)))
            .unwrap();
        world.get(&job(&world, made.id)).json()["data"]["stages"].clone()
    };
    assert_eq!(
        save(1, Some(4)),
        json!({"run": {"status": "running", "progress": 0.25}})
    );
    assert_eq!(
        save(5, Some(4)),
        json!({"run": {"status": "running", "progress": 1.0}})
    );
    assert_eq!(
        save(5, None),
        json!({"run": {"status": "running", "progress": 0.0}})
    );
}

#[test]
fn a_walk_meets_every_job_once_newest_first() {
    let world = World::new();
    let mut ids: Vec<i64> = (0..7).map(|_| world.make(JobState::Queued).id).collect();
    ids.extend(JobState::ALL.map(|state| world.make(state).id));
    ids.reverse();
    let keys: Vec<String> = ids.iter().map(|id| world.seen(*id).key()).collect();
    let mut met = Vec::new();
    let mut cursor = String::new();
    let mut pages = 0;
    loop {
        let path = format!("{}?limit=4{cursor}", jobs(&world));
        let data = world.get(&path).json()["data"].clone();
        let items = data["items"].as_array().unwrap();
        met.extend(
            items
                .iter()
                .map(|item| item["jobId"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        if pages == 1 {
            // What changes or appears meanwhile moves nothing.
            world.make(JobState::Queued);
            world.cancelled_by_maker(ids[15]);
        }
        assert_eq!(data["hasMore"], !data["nextCursor"].is_null());
        match data["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((met, pages), (keys, 4));
}

#[test]
fn an_item_is_this_and_a_page_has_twenty() {
    let world = World::new();
    for _ in 0..21 {
        world.make(JobState::Queued);
    }
    let reply = world.get(&jobs(&world));
    let items = reply.json()["data"]["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 20);
    crate::support::assert_matches(
        &items[0],
        &json!({"jobId": "[key]", "type": "prospecting", "status": "queued", "createdAt": "[time]", "updatedAt": "[time]"}),
    );
    assert_eq!(reply.json()["data"]["hasMore"], true);
    let last = world.get(&format!("{}?limit=100", jobs(&world))).json();
    assert_eq!(last["data"]["items"].as_array().unwrap().len(), 21);
    assert_eq!(
        (&last["data"]["nextCursor"], &last["data"]["hasMore"]),
        (&Value::Null, &json!(false))
    );
}

#[test]
fn a_status_chooses() {
    let world = World::new();
    for state in JobState::ALL {
        world.make(state);
    }
    for (word, n) in [
        ("queued", 3),
        ("running", 2),
        ("cancelled", 2),
        ("completed", 1),
        ("failed", 1),
    ] {
        let data = world.get(&format!("{}?status={word}", jobs(&world))).json()["data"].clone();
        let items = data["items"].as_array().unwrap();
        assert_eq!(items.len(), n, "{word}");
        assert!(
            items.iter().all(|item| item["status"] == word),
            "{word}: {items:?}"
        );
    }
}

#[test]
fn parameters_that_mean_nothing_are_refused_and_unknown_ones_ignored() {
    let world = World::new();
    world.make(JobState::Queued);
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=-1",
        "limit=1&limit=2",
        "status=open",
        "status=QUEUED",
        "status=cancelling",
        "cursor=1",
        "cursor=p0000000000000000",
        "cursor=p000000000000004D",
        "cursor=x",
    ] {
        let reply = world.get(&format!("{}?{query}", jobs(&world)));
        failure(&reply, 400, "VALIDATION_ERROR");
    }
    assert_eq!(
        world
            .get(&format!("{}?whatever=1&limit=1", jobs(&world)))
            .status,
        200
    );
}

#[test]
fn account_groups_are_those_the_key_can_reach() {
    let world = World::new();
    let other = world.tenant("other");
    let only = world.key("only", &["prospecting:read"], Some(&[other]));
    let item =
        |name: &str, id: i32| json!({"id": group(&world, id), "name": name, "createdAt": "[time]"});
    let page = |items: Value| json!({"items": items, "nextCursor": null, "hasMore": false});
    success(
        &world.get("/v1/accounts"),
        200,
        &page(json!([item("default", 1), item("other", other)])),
    );
    success(
        &world.send_as(&only, "GET", "/v1/accounts", &Value::Null),
        200,
        &page(json!([item("other", other)])),
    );
}

#[test]
fn jobs_of_every_interface_are_there_and_of_no_other_group() {
    let world = World::new();
    let other = world.tenant("other");
    world.enqueue(&json!({"kind": "noop"}));
    let theirs = Wish {
        tenant: other,
        ..Wish::default()
    };
    world.make_with(JobState::Queued, &theirs);
    let items = world.get(&jobs(&world)).json()["data"]["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1);
}
