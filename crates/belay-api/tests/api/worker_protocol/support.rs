//! A remote worker as the tests play it.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::support::{Reply, World};

/// A worker that registered with a key of its own.
pub(super) struct Player<'a> {
    pub(super) world: &'a World,
    pub(super) key: String,
    pub(super) id: i64,
}

static KEYS: AtomicU32 = AtomicU32::new(0);

impl<'a> Player<'a> {
    /// Registers for one kind, with a key for all tenants.
    pub(super) fn new(world: &'a World, kind: &str) -> Self {
        Self::with(world, &json!({"name": "w", "kinds": [kind], "slots": 100}))
    }

    pub(super) fn with(world: &'a World, body: &Value) -> Self {
        let name = format!("worker-{}", KEYS.fetch_add(1, Ordering::Relaxed));
        let key = world.key(&name, &["worker"], None);
        Self::of_key(world, key, body)
    }

    pub(super) fn of_key(world: &'a World, key: String, body: &Value) -> Self {
        let reply = world.send_as(&key, "POST", "/belay/v1/worker/register", body);
        assert_eq!(reply.status, 201, "{}", reply.text());
        let id = reply.json()["worker"].as_i64().unwrap();
        Self { world, key, id }
    }

    pub(super) fn path(&self, verb: &str) -> String {
        format!("/belay/v1/worker/{}/{verb}", self.id)
    }

    pub(super) fn post(&self, verb: &str, body: &Value) -> Reply {
        self.world
            .send_as(&self.key, "POST", &self.path(verb), body)
    }

    /// Claims and answers the jobs.
    #[track_caller]
    pub(super) fn claim(&self, body: &Value) -> Vec<Value> {
        let reply = self.post("claim", body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["jobs"].as_array().unwrap().clone()
    }

    /// Claims the one job there is: its number and the fence.
    #[track_caller]
    pub(super) fn claim_one(&self) -> (i64, i64) {
        let jobs = self.claim(&json!({"slots": 10}));
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        key_of(&jobs[0])
    }

    /// A heartbeat that names these jobs.
    #[track_caller]
    pub(super) fn beat(&self, held: &[(i64, i64)]) -> Value {
        let reply = self.post("beat", &json!({"jobs": named(held)}));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Reports the same outcome of these.
    pub(super) fn finish(&self, held: &[(i64, i64)], outcome: &str) -> Reply {
        let results: Vec<Value> = held
            .iter()
            .map(|(id, fence)| json!({"id": id, "fence": fence, "outcome": outcome}))
            .collect();
        self.post("finish", &json!({"results": results}))
    }
}

pub(super) fn named(held: &[(i64, i64)]) -> Vec<Value> {
    held.iter()
        .map(|(id, fence)| json!({"id": id, "fence": fence}))
        .collect()
}

pub(super) fn key_of(job: &Value) -> (i64, i64) {
    (job["id"].as_i64().unwrap(), job["fence"].as_i64().unwrap())
}

/// What the native API says of a job.
pub(super) fn job(world: &World, id: i64) -> Value {
    world.get(&format!("/belay/v1/jobs/{id}")).json()
}

/// Runs the daemon's duties that move jobs on: marks workers dead whose lease is over, takes their jobs, and lets wait what is due.
pub(super) fn rescue(world: &World) {
    use belay_core::ops;
    world.db.read(ops::mark_dead).unwrap();
    for whole in [false, true] {
        world.db.tx(|conn| ops::rescue(conn, 1000, whole)).unwrap();
    }
    world.db.tx(|conn| ops::promote(conn, 1000)).unwrap();
}

/// Lets the lease of a worker be over.
pub(super) fn silence(world: &World, worker: i64) {
    use diesel::connection::SimpleConnection;
    world
        .test_db
        .conn()
        .batch_execute(&format!(
            "update belay.worker set beat_at = now() - interval '1 hour' where id = {worker}"
        ))
        .unwrap();
}

/// Whether some worker is written down as sleeping.
pub(super) fn sleeps(world: &World) -> bool {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        some: bool,
    }
    diesel::sql_query("select exists (select from belay.sleeper) as some")
        .get_result::<Row>(&mut world.test_db.conn())
        .unwrap()
        .some
}
