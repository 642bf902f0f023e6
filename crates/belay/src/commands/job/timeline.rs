//! `belay job timeline`: what happened to a job, in order.

use belay_core::model::EventRow;
use belay_core::query;

use super::{Context, Target, tenant_number};
use crate::exit::{Exit, Failure};
use crate::show::exact_time;
use crate::wire;

pub(super) fn run(target: &Target, context: &mut Context) -> Result<Exit, Failure> {
    let db = context.db()?;
    let tenant = tenant_number(&db, target.tenant.as_deref())?;
    let (id, events) = db.read(|conn| query::life(conn, tenant, &target.id))?;
    if context.out.is_json() {
        let events = events.iter().map(wire::Event::from).collect();
        context.out.json(&wire::Timeline { id, events }, false)?;
    } else {
        context.out.table(
            &["at", "event", "state", "attempt", "by", "through", "reason"],
            events.iter().map(row).collect(),
            "nothing is on record",
        )?;
    }
    Ok(Exit::Ok)
}

fn row(event: &EventRow) -> Vec<String> {
    let state = match (event.was, event.state) {
        (Some(was), Some(now)) if was != now => format!("{was} > {now}"),
        (_, Some(now)) => now.to_string(),
        (was, None) => was.map_or_else(|| "-".into(), |s| s.to_string()),
    };
    let mut reason = event.reason.clone().unwrap_or_default();
    if let Some(detail) = &event.detail {
        reason = format!("{reason} {detail}");
    }
    vec![
        exact_time(event.at),
        event.event.clone(),
        state,
        event.attempt.to_string(),
        event.actor.clone(),
        event.via.clone(),
        reason.trim().to_owned(),
    ]
}
