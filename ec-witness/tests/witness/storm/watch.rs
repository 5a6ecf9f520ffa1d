//! Follows the ledger beside the witnesses: what is final and since when, and what is not.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    num::NonZeroU64,
    time::{Duration, Instant},
};

use ec_ledger::{Follower, LedgerSettings, LedgerState, contracts::EveryChannelObservationLedger as Ledger};
use ec_observation::ObservationHeader;
use ec_rpc::{Endpoint, Endpoints};

use super::{HONEST, ROGUE, Rogue, Weather};
use crate::{Rail, TestArchive, common::block_on};

const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Of a log, in a report.
const LINES: usize = 20;

pub(super) struct Watch {
    follower: Follower,
    begun: Instant,
    /// When each epoch was whole, and since when it has been final without a break.
    whole: BTreeMap<u64, Instant>,
    finals: BTreeMap<u64, Instant>,
    /// How often a reorg took a final one back.
    reopened: usize,
    headers: BTreeMap<u64, ObservationHeader>,
}

impl Watch {
    pub(super) fn of(rail: &Rail) -> Self {
        let endpoint = Endpoint { rpc: rail.net.rpc().parse().unwrap(), timeout: Duration::from_secs(10) };
        let settings = LedgerSettings {
            chain_id: rail.net.chain_id(),
            ledger: rail.deployed.ledger,
            registry: rail.deployed.registry,
            deploy_block: 0,
            log_page_blocks: NonZeroU64::MAX,
            head_stale: Duration::from_secs(30),
            block_time: None,
            finality_stale: Duration::from_secs(1800),
        };
        let endpoints = Endpoints::new(&[endpoint], rail.net.chain_id(), 1).unwrap();
        Self {
            follower: Follower::new(endpoints, settings, None, None),
            begun: Instant::now(),
            whole: BTreeMap::new(),
            finals: BTreeMap::new(),
            reopened: 0,
            headers: BTreeMap::new(),
        }
    }

    /// Looks, and lets the rogue act on what is seen, for as long as this holds.
    pub(super) fn look_on(
        &mut self,
        rogue: &mut Rogue,
        archive: &TestArchive,
        weather: &Weather,
        goes_on: impl Fn(&Self) -> bool,
    ) {
        block_on(async {
            while goes_on(self) {
                rogue.derive(archive, weather.ahead());
                let now_ms = self.begun.elapsed().as_millis() as u64;
                // a reorg in the middle of a look is seen whole at the next one
                if self.follower.poll(now_ms, false).await.is_ok() {
                    self.look(rogue.derived(), weather.epochs());
                    rogue.act(self.follower.ledger()).await;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }

    fn look(&mut self, derived: &BTreeMap<u64, ObservationHeader>, epochs: u64) {
        let now = Instant::now();
        for (&epoch, &header) in derived.range(..epochs) {
            self.headers.insert(epoch, header);
            self.whole.entry(epoch).or_insert(now);
            if is_final(self.follower.ledger(), &header) {
                self.finals.entry(epoch).or_insert(now);
            } else if self.finals.remove(&epoch).is_some() {
                self.reopened += 1;
            }
        }
    }

    /// How many of the first `epochs` are not final, or not seen yet.
    pub(super) fn undecided(&self, epochs: u64) -> usize {
        epochs as usize - self.finals.len()
    }

    /// What stands in the slots that are not final, and what the witnesses logged of them.
    pub(super) fn report(&self, rail: &Rail, epochs: u64) -> String {
        let (ledger, set) = (self.follower.ledger(), self.follower.set());
        let mut report = format!("head {}\n", self.follower.head_ms());
        for (epoch, header) in (0..epochs).filter_map(|epoch| Some((epoch, self.headers.get(&epoch)?))) {
            if is_final(ledger, header) {
                continue;
            }
            let slot = header.slot();
            writeln!(report, "epoch {epoch}, slot {slot}:").unwrap();
            for candidate in ledger.slot(slot).iter().flat_map(|slot| &slot.candidates) {
                let voters: Vec<_> = candidate.voters.iter().map(|seat| set.position(*seat)).collect();
                let right = ledger.parent_right_from(candidate, 64);
                let time = candidate.header.observed_unix_ms as i64 - header.observed_unix_ms as i64;
                let Some(by) = set.position(candidate.proposer) else { continue };
                let at = candidate.timestamp_s;
                writeln!(report, "  of {by} at {at}: time {time:+}, right from {right:?}, votes {voters:?}").unwrap();
            }
            for w in 1..=HONEST {
                report += &log(rail, w, &slot.to_string());
            }
        }
        report
    }

    /// One line: slots, moves, and how long they took.
    pub(super) fn figures(&self, rail: &Rail) -> String {
        let mut delays: Vec<_> = self.finals.iter().map(|(epoch, at)| *at - self.whole[epoch]).collect();
        delays.sort_unstable();
        let delay = |percent: usize| delays[(delays.len() - 1) * percent / 100].as_secs_f64();
        let (rogue, ledger) = (rail.net.account(ROGUE), Ledger::new(rail.deployed.ledger, rail.net.provider()));
        let moves = block_on(async { ledger.VoteMoved_filter().from_block(0).query().await.unwrap() });
        let honest = moves.iter().filter(|(moved, _)| moved.witness != rogue).count();
        format!(
            "{} slots, all final, {} taken back meanwhile; {honest} moves of honest votes, {} of the rogue's; final \
             after {:.1} s (p50), {:.1} s (p99), {:.1} s (most)",
            self.finals.len(),
            self.reopened,
            moves.len() - honest,
            delay(50),
            delay(99),
            delay(100)
        )
    }
}

fn is_final(ledger: &LedgerState, header: &ObservationHeader) -> bool {
    ledger.final_of(header.stream_hash, header.sequence, header.slot()).is_some()
}

/// The last lines of a witness's log that have this word.
pub(super) fn log(rail: &Rail, w: usize, word: &str) -> String {
    let log = fs::read_to_string(rail.path(&format!("log-{w}"))).unwrap_or_default();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(word)).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    last.iter().map(|line| format!("    {w}: {line}\n")).collect()
}
