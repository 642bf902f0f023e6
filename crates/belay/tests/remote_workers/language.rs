//! How the worker of each language is started.

use std::path::PathBuf;
use std::process::Command;

/// A language with a worker in `deploy/workers`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Language {
    Python,
    TypeScript,
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

impl Language {
    /// The command of its conformance program, built.
    pub(crate) fn command(self) -> Command {
        match self {
            Self::Python => {
                let mut command = Command::new("python3");
                command
                    .arg(root().join("deploy/workers/python/conformance.py"))
                    .env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Self::TypeScript => {
                let mut command = Command::new("node");
                command.arg(built_typescript());
                command
            }
        }
    }
}

/// Builds it unless it is up to date; one test waits for another.
fn built_typescript() -> PathBuf {
    let build = root().join("crates/belay/tests/remote_workers/build_typescript");
    let output = Command::new(&build).output().unwrap();
    assert!(
        output.status.success(),
        "the worker in TypeScript could not be built, for which node and npm are needed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}
