//! A login, without its token.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};

use super::ApiKey;

/// What is known of a login that works now.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct SessionRow {
    /// Number.
    #[diesel(sql_type = BigInt, column_name = session_id)]
    pub id: i64,
    /// The interface it was opened through, and works through.
    #[diesel(sql_type = Text, column_name = session_via)]
    pub via: String,
    /// What it may do at most; `None`: whatever its key may.
    #[diesel(sql_type = Nullable<Array<Text>>, column_name = session_scopes)]
    pub scopes: Option<Vec<String>>,
    /// When it ends even if it is used.
    #[diesel(sql_type = Timestamptz, column_name = session_ends_at)]
    pub ends_at: DateTime<Utc>,
    /// The API key behind it, revoked and expired ones included.
    #[diesel(embed)]
    pub key: ApiKey,
}
