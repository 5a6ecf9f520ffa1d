//! `completions`: for the shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Answer, Cli};

/// Which shell to complete for. Prints the script.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "ec-witness", &mut script);
        std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
        Ok(Answer::Yes)
    }
}
