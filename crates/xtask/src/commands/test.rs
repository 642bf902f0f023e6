//! `cargo xtask test`: runs the tests against a PostgreSQL of their own.

use std::ffi::OsString;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Outcome, schema};
use crate::tree::root;

pub(super) const ABOUT: &str = "Starts a throwaway PostgreSQL and runs the tests on it; arguments go to cargo nextest (or cargo test without it)";

/// After a Ctrl-C, which the runner gets as well, it has this long to end by itself.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn run(arguments: &[String]) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?
        .block_on(run_all(arguments))
}

async fn run_all(arguments: &[String]) -> Outcome {
    let mut runner = Runner {
        interrupt: listen(SignalKind::interrupt())?,
        terminate: listen(SignalKind::terminate())?,
        test_url: None,
    };
    let nextest = has_nextest().await;
    let plan = Plan::new(arguments, nextest);
    for step in &plan.builds {
        if let Some(code) = runner.run(step).await? {
            return Ok(code);
        }
    }
    // Dropping it stops the server, whatever happens below.
    let cluster = schema::start_cluster()?;
    if plan.everything {
        schema::check(&cluster)?;
    }
    runner.test_url = Some(cluster.url("postgres"));
    for step in &plan.runs {
        if let Some(code) = runner.run(step).await? {
            return Ok(code);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Which cargo commands to run.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// Before the cluster starts: what does not compile needs no database.
    builds: Vec<Vec<String>>,
    /// With the cluster. The last one is the runner of the tests.
    runs: Vec<Vec<String>>,
    /// No part of the workspace was picked.
    everything: bool,
}

impl Plan {
    fn new(arguments: &[String], nextest: bool) -> Self {
        let picked = picks_packages(arguments);
        let command = |words: &[&str], arguments: &[String]| -> Vec<String> {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .chain(arguments.iter().cloned())
                .collect()
        };
        let scope: &[&str] = if picked { &[] } else { &["--workspace"] };
        let runner: &[&str] = if nextest {
            &["nextest", "run"]
        } else {
            &["test"]
        };
        let run = command(&[runner, scope].concat(), arguments);
        if picked || !arguments.is_empty() {
            // Somebody is at work on one thing; do not make them wait for the rest.
            return Self {
                builds: Vec::new(),
                runs: vec![run],
                everything: false,
            };
        }
        let mut runs = vec![run.clone()];
        if nextest {
            // nextest leaves the examples in the documentation out. First, so that its own summary comes last.
            runs.insert(
                0,
                command(&["test", "--workspace", "--doc", "--quiet"], &[]),
            );
        }
        Self {
            builds: vec![
                // Tests of other crates start the daemon, too.
                command(&["build", "--workspace", "--bins"], &[]),
                command(
                    &[
                        &run.iter().map(String::as_str).collect::<Vec<_>>()[..],
                        &["--no-run"],
                    ]
                    .concat(),
                    &[],
                ),
            ],
            runs,
            everything: true,
        }
    }
}

/// Whether the arguments say which packages to test.
fn picks_packages(arguments: &[String]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| {
            argument.starts_with("-p")
                || argument == "--package"
                || argument.starts_with("--package=")
                || argument == "--workspace"
        })
}

/// Runs cargo and stays alive meanwhile, so that the cluster is stopped after a Ctrl-C, too.
struct Runner {
    interrupt: Signal,
    terminate: Signal,
    test_url: Option<String>,
}

impl Runner {
    /// `None` when the command succeeded, else the exit code to pass on.
    async fn run(&mut self, arguments: &[String]) -> Result<Option<ExitCode>, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        println!("> cargo {}", arguments.join(" "));
        let mut command = Command::new(cargo);
        command.args(arguments).current_dir(root());
        if let Some(url) = &self.test_url {
            command.env("BELAY_TEST_URL", url);
        }
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        let status = tokio::select! {
            status = child.wait() => status,
            _ = self.interrupt.recv() => {
                // The terminal has told the runner as well; only a runner that was not told has to be ended.
                match tokio::time::timeout(PATIENCE, child.wait()).await {
                    Ok(status) => status,
                    Err(_) => end(&mut child).await,
                }
            }
            _ = self.terminate.recv() => end(&mut child).await,
        }
        .map_err(|error| format!("cannot wait for cargo: {error}"))?;
        if status.success() {
            return Ok(None);
        }
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(Some(code.map_or(ExitCode::FAILURE, ExitCode::from)))
    }
}

/// Asks the runner to end, so that it can end its tests; kills it when it does not.
async fn end(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    if let Some(pid) = child.id() {
        // No signal but SIGKILL can be sent by the standard library.
        let _ = Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .await;
    }
    match tokio::time::timeout(PATIENCE, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.start_kill()?;
            child.wait().await
        }
    }
}

fn listen(kind: SignalKind) -> Result<Signal, String> {
    signal(kind).map_err(|error| format!("cannot listen for signals: {error}"))
}

async fn has_nextest() -> bool {
    Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str], nextest: bool) -> Plan {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        Plan::new(&arguments, nextest)
    }

    fn lines(commands: &[Vec<String>]) -> Vec<String> {
        commands.iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn without_arguments_everything_is_built_checked_and_run() {
        let with = plan(&[], true);
        assert!(with.everything);
        assert_eq!(
            lines(&with.builds),
            [
                "build --workspace --bins",
                "nextest run --workspace --no-run"
            ]
        );
        assert_eq!(
            lines(&with.runs),
            ["test --workspace --doc --quiet", "nextest run --workspace"]
        );
        let without = plan(&[], false);
        assert_eq!(
            lines(&without.builds),
            ["build --workspace --bins", "test --workspace --no-run"]
        );
        assert_eq!(lines(&without.runs), ["test --workspace"]);
    }

    #[test]
    fn a_picked_package_is_all_that_is_built() {
        for arguments in [
            &["-p", "belay-core"][..],
            &["--package=belay-core"],
            &["-pbelay-core"],
        ] {
            let plan = plan(arguments, true);
            assert!(!plan.everything && plan.builds.is_empty());
            assert_eq!(
                lines(&plan.runs),
                [format!("nextest run {}", arguments.join(" "))]
            );
        }
    }

    #[test]
    fn a_filter_runs_in_the_whole_workspace() {
        assert_eq!(
            lines(&plan(&["cancel"], true).runs),
            ["nextest run --workspace cancel"]
        );
        assert_eq!(
            lines(&plan(&["--", "-p"], false).runs),
            ["test --workspace -- -p"]
        );
    }
}
