//! A private PostgreSQL cluster as a value.
//!
//! ```no_run
//! use belay_private_pg::{Cluster, Profile};
//!
//! # fn main() -> Result<(), belay_private_pg::Error> {
//! let cluster = Cluster::builder("/var/lib/example/postgres")
//!     .profile(Profile::Durable)
//!     .start()?;
//! cluster.ensure_database("example")?;
//! println!("{}", cluster.url("example"));
//! // Dropping the value stops the server; the data stays.
//! # Ok(())
//! # }
//! ```
//!
//! What it is: a folder, the server that runs on it, and a lock so that one folder never has two masters. The server
//! listens on a Unix socket only, in a directory that nobody else may enter. The crate uses the server programs that are
//! installed on the machine; it downloads nothing.
//!
//! What it is not: a database client. It speaks just enough of the protocol to ask "are you ready" and to run a
//! statement of administration, so that it needs neither libpq nor `psql`.
//!
//! # The folder
//!
//! ```text
//! <folder>/lock              held (flock) while a value of this crate owns the folder
//! <folder>/server.conf       written at each start; lasting changes belong into ALTER SYSTEM
//! <folder>/server.log        what the server says, at most 16 MiB, with server.log.1 before it
//! <folder>/pgdata/           the PostgreSQL data directory
//! <folder>/run/              the Unix socket, mode 0700
//! ```
//!
//! `pgdata` appears by renaming a finished one, so a start that dies half-way leaves no half-made cluster.
//!
//! # What a start copes with
//!
//! - A server that was killed, or a machine that crashed: PostgreSQL recovers, leftover server processes are ended first.
//! - A `postmaster.pid` whose number belongs to some other program by now (usual in containers): it is recognised as stale.
//! - A healthy server left behind by a process that was killed: it is adopted, see [`Cluster::was_adopted`].
//! - Running as root: PostgreSQL refuses to, so the server runs as the owner of the data, or as `postgres`, or as `nobody`.

mod cluster;
mod data_dir;
mod error;
mod initdb;
mod launch;
mod lifeline;
mod locate;
mod os_user;
mod poll;
mod postmaster;
mod processes;
mod settings;
mod socket;
mod temporary;
mod wire;

pub use cluster::{Cluster, ClusterBuilder, StopMode};
pub use error::Error;
pub use locate::{MINIMUM_VERSION, Programs, locate};
pub use settings::Profile;
pub use temporary::TemporaryCluster;

/// Name of the database superuser of every private cluster.
pub const SUPERUSER: &str = "belay";
