//! `prove` and `check-proof`.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use ec_archive::{AtRest, Observation, Source, StreamIndex};
use ec_ledger::{Follower, contracts::EveryChannelObservationLedger};
use ec_observation::{EpochRecords, NamedEpoch, ObservationHash, ObservationHeader, Proof, TimeMode};
use ec_witness::witness::lane::final_mark;
use eyre::{OptionExt, WrapErr, bail, eyre};
use serde_json::json;

use super::{
    Answer,
    agreement::AgreementArgs,
    chain::ChainArgs,
    config::ConfigArg,
    connection::block_on,
    derive::read_index,
    input::read_text,
    lanes, ledger,
    output::{JsonArg, json_line, mark_time},
    roster::ArchiveArgs,
};

/// Which record to prove. Prints the proof as JSON.
///
/// In a lane a group's number may stand in several segments; then `--at` or `--blake3` says which is meant.
///
/// With a ledger configured the proof holds the slot's final header, without one the header that `derive` shows.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    /// The record's track.
    #[arg(long, env = "EC_WITNESS_TRACK", value_name = "TRACK")]
    track: String,

    /// The record's group.
    #[arg(long, env = "EC_WITNESS_GROUP_SEQUENCE", value_name = "N")]
    group_sequence: u64,

    /// In a lane: a time, as 2026-03-06T19:18:00Z or in milliseconds since 1970, at which the record's epoch was the newest
    /// of those that have this number.
    #[arg(long, env = "EC_WITNESS_AT", value_name = "TIME", value_parser = unix_ms)]
    at: Option<u64>,

    /// The hash of the record's object, 64 hex digits.
    #[arg(long, env = "EC_WITNESS_BLAKE3", value_name = "HEX", value_parser = blake3)]
    blake3: Option<[u8; 32]>,
}

/// A time in milliseconds since 1970.
fn unix_ms(text: &str) -> Result<u64, &'static str> {
    let time = || text.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_millisecond()).ok());
    text.parse().ok().or_else(time).ok_or("must be a time, as 2026-03-06T19:18:00Z or in milliseconds since 1970")
}

fn blake3(text: &str) -> Result<[u8; 32], &'static str> {
    alloy::hex::decode_to_array(text).map_err(|_| "must be 64 hex digits")
}

impl ProveArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let chain = self.chain.clone().or(file.chain.clone());
        let tolerance_ms = AgreementArgs::default().or(file.agreement).tolerance_ms(TimeMode::Received);
        let sources = self.archive.sources(file.archive, &file.stream)?;
        // of the lanes of a broadcast the track tells which is meant
        let may_have = |source: &&Source| !source.rule.is_lane() || source.rule.tracks.names().contains(&self.track);
        let may_have: Vec<_> = sources.streams.iter().filter(may_have).collect();
        let [source] = may_have[..] else {
            let (streams, of) = (may_have.len(), sources.streams.len());
            bail!("{streams} of the {of} streams of the archive may have it: say whose record with --stream");
        };
        let index = read_index(&sources, source, false)?;
        let Observation { named, header, records } = self.observation(&index)?;
        let header = match chain.ledger {
            Some(_) => final_header(chain, source, &index, named, tolerance_ms).await?,
            None => header.ok_or_eyre("the epoch's records conflict; it has no header")?,
        };
        let proof = Proof::new(&source.rule, &records, header, &self.track, self.group_sequence)?;
        json_line(&proof)?;
        Ok(Answer::Yes)
    }

    /// The closed epoch that holds the record, as `derive` shows it.
    fn observation(&self, index: &StreamIndex) -> eyre::Result<Observation> {
        let epoch = index.rule().epochs.index(self.group_sequence);
        let mut found = Vec::new();
        for observation in AtRest::new(index) {
            let observation = observation?;
            if observation.named.name.index == epoch && self.may_be_of(&observation.records) {
                found.push(observation);
            }
        }
        if let Some(at) = self.at {
            let newest =
                found.iter().rposition(|observation| observation.named.derived.time.as_ref().is_ok_and(|&t| t <= at));
            found = newest.map(|at| found.swap_remove(at)).into_iter().collect();
        }
        match found.len() {
            0 => Err(eyre!("epoch {epoch} is not closed in this archive, or has no record{}", self.asked())),
            1 => Ok(found.swap_remove(0)),
            _ => Err(self.ambiguous(&found)),
        }
    }

    /// Whether an epoch has the record, as far as its hash is asked for.
    fn may_be_of(&self, records: &EpochRecords) -> bool {
        let is_asked = |blake3: [u8; 32]| {
            records.objects().any(|(at, object)| at.group_sequence == self.group_sequence && object.blake3 == blake3)
        };
        self.blake3.is_none_or(is_asked)
    }

    fn asked(&self) -> String {
        let at = self.at.map(|at| format!(" by {}", mark_time(at)));
        let blake3 = self.blake3.map(|blake3| format!(" of blake3 {}", alloy::hex::encode(blake3)));
        at.into_iter().chain(blake3).collect()
    }

    fn ambiguous(&self, found: &[Observation]) -> eyre::Report {
        let mut lines = vec![format!(
            "{} group {} stands in {} segments; say which with --at or --blake3:",
            self.track,
            self.group_sequence,
            found.len()
        )];
        for Observation { named, records, .. } in found {
            let time = named.derived.time.as_ref().map_or_else(|_| "-".to_owned(), |&time| mark_time(time));
            let record = records.objects().find(|(at, _)| at.group_sequence == self.group_sequence);
            let blake3 = record.map_or_else(|| "-".to_owned(), |(_, object)| alloy::hex::encode(object.blake3));
            lines.push(format!("  segment {}  --at {time}  --blake3 {blake3}", named.derived.key.segment));
        }
        eyre!(lines.join("\n"))
    }
}

