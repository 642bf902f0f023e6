//! What every executor must do.

mod losses;
mod output;
mod results;
mod stops;

pub(crate) use losses::{drain, killed, lease_lost};
pub(crate) use output::{invalid_output, output_overflow};
pub(crate) use results::{failure, success, timeout};
pub(crate) use stops::{
    cancel_before_start, cancel_ignored, cancel_twice, cancel_while_running, suspend,
};
