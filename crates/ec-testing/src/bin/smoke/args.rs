//! The flags, checked in one step.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use clap::{
    Parser,
    error::{ContextKind, ErrorKind},
};
use ec_testing::repository;
use eyre::{WrapErr, bail, ensure, eyre};

pub(crate) const HELP: &str = include_str!("help.txt");

/// The flags as they are given; [`HELP`] says what they mean.
#[derive(Debug, Parser)]
#[command(name = "smoke", override_help = HELP, args_override_self = true)]
struct Flags {
    #[arg(long, allow_hyphen_values = true)]
    archive: Option<PathBuf>,
    #[arg(long, allow_hyphen_values = true)]
    late: Option<PathBuf>,
    #[arg(long, allow_hyphen_values = true, default_value = "4")]
    witnesses: String,
    #[arg(long, allow_hyphen_values = true, default_value = "3")]
    quorum: String,
    #[arg(long, allow_hyphen_values = true)]
    live: Option<String>,
    #[arg(long, allow_hyphen_values = true)]
    rpc: Option<String>,
    #[arg(long, allow_hyphen_values = true)]
    keys: Option<PathBuf>,
    #[arg(long, allow_hyphen_values = true)]
    also_rpc: Option<String>,
    #[arg(long, allow_hyphen_values = true)]
    work: Option<PathBuf>,
    #[arg(long)]
    votes_only: bool,
    #[arg(long)]
    tamper: bool,
    #[arg(long)]
    keep: bool,
    #[arg(long, allow_hyphen_values = true)]
    stay: Option<PathBuf>,
    #[arg(long, allow_hyphen_values = true)]
    reopen: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

/// What is wanted.
#[derive(Debug)]
pub(crate) enum Asked {
    Help,
    Smoke(Box<Settings>),
    /// The chain that a smoke kept in this directory, once more.
    Reopen(PathBuf),
}

/// What to run.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) archive: PathBuf,
    /// What the last witness has instead: the same broadcasts, recorded by itself.
    pub(crate) late: Option<PathBuf>,
    /// How the archive is read, where `EC_WITNESS_CONFIG` does not say it.
    pub(crate) config: Option<PathBuf>,
    pub(crate) witnesses: usize,
    pub(crate) quorum: usize,
    /// The archive grows, so many times as fast as it was received.
    pub(crate) live: Option<u64>,
    /// Another chain than a fresh Anvil.
    pub(crate) chain: Option<Chain>,
    /// Witness 1 reads from this endpoint too.
    pub(crate) also_rpc: Option<String>,
    pub(crate) work: Option<PathBuf>,
    pub(crate) votes_only: bool,
    pub(crate) tamper: bool,
    pub(crate) keep: bool,
    /// Whether the chain goes on afterwards, until it is stopped.
    pub(crate) stay: bool,
    pub(crate) json: bool,
}

/// A chain that runs, with funded keys.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) rpc: String,
    pub(crate) keys: PathBuf,
}

/// Parses and checks the command line.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> eyre::Result<Asked> {
    match Flags::try_parse_from(line) {
        Ok(Flags { reopen: Some(kept), .. }) => Ok(Asked::Reopen(kept)),
        Ok(flags) => flags.check().map(|settings| Asked::Smoke(Box::new(settings))),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(Asked::Help),
        Err(error) => Err(refusal(&error)),
    }
}

/// What is wrong with the command line, in a sentence.
fn refusal(error: &clap::Error) -> eyre::Report {
    let named = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    // as `--live <LIVE>`
    let name = named.split(' ').next().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => eyre!("unknown argument {name}; see --help"),
        ErrorKind::InvalidValue => eyre!("{name} needs a value"),
        _ => eyre!("{}", error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ")),
    }
}

impl Flags {
    fn check(self) -> eyre::Result<Settings> {
        let archives = repository().join("archives");
        let (archive, late, config) = match self.archive {
            Some(archive) => (archive, self.late, None),
            None => {
                let late = self.late.unwrap_or_else(|| archives.join("sample-late"));
                (archives.join("sample"), Some(late), Some(archives.join("sample.toml")))
            }
        };
        let archive = index("archive", &archive)?;
        let late = late.map(|late| index("late", &late)).transpose()?;
        let witnesses = positive("witnesses", &self.witnesses, "a number")? as usize;
        let quorum = positive("quorum", &self.quorum, "a number")? as usize;
        ensure!(
            quorum <= witnesses && 2 * quorum > witnesses,
            "--quorum {quorum} of --witnesses {witnesses}: must be more than half of them and not more than all"
        );
        let live = self.live.map(|live| positive("live", &live, "a whole number")).transpose()?;
        ensure!(
            !self.tamper || quorum < witnesses,
            "--tamper: with --quorum {quorum} of {witnesses} no witness may differ; give one more --witnesses"
        );
        let chain = self.rpc.map(|rpc| chain(rpc, self.keys)).transpose()?;
        ensure!(self.stay.is_none() || self.work.is_none(), "--stay names the working directory; leave --work out");
        let (also_rpc, stay) = (self.also_rpc, self.stay.is_some());
        let work = self.stay.or(self.work);
        let (votes_only, tamper, keep, json) = (self.votes_only, self.tamper, self.keep, self.json);
        Ok(Settings {
            archive,
            late,
            config,
            witnesses,
            quorum,
            live,
            chain,
            also_rpc,
            work,
            votes_only,
            tamper,
            keep,
            stay,
            json,
        })
    }
}

