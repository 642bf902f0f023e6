//! `belay job retry|suspend|resume|start|delete-data`: changes of one job, all made alike.

use belay_core::id::JobRef;
use belay_core::ops::{self, Actor};
use belay_core::{Db, JobState, Result as CoreResult, query};
use clap::Args;
use diesel::PgConnection;
use serde_json::{Value, json};

use super::{Context, Target, tenant_number};
use crate::exit::{Exit, Failure};
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

/// What a change answers: for programs, and for people.
type Answer = (Value, String);

impl Change {
    pub(super) fn retry(&self, context: &mut Context) -> Result<Exit, Failure> {
        self.apply(context, |conn, ask| {
            let id = ops::retry(conn, ask.tenant, ask.id, ask.actor, ask.reason)?;
            let job = query::get(conn, ask.tenant, &JobRef::number(id))?;
            let words = format!("job {id} does once more what job {} did", ask.id);
            Ok((wire::job(&job, None), words))
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
            let answer = json!({ "id": ask.id, "data_deleted": true });
            Ok((answer, format!("the data of job {} is deleted", ask.id)))
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
        let (answer, words) = db.tx(|conn| {
            let ask = Ask {
                tenant,
                id: query::resolve(conn, tenant, &self.target.id)?,
                actor: &actor,
                reason: self.reason.as_deref(),
            };
            change(conn, &ask)
        })?;
        if context.out.is_json() {
            context.out.json(&answer, false)?;
        } else {
            context.out.line(words)?;
        }
        Ok(Exit::Ok)
    }
}

fn moved(id: i64, was: JobState, state: JobState, now: &str) -> Answer {
    let message = if was == state {
        format!("it was {state} already")
    } else {
        now.to_owned()
    };
    let words = format!("job {id}: {message}");
    (wire::moved(id, was, state, &message), words)
}
