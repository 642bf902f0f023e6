//! Development only: a fresh database per test, a private cluster for tests that crash it, and gates for races.
//!
//! Used from `tests/` and `benches/`, never from `src/`: there it would bring a second copy of belay-core's types.
//!
//! - [`TestDb`]: a migrated database in the cluster that `cargo xtask test` started, dropped with the value. About 15 ms.
//! - [`TestCluster`]: a PostgreSQL of its own, to be killed and restarted. About half a second.
//! - [`Gate`]: holds a thread at a named point until the test lets it go on.
//! - [`eventually`]: waits for another process to have done something.
//! - [`processes_with`]: what lives of a command.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot get its database fails, and panicking is how"
)]

pub mod bench;
mod cluster;
mod db;
mod eventually;
mod gate;
mod processes;
mod template;
mod url;

pub use belay_private_pg::{Cluster, Profile, StopMode};
pub use cluster::TestCluster;
pub use db::TestDb;
pub use eventually::eventually;
pub use gate::Gate;
pub use processes::processes_with;
pub use url::with_database;

/// Names the admin URL of the cluster that tests share; `cargo xtask test` sets it.
pub const TEST_URL_VARIABLE: &str = "BELAY_TEST_URL";
