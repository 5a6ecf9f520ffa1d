//! Is the witness fine? If not, why, and what helps. Pure: numbers in, checks out.
//!
//! `/readyz` and `status` ask the same checks, one of the daemon's own snapshot, the other of what it finds from
//! outside.

mod catch_up;
mod lanes;

use std::borrow::Cow;

use alloy::primitives::{U256, utils::format_ether};
use ec_archive::IndexFiles;
use serde::{Deserialize, Serialize};

use crate::{
    standing::{EndpointStanding, LedgerStanding, Reading, SendingStanding, Snapshot, StreamStanding},
    store::StoreStanding,
    witness::slot::SlotState,
};

/// How long the ledger's RPC may be silent, seconds. A poll that fails once is no reason to wake anyone.
const RPC_SILENT_S: u64 = 15;
/// How far the newest block may be ahead of this host's clock, seconds: a block's time is the sequencer's word, and may be some
/// seconds early. Beyond that no turn to propose and no wait for late records is right any more.
const CLOCK_BEHIND_S: u64 = 300;
/// Room that a store must find, bytes: thousands of votes and SQLite's journal.
const LEAST_FREE_BYTES: u64 = 16 << 20;
/// Room below which an operator is told, bytes.
const LITTLE_FREE_BYTES: u64 = 256 << 20;
/// How long a transaction may be pending before an operator is told, seconds: many blocks of any chain this is for.
const LONG_PENDING_S: u64 = 300;

/// Votes that the account must pay for, below which an operator is told: more than an hour of a dozen streams.
const LITTLE_FUNDS_VOTES: u64 = 1000;
/// How long epochs may close without a vote in any of them, seconds. The first of a stream's witnesses proposes at once, the
/// others wait for a minute or two at most.
const LONG_UNVOTED_S: u64 = 180;
/// Closed epochs above the newest final one, beyond which an operator is told: as many as are judged at once.
const FAR_BEHIND_EPOCHS: u64 = 64;

/// What helps where transactions stay out for longer than `force_after_ms`.
pub const FORCE_FIX: &str = "where it is the sequencer that leaves them out, stop the witness and run `ec-witness force`; \
                             see the manual: a sequencer that drops votes";

/// Checks that tell, where all is well too, what nobody but the daemon knows.
pub const TOLD: [&str; 2] = [catch_up::CATCH_UP, catch_up::COST];

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing to do.
    Ok,
    /// It votes, but something wants looking at.
    Warn,
    /// It cannot witness.
    Fail,
}

/// One thing that must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: Cow<'static, str>,
    /// How it came out.
    pub level: Level,
    /// What was found.
    pub reason: String,
    /// What helps; empty where nothing is needed.
    pub fix: String,
}

impl Check {
    /// A check that came out well.
    pub fn ok(name: &'static str, reason: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Ok, reason: reason.into(), fix: String::new() }
    }

    /// Something to look at.
    pub fn warn(name: &'static str, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Warn, reason: reason.into(), fix: fix.into() }
    }

    /// Something that keeps it from witnessing.
    pub fn fail(name: &'static str, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.into(), level: Level::Fail, reason: reason.into(), fix: fix.into() }
    }
}

/// Everything that a snapshot tells, at this Unix time in seconds.
pub fn checks(snapshot: &Snapshot, now_unix_s: u64) -> Vec<Check> {
    let mut checks = vec![rpc(snapshot, now_unix_s)];
    if snapshot.ledger.polled_unix_s.is_some() {
        checks.extend([endpoints(&snapshot.ledger), finality(&snapshot.ledger)]);
        checks.push(clock(snapshot.ledger.head_times.latest, now_unix_s));
    }
    checks.extend([member(snapshot), archive(snapshot), streams(snapshot), withheld(&snapshot.streams)]);
    checks.extend(snapshot.index_files.map(open_files));
    checks.extend(lanes::checks(&snapshot.streams, now_unix_s));
    match &snapshot.store {
        Some(Ok(store)) => {
            checks.extend([halt(store), writable(store), pending(store, snapshot.force_after_ms, now_unix_s)]);
        }
        Some(Err(error)) => checks.push(Check::fail("store", error, "see the manual: a lost store")),
        None => {}
    }
    if let Some(standing) = &snapshot.sending {
        checks.push(sending(standing));
        // only the daemon knows
        checks.extend(standing.gas.map(|gas| spending(gas, standing.spent_slots)));
        checks.extend(standing.gas.map(|_| ledger_log(standing)));
        checks.extend(standing.balance_wei.map(|balance| funds(balance, standing.vote_cost_wei)));
    }
    if let Some(standing) = &snapshot.catch_up {
        let is_hour_spent = snapshot.sending.as_ref().is_some_and(|sending| sending.is_hour_spent);
        checks.push(catch_up::going_on(standing, is_hour_spent));
        checks.extend(snapshot.sending.as_ref().map(catch_up::cost));
    }
    checks.push(voting(&snapshot.streams, now_unix_s));
    checks.extend([lag(&snapshot.streams), disagreements(&snapshot.streams)]);
    checks
}

