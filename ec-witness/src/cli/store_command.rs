//! `store show|check|compact`: what the vote store costs, whether it is whole, and how it gets smaller.

use std::{fmt, str::FromStr};

use clap::{Args, Subcommand};
use ec_witness::{
    clock,
    store::{Compacted, Growth, VoteStore},
};
use indicatif::DecimalBytes;
use serde::Serialize;

use super::{
    Answer,
    config::ConfigArg,
    output::{JsonArg, fact},
    store::StoreArgs,
};

/// Looks after the vote store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Show how large it is, what a vote takes, and what a year of the present rate will. Works beside a running witness.
    Show(WhichArgs),
    /// Check all of it: every page, row, hash and signature. Refuses while a witness runs with it.
    Check(WhichArgs),
    /// Keep slot and content only of votes that were final long ago, and give the room back. Refuses while a witness runs with
    /// it.
    ///
    /// The guard stays as it is: in these slots nothing is voted any more, neither for another content nor for the same one.
    /// The smaller store is written beside the old one, checked, and takes its name. Killed at any moment, there is the one
    /// or the other.
    Compact(CompactArgs),
}

/// Which store.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    json: JsonArg,
}

/// Which store, and which votes.
#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    store: StoreArgs,

    /// Only votes that were signed longer ago than this, and are final: a number and `d`, `h`, `m` or `s`.
    #[arg(long, value_name = "AGE", default_value = "365d")]
    older_than: Age,

    #[command(flatten)]
    json: JsonArg,
}

impl StoreCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        match self {
            Self::Show(args) => args.show(),
            Self::Check(args) => args.check(),
            Self::Compact(args) => args.run(),
        }
    }
}

impl WhichArgs {
    fn show(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let store = VoteStore::read(self.store.directory(&file.store)?)?;
        fact(self.json.json, &Shown(store.growth()?))?;
        Ok(Answer::Yes)
    }

    fn check(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let votes = VoteStore::check(self.store.directory(&file.store)?)?;
        fact(self.json.json, &Whole { votes })?;
        Ok(Answer::Yes)
    }
}

impl CompactArgs {
    fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let before_unix_ms = clock::unix_ms().saturating_sub(self.older_than.ms);
        let compacted = VoteStore::compact(self.store.directory(&file.store)?, before_unix_ms)?;
        fact(self.json.json, &Less(compacted))?;
        Ok(Answer::Yes)
    }
}

/// What `store show` says.
#[derive(Serialize)]
#[serde(transparent)]
struct Shown(Growth);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Growth { votes, compacted_votes, size_bytes, bytes_per_vote, streams, votes_per_day, .. } = &self.0;
        let year = self.0.bytes_per_year.map(DecimalBytes).zip(self.0.bytes_per_year_per_stream.map(DecimalBytes));
        writeln!(f, "{votes} votes, {compacted_votes} of them compacted: {}", DecimalBytes(*size_bytes))?;
        writeln!(f, "{bytes_per_vote} bytes a vote that is not compacted")?;
        match votes_per_day.zip(year) {
            Some((a_day, (year, of_one))) => write!(
                f,
                "{a_day:.0} votes a day in {streams} streams at present: {year} a year, {of_one} for each stream"
            ),
            None if *streams == 0 => write!(f, "no vote within the last day"),
            None => write!(f, "the first vote is less than an hour old: what a year will add cannot be told yet"),
        }
    }
}

/// What `store check` says.
#[derive(Serialize)]
struct Whole {
    votes: i64,
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} votes; the store is whole", self.votes)
    }
}

/// What `store compact` says.
#[derive(Serialize)]
#[serde(transparent)]
struct Less(Compacted);

impl fmt::Display for Less {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compacted { votes, transactions, before_bytes, after_bytes, .. } = self.0;
        let (before, after) = (DecimalBytes(before_bytes), DecimalBytes(after_bytes));
        match votes {
            0 => write!(f, "no vote is old enough; the store has {after}"),
            _ => write!(f, "{votes} votes compacted, {transactions} transactions gone; {after} of {before} are left"),
        }
    }
}

/// How long ago something has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Age {
    ms: u64,
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no number with `d`, `h`, `m` or `s` behind it, as in 365d");
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let unit_ms = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(unit_ms).map(|ms| Self { ms }).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        let ms = |text: &str| text.parse::<Age>().map(|age| age.ms).ok();
        assert_eq!(["365d", "2h", "3m", "0s"].map(ms), [Some(31_536_000_000), Some(7_200_000), Some(180_000), Some(0)]);
        assert_eq!(["", "d", "365", "1y", "-1d", "1.5d", "99999999999999999999d", "é"].map(ms), [None; 8]);
    }

    #[test]
    fn what_the_store_costs_is_said_for_people_and_for_programs() {
        let growth = Growth {
            votes: 10,
            compacted_votes: 4,
            size_bytes: 24_000,
            bytes_per_vote: 2400,
            streams: 2,
            votes_per_day: Some(2880.0),
            bytes_per_year: Some(2_522_880_000),
            bytes_per_year_per_stream: Some(1_261_440_000),
        };
        let said = Shown(growth.clone()).to_string();
        assert!(said.contains("2400 bytes a vote"), "{said}");
        assert!(
            said.ends_with("2880 votes a day in 2 streams at present: 2.52 GB a year, 1.26 GB for each stream"),
            "{said}"
        );
        assert_eq!(serde_json::to_value(Shown(growth)).unwrap()["bytes_per_year_per_stream"], 1_261_440_000u64);
        assert_eq!(Shown(Growth::default()).to_string().lines().last(), Some("no vote within the last day"));
    }
}
