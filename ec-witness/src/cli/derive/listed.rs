//! `derive --records`: the records of one epoch, written out.

use std::{fmt, str::FromStr};

use ec_archive::{AtRest, StreamIndex, Sweep};
use ec_observation::{EpochKey, EpochName, EpochRecords, Listing, NamedEpoch, TimeMode};
use ec_witness::witness::decision::Agreement;
use eyre::bail;

use super::read_index;
use crate::cli::{Answer, lanes, output::json_line, roster::Sources};

/// Which epoch is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The one of this sequence, as `derive` shows it.
    Sequence(u64),
    /// The one that the ledger calls so.
    Name(EpochName),
}

impl FromStr for Asked {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number =
            |text: &str| text.parse().map_err(|_| "must be a sequence, or a session's mark and an index as MARK/INDEX");
        match text.split_once('/') {
            None => number(text).map(Self::Sequence),
            Some((mark, index)) => Ok(Self::Name(EpochName { mark: number(mark)?, index: number(index)? })),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => write!(f, "{sequence}"),
            Self::Name(EpochName { mark, index }) => write!(f, "{mark}/{index}"),
        }
    }
}

/// Writes out one epoch's records, of each stream that has any.
pub(super) fn list(sources: &Sources, asked: Asked, agreement: Agreement, json: bool) -> eyre::Result<Answer> {
    let mut listed = false;
    for source in &sources.streams {
        let index = read_index(sources, source, json)?;
        for (epoch, records) in epochs(&index, asked, agreement)? {
            listed = true;
            json_line(&Listing::new(&source.rule, &epoch, &records))?;
        }
    }
    if !listed {
        bail!("--records {asked}: no stream of the archive has a record of this epoch");
    }
    Ok(Answer::Yes)
}

fn epochs(index: &StreamIndex, asked: Asked, agreement: Agreement) -> eyre::Result<Vec<(NamedEpoch, EpochRecords)>> {
    let rule = index.rule();
    let mut found = Vec::new();
    match (asked, rule.is_lane()) {
        (Asked::Sequence(epoch), false) => {
            let key = EpochKey::timeline(epoch);
            for swept in Sweep::new(index, key..=key) {
                let swept = swept?;
                found.push((rule.name(swept.derived, 0)?, swept.records));
            }
        }
        (Asked::Sequence(sequence), true) => {
            for observation in AtRest::new(index) {
                let observation = observation?;
                if observation.named.sequence == sequence {
                    found.push((observation.named, observation.records));
                }
            }
        }
        (Asked::Name(name), true) => {
            for swept in lanes::called(index, name, agreement.tolerance_ms(TimeMode::Received))? {
                found.push((rule.name(swept.derived, name.mark)?, swept.records));
            }
        }
        // on the timeline there are no marks
        (Asked::Name(_), false) => {}
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_asked_for_by_sequence_or_by_mark_and_index() {
        assert_eq!("7".parse(), Ok(Asked::Sequence(7)));
        assert_eq!("1772824680000/3".parse(), Ok(Asked::Name(EpochName { mark: 1_772_824_680_000, index: 3 })));
        for wrong in ["", "/", "7/", "/3", "-1", "1/2/3", "x"] {
            assert!(wrong.parse::<Asked>().is_err(), "{wrong}");
        }
    }
}
