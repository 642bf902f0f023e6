//! Nothing of a job or a setting is ever read as a command: no shell stands between, and the payload is data on standard input.

use belay_worker::executors::Finish;
use belay_worker::executors::command::{CommandExecutor, CommandSettings, SettingsError};

use crate::support::Job;

/// What would do harm if anybody read it as a command, an option or a format.
const NASTY: [&str; 22] = [
    "; touch FILE",
    "$(touch FILE)",
    "`touch FILE`",
    "| touch FILE",
    "&& touch FILE",
    "|| touch FILE",
    "& touch FILE",
    "> FILE",
    "\ntouch FILE\n",
    "'; touch FILE; '",
    "\"; touch FILE; \"",
    "--help",
    "-rf",
    "--",
    "-",
    "*",
    "~root",
    "%s%n",
    "${IFS}",
    "\\",
    "{a,b}",
    "",
];

/// A word with the place of a file that must not appear, and that place.
fn aimed(nasty: &str, folder: &tempfile::TempDir) -> (String, std::path::PathBuf) {
    let file = folder.path().join("made");
    (nasty.replace("FILE", &file.display().to_string()), file)
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for nasty in NASTY {
        let (word, file) = aimed(nasty, &folder);
        // Each argument between brackets, as printf was given it.
        let (finish, output) = Job::new(&["/usr/bin/printf", "[%s]", "--", &word, &word])
            .run()
            .await;
        assert_eq!(finish, Finish::Completed, "{nasty:?}");
        assert_eq!(output.stdout, format!("[--][{word}][{word}]"), "{nasty:?}");
        assert!(!file.exists(), "{nasty:?}");
    }
}

#[tokio::test]
async fn a_payload_is_only_ever_data() {
    let folder = tempfile::tempdir().unwrap();
    for nasty in NASTY {
        let (word, file) = aimed(nasty, &folder);
        let mut job = Job::sh("cat");
        job.payload =
            serde_json::json!({ "name": word, "argv": ["touch", file.clone()] }).to_string();
        let payload = job.payload.clone();
        let (finish, output) = job.run().await;
        assert_eq!(finish, Finish::Completed, "{nasty:?}");
        assert_eq!(output.stdout, payload);
        assert!(!file.exists(), "{nasty:?}");
    }
}

#[tokio::test]
async fn variables_arrive_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for nasty in NASTY {
        let (word, file) = aimed(nasty, &folder);
        let (finish, output) = Job::new(&["/usr/bin/printenv", "NASTY"])
            .env("NASTY", word.as_str())
            .run()
            .await;
        assert_eq!(finish, Finish::Completed, "{nasty:?}");
        assert_eq!(output.stdout, format!("{word}\n"), "{nasty:?}");
        assert!(!file.exists(), "{nasty:?}");
    }
}

#[tokio::test]
async fn the_program_is_a_file_and_not_a_command_line() {
    let folder = tempfile::tempdir().unwrap();
    for nasty in NASTY.iter().filter(|nasty| !nasty.is_empty()) {
        let (word, file) = aimed(nasty, &folder);
        let (finish, _) = Job::new(&[&word]).run().await;
        assert!(
            matches!(&finish, Finish::Failed { retry: false, error } if error.contains("cannot start")),
            "{nasty:?}: {finish:?}"
        );
        assert!(!file.exists(), "{nasty:?}");
    }
}

#[tokio::test]
async fn long_arguments_arrive_whole_or_not_at_all() {
    let long = "x".repeat(100_000);
    let (finish, output) = Job::new(&["/bin/sh", "-c", "printf %s \"$1\" | wc -c", "sh", &long])
        .run()
        .await;
    assert_eq!(finish, Finish::Completed);
    assert_eq!(output.stdout.trim(), "100000");
    // Above what the kernel takes in one argument.
    let (finish, _) = Job::new(&["/bin/true", &"x".repeat(300_000)]).run().await;
    assert!(
        matches!(&finish, Finish::Failed { error, .. } if error.contains("rgument list too long")),
        "{finish:?}"
    );
}

#[test]
fn what_would_end_an_argument_early_is_refused() {
    for argv in [vec!["a\0b"], vec!["a", "\0"], vec!["\0"]] {
        let settings = CommandSettings::new(argv.into_iter().map(str::to_owned).collect());
        assert!(matches!(
            CommandExecutor::new(settings),
            Err(SettingsError::Nul("argv", _))
        ));
    }
}
