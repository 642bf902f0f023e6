//! Who asks, and what they may do.

mod grant;
mod key;
pub(crate) mod scope;
mod tenant;

pub(crate) use grant::Grant;
pub(crate) use key::{KeyCache, authenticate, bare_or_bearer, bearer};
pub(crate) use scope::{Scope, Scopes};
pub(crate) use tenant::{TenantCache, by_id, choose};
