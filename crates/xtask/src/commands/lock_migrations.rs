//! `cargo xtask lock-migrations`: writes down what the migrations look like, so that `tidy` sees a later edit.

use std::fs;
use std::process::ExitCode;

use super::{Outcome, refuse_unknown};
use crate::checks::migrations::{LOCK_FILE, Lock};
use crate::tree::Tree;

pub(super) const ABOUT: &str = "Records new migrations in crates/xtask/migrations.lock (--reset: all anew; only before the first release)";

pub(super) fn run(arguments: &[String]) -> Outcome {
    refuse_unknown(arguments, &["--reset"])?;
    let tree = Tree::read()?;
    let current = Lock::of(&tree);
    let mut lock = if arguments.is_empty() {
        Lock::recorded(&tree)?
    } else {
        Lock::default()
    };
    let added = lock.add_new(&current);
    let path = tree.root.join(LOCK_FILE);
    fs::write(&path, lock.to_string())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("{LOCK_FILE}: {added} file(s) recorded");
    Ok(ExitCode::SUCCESS)
}
