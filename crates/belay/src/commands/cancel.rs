//! `belay cancel`: stops jobs, whatever they are doing.

use std::str::FromStr;
use std::time::Duration;

use belay_core::id::{JobRef, NotAnId};
use belay_core::model::Stop;
use belay_core::ops::{self, Actor, CancelAnswer, CancelLimit, MAX_CANCEL, Outcome};
use belay_core::{Db, Error, JobState, query};
use clap::Args;
use serde_json::{Value, json};

use super::job::wait::{Deadline, until_end};
use super::{Context, tenant_number};
use crate::config::parse_duration;
use crate::exit::{Exit, Failure};
use crate::{actor, wire};

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Jobs, by number, UUID or 24-digit key
    #[arg(required = true, value_name = "ID")]
    ids: Vec<Named>,
    /// Why; kept with the job, at most 1000 characters
    #[arg(long)]
    reason: Option<String>,
    /// Wait until the jobs have ended; the exit code then tells how the last one that was named ended
    #[arg(long)]
    wait: bool,
    /// The longest to wait, for example "30s"; for ever when not given
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, requires = "wait")]
    timeout: Option<Duration>,
    /// End running jobs now, without waiting for their worker: what their code still does until it is stopped cannot be undone
    #[arg(long)]
    force: bool,
    /// Only jobs of this tenant, by name, number or 24-digit key
    #[arg(long)]
    tenant: Option<String>,
}

/// A job in the words of the command line.
#[derive(Debug, Clone)]
struct Named {
    words: String,
    job: JobRef,
}

impl FromStr for Named {
    type Err = NotAnId;

    fn from_str(words: &str) -> Result<Self, NotAnId> {
        Ok(Self {
            words: words.to_owned(),
            job: words.parse()?,
        })
    }
}

/// What all cancels of one command share.
struct Ask<'a> {
    db: &'a Db,
    tenant: Option<i32>,
    actor: Actor,
    reason: Option<&'a str>,
}

impl Cancel {
    pub(crate) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        ops::check_reason(self.reason.as_deref())?;
        let db = context.db()?;
        let ask = Ask {
            tenant: tenant_number(&db, self.tenant.as_deref())?,
            actor: actor::login(),
            reason: self.reason.as_deref(),
            db: &db,
        };
        let mut answers = if self.force {
            ask.force_all(&self.ids)?
        } else {
            ask.cancel_all(&self.ids)?
        };
        let exit = if self.wait {
            wait_for(&db, &mut answers, self.timeout)
        } else {
            Ok(exit_of(&answers))
        };
        // What was done is told also when the wait failed.
        print(context, &answers)?;
        exit
    }
}

