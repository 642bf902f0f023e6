//! A daemon as a process, and what a person does with it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use belay_testkit::eventually;
use serde_json::Value;
use tempfile::TempDir;

/// Only a broken daemon takes longer for anything.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A data directory, and how to run the program on it.
pub(crate) struct Site {
    dir: TempDir,
    config: String,
    url: Option<String>,
    env: Vec<(&'static str, String)>,
}

impl Site {
    /// With a private database.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // As root the private database runs as another user, who must be able to pass.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self {
            dir,
            config: String::new(),
            url: None,
            env: Vec::new(),
        }
    }

    /// With a database elsewhere.
    pub(crate) fn on(url: &str) -> Self {
        Self {
            url: Some(url.to_owned()),
            ..Self::new()
        }
    }

    /// With this configuration file.
    pub(crate) fn configured(self, config: &str) -> Self {
        Self {
            config: config.to_owned(),
            ..self
        }
    }

    /// With one more variable.
    pub(crate) fn with_env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// A directory that does not exist before the first start.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let config = self.dir.path().join("belay.toml");
        fs::write(&config, &self.config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BELAY_CONFIG", config)
            .env("BELAY_DATA_DIR", self.data())
            .env("BELAY_LISTEN", "127.0.0.1:0")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if let Some(dir) = std::env::var_os("BELAY_PG_BIN") {
            command.env("BELAY_PG_BIN", dir);
        }
        if let Some(url) = &self.url {
            command.env("DATABASE_URL", url);
        }
        command
    }

    /// Runs a command; it must exit with this code. Answers its standard output.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> String {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// As [`Site::run`] with `--json`.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str], code: i32) -> Value {
        let args = [args, &["--json"]].concat();
        serde_json::from_str(&self.run(&args, code)).unwrap()
    }

    /// Runs `belay serve` that must not come up. Answers what it said.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str], code: i32) -> String {
        let args = [&["serve"], args].concat();
        let output = self.command(&args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    }

    /// Starts the daemon without waiting for it.
    pub(crate) fn launch(&self) -> Daemon<'_> {
        let child = self
            .command(&["serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Daemon {
            site: self,
            child: Some(child),
            url: String::new(),
        }
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn start(&self) -> Daemon<'_> {
        let address = self.data().join("address");
        let stale = fs::read_to_string(&address).ok();
        let mut daemon = self.launch();
        daemon.url = eventually(LONG, || {
            let child = daemon.child.as_mut().unwrap();
            if child.try_wait().unwrap().is_some() {
                panic!(
                    "it ended: {:?}",
                    daemon.child.take().unwrap().wait_with_output()
                );
            }
            let found = fs::read_to_string(&address).ok();
            found.filter(|url| Some(url) != stale.as_ref())
        })
        .trim()
        .to_owned();
        daemon
    }

    /// Waits until a job is in this state.
    pub(crate) fn await_state(&self, id: i64, state: &str) -> Value {
        eventually(LONG, || {
            let job = self.json(&["job", &id.to_string()], 0);
            (job["state"] == state).then_some(job)
        })
    }
}

/// A daemon that runs, killed with the value.
pub(crate) struct Daemon<'a> {
    pub(crate) site: &'a Site,
    child: Option<Child>,
    pub(crate) url: String,
}

impl Daemon<'_> {
    fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(self.child.as_ref().unwrap())
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Leaves its log without a reader.
    pub(crate) fn close_log(&mut self) {
        drop(self.child.as_mut().unwrap().stderr.take());
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.child.take().unwrap().wait_with_output().unwrap();
        (
            status,
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap(),
        )
    }

    /// Stops it in good order. Answers its standard output and its log.
    #[track_caller]
    pub(crate) fn stop(mut self) -> (String, String) {
        self.signal(rustix::process::Signal::TERM);
        let (status, stdout, log) = self.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        (stdout, log)
    }

    pub(crate) fn key(&self) -> String {
        let key = fs::read_to_string(self.site.data().join("admin.key")).unwrap();
        key.trim().to_owned()
    }

    /// A request with the admin key; answers status and body.
    pub(crate) fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.key(),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.http("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A test failed; its private database goes with the daemon.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
