//! Workers over HTTP: the one in Python, at a daemon that lives as long as the test.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::process::{Process, daemon};
use crate::subject::{Deaf, Node, Shown, Subject};
use crate::world::World;

pub(crate) struct Remote {
    /// Sees to retries and lost leases, and answers requests.
    _hub: Process,
    url: String,
    key: String,
}

impl Subject for Remote {
    const SUSPENDS: bool = true;
    const STOPPED: &'static str = "cooperative";
    const DEAF: Deaf = Deaf::GoesOn { says_so: false };
    /// In the words of whoever stopped it.
    const TIMED_OUT: &'static str = "stopped when its time was over";
    const SHOWN: Shown = Shown::Tail {
        limit: 32 * 1024,
        counted: false,
    };

    fn new(world: &World) -> Self {
        let hub = daemon(world, Node::steady("hub"), "");
        let data = world.folder.path().join("hub/data");
        let url = belay_testkit::eventually(crate::world::LONG, || {
            fs::read_to_string(data.join("address"))
                .ok()
                .filter(|url| !url.trim().is_empty())
        });
        let made = Command::new(env!("CARGO_BIN_EXE_belay"))
            .args([
                "key", "create", "--tenant", "default", "--scope", "worker", "--json",
            ])
            .env_clear()
            .env("BELAY_DATA_DIR", &data)
            .env("DATABASE_URL", world.test.url())
            .output()
            .unwrap();
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        Self {
            _hub: hub,
            url: url.trim().to_owned(),
            key: made["key"].as_str().unwrap().to_owned(),
        }
    }

    fn start(&self, world: &World, node: Node) -> Process {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/executors/subjects");
        let library = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/workers/python");
        // Output comes with the beat, five times in a lease.
        let lease = node.lease.min(Duration::from_secs(5));
        let mut command = Command::new("python3");
        command
            .arg(format!("{here}/remote_worker.py"))
            .env("PYTHONPATH", library)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("BELAY_URL", &self.url)
            .env("BELAY_KEY", &self.key)
            .env("NODE_NAME", node.name)
            .env("NODE_SLOTS", node.slots.to_string())
            .env("NODE_LEASE_S", lease.as_secs().to_string())
            .env("NODE_DRAIN_S", node.drain.as_secs_f64().to_string());
        Process::start(world, node, &mut command)
    }
}
