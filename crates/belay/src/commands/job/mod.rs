//! `belay job`: one job.

mod change;
mod get;
mod output;
mod timeline;
pub(crate) mod wait;
mod watch;

use belay_core::id::JobRef;
use clap::{Args, Subcommand};

use super::{Context, tenant_number};
use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    target: Option<Target>,
}

/// Which job.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The job, by number, UUID or 24-digit key; shown when no command is given
    id: JobRef,
    /// Only when it belongs to this tenant, by name, number or 24-digit key
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show a job
    Get(Target),
    /// Show progress and output until the job has ended; the exit code tells how
    Watch(watch::Watch),
    /// Show what happened to a job, in order
    Timeline(Target),
    /// Print what a job has written
    Output(output::Output),
    /// Make a new job with the content of a finished one
    Retry(change::Change),
    /// Hold a running job still
    Suspend(change::Change),
    /// Let a suspended job go on
    Resume(change::Change),
    /// Start a scheduled job now
    Start(change::Change),
    /// Delete payload, output, progress and uploads of a finished job
    DeleteData(change::Change),
}

impl JobArgs {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match (self.verb, self.target) {
            (Some(Verb::Get(target)), _) | (None, Some(target)) => get::run(&target, context),
            (Some(Verb::Watch(command)), _) => command.run(context),
            (Some(Verb::Timeline(target)), _) => timeline::run(&target, context),
            (Some(Verb::Output(command)), _) => command.run(context),
            (Some(Verb::Retry(command)), _) => command.retry(context),
            (Some(Verb::Suspend(command)), _) => command.suspend(context),
            (Some(Verb::Resume(command)), _) => command.resume(context),
            (Some(Verb::Start(command)), _) => command.start(context),
            (Some(Verb::DeleteData(command)), _) => command.delete_data(context),
            (None, None) => Err(Failure::new(
                Exit::Usage,
                "which job? Give its number, or see `belay job --help`",
            )),
        }
    }
}
