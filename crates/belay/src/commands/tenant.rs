//! `belay tenant`: the customers whose jobs must not see one another.

use belay_core::model::TenantRow;
use belay_core::{ops, query};
use clap::Subcommand;
use serde_json::json;

use super::Context;
use crate::exit::{Exit, Failure};
use crate::show::time;
use crate::wire;

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Make a tenant
    Create {
        /// 1 to 63 letters, digits and . _ -
        name: String,
    },
    /// List all tenants
    List,
}

impl Tenant {
    pub(crate) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        let db = context.db()?;
        match self {
            Self::Create { name } => {
                let (id, created_at) = db.tx(|conn| ops::create_tenant(conn, name))?;
                let tenant = TenantRow {
                    id,
                    name: name.clone(),
                    created_at,
                };
                if context.out.is_json() {
                    context.out.json(&wire::Tenant::from(&tenant), false)?;
                } else {
                    context.out.line(format!(
                        "tenant {name} has number {id} (24-digit spelling {})",
                        tenant.key()
                    ))?;
                }
            }
            Self::List => {
                let tenants = db.read(query::tenants)?;
                if context.out.is_json() {
                    let list: Vec<_> = tenants.iter().map(wire::Tenant::from).collect();
                    context.out.json(&json!({ "tenants": list }), false)?;
                } else {
                    let rows = tenants.iter().map(|t| {
                        vec![
                            t.id.to_string(),
                            t.name.clone(),
                            t.key(),
                            time(t.created_at),
                        ]
                    });
                    context.out.table(
                        &["id", "name", "key", "created"],
                        rows.collect(),
                        "no tenants",
                    )?;
                }
            }
        }
        Ok(Exit::Ok)
    }
}
