//! `belay job retry|suspend|resume|start|delete-data`: changes of one job, all made alike.

use belay_core::id::JobRef;
use belay_core::model::Job;
use belay_core::ops::{self, Actor};
use belay_core::{Db, JobState, Result as CoreResult, query};
use clap::Args;
use diesel::PgConnection;
use serde_json::json;

use super::{Context, Target, tenant_number};
use crate::exit::{Exit, Failure};
use crate::show::Out;
use crate::{actor, wire};

#[derive(Debug, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    target: Target,
    /// Why; kept on record, at most 1000 characters
    #[arg(long)]
    reason: Option<String>,
}

/// What a change needs besides the connection.
struct Ask<'a> {
    tenant: Option<i32>,
    id: i64,
    actor: &'a Actor,
    reason: Option<&'a str>,
}

/// What a change answers.
enum Answer {
    /// A new job.
    Made { job: Box<Job>, original: i64 },
    /// The job is in another state.
    Moved(wire::Moved),
    /// The data of this job is gone.
    Deleted(i64),
}

impl Change {
    pub(super) fn retry(&self, context: &mut Context) -> Result<Exit, Failure> {
        self.apply(context, |conn, ask| {
            let id = ops::retry(conn, ask.tenant, ask.id, ask.actor, ask.reason)?;
            let job = query::get(conn, ask.tenant, &JobRef::number(id))?;
            Ok(Answer::Made {
                job: Box::new(job),
                original: ask.id,
            })
        })
    }

    pub(super) fn suspend(&self, context: &mut Context) -> Result<Exit, Failure> {
        self.apply(context, |conn, ask| {
            let was = ops::suspend(conn, ask.tenant, ask.id, ask.actor, ask.reason)?;
            let now = "its worker was told to hold it still";
            Ok(moved(ask.id, was, JobState::Suspended, now))
        })
    }

    pub(super) fn resume(&self, context: &mut Context) -> Result<Exit, Failure> {
        self.apply(context, |conn, ask| {
            let was = ops::resume(conn, ask.tenant, ask.id, ask.actor, ask.reason)?;
            let now = "its worker was told to let it go on";
            Ok(moved(ask.id, was, JobState::Running, now))
        })
    }

    pub(super) fn start(&self, context: &mut Context) -> Result<Exit, Failure> {
        self.apply(context, |conn, ask| {
            let was = ops::start_now(conn, ask.tenant, ask.id, ask.actor, ask.reason)?;
            Ok(moved(ask.id, was, JobState::Queued, "it may run now"))
        })
    }

    pub(super) fn delete_data(&self, context: &mut Context) -> Result<Exit, Failure> {
        self.apply(context, |conn, ask| {
            ops::delete_data(conn, ask.tenant, ask.id, ask.actor, ask.reason)?;
            Ok(Answer::Deleted(ask.id))
        })
    }

    /// Changes the job in one transaction and prints the answer.
    fn apply(
        &self,
        context: &mut Context,
        change: impl Fn(&mut PgConnection, &Ask<'_>) -> CoreResult<Answer>,
    ) -> Result<Exit, Failure> {
        let db: Db = context.db()?;
        let tenant = tenant_number(&db, self.target.tenant.as_deref())?;
        let actor = actor::login();
        let answer = db.tx(|conn| {
            let ask = Ask {
                tenant,
                id: query::resolve(conn, tenant, &self.target.id)?,
                actor: &actor,
                reason: self.reason.as_deref(),
            };
            change(conn, &ask)
        })?;
        answer.print(&mut context.out)?;
        Ok(Exit::Ok)
    }
}

impl Answer {
    fn print(&self, out: &mut Out) -> Result<(), Failure> {
        match self {
            Self::Made { job, .. } if out.is_json() => out.json(&wire::Job::new(job, None), false),
            Self::Made { job, original } => out.line(format!(
                "job {} does once more what job {original} did",
                job.id
            )),
            Self::Moved(moved) if out.is_json() => out.json(moved, false),
            Self::Moved(moved) => out.line(format!("job {}: {}", moved.id, moved.message)),
            Self::Deleted(id) if out.is_json() => {
                out.json(&json!({ "id": id, "data_deleted": true }), false)
            }
            Self::Deleted(id) => out.line(format!("the data of job {id} is deleted")),
        }
    }
}

fn moved(id: i64, was: JobState, state: JobState, now: &str) -> Answer {
    let message = if was == state {
        format!("it was {state} already")
    } else {
        now.to_owned()
    };
    Answer::Moved(wire::Moved {
        id,
        was,
        state,
        message,
    })
}
