//! `derive --records`: the records of one epoch, written out.

use ec_archive::{AtRest, StreamIndex, Sweep};
use ec_observation::{EpochKey, EpochRecords, Listing, NamedEpoch, TimeMode};
use ec_witness::witness::decision::Agreement;
use eyre::bail;

use super::read_index;
use crate::cli::{Answer, asked::Asked, lanes, output::json_line, roster::Sources};

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
