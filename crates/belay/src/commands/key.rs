//! `belay key`: API keys. A key is shown once, when it is made; only its hash is kept.

use std::time::Duration;

use belay_api::Scope;
use belay_core::model::ApiKey;
use belay_core::{Error, ops, query};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use crate::actor;
use crate::config::parse_duration;
use crate::exit::{Exit, Failure};
use crate::show::{maybe_time, note, time};
use crate::wire;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key and print it, once
    Create(Create),
    /// List all keys, without the keys themselves
    List,
    /// End the validity of a key; it cannot be undone
    Revoke {
        /// Name of the key
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// A name for the record, 1 to 100 letters, digits and . _ @ -; made from the time when not given
    #[arg(long)]
    name: Option<String>,
    /// Tenant it may touch, by name, number or 24-digit key; may be given several times
    #[arg(
        long = "tenant",
        value_name = "TENANT",
        required_unless_present = "all_tenants"
    )]
    tenants: Vec<String>,
    /// It may touch every tenant, those of the future included
    #[arg(long, conflicts_with = "tenants")]
    all_tenants: bool,
    /// What it may do; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = scope)]
    scopes: Vec<Scope>,
    /// How long it works, for example "90d"; for ever when not given
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    expires: Option<Duration>,
}

fn scope(word: &str) -> Result<Scope, String> {
    word.parse()
        .map_err(|error: belay_api::UnknownScope| error.to_string())
}

impl Key {
    pub(crate) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Create(create) => create.run(context),
            Self::List => list(context),
            Self::Revoke { name } => revoke(context, name),
        }
    }
}

impl Create {
    fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        let db = context.db()?;
        let actor = actor::login();
        let (secret, stored) = db.tx(|conn| {
            let now = query::now(conn)?;
            let tenants = self
                .tenants
                .iter()
                .map(|word| Ok(query::find_tenant(conn, word)?.id))
                .collect::<belay_core::Result<Vec<i32>>>()?;
            let key = ops::NewKey {
                name: self.name.clone().unwrap_or_else(|| invented_name(now)),
                scopes: self.scopes.iter().map(ToString::to_string).collect(),
                tenants: (!self.all_tenants).then_some(tenants),
                expires_at: self
                    .expires
                    .and_then(|d| chrono::TimeDelta::from_std(d).ok())
                    .and_then(|d| now.checked_add_signed(d)),
            };
            let (id, secret) = ops::create_key(conn, &key, &actor)?;
            let stored = query::keys(conn)?.into_iter().find(|k| k.id == id);
            Ok((secret, stored.ok_or_else(|| Error::missing("key"))?))
        })?;
        if context.out.is_json() {
            let key = wire::Key::with_secret(&stored, &secret);
            context.out.json(&key, false)?;
        } else {
            context.out.line(&secret)?;
            note(format!(
                "This is key {}. It is not shown again.",
                stored.name
            ));
        }
        Ok(Exit::Ok)
    }
}

fn invented_name(now: DateTime<Utc>) -> String {
    format!("key-{}", now.format("%Y%m%d-%H%M%S-%3f"))
}

fn list(context: &mut Context) -> Result<Exit, Failure> {
    let db = context.db()?;
    let (keys, now) = db.read(|conn| Ok((query::keys(conn)?, query::now(conn)?)))?;
    if context.out.is_json() {
        let list: Vec<_> = keys.iter().map(wire::Key::from).collect();
        context.out.json(&json!({ "keys": list }), false)?;
        return Ok(Exit::Ok);
    }
    let rows = keys.iter().map(|key| row(key, now)).collect();
    context.out.table(
        &[
            "name", "scopes", "tenants", "created", "by", "expires", "state",
        ],
        rows,
        "no keys",
    )?;
    Ok(Exit::Ok)
}

fn row(key: &ApiKey, now: DateTime<Utc>) -> Vec<String> {
    let state = if key.revoked_at.is_some() {
        "revoked"
    } else if key.is_valid(now) {
        "valid"
    } else {
        "expired"
    };
    vec![
        key.name.clone(),
        key.scopes.join(","),
        key.tenants.as_ref().map_or_else(
            || "all".into(),
            |tenants| {
                let numbers: Vec<String> = tenants.iter().map(ToString::to_string).collect();
                numbers.join(",")
            },
        ),
        time(key.created_at),
        key.created_by.clone(),
        maybe_time(key.expires_at),
        state.into(),
    ]
}

fn revoke(context: &mut Context, name: &str) -> Result<Exit, Failure> {
    let db = context.db()?;
    if !db.tx(|conn| ops::revoke_key(conn, name))? {
        return Err(Failure::new(
            Exit::Missing,
            format!("there is no key {name:?}; `belay key list` shows all"),
        ));
    }
    if context.out.is_json() {
        context
            .out
            .json(&json!({ "name": name, "revoked": true }), false)?;
    } else {
        context.out.line(format!("key {name} is revoked"))?;
    }
    Ok(Exit::Ok)
}
