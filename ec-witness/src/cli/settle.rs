//! `rail settle`: what the ledger finalized becomes the pointer.

use std::{cell::Cell, collections::HashMap, io::Write, path::PathBuf, time::Duration};

use alloy::{eips::BlockNumberOrTag, primitives::Address, providers::Provider, rpc::types::Log, sol_types::SolEvent};
use clap::Args;
use ec_ledger::{
    Finality, Unsettled,
    contracts::{EveryChannelRail as Rail, Revert},
    finality_of, identity,
};
use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use ec_rpc::{AgreedHead, in_one_line};
use ec_witness::sender::{settlement, settlements_in_one};
use eyre::{OptionExt, WrapErr};
use serde::Serialize;

use super::{
    Answer,
    connection::Connection,
    head::{AskedHead, HeadArg},
    headers::{self, Input},
    ledger,
    output::fact,
    send::{Caller, SendArgs, Sent},
};

/// `rail settle`.
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// File of headers, or of lines of `derive --json`; `-` for stdin [default: every header that is final at the head
    /// and that the rail's log does not show as settled].
    #[arg(long, env = "EC_WITNESS_HEADER", value_name = "FILE")]
    header: Option<PathBuf>,

    #[command(flatten)]
    head: HeadArg,

    /// Go on, and settle what became final so many milliseconds after each time, until it is stopped.
    #[arg(long, env = "EC_WITNESS_SETTLE_EVERY_MS", value_name = "MS", conflicts_with = "header")]
    every_ms: Option<u64>,

    #[command(flatten)]
    send: SendArgs,
}

/// What became of one header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// The pointer is settled now; in a simulation, would be.
    Settled,
    /// It was before; nothing was sent, or somebody else's transaction came first.
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
struct Settled<'a> {
    slot: SlotId,
    observation_hash: Option<ObservationHash>,
    state: State,
    /// What the ledger has finalized in the slot, where that is why the header cannot be settled.
    finalized_hash: Option<ObservationHash>,
    dry_run: bool,
    /// At which head it was looked whether it is final.
    head: AskedHead,
    /// The transaction, which it shares with others.
    #[serde(flatten)]
    sent: Option<&'a Sent>,
}

/// The rail and its ledger, and where to look at them.
struct Settling<'a> {
    caller: &'a Caller,
    rail: Address,
    ledger: Address,
    heads: AgreedHead,
    head: AskedHead,
    /// Whether every header is settled so far.
    is_all: Cell<bool>,
}

impl SettleArgs {
    /// Settles what is final; a header that is not does not stop the others.
    pub(crate) async fn run(self) -> eyre::Result<Answer> {
        let stated = self.header.as_deref().map(headers::read).transpose()?;
        let caller = self.send.caller().await?;
        let (rail, ledger) = caller.connection.rail().await?;
        if let Some(inputs) = stated {
            let settling = self.settling(&caller, rail, ledger).await?;
            return settling.settle(&settling.final_of(inputs).await?).await;
        }
        ledger::check_deploy_block(&caller.connection, ledger).await?;
        let chain = &caller.connection.chain;
        let mut unsettled = Unsettled::new(ledger, rail, chain.deploy_block, chain.log_page_blocks);
        let mut settled = self.settle_new(&caller, &mut unsettled).await;
        while let Some(every_ms) = self.every_ms {
            if let Err(error) = &settled {
                tracing::warn!(error = %in_one_line(error.as_ref()), "nothing more is settled this time; trying again");
            }
            tokio::time::sleep(Duration::from_millis(every_ms)).await;
            settled = self.settle_new(&caller, &mut unsettled).await;
        }
        settled
    }

    /// Settles what became final since the logs were read last.
    async fn settle_new(&self, caller: &Caller, unsettled: &mut Unsettled) -> eyre::Result<Answer> {
        let settling = self.settling(caller, unsettled.rail(), unsettled.ledger()).await?;
        settling.settle(&settling.unsettled(unsettled).await?).await
    }

    /// Looks at the heads.
    async fn settling<'a>(&self, caller: &'a Caller, rail: Address, ledger: Address) -> eyre::Result<Settling<'a>> {
        let endpoints = &caller.connection.endpoints;
        let heads = endpoints.heads().await?;
        let head = self.head.among(&heads, endpoints).await?;
        Ok(Settling { caller, rail, ledger, heads, head, is_all: Cell::new(true) })
    }
}

