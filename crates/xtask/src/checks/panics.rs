//! No `unwrap` and no `expect` in code that runs at a user's.

use super::{Finding, code_lines};
use crate::tree::{SourceFile, Tree};

/// Development only: there a panic is the way to fail.
const EXEMPT: [&str; 2] = ["crates/belay-testkit/", "crates/xtask/"];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    Ok(tree
        .files
        .iter()
        .filter(|file| file.extension() == "rs" && file.is_under("src"))
        .filter(|file| !EXEMPT.iter().any(|folder| file.path.starts_with(folder)))
        .filter(|file| !file.is_under("tests") && !file.path.ends_with("/tests.rs"))
        .flat_map(judge)
        .collect())
}

fn judge(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in code_lines(file) {
        // Tests close a file.
        if line.trim_start().starts_with("#[cfg(test)]") && ends_with_tests(file, number) {
            break;
        }
        for call in [".unwrap()", ".expect("] {
            if line.contains(call) {
                findings.push(Finding::at(
                    file,
                    number,
                    format!(
                        "{call} can end the daemon; return an error, or make the case impossible"
                    ),
                ));
            }
        }
    }
    findings
}

/// Whether what stands under the attribute in line `number` is a module with a body, and nothing follows it.
fn ends_with_tests(file: &SourceFile, number: usize) -> bool {
    let mut rest = file.text.lines().skip(number);
    let opens = rest
        .by_ref()
        .find(|line| !line.trim_start().starts_with("#["))
        .is_some_and(|line| {
            line.trim_start_matches("pub(crate) ").starts_with("mod ") && line.ends_with('{')
        });
    opens
        && rest
            .skip_while(|line| *line != "}")
            .skip(1)
            .all(|line| line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)]))
            .unwrap()
            .iter()
            .filter_map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn code_is_checked_and_the_tests_at_its_end_are_not() {
        let text = "a.unwrap();\n/// x.unwrap()\n#[expect(lint)]\nb.unwrap_or(1);\nc\n    .expect(\"d\")\n\
                    #[cfg(test)]\nmod tests {\n    fn t() { e.unwrap() }\n}\n";
        assert_eq!(lines("crates/a/src/lib.rs", text), [1, 6]);
    }

    #[test]
    fn a_single_item_for_tests_does_not_excuse_what_follows() {
        let text = "#[cfg(test)]\nfn of() {}\na.unwrap();\n";
        assert_eq!(lines("crates/a/src/lib.rs", text), [3]);
        let text = "#[cfg(test)]\nmod tests {\n}\nfn f() { a.unwrap() }\n";
        assert_eq!(lines("crates/a/src/lib.rs", text), [4]);
        let text = "#[cfg(test)]\nmod tests;\nfn f() { a.unwrap() }\n";
        assert_eq!(lines("crates/a/src/lib.rs", text), [3]);
    }

    #[test]
    fn tests_and_development_crates_may_panic() {
        for path in [
            "crates/a/tests/x.rs",
            "crates/a/src/x/tests.rs",
            "crates/belay-testkit/src/db.rs",
            "crates/xtask/src/main.rs",
        ] {
            assert_eq!(lines(path, "a.unwrap()"), [0; 0], "{path}");
        }
    }
}
