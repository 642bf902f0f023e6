//! Arguments, variables and payloads that would do harm if anything read them as a command.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use belay_worker::executors::Finish;
use belay_worker::executors::command::{CommandExecutor, SettingsError};

use crate::support::Job;

/// What the kernel accepts as one argument, its final NUL included, in bytes.
const MAX_ARGUMENT: usize = 128 * 1024;

/// Texts that make the file `canary`, or show something else than themselves, when a shell gets hold of them.
fn hostile(canary: &Path) -> Vec<String> {
    let touch = format!("touch {}", canary.display());
    let mut texts: Vec<String> = [
        "$(T)",
        "`T`",
        "; T",
        ";T;",
        "| T",
        "|| T",
        "&& T",
        "& T",
        "&T&",
        "\nT\n",
        "\r\nT\r\n",
        "'; T; '",
        "\"; T; \"",
        "'\"; T; #",
        "$((1+1))",
        "${IFS}T",
        "$(T",
        "<(T)",
        ">(T)",
        "a[$(T)]",
        "() { :; }; T",
        "x'$(T)'y",
        "\\$(T)",
        "\\\n; T",
        "$'\\n'T",
        "!T",
        "-c T",
        "--eval=T",
        "; exec T",
        "%s; T",
        "{T,}",
        "%(T)",
        "\u{2028}T",
        "\u{ff1b}T",
        "=$(T)",
        "A=1 T",
        "<<X\nT\nX\n",
    ]
    .iter()
    .map(|text| text.replace('T', &touch))
    .collect();
    texts.push(format!("> {}", canary.display()));
    texts.push(format!(">{}", canary.display()));
    texts.extend(
        [
            "",
            " ",
            "  a  b  ",
            "\t",
            "\n",
            "*",
            "/*",
            "?",
            "[a-z]*",
            "~",
            "~root",
            "$HOME",
            "${HOME}",
            "$0",
            "$$",
            "$@",
            "$*",
            "#",
            "\\",
            "\\\\",
            "'",
            "\"",
            "-",
            "--",
            "-c",
            "-e",
            "-i",
            "--help",
            "--version",
            "-rf",
            "@file",
            "%d%n%s",
            "{1..3}",
            "a=b",
            "\u{1b}[2J",
            "\u{7f}",
            "\u{202e}txt",
            "../../etc/passwd",
            "|",
            "&",
            ";",
            "(",
            ")",
            "<",
            ">",
            "!!",
            "^a^b",
        ]
        .map(str::to_owned),
    );
    texts
}

/// A folder with a path for the canary.
fn cage() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let canary = folder.path().join("canary");
    (folder, canary)
}

/// Prints each of its arguments between two signs that no text of the list holds.
const SHOW: &str = "\u{ab}%s\u{bb}";

fn shown(texts: &[String]) -> String {
    texts.iter().map(|text| SHOW.replace("%s", text)).collect()
}

