//! Who is at the terminal, for the record.

use std::process::{Command, Stdio};

use belay_core::ops::{Actor, Via};

/// The login name of the user of this process, as the actor of what a command does.
pub(crate) fn login() -> Actor {
    let name = system()
        .or_else(|| std::env::var("USER").ok())
        .or_else(|| std::env::var("LOGNAME").ok())
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| format!("user {}", rustix::process::geteuid().as_raw()));
    Actor::new(name.trim(), Via::Cli)
}

/// Asks the program `id`, which also knows users from a directory service and cannot be misled by a variable.
fn system() -> Option<String> {
    let output = Command::new("id")
        .arg("-un")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let name = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !name.trim().is_empty()).then_some(name)
}
