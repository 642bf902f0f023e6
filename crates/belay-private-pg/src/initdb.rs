//! Makes a new data directory.

use std::fs::{self, DirBuilder, File};
use std::io::{Read, Seek};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::data_dir::Site;
use crate::error::Error;
use crate::locate::Programs;
use crate::os_user::{self, OsUser};
use crate::{Profile, SUPERUSER, poll};

/// Unfinished data directories are named this, followed by a process number.
const UNFINISHED: &str = "pgdata.unfinished-";

/// Long enough for the slowest disk; it takes about a second on an ordinary one.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs `initdb` beside the final place and moves the result there when it is complete.
pub(crate) fn run(
    site: &Site,
    programs: &Programs,
    user: Option<&OsUser>,
    profile: Profile,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    remove_unfinished(&site.folder);
    let fresh = site
        .folder
        .join(format!("{UNFINISHED}{}", std::process::id()));
    // The locale decides about upper and lower case and nothing else that is stored. Old systems do not know C.UTF-8.
    let mut result = attempt(
        site,
        &fresh,
        programs,
        user,
        profile,
        "--locale=C.UTF-8",
        cancelled,
    );
    if matches!(&result, Err(Error::InitDb { output, .. }) if output.contains("locale")) {
        result = attempt(
            site,
            &fresh,
            programs,
            user,
            profile,
            "--no-locale",
            cancelled,
        );
    }
    let result = result.and_then(|()| {
        fs::rename(&fresh, &site.pgdata).map_err(Error::io("rename", &fresh))?;
        sync_folder(&site.folder)
    });
    if result.is_err() {
        let _ = fs::remove_dir_all(&fresh);
    }
    result
}

fn attempt(
    site: &Site,
    fresh: &Path,
    programs: &Programs,
    user: Option<&OsUser>,
    profile: Profile,
    locale: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let _ = fs::remove_dir_all(fresh);
    DirBuilder::new()
        .mode(0o700)
        .create(fresh)
        .map_err(Error::io("create", fresh))?;
    os_user::give(fresh, user)?;
    let initdb = programs.initdb();
    let mut output =
        tempfile::tempfile().map_err(Error::io("create a file in", std::env::temp_dir()))?;
    let copy = |file: &File| {
        file.try_clone()
            .map_err(Error::io("write", std::env::temp_dir()))
    };
    let mut command = os_user::command(&initdb, user);
    command
        .arg("--pgdata")
        .arg(fresh)
        .args([
            "--auth=trust",
            "--username",
            SUPERUSER,
            "--encoding=UTF8",
            locale,
        ])
        .stdout(copy(&output)?)
        .stderr(copy(&output)?);
    if profile == Profile::Fast {
        command.arg("--no-sync");
    }
    let mut running = Running(command.spawn().map_err(Error::io("run", &initdb))?);
    let status = poll::until(LIMIT, || {
        if cancelled() {
            return Err(Error::Cancelled);
        }
        running.0.try_wait().map_err(Error::io("wait for", &initdb))
    })?;
    if status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let mut bytes = Vec::new();
    let _ = output.rewind();
    let _ = output.read_to_end(&mut bytes);
    let mut text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if status.is_none() {
        text.push_str("\n(it did not end within ten minutes)");
    }
    Err(Error::InitDb {
        path: site.folder.clone(),
        output: text,
    })
}

/// Ends `initdb` and the servers it runs on the data directory, whichever way the waiting ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }
}

/// Leftovers of starts that were killed. One that cannot be removed is in nobody's way.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "cannot remove an unfinished data directory");
        }
    }
}

/// After a crash of the machine the new name must be there.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("write", folder))
}
