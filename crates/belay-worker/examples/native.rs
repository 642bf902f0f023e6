//! A program with jobs of its own: it counts to a number, slowly, and can be stopped, held still and ended.
//!
//! ```console
//! $ belay serve &
//! $ cargo run -p belay-worker --example native -- "$DATABASE_URL"
//! $ psql "$DATABASE_URL" -c "select belay.enqueue('count', '{\"to\": 100}')"
//! ```

use std::time::Duration;

use belay_worker::executors::native::{JobContext, JobError, Native};
use belay_worker::{Backoff, Worker};
use serde::Deserialize;

#[derive(Deserialize)]
struct Count {
    to: i64,
}

/// Looks whether it should go on between two steps, and waits in a way that can be interrupted.
fn count(job: &JobContext) -> Result<(), JobError> {
    let Count { to } = job.payload_as()?;
    for n in 1..=to {
        job.wait_while_suspended()?;
        job.progress(n, to, "");
        job.log(format!("{n} of {to}"));
        if job.wait_cancelled(Duration::from_millis(20)) {
            job.log(format!("told to stop: {:?}", job.stop_cause()));
            return Err(JobError::stopped());
        }
    }
    Ok(())
}

/// Reads a file. A file that is missing may come yet.
async fn read(job: JobContext) -> Result<(), JobError> {
    let path: String = job.payload_as()?;
    let text = tokio::select! {
        () = job.cancelled() => return Err(JobError::stopped()),
        text = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)) => text??,
    };
    job.log(format!("{} lines", text.lines().count()));
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = std::env::args()
        .nth(1)
        .ok_or("usage: native DATABASE_URL")?;
    let worker = Worker::builder()
        .database(database)
        .name("example")
        .slots(4)
        .kind(
            Native::sync("count", |job| count(&job))
                .can_suspend()
                .grace(Duration::from_secs(2)),
        )
        .kind(
            Native::asynchronous("read", read)
                .max_attempts(3)
                .backoff(Backoff::fixed(Duration::from_millis(100)))
                .timeout(Duration::from_secs(30)),
        )
        .drain(Duration::from_secs(1))
        .start()?;
    println!("worker {} is ready", worker.id());
    worker.run_until_terminated()?;
    println!("ended in good order");
    Ok(())
}
