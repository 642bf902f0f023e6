//! The top of the tree stays as small as the plan says.

use std::collections::BTreeSet;

use super::Finding;
use crate::tree::Tree;

const ALLOWED: [&str; 13] = [
    ".cargo",
    ".ci",
    ".config",
    ".github",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "crates",
    "deploy",
    "diesel.toml",
    "migrations",
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let tops: BTreeSet<&str> = tree
        .files
        .iter()
        .filter_map(|file| file.path.split('/').next())
        .collect();
    Ok(tops
        .into_iter()
        .filter(|top| !ALLOWED.contains(top))
        .map(|top| {
            Finding::whole(
                top,
                "does not belong at the top; crates/, deploy/ or a dot-folder is its place",
            )
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_found_once() {
        let tree = Tree::of(&[
            ("Cargo.toml", ""),
            ("crates/x/y.rs", ""),
            ("docs/a.md", ""),
            ("docs/b.md", ""),
        ]);
        let found = check(&tree).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "docs");
    }
}
