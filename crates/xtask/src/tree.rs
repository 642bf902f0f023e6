//! The files of the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every file that is, or could be, under version control and is text.
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    /// Sorted by path.
    pub(crate) files: Vec<SourceFile>,
}

/// One text file.
pub(crate) struct SourceFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    pub(crate) fn extension(&self) -> &str {
        self.path
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension)
    }

    /// Whether a folder of this name is on the way to the file.
    pub(crate) fn is_under(&self, folder: &str) -> bool {
        self.path
            .rsplit_once('/')
            .is_some_and(|(parents, _)| parents.split('/').any(|part| part == folder))
    }
}

impl Tree {
    /// Reads the workspace this program was built from.
    pub(crate) fn read() -> Result<Self, String> {
        let root = root();
        let mut paths = match tracked(&root) {
            Some(paths) => paths,
            None => walk(&root)?,
        };
        paths.sort();
        paths.dedup();
        let files = paths
            .into_iter()
            // A file that was deleted but is still tracked, and anything that is not text, is nobody's business here.
            .filter_map(|path| {
                let text = fs::read_to_string(root.join(&path)).ok()?;
                Some(SourceFile { path, text })
            })
            .collect();
        Ok(Self { root, files })
    }

    pub(crate) fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self {
            root: PathBuf::new(),
            files: files
                .iter()
                .map(|(path, text)| SourceFile {
                    path: (*path).to_owned(),
                    text: (*text).to_owned(),
                })
                .collect(),
        }
    }
}

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// What git tracks or would track; `None` outside a repository.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = String::from_utf8_lossy(&output.stdout);
    Some(
        names
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

/// All files, for a tree that came as an archive.
fn walk(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder))
            .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                if path != Path::new("target") && path != Path::new(".git") {
                    folders.push(path);
                }
            } else if kind.is_file() {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_and_git_find_this_file() {
        let here = "crates/xtask/src/tree.rs".to_owned();
        assert!(walk(&root()).unwrap().contains(&here));
        if let Some(paths) = tracked(&root()) {
            assert!(paths.contains(&here));
            assert!(!paths.iter().any(|path| path.starts_with("target/")));
        }
    }

    #[test]
    fn folders_are_whole_names() {
        let tree = Tree::of(&[("crates/a/tests/x.rs", ""), ("crates/b/src/tests.rs", "")]);
        let under: Vec<bool> = tree
            .files
            .iter()
            .map(|file| file.is_under("tests"))
            .collect();
        assert_eq!(under, [true, false]);
    }
}
