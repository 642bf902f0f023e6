//! What was uploaded for a job, for whoever loads it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, SmallInt};

use crate::error::Result;
use crate::model::UploadedFile;
use crate::stmt::stmt;

/// The files that count, in upload order.
///
/// # Errors
/// Those of the database.
pub fn files(conn: &mut PgConnection, job: i64) -> Result<Vec<UploadedFile>> {
    let rows = stmt::<(SmallInt, BigInt, BigInt)>(
        "-- uploaded_files\n select ordinal, file, bytes from belay.job_file where job = $1 order by ordinal",
    )
    .bind::<BigInt, _>(job)
    .load::<(i16, i64, i64)>(conn)?;
    Ok(rows
        .into_iter()
        .map(|(ordinal, file, bytes)| UploadedFile {
            ordinal,
            file,
            bytes,
        })
        .collect())
}

/// A chunk of a file, counted from 1; `None` after the last one, and when the data was deleted.
///
/// # Errors
/// Those of the database.
pub fn chunk(conn: &mut PgConnection, job: i64, file: i64, chunk: i32) -> Result<Option<Vec<u8>>> {
    Ok(stmt::<Binary>(
        "-- uploaded_chunk\n select content from belay.job_upload where job = $1 and file = $2 and chunk = $3",
    )
    .bind::<BigInt, _>(job)
    .bind::<BigInt, _>(file)
    .bind::<Integer, _>(chunk)
    .get_result::<Vec<u8>>(conn)
    .optional()?)
}
