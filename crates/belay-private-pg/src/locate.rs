//! Finds the server programs of an installed PostgreSQL.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, needed_version};

/// The oldest major version of PostgreSQL that is accepted.
pub const MINIMUM_VERSION: u32 = 15;

/// The server programs of one installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The folder that holds `initdb` and `postgres`.
    pub bin_dir: PathBuf,
    /// Major version, for example 15.
    pub major: u32,
}

impl Programs {
    pub(crate) fn initdb(&self) -> PathBuf {
        self.bin_dir.join("initdb")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.bin_dir.join("postgres")
    }
}

/// Finds server programs: in `bin_dir` if given and nowhere else; otherwise along `PATH`, then in the places where the
/// common packages put them, newest version first.
///
/// `exact` asks for one major version, which existing data does: a newer server cannot read it.
///
/// # Errors
///
/// [`Error::BadProgramFolder`] when `bin_dir` is given and not usable, else [`Error::NoPrograms`], which lists every place looked at.
pub fn locate(bin_dir: Option<&Path>, exact: Option<u32>) -> Result<Programs, Error> {
    if let Some(dir) = bin_dir {
        return inspect(dir, exact).map_err(|reason| Error::BadProgramFolder {
            path: dir.to_path_buf(),
            reason,
            needed: needed_version(exact),
        });
    }
    let path_dirs = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    search(
        candidates_in_path(&path_dirs)
            .into_iter()
            .chain(candidates_of_packages(Path::new("/"))),
        exact,
    )
}

/// Takes the first usable candidate and remembers why the others were not.
fn search(
    candidates: impl IntoIterator<Item = PathBuf>,
    exact: Option<u32>,
) -> Result<Programs, Error> {
    let mut seen = BTreeSet::new();
    let mut tried = String::new();
    for dir in candidates {
        if !seen.insert(dir.clone()) {
            continue;
        }
        match inspect(&dir, exact) {
            Ok(programs) => return Ok(programs),
            Err(reason) => tried.push_str(&format!("  {}: {reason}\n", dir.display())),
        }
    }
    if tried.is_empty() {
        tried.push_str("  no folder along PATH holds initdb or postgres, nor does any usual place such as /usr/lib/postgresql/*/bin\n");
    }
    Err(Error::NoPrograms {
        needed: needed_version(exact),
        tried: tried.trim_end().to_owned(),
    })
}

/// Folders along `PATH` that hold one of the programs. Some packages link only `initdb` into `PATH`, so the folder the
/// link points to counts as well.
fn candidates_in_path(path_dirs: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in path_dirs.iter().filter(|dir| dir.is_absolute()) {
        for program in ["postgres", "initdb"] {
            let file = dir.join(program);
            let Ok(real) = fs::canonicalize(&file) else {
                continue;
            };
            // The real folder first: a server finds its libraries beside it.
            found.extend(real.parent().map(Path::to_path_buf));
            found.push(dir.clone());
        }
    }
    found
}

/// Where Debian, the PostgreSQL project's RPMs, Homebrew and Postgres.app put the programs, newest version first.
fn candidates_of_packages(root: &Path) -> Vec<PathBuf> {
    let patterns: [(&str, &str); 5] = [
        ("usr/lib/postgresql", ""),
        ("usr", "pgsql-"),
        ("opt/homebrew/opt", "postgresql@"),
        ("usr/local/opt", "postgresql@"),
        ("Applications/Postgres.app/Contents/Versions", ""),
    ];
    let mut found = Vec::new();
    for (parent, prefix) in patterns {
        let Ok(entries) = fs::read_dir(root.join(parent)) else {
            continue;
        };
        let mut versions: Vec<(u32, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .collect();
        versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        found.extend(versions.into_iter().map(|(_, dir)| dir));
    }
    found
}

/// Whether `dir` holds programs that can be used; if not, why.
fn inspect(dir: &Path, exact: Option<u32>) -> Result<Programs, String> {
    if !dir.is_dir() {
        return Err("there is no such folder".to_owned());
    }
    for program in ["initdb", "postgres"] {
        if !dir.join(program).is_file() {
            return Err(format!("holds no program {program}"));
        }
    }
    let postgres = dir.join("postgres");
    let output = Command::new(&postgres)
        .arg("--version")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("its postgres cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let major = parse_major(&text)
        .ok_or_else(|| format!("its postgres --version says {:?}", text.trim()))?;
    match exact {
        Some(wanted) if wanted != major => Err(format!("is version {major}")),
        None if major < MINIMUM_VERSION => Err(format!("is version {major}")),
        _ => Ok(Programs {
            bin_dir: dir.to_path_buf(),
            major,
        }),
    }
}

/// The major version in the words of `postgres --version`: `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_major(text: &str) -> Option<u32> {
    let rest = text.split_once("(PostgreSQL) ")?.1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn fake_install(dir: &Path, version: &str) {
        fs::create_dir_all(dir).unwrap();
        for program in ["postgres", "initdb"] {
            let file = dir.join(program);
            fs::write(
                &file,
                format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n"),
            )
            .unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn major_version_is_read_from_the_words_of_the_server() {
        assert_eq!(
            parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta2\n"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 17devel\n"), Some(17));
        assert_eq!(parse_major("bash: no such thing"), None);
    }

    #[test]
    fn packages_are_tried_newest_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17"] {
            fake_install(
                &root
                    .path()
                    .join("usr/lib/postgresql")
                    .join(version)
                    .join("bin"),
                version,
            );
        }
        let found = search(candidates_of_packages(root.path()), None).unwrap();
        assert_eq!(found.major, 17);
        let found = search(candidates_of_packages(root.path()), Some(15)).unwrap();
        assert_eq!(found.major, 15);
    }

    #[test]
    fn a_path_with_only_a_link_to_initdb_leads_to_the_real_folder() {
        let root = tempfile::tempdir().unwrap();
        let real = root.path().join("real/bin");
        fake_install(&real, "16.1");
        let linked = root.path().join("linked");
        fs::create_dir(&linked).unwrap();
        std::os::unix::fs::symlink(real.join("initdb"), linked.join("initdb")).unwrap();
        let found = search(candidates_in_path(&[linked]), None).unwrap();
        assert_eq!(found.bin_dir, fs::canonicalize(real).unwrap());
    }

    #[test]
    fn old_and_broken_installations_are_listed_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let old = root.path().join("old");
        fake_install(&old, "13.4");
        let broken = root.path().join("broken");
        fs::create_dir(&broken).unwrap();
        let message = search([old.clone(), broken.clone(), old.clone()], None)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(&format!("{}: is version 13", old.display())),
            "{message}"
        );
        assert!(
            message.contains(&format!("{}: holds no program initdb", broken.display())),
            "{message}"
        );
        assert_eq!(message.matches("is version 13").count(), 1, "{message}");
        assert!(message.contains("version 15 or newer"), "{message}");
    }

    #[test]
    fn a_named_folder_is_the_only_place_looked_at() {
        let root = tempfile::tempdir().unwrap();
        let message = locate(Some(root.path()), None).unwrap_err().to_string();
        assert!(message.contains("holds no program initdb"), "{message}");
        assert!(message.contains("BELAY_PG_BIN"), "{message}");
    }
}
