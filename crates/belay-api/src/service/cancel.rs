//! Cancel: one job, many, or one by force.

use belay_core::id::JobRef;
use belay_core::model::CancelMark;
use belay_core::ops::{self, CancelAnswer, CancelLimit, Outcome};
use belay_core::{Db, Error, JobState, Result, query};
use diesel_free::Conn;

use super::Caller;
