//! The program `belay`: a daemon and its commands. Everything is in the library beside this.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Before anything else: a guard must not start threads, open files or parse arguments.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "guard")
    {
        return belay_worker::executors::command::guard::main();
    }
    belay::run(belay::Cli::parse())
}
