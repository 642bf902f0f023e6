//! `cargo xtask tidy`: the rules of the house that no compiler knows.

use std::process::ExitCode;

use super::{Outcome, refuse_unknown};
use crate::checks;
use crate::tree::Tree;

pub(super) const ABOUT: &str =
    "Checks the rules of the tree: arrows between crates, row locks, long files, migrations, words";

pub(super) fn run(arguments: &[String]) -> Outcome {
    refuse_unknown(arguments, &[])?;
    let tree = Tree::read()?;
    let mut findings = 0;
    for (name, check) in checks::ALL {
        let found = check(&tree)?;
        if found.is_empty() {
            println!("ok    {name}");
            continue;
        }
        println!("FAIL  {name}");
        for finding in &found {
            println!("      {finding}");
        }
        findings += found.len();
    }
    if findings == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "\n{findings} finding(s). Each says what to do; the rules are in crates/xtask/src/checks/"
    );
    Ok(ExitCode::FAILURE)
}