fn rpc(snapshot: &Snapshot, now_unix_s: u64) -> Check {
    let ledger = &snapshot.ledger;
    let fix = "check that the node runs, is in sync and reachable at [chain] rpc";
    let silent_s = ledger.polled_unix_s.map(|polled| now_unix_s.saturating_sub(polled));
    match (&ledger.error, silent_s) {
        (Some(error), None) => Check::fail("rpc", format!("the ledger was never read: {error}"), fix),
        (None, None) => Check::fail("rpc", "the ledger was not read yet", "wait for the first turn"),
        (Some(error), Some(silent_s)) if silent_s > RPC_SILENT_S || !ledger.live => {
            Check::fail("rpc", format!("the ledger was not read for {silent_s} s: {error}"), fix)
        }
        (_, Some(_)) => {
            let age_s = now_unix_s.saturating_sub(ledger.head_times.latest);
            Check::ok("rpc", format!("the ledger is read up to block {}, {age_s} s old", ledger.heads.latest))
        }
    }
}

/// This host's clock beside the time of the chain's newest block, Unix seconds. That a block is old says nothing: the chain may
/// stand still. No block is from the future.
pub fn clock(head_unix_s: u64, now_unix_s: u64) -> Check {
    let behind_s = head_unix_s.saturating_sub(now_unix_s);
    if behind_s > CLOCK_BEHIND_S {
        let found = format!("this host's clock is {behind_s} s behind the time of the chain's newest block");
        return Check::warn("clock", found, "set it by the network's time: `timedatectl set-ntp true`");
    }
    Check::ok("clock", "not behind the chain's newest block")
}

fn member(snapshot: &Snapshot) -> Check {
    let ledger = &snapshot.ledger;
    if ledger.polled_unix_s.is_none() {
        return Check::warn("member", "the registry was not read", "see rpc");
    }
    let of = format!("{} witnesses, quorum {}", ledger.witness_count, ledger.quorum);
    if let Some(holder) = ledger.handed_to {
        let fix = "stop this process; `ec-witness rotate finish` gives the store to the key that has the seat now";
        return Check::fail("member", format!("{} handed its seat on to {holder} ({of})", ledger.witness), fix);
    }
    if !ledger.member {
        let fix = format!("the registry's owner runs `ec-witness registry add {}`", ledger.witness);
        return Check::fail("member", format!("{} is no active witness ({of})", ledger.witness), fix);
    }
    if ledger.quorum == 0 {
        return Check::warn("member", format!("nothing can become final ({of})"), "the registry's owner sets a quorum");
    }
    Check::ok("member", format!("{} is one of {of}", ledger.witness))
}

fn endpoints(ledger: &LedgerStanding) -> Check {
    let down: Vec<_> = ledger.endpoints.iter().filter(|endpoint| !endpoint.up).map(fault).collect();
    let (all, agree) = (ledger.endpoints.len(), ledger.agree);
    if down.is_empty() {
        return Check::ok("endpoints", format!("{all} of {all} answer, {agree} must agree"));
    }
    let found = format!("{} of {all} answer, {agree} must agree; {}", all - down.len(), down.join("; "));
    Check::warn("endpoints", found, "look after the endpoint, or take it out of [chain] rpc")
}

fn fault(endpoint: &EndpointStanding) -> String {
    format!("{}: {}", endpoint.endpoint, endpoint.last_fault.as_deref().unwrap_or("no answer"))
}

fn finality(ledger: &LedgerStanding) -> Check {
    match ledger.finality_stalled_ms {
        None => Check::ok("finality", format!("the finalized head is block {}", ledger.heads.finalized)),
        Some(for_ms) => {
            let found = format!("the finalized head is block {} for {} s", ledger.heads.finalized, for_ms / 1000);
            Check::warn("finality", found, "votes go on; ask the chain's operator about its batcher and L1")
        }
    }
}

fn archive(snapshot: &Snapshot) -> Check {
    match &snapshot.archive_trouble {
        None => Check::ok("archive", "its directories can be walked"),
        Some(trouble) => {
            Check::warn("archive", trouble, "mount it, or mend what is named; new broadcasts are not found")
        }
    }
}

