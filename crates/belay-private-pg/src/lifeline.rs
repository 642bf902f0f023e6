//! Ends a server when the process that started it is gone, however it went.
//!
//! A shell waits at the end of a pipe whose other end this process holds. When the process dies, also by SIGKILL, the system
//! closes the pipe, and the shell ends the server. No signal handler and no destructor has to run for that.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::error::Error;
use crate::os_user::{self, OsUser};

/// The first argument is the process of the server. A line of text means that the server is not ours to end any more.
const SCRIPT: &str = r#"read -r word || kill -QUIT "$1""#;

/// Held as long as the server should live with this process.
#[derive(Debug)]
pub(crate) struct Lifeline {
    shell: Child,
}

impl Lifeline {
    /// Binds the server `pid`, which runs as `user`, to this process.
    pub(crate) fn tie(pid: i32, user: Option<&OsUser>) -> Result<Self, Error> {
        let shell = Path::new("/bin/sh");
        os_user::command(shell, user)
            .args(["-c", SCRIPT, "sh", &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(|shell| Self { shell })
            .map_err(Error::io("run", shell))
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _ = writeln!(pipe, "over");
        }
        let _ = self.shell.wait();
    }
}
