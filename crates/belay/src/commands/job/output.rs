//! `belay job output`: what a job has written, as it wrote it.

use std::io::{self, Write};

use belay_core::model::OutputView;
use belay_core::query;
use clap::Args;

use super::{Context, Target, tenant_number};
use crate::exit::{Exit, Failure};
use crate::wire;

#[derive(Debug, Args)]
pub(crate) struct Output {
    #[command(flatten)]
    target: Target,
    /// Of this attempt, from 1; of the latest that wrote anything when not given
    #[arg(long, value_name = "N")]
    attempt: Option<i16>,
}

impl Output {
    /// Standard output goes to standard output, standard error to standard error.
    pub(super) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        let db = context.db()?;
        let tenant = tenant_number(&db, self.target.tenant.as_deref())?;
        let (id, mut outputs) = db.read(|conn| {
            let job = query::get(conn, tenant, &self.target.id)?;
            Ok((job.id, query::outputs(conn, job.id)?))
        })?;
        if let Some(attempt) = self.attempt {
            outputs.retain(|output| output.attempt == attempt);
            if outputs.is_empty() {
                return Err(Failure::new(
                    Exit::Missing,
                    format!("attempt {attempt} of job {id} wrote nothing"),
                ));
            }
        }
        if context.out.is_json() {
            let attempts = outputs.iter().map(wire::Attempt::from).collect();
            context.out.json(&wire::Outputs { id, attempts }, false)?;
        } else if let Some(output) = outputs.last() {
            print(context, output)?;
        }
        Ok(Exit::Ok)
    }
}

fn print(context: &mut Context, output: &OutputView) -> Result<(), Failure> {
    context.out.raw(&output.stdout)?;
    let mut stderr = io::stderr().lock();
    // Nobody can be told that standard error is gone.
    let _ = stderr.write_all(output.stderr.as_bytes());
    for (stream, kept, all) in [
        ("standard output", output.stdout.len(), output.stdout_bytes),
        ("standard error", output.stderr.len(), output.stderr_bytes),
    ] {
        let missing = all.saturating_sub(i64::try_from(kept).unwrap_or(i64::MAX));
        if missing > 0 {
            let _ = writeln!(
                stderr,
                "belay: the first {missing} bytes of {stream} were not kept"
            );
        }
    }
    Ok(())
}
