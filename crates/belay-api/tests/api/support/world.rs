//! A database, a server on it, and an administrator's key.

use std::net::SocketAddr;
use std::time::Duration;

use belay_api::{AdminApi, AdminApiBuilder};
use belay_core::db::DbConfig;
use belay_core::ops::{self, Actor, Claimed, Line, LineFloor, NewKey, NewWorker, Via};
use belay_core::{Db, query};
use belay_testkit::TestDb;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use super::{Reply, Server, client};

/// Everything a test needs; goes away with the value.
pub(crate) struct World {
    // Before the database, which is dropped whoever is still connected.
    pub(crate) server: Server,
    pub(crate) api: AdminApi,
    pub(crate) db: Db,
    pub(crate) test_db: TestDb,
    /// A key that may do everything.
    pub(crate) admin: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(settings: impl FnOnce(AdminApiBuilder) -> AdminApiBuilder) -> Self {
        let test_db = TestDb::new();
        let db = Db::new(DbConfig::new(test_db.url())).unwrap();
        let api = settings(AdminApi::builder(db.clone())).build().unwrap();
        let mounted = api.clone();
        let server = Server::start(move |config| mounted.configure(config));
        let admin = make_key(&db, "root", &["admin"], None);
        Self {
            server,
            api,
            db,
            test_db,
            admin,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Makes a key, past the API. `tenants` are numbers, `None` for all.
    pub(crate) fn key(&self, name: &str, scopes: &[&str], tenants: Option<&[i32]>) -> String {
        make_key(&self.db, name, scopes, tenants)
    }

    /// Makes a tenant, past the API.
    pub(crate) fn tenant(&self, name: &str) -> i32 {
        self.db.tx(|c| ops::create_tenant(c, name)).unwrap().0
    }

    /// Sends a request with the administrator's key.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send_as(&self.admin, method, path, body)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &Value::Null)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, body)
    }

    /// Sends a request with another key; `null` sends no body.
    pub(crate) fn send_as(&self, key: &str, method: &str, path: &str, body: &Value) -> Reply {
        self.send_with(key, method, path, &[], body)
    }

    pub(crate) fn send_with(
        &self,
        key: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let bearer = format!("Bearer {key}");
        let mut all = vec![("Authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let body = if body.is_null() {
            String::new()
        } else {
            all.push(("Content-Type", "application/json"));
            body.to_string()
        };
        client::request(self.address(), method, path, &all, body.as_bytes())
    }

    /// Enqueues a job through the API and answers its number.
    #[track_caller]
    pub(crate) fn enqueue(&self, job: &Value) -> i64 {
        let reply = self.post("/belay/v1/jobs", job);
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["id"].as_i64().unwrap()
    }

    /// A job that a worker holds: its number, the worker and the fence.
    pub(crate) fn running(&self, kind: &str) -> Claimed {
        let id = self.enqueue(&json!({"kind": kind}));
        let claimed = self.claim(kind).1;
        assert_eq!(claimed.id, id);
        claimed
    }

    /// A new worker claims one job of the kind in its usual line.
    pub(crate) fn claim(&self, kind: &str) -> (i64, Claimed) {
        let worker = self
            .db
            .read(|c| {
                ops::register(
                    c,
                    &NewWorker {
                        name: "test".into(),
                        host: "here".into(),
                        pid: 1,
                        version: "0".into(),
                        queues: None,
                        kinds: vec![kind.into()],
                        slots: 1,
                        lease: Duration::from_secs(600),
                    },
                )
            })
            .unwrap();
        let line = LineFloor {
            line: Line {
                priority: 5,
                queue: "default".into(),
                kind: kind.into(),
            },
            floor: 0,
        };
        let mut claimed = self.db.read(|c| ops::claim(c, worker, &[line], 1)).unwrap();
        (worker, claimed.pop().unwrap())
    }

    /// The worker of a running job reports on it.
    pub(crate) fn report(&self, job: &Claimed, verdict: ops::Verdict) {
        let seen = self
            .db
            .read(|c| query::get(c, None, &belay_core::id::JobRef::number(job.id)))
            .unwrap();
        let report = ops::Report {
            id: job.id,
            fence: job.fence,
            verdict,
        };
        self.db
            .tx(|c| ops::settle(c, seen.worker.unwrap(), std::slice::from_ref(&report)))
            .unwrap();
    }

    /// A job that has ended well.
    pub(crate) fn completed(&self) -> i64 {
        let job = self.running("noop");
        self.report(&job, ops::Verdict::Completed);
        job.id
    }

    /// Everything a request could change, as one text: every table but what the daemon notes about itself.
    pub(crate) fn contents(&self) -> String {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            text: String,
        }
        let mut conn = self.test_db.conn();
        let mut read = |sql: &str| -> Vec<Row> { diesel::sql_query(sql).load(&mut conn).unwrap() };
        let queries: Vec<String> = read(
            "select relname::text as text from pg_class
             where relnamespace = 'belay'::regnamespace and relkind in ('r', 'p') and not relispartition
               and relname not in ('worker', 'sleeper', 'duty') order by 1",
        )
        .into_iter()
        .map(|Row { text: name }| {
            format!(
                "select '{name}: ' || coalesce(string_agg(t::text, E'\\n' order by t::text), '') as text from belay.{name} t"
            )
        })
        .collect();
        assert!(queries.len() > 15, "the tables were found");
        let tables = read(&queries.join(" union all "));
        let mut texts: Vec<String> = tables.into_iter().map(|row| row.text).collect();
        texts.sort();
        texts.join("\n")
    }
}

fn make_key(db: &Db, name: &str, scopes: &[&str], tenants: Option<&[i32]>) -> String {
    let key = NewKey {
        name: name.into(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        tenants: tenants.map(<[i32]>::to_vec),
        expires_at: None,
    };
    db.tx(|c| ops::create_key(c, &key, &Actor::new("test", Via::Cli)))
        .unwrap()
        .1
}
