//! `verify`: an archive at rest against the ledger.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashSet},
    io::Write,
};

use clap::Args;
use ec_archive::{Epochs, SegmentSpan, Source, StreamIndex, Sweep, for_each_closed, is_closed, late_records};
use ec_ledger::{Final, Follower};
use ec_observation::{ContentHash, EpochKey, EpochName, NamedEpoch, ObservationHash, SlotId, TimeMode};
use ec_witness::witness::lane::{final_mark, is_of_another_life};
use eyre::bail;
use serde::Serialize;

use super::{
    Answer,
    agreement::AgreementArgs,
    asked::Asked,
    chain::ChainArgs,
    config::ConfigArg,
    connection::block_on,
    derive::{read_epochs, read_index_on},
    head::{AskedHead, HeadArg},
    lanes, ledger,
    output::{JobsArg, JsonArg, json_line},
    roster::{ArchiveArgs, Sources},
    store::{StoreArgs, checkpoints},
    unit::UnitArg,
};

/// Which archive to compare with which ledger.
///
/// Every slot within the archive's closed epochs that is final at the head is compared by content. Exit code 1 on any
/// difference.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    pub(crate) unit: UnitArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    head: HeadArg,

    /// A closed epoch that is not final at the head counts as a difference.
    #[arg(long, env = "EC_WITNESS_REQUIRE_FINAL")]
    require_final: bool,

    /// Compare this epoch alone: its sequence, or in a lane also the mark and the index by which the ledger has it. What the
    /// daemon has read of the archive and the ledger is not read again.
    #[arg(long, env = "EC_WITNESS_EPOCH", value_name = "EPOCH|MARK/INDEX")]
    epoch: Option<Asked>,

    #[command(flatten)]
    jobs: JobsArg,

    #[command(flatten)]
    json: JsonArg,
}

/// How alike the archive and the ledger are in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Likeness {
    /// Final, with the archive's content.
    Equal,
    /// Closed here, but not final on the ledger.
    Open,
    /// Closed here, and final on the ledger above the head only.
    NotFinalYet,
    /// Final, but the archive has no record of it.
    Missing,
    /// The archive's own records conflict.
    Conflicting,
    /// Other content, and the archive lacks records or has bad lines.
    Incomplete,
    /// Other content, explained by records that came after the epoch closed.
    Late,
    /// Other content.
    Mismatch,
}

/// One slot of `verify --json`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    stream_id: &'a str,
    sequence: u64,
    slot: SlotId,
    verdict: Likeness,
    leaf_count: Option<u64>,
    finalized_hash: Option<ObservationHash>,
    late_records: Option<usize>,
    head: AskedHead,
}

impl Likeness {
    /// Its name for people.
    fn words(self) -> String {
        if self == Self::NotFinalYet { "not final yet".into() } else { format!("{self:?}").to_lowercase() }
    }
}

impl VerifyArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let tolerance_ms = AgreementArgs::default().or(file.agreement).tolerance_ms(TimeMode::Received);
        let sources = self.archive.sources(file.archive, &file.stream)?;
        let store = self.store.directory_if_set(&file.store);
        let follower = ledger::read(self.chain.clone().or(file.chain), sources.hashes(), store).await?;
        let head = self.head.of(&follower).await?;
        let mut totals = BTreeMap::new();
        let kept = store.map(checkpoints);
        for source in &sources.streams {
            let mut sink = |line: Line<'_>| {
                *totals.entry(line.verdict).or_insert(0u64) += 1;
                self.show(&line)
            };
            let (index, follower) = (OnceCell::new(), &follower);
            let verification = Verification { sources: &sources, source, index, follower, head, tolerance_ms };
            match self.epoch {
                None => verification.run(read_epochs(&sources, source, self.jobs, self.json.json)?, &mut sink)?,
                Some(asked) => {
                    let index = read_index_on(&sources, source, kept.as_ref(), self.json.json)?;
                    Verification { index: index.into(), ..verification }.of_one(asked, &mut sink)?;
                }
            }
        }
        if let Some(asked) = self.epoch.filter(|_| totals.is_empty()) {
            bail!(
                "--epoch {asked}: no stream of the archive has this epoch closed, and none has it final on the ledger"
            );
        }
        self.show_totals(&totals, &head)?;
        let fine = |likeness: &Likeness| match likeness {
            Likeness::Equal => true,
            Likeness::Open | Likeness::NotFinalYet => !self.require_final,
            _ => false,
        };
        Ok(totals.keys().all(fine).into())
    }

    fn show(&self, line: &Line<'_>) -> eyre::Result<()> {
        if self.json.json {
            return json_line(line);
        }
        if line.verdict == Likeness::Equal {
            return Ok(());
        }
        let likeness = line.verdict.words();
        let late = line.late_records.map(|late| format!(" ({late} late records)")).unwrap_or_default();
        Ok(writeln!(std::io::stdout().lock(), "{} epoch {}: {likeness}{late}", line.stream_id, line.sequence)?)
    }

    fn show_totals(&self, totals: &BTreeMap<Likeness, u64>, head: &AskedHead) -> eyre::Result<()> {
        if self.json.json {
            return Ok(());
        }
        let counts = Vec::from_iter(totals.iter().map(|(likeness, count)| format!("{count} {}", likeness.words())));
        let counts = if counts.is_empty() { "nothing to compare".into() } else { counts.join(", ") };
        Ok(writeln!(std::io::stdout().lock(), "{counts}; at the {head}")?)
    }
}

