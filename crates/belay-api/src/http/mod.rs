//! What every face of the API does the same way: find the verb, ask who it is, read the body, answer, measure. What differs
//! between faces (how an error looks, which media types there are) is in a [`Face`].

mod accept;
mod answer;
mod body;
mod call;
mod catch;
mod cursor;
mod fault;
mod form;
mod limiter;
mod members;
mod prefer;
mod query;
mod request_id;
mod routing;

pub(crate) use accept::{accepts_json, accepts_plain_json, preferred};
pub(crate) use answer::{Answer, json, no_content};
pub(crate) use body::{MEBIBYTE, Need, check_coding, media_type};
pub(crate) use call::{Allowed, Call, Request};
pub(crate) use cursor::Cursor;
pub(crate) use fault::{Fault, Kind};
pub(crate) use form::{Form, basic};
pub(crate) use limiter::Limiter;
pub use limiter::RateLimit;
pub(crate) use members::{Members, shorten};
pub(crate) use prefer::wait_seconds;
pub(crate) use query::Query;
pub(crate) use request_id::RequestId;
pub(crate) use routing::{Face, Resource, Verb, mount, unknown_route};
