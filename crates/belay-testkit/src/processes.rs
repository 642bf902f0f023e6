//! What runs on this machine.

/// Command lines, with blanks between the arguments, of the processes whose command line holds `mark`. One that has ended and was not
/// waited for has none.
#[must_use]
pub fn processes_with(mark: &str) -> Vec<String> {
    std::fs::read_dir("/proc")
        .expect("the list of processes")
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(mark))
        .collect()
}
