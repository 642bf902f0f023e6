//! The commands, one per file. A new one is a file with `ABOUT` and `run`, and a line in each of the two lists below.

mod lock_migrations;
mod schema;
mod test;
mod tidy;

use std::process::ExitCode;

/// What a command gives back: an exit code when it did its work, words when it could not.
type Outcome = Result<ExitCode, String>;

/// Name and purpose of every command.
const COMMANDS: &[(&str, &str)] = &[
    ("lock-migrations", lock_migrations::ABOUT),
    ("schema", schema::ABOUT),
    ("test", test::ABOUT),
    ("tidy", tidy::ABOUT),
];

pub(crate) fn run(name: &str, arguments: &[String]) -> Outcome {
    match name {
        "lock-migrations" => lock_migrations::run(arguments),
        "schema" => schema::run(arguments),
        "test" => test::run(arguments),
        "tidy" => tidy::run(arguments),
        "" | "help" | "-h" | "--help" => {
            println!("{}", help());
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(format!("there is no such command\n\n{}", help())),
    }
}

fn help() -> String {
    let mut text = String::from("Usage: cargo xtask COMMAND\n");
    for (name, about) in COMMANDS {
        text.push_str(&format!("\n  {name:16} {about}"));
    }
    text
}

/// For commands that know no arguments beyond `known`.
fn refuse_unknown(arguments: &[String], known: &[&str]) -> Result<(), String> {
    match arguments
        .iter()
        .find(|argument| !known.contains(&argument.as_str()))
    {
        None => Ok(()),
        Some(argument) => Err(format!("unknown argument {argument:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_command_and_nothing_else_runs() {
        for (name, _) in COMMANDS {
            assert!(help().contains(name));
        }
        let message = run("no-such-command", &[]).unwrap_err();
        assert!(message.contains("lock-migrations"), "{message}");
    }
}
