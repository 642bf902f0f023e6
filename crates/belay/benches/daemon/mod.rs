//! A daemon with a private database in an empty folder, for benchmarks that look at the whole.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Ends in good order when it is dropped, so that its database ends, too.
pub(crate) struct Daemon {
    child: Child,
    folder: TempDir,
}

impl Daemon {
    /// Starts one and waits until it answers, and `settled` more: for the first partitions, and the first looks of each duty.
    pub(crate) fn start(settled: Duration) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("belay-bench-")
            .tempdir()
            .expect("a temporary folder");
        let child = Command::new(env!("CARGO_BIN_EXE_belay"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the daemon starts");
        let mut daemon = Self { child, folder };
        let address = daemon.folder().join("address");
        while !address.exists() {
            assert!(
                daemon.child.try_wait().expect("a child").is_none(),
                "the daemon ended before it was ready"
            );
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(settled);
        daemon
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A value of `/proc/*/status`, such as `VmRSS:`, in megabytes.
    pub(crate) fn memory(&self, what: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the daemon's status");
        let kilobytes = status.lines().find_map(|line| {
            line.strip_prefix(what)?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse::<f64>()
                .ok()
        });
        kilobytes.expect("its memory") / 1024.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = self.pid().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }
}
