//! The windows of one lane: closed epochs of its segments, which the ledger's sessions name (protocol §5.10).
//!
//! A window is judged in the slot that its segment's session gives it. Where a segment has no session, its first complete
//! window opens one, and in naming rounds a window may be judged under other marks beside. Sans-I/O, as the engine is.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use alloy::primitives::Address;
use ec_ledger::{
    LedgerState,
    matching::{Matching, OwnLane},
};
use ec_observation::{Content, DerivedEpoch, EpochKey, EpochName, ObservationHeader, SlotId, StreamRule};

use super::{
    decision::{Membership, OwnVote, Proposing},
    engine::{Admission, Engine},
    naming::{Naming, NamingSeen, Opener, OwnWindow, name},
    own::own_epoch,
    situation::{Situation, membership_of},
    slot::{Admitted, SlotKey},
};

/// The windows of one lane that are judged.
#[derive(Debug)]
pub struct Lane {
    rule: StreamRule,
    windows: BTreeMap<EpochKey, Window>,
    /// The cycle in which this witness led a naming round of a window last.
    led_in: BTreeMap<EpochKey, u32>,
    /// Whether every window had a name when they were named last, and none that depends on the time.
    rests: bool,
}

/// A closed epoch, and the slots that it is or was judged in, by mark.
#[derive(Clone, Debug)]
struct Window {
    derived: DerivedEpoch,
    closed_ms: u64,
    slots: BTreeMap<u64, SlotKey>,
}

/// What one naming rests on, beside the archive.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// The ledger, the set and the clock.
    pub situation: &'a Situation<'a>,
    /// The segment that still grows; `None` in an archive at rest.
    pub growing: Option<u64>,
}

impl Lane {
    /// A lane of which nothing is judged yet.
    pub fn new(rule: StreamRule) -> Self {
        Self { rule, windows: BTreeMap::new(), led_in: BTreeMap::new(), rests: false }
    }

    /// Takes in a closed epoch, or a new derivation of one.
    pub fn admit(&mut self, derived: DerivedEpoch, closed_ms: u64, engine: &mut Engine) -> Admission {
        if self.windows.contains_key(&derived.key) {
            return self.admit_again(derived, engine);
        }
        self.rests = false;
        self.windows.insert(derived.key, Window { derived, closed_ms, slots: BTreeMap::new() });
        Admission::New
    }

    /// Takes in a new derivation of a closed epoch. One that is judged no more is late.
    pub fn admit_again(&mut self, derived: DerivedEpoch, engine: &mut Engine) -> Admission {
        let Some(window) = self.windows.get_mut(&derived.key) else { return Admission::Late };
        if window.derived == derived {
            return Admission::Updated;
        }
        let has_voted = |key: &SlotKey| engine.slot(*key).is_some_and(|slot| slot.voted.is_some());
        if window.slots.values().any(has_voted) {
            return Admission::Late;
        }
        // it is handed to the engine anew
        self.rests = false;
        window.derived = derived;
        std::mem::take(&mut window.slots).into_values().for_each(|key| _ = engine.remove(key));
        Admission::Updated
    }

    /// Drops the windows that `withheld` names, that are incomplete and have no name yet.
    pub fn withdraw(&mut self, withheld: impl Fn(EpochKey) -> bool) {
        self.rests = false;
        self.windows.retain(|key, window| !window.slots.is_empty() || window.derived.complete || !withheld(*key));
    }

    /// Windows below this one that wait for a name.
    pub fn unnamed_below(&self, epoch: EpochKey) -> usize {
        self.windows.range(..epoch).filter(|(_, window)| window.slots.is_empty()).count()
    }

    /// Whether windows wait for a name.
    pub fn has_unnamed(&self) -> bool {
        self.windows.values().any(|window| window.slots.is_empty())
    }

    /// Complete windows of the segments that have no session by `is_named`: how many, and when the first of them closed.
    pub fn unnamed_complete(&self, is_named: impl Fn(u64) -> bool) -> (u64, Option<u64>) {
        let unnamed = |(key, window): &(&EpochKey, &Window)| window.derived.complete && !is_named(key.segment);
        self.windows.iter().filter(unnamed).fold((0, None), |(count, first_ms), (_, window)| {
            let first_ms = first_ms.map_or(window.closed_ms, |first_ms: u64| first_ms.min(window.closed_ms));
            (count + 1, Some(first_ms))
        })
    }

