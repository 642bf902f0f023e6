//! What a program is confined to before it starts: its user, its limits, its umask.

use rustix::fs::Mode;
use rustix::thread::{Gid, Uid};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::limits::Limits;

/// Travels to the guard, which applies it to the program alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Confinement {
    pub(super) umask: Option<u32>,
    pub(super) limits: Limits,
    /// User, group and all groups.
    pub(super) account: Option<(u32, u32, Vec<u32>)>,
    pub(super) no_new_privileges: bool,
}

impl Confinement {
    pub(super) fn as_user(&mut self, account: &Account) {
        self.account = Some((account.uid, account.gid, account.groups.clone()));
    }

    /// The groups in the form in which [`Confinement::apply`] needs them: it must not allocate.
    pub(super) fn groups(&self) -> Vec<Gid> {
        self.account
            .iter()
            .flat_map(|(_, _, groups)| groups)
            .map(|gid| Gid::from_raw(*gid))
            .collect()
    }

    /// Confines this process, between fork and exec: makes only system calls. Whoever it becomes must be able to enter the
    /// directory in which it is.
    pub(super) fn apply(&self, groups: &[Gid]) -> rustix::io::Result<()> {
        if let Some(umask) = self.umask {
            rustix::process::umask(Mode::from_raw_mode(umask));
        }
        // Before the change of user, after which limits could not be raised any more.
        self.limits.apply()?;
        if let Some((uid, gid, _)) = &self.account {
            // There is one thread, so that of the thread is that of the process.
            rustix::thread::set_thread_groups(groups)?;
            rustix::thread::set_thread_gid(Gid::from_raw(*gid))?;
            rustix::thread::set_thread_uid(Uid::from_raw(*uid))?;
            // Whoever may not enter it must not be in it.
            rustix::process::chdir(c".")?;
            rustix::fs::access(c".", rustix::fs::Access::EXEC_OK)?;
        }
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true)?;
        }
        Ok(())
    }
}
