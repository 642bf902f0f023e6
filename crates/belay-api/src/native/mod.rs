//! The native API, under `/belay/v1`.

mod problem;
pub(crate) mod v1;

pub(crate) use problem::{Problem, render};

use belay_core::ops::Via;

use crate::auth::bearer;
use crate::http::{Face, accepts_json};

/// How the native API speaks. The probes and pages beside it speak alike.
pub(crate) static FACE: Face = Face {
    via: Via::Native,
    render,
    accept: accepts_json,
    credential: bearer,
    strict: true,
};