    /// A window's slot came to an outcome that stands: it is judged no more, under no mark.
    pub fn take_done(&mut self, epoch: EpochKey, engine: &mut Engine) {
        // what it stood in the way of may be named otherwise
        self.rests = false;
        self.led_in.remove(&epoch);
        if let Some(window) = self.windows.remove(&epoch) {
            window.slots.into_values().for_each(|key| _ = engine.remove(key));
        }
    }

    /// Whether its windows keep their names as long as nothing changes: neither the archive, nor the ledger, nor what the
    /// engine has of them.
    pub fn rests(&self) -> bool {
        self.rests
    }

    /// Hands every window to the engine under the marks that it is to be judged by now. `past` tells the own vote history
    /// of a slot.
    ///
    /// # Errors
    ///
    /// Those of `past`.
    pub fn name<E>(
        &mut self,
        heads: &Heads<'_>,
        (me, engine): (Address, &mut Engine),
        own: &mut impl OwnLane,
        mut past: impl FnMut(SlotId) -> Result<Option<(ObservationHeader, OwnVote)>, E>,
    ) -> Result<(), E> {
        let Situation { ledger, set, .. } = *heads.situation;
        let tolerance_ms = engine.agreement().tolerance_ms(self.rule.time);
        self.rests = false;
        let Some(matching) = Matching::new(ledger, self.rule.stream_hash(), set, tolerance_ms) else { return Ok(()) };
        let mut may_be_split = false;
        self.drop_unnamable(heads.growing, own);
        let segments: BTreeSet<u64> = self.windows.keys().map(|key| key.segment).collect();
        let membership = membership_of(set, ledger, me);
        for segment in segments {
            let named = matching.session_of(own, segment);
            let range = EpochKey { segment, index: 0 }..=EpochKey { segment, index: u64::MAX };
            let windows = self.windows.range(range).map(|(key, window)| {
                let is_own = |mark: &u64| !is_of_another_life(&self.rule, &window.derived, *mark, tolerance_ms, ledger);
                let mark = named.mark.filter(is_own);
                (*key, mark, window.derived.complete)
            });
            let windows: Vec<_> = windows.collect();
            let opening = windows.iter().find(|(_, mark, complete)| mark.is_none() && *complete).map(|(key, ..)| *key);
            for (key, mark, _) in windows {
                let is_settled = mark.is_some() && named.is_settled();
                let asked = Asked { mark, is_settled, is_opening: opening == Some(key), tolerance_ms };
                let Marks { marks, is_split } = self.marks(key, &asked, heads, &membership, me, engine);
                may_be_split |= is_split;
                self.assign(key, &marks, engine, &mut past)?;
            }
        }
        self.rests = !may_be_split && !self.has_unnamed();
        Ok(())
    }

    /// The windows of segments without a complete epoch, which are never named, once they no longer grow.
    fn drop_unnamable(&mut self, growing: Option<u64>, own: &mut impl OwnLane) {
        let over: BTreeSet<u64> = self.windows.keys().map(|key| key.segment).collect();
        for segment in over.into_iter().filter(|segment| growing != Some(*segment)) {
            if !own.has_complete(segment) {
                self.windows.retain(|key, _| key.segment != segment);
            }
        }
    }

    /// The marks that a window is to be judged under, and when it may be proposed under each.
    fn marks(
        &mut self,
        key: EpochKey,
        asked: &Asked,
        heads: &Heads<'_>,
        membership: &Membership,
        me: Address,
        engine: &Engine,
    ) -> Marks {
        let window = &self.windows[&key];
        let Ok(own_ms) = window.derived.time else {
            // an epoch without a time has no header; the session's name lets it be told
            return Marks::of(asked.mark.map(|mark| (mark, Proposing::Never)));
        };
        if let Some(mark) =
            final_mark(&self.rule, &window.derived, asked.mark, asked.tolerance_ms, heads.situation.ledger)
        {
            return Marks::of([(mark, Proposing::Never)]);
        }
        let mut marks = BTreeMap::new();
        let is_split = window.derived.complete && self.may_be_split(key, own_ms, asked, heads.situation, engine);
        if let Some(naming) = is_split.then(|| self.round(key, window, own_ms, asked, heads, membership, me, engine)) {
            match naming {
                Naming::Open { cycle } => {
                    marks.insert(own_ms, Proposing::AtOnce);
                    self.led_in.insert(key, cycle);
                }
                Naming::Attest(header) => _ = marks.insert(header.observed_unix_ms, Proposing::Never),
                Naming::Nothing => {}
            }
        }
        if let Some(mark) = asked.mark {
            marks.insert(mark, Proposing::InTurn(mark.saturating_add(key.index)));
        } else if asked.is_opening {
            marks.entry(own_ms).or_insert(Proposing::InTurn(key.index));
        }
        Marks { marks, is_split }
    }

