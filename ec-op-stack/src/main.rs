//! The `ec-op-stack` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
