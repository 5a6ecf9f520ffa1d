//! `rail settle`: what the ledger finalized becomes the pointer.

use std::{io::Write, path::PathBuf};

use alloy::primitives::Address;
use clap::Args;
use ec_ledger::{
    Finality, Follower,
    contracts::{EveryChannelRail, Revert},
    finality_of,
};
use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use ec_rpc::BlockRef;
use eyre::{OptionExt, WrapErr};
use serde::Serialize;

use super::{
    Answer,
    chain::ChainSettings,
    head::{AskedHead, HeadArg},
    headers::{self, Input},
    ledger,
    output::fact,
    send::{CallError, Caller, SendArgs, Sent},
};

/// `rail settle`.
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// File of headers, or of lines of `derive --json`; `-` for stdin [default: every header in the ledger's log
    /// that is final at the head].
    #[arg(long, env = "EC_WITNESS_HEADER", value_name = "FILE")]
    header: Option<PathBuf>,

    #[command(flatten)]
    head: HeadArg,

    #[command(flatten)]
    send: SendArgs,
}

/// What became of one header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// The pointer is settled now; in a simulation, would be.
    Settled,
    /// It was before; nothing was sent.
    AlreadySettled,
    /// The ledger has finalized nothing, or another observation.
    NotFinal,
    /// It is final, but only above the head that is asked.
    NotFinalYet,
    /// The epoch has no header to settle: its records conflict.
    Conflicting,
}

/// One line of output.
#[derive(Debug, Serialize)]
struct Settled {
    slot: SlotId,
    observation_hash: Option<ObservationHash>,
    state: State,
    /// What the ledger has finalized in the slot, where that is why the header cannot be settled.
    finalized_hash: Option<ObservationHash>,
    dry_run: bool,
    /// At which head it was looked whether it is final.
    head: AskedHead,
    #[serde(flatten)]
    sent: Option<Sent>,
}

/// The ledger, and where to look at it.
struct Settling {
    caller: Caller,
    rail: Address,
    ledger: Address,
    latest: BlockRef,
    head: AskedHead,
    /// Its whole log, where that was read.
    log: Option<Follower>,
}

impl SettleArgs {
    /// Settles each header in turn; one that is not final does not stop the others.
    pub(crate) async fn run(self) -> eyre::Result<Answer> {
        let stated = self.header.as_deref().map(headers::read).transpose()?;
        let settling = self.settling(stated.is_none()).await?;
        let inputs = stated.unwrap_or_else(|| settling.headers());
        let mut all = true;
        for input in inputs {
            let settled = match input {
                Input::Header(header) => settling.settle(&header).await?,
                Input::NoHeader(slot) => settling.settled(slot, None, State::Conflicting),
            };
            fact(settling.caller.json, &settled)?;
            all &= matches!(settled.state, State::Settled | State::AlreadySettled);
        }
        if !settling.caller.json {
            writeln!(std::io::stdout().lock(), "looked at the {}", settling.head)?;
        }
        Ok(all.into())
    }

    /// Connects, looks at the heads, and reads the ledger's log where every final header in it is to be settled.
    async fn settling(&self, whole_log: bool) -> eyre::Result<Settling> {
        let caller = self.send.caller().await?;
        let (rail, ledger) = caller.connection.rail().await?;
        let (log, latest, head);
        if whole_log {
            let follower = ledger::read_at(&caller.connection, ledger).await?;
            latest = follower.ledger().head().ok_or_eyre("the ledger's log is not read")?;
            head = self.head.of(&follower).await?;
            log = Some(follower);
        } else {
            let heads = caller.connection.endpoints.heads().await?;
            head = self.head.among(&heads, &caller.connection.endpoints).await?;
            (latest, log) = (heads.latest, None);
        }
        Ok(Settling { caller, rail, ledger, latest, head, log })
    }
}

