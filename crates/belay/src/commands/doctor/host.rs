//! What can be seen on this machine, without the database.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
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
        Err(_) => Finding::ok(
            "admin key",
            format!("none at {shown}; it is made by the first start on a database without keys"),
        ),
    }
}

fn daemon(config: &Config) -> Finding {
    let file = config.data_dir.address();
    let Ok(text) = fs::read_to_string(&file) else {
        return Finding::warning(
            "daemon",
            format!("none runs on {}", config.data_dir.path().display()),
            "start one with `belay serve`, unless it runs elsewhere",
        );
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
