//! Rows on their way into the staging table, in the binary form of COPY.

use std::io::Write;

use diesel::connection::SimpleConnection;
use diesel::pg::CopyFormat;
use diesel::pg::{CopyTarget, Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::AstPass;

/// Bytes after which a batch is brought to the database.
const FULL: usize = 4 << 20;
/// Rows after which it is: what is done with them shall not take long, so that a cancel is seen soon.
const MOST_ROWS: usize = 25_000;
const MAGIC: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1_i16).to_be_bytes();

diesel::table! {
    /// Stands for the staging table, of which only the name is known here.
    pg_temp.belay_load (n) {
        n -> Integer,
    }
}

/// The staging table with all its columns, however many it has.
struct Staging;

impl CopyTarget for Staging {
    type Table = belay_load::table;
    type SqlType = diesel::sql_types::Integer;

    fn walk_target(mut pass: AstPass<'_, '_, Pg>) -> QueryResult<()> {
        pass.push_sql("pg_temp.belay_load");
        Ok(())
    }
}

/// Rows of one file that are not loaded yet.
#[derive(Debug)]
pub(super) struct Batch {
    columns: i16,
    buffer: Vec<u8>,
    /// The line of each row.
    lines: Vec<u64>,
}

impl Batch {
    /// Makes the staging table: `n`, which numbers the rows from 1, and so many texts `c1`, `c2` and so on.
    pub(super) fn begin(conn: &mut PgConnection, columns: usize) -> QueryResult<Self> {
        let mut texts = String::new();
        for n in 1..=columns {
            texts.push_str(&format!(", c{n} text"));
        }
        conn.batch_execute(&format!(
            "drop table if exists pg_temp.belay_load; create temp table belay_load (n integer not null{texts}) on commit drop"
        ))?;
        Ok(Self {
            columns: i16::try_from(columns + 1).unwrap_or(i16::MAX),
            buffer: MAGIC.to_vec(),
            lines: Vec::new(),
        })
    }

    /// Begins a row; as many fields as there are columns must follow.
    pub(super) fn begin_row(&mut self, line: u64) {
        self.lines.push(line);
        let n = i32::try_from(self.lines.len()).unwrap_or(i32::MAX);
        self.buffer.extend(self.columns.to_be_bytes());
        self.buffer.extend(4_i32.to_be_bytes());
        self.buffer.extend(n.to_be_bytes());
    }

    /// Adds a field to the row that was begun.
    pub(super) fn field(&mut self, value: Option<&str>) {
        match value {
            None => self.buffer.extend((-1_i32).to_be_bytes()),
            Some(text) => {
                let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
                self.buffer.extend(length.to_be_bytes());
                self.buffer.extend(text.as_bytes());
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= FULL || self.lines.len() >= MOST_ROWS
    }

    /// The number of the last row; 0 when there is none.
    pub(super) fn rows(&self) -> i32 {
        i32::try_from(self.lines.len()).unwrap_or(i32::MAX)
    }

    /// The line of a row.
    pub(super) fn line(&self, n: i32) -> u64 {
        usize::try_from(n - 1)
            .ok()
            .and_then(|place| self.lines.get(place))
            .copied()
            .unwrap_or(0)
    }

    /// Brings the rows into the staging table.
    pub(super) fn copy(&self, conn: &mut PgConnection) -> QueryResult<()> {
        diesel::copy_from(belay_load::table)
            .from_raw_data(Staging, |out: &mut dyn Write| {
                out.write_all(&self.buffer)
                    .and_then(|()| out.write_all(&END))
                    .map_err(|e| diesel::result::Error::SerializationError(Box::new(e)))
            })
            .with_format(CopyFormat::Binary)
            .execute(conn)?;
        Ok(())
    }

    /// Empties the batch and the staging table.
    pub(super) fn clear(&mut self, conn: &mut PgConnection) -> QueryResult<()> {
        conn.batch_execute("truncate pg_temp.belay_load")?;
        self.buffer.truncate(MAGIC.len());
        self.lines.clear();
        Ok(())
    }
}
