//! Processes that run jobs, and what becomes of them.

use std::fs;
use std::process::{Child, Command, Stdio};

use belay_testkit::eventually;
use rustix::process::{Pid, Signal, kill_process};

use crate::subject::Node;
use crate::world::{LONG, World};

/// A process that holds jobs; killed with the value.
pub(crate) struct Process {
    child: Child,
    name: &'static str,
    /// The number of its worker.
    pub(crate) worker: i64,
}

impl Process {
    /// Starts it and waits until its worker, which has the name of the node, is registered.
    pub(crate) fn start(world: &World, node: Node, command: &mut Command) -> Self {
        let log = world.folder.path().join(format!("{}.log", node.name));
        let child = command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log).unwrap())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut process = Self {
            child,
            name: node.name,
            worker: 0,
        };
        process.worker = eventually(LONG, || {
            let ended = process.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{} ended before it was ready: {}",
                node.name,
                fs::read_to_string(&log).unwrap()
            );
            world.worker(node.name)
        });
        process
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn kill_9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on, and waits until it has noticed that its lease is lost.
    pub(crate) fn thaw(&self, world: &World) {
        self.signal(Signal::CONT);
        eventually(LONG, || {
            world.worker(self.name).filter(|id| *id != self.worker)
        });
    }

    /// Asks it to end and waits until it has, in good order.
    #[track_caller]
    pub(crate) fn drain(mut self) {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{} ended with {status}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A daemon that runs these kinds.
pub(crate) fn daemon(world: &World, node: Node, kinds: &str) -> Process {
    let folder = world.folder.path().join(node.name);
    fs::create_dir(&folder).unwrap();
    let config = folder.join("belay.toml");
    let settings = format!(
        "[worker]\nname = \"{}\"\nlease = \"{}ms\"\nbeat = \"{}ms\"\nslots = {}\ndrain = \"{}ms\"\n{kinds}",
        node.name,
        node.lease.as_millis(),
        node.beat().as_millis(),
        node.slots,
        node.drain.as_millis(),
    );
    fs::write(&config, settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    command
        .arg("serve")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("BELAY_CONFIG", config)
        .env("BELAY_DATA_DIR", folder.join("data"))
        .env("BELAY_LISTEN", "127.0.0.1:0")
        .env("DATABASE_URL", world.test.url());
    Process::start(world, node, &mut command)
}
