//! Nothing, done well.

use std::future::ready;

use belay_core::ops::Claimed;

use crate::executors::{Attempt, Executor, Finish, Running};

/// Completes at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Noop;

impl Executor for Noop {
    fn run(&self, _: Attempt) -> Running {
        Box::pin(ready(Finish::Completed))
    }

    fn is_light(&self) -> bool {
        true
    }

    fn run_light(&self, _: &Claimed) -> Option<Finish> {
        Some(Finish::Completed)
    }
}