impl std::fmt::Display for Settled<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "slot {}: ", self.slot)?;
        match (self.state, self.sent, self.finalized_hash) {
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

impl Settling<'_> {
    /// Every header that is final at the head and that the rail's log does not show as settled. Says how many are final above
    /// the head, and how many are settled.
    async fn unsettled(&self, unsettled: &mut Unsettled) -> eyre::Result<Vec<ObservationHeader>> {
        let (endpoints, unread) = (&self.caller.connection.endpoints, "the logs of ledger and rail cannot be read");
        if let Some(finalized) = self.heads.finalized {
            unsettled.read(endpoints, finalized).await.wrap_err(unread)?;
        }
        let mut unsettled = unsettled.ahead();
        unsettled.read(endpoints, self.heads.latest).await.wrap_err(unread)?;
        let (finals, later): (Vec<_>, Vec<_>) = unsettled.finals().partition(|found| self.head.has(found.block));
        if !later.is_empty() {
            eprintln!("{} more are not final yet at the {}", later.len(), self.head);
        }
        if unsettled.settled() > 0 {
            eprintln!("{} were settled before", unsettled.settled());
        }
        Ok(finals.into_iter().map(|found| found.header).collect())
    }

    /// Those of the named headers that are to be settled. Tells of the others.
    async fn final_of(&self, inputs: Vec<Input>) -> eyre::Result<Vec<ObservationHeader>> {
        let mut finals = Vec::new();
        for input in inputs {
            match input {
                Input::NoHeader(slot) => self.tell(&self.line(slot, None, State::Conflicting))?,
                Input::Header(header) => match self.why_not(&header).await? {
                    Some(told) => self.tell(&told)?,
                    None => finals.push(header),
                },
            }
        }
        Ok(finals)
    }

    /// Why a header need not or cannot be settled; `None` where it is to be.
    async fn why_not(&self, header: &ObservationHeader) -> eyre::Result<Option<Settled<'static>>> {
        let (slot, hash) = (header.slot(), header.hash());
        let told = |state| Ok(Some(self.line(slot, Some(hash), state)));
        if self.settled_on(slot).await? == Some(hash) {
            return told(State::AlreadySettled);
        }
        let Connection { chain, endpoints, .. } = &self.caller.connection;
        match finality_of(endpoints, self.ledger, chain.deploy_block, slot, self.heads.latest).await? {
            None => told(State::NotFinal),
            Some(Finality { observation, .. }) if observation != hash => {
                let told = self.line(slot, Some(hash), State::NotFinal);
                Ok(Some(Settled { finalized_hash: Some(observation), ..told }))
            }
            Some(Finality { block, .. }) if !self.head.has(block) => told(State::NotFinalYet),
            Some(_) => Ok(None),
        }
    }

    /// Settles final headers, and says where they are; the answer is yes where none was in the way.
    async fn settle(&self, finals: &[ObservationHeader]) -> eyre::Result<Answer> {
        if !finals.is_empty() {
            self.send(finals).await?;
        }
        if !self.caller.json {
            writeln!(std::io::stdout().lock(), "looked at the {}", self.head)?;
        }
        Ok(self.is_all.get().into())
    }

    /// Settles headers, as many in one transaction as its gas allows.
    async fn send(&self, finals: &[ObservationHeader]) -> eyre::Result<()> {
        let together = self.together().await?;
        let calls = finals.chunks(together).map(|headers| {
            let action = match headers {
                [header] => format!("settle slot {}", header.slot()),
                headers => format!("settle {} slots", headers.len()),
            };
            (action, settlement(headers), headers)
        });
        let done = |headers: &[ObservationHeader], sent: Sent| {
            let told = told_by(&sent.logs, self.rail);
            headers.iter().try_for_each(|header| {
                let slot = header.slot();
                // a simulation emits nothing
                let silent = if self.caller.is_dry() { State::Settled } else { State::AlreadySettled };
                let state = told.get(&slot).copied().unwrap_or(silent);
                self.tell(&Settled { sent: Some(&sent), ..self.line(slot, Some(header.hash()), state) })
            })
        };
        self.caller.calls(self.rail, calls, done).await
    }

    /// How many headers one transaction settles: as many as its gas allows, but one on an older rail, which has no batches.
    async fn together(&self) -> eyre::Result<usize> {
        let Connection { endpoints, endpoint, provider, .. } = &self.caller.connection;
        if !identity::can_settle_batches(endpoints, self.rail).await? {
            eprintln!(
                "rail {} is an older one without settleBatch: each header takes a transaction of its own",
                self.rail
            );
            return Ok(1);
        }
        let latest = provider.get_block_by_number(BlockNumberOrTag::Latest).await;
        let latest = latest.map_err(|error| endpoint.rpc_error("eth_getBlockByNumber", error))?;
        Ok(settlements_in_one(latest.ok_or_eyre("the chain has no latest block")?.header.gas_limit))
    }

    fn line(&self, slot: SlotId, observation_hash: Option<ObservationHash>, state: State) -> Settled<'static> {
        let (dry_run, head) = (self.caller.is_dry(), self.head);
        Settled { slot, observation_hash, state, finalized_hash: None, dry_run, head, sent: None }
    }

    /// Prints a line.
    fn tell(&self, settled: &Settled<'_>) -> eyre::Result<()> {
        if !matches!(settled.state, State::Settled | State::AlreadySettled) {
            self.is_all.set(false);
        }
        fact(self.caller.json, settled)
    }

    /// The observation that the slot's pointer is settled on.
    async fn settled_on(&self, slot: SlotId) -> eyre::Result<Option<ObservationHash>> {
        let rail = self.rail;
        let pointer = Rail::new(rail, &self.caller.connection.provider).pointerOf(slot.0).call().await;
        let pointer = pointer.wrap_err_with(|| format!("rail {rail} cannot be read"))?;
        Ok(pointer.settled.then_some(ObservationHash(pointer.manifestHash)))
    }
}

