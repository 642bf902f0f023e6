//! What a program finds around itself: environment, directory, descriptors, signals.

use std::collections::BTreeSet;

use belay_worker::executors::Finish;

use crate::support::Job;

async fn output_of(job: Job) -> String {
    let (finish, output) = job.run().await;
    assert_eq!(finish, Finish::Completed, "{}", output.stderr);
    output.stdout
}

#[tokio::test]
async fn the_daemons_environment_does_not_leak() {
    // The test runner gives its tests variables that a program must not see.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let output = output_of(Job::new(&["env"]).env("LANG", "kind")).await;
    let lines: BTreeSet<&str> = output.lines().collect();
    for expected in [
        "BELAY_JOB_UID=0b3a",
        "BELAY_TENANT=3",
        "BELAY_QUEUE=reports",
        "BELAY_KIND=report",
        "BELAY_ATTEMPT=2",
        "BELAY_MAX_ATTEMPTS=5",
        "BELAY_FENCE=17",
        "BELAY_PROGRESS_FD=3",
        "LANG=kind",
    ] {
        assert!(lines.contains(expected), "{expected} is not in {output}");
    }
    let allowed = |name: &str| {
        matches!(name, "PATH" | "HOME" | "LANG" | "TZ" | "TEST_MARK")
            || name.starts_with("LC_")
            || name.starts_with("BELAY_")
    };
    let leaked: Vec<&&str> = lines
        .iter()
        .filter(|line| !allowed(line.split('=').next().unwrap()))
        .collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    let own = std::env::var("PATH").unwrap();
    assert!(lines.contains(format!("PATH={own}").as_str()));
}

#[tokio::test]
async fn programs_are_looked_up_in_the_path_they_get() {
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("belay-test-tool");
    std::os::unix::fs::symlink("/bin/echo", &tool).unwrap();
    let path = folder.path().to_str().unwrap();
    let job = Job::new(&["belay-test-tool", "found"]).env("PATH", path);
    assert_eq!(output_of(job).await, "found\n");

    let mut job = Job::new(&["./belay-test-tool", "here"]);
    job.settings.cwd = Some(folder.path().to_owned());
    assert_eq!(output_of(job).await, "here\n");
}

#[tokio::test]
async fn arguments_never_meet_a_shell() {
    let job = Job::new(&["echo", "$HOME", "`id`", "a b", "*", ";", ">x"]);
    assert_eq!(output_of(job).await, "$HOME `id` a b * ; >x\n");
}

#[tokio::test]
async fn the_working_directory_is_the_root_or_what_is_set() {
    assert_eq!(output_of(Job::sh("pwd -P")).await, "/\n");
    let mut job = Job::sh("pwd -P");
    job.settings.cwd = Some("/usr".into());
    assert_eq!(output_of(job).await, "/usr\n");
}

#[tokio::test]
async fn only_descriptors_0_to_3_are_open() {
    // Leaks of both sorts would show: of the guard's own, and of what the daemon was started with.
    let inherited = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 50).unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let output = output_of(Job::sh("ls /proc/$$/fd")).await;
    drop(inherited);
    assert_eq!(
        output.split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
}

#[tokio::test]
async fn signals_are_at_their_defaults() {
    let output = output_of(Job::new(&["cat", "/proc/self/status"])).await;
    let mask = |name: &str| {
        let value = output
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        // Signals 32 and 33 belong to the C library, which lets nobody change them.
        u64::from_str_radix(value.trim(), 16).unwrap() & !0x1_8000_0000
    };
    assert_eq!(
        (mask("SigBlk:"), mask("SigIgn:"), mask("SigCgt:")),
        (0, 0, 0),
        "{output}"
    );
}

#[tokio::test]
async fn the_program_leads_a_session_of_its_own() {
    // Fields of `stat` after the name: state, parent, group, session.
    let output = output_of(Job::sh("echo $$; cut -d' ' -f5,6 /proc/$$/stat")).await;
    let numbers: Vec<&str> = output.split_whitespace().collect();
    assert_eq!(numbers.len(), 3);
    assert!(
        numbers.iter().all(|number| *number == numbers[0]),
        "{output}"
    );
}
