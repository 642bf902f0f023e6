//! Waiting for the end of a job, by looking at it. A command is no listener: it must also work behind a pooler.

use std::thread;
use std::time::{Duration, Instant};

use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::{Db, Error, query};

use crate::exit::{Exit, Failure};
use crate::show::note;

/// Time between the first looks; it grows, as a job that has run for long rarely ends in the next moment.
const SOON: Duration = Duration::from_millis(50);
/// The longest time between two looks.
const LATER: Duration = Duration::from_millis(500);
/// How long the database may be away while somebody waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// When to stop waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// After that long; never without a duration.
    pub(crate) fn after(timeout: Option<Duration>) -> Self {
        // A time too far away to be counted is never.
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    fn left(self) -> Option<Duration> {
        self.0
            .map(|end| end.saturating_duration_since(Instant::now()))
    }
}

/// Looks at a job until it has ended, and shows each look to `see`. `None` when the time is over first.
pub(crate) fn until_end(
    db: &Db,
    id: i64,
    deadline: Deadline,
    mut see: impl FnMut(&Job) -> Result<(), Failure>,
) -> Result<Option<Job>, Failure> {
    let mut pause = SOON;
    let mut away_since: Option<Instant> = None;
    loop {
        match db.read(|conn| query::get(conn, None, &JobRef::number(id))) {
            Ok(job) => {
                away_since = None;
                see(&job)?;
                if job.state.is_terminal() {
                    return Ok(Some(job));
                }
            }
            Err(error) if error.is_transient() => {
                be_patient(&error, &mut away_since)?;
            }
            Err(error) => return Err(error.into()),
        }
        let left = deadline.left();
        if left == Some(Duration::ZERO) {
            return Ok(None);
        }
        thread::sleep(left.map_or(pause, |left| left.min(pause)));
        pause = (pause * 5 / 4).min(LATER);
    }
}

fn be_patient(error: &Error, away_since: &mut Option<Instant>) -> Result<(), Failure> {
    let since = *away_since.get_or_insert_with(|| {
        note(format!("belay: {error}; trying again"));
        Instant::now()
    });
    if since.elapsed() < PATIENCE {
        return Ok(());
    }
    Err(Failure::new(Exit::Unreachable, error.to_string()))
}
