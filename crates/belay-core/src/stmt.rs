//! Statements with fixed text, prepared once per connection.
//!
//! diesel never keeps a `sql_query` prepared. The hot statements of [`crate::ops`] are long and cost more to plan
//! than to run, so they go through this type: a text with `$1..$n` and its values, cached by text.

use std::marker::PhantomData;

use diesel::RunQueryDsl;
use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;

/// A statement whose rows have the SQL types `Row`.
pub(crate) struct Stmt<'a, Row> {
    sql: &'static str,
    binds: Vec<Box<dyn QueryFragment<Pg> + Send + 'a>>,
    row: PhantomData<Row>,
}

/// Begins a statement. Its first line should be a comment with its name, which is what server logs show.
pub(crate) fn stmt<'a, Row>(sql: &'static str) -> Stmt<'a, Row> {
    Stmt {
        sql,
        binds: Vec::new(),
        row: PhantomData,
    }
}

impl<'a, Row> Stmt<'a, Row> {
    /// Gives the next `$n` its value.
    pub(crate) fn bind<St, Value>(mut self, value: Value) -> Self
    where
        Pg: HasSqlType<St>,
        St: Send + 'a,
        Value: ToSql<St, Pg> + Send + 'a,
    {
        self.binds.push(Box::new(Bind {
            value,
            st: PhantomData::<St>,
        }));
        self
    }
}

struct Bind<Value, St> {
    value: Value,
    st: PhantomData<St>,
}

impl<Value, St> QueryFragment<Pg> for Bind<Value, St>
where
    Pg: HasSqlType<St>,
    Value: ToSql<St, Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param_value_only(&self.value)
    }
}

impl<Row> QueryFragment<Pg> for Stmt<'_, Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.sql);
        for bind in &self.binds {
            bind.walk_ast(out.reborrow())?;
        }
        Ok(())
    }
}

impl<Row> QueryId for Stmt<'_, Row> {
    type QueryId = ();
    // The text is the key of the cache.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> Query for Stmt<'_, Row> {
    type SqlType = Row;
}

impl<Row> RunQueryDsl<PgConnection> for Stmt<'_, Row> {}
