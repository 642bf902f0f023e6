//! `belay migrate`: brings the schema of the database up to date.

use belay_core::migrate;
use clap::Args;
use serde_json::json;

use super::Context;
use crate::database;
use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Change nothing; exit with 1 when the schema is not the one of this program
    #[arg(long)]
    check: bool,
}

impl Migrate {
    pub(crate) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        if self.check {
            drop(context.db()?);
            return if context.out.is_json() {
                context.out.json(&json!({ "applied": [] }), false)
            } else {
                context.out.line("the schema is up to date")
            }
            .map(|()| Exit::Ok);
        }
        let url = database::url(&context.config)?;
        let url = context.config.database.connection(&url);
        let migrated =
            migrate::run(&url).map_err(|error| database::explain(&context.config, error))?;
        if context.out.is_json() {
            context
                .out
                .json(&json!({ "applied": migrated.applied }), false)?;
        } else if migrated.applied.is_empty() {
            context.out.line("the schema was up to date")?;
        } else {
            for name in &migrated.applied {
                context.out.line(format!("applied {name}"))?;
            }
        }
        Ok(Exit::Ok)
    }
}