    /// Whether witnesses may judge an undecided window under different marks: its segment is not settled, another session
    /// has a candidate of its index near, or this witness has voted in its slot for what it is not.
    fn may_be_split(
        &self,
        key: EpochKey,
        own_ms: u64,
        asked: &Asked,
        situation: &Situation<'_>,
        engine: &Engine,
    ) -> bool {
        let Some(lane) = situation.ledger.lane(self.rule.stream_hash()) else { return false };
        let name = asked.mark.map(|mark| EpochName { mark, index: key.index });
        if name.and_then(|name| lane.final_ms(name.mark, name.index)).is_some() {
            return false;
        }
        let mut names = lane.candidates_in(near(own_ms, asked.tolerance_ms)).map(|(_, found)| found.name);
        !asked.is_settled
            || asked.mark.is_some_and(|mark| self.is_spent(key, own_ms, mark, asked.tolerance_ms, engine))
            || names.any(|other| other.index == key.index && Some(other) != name)
    }

    /// Whether this witness's vote in the window's slot under this mark is for another window: where one session was taken
    /// for two lives of the publisher.
    fn is_spent(&self, key: EpochKey, own_ms: u64, mark: u64, tolerance_ms: u64, engine: &Engine) -> bool {
        let window = &self.windows[&key];
        let Some(voted) = window.slots.get(&mark).and_then(|slot| engine.slot(*slot)?.voted) else { return false };
        let own = content_under(&self.rule, &window.derived, mark);
        own.is_some_and(|own| {
            // a publisher that plays a file again sends the same content
            voted.content != own.hash() || voted.observed_unix_ms.abs_diff(own_ms) > tolerance_ms.saturating_mul(2)
        })
    }

    #[expect(clippy::too_many_arguments, reason = "what a round rests on")]
    fn round(
        &self,
        key: EpochKey,
        window: &Window,
        own_ms: u64,
        asked: &Asked,
        heads: &Heads<'_>,
        membership: &Membership,
        me: Address,
        engine: &Engine,
    ) -> Naming {
        let Situation { ledger, set, live_since_ms, .. } = *heads.situation;
        let stream = self.rule.stream_hash();
        let Some(lane) = ledger.lane(stream) else { return Naming::Nothing };
        let first_s = lane.first_proposed_s(key.index, near(own_ms, asked.tolerance_ms.saturating_mul(2)));
        let parent_window = engine.agreement().parent_window;
        let opener = |candidate: &&ec_ledger::Candidate| {
            let header = candidate.header;
            let own = content_under(&self.rule, &window.derived, header.observed_unix_ms)?;
            Some(Opener {
                header,
                own,
                proposer: set.position(candidate.proposer),
                parent_is_right: ledger.parent_right_from(candidate, parent_window).is_some(),
                voted: ledger.slot(header.slot()).is_some_and(|slot| slot.vote_of(ledger.seat_of(me)).is_some()),
            })
        };
        let openers = ledger.openers(stream, key.index, near(own_ms, asked.tolerance_ms));
        let seen = NamingSeen {
            first_ms: first_s.map(|first_s| first_s.saturating_mul(1000)),
            head_ms: heads.situation.head_ms,
            live: live_since_ms.is_some(),
            own_mark_is_taken: lane.session(own_ms).is_some(),
            openers: openers.iter().filter_map(opener).collect(),
        };
        let led_in = self.led_in.get(&key).copied();
        let own = OwnWindow { index: key.index, observed_unix_ms: own_ms, tolerance_ms: asked.tolerance_ms, led_in };
        name(&own, &seen, membership, engine.agreement())
    }