impl Ask<'_> {
    /// In chunks, each of them one transaction.
    fn cancel_all(&self, named: &[Named]) -> Result<Vec<Answer>, Failure> {
        let mut all = Vec::with_capacity(named.len());
        for chunk in named.chunks(MAX_CANCEL) {
            let known = chunk
                .iter()
                .map(|one| self.resolve(one))
                .collect::<Result<Vec<_>, _>>()?;
            let ids: Vec<i64> = known.iter().copied().flatten().collect();
            let (mut answers, mut stops) = self.db.tx(|conn| {
                ops::allow_minutes(conn)?;
                let limit = CancelLimit::Any;
                let answers =
                    ops::cancel_many(conn, self.tenant, &ids, &self.actor, self.reason, limit)?;
                Ok((answers, query::stops(conn, &ids)?))
            })?;
            // From the end, as that is where a vector gives its elements away.
            answers.reverse();
            for (one, id) in chunk.iter().zip(known) {
                let answer = id.and_then(|_| answers.pop());
                let mut answer =
                    answer.map_or_else(|| Answer::missing(one), |a| Answer::of(one, a));
                answer.stop = answer.number.and_then(|id| stops.remove(&id));
                all.push(answer);
            }
        }
        Ok(all)
    }

    /// One by one, each in a transaction of its own: one that has finished must not keep the others alive.
    fn force_all(&self, named: &[Named]) -> Result<Vec<Answer>, Failure> {
        let mut all = Vec::with_capacity(named.len());
        for one in named {
            let Some(id) = self.resolve(one)? else {
                all.push(Answer::missing(one));
                continue;
            };
            let forced = self.db.tx(|conn| {
                // Uploaded data goes with it, and there may be a lot of it.
                ops::allow_minutes(conn)?;
                ops::force_cancel(conn, self.tenant, id, &self.actor, self.reason)
            });
            all.push(match forced {
                Ok(forced) => Answer::forced(id, forced),
                Err(Error::Missing { .. }) => Answer::missing(one),
                Err(Error::Refused {
                    state: Some(state), ..
                }) => Answer::finished(id, state),
                Err(error) => return Err(error.into()),
            });
        }
        Ok(all)
    }

    /// The number of a job; `None` when its spelling fits no job.
    fn resolve(&self, named: &Named) -> Result<Option<i64>, Failure> {
        match self
            .db
            .read(|conn| query::resolve(conn, self.tenant, &named.job))
        {
            Ok(id) => Ok(Some(id)),
            Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Waits for the end of every job, and answers the exit code of the last one that was named.
fn wait_for(db: &Db, answers: &mut [Answer], timeout: Option<Duration>) -> Result<Exit, Failure> {
    let deadline = Deadline::after(timeout);
    let mut exit = Exit::Ok;
    for answer in answers {
        let Some(id) = answer.number else {
            exit = Exit::Missing;
            continue;
        };
        let Some(job) = until_end(db, id, deadline, |_| Ok(()))? else {
            return Err(Failure::new(
                Exit::TimedOut,
                format!(
                    "job {id} has not ended yet; its cancel stands, and --force ends it without its worker"
                ),
            ));
        };
        answer.state = Some(job.state);
        exit = Exit::of_state(job.state);
    }
    Ok(exit)
}

fn print(context: &mut Context, answers: &[Answer]) -> Result<(), Failure> {
    if context.out.is_json() {
        let results: Vec<_> = answers.iter().map(Answer::json).collect();
        return context.out.json(&json!({ "results": results }), false);
    }
    for answer in answers {
        let words = answer.message();
        context.out.line(format!("job {}: {words}", answer.words))?;
    }
    Ok(())
}

fn exit_of(answers: &[Answer]) -> Exit {
    let any = |outcome| answers.iter().any(|answer| answer.outcome == outcome);
    if any(Outcome::Refused) {
        Exit::Refused
    } else if any(Outcome::Missing) {
        Exit::Missing
    } else {
        Exit::Ok
    }
}

/// What became of one job.
#[derive(Debug)]
struct Answer {
    /// As it was named, when it is missing; otherwise its number.
    words: String,
    number: Option<i64>,
    was: Option<JobState>,
    state: Option<JobState>,
    outcome: Outcome,
    /// A worker that may still be running the code of a job that was ended by force.
    worker: Option<i64>,
    /// What is done about it now, when it is being stopped.
    stop: Option<Stop>,
}

impl Answer {
    fn known(id: i64, was: Option<JobState>, state: Option<JobState>, outcome: Outcome) -> Self {
        Self {
            words: id.to_string(),
            number: Some(id),
            was,
            state,
            outcome,
            worker: None,
            stop: None,
        }
    }

    fn of(named: &Named, answer: CancelAnswer) -> Self {
        if answer.outcome == Outcome::Missing {
            return Self::missing(named);
        }
        Self::known(answer.id, answer.was, answer.state, answer.outcome)
    }

    fn forced(id: i64, forced: ops::Forced) -> Self {
        Self {
            worker: forced.worker,
            ..Self::known(
                id,
                Some(forced.was),
                Some(JobState::Cancelled),
                Outcome::Cancelled,
            )
        }
    }

    fn finished(id: i64, state: JobState) -> Self {
        let outcome = if state == JobState::Cancelled {
            Outcome::Already
        } else {
            Outcome::Refused
        };
        Self::known(id, Some(state), Some(state), outcome)
    }

    fn missing(named: &Named) -> Self {
        Self {
            words: named.words.clone(),
            number: None,
            was: None,
            state: None,
            outcome: Outcome::Missing,
            worker: None,
            stop: None,
        }
    }

    fn message(&self) -> String {
        let was = self.was.map_or("unknown", JobState::as_str);
        let now = self.state.map_or("unknown", JobState::as_str);
        match self.outcome {
            Outcome::Cancelled => match self.worker {
                Some(worker) => format!(
                    "it was {was} and is cancelled by force; worker {worker} may still run its code until its next heartbeat"
                ),
                None => format!("it was {was} and is cancelled"),
            },
            Outcome::Cancelling if self.state == Some(JobState::Cancelled) => {
                format!("it was {was} and is cancelled; its worker has stopped it")
            }
            Outcome::Cancelling => format!("it was {was}; {}", self.stopping()),
            Outcome::Already if self.state == Some(JobState::Cancelling) => {
                format!(
                    "it had been cancelled before and is {now}; {}",
                    self.stopping()
                )
            }
            Outcome::Already => format!("it had been cancelled before; it is {now}"),
            Outcome::Refused => {
                format!("it cannot be cancelled, because it has ended; it is {now}")
            }
            Outcome::Missing => "there is no such job".into(),
        }
    }

    fn stopping(&self) -> String {
        self.stop
            .as_ref()
            .map_or_else(|| "its worker was told to stop".into(), Stop::words)
    }

    fn json(&self) -> wire::Cancelled {
        // A number stays one, also when no job has it.
        let number = self.number.or_else(|| self.words.parse().ok());
        let id = number.map_or_else(|| self.words.clone().into(), Value::from);
        wire::Cancelled {
            id,
            was: self.was,
            state: self.state,
            outcome: self.outcome,
            message: self.message(),
        }
    }
}