#[tokio::test]
async fn the_list_is_dangerous_to_a_shell() {
    // Or the tests below would prove nothing.
    let (folder, canary) = cage();
    let mut harmful = 0;
    for text in hostile(&canary) {
        let mut made = false;
        for quote in ["", "'", "\""] {
            let mut job = Job::sh(&format!("echo {quote}{text}{quote}"));
            job.settings.cwd = Some(folder.path().to_owned());
            job.run().await;
            made |= fs::remove_file(&canary).is_ok();
        }
        harmful += usize::from(made);
    }
    assert!(harmful >= 20, "only {harmful} of the texts did anything");
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let (folder, canary) = cage();
    let texts = hostile(&canary);
    let mut argv = vec!["/usr/bin/printf", SHOW];
    argv.extend(texts.iter().map(String::as_str));
    let mut job = Job::new(&argv);
    job.settings.cwd = Some(folder.path().to_owned());
    let (finish, output) = job.run().await;
    assert_eq!(finish, Finish::Completed, "{}", output.stderr);
    assert_eq!(output.stdout, shown(&texts));
    assert_eq!(output.stderr, "");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);

    // Each alone, so that none is safe only behind another.
    for text in &texts {
        let mut job = Job::new(&["/usr/bin/printf", SHOW, text]);
        job.settings.cwd = Some(folder.path().to_owned());
        let (finish, output) = job.run().await;
        assert_eq!(finish, Finish::Completed, "{text:?}: {}", output.stderr);
        assert_eq!(output.stdout, SHOW.replace("%s", text));
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[tokio::test]
async fn variables_arrive_as_they_are() {
    let (folder, canary) = cage();
    let texts = hostile(&canary);
    let names: Vec<String> = (0..texts.len()).map(|n| format!("V{n}")).collect();
    let mut argv = vec!["/usr/bin/printenv", "-0"];
    argv.extend(names.iter().map(String::as_str));
    let mut job = Job::new(&argv);
    job.settings.cwd = Some(folder.path().to_owned());
    for (name, text) in names.iter().zip(&texts) {
        job = job.env(name, text);
    }
    let (finish, output) = job.run().await;
    assert_eq!(finish, Finish::Completed, "{}", output.stderr);
    // A NUL is shown as U+FFFD.
    let expected: String = texts
        .iter()
        .flat_map(|text| [text.as_str(), "\u{fffd}"])
        .collect();
    assert_eq!(output.stdout, expected);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[tokio::test]
async fn payloads_are_only_read() {
    let (folder, canary) = cage();
    for text in hostile(&canary) {
        // As JSON, and as a program that prints it raw would see it.
        for payload in [serde_json::to_string(&text).unwrap(), text] {
            let mut job = Job::new(&["cat"]);
            job.settings.cwd = Some(folder.path().to_owned());
            job.payload.clone_from(&payload);
            let (finish, output) = job.run().await;
            assert_eq!(finish, Finish::Completed);
            assert_eq!(output.stdout, payload);
        }
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[tokio::test]
async fn names_of_programs_are_no_commands() {
    let (folder, canary) = cage();
    for text in hostile(&canary) {
        let mut job = Job::new(&[&text, "argument"]);
        job.settings.cwd = Some(folder.path().to_owned());
        let refused = CommandExecutor::new(job.settings.clone());
        if text.is_empty() {
            assert_eq!(refused.err(), Some(SettingsError::NoProgram));
            continue;
        }
        let (finish, _) = job.run().await;
        let Finish::Failed {
            error,
            retry: false,
        } = finish
        else {
            panic!("{text:?} ended as {finish:?}");
        };
        assert!(error.starts_with("cannot start program"), "{error}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[tokio::test]
async fn a_name_with_blanks_and_signs_is_one_program() {
    let (folder, canary) = cage();
    let program = folder.path().join("a b; touch canary #'\"$(id)");
    fs::write(&program, "#!/bin/sh\nprintf '%s' \"$1\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut job = Job::new(&[program.to_str().unwrap(), "$(id)"]);
    job.settings.cwd = Some(folder.path().to_owned());
    let (finish, output) = job.run().await;
    assert_eq!(
        (finish, output.stdout.as_str()),
        (Finish::Completed, "$(id)")
    );
    assert!(!canary.exists());
}

#[test]
fn nul_is_refused() {
    for (member, change) in [
        (
            "argv",
            (|job: &mut Job| job.settings.argv.push("a\0b".into())) as fn(&mut Job),
        ),
        ("argv", |job| job.settings.argv.insert(0, "true\0".into())),
        ("env", |job| {
            job.settings.env.insert("A".into(), "a\0B=c".into());
        }),
        ("cwd", |job| job.settings.cwd = Some("/\0".into())),
    ] {
        let mut job = Job::new(&["true"]);
        change(&mut job);
        let refused = CommandExecutor::new(job.settings).err();
        assert!(
            matches!(&refused, Some(SettingsError::Nul(what, _)) if *what == member),
            "{member}: {refused:?}"
        );
    }
    for name in ["", "A=B", "A\0"] {
        let job = Job::new(&["true"]).env(name, "value");
        assert_eq!(
            CommandExecutor::new(job.settings).err(),
            Some(SettingsError::VariableName(name.into()))
        );
    }
}

#[tokio::test]
async fn long_arguments_arrive_whole_or_fail_for_good() {
    let longest = "x".repeat(MAX_ARGUMENT - 1);
    let mut job = Job::new(&["/usr/bin/printf", "%s", &longest, &longest]);
    job.settings.output_limit = 4 * MAX_ARGUMENT;
    let (finish, output) = job.run().await;
    assert_eq!(finish, Finish::Completed);
    assert!(
        output.stdout == longest.repeat(2),
        "{}",
        output.stdout_bytes
    );

    let too_long = "x".repeat(MAX_ARGUMENT);
    let in_all: Vec<&str> = std::iter::repeat_n(longest.as_str(), 100).collect();
    for arguments in [vec![too_long.as_str()], in_all] {
        let argv: Vec<&str> = std::iter::once("/usr/bin/printf")
            .chain(arguments)
            .collect();
        let (finish, _) = Job::new(&argv).run().await;
        let Finish::Failed {
            error,
            retry: false,
        } = finish
        else {
            panic!("{finish:?}");
        };
        assert!(error.contains("Argument list too long"), "{error}");
    }
}
