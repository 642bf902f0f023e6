//! What the README promises: each row of its two tables has a test here that carries its name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod elsewhere;
mod kinds;
mod promises;

use std::collections::BTreeSet;
use std::path::Path;

/// The name of a test for the first cell of a row: its words, without marks.
fn name(cell: &str) -> String {
    let words: Vec<&str> = cell
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("_").to_lowercase()
}

/// First cells of the tables under a heading of the README.
fn rows(readme: &str, heading: &str) -> Vec<String> {
    let part = readme.split(heading).nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let rows: Vec<&str> = part.lines().filter(|line| line.starts_with("| ")).collect();
    rows.iter()
        .enumerate()
        // Neither the line under the head of a table nor the head above it.
        .filter(|(n, _)| {
            let is_rule = |n: usize| rows.get(n).is_some_and(|row| row.starts_with("| ---"));
            !is_rule(*n) && !is_rule(n + 1)
        })
        .map(|(_, row)| name(row.split('|').nth(1).unwrap()))
        .collect()
}

/// Names of the tests in a file.
fn tests(text: &str) -> BTreeSet<String> {
    text.split("#[test]\nfn ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_row_of_the_readme_has_a_test_of_its_name() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let promised = rows(&readme, "\n## What is promised\n");
    assert!(promised.len() >= 8, "{promised:?}");
    let mut tested = tests(include_str!("promises.rs"));
    tested.extend(tests(include_str!("kinds.rs")));
    tested.extend(tests(include_str!("elsewhere.rs")));
    let promised: BTreeSet<String> = promised.into_iter().collect();
    assert_eq!(promised, tested);
}
