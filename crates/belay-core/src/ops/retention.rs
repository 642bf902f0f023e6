//! Retention: partitions are prepared ahead and dropped whole. Detaching concurrently waits for readers and blocks nobody who
//! writes; it must stand outside any transaction. Locks no job.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text};

use crate::error::Result;
use crate::stmt::stmt;

/// Makes the partitions for the next `days` days and three months where they are missing, and answers how many were new.
///
/// # Errors
/// Those of the database.
pub fn ensure_partitions(conn: &mut PgConnection, days: i32) -> Result<i32> {
    Ok(
        stmt::<Integer>("-- ensure_partitions\n select belay.ensure_partitions($1)")
            .bind::<Integer, _>(days)
            .get_result(conn)?,
    )
}

/// A partition that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedPartition {
    /// Its name.
    pub name: String,
    /// First day after it.
    pub end: NaiveDate,
}

/// Drops the partitions of finished jobs that ended before `now - keep_jobs` and those of events before `now - keep_events`,
/// with the output, progress and uploads of those jobs. Needs a connection outside any transaction. Can be interrupted anywhere and
/// run again.
///
/// # Errors
/// [`crate::Error::Busy`] when a partition is in use: try again later.
pub fn drop_partitions(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keep_jobs: Duration,
    keep_events: Duration,
) -> Result<Vec<DroppedPartition>> {
    let mut dropped = Vec::new();
    for partition in partitions(conn)? {
        let keep = if partition.jobs {
            keep_jobs
        } else {
            keep_events
        };
        let Some(limit) = chrono::TimeDelta::from_std(keep)
            .ok()
            .and_then(|keep| now.checked_sub_signed(keep))
        else {
            continue;
        };
        if partition.end > limit.date_naive() {
            continue;
        }
        if partition.jobs {
            delete_side_data(conn, &partition.name)?;
        }
        detach_and_drop(conn, &partition)?;
        dropped.push(DroppedPartition {
            name: partition.name,
            end: partition.end,
        });
    }
    Ok(dropped)
}

#[derive(Debug)]
struct Partition {
    name: String,
    jobs: bool,
    end: NaiveDate,
    /// `None`: detached already, by a run that was interrupted. `Some(true)`: a detach was interrupted.
    pending: Option<bool>,
}

fn partitions(conn: &mut PgConnection) -> Result<Vec<Partition>> {
    let rows = stmt::<(Text, Nullable<Bool>)>(
        "-- partitions
         select c.relname::text, i.inhdetachpending from pg_class c join pg_namespace n on n.oid = c.relnamespace
         left join pg_inherits i on i.inhrelid = c.oid
         where n.nspname = 'belay' and c.relkind = 'r' and c.relname ~ '^(job_done_[0-9]{8}|job_event_[0-9]{6})$' order by 1",
    )
    .load::<(String, Option<bool>)>(conn)?;
    Ok(rows
        .into_iter()
        .filter_map(|(name, pending)| parse(name, pending))
        .collect())
}

fn parse(name: String, pending: Option<bool>) -> Option<Partition> {
    let (jobs, end) = if let Some(day) = name.strip_prefix("job_done_") {
        (
            true,
            NaiveDate::parse_from_str(day, "%Y%m%d").ok()?.succ_opt()?,
        )
    } else {
        let month = name.strip_prefix("job_event_")?;
        let first = NaiveDate::parse_from_str(&format!("{month}01"), "%Y%m%d").ok()?;
        (false, first.checked_add_months(chrono::Months::new(1))?)
    };
    Some(Partition {
        name,
        jobs,
        end,
        pending,
    })
}

/// Output and progress live beside the job; they go first, in chunks, so that nothing is left without its job.
fn delete_side_data(conn: &mut PgConnection, partition: &str) -> Result<()> {
    for (table, most) in [
        ("job_output", 5000),
        ("job_progress", 5000),
        // A row is up to a mebibyte.
        ("job_upload", 500),
        ("job_file", 5000),
        ("job_attributes", 5000),
        ("bulk_action", 5000),
    ] {
        loop {
            // The name was matched against a fixed pattern above.
            let sql = format!(
                "delete from belay.{table} where ctid = any (array(
                   select s.ctid from belay.{table} s where s.job in (select d.id from belay.{partition} d) limit {most}))"
            );
            if diesel::sql_query(sql).execute(conn)? < most {
                break;
            }
        }
    }
    Ok(())
}

fn detach_and_drop(conn: &mut PgConnection, partition: &Partition) -> Result<()> {
    let parent = if partition.jobs {
        "job_done"
    } else {
        "job_event"
    };
    let name = &partition.name;
    match partition.pending {
        Some(true) => {
            diesel::sql_query(format!(
                "alter table belay.{parent} detach partition belay.{name} finalize"
            ))
            .execute(conn)?;
        }
        Some(false) => {
            diesel::sql_query(format!(
                "alter table belay.{parent} detach partition belay.{name} concurrently"
            ))
            .execute(conn)?;
        }
        None => {}
    }
    diesel::sql_query(format!("drop table belay.{name}")).execute(conn)?;
    Ok(())
}

/// Forgets idempotency keys older than `after`, at most 5000 at a time; answers how many.
///
/// # Errors
/// Those of the database.
pub fn forget_idempotency_keys(conn: &mut PgConnection, after: Duration) -> Result<usize> {
    Ok(stmt::<()>(
        "-- forget_idempotency_keys
         delete from belay.idempotency where ctid = any (array(
           select ctid from belay.idempotency where created_at < now() - $1 * interval '1 s' order by created_at limit $2))",
    )
    .bind::<Double, _>(after.as_secs_f64())
    .bind::<BigInt, _>(5000)
    .execute(conn)?)
}
