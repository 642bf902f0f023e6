//! The rules, one per file. Each is a function from the tree to its findings.

mod arrows;
mod long_files;
pub(crate) mod migrations;
mod panics;
mod row_locks;
mod top_level;
mod words;

use std::fmt;

use crate::tree::{SourceFile, Tree};

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    /// Counted from 1; `None` when the whole file is meant.
    line: Option<usize>,
    message: String,
}

impl Finding {
    fn whole(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: None,
            message: message.into(),
        }
    }

    fn at(file: &SourceFile, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: file.path.clone(),
            line: Some(line),
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// An `Err` says that the check itself could not run.
type Check = fn(&Tree) -> Result<Vec<Finding>, String>;

/// All rules, with the name that is printed.
pub(crate) const ALL: &[(&str, Check)] = &[
    ("only the agreed files at the top", top_level::check),
    ("arrows between crates", arrows::check),
    (
        "row locks and job state only in belay-core/src/ops",
        row_locks::check,
    ),
    ("files of at most 400 lines", long_files::check),
    ("migrations are append-only", migrations::check),
    ("no unfinished code, no paths of one machine", words::check),
    ("no unwrap or expect outside tests", panics::check),
];

/// Lines with their numbers, without those that are only a comment.
fn code_lines(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let comment = if file.extension() == "sql" {
        "--"
    } else {
        "//"
    };
    file.text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(move |(_, line)| !line.trim_start().starts_with(comment))
}