fn open_files(IndexFiles { held, unheld }: IndexFiles) -> Check {
    let all = held + unheld;
    if unheld == 0 {
        return Check::ok("files", format!("{all} files of the index are held open"));
    }
    let found = format!(
        "{held} of {all} files of the index are held open, the others are opened at each use: one that is rotated and \
         removed before it was read to its end is lost"
    );
    Check::warn("files", found, format!("raise LimitNOFILE= of the unit, or `ulimit -n`, by {unheld} or more; restart"))
}

fn streams(snapshot: &Snapshot) -> Check {
    let waiting: Vec<_> = snapshot.streams.iter().filter_map(waits).collect();
    let (all, joining) = (snapshot.streams.len(), snapshot.joining);
    let fix = "look at the stream's files below manifests/";
    let found = match joining {
        0 => format!("{} of {all} followed", all - waiting.len()),
        joining => format!("{} of {all} followed, {joining} are read for the first time", all - waiting.len()),
    };
    if all == waiting.len() {
        let why = if all == 0 { "no stream has a record yet".to_owned() } else { waiting.join("; ") };
        return Check::fail("streams", format!("{found}: {why}"), fix);
    }
    if !waiting.is_empty() {
        return Check::warn("streams", format!("{found}; {}", waiting.join("; ")), fix);
    }
    Check::ok("streams", found)
}

fn waits(stream: &StreamStanding) -> Option<String> {
    match &stream.reading {
        Reading::Waiting(why) => Some(format!("{} waits: {why}", stream.stream_id)),
        Reading::Current | Reading::CatchingUp => None,
    }
}

fn withheld(streams: &[StreamStanding]) -> Check {
    let of = |stream: &StreamStanding| format!("{} of {}", stream.withheld_epochs, stream.stream_id);
    let found: Vec<_> = streams.iter().filter(|stream| stream.withheld_epochs > 0).map(of).collect();
    if found.is_empty() {
        return Check::ok("withheld", "no epoch is withheld");
    }
    let fix = "find out what changed the files; once they are in order, see the manual: rotating the index";
    Check::warn("withheld", format!("epochs not voted on after a lost file: {}", found.join(", ")), fix)
}

fn halt(store: &StoreStanding) -> Check {
    match &store.halt {
        None => Check::ok("halt", "not halted"),
        Some(halt) => {
            Check::fail("halt", format!("halted: {halt}"), "see the manual: it halts; then `ec-witness resume`")
        }
    }
}

fn writable(store: &StoreStanding) -> Check {
    let free = format!("{} MiB free", store.free_bytes >> 20);
    if !store.writable {
        return Check::fail("store", "the store's directory cannot be written", "check its owner, mode and mount");
    }
    if store.no_room {
        let found = format!("the last write found no room, {free}: nothing is voted");
        return Check::fail("store", found, "make room on the store's file system");
    }
    if store.free_bytes < LEAST_FREE_BYTES {
        return Check::fail("store", free, "make room on the store's file system");
    }
    if store.free_bytes < LITTLE_FREE_BYTES {
        return Check::warn("store", free, "make room on the store's file system");
    }
    Check::ok("store", format!("{} votes, {} KiB, {free}", store.votes, store.size_bytes >> 10))
}

fn pending(store: &StoreStanding, force_after_ms: u64, now_unix_s: u64) -> Check {
    if store.forced_transactions > 0 {
        let found = format!("{} forced transactions are under way: nothing is voted", store.forced_transactions);
        return Check::fail("transactions", found, "run `ec-witness force` until its end");
    }
    let count = store.pending_transactions;
    let oldest_s = store
        .oldest_pending_unix_ms
        .map_or(0, |oldest_ms| now_unix_s.saturating_sub(u64::try_from(oldest_ms / 1000).unwrap_or_default()));
    let found = format!("{count} transactions pending, the oldest for {oldest_s} s");
    if store.overdue_ms(force_after_ms, now_unix_s.saturating_mul(1000)).is_some() {
        let found = format!("{found}, longer than force_after_ms");
        return Check::warn("transactions", found, FORCE_FIX);
    }
    if oldest_s > LONG_PENDING_S {
        return Check::warn("transactions", found, "compare run.max_fee_gwei with the chain's fees; look at the log");
    }
    Check::ok("transactions", if count == 0 { "none pending".to_owned() } else { found })
}

fn sending(sending: &SendingStanding) -> Check {
    match &sending.held {
        Some(held) => Check::fail("sending", format!("held: {held}"), held_fix(sending.held_for)),
        None => Check::ok("sending", "not held"),
    }
}