/// The path of an archive's directory that has an index.
fn index(name: &str, archive: &Path) -> eyre::Result<PathBuf> {
    let shown = archive.display();
    ensure!(archive.join("manifests").is_dir(), "--{name} {shown}: there is no manifests/ in it");
    archive.canonicalize().wrap_err_with(|| format!("--{name} {shown}"))
}

impl Settings {
    /// The archive that a witness's copy is made from.
    pub(crate) fn source(&self, witness: usize) -> &Path {
        self.late.as_deref().filter(|_| self.is_late(witness)).unwrap_or(&self.archive)
    }

    /// Whether this is the witness with an archive of its own.
    pub(crate) fn is_late(&self, witness: usize) -> bool {
        self.late.is_some() && witness == self.witnesses
    }
}

fn positive(name: &str, text: &str, kind: &str) -> eyre::Result<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    match text.parse() {
        // so that twice the number is one, too
        Ok(number) if digits && number <= u64::from(u32::MAX) => Ok(number),
        _ => bail!("--{name} {text}: must be {kind} above 0"),
    }
}

fn chain(rpc: String, keys: Option<PathBuf>) -> eyre::Result<Chain> {
    let has_addresses = |keys: &Path| fs::metadata(keys.join("addresses")).is_ok_and(|file| file.len() > 0);
    match keys.filter(|keys| has_addresses(keys)) {
        Some(keys) => Ok(Chain { rpc, keys }),
        None => bail!("--rpc needs --keys with a file `addresses`"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> eyre::Result<Asked> {
        super::parse(std::iter::once("smoke").chain(line.split_whitespace()).map(OsString::from))
    }

    fn settings(line: &str) -> Settings {
        match parse(line).unwrap() {
            Asked::Smoke(settings) => *settings,
            asked => panic!("{asked:?}"),
        }
    }

    #[test]
    fn the_help_names_each_flag_and_the_defaults() {
        for argument in Flags::command().get_arguments() {
            let long = argument.get_long().unwrap_or_default();
            assert!(HELP.contains(&format!("\n  --{long} ")), "{long}");
            for default in argument.get_default_values() {
                let default = default.to_str().unwrap();
                assert!(HELP.lines().any(|line| line.starts_with(&format!("  --{long} "))
                    && line.ends_with(&format!("[default: {default}]"))));
            }
        }
        assert!(matches!(parse("--help").unwrap(), Asked::Help));
    }

    #[test]
    fn defaults_and_flags() {
        let all = settings("");
        assert!(all.archive.ends_with("archives/sample") && all.chain.is_none());
        assert!(all.late.is_some_and(|late| late.ends_with("archives/sample-late")));
        assert!(all.config.is_some_and(|config| config.ends_with("archives/sample.toml")));
        assert_eq!((all.witnesses, all.quorum, all.live), (4, 3, None));
        let some = settings("--live 60 --witnesses 3 --quorum 2 --tamper --json --witnesses 5 --quorum 3");
        assert_eq!((some.witnesses, some.quorum, some.live, some.tamper, some.json), (5, 3, Some(60), true, true));
    }

    #[test]
    fn another_archive_is_read_by_its_own_rules() {
        let sample = repository().join("archives/sample");
        let other = settings(&format!("--archive {}", sample.display()));
        assert_eq!((other.archive, other.late, other.config), (sample, None, None));
    }

    #[test]
    fn what_cannot_be_run_is_refused_in_a_sentence() {
        for (line, refused) in [
            ("--nonsense", "unknown argument --nonsense; see --help"),
            ("word", "unknown argument word; see --help"),
            ("--archive", "--archive needs a value"),
            ("--archive /nowhere", "--archive /nowhere: there is no manifests/ in it"),
            ("--late /nowhere", "--late /nowhere: there is no manifests/ in it"),
            ("--witnesses 0", "--witnesses 0: must be a number above 0"),
            ("--quorum -1", "--quorum -1: must be a number above 0"),
            ("--quorum 2", "--quorum 2 of --witnesses 4: must be more than half of them and not more than all"),
            ("--quorum 5", "--quorum 5 of --witnesses 4: must be more than half of them and not more than all"),
            ("--live 0.5", "--live 0.5: must be a whole number above 0"),
            ("--stay a --work b", "--stay names the working directory; leave --work out"),
            ("--tamper --quorum 4", "--tamper: with --quorum 4 of 4 no witness may differ; give one more --witnesses"),
            ("--rpc http://127.0.0.1:1", "--rpc needs --keys with a file `addresses`"),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), refused);
        }
    }
}