impl std::fmt::Display for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "slot {}: ", self.slot)?;
        match (self.state, &self.sent, self.finalized_hash) {
            (State::Settled, Some(sent), _) => write!(f, "settled; {sent}"),
            (State::Settled, None, _) => f.write_str("settled"),
            (State::AlreadySettled, ..) => f.write_str("settled before"),
            (State::NotFinal, _, None) => f.write_str("not final; wait for the quorum and settle again"),
            (State::NotFinalYet, ..) => write!(f, "not final yet at the {}; settle again later", self.head),
            (State::NotFinal, _, Some(hash)) => write!(f, "not final; the ledger finalized {hash} instead"),
            (State::Conflicting, ..) => f.write_str("its records conflict, there is no header to settle"),
        }
    }
}

impl Settling {
    /// Every header that the ledger's log shows to be final at the head. Says how many are final above it.
    fn headers(&self) -> Vec<Input> {
        let Some(log) = &self.log else { return Vec::new() };
        let is_final = |header: &ObservationHeader| {
            let found = log.ledger().final_of(header.stream_hash, header.sequence, header.slot());
            found.is_some_and(|found| self.head.has_final(found))
        };
        let (headers, later): (Vec<_>, Vec<_>) = log.ledger().final_headers().into_iter().partition(is_final);
        if !later.is_empty() {
            eprintln!("{} more are not final yet at the {}", later.len(), self.head);
        }
        headers.into_iter().map(Input::Header).collect()
    }

    fn settled(&self, slot: SlotId, observation_hash: Option<ObservationHash>, state: State) -> Settled {
        let (dry_run, head) = (self.caller.is_dry(), self.head);
        Settled { slot, observation_hash, state, finalized_hash: None, dry_run, head, sent: None }
    }

    async fn settle(&self, header: &ObservationHeader) -> eyre::Result<Settled> {
        let (slot, hash) = (header.slot(), header.hash());
        let new = |state| self.settled(slot, Some(hash), state);
        if self.settled_on(slot).await? == Some(hash) {
            return Ok(new(State::AlreadySettled));
        }
        match self.finality(header).await? {
            None => return Ok(new(State::NotFinal)),
            Some(Finality { observation, .. }) if observation != hash => {
                return Ok(Settled { finalized_hash: Some(observation), ..new(State::NotFinal) });
            }
            Some(Finality { block, .. }) if !self.head.has(block) => return Ok(new(State::NotFinalYet)),
            Some(_) => {}
        }
        let call = EveryChannelRail::settleCall { header: (*header).into() };
        match self.caller.call(&format!("settle slot {slot}"), self.rail, &call).await {
            Ok(sent) => Ok(Settled { sent: Some(sent), ..new(State::Settled) }),
            // a reorg came in between
            Err(CallError::Refused { source: Revert::NotFinal { .. }, .. }) => Ok(new(State::NotFinal)),
            Err(error) => Err(error.into()),
        }
    }

    /// What is final in the header's slot, and since which block.
    async fn finality(&self, header: &ObservationHeader) -> eyre::Result<Option<Finality>> {
        let slot = header.slot();
        if let Some(log) = &self.log {
            return Ok(log.ledger().final_of(header.stream_hash, header.sequence, slot).map(|found| found.finality()));
        }
        let ChainSettings { deploy_block, .. } = self.caller.connection.chain;
        let endpoints = &self.caller.connection.endpoints;
        Ok(finality_of(endpoints, self.ledger, deploy_block, slot, self.latest).await?)
    }

    /// The observation that the slot's pointer is settled on.
    async fn settled_on(&self, slot: SlotId) -> eyre::Result<Option<ObservationHash>> {
        let rail = self.rail;
        let pointer = EveryChannelRail::new(rail, &self.caller.connection.provider).pointerOf(slot.0).call().await;
        let pointer = pointer.wrap_err_with(|| format!("rail {rail} cannot be read"))?;
        Ok(pointer.settled.then_some(ObservationHash(pointer.manifestHash)))
    }
}
