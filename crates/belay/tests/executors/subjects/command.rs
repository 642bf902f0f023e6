//! `command`: a shell that does it.

use belay_testkit::{eventually, processes_with};

use crate::process::{Process, daemon};
use crate::subject::{Deaf, GRACE, Node, Shown, Subject, Work};
use crate::world::{LONG, World};

pub(crate) struct Command {
    /// Stands in the command line of everything that its jobs start.
    mark: String,
}

impl Command {
    fn script(&self, work: Work) -> String {
        let does = match work {
            Work::Succeeds => "true",
            Work::Fails => "echo no luck >&2; exit 3",
            Work::Waits => "echo begun; while :; do sleep 1; done",
            // With a child that has left the process group.
            Work::Deaf => {
                "trap '' TERM; setsid sh -c \\\"trap '' TERM; while :; do sleep 1; done; : MARK\\\" & echo begun; while :; do sleep 1; done"
            }
            Work::Floods => "head -c 1000000 /dev/zero | tr '\\\\0' x; printf 'the end'",
            Work::Garbles => "printf 'a\\\\377\\\\0b'",
        };
        format!("{does}; : {}", self.mark).replace("MARK", &self.mark)
    }
}

impl Subject for Command {
    const SUSPENDS: bool = true;
    const STOPPED: &'static str = "term";
    const DEAF: Deaf = Deaf::Ended("kill");
    const SHOWN: Shown = Shown::Tail {
        limit: 64 * 1024,
        counted: true,
    };

    fn new(world: &World) -> Self {
        Self {
            mark: format!("belay-contract-{}", world.test.name()),
        }
    }

    fn start(&self, world: &World, node: Node) -> Process {
        let kinds: String = Work::ALL
            .into_iter()
            .map(|work| {
                format!(
                    "[kinds.{}]\nexecutor = \"command\"\nargv = [\"/bin/sh\", \"-c\", \"{}\"]\n\
                     grace = \"{}ms\"\nmax_attempts = 2\nbackoff = \"0s\"\n",
                    work.kind(),
                    self.script(work),
                    GRACE.as_millis()
                )
            })
            .collect();
        daemon(world, node, &kinds)
    }

    fn nothing_left(&self, _: &World) {
        eventually(LONG, || processes_with(&self.mark).is_empty().then_some(()));
    }
}
