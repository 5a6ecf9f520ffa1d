//! `rail settle`: what the ledger finalized becomes the pointer.

use std::path::PathBuf;

use alloy::primitives::Address;
use clap::Args;
use ec_ledger::contracts::{EveryChannelObservationLedger, EveryChannelRail, Revert};
use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use eyre::WrapErr;
use serde::Serialize;

use super::{
    Answer,
    headers::{self, Input},
    ledger,
    output::fact,
    send::{CallError, Caller, SendArgs, Sent},
};

/// `rail settle`.
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// File of headers, or of lines of `derive --json`; `-` for stdin [default: every final header in the ledger's
    /// log].
    #[arg(long, env = "EC_WITNESS_HEADER", value_name = "FILE")]
    header: Option<PathBuf>,

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
    #[serde(flatten)]
    sent: Option<Sent>,
}

impl SettleArgs {
    /// Settles each header in turn; one that is not final does not stop the others.
    pub(crate) async fn run(self) -> eyre::Result<Answer> {
        let stated = self.header.as_deref().map(headers::read).transpose()?;
        let caller = self.send.caller().await?;
        let (rail, ledger) = caller.connection.rail().await?;
        let inputs = match stated {
            Some(inputs) => inputs,
            None => final_headers(&caller, ledger).await?,
        };
        let mut all = true;
        for input in inputs {
            let settled = match input {
                Input::Header(header) => settle(&caller, rail, ledger, &header).await?,
                Input::NoHeader(slot) => Settled::new(slot, None, State::Conflicting, &caller),
            };
            fact(caller.json, &settled)?;
            all &= matches!(settled.state, State::Settled | State::AlreadySettled);
        }
        Ok(all.into())
    }
}

impl Settled {
    fn new(slot: SlotId, observation_hash: Option<ObservationHash>, state: State, caller: &Caller) -> Self {
        Self { slot, observation_hash, state, finalized_hash: None, dry_run: caller.is_dry(), sent: None }
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
            (State::NotFinal, _, Some(hash)) => write!(f, "not final; the ledger finalized {hash} instead"),
            (State::Conflicting, ..) => f.write_str("its records conflict, there is no header to settle"),
        }
    }
}

/// Every header that the ledger's log shows to be final.
async fn final_headers(caller: &Caller, ledger: Address) -> eyre::Result<Vec<Input>> {
    let follower = ledger::read_at(&caller.connection, ledger).await?;
    Ok(follower.ledger().final_headers().into_iter().map(Input::Header).collect())
}

async fn settle(caller: &Caller, rail: Address, ledger: Address, header: &ObservationHeader) -> eyre::Result<Settled> {
    let (slot, hash) = (header.slot(), header.hash());
    let new = |state| Settled::new(slot, Some(hash), state, caller);
    if settled_on(caller, rail, slot).await? == Some(hash) {
        return Ok(new(State::AlreadySettled));
    }
    let call = EveryChannelRail::settleCall { header: (*header).into() };
    match caller.call(&format!("settle slot {slot}"), rail, &call).await {
        Ok(sent) => Ok(Settled { sent: Some(sent), ..new(State::Settled) }),
        Err(CallError::Refused { source: Revert::NotFinal { .. }, .. }) => {
            Ok(Settled { finalized_hash: finalized(caller, ledger, slot).await?, ..new(State::NotFinal) })
        }
        Err(error) => Err(error.into()),
    }
}

/// The observation that the slot's pointer is settled on.
async fn settled_on(caller: &Caller, rail: Address, slot: SlotId) -> eyre::Result<Option<ObservationHash>> {
    let pointer = EveryChannelRail::new(rail, &caller.connection.provider).pointerOf(slot.0).call().await;
    let pointer = pointer.wrap_err_with(|| format!("rail {rail} cannot be read"))?;
    Ok(pointer.settled.then_some(ObservationHash(pointer.manifestHash)))
}

/// The observation that the ledger finalized in the slot.
async fn finalized(caller: &Caller, ledger: Address, slot: SlotId) -> eyre::Result<Option<ObservationHash>> {
    let ledger_contract = EveryChannelObservationLedger::new(ledger, &caller.connection.provider);
    let hash = ledger_contract.finalizedObservation(slot.0).call().await;
    let hash = hash.wrap_err_with(|| format!("ledger {ledger} cannot be read"))?;
    Ok((!hash.is_zero()).then_some(ObservationHash(hash)))
}