fn held_fix(held_for: Option<&str>) -> &'static str {
    match held_for {
        Some("gas_budget") => {
            "find out what so much is sent for: the log and the metrics tell; where it is right, raise run.max_gas_per_hour"
        }
        Some("signer") => {
            "see to the signer: does it run, has it the key of key.signer_address, do its rules allow this; see the manual: \
             a remote signer"
        }
        _ => "fund the account, or raise run.max_fee_gwei",
    }
}

fn ledger_log(sending: &SendingStanding) -> Check {
    match &sending.contradicted {
        None => Check::ok("log", "the ledger's log shows what the own receipts prove"),
        Some((slots, told)) => {
            let fix = "the log is read again by itself; compare the endpoint's eth_getLogs with another's, and \
                       chain.deploy_block with the ledger's first block";
            Check::fail("log", format!("nothing is sent for {slots} slots: {told}"), fix)
        }
    }
}

fn spending((spent, budget): (u64, u64), spent_slots: usize) -> Check {
    let found = format!("{spent} of {budget} gas within an hour");
    if spent_slots > 0 {
        let found = format!("{found}; {spent_slots} slots have had all that may be sent for them");
        return Check::warn(
            "spending",
            found,
            "see the log for their slots; compare this archive with another witness's",
        );
    }
    if spent > budget - budget / 5 {
        return Check::warn("spending", found, held_fix(Some("gas_budget")));
    }
    Check::ok("spending", found)
}

/// What the account holds, and for how many votes that is where it is known what one costs.
pub fn funds(balance_wei: U256, vote_cost_wei: Option<U256>) -> Check {
    let cost_wei = vote_cost_wei.unwrap_or(U256::from(1));
    let found = format!("{} ether", format_ether(balance_wei));
    let pays = format!("{found} pays for {} votes", balance_wei / cost_wei.max(U256::from(1)));
    if balance_wei < cost_wei {
        return Check::fail("funds", format!("{found} does not pay for a vote"), "send ether to the witness's account");
    }
    match vote_cost_wei {
        Some(cost_wei) if balance_wei < cost_wei.saturating_mul(U256::from(LITTLE_FUNDS_VOTES)) => {
            Check::warn("funds", pays, "send ether to the witness's account")
        }
        Some(_) => Check::ok("funds", pays),
        None => Check::ok("funds", found),
    }
}

fn voting(streams: &[StreamStanding], now_unix_s: u64) -> Check {
    let unvoted = |stream: &StreamStanding| {
        let for_s = now_unix_s.saturating_sub(stream.unvoted_since_unix_s?);
        (for_s > LONG_UNVOTED_S).then(|| format!("{} for {for_s} s", stream.stream_id))
    };
    let found: Vec<_> = streams.iter().filter_map(unvoted).collect();
    if found.is_empty() {
        return Check::ok("voting", "what closes is voted on, or final");
    }
    let fix =
        "look at the stream's epochs in `status`: incomplete or conflicting ones are not voted on; else at the log";
    let told = format!("epochs close and none of them is voted on: {}", found.join(", "));
    // a witness that votes on nothing is none
    if found.len() == streams.len() { Check::fail("voting", told, fix) } else { Check::warn("voting", told, fix) }
}

fn lag(streams: &[StreamStanding]) -> Check {
    let far = |stream: &&StreamStanding| stream.behind().latest.is_some_and(|behind| behind > FAR_BEHIND_EPOCHS);
    let far: Vec<_> = streams.iter().filter(far).map(|stream| stream.stream_id.as_str()).collect();
    if far.is_empty() {
        let left: u64 = streams.iter().map(|stream| stream.backlog.left).sum();
        let gaps = if left == 0 { String::new() } else { format!("; {left} old epochs are still looked at") };
        return Check::ok("lag", format!("final observations keep up with the archive{gaps}"));
    }
    let found = format!("nothing became final for more than {FAR_BEHIND_EPOCHS} epochs: {}", far.join(", "));
    Check::warn("lag", found, "catching up takes a while; else too few witnesses vote: ask the others")
}

fn disagreements(streams: &[StreamStanding]) -> Check {
    let of = |state: SlotState| streams.iter().map(|stream| stream.slots_in(state)).sum::<usize>();
    let counts = [SlotState::Mismatch, SlotState::Disputed, SlotState::Conflicting].map(|state| (state, of(state)));
    let found: Vec<_> =
        counts.iter().filter(|(_, n)| *n > 0).map(|(state, n)| format!("{n} {}", state.name())).collect();
    if found.is_empty() {
        return Check::ok("agreement", "no slot disagrees");
    }
    let fix = "compare this archive with another witness's: `ec-witness diff`";
    Check::warn("agreement", format!("slots: {}", found.join(", ")), fix)
}

#[cfg(test)]
mod tests;
