//! A file holds one idea. Above 400 lines it rarely does.

use std::collections::BTreeSet;

use super::Finding;
use crate::tree::Tree;

/// Most lines a Rust file may have.
const LIMIT: usize = 400;

/// Generated, as long as the database is wide.
const GENERATED: &str = "crates/belay-core/src/schema.rs";

/// Files that were too long when the rule came. The list may only shrink.
const EXCEPTIONS: &str = "crates/xtask/long-files.txt";

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let listed: BTreeSet<&str> = tree
        .file(EXCEPTIONS)
        .map_or("", |file| &file.text)
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut long = BTreeSet::new();
    let mut findings = Vec::new();
    for file in &tree.files {
        let lines = file.text.lines().count();
        if file.extension() != "rs" || file.path == GENERATED || lines <= LIMIT {
            continue;
        }
        long.insert(file.path.as_str());
        if !listed.contains(file.path.as_str()) {
            findings.push(Finding::whole(
                &file.path,
                format!("has {lines} lines, {LIMIT} are allowed; split it by idea"),
            ));
        }
    }
    findings.extend(listed.difference(&long).map(|path| {
        Finding::whole(
            EXCEPTIONS,
            format!("{path} is not too long any more; take it off the list"),
        )
    }));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(exceptions: &str, lines: usize) -> Vec<String> {
        let text = "x\n".repeat(lines);
        let tree = Tree::of(&[
            ("crates/a/src/long.rs", &text),
            (GENERATED, &"x\n".repeat(5000)),
            ("crates/a/README.md", &"x\n".repeat(5000)),
            (EXCEPTIONS, exceptions),
        ]);
        check(&tree)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_limit_is_exact() {
        assert_eq!(found("", 400), [""; 0]);
        assert_eq!(
            found("", 401),
            ["crates/a/src/long.rs: has 401 lines, 400 are allowed; split it by idea"]
        );
    }

    #[test]
    fn the_list_of_exceptions_may_only_shrink() {
        assert_eq!(found("# why\ncrates/a/src/long.rs\n", 401), [""; 0]);
        let messages = found("crates/a/src/long.rs\n", 10);
        assert!(messages[0].contains("take it off the list"), "{messages:?}");
        assert_eq!(found("crates/a/src/gone.rs\n", 10).len(), 1);
    }
}
