//! Which operating system user the server runs as. PostgreSQL refuses to run as root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;

/// Users that may run the server when this process is root, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// A user other than the one this process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OsUser {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Whom to run the server as: `None` is the user of this process.
///
/// As root it is the owner of existing data, so that data made by an ordinary user stays usable for that user.
pub(crate) fn choose(pgdata: &Path) -> Result<Option<OsUser>, Error> {
    let me = rustix::process::geteuid().as_raw();
    let owner = match fs::symlink_metadata(pgdata) {
        Ok(metadata) => Some((metadata.uid(), metadata.gid())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io("look at", pgdata)(error)),
    };
    let bad = |reason: String| Error::BadData {
        path: pgdata.to_path_buf(),
        reason,
    };
    if me != 0 {
        return match owner {
            Some((uid, _)) if uid != me => Err(bad(format!(
                "it belongs to user id {uid}, and this program runs as user id {me}; start it as that user"
            ))),
            _ => Ok(None),
        };
    }
    match owner {
        Some((0, _)) => Err(bad(format!(
            "it belongs to root, and PostgreSQL refuses to run as root; give it to another user (chown -R postgres: {})",
            pgdata.display()
        ))),
        Some((uid, gid)) => Ok(Some(OsUser {
            name: name_of(uid),
            uid,
            gid,
        })),
        None => CANDIDATES
            .iter()
            .find_map(|name| look_up(name))
            .map(Some)
            .ok_or(Error::NoUser),
    }
}

fn look_up(name: &str) -> Option<OsUser> {
    Some(OsUser {
        name: name.to_owned(),
        uid: id(&["-u", name])?.parse().ok().filter(|uid| *uid != 0)?,
        gid: id(&["-g", name])?.parse().ok()?,
    })
}

fn name_of(uid: u32) -> String {
    id(&["-un", &uid.to_string()]).unwrap_or_else(|| format!("with id {uid}"))
}

/// Asks the program `id`, which also knows users from a directory service.
fn id(arguments: &[&str]) -> Option<String> {
    let output = Command::new("id")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command that runs as `user`, in a process group of its own (a Ctrl-C in the terminal is for the caller, who stops the
/// server in its own order), from a directory everybody may enter, and without settings meant for clients of other servers.
pub(crate) fn command(program: &Path, user: Option<&OsUser>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .env("LC_ALL", "C")
        .process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    if let Some(user) = user {
        // The standard library drops the supplementary groups of root by itself when a user is set.
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Gives `path` to `user`.
pub(crate) fn give(path: &Path, user: Option<&OsUser>) -> Result<(), Error> {
    match user {
        None => Ok(()),
        Some(user) => std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid))
            .map_err(Error::io("change the owner of", path)),
    }
}

/// Fails when `user` cannot enter `path`, naming the first directory in the way.
///
/// It asks as that user, because modes alone do not tell the truth where access lists are in use.
pub(crate) fn check_reach(path: &Path, user: Option<&OsUser>) -> Result<(), Error> {
    let Some(user) = user else { return Ok(()) };
    let mut directories: Vec<&Path> = path.ancestors().collect();
    directories.reverse();
    let shell = Path::new("/bin/sh");
    let output = command(shell, Some(user))
        .args([
            "-c",
            r#"for d; do [ -x "$d" ] || { printf %s "$d"; exit 1; }; done"#,
            "sh",
        ])
        .args(directories)
        .stderr(Stdio::null())
        .output()
        .map_err(Error::io("run", shell))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Unreachable {
        user: user.name.clone(),
        blocked: PathBuf::from(String::from_utf8_lossy(&output.stdout).into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_directory_in_the_way_is_named() {
        if !rustix::process::geteuid().is_root() {
            return; // Only root can ask as somebody else.
        }
        let Some(user) = CANDIDATES.iter().find_map(|name| look_up(name)) else {
            return;
        };
        let top = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(top.path(), 0o711);
        let blocked = top.path().join("a b");
        let inner = blocked.join("c");
        fs::create_dir_all(&inner).unwrap();
        mode(&blocked, 0o700);
        let error = check_reach(&inner, Some(&user)).unwrap_err();
        assert!(
            matches!(&error, Error::Unreachable { blocked: found, .. } if *found == blocked),
            "{error}"
        );
        mode(&blocked, 0o711);
        check_reach(&inner, Some(&user)).unwrap();
    }

    #[test]
    fn nobody_is_found_by_name_and_strangers_are_not() {
        assert!(look_up("nobody").is_some_and(|user| user.uid != 0));
        assert_eq!(look_up("no-such-user-here"), None);
    }
}
