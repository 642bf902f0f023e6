//! The body of the verbs that take nothing but a reason.

use utoipa::ToSchema;

use crate::http::{Fault, Members};

/// Why something is done; goes on record.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"reason": "asked for by the customer"}))]
pub(super) struct Reason {
    /// Up to 1000 characters.
    pub(super) reason: Option<String>,
}

impl Reason {
    pub(super) fn take(members: &mut Members<'_>) -> Result<Self, Fault> {
        Ok(Self {
            reason: members.text("reason")?,
        })
    }
}
