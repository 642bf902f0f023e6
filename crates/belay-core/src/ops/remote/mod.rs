//! What workers elsewhere do, over HTTP: register, claim, beat, report, and give back what an answer that was lost had given
//! them. The rules are those of the daemon's own workers; each file says what it locks.

mod beat;
mod claim;
mod drain;
mod finish;
mod give_back;
mod receiver;
mod register;

pub use beat::{Beaten, beat};
pub use claim::{CLAIM_SQL, claim};
pub use drain::drain;
pub use finish::{Output, Report, Said, Shown, finish, save_progress_of};
pub use give_back::{begin_check, give_back};
pub use receiver::{Received, Wanted, receiver_beat, receiver_finish};
pub use register::{Registration, register};

/// What the executor of kinds that remote workers run is called.
pub const EXECUTOR: &str = "remote";
