//! An API key, without the key.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Integer, Nullable, Text, Timestamptz};

/// What is known of an API key.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct ApiKey {
    /// Number.
    #[diesel(sql_type = Integer)]
    pub id: i32,
    /// Name.
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Binary)]
    pub(crate) hash: Vec<u8>,
    /// What it may do.
    #[diesel(sql_type = Array<Text>)]
    pub scopes: Vec<String>,
    /// Tenants it may touch; `None` for all.
    #[diesel(sql_type = Nullable<Array<Integer>>)]
    pub tenants: Option<Vec<i32>>,
    /// When it was made.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// Who made it.
    #[diesel(sql_type = Text)]
    pub created_by: String,
    /// When it stops to work.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub revoked_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// Whether the key works at that time.
    #[must_use]
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}
