//! A migration that somebody may have run is never edited: the lock file knows what each looked like.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::Finding;
use crate::tree::Tree;

/// One line per file: its SHA-256 in hex, two blanks, its path.
pub(crate) const LOCK_FILE: &str = "crates/xtask/migrations.lock";

/// Path to digest of every `up.sql` and `down.sql`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lock(BTreeMap<String, String>);

impl Lock {
    /// What the migrations look like now.
    pub(crate) fn of(tree: &Tree) -> Self {
        Self(
            tree.files
                .iter()
                .filter(|file| {
                    file.path.starts_with("migrations/")
                        && (file.path.ends_with("/up.sql") || file.path.ends_with("/down.sql"))
                })
                .map(|file| (file.path.clone(), digest(&file.text)))
                .collect(),
        )
    }

    /// What the lock file says; empty without one.
    pub(crate) fn recorded(tree: &Tree) -> Result<Self, String> {
        let text = tree.file(LOCK_FILE).map_or("", |file| &file.text);
        text.lines()
            .map(|line| match line.split_once("  ") {
                Some((digest, path)) if digest.len() == 64 => {
                    Ok((path.to_owned(), digest.to_owned()))
                }
                _ => Err(format!(
                    "{LOCK_FILE} has a line that is no record: {line:?}"
                )),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Records what is not recorded yet, and nothing else. Returns how many.
    pub(crate) fn add_new(&mut self, current: &Self) -> usize {
        let before = self.0.len();
        for (path, digest) in &current.0 {
            self.0.entry(path.clone()).or_insert_with(|| digest.clone());
        }
        self.0.len() - before
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(path, digest)| writeln!(f, "{digest}  {path}"))
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let current = Lock::of(tree);
    let recorded = Lock::recorded(tree)?;
    let mut findings = Vec::new();
    for (path, digest) in &recorded.0 {
        match current.0.get(path) {
            Some(now) if now == digest => {}
            Some(_) => findings.push(Finding::whole(
                path,
                "was edited after it was recorded; databases out there have run the old text. Undo it and write a new migration",
            )),
            None => findings.push(Finding::whole(
                path,
                "is recorded but gone; migrations are never removed",
            )),
        }
    }
    for path in current
        .0
        .keys()
        .filter(|path| !recorded.0.contains_key(*path))
    {
        findings.push(Finding::whole(
            path,
            "is not recorded yet; run cargo xtask lock-migrations",
        ));
    }
    for path in current.0.keys() {
        if let Some(folder) = path.strip_suffix("/up.sql")
            && !current.0.contains_key(&format!("{folder}/down.sql"))
        {
            findings.push(Finding::whole(folder, "has no down.sql"));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    const UP: (&str, &str) = ("migrations/1/up.sql", "create");
    const DOWN: (&str, &str) = ("migrations/1/down.sql", "drop");

    #[test]
    fn recorded_files_must_stay_as_they_are() {
        let mut lock = Lock::default();
        assert_eq!(lock.add_new(&Lock::of(&Tree::of(&[UP, DOWN]))), 2);
        let lock = lock.to_string();
        let lock = (LOCK_FILE, lock.as_str());
        assert_eq!(messages(&[UP, DOWN, lock]), [""; 0]);
        let edited = messages(&[("migrations/1/up.sql", "create "), DOWN, lock]);
        assert!(
            edited[0].starts_with("migrations/1/up.sql: was edited"),
            "{edited:?}"
        );
        let gone = messages(&[UP, lock]);
        assert!(gone[0].contains("is recorded but gone"), "{gone:?}");
        let new = messages(&[
            UP,
            DOWN,
            lock,
            ("migrations/2/up.sql", ""),
            ("migrations/2/down.sql", ""),
        ]);
        assert_eq!(new.len(), 2, "{new:?}");
        assert!(new[0].contains("lock-migrations"), "{new:?}");
    }

    #[test]
    fn adding_never_rewrites_a_record() {
        let mut lock = Lock::of(&Tree::of(&[UP]));
        let before = lock.to_string();
        let edited = Lock::of(&Tree::of(&[("migrations/1/up.sql", "edited")]));
        assert_eq!(lock.add_new(&edited), 0);
        assert_eq!(lock.to_string(), before);
    }

    #[test]
    fn the_digest_is_sha_256() {
        assert_eq!(
            digest("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(Lock::recorded(&Tree::of(&[(LOCK_FILE, "nonsense\n")])).is_err());
    }
}