/// What the log of a transaction says of slots. Of one that was settled before it may say nothing.
fn told_by(logs: &[Log], rail: Address) -> HashMap<SlotId, State> {
    let of_rail = logs.iter().filter(|log| log.address() == rail);
    let told = of_rail.filter_map(|log| {
        if let Ok(settled) = Rail::PointerSettled::decode_log(&log.inner) {
            return Some((SlotId(settled.slot), State::Settled));
        }
        let skipped = Rail::SettlementSkipped::decode_log(&log.inner).ok()?;
        let is_not_final = matches!(Revert::decode(&skipped.reason), Revert::NotFinal { .. });
        is_not_final.then_some((SlotId(skipped.slot), State::NotFinal))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use alloy::{
        primitives::{B256, LogData},
        sol_types::SolError,
    };

    use super::*;

    #[test]
    fn a_receipt_tells_of_each_header_what_became_of_it() {
        let rail = Address::repeat_byte(1);
        let log = |address, data: LogData| Log { inner: alloy::primitives::Log { address, data }, ..Log::default() };
        let hash = B256::ZERO;
        let settled = |slot| {
            let event = Rail::PointerSettled {
                slot,
                observationHash: hash,
                streamHash: hash,
                dataRoot: hash,
                locatorHash: hash,
            };
            event.encode_log_data()
        };
        let skipped = |slot, reason: Vec<u8>| {
            Rail::SettlementSkipped { slot, observationHash: hash, reason: reason.into() }.encode_log_data()
        };
        let slots = [1, 2, 3, 4].map(B256::repeat_byte);
        let not_final = Rail::NotFinal { slot: slots[1], observationHash: hash }.abi_encode();
        let before = Rail::SlotSettled { slot: slots[2], observationHash: hash }.abi_encode();
        let logs = [
            log(rail, settled(slots[0])),
            log(rail, skipped(slots[1], not_final)),
            log(rail, skipped(slots[2], before)),
            log(Address::ZERO, settled(slots[3])),
        ];
        let told = told_by(&logs, rail);
        let of = slots.map(|slot| told.get(&SlotId(slot)).copied());
        assert_eq!(of, [Some(State::Settled), Some(State::NotFinal), None, None]);
    }
}
