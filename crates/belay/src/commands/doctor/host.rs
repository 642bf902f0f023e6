//! What can be seen on this machine, without the database.

use std::fmt::Display;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::Finding;
use crate::config::Config;

/// How long the daemon may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![configuration(config)];
    if config.database.url.is_none() {
        findings.push(programs(config));
    }
    findings.extend(kinds(config));
    findings.push(admin_key(config));
    findings.push(daemon(config));
    findings
}

fn configuration(config: &Config) -> Finding {
    let database = match config.database.url {
        Some(_) => "the database of DATABASE_URL",
        None => "a private PostgreSQL",
    };
    Finding::ok(
        "configuration",
        format!(
            "{database}; data directory {}; {} kinds beside the built-in ones",
            config.data_dir.path().display(),
            config.kinds.len()
        ),
    )
}

fn programs(config: &Config) -> Finding {
    match belay_private_pg::locate(config.database.pg_bin.as_deref(), None) {
        Ok(found) => Finding::ok(
            "programs",
            format!("PostgreSQL {} in {}", found.major, found.bin_dir.display()),
        ),
        Err(error) => Finding::failure(
            "programs",
            "no PostgreSQL server programs",
            error.to_string(),
        ),
    }
}

fn admin_key(config: &Config) -> Finding {
    let path = config.data_dir.admin_key();
    let shown = path.display();
    match fs::metadata(&path) {
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => Finding::warning(
            "admin key",
            format!("others may read {shown}"),
            format!(
                "chmod 600 {shown}, then replace the key: belay key create --scope admin --all-tenants; belay key revoke admin"
            ),
        ),
        Ok(_) => Finding::ok("admin key", shown.to_string()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => unseen("admin key", &shown),
        Err(_) => Finding::ok(
            "admin key",
            format!("none at {shown}; it is made by the first start on a database without keys"),
        ),
    }
}

fn unseen(what: &'static str, path: &dyn Display) -> Finding {
    Finding::warning(
        what,
        format!("this user may not read {path}"),
        "run this as the user of the daemon",
    )
}

/// Whether the programs of the kinds, and what else they need, are there, as far as that can be seen from here.
fn kinds(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !config.worker.enabled {
        return findings;
    }
    for (name, kind) in &config.kinds {
        if let Some(missing) = kind.missing() {
            findings.push(Finding::failure(
                "kinds",
                format!("the kind {name} cannot run: {missing}"),
                "provide it, and run this as the user and with the environment of the daemon",
            ));
        }
        let Some((program, cwd)) = kind.program() else {
            continue;
        };
        if let Some(cwd) = cwd.filter(|cwd| !cwd.is_dir()) {
            findings.push(Finding::failure(
                "kinds",
                format!("the folder {} of kind {name} is not there", cwd.display()),
                "make it, or change cwd",
            ));
        }
        if !is_there(&program) {
            findings.push(Finding::failure(
                "kinds",
                format!(
                    "the program {program:?} of kind {name} is not there, or cannot be executed"
                ),
                "install it, or change argv",
            ));
        }
    }
    findings
}

fn is_there(program: &str) -> bool {
    let can_run = |path: &Path| {
        fs::metadata(path)
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return can_run(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| can_run(&folder.join(program)))
}

fn daemon(config: &Config) -> Finding {
    let file = config.data_dir.address();
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return unseen("daemon", &file.display());
        }
        Err(_) => {
            return Finding::warning(
                "daemon",
                format!("none runs on {}", config.data_dir.path().display()),
                "start one with `belay serve`, unless it runs elsewhere",
            );
        }
    };
    let url = text.trim();
    let address = url
        .strip_prefix("http://")
        .and_then(|address| address.parse().ok());
    match address.map(healthz) {
        Some(Ok(status)) if status.contains(" 200 ") => {
            Finding::ok("daemon", format!("answers at {url}"))
        }
        Some(Ok(status)) => Finding::failure(
            "daemon",
            format!("{url}/healthz answers {status:?}"),
            "look into its log",
        ),
        Some(Err(error)) => Finding::failure(
            "daemon",
            format!("{url} does not answer: {error}"),
            "start it with `belay serve`, or look into its log if it should be running",
        ),
        None => Finding::failure(
            "daemon",
            format!("{} holds {url:?}, which is no address", file.display()),
            "restart the daemon, which writes it anew",
        ),
    }
}

/// The status line of `/healthz`.
fn healthz(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    write!(
        stream,
        "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
