//! What every program has for a shell: completions and man pages, made from its own arguments.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Command};
use clap_complete::Shell;

/// What clap_complete puts between the names of a command and of one below it.
const BELOW: &str = "__subcmd__";

/// Which shell to complete for. Prints the script.
///
/// Where a shell looks for the script of a PROGRAM: bash in `/usr/share/bash-completion/completions/PROGRAM`, zsh in a directory
/// of its `$fpath` as `_PROGRAM`, fish in `/usr/share/fish/vendor_completions.d/PROGRAM.fish`.
#[derive(Clone, Copy, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Where to write the manual: a page for each command.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// The directory, such as `/usr/local/share/man/man1`; it is made where it is missing.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl CompletionsArgs {
    /// Prints the script of the program that has this command line.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    pub fn print(self, command: Command) -> io::Result<()> {
        io::stdout().lock().write_all(completions(command, self.shell).as_bytes())
    }
}

impl ManArgs {
    /// Writes the pages of the program that has this command line.
    ///
    /// # Errors
    ///
    /// The system refuses; the error names the directory.
    pub fn write(&self, command: Command) -> io::Result<()> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.dir.display()));
        man_pages(command, &self.dir).map_err(named)
    }
}

/// The completion script of a program for one shell.
fn completions(mut command: Command, shell: Shell) -> String {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, &name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => with_one_name(&script, &name),
        Shell::Fish => script + &words_in_place(&command, &name),
        _ => script,
    }
}

/// In the script for bash a program's name stands in two forms where it has a hyphen: `ec__witness` where a word of the command
/// line leads from one command to the next, `ec__subcmd__witness` where it is looked up what that one takes. Nothing is found then,
/// and bash falls back to names of files. Both are made the first form.
fn with_one_name(script: &str, name: &str) -> String {
    script.replace(&name.replace('-', BELOW), &name.replace('-', "__"))
}

/// What the script for fish lacks: the words that may stand in an argument's place, which is told by no flag.
fn words_in_place(command: &Command, name: &str) -> String {
    let words = |command: &Command| {
        let values = command.get_positionals().flat_map(|place| place.get_possible_values());
        values.map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let function = format!("__fish_{}_using_subcommand", name.replace('-', "_"));
    let mut lines = String::new();
    let mut offer = |when: String, command: &Command| {
        let words = words(command);
        if !words.is_empty() {
            lines.push_str(&format!("complete -c {name} -n \"{when}\" -f -a \"{words}\"\n"));
        }
    };
    for outer in command.get_subcommands() {
        let when = format!("{function} {}", outer.get_name());
        for inner in outer.get_subcommands() {
            offer(format!("{when}; and __fish_seen_subcommand_from {}", inner.get_name()), inner);
        }
        offer(when, outer);
    }
    lines
}

/// Writes the man pages of a program and of each of its commands.
fn man_pages(command: Command, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn command() -> Command {
        let check = Command::new("check-proof").about("Checks a proof").arg(Arg::new("head").long("head"));
        Command::new("ec-some-thing").about("Does something").subcommand(check)
    }

    #[test]
    fn a_hyphen_in_the_name_is_told_one_way_in_bash() {
        let script = completions(command(), Shell::Bash);
        assert!(script.contains("ec__some__thing__subcmd__check__subcmd__proof)"), "{script}");
        assert!(!script.contains("ec__subcmd__some"), "{script}");
    }

    #[test]
    fn words_in_an_arguments_place_are_offered_in_fish() {
        let place = Arg::new("colour").value_parser(["red", "green"]);
        let command =
            command().subcommand(Command::new("paint").arg(place.clone()).subcommand(Command::new("all").arg(place)));
        let script = completions(command, Shell::Fish);
        for when in ["using_subcommand paint", "using_subcommand paint; and __fish_seen_subcommand_from all"] {
            let line = format!("complete -c ec-some-thing -n \"__fish_ec_some_thing_{when}\" -f -a \"red green\"\n");
            assert!(script.contains(&line), "{line}{script}");
        }
    }

    #[test]
    fn each_command_has_a_page() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let pages = dir.path().join("share/man1");
        man_pages(command(), &pages)?;
        let mut names: Vec<_> = fs::read_dir(&pages)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.sort_unstable();
        assert_eq!(names, ["ec-some-thing-check-proof.1", "ec-some-thing.1"]);
        let page = fs::read_to_string(pages.join("ec-some-thing-check-proof.1"))?;
        assert!(page.contains("Checks a proof") && page.contains("\\-\\-head"), "{page}");
        Ok(())
    }
}
