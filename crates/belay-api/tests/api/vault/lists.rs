//! The lists of unfinished and of finished jobs.

use belay_core::JobState;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::{accepted, cancel_ids, expect, expect_failure, get, queued};
use crate::support::World;
use crate::support::vault_states::{ALL, job_in};

/// The numbers of the jobs on a page.
#[track_caller]
fn ids(world: &World, path: &str) -> Vec<i64> {
    let body = get(world, &format!("/services/jobs/{path}")).json();
    assert_eq!(body["responseStatus"], "SUCCESS", "{body:#}");
    let jobs = body["jobs"].as_array().unwrap();
    jobs.iter()
        .map(|job| job["job_id"].as_i64().unwrap())
        .collect()
}

#[test]
fn a_list_tells_of_each_job() {
    let world = World::new();
    let done = world.completed();
    let waiting = queued(&world, 1)[0];
    let mut job = json!({
        "job_id": waiting, "title": "noop", "status": "QUEUED", "created_by": "root", "created_date": "[time]",
        "modified_by": "root", "modified_date": "[time]", "run_start_date": "[time]"
    });
    let page = |name: &str, job: &Value| {
        json!({
            "responseStatus": "SUCCESS", "responseMessage": "OK",
            "url": format!("/api/v26.1/services/jobs/{name}?limit=50&offset=0"),
            "responseDetails": {"total": 1, "limit": 50, "offset": 0}, "jobs": [job]
        })
    };
    expect(
        &get(&world, "/services/jobs/monitors"),
        200,
        &page("monitors", &job),
    );
    job["job_id"] = done.into();
    job["status"] = "SUCCESS".into();
    job["run_end_date"] = "[time]".into();
    expect(
        &get(&world, "/services/jobs/histories"),
        200,
        &page("histories", &job),
    );
}

