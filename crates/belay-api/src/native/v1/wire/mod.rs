//! The shapes of answers.

mod cancelled;
mod house;
mod job;
mod key;
mod names;
mod record;
mod state;

pub(crate) use cancelled::{CancelAnswer, CancelAnswers};
pub(crate) use house::{Kind, Kinds, Queue, Queues, Tenant, Tenants, Worker, Workers};
pub(crate) use job::{Job, Jobs};
pub(crate) use key::{Key, Keys, NewKey};
pub(crate) use names::{JobName, TenantNames};
pub(crate) use record::{Moved, Outputs, Timeline};
pub(crate) use state::{OutcomeName, ScopeName, StateName};
