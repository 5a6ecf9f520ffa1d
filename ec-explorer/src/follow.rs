//! Follows a ledger, through reorgs to finality, into its database.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use alloy::providers::Provider;
use ec_ledger::{FollowError, Follower, LedgerLog, Listen, identity};
use ec_observation::SlotId;
use ec_rpc::{BlockRef, ConnectError, Endpoint, Endpoints};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::now_ms,
    hub::{About, Hub},
    model::{CandidateEvent, FinalEvent, FinalizedEvent, Head, Heads, L1, LedgerState, ReorgEvent, VoteEvent},
    show::{Seats, View, ms},
    state::Ledger,
    store::{Heard, LedgerWriter, Reader, SlotRow, StoreError, StreamRow},
};

/// How long the ledger's RPC may be silent before the ledger is not live any more (protocol §5.5).
const HEAD_STALE: Duration = Duration::from_secs(30);
/// How long to wait after a failure that asking again at once does not mend.
const REST: Duration = Duration::from_secs(5);
/// After how many looks at the ledger the rollup's node is asked where it stands on L1: by default about once a block of L1.
const L1_EVERY: u32 = 12;
/// Slots that one event names.
const NAMED: usize = 1000;

/// Why a ledger cannot be followed.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    #[error("{0}")]
    Follow(#[from] FollowError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes what is heard, and tells it.
struct Ear {
    writer: Arc<Mutex<LedgerWriter>>,
    ledger: Arc<Ledger>,
    hub: Arc<Hub>,
    /// Whether the log was read to the head once: what is told then is news.
    is_current: Arc<AtomicBool>,
    /// What kept it from writing; nothing is written after that.
    fault: Arc<Mutex<Option<StoreError>>>,
}

impl Ear {
    fn write<T>(&self, write: impl FnOnce(&mut LedgerWriter) -> Result<T, StoreError>) -> Option<T> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.is_some() {
            return None;
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match write(&mut writer) {
            Ok(written) => Some(written),
            Err(error) => {
                *fault = Some(error);
                None
            }
        }
    }
}

impl Listen for Ear {
    fn read(&mut self, to: BlockRef, logs: &[LedgerLog]) {
        let Some(heard) = self.write(|writer| writer.read(to, logs)) else { return };
        self.ledger.status_mut().read_to = Some(to.number);
        if self.is_current.load(Relaxed) && !heard.is_empty() {
            let view = View::of(&self.ledger);
            let told = self.ledger.store.read_now(|reader| tell(reader, &view, &self.hub, &heard));
            if let Err(error) = told {
                tracing::warn!(%error, "events cannot be told");
            }
        }
    }

    fn taken_back(&mut self, to: Option<BlockRef>) {
        let to = to.map(|block| block.number);
        if self.write(|writer| writer.take_back(to)).is_none() {
            return;
        }
        let name = self.ledger.settings.name.clone();
        tracing::warn!(ledger = name, to, "blocks were taken back");
        self.ledger.status_mut().read_to = to;
        let about = About { ledger: name.clone(), stream: None, slot: None };
        self.hub.tell("reorg", about, &ReorgEvent { ledger: name, block: to.unwrap_or_default() });
    }
}

/// Tells what was heard of slots.
fn tell(reader: &Reader<'_>, view: &View, hub: &Hub, heard: &[Heard]) -> Result<(), StoreError> {
    let seats = Seats::read(reader)?;
    let mut slots: HashMap<SlotId, Option<(SlotRow, StreamRow)>> = HashMap::new();
    for event in heard {
        let (Heard::Candidate { slot: hash, .. } | Heard::Vote { slot: hash, .. } | Heard::Final { slot: hash }) =
            event;
        if !slots.contains_key(hash) {
            let slot = reader.slot(*hash)?;
            let stream = slot.as_ref().map(|slot| reader.stream_by_id(slot.stream)).transpose()?.flatten();
            slots.insert(*hash, slot.zip(stream));
        }
        let Some(Some((slot, stream))) = slots.get(hash) else { continue };
        let (ledger, stream, hash) = (view.ledger.clone(), stream.hash.to_string(), hash.to_string());
        let about = About { ledger: ledger.clone(), stream: Some(stream.clone()), slot: Some(hash.clone()) };
        let candidates = reader.candidates(slot.id)?;
        match event {
            Heard::Candidate { observation, .. } => {
                let Some(found) = candidates.iter().find(|candidate| candidate.hash == *observation) else { continue };
                let observed_ms = ms(found.header.observed_unix_ms);
                let (observation, block) = (observation.to_string(), found.block);
                hub.tell(
                    "candidate",
                    about,
                    &CandidateEvent { ledger, stream, slot: hash, observation, observed_ms, block },
                );
            }
            Heard::Vote { block, log_index, .. } => {
                let votes = reader.votes(slot.id)?;
                let Some(row) = votes.iter().find(|row| (row.block, row.log_index) == (*block, *log_index)) else {
                    continue;
                };
                let names = candidates.iter().map(|candidate| (candidate.id, candidate.hash.to_string())).collect();
                let vote = view.vote(&seats, &names, slot.first_ms.unwrap_or(row.ms), row);
                hub.tell("vote", about, &VoteEvent { ledger, stream, slot: hash, vote });
            }
            Heard::Final { .. } => {
                let Some(found) = candidates.iter().find_map(|candidate| view.final_of(slot, candidate)) else {
                    continue;
                };
                hub.tell("final", about, &FinalEvent { ledger, stream, slot: hash, r#final: found });
            }
        }
    }
    Ok(())
}

/// Follows a ledger until it is to stop.
pub async fn follow(ledger: Arc<Ledger>, hub: Arc<Hub>, poll: Duration, stop: CancellationToken) {
    let run = async {
        loop {
            let Err(trouble) = follow_on(&ledger, &hub, poll).await;
            note_trouble(&ledger, &hub, &trouble);
            tokio::time::sleep(REST).await;
        }
    };
    stop.run_until_cancelled(run).await;
}

/// Notes, and says once, why a ledger cannot be followed.
fn note_trouble(ledger: &Ledger, hub: &Hub, trouble: &Trouble) {
    let is_contradicted = matches!(trouble, Trouble::Follow(FollowError::DeepReorg(_)));
    let mut text = trouble.to_string();
    if is_contradicted {
        text += "; if it is another chain now, start with --anew, which makes the database again";
    }
    let state = if is_contradicted { LedgerState::Contradicted } else { LedgerState::Down };
    let status = {
        let mut status = ledger.status_mut();
        if status.trouble.as_ref() == Some(&text) && status.state == state {
            return;
        }
        (status.state, status.trouble) = (state, Some(text.clone()));
        status.clone()
    };
    tracing::warn!(ledger = status.name, error = text, "the ledger cannot be followed; trying again");
    hub.tell("heads", About { ledger: status.name.clone(), stream: None, slot: None }, &status);
}

/// Follows a ledger until that fails.
async fn follow_on(ledger: &Arc<Ledger>, hub: &Arc<Hub>, poll: Duration) -> Result<std::convert::Infallible, Trouble> {
    let settings = &ledger.settings;
    let endpoints = Endpoints::new(&settings.endpoints, settings.chain_id, settings.agree)?;
    ledger.ask_by(endpoints.clone());
    let registry = identity::registry_of(&endpoints, settings.ledger, settings.registry).await?;
    ledger.status_mut().registry = format!("{registry:#x}");
    let chain = ec_ledger::LedgerSettings {
        chain_id: settings.chain_id,
        ledger: settings.ledger,
        registry,
        deploy_block: settings.deploy_block,
        log_page_blocks: settings.log_page_blocks,
        head_stale: HEAD_STALE,
        block_time: settings.block_time,
        finality_stale: settings.finality_stale,
    };
    let writer = Arc::new(Mutex::new(LedgerWriter::new(Arc::clone(&ledger.store))));
    let heard = writer.lock().unwrap_or_else(PoisonError::into_inner).heard()?;
    ledger.status_mut().read_to = heard.last().map(|block| block.number);
    let (is_current, fault) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
    let ear = Ear {
        writer: Arc::clone(&writer),
        ledger: Arc::clone(ledger),
        hub: Arc::clone(hub),
        is_current: Arc::clone(&is_current),
        fault: Arc::clone(&fault),
    };
    // what was final before must be so still
    let mut finalized = writer.lock().unwrap_or_else(PoisonError::into_inner).finalized()?;
    let resting_on = heard.iter().copied().rfind(|block| finalized.is_some_and(|finalized| block.number <= finalized));
    let mut follower = Follower::listening(endpoints, chain, heard, Box::new(ear)).resting_on(resting_on);
    let (mut l1_asked_ms, mut l1_trouble) = (0, None);
    loop {
        let polled = follower.poll(now_ms(), true).await;
        if let Some(error) = fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error.into());
        }
        match polled {
            Ok(_) => {
                note_heads(ledger, hub, &follower);
                is_current.store(true, Relaxed);
                let now_final = follower.heads().finalized;
                if finalized != Some(now_final) {
                    settle(ledger, hub, &writer, finalized.unwrap_or(now_final), now_final)?;
                    finalized = Some(now_final);
                }
                if let Some(op_node) = settings
                    .op_node
                    .as_ref()
                    .filter(|_| now_ms().saturating_sub(l1_asked_ms) >= (poll * L1_EVERY).as_millis() as u64)
                {
                    l1_asked_ms = now_ms();
                    note_l1(ledger, ask_l1(op_node, l1_asked_ms).await, &mut l1_trouble);
                }
                tokio::time::sleep(poll).await;
            }
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => {
                tracing::debug!(%error, "a poll failed");
                // one that fails alone is nothing: blocks come while others are read
                if follower.live_since_ms().is_none() || !matches!(error, FollowError::HeadMoved(_)) {
                    note_trouble(ledger, hub, &error.into());
                }
                tokio::time::sleep(follower.retry_in().max(poll)).await;
            }
        }
    }
}

/// Takes over the heads and the witnesses from a poll.
fn note_heads(ledger: &Ledger, hub: &Hub, follower: &Follower) {
    let (heads, times) = (follower.heads(), follower.head_times());
    let head =
        |number: u64, seconds: u64| Head { number, time_ms: (seconds > 0).then_some(seconds.saturating_mul(1000)) };
    let heads = Heads {
        latest: head(heads.latest, times.latest),
        safe: head(heads.safe, times.safe),
        finalized: head(heads.finalized, times.finalized),
    };
    let set = follower.set();
    let active = ledger.store.read_now(|reader| {
        let seats = Seats::read(reader)?;
        Ok::<_, StoreError>(set.active.iter().map(|seat| seats.name_of(seat.0)).collect::<Vec<_>>())
    });
    let status = {
        let mut status = ledger.status_mut();
        let before = (status.heads, status.state);
        status.heads = heads;
        status.read_ms = Some(now_ms());
        status.read_to = Some(heads.latest.number);
        (status.state, status.trouble) = (LedgerState::Following, None);
        status.finality_stalled_ms = follower.finality_stalled_ms();
        if let Ok(active) = active {
            status.active = active;
        }
        status.quorum = u32::try_from(set.quorum).unwrap_or(u32::MAX);
        (before != (status.heads, status.state)).then(|| status.clone())
    };
    if let Some(status) = status {
        hub.tell("heads", About { ledger: status.name.clone(), stream: None, slot: None }, &status);
    }
}

/// Gives up the means to go back below the finalized head, and tells which slots came below it.
fn settle(
    ledger: &Ledger,
    hub: &Hub,
    writer: &Mutex<LedgerWriter>,
    before: u64,
    finalized: u64,
) -> Result<(), StoreError> {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    let slots = writer.settle(before, finalized, NAMED)?;
    if !slots.is_empty() {
        let name = ledger.settings.name.clone();
        let slots = slots.iter().map(SlotId::to_string).collect();
        let about = About { ledger: name.clone(), stream: None, slot: None };
        hub.tell("finalized", about, &FinalizedEvent { ledger: name, block: finalized, slots });
    }
    Ok(())
}

/// Notes where the rollup stands on L1, and says once why it is not known.
fn note_l1(ledger: &Ledger, said: Result<L1, String>, trouble: &mut Option<String>) {
    let error = said.as_ref().err();
    if let Some(error) = error.filter(|error| trouble.as_ref() != Some(*error)) {
        tracing::warn!(ledger = ledger.settings.name, error, "where the rollup stands on L1 is not known");
    }
    *trouble = error.cloned();
    ledger.status_mut().l1 = said.ok();
}

/// Asks the rollup's node where it stands on L1.
async fn ask_l1(op_node: &Endpoint, asked_ms: u64) -> Result<L1, String> {
    const SYNC_STATUS: &str = "optimism_syncStatus";
    let provider = op_node.provider().map_err(|error| ec_rpc::in_one_line(&error))?;
    let asked = provider.raw_request(SYNC_STATUS.into(), ()).await;
    let status = asked.map_err(|error| ec_rpc::in_one_line(&op_node.rpc_error(SYNC_STATUS, error)))?;
    l1_of(&status, asked_ms).map_err(|what| format!("{}: {SYNC_STATUS}: {what}", op_node.name()))
}

/// Where a rollup's node stands on L1, by its answer; else what keeps that from being known.
fn l1_of(status: &serde_json::Value, asked_ms: u64) -> Result<L1, String> {
    let number = |path: &str| {
        let found = status.pointer(path).and_then(serde_json::Value::as_u64);
        found.ok_or_else(|| format!("the answer has no number at {path}"))
    };
    let l1 = L1 {
        head: number("/head_l1/number")?,
        finalized: number("/finalized_l1/number")?,
        safe_origin: number("/safe_l2/l1origin/number")?,
        finalized_origin: number("/finalized_l2/l1origin/number")?,
        safe_l2: number("/safe_l2/number")?,
        finalized_l2: number("/finalized_l2/number")?,
        asked_ms,
    };
    // after a start all of it is zero until the node has found L1 and its own place there
    match l1.head {
        0 => Err("the node does not know L1 yet".to_owned()),
        _ => Ok(l1),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        model::L1Standing::{Finalized, Missing, Posted},
        show::l1_standing,
    };

    #[test]
    fn a_node_that_does_not_know_is_no_node_at_zero() {
        let status = |head: u64, origin: serde_json::Value| {
            let l2 = |number: u64| json!({ "number": number, "l1origin": { "number": origin } });
            json!({ "head_l1": { "number": head }, "finalized_l1": { "number": 0 }, "safe_l2": l2(7), "finalized_l2": l2(5) })
        };
        let l1 = l1_of(&status(9, json!(3)), 1).unwrap();
        assert_eq!((l1.head, l1.safe_origin, l1.safe_l2, l1.finalized_l2), (9, 3, 7, 5));
        assert_eq!(l1_of(&status(0, json!(0)), 1).unwrap_err(), "the node does not know L1 yet");
        assert_eq!(
            l1_of(&status(9, json!("3")), 1).unwrap_err(),
            "the answer has no number at /safe_l2/l1origin/number"
        );
        assert_eq!([5, 6, 7, 8].map(|block| l1_standing(&l1, block)), [Finalized, Posted, Posted, Missing]);
    }
}
