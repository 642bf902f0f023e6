//! Row locks, and everything that writes a job's row, live in one small folder that can be read in minutes.

use super::{Finding, code_lines};
use crate::tree::{SourceFile, Tree};

/// Where row locks and writes of jobs belong, and where they are about the rules rather than about jobs.
const ALLOWED: [&str; 3] = ["crates/belay-core/src/ops/", "migrations/", "crates/xtask/"];

/// Word sequences in lower case; only white space may be between the words.
const FORBIDDEN: &[&[&str]] = &[
    &["for", "update"],
    &["for", "no", "key", "update"],
    &["for", "share"],
    &["for", "key", "share"],
    &["for_update"],
    &["for_no_key_update"],
    &["for_share"],
    &["for_key_share"],
    &["update", "belay.job"],
    &["update", "only", "belay.job"],
    &["insert", "into", "belay.job"],
    &["delete", "from", "belay.job"],
    &["merge", "into", "belay.job"],
    &["update", "belay.job_done"],
    &["insert", "into", "belay.job_done"],
    &["delete", "from", "belay.job_done"],
    &["merge", "into", "belay.job_done"],
];

/// The same writes in the words of diesel: the function, then the table as its first argument.
const QUERY_BUILDERS: [&str; 5] = [
    "update",
    "insert_into",
    "delete",
    "replace_into",
    "insert_or_ignore_into",
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    Ok(tree
        .files
        .iter()
        .filter(|file| matches!(file.extension(), "rs" | "sql"))
        .filter(|file| !ALLOWED.iter().any(|folder| file.path.starts_with(folder)))
        .filter(|file| !file.is_under("tests") && !file.is_under("benches"))
        .flat_map(judge)
        .collect())
}

fn judge(file: &SourceFile) -> Vec<Finding> {
    let words = words(file);
    let mut findings = Vec::new();
    for start in 0..words.len() {
        let rest = words.get(start..).unwrap_or_default();
        let Some(first) = rest.first() else { continue };
        let hit = FORBIDDEN
            .iter()
            .find(|sequence| follows(rest, sequence))
            .map(|sequence| sequence.join(" "))
            .or_else(|| builder_write(rest));
        if let Some(hit) = hit {
            findings.push(Finding::at(
                file,
                first.line,
                format!(
                    "\"{hit}\" belongs into crates/belay-core/src/ops/, as an operation of its own"
                ),
            ));
        }
    }
    findings
}

/// A run of letters, digits, `_` and `.`, and what stands before it.
struct Word {
    text: String,
    line: usize,
    /// Everything between the word before and this one, without white space.
    before: String,
}

fn words(file: &SourceFile) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut before = String::new();
    for (number, line) in code_lines(file) {
        let mut current = String::new();
        // The blank at the end closes the last word of the line.
        for character in line.chars().chain([' ']) {
            if character.is_ascii_alphanumeric() || matches!(character, '_' | '.') {
                current.push(character.to_ascii_lowercase());
                continue;
            }
            if !current.is_empty() {
                words.push(Word {
                    text: std::mem::take(&mut current),
                    line: number,
                    before: std::mem::take(&mut before),
                });
            }
            // A backslash at the end of a line continues a string.
            if !character.is_whitespace() && character != '\\' {
                before.push(character);
            }
        }
    }
    words
}

fn follows(words: &[Word], sequence: &[&str]) -> bool {
    words.len() >= sequence.len()
        && words
            .iter()
            .zip(sequence)
            .enumerate()
            .all(|(index, (word, expected))| {
                let text = word.text.trim_matches('.');
                text == *expected && (index == 0 || word.before.is_empty())
            })
}

/// `update(job::table)`, `insert_into(schema::belay::job_done::table)`.
fn builder_write(words: &[Word]) -> Option<String> {
    let [function, path @ ..] = words else {
        return None;
    };
    if !QUERY_BUILDERS.contains(&function.text.as_str()) || path.first()?.before != "(" {
        return None;
    }
    let table = path
        .iter()
        .enumerate()
        .take_while(|(index, word)| *index == 0 || word.before == "::")
        .map(|(_, word)| word.text.as_str())
        .find(|word| matches!(*word, "job" | "job_done"))?;
    Some(format!("{}({table}", function.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)]))
            .unwrap()
            .iter()
            .map(|finding| finding.line.unwrap())
            .collect()
    }

    #[test]
    fn locks_are_found_in_every_spelling() {
        let text =
            "select 1\nFOR  UPDATE skip locked\nfor no key\n update\n.for_update()\nFor Share;\n";
        assert_eq!(lines("crates/belay-api/src/a.rs", text), [2, 3, 5, 6]);
    }

    #[test]
    fn writes_of_jobs_are_found_but_not_of_other_tables() {
        let text = "UPDATE belay.job SET x\nupdate belay.job_event set y\ndelete from\nbelay.job_done\n\
                    insert into belay.job(id)\ninsert into belay.worker\ninsert into belay.job_output\n";
        assert_eq!(lines("crates/belay-worker/src/a.rs", text), [1, 3, 5]);
    }

    #[test]
    fn writes_by_query_builder_are_found() {
        let text = "diesel::update(job::table)\ninsert_into(\n    belay::job_done::table)\ndiesel::update(worker::table)\n";
        assert_eq!(lines("crates/belay-api/src/a.rs", text), [1, 2]);
    }

    #[test]
    fn prose_and_the_right_places_are_left_alone() {
        let text = "// waits for update of\nlet wait_for = update;\n\"for\", \"update\"\n";
        assert_eq!(lines("crates/belay-api/src/a.rs", text), [0; 0]);
        let lock = "select 1 for update";
        for path in [
            "crates/belay-core/src/ops/claim.rs",
            "migrations/1/up.sql",
            "crates/belay-api/tests/a.rs",
            "crates/belay-core/benches/a.rs",
            "crates/belay-core/README.md",
        ] {
            assert_eq!(lines(path, lock), [0; 0], "{path}");
        }
        assert_eq!(lines("crates/belay-core/src/query/list.rs", lock), [1]);
    }
}
