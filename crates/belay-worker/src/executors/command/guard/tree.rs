//! Finds the descendants of a process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::super::procfs::{Process, all_pids};

/// All descendants of `root` that `/proc` shows, dead ones included, each once.
///
/// A picture, not a truth: processes that fork meanwhile may be missing. Callers look again until they
/// know enough.
pub(super) fn descendants(root: i32) -> Vec<Process> {
    by_children(root).unwrap_or_else(|| by_parents(root))
}

/// Walks the kernel's own lists of children, at a cost that depends on the tree alone. `None` when this
/// kernel does not offer them (`CONFIG_PROC_CHILDREN`).
fn by_children(root: i32) -> Option<Vec<Process>> {
    let mut seen = BTreeSet::new();
    let mut open = children(root)?;
    while let Some(pid) = open.pop() {
        if seen.insert(pid) {
            open.extend(children(pid).unwrap_or_default());
        }
    }
    Some(seen.into_iter().filter_map(Process::read).collect())
}

/// Children of all threads of one process.
fn children(pid: i32) -> Option<Vec<i32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let Ok(thread) = thread else { continue };
        // A thread may end between the listing and this; only a missing list for all of them means that
        // there are no lists.
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => found.push(list),
            Err(_) => continue,
        }
    }
    if found.is_empty() {
        return None;
    }
    Some(
        found
            .iter()
            .flat_map(|list| list.split_ascii_whitespace())
            .filter_map(|pid| pid.parse().ok())
            .collect(),
    )
}

/// Looks at the parent of every process on the machine.
fn by_parents(root: i32) -> Vec<Process> {
    let mut of_parent: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in all_pids()
        .unwrap_or_default()
        .into_iter()
        .filter_map(Process::read)
    {
        of_parent.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        for process in of_parent.remove(&pid).unwrap_or_default() {
            open.push(process.pid);
            found.push(process);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn both_ways_find_the_same_tree() {
        // Prints a line once the grandchild runs; all end with the test, at the end of their input.
        let script = "exec 3<&0; (setsid sh -c 'echo up; read x <&3' & wait) & read x <&3";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while lines.next().unwrap().unwrap() != "up" {}
        let root = i32::try_from(child.id()).unwrap();

        let key = |found: Vec<Process>| -> BTreeSet<(i32, u64)> {
            found.iter().map(|p| (p.pid, p.started)).collect()
        };
        let parents = key(by_parents(root));
        assert_eq!(parents.len(), 2, "{parents:?}");
        if let Some(children) = by_children(root) {
            assert_eq!(key(children), parents);
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
