//! The `ec-witness` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _armed = ec_witness::failpoint::arm();
    cli::main()
}