/// One stream's archive beside its part of the ledger.
struct Verification<'a> {
    sources: &'a Sources,
    source: &'a Source,
    /// Read when an epoch differs.
    index: OnceCell<StreamIndex>,
    follower: &'a Follower,
    /// What is final there is final here.
    head: AskedHead,
    /// How far times that are near may be apart, milliseconds.
    tolerance_ms: u64,
}

impl<'a> Verification<'a> {
    fn run(&self, epochs: Epochs, sink: impl FnMut(Line<'a>) -> eyre::Result<()>) -> eyre::Result<()> {
        if self.source.rule.is_lane() { self.by_session(epochs, sink) } else { self.in_order(epochs, sink) }
    }

    /// Walks both by ascending sequence.
    fn in_order(&self, epochs: Epochs, mut sink: impl FnMut(Line<'a>) -> eyre::Result<()>) -> eyre::Result<()> {
        let mut finals = self.follower.ledger().finals(self.source.rule.stream_hash()).peekable();
        let mut lowest = None;
        for_each_closed(epochs, |closed| {
            let (sequence, slot) = (closed.named.sequence, closed.named.slot);
            let lowest = *lowest.get_or_insert(sequence);
            while let Some((before, slot, found)) = finals.next_if(|(at, other, _)| (*at, *other) < (sequence, slot)) {
                if before >= lowest && self.head.has_final(found) {
                    sink(self.line(before, slot, Likeness::Missing, Some(found)))?;
                }
            }
            let found = finals.next_if(|(_, other, _)| *other == slot).map(|(_, _, found)| found);
            sink(self.judge(&closed.named, found)?)
        })
    }

    /// Walks the archive by segment and index, each segment under the mark of its session, and then what else those sessions
    /// have between the first and the last epoch that is here.
    fn by_session(&self, mut epochs: Epochs, mut sink: impl FnMut(Line<'a>) -> eyre::Result<()>) -> eyre::Result<()> {
        let rule = &self.source.rule;
        let (mut compared, mut sessions) = (HashSet::new(), BTreeMap::<u64, (u64, u64)>::new());
        for closed in epochs.closed_as(lanes::marks(self.follower, self.index()?, self.tolerance_ms)?)? {
            let named = closed?.named;
            let EpochName { mark, index } = named.name;
            let (_, last) = sessions.entry(mark).or_insert((index, index));
            *last = index.max(*last);
            if compared.insert(named.slot) {
                let (named, found) = self.found(named)?;
                compared.insert(named.slot);
                sink(self.judge(&named, found)?)?;
            }
        }
        for (sequence, slot, found) in self.follower.ledger().finals(rule.stream_hash()) {
            let is_called = |mark: u64| rule.slot(EpochName { mark, index: sequence - mark }) == slot;
            let within = |(mark, (first, last)): (&u64, &(u64, u64))| {
                sequence.checked_sub(*mark).is_some_and(|index| (*first..=*last).contains(&index)) && is_called(*mark)
            };
            if !compared.contains(&slot) && self.head.has_final(found) && sessions.iter().any(within) {
                sink(self.line(sequence, slot, Likeness::Missing, Some(found)))?;
            }
        }
        Ok(())
    }

    /// One epoch, in each segment whose session has it, without a look at the others.
    fn of_one(&self, asked: Asked, mut sink: impl FnMut(Line<'a>) -> eyre::Result<()>) -> eyre::Result<()> {
        let (rule, index) = (&self.source.rule, self.index()?);
        let marks = rule.is_lane().then(|| lanes::marks(self.follower, index, self.tolerance_ms)).transpose()?;
        let mark = |segment| marks.as_ref().map_or(Some(0), |marks| marks(segment));
        let mut compared = HashSet::new();
        for SegmentSpan { segment, lowest, highest, .. } in index.segments() {
            let asked = mark(segment).and_then(|mark| Some((mark, asked.index_under(mark)?)));
            let Some((mark, index_there)) = asked.filter(|(_, index)| (lowest..=highest).contains(index)) else {
                continue;
            };
            let key = EpochKey { segment, index: index_there };
            for swept in Sweep::new(index, key..=key) {
                let derived = swept?.derived;
                if !is_closed(&derived, index.highest_epoch()) {
                    continue;
                }
                let (named, found) = self.found(rule.name(derived, mark)?)?;
                if compared.insert(named.slot) {
                    sink(self.judge(&named, found)?)?;
                }
            }
        }
        let Some(name) = asked.name(rule.is_lane()).filter(|_| compared.is_empty()) else { return Ok(()) };
        let (slot, sequence) = (rule.slot(name), name.mark.saturating_add(name.index));
        let found = self.follower.ledger().final_of(rule.stream_hash(), sequence, slot);
        match found.filter(|found| self.head.has_final(*found)) {
            Some(found) => sink(self.line(sequence, slot, Likeness::Missing, Some(found))),
            None => Ok(()),
        }
    }

    /// What is final of an epoch of a lane, and the epoch as that calls it: a window may be final under another mark than
    /// that of its segment's session, and what is final there may be another life's.
    fn found(&self, named: NamedEpoch) -> eyre::Result<(NamedEpoch, Option<Final>)> {
        let (rule, ledger, tolerance_ms) = (&self.source.rule, self.follower.ledger(), self.tolerance_ms);
        let session = named.name.mark;
        let mark = final_mark(rule, &named.derived, Some(session), tolerance_ms, ledger).unwrap_or(session);
        let named = rule.name(named.derived, mark)?;
        let is_own = !is_of_another_life(rule, &named.derived, mark, tolerance_ms, ledger);
        let found = ledger.final_of(rule.stream_hash(), named.sequence, named.slot).filter(|_| is_own);
        Ok((named, found))
    }

    fn line(&self, sequence: u64, slot: SlotId, likeness: Likeness, found: Option<Final>) -> Line<'a> {
        Line {
            stream_id: &self.source.rule.stream_id,
            sequence,
            slot,
            verdict: likeness,
            leaf_count: None,
            finalized_hash: found.map(|found| found.hash),
            late_records: None,
            head: self.head,
        }
    }

    fn judge(&self, epoch: &NamedEpoch, found: Option<Final>) -> eyre::Result<Line<'a>> {
        let own = epoch.content.map(|content| content.hash());
        let (is_above, found) = (found.is_some(), found.filter(|found| self.head.has_final(*found)));
        let mut late = None;
        let likeness = match (found, own) {
            (None, _) if is_above => Likeness::NotFinalYet,
            (None, _) => Likeness::Open,
            (Some(_), None) => Likeness::Conflicting,
            (Some(found), Some(own)) if found.content == own => Likeness::Equal,
            (Some(found), Some(_)) => {
                late = self.late(epoch, found.content)?;
                match late {
                    Some(_) => Likeness::Late,
                    None if epoch.derived.complete => Likeness::Mismatch,
                    None => Likeness::Incomplete,
                }
            }
        };
        let leaf_count = own.map(|_| epoch.derived.leaf_count);
        Ok(Line { leaf_count, late_records: late, ..self.line(epoch.sequence, epoch.slot, likeness, found) })
    }

    /// How many late records explain a difference, if any number does: the epoch closed when the grace after the next
    /// one's first record had passed.
    fn late(&self, epoch: &NamedEpoch, voted: ContentHash) -> eyre::Result<Option<usize>> {
        let key = epoch.derived.key;
        let Some(after) = key.next() else { return Ok(None) };
        let index = self.index()?;
        let next = Sweep::new(index, after..=EpochKey::MAX).next().transpose()?;
        let Some(first_later_ms) = next.and_then(|next| next.records.first_received_unix_ms()) else { return Ok(None) };
        let closed_ms = first_later_ms.saturating_add(self.sources.grace_ms);
        Ok(late_records(index, key, closed_ms, voted, epoch.name.mark)?)
    }

    /// Where the records of an epoch stand. Its bad lines were shown before.
    fn index(&self) -> eyre::Result<&StreamIndex> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let Sources { archive, names, .. } = self.sources;
        let index = StreamIndex::read(archive, &self.source.broadcast, self.source.rule.clone(), names, &mut ())?;
        Ok(self.index.get_or_init(|| index))
    }
}
