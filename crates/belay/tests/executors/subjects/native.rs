//! `native`: closures in a process of their own, which is this program once more.

use std::time::Duration;

use belay_worker::executors::native::{JobContext, JobError, Native as Kind};
use belay_worker::{Backoff, Worker};

use crate::process::Process;
use crate::subject::{Deaf, GRACE, Node, Shown, Subject, Work};
use crate::world::World;

const URL: &str = "BELAY_TEST_NATIVE_URL";
const NODE: &str = "BELAY_TEST_NATIVE_NODE";

/// With synchronous closures, or asynchronous ones.
pub(crate) struct Native<const ASYNCHRONOUS: bool>;

impl<const ASYNCHRONOUS: bool> Subject for Native<ASYNCHRONOUS> {
    const SUSPENDS: bool = ASYNCHRONOUS;
    const STOPPED: &'static str = "cooperative";
    /// A future is dropped; a thread cannot be ended.
    const DEAF: Deaf = if ASYNCHRONOUS {
        Deaf::Ended("kill")
    } else {
        Deaf::GoesOn { says_so: true }
    };
    const SHOWN: Shown = Shown::Tail {
        limit: 64 * 1024,
        counted: true,
    };

    fn new(_: &World) -> Self {
        Self
    }

    fn start(&self, world: &World, node: Node) -> Process {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "subjects::native::worker_process", "--nocapture"])
            .env(URL, world.test.url())
            .env(
                NODE,
                format!(
                    "{} {} {} {} {} {ASYNCHRONOUS}",
                    node.name,
                    node.lease.as_millis(),
                    node.beat().as_millis(),
                    node.slots,
                    node.drain.as_millis()
                ),
            );
        Process::start(world, node, &mut command)
    }
}

fn blocking(job: &JobContext, work: Work) -> Result<(), JobError> {
    match work {
        Work::Waits => {
            job.log("begun");
            while !job.wait_cancelled(Duration::from_secs(3600)) {}
            Err(JobError::stopped())
        }
        Work::Deaf => {
            job.log("begun");
            loop {
                std::thread::sleep(Duration::from_secs(3600));
            }
        }
        _ => at_once(job, work),
    }
}

async fn awaiting(job: JobContext, work: Work) -> Result<(), JobError> {
    match work {
        Work::Waits => {
            job.log("begun");
            job.cancelled().await;
            Err(JobError::stopped())
        }
        Work::Deaf => {
            job.log("begun");
            std::future::pending().await
        }
        _ => at_once(&job, work),
    }
}

fn at_once(job: &JobContext, work: Work) -> Result<(), JobError> {
    match work {
        Work::Succeeds | Work::Waits | Work::Deaf => Ok(()),
        Work::Fails => Err(JobError::failed("no luck")),
        Work::Floods => {
            job.output(vec![b'x'; 1_000_000]);
            job.output("the end");
            Ok(())
        }
        Work::Garbles => {
            job.output(b"a\xff\0b");
            Ok(())
        }
    }
}

/// What is started as a process; as a test it has nothing to do.
#[test]
fn worker_process() {
    let (Ok(url), Ok(node)) = (std::env::var(URL), std::env::var(NODE)) else {
        return;
    };
    let words: Vec<&str> = node.split(' ').collect();
    let [name, lease, beat, slots, drain, asynchronous] = words[..] else {
        panic!("{node}");
    };
    let ms = |text: &str| Duration::from_millis(text.parse().unwrap());
    let mut builder = Worker::builder()
        .database(url)
        .name(name)
        .lease(ms(lease))
        .beat(ms(beat))
        .slots(slots.parse().unwrap())
        .drain(ms(drain))
        .duties(true);
    for work in Work::ALL {
        let kind = if asynchronous == "true" {
            Kind::asynchronous(work.kind(), move |job| awaiting(job, work)).can_suspend()
        } else {
            Kind::sync(work.kind(), move |job| blocking(&job, work))
        };
        let backoff = Backoff::fixed(Duration::ZERO);
        builder = builder.kind(kind.grace(GRACE).max_attempts(2).backoff(backoff));
    }
    builder.start().unwrap().run_until_terminated().unwrap();
}
