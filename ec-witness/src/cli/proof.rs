//! `prove` and `check-proof`.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use ec_archive::{AtRest, Observation, Source, StreamIndex};
use ec_ledger::contracts::EveryChannelObservationLedger;
use ec_observation::{ObservationHash, ObservationHeader, Proof};
use eyre::{OptionExt, WrapErr, bail, eyre};
use serde_json::json;

use super::{
    Answer,
    chain::ChainArgs,
    config::ConfigArg,
    connection::block_on,
    derive::read_index,
    input::read_text,
    ledger,
    output::{JsonArg, json_line},
    roster::ArchiveArgs,
};

/// Which record to prove. Prints the proof as JSON.
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
}

impl ProveArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let chain = self.chain.clone().or(file.chain.clone());
        let sources = self.archive.sources(file.archive, &file.stream)?;
        let [source] = sources.streams.as_slice() else {
            bail!("the archive has {} streams: say whose record with --stream", sources.streams.len());
        };
        let index = read_index(&sources, source, false)?;
        let observation = observation(&index, source.rule.epochs.index(self.group_sequence))?;
        let header = match chain.ledger {
            Some(_) => final_header(chain, source, &observation).await?,
            None => observation.header.ok_or_eyre("the epoch's records conflict; it has no header")?,
        };
        let proof = Proof::new(&source.rule, &observation.records, header, &self.track, self.group_sequence)?;
        json_line(&proof)?;
        Ok(Answer::Yes)
    }
}

/// The closed epoch, as `derive` shows it.
fn observation(index: &StreamIndex, epoch: u64) -> eyre::Result<Observation> {
    for observation in AtRest::new(index) {
        let observation = observation?;
        if observation.derived.sequence == epoch {
            return Ok(observation);
        }
    }
    Err(eyre!("epoch {epoch} is not closed in this archive, or has no record"))
}

/// The final header of the epoch's slot, which must have the archive's content.
async fn final_header(chain: ChainArgs, source: &Source, observation: &Observation) -> eyre::Result<ObservationHeader> {
    let stream = source.rule.stream_hash();
    let follower = ledger::read(chain, [stream], None).await?;
    let (sequence, slot) = (observation.derived.sequence, observation.derived.slot);
    let Some(found) = follower.ledger().final_of(stream, sequence, slot) else {
        bail!("epoch {sequence} is not final on the ledger; without --ledger the proof is made for the derived header");
    };
    if observation.derived.content.is_none_or(|content| content.hash() != found.content) {
        bail!("epoch {sequence}: the ledger finalized other content than this archive has; `verify` tells more");
    }
    let candidate = follower.ledger().slot(slot).and_then(|slot| slot.candidate(found.hash));
    Ok(candidate.ok_or_eyre("the ledger's log lacks the final header")?.header)
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