    /// Hands a window to the engine under these marks, and lets go of it under others.
    fn assign<E>(
        &mut self,
        key: EpochKey,
        marks: &BTreeMap<u64, Proposing>,
        engine: &mut Engine,
        past: &mut impl FnMut(SlotId) -> Result<Option<(ObservationHeader, OwnVote)>, E>,
    ) -> Result<(), E> {
        let Some(window) = self.windows.get_mut(&key) else { return Ok(()) };
        let others = window.slots.iter().filter(|(mark, _)| !marks.contains_key(mark));
        // the slot may be judged by another segment's epoch
        let is_own = |slot: &SlotKey| engine.slot(*slot).is_some_and(|judged| judged.epoch == key);
        let others: Vec<SlotKey> = others.map(|(_, slot)| *slot).filter(is_own).collect();
        others.into_iter().for_each(|slot| engine.supersede(slot));
        for (&mark, &proposing) in marks {
            if let Some(&slot) = window.slots.get(&mark)
                && engine.propose_as(slot, proposing)
            {
                continue;
            }
            let named = match self.rule.name(window.derived.clone(), mark) {
                Ok(named) => named,
                Err(error) => {
                    tracing::error!(%error, "epoch left out");
                    continue;
                }
            };
            let slot = SlotKey { stream: self.rule.stream_hash(), sequence: named.sequence, slot: named.slot };
            // several segments may have one session: the complete epoch of an index counts, else the first
            let counts = engine.slot(slot).is_none_or(|other| {
                other.epoch == key || named.derived.complete && other.voted.is_none() && !other.own.is_complete()
            });
            let Ok(Some(own)) = own_epoch(&self.rule, engine.agreement(), &named, false) else { continue };
            if counts {
                let past = past(slot.slot)?;
                if engine.slot(slot).is_some_and(|other| other.epoch != key) {
                    engine.remove(slot);
                }
                let closed_ms = window.closed_ms;
                engine.admit(slot, Admitted { epoch: key, name: named.name, proposing, own, closed_ms }, past);
            }
            window.slots.insert(mark, slot);
        }
        Ok(())
    }
}

/// The mark under which an epoch is final with the own content, near the own time, by which it is done (protocol §5.10):
/// that of its segment's session, if it is final there, else the lowest.
pub fn final_mark(
    rule: &StreamRule,
    derived: &DerivedEpoch,
    session: Option<u64>,
    tolerance_ms: u64,
    ledger: &LedgerState,
) -> Option<u64> {
    let own_ms = *derived.time.as_ref().ok()?;
    let finals = ledger.finals_of_index(rule.stream_hash(), derived.key.index, near(own_ms, tolerance_ms));
    let is_own = |name: &EpochName, content| {
        let own = content_under(rule, derived, name.mark);
        own.is_some_and(|own| own.hash() == content)
    };
    let marks = finals.filter(|(name, found)| is_own(name, found.content)).map(|(name, _)| name.mark);
    let marks: Vec<u64> = marks.collect();
    session.filter(|mark| marks.contains(mark)).or(marks.first().copied())
}

/// Whether what is final under this mark is not this epoch, but one of another life of the publisher: those who agreed to
/// its time have own times no more than twice the tolerance off (protocol §5.10).
pub fn is_of_another_life(
    rule: &StreamRule,
    derived: &DerivedEpoch,
    mark: u64,
    tolerance_ms: u64,
    ledger: &LedgerState,
) -> bool {
    let final_ms = ledger.lane(rule.stream_hash()).and_then(|lane| lane.final_ms(mark, derived.key.index));
    let off_ms = final_ms.and_then(|final_ms| Some(final_ms.abs_diff(*derived.time.as_ref().ok()?)));
    off_ms.is_some_and(|off_ms| off_ms > tolerance_ms.saturating_mul(2))
}

/// The own content of an epoch under this mark; `None` where its records conflict or it has no sequence.
fn content_under(rule: &StreamRule, derived: &DerivedEpoch, mark: u64) -> Option<Content> {
    rule.name(derived.clone(), mark).ok()?.content
}

/// The times that are so near.
fn near(own_ms: u64, ms: u64) -> RangeInclusive<u64> {
    own_ms.saturating_sub(ms)..=own_ms.saturating_add(ms)
}

/// The marks that a window is to be judged under.
#[derive(Debug)]
struct Marks {
    /// When it may be proposed under each.
    marks: BTreeMap<u64, Proposing>,
    /// Whether naming rounds, and so the chain's clock, may give it others.
    is_split: bool,
}

impl Marks {
    /// These, whatever the time is.
    fn of(marks: impl IntoIterator<Item = (u64, Proposing)>) -> Self {
        Self { marks: marks.into_iter().collect(), is_split: false }
    }
}

/// What is asked of a window.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// The mark of its segment's session.
    mark: Option<u64>,
    /// Whether that is settled.
    is_settled: bool,
    /// Whether it is to open a session.
    is_opening: bool,
    tolerance_ms: u64,
}

#[cfg(test)]
mod tests;
