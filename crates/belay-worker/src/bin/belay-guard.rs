//! The guard of one command attempt as a program of its own. `belay guard` is the same code; this one is
//! smaller to start, for whoever names it in the `guard` setting.

use std::process::ExitCode;

fn main() -> ExitCode {
    belay_worker::executors::command::guard::main()
}
