//! The statement that brings staged rows to where they belong, and the search for the row that it does not take.

use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};

use super::batch::Batch;
use super::fault::{Fault, words_about_data};

/// How staged rows are loaded. The statements take the first and the last row as `$1` and `$2`.
#[derive(Debug)]
pub(super) struct Plan {
    /// For rows of which no two have the same key.
    pub(super) plain: String,
    /// For any rows: of those with the same key the last one counts.
    pub(super) last_wins: String,
    /// `$3`, if there is one.
    pub(super) object: Option<String>,
    /// Whether keys have been met twice, so that it is not worth while to hope that they stand once.
    pub(super) repeats: bool,
}

impl Plan {
    /// Loads all rows of a batch from the staging table.
    ///
    /// # Errors
    /// [`Fault::Bad`] with the line of the first row that the database does not take.
    pub(super) fn load(&mut self, conn: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
        self.load_range(conn, batch, 1, batch.rows())
    }

    fn load_range(
        &mut self,
        conn: &mut PgConnection,
        batch: &Batch,
        first: i32,
        last: i32,
    ) -> Result<(), Fault> {
        // A savepoint, so that a failure takes back this range and no more.
        let outcome = conn.transaction(|conn| self.run(conn, first, last));
        let words = match outcome {
            Ok(()) => return Ok(()),
            Err(error) => words_about_data(error)?,
        };
        if !self.repeats && words.contains("a second time") {
            self.repeats = true;
            return self.load_range(conn, batch, first, last);
        }
        if first >= last {
            return Err(Fault::in_line(batch.line(first), words));
        }
        // One of them is wrong. Halves that are fine are loaded on the way.
        let middle = first + (last - first) / 2;
        self.load_range(conn, batch, first, middle)?;
        self.load_range(conn, batch, middle + 1, last)
    }

    fn run(&self, conn: &mut PgConnection, first: i32, last: i32) -> QueryResult<()> {
        let text = if self.repeats {
            &self.last_wins
        } else {
            &self.plain
        };
        let query = diesel::sql_query(text)
            .bind::<Integer, _>(first)
            .bind::<Integer, _>(last);
        match &self.object {
            Some(object) => query.bind::<Text, _>(object).execute(conn)?,
            None => query.execute(conn)?,
        };
        Ok(())
    }
}