#[test]
fn who_cancelled_has_modified() {
    let world = World::new();
    let id = queued(&world, 1)[0];
    let key = world.key("other", &["vault:write"], None);
    let body = format!(r#"[{{"job_id":{id}}}]"#);
    super::send_as(&world, &key, "POST", super::CANCEL, &[], body);
    let job = get(&world, "/services/jobs/histories").json()["jobs"][0].clone();
    assert_eq!(
        (&job["created_by"], &job["modified_by"]),
        (&json!("root"), &json!("other"))
    );
    assert_eq!(job["modified_date"], job["run_end_date"]);
}

#[test]
fn states_are_chosen_by_their_words() {
    let world = World::new();
    let jobs = ALL.map(|state| (state, job_in(&world, state)));
    let of = |wanted: &[JobState]| -> Vec<i64> {
        let mut ids: Vec<i64> = jobs
            .iter()
            .filter(|(state, _)| wanted.contains(state))
            .map(|(_, id)| *id)
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids
    };
    use JobState as S;
    for (path, states) in [
        (
            "monitors",
            &[
                S::Open,
                S::Scheduled,
                S::Queued,
                S::Running,
                S::Suspended,
                S::Cancelling,
            ][..],
        ),
        ("monitors?status=queueing", &[S::Open]),
        ("monitors?status=scheduled", &[S::Scheduled]),
        ("monitors?status=queued", &[S::Queued]),
        ("monitors?status=running", &[S::Running, S::Suspended]),
        ("monitors?status=cancelling", &[S::Cancelling]),
        ("histories", &[S::Completed, S::Failed, S::Cancelled]),
        ("histories?status=success", &[S::Completed]),
        ("histories?status=errors_encountered", &[S::Failed]),
        ("histories?status=cancelled", &[S::Cancelled]),
        ("histories?status=failed_to_run", &[]),
        ("histories?status=missed_schedule", &[]),
        ("histories?status=timeout", &[]),
        ("histories?status=completed_due_to_inactivity", &[]),
        // What nobody knows is ignored, and what is empty is not there.
        (
            "histories?status=&x=y&limit=",
            &[S::Completed, S::Failed, S::Cancelled],
        ),
    ] {
        assert_eq!(ids(&world, path), of(states), "{path}");
    }
}

#[test]
fn pages_lead_to_one_another() {
    let world = World::new();
    let mut all = queued(&world, 5);
    all.reverse();
    let path = "/services/jobs/monitors?status=queued&limit=2";
    let url = |offset: i64| format!("/api/v26.1{path}&offset={offset}");
    let mut next = Some(url(0));
    let mut seen = Vec::new();
    let mut offset = 0;
    while let Some(at) = next {
        let body = super::send(&world, "GET", &at, &[], "").json();
        assert_eq!(body["url"], url(offset));
        let details = &body["responseDetails"];
        let mut expected = json!({"total": 5, "limit": 2, "offset": offset});
        if offset < 4 {
            expected["next_page"] = url(offset + 2).into();
        }
        if offset > 0 {
            expected["previous_page"] = url(offset - 2).into();
        }
        assert_eq!(details, &expected);
        let jobs = body["jobs"].as_array().unwrap();
        seen.extend(jobs.iter().map(|job| job["job_id"].as_i64().unwrap()));
        next = details["next_page"].as_str().map(ToOwned::to_owned);
        offset += 2;
    }
    assert_eq!(seen, all);
    let body = get(&world, "/services/jobs/monitors?limit=200&offset=1").json();
    assert_eq!(
        body["responseDetails"],
        json!({"total": 5, "limit": 200, "offset": 1, "previous_page": "/api/v26.1/services/jobs/monitors?limit=200&offset=0"})
    );
    assert!(ids(&world, "monitors?offset=4711").is_empty());
}

#[test]
fn times_bound_when_jobs_were_made() {
    let world = World::new();
    let all = queued(&world, 3);
    let mut conn = world.test_db.conn();
    // The time of creation never changes otherwise.
    conn.batch_execute("set session_replication_role = replica")
        .unwrap();
    for (id, time) in all.iter().zip(["10:00:00", "10:00:01", "10:00:02"]) {
        let sql = format!("update belay.job set created_at = '2026-01-15T{time}Z' where id = {id}");
        conn.batch_execute(&sql).unwrap();
    }
    for (query, expected) in [
        ("start_date=2026-01-15T10:00:01Z", vec![all[2], all[1]]),
        ("end_date=2026-01-15T10:00:01Z", vec![all[1], all[0]]),
        (
            "start_date=2026-01-15T10:00:01Z&end_date=2026-01-15T10:00:01Z",
            vec![all[1]],
        ),
        ("start_date=2026-01-15T10:00:03Z", vec![]),
        (
            "start_date=2026-01-15T10:00:02Z&end_date=2026-01-15T10:00:00Z",
            vec![],
        ),
    ] {
        assert_eq!(
            ids(&world, &format!("monitors?{query}")),
            expected,
            "{query}"
        );
    }
    let body = get(
        &world,
        "/services/jobs/monitors?end_date=2026-01-15T10:00:02Z&limit=1",
    )
    .json();
    assert_eq!(
        body["responseDetails"]["next_page"],
        "/api/v26.1/services/jobs/monitors?end_date=2026-01-15T10:00:02Z&limit=1&offset=1"
    );
}

#[test]
fn values_that_are_not_allowed_are_named() {
    let world = World::new();
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "offset=-1",
        "offset=x",
        "offset=9223372036854775807",
        "offset=99999999999999999999",
        "status=nothing",
        "status=QUEUED",
        "start_date=2026-01-15",
        "start_date=2026-01-15T10:00:00",
        "start_date=2026-01-15T10:00:00%2B01:00",
        "start_date=2026-13-15T10:00:00Z",
        "end_date=2026-1-15T10:00:00Z",
        "end_date=now",
    ] {
        for list in ["monitors", "histories"] {
            let reply = get(&world, &format!("/services/jobs/{list}?{query}"));
            let message = expect_failure(&reply, 200, "INVALID_DATA");
            let (name, _) = query.split_once('=').unwrap();
            assert!(message.contains(&format!("[{name}]")), "{query}: {message}");
        }
    }
    for path in ["monitors?status=success", "histories?status=queued"] {
        let reply = get(&world, &format!("/services/jobs/{path}"));
        expect_failure(&reply, 200, "INVALID_DATA");
    }
    let reply = get(&world, "/services/jobs/monitors?limit=1&limit=2");
    expect_failure(&reply, 200, "INVALID_DATA");
}

#[test]
fn only_the_tenant_itself_is_listed() {
    let world = World::new();
    let other = world.tenant("other");
    let id = queued(&world, 1)[0];
    let key = world.key("theirs", &["vault:read", "vault:write"], Some(&[other]));
    for list in ["monitors", "histories"] {
        let path = format!("/api/v26.1/services/jobs/{list}");
        let reply = super::send_as(&world, &key, "GET", &path, &[], "");
        assert_eq!(reply.json()["responseDetails"]["total"], 0);
        assert_eq!(cancel_ids(&world, &[id]).len(), 1);
    }
    assert_eq!(ids(&world, "histories"), [id]);
    assert_eq!(accepted(id)["data"]["id"], id);
}
