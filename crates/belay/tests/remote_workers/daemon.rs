//! A daemon on a database of its own, and what the suite asks of it through its API.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use belay_testkit::{TestDb, eventually};
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::LONG;

pub(crate) struct Daemon {
    db: TestDb,
    dir: TempDir,
    child: Child,
    /// Without the scheme.
    address: String,
    keys: AtomicU32,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let db = TestDb::new();
        let dir = tempfile::tempdir().unwrap();
        let child = spawn(&db, &dir, "127.0.0.1:0");
        let mut daemon = Self {
            db,
            dir,
            child,
            address: String::new(),
            keys: AtomicU32::new(0),
        };
        daemon.await_ready();
        daemon
    }

    pub(crate) fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts another one at the address of the one that was killed.
    pub(crate) fn restart(&mut self) {
        fs::remove_file(self.dir.path().join("address")).unwrap();
        self.child = spawn(&self.db, &self.dir, &self.address);
        self.await_ready();
    }

    fn await_ready(&mut self) {
        let path = self.dir.path().join("address");
        let url = eventually(LONG, || {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "the daemon ended: {}",
                self.log()
            );
            fs::read_to_string(&path)
                .ok()
                .filter(|url| !url.trim().is_empty())
        });
        self.address = url.trim().strip_prefix("http://").unwrap().to_owned();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A new API key with the scope of workers.
    pub(crate) fn worker_key(&self) -> String {
        let name = format!("worker-{}", self.keys.fetch_add(1, Relaxed));
        let body = json!({"name": name, "scopes": ["worker"], "tenants": ["default"]});
        let key = self.post("/keys", &body);
        key["key"].as_str().unwrap().to_owned()
    }

    /// A request with the admin key; answers status and body.
    pub(crate) fn http(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let key = fs::read_to_string(self.dir.path().join("admin.key")).unwrap();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(
            stream,
            "{method} /belay/v1{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            key.trim(),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        (status, value)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.http("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.http("POST", path, &body.to_string());
        assert!((200..300).contains(&status), "{path}: {answer}");
        answer
    }

    /// Enqueues a job of this kind with these members besides; answers its number.
    #[track_caller]
    pub(crate) fn enqueue(&self, kind: &str, members: Value) -> i64 {
        let mut job = members;
        job["kind"] = kind.into();
        self.post("/jobs", &job)["id"].as_i64().unwrap()
    }

    /// Locks the row of a job, as a transaction of somebody else may, until the connection is dropped.
    pub(crate) fn lock(&self, id: i64) -> PgConnection {
        let mut conn = self.db.conn();
        conn.batch_execute(&format!(
            "begin; select from belay.job where id = {id} for update"
        ))
        .unwrap();
        conn
    }

    pub(crate) fn job(&self, id: i64) -> Value {
        self.get(&format!("/jobs/{id}"))
    }

    #[track_caller]
    pub(crate) fn cancel(&self, id: i64, reason: &str) -> Value {
        self.post(&format!("/jobs/{id}/cancel"), &json!({"reason": reason}))
    }

    /// Waits until the job is as wanted, and answers it.
    #[track_caller]
    pub(crate) fn await_job(&self, id: i64, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(LONG, || {
                seen = self.job(id);
                wanted(&seen).then(|| seen.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("still {seen:#}\n{:#}", self.events(id)))
    }

    #[track_caller]
    pub(crate) fn await_state(&self, id: i64, state: &str) -> Value {
        self.await_job(id, |job| job["state"] == state)
    }

    /// Waits until its handler has said that it runs.
    #[track_caller]
    pub(crate) fn await_begun(&self, id: i64) -> Value {
        self.await_job(id, |job| {
            job["state"] == "running" && job["progress"].is_object()
        })
    }

    pub(crate) fn events(&self, id: i64) -> Value {
        self.get(&format!("/jobs/{id}/timeline"))["events"].clone()
    }

    /// The entry of that name, of which there is one.
    #[track_caller]
    pub(crate) fn event(&self, id: i64, name: &str) -> Value {
        let events = self.events(id);
        let mut found = events
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["event"] == name);
        let event = found.next().cloned();
        assert!(found.next().is_none(), "{name} twice: {events:#}");
        event.unwrap_or_else(|| panic!("no {name}: {events:#}"))
    }

    /// What attempts wrote, the latest one.
    #[track_caller]
    pub(crate) fn output(&self, id: i64) -> Value {
        let output = self.get(&format!("/jobs/{id}/output"));
        let attempts = output["attempts"].as_array().unwrap();
        attempts
            .last()
            .cloned()
            .unwrap_or_else(|| panic!("job {id} wrote nothing"))
    }

    /// The registrations of remote workers of the suite, oldest first.
    pub(crate) fn workers(&self) -> Vec<Value> {
        let workers = self.get("/workers");
        let all = workers["workers"].as_array().unwrap().iter();
        all.filter(|worker| worker["name"] == "conformance")
            .cloned()
            .collect()
    }
}

fn spawn(db: &TestDb, dir: &TempDir, listen: &str) -> Child {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(dir.path().join("log"))
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_belay"))
        .arg("serve")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("BELAY_DATA_DIR", dir.path())
        .env("BELAY_LISTEN", listen)
        .env("DATABASE_URL", db.url())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon\n{}", self.log());
        }
    }
}
