//! A daemon as a process that can be killed.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use belay_testkit::eventually;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::check::LONG;

/// A data directory and a configuration.
pub(crate) struct Site {
    dir: TempDir,
    url: String,
    /// Stands in the command line of everything that commands of this site start.
    pub(crate) mark: String,
}

impl Site {
    pub(crate) fn new(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mark = format!(
            "belay-crash-{}-{}",
            std::process::id(),
            dir.path().file_name().unwrap().display()
        );
        let config = format!(
            r#"
[worker]
lease = "4s"
beat = "500ms"
slots = 16

[kinds.quick]
executor = "command"
argv = ["/bin/sh", "-c", "sleep 0.05; : {mark}"]

[kinds.tree]
executor = "command"
argv = ["/bin/sh", "-c", "(setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done; : {mark}' &); while :; do sleep 1; done; : {mark}"]
grace = "1s"
"#
        );
        fs::write(dir.path().join("belay.toml"), config).unwrap();
        Self {
            dir,
            url: url.to_owned(),
            mark,
        }
    }
}

/// A running daemon, killed with the value.
pub(crate) struct Daemon {
    child: Child,
    address: PathBuf,
}

impl Daemon {
    pub(crate) fn start(site: &Site) -> Self {
        Self::named(site, "one")
    }

    /// With a data directory of its own, so that several run beside each other.
    pub(crate) fn named(site: &Site, name: &str) -> Self {
        let data = site.dir.path().join(name);
        let address = data.join("address");
        let _ = fs::remove_file(&address);
        let child = Command::new(env!("CARGO_BIN_EXE_belay"))
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BELAY_CONFIG", site.dir.path().join("belay.toml"))
            .env("BELAY_DATA_DIR", &data)
            .env("BELAY_LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", &site.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut daemon = Self { child, address };
        eventually(LONG, || {
            assert!(
                daemon.child.try_wait().unwrap().is_none(),
                "the daemon ended before it was ready"
            );
            daemon.address.exists().then_some(())
        });
        daemon
    }

    pub(crate) fn is_alive(&self) -> bool {
        kill_process(Pid::from_child(&self.child), Signal::CONT).is_ok()
    }

    pub(crate) fn kill_9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
