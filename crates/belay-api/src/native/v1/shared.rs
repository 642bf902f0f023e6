//! What all tenants share is shown only to keys that may touch them all.

use std::sync::Arc;

use crate::http::{Call, Fault};
use crate::service;

/// Refuses a key that may touch only some of the tenants there are.
pub(super) async fn check(call: &Call) -> Result<(), Fault> {
    let grant = Arc::clone(&call.grant);
    if call
        .request
        .database(move |db| service::house::sees_all(db, &grant))
        .await?
    {
        return Ok(());
    }
    Err(Fault::forbidden(
        "this shows what all tenants share, and this API key may touch only some of them",
    ))
}