/// The final header of the epoch's slot, which must have the archive's content.
async fn final_header(
    chain: ChainArgs,
    source: &Source,
    index: &StreamIndex,
    epoch: NamedEpoch,
    tolerance_ms: u64,
) -> eyre::Result<ObservationHeader> {
    let stream = source.rule.stream_hash();
    let follower = ledger::read(chain, [(stream, source.rule.epochs)], None).await?;
    let NamedEpoch { sequence, slot, content, .. } = on_ledger(&follower, index, epoch, tolerance_ms)?;
    let Some(found) = follower.ledger().final_of(stream, sequence, slot) else {
        bail!("epoch {sequence} is not final on the ledger; without --ledger the proof is made for the derived header");
    };
    if content.is_none_or(|content| content.hash() != found.content) {
        bail!("epoch {sequence}: the ledger finalized other content than this archive has; `verify` tells more");
    }
    let candidate = follower.ledger().slot(slot).and_then(|slot| slot.candidate(found.hash));
    Ok(candidate.ok_or_eyre("the ledger's log lacks the final header")?.header)
}

/// The epoch as the ledger calls it.
fn on_ledger(
    follower: &Follower,
    index: &StreamIndex,
    epoch: NamedEpoch,
    tolerance_ms: u64,
) -> eyre::Result<NamedEpoch> {
    if !index.rule().is_lane() {
        return Ok(epoch);
    }
    let session = lanes::marks(follower, index, tolerance_ms)?(epoch.derived.key.segment);
    let mark = final_mark(index.rule(), &epoch.derived, session, tolerance_ms, follower.ledger()).or(session);
    let mark = mark.ok_or_eyre("the record's segment has no session on the ledger yet")?;
    Ok(index.rule().name(epoch.derived, mark)?)
}

/// Which proof to check. Exit code 1 when it is not one.
#[derive(Debug, Args)]
pub(crate) struct CheckProofArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    chain: ChainArgs,

    /// The proof, as `prove` prints it; `-` for standard input.
    #[arg(value_name = "FILE")]
    proof: PathBuf,

    /// Do not ask the ledger whether the header is final.
    #[arg(long, env = "EC_WITNESS_OFFLINE")]
    offline: bool,

    #[command(flatten)]
    json: JsonArg,
}

impl CheckProofArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let proof = self.read()?;
        let hash = proof.header.hash();
        if let Err(error) = proof.check() {
            return self.answer(hash, Some(&error.to_string()));
        }
        if self.offline {
            return self.answer(hash, None);
        }
        let connection = self.chain.clone().or(file.chain.clone()).connect().await?;
        let ledger = ledger::settings(&connection).await?.ledger;
        let slot = proof.header.slot();
        let found = connection.endpoints.agreed("finalizedObservation()", |provider| async move {
            EveryChannelObservationLedger::new(ledger, provider).finalizedObservation(slot.0).call().await
        });
        let found = ObservationHash(found.await?);
        let reason = match found {
            found if found == hash => None,
            ObservationHash::ZERO => Some(format!("slot {slot} is not final on the ledger")),
            found => Some(format!("slot {slot} is final on the ledger with observation {found}")),
        };
        self.answer(hash, reason.as_deref())
    }

    fn read(&self) -> eyre::Result<Proof> {
        let shown = self.proof.display();
        let text = read_text(&self.proof).wrap_err_with(|| format!("proof: cannot read {shown}"))?;
        serde_json::from_str(&text).wrap_err_with(|| format!("proof: {shown} is not a proof"))
    }

    /// Says whether it is a proof; `reason` is why it is not.
    fn answer(&self, observation: ObservationHash, reason: Option<&str>) -> eyre::Result<Answer> {
        let ok = reason.is_none();
        if self.json.json {
            let checked_finality = !self.offline;
            json_line(
                &json!({"ok": ok, "observation_hash": observation, "checked_finality": checked_finality, "reason": reason}),
            )?;
            return Ok(ok.into());
        }
        let text = match reason {
            None if self.offline => {
                format!("ok: the record is in observation {observation}; its finality was not asked")
            }
            None => format!("ok: the record is in observation {observation}, which is final"),
            Some(reason) => format!("no: {reason}"),
        };
        writeln!(io::stdout().lock(), "{text}")?;
        Ok(ok.into())
    }
}
