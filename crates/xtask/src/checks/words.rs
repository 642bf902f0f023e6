//! Words that no finished file contains.

use super::Finding;
use crate::tree::Tree;

/// Code that is not finished, or a test that does not run. Written in two halves, so that this file passes.
const UNFINISHED: [&str; 4] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("#[ign", "ore"),
];

/// Folders that exist on somebody's machine only.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| line.contains(*word)) {
                findings.push(Finding::at(
                    file,
                    index + 1,
                    format!("contains {word}, which no finished file does"),
                ));
            }
            for path in MACHINE_PATHS.iter().filter(|path| is_absolute(line, path)) {
                findings.push(Finding::at(
                    file,
                    index + 1,
                    format!("names {path}, a folder of one machine"),
                ));
            }
        }
    }
    Ok(findings)
}

/// Whether `path` begins a path somewhere in the line, rather than continuing one.
fn is_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line
            .get(..at)
            .unwrap_or_default()
            .ends_with(|before: char| {
                before.is_alphanumeric() || matches!(before, '_' | '-' | '.' | '~' | '}' | ')')
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_code_and_machine_paths_are_found() {
        let [todo, _, debug, ignored] = UNFINISHED;
        let [work, root] = MACHINE_PATHS;
        let text = format!("fine\n{todo})\n  {debug}x)\n{ignored}]\ncd {work}main\n\"{root}x\"\n");
        let found = check(&Tree::of(&[("crates/a/src/lib.rs", &text)])).unwrap();
        let lines: Vec<_> = found.iter().filter_map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
    }

    #[test]
    fn longer_paths_are_not_machine_paths() {
        let [work, root] = MACHINE_PATHS;
        for line in [
            format!("src{work}x"),
            format!("$HOME}}{root}x"),
            format!("..{work}"),
            "a framework/ and chroot/".to_owned(),
        ] {
            assert!(
                !is_absolute(&line, work) && !is_absolute(&line, root),
                "{line}"
            );
        }
    }
}
