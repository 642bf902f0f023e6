//! Limits that the kernel keeps a program and each of its children to (`setrlimit`).

use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};

/// What is not set stays as it is for the daemon. Each is the hard limit as well: the program cannot raise it again unless it
/// runs as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Processor time of each process in seconds; one that has used more is killed (XCPU, then KILL).
    pub cpu_s: Option<u64>,
    /// Address space of each process in bytes.
    pub memory_bytes: Option<u64>,
    /// Open files of each process.
    pub open_files: Option<u64>,
    /// Processes and threads of the user that the program runs as, all of that user's together. Root has no such limit.
    pub processes: Option<u64>,
    /// Size of each file that is written, in bytes.
    pub file_size_bytes: Option<u64>,
    /// Size of a core dump in bytes.
    pub core_bytes: Option<u64>,
}

impl Limits {
    /// Sets them for this process. Makes only system calls.
    pub(super) fn apply(self) -> rustix::io::Result<()> {
        for (resource, limit) in [
            (Resource::Cpu, self.cpu_s),
            (Resource::As, self.memory_bytes),
            (Resource::Nofile, self.open_files),
            (Resource::Nproc, self.processes),
            (Resource::Fsize, self.file_size_bytes),
            (Resource::Core, self.core_bytes),
        ] {
            if limit.is_some() {
                rustix::process::setrlimit(
                    resource,
                    Rlimit {
                        current: limit,
                        maximum: limit,
                    },
                )?;
            }
        }
        Ok(())
    }
}
