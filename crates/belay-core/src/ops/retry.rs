//! Retry by hand: a finished job never changes, so a new one is made with its content. Locks the finished row against a
//! deletion of its data at the same moment.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use super::{Actor, check_reason};
use crate::error::{Error, Result};
use crate::state::{JobState, sql};
use crate::stmt::stmt;

/// Enqueues a new job with the content of a finished one and answers the new id.
///
/// # Errors
/// [`Error::Missing`]; [`Error::Refused`] when it has not finished, its data was deleted, or an unfinished job holds its unique
/// key; [`Error::Invalid`] when its kind is not registered any more.
pub fn retry(
    conn: &mut PgConnection,
    tenant: Option<i32>,
    id: i64,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<i64> {
    check_reason(reason)?;
    let (outcome, new, was) = stmt::<(Text, Nullable<BigInt>, Nullable<sql::JobState>)>(
        "-- retry\n select outcome, id, was from belay.op_retry($1, $2, $3, $4, $5)",
    )
    .bind::<BigInt, _>(id)
    .bind::<Nullable<Integer>, _>(tenant)
    .bind::<Text, _>(&actor.name)
    .bind::<Nullable<Text>, _>(reason)
    .bind::<Text, _>(actor.via.as_str())
    .get_result::<(String, Option<i64>, Option<JobState>)>(conn)?;
    let refused = |why: String| Error::Refused {
        state: was,
        message: format!("job {id} cannot be retried: {why}"),
    };
    match (outcome.as_str(), new) {
        ("retried", Some(new)) => Ok(new),
        ("missing", _) => Err(Error::missing(format!("job {id}"))),
        ("unfinished", _) => Err(refused(format!(
            "it has not finished, it is {}",
            was.map_or_else(|| "unfinished".to_owned(), |s| s.to_string())
        ))),
        ("data_deleted", _) => Err(refused("its data was deleted".into())),
        _ => Err(refused("an unfinished job holds its unique key".into())),
    }
}
