//! The checkpoint of the ledger's log that following begins at, and that it keeps.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::primitives::Address;
use ec_observation::{EpochRule, StreamHash};
use ec_rpc::BlockRef;
use serde::{Deserialize, Serialize};

use super::LedgerSettings;
use crate::{
    settled::{Disk, Settled, SettledError},
    state::{LedgerState, Residue},
};

/// A checkpoint is kept when so many slots were settled since the last one,
const MANY_SETTLED: usize = 10_000;
/// or when any were, and the last one is so old: then a start reads on from it in a page.
const OLD: Duration = Duration::from_secs(600);

/// The text of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Text<R = Residue> {
    of: Origin,
    /// The streams that it has, and how their epochs are cut.
    streams: Vec<(StreamHash, EpochRule)>,
    residue: R,
}

/// Whose log it is of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    chain_id: u64,
    ledger: Address,
    registry: Address,
    deploy_block: u64,
}

impl Origin {
    fn of(settings: &LedgerSettings) -> Self {
        let &LedgerSettings { chain_id, ledger, registry, deploy_block, .. } = settings;
        Self { chain_id, ledger, registry, deploy_block }
    }
}

/// The file of a follower.
#[derive(Debug)]
pub(super) struct Checkpoint {
    settled: Arc<Settled>,
    /// Whether it is kept, rather than read alone.
    is_kept: bool,
    kept_at: Instant,
    kept: Option<BlockRef>,
}

impl Checkpoint {
    /// Opens it to be kept.
    pub(super) fn open(path: &Path) -> Result<Self, SettledError> {
        Ok(Self::of(Settled::open(path)?, true))
    }

    /// Opens it to be read, if it is there.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, SettledError> {
        Ok(Settled::read(path)?.map(|settled| Self::of(settled, false)))
    }

    fn of(settled: Settled, is_kept: bool) -> Self {
        Self { settled: Arc::new(settled), is_kept, kept_at: Instant::now(), kept: None }
    }

    /// What went wrong when it was looked into.
    pub(super) fn fault(&self) -> Option<&str> {
        self.settled.fault()
    }

    fn disk(&self) -> Disk {
        Disk(Some(Arc::clone(&self.settled)))
    }

    /// The state that it has, but of those of these streams whose rules have changed; `None` where it has none, or is of
    /// another ledger. It may have streams that are taken in later, or no more: what it has of those is worth keeping.
    pub(super) fn state(
        &self,
        settings: &LedgerSettings,
        streams: &HashMap<StreamHash, EpochRule>,
    ) -> Result<Option<LedgerState>, SettledError> {
        let text = self.settled.text::<Text>()?;
        let Some(Text { residue, streams: had, .. }) = text.filter(|text| text.of == Origin::of(settings)) else {
            return Ok(None);
        };
        let is_same =
            |(stream, rule): &(StreamHash, EpochRule)| streams.get(stream).is_none_or(|wanted| wanted == rule);
        let had: HashMap<_, _> = had.into_iter().filter(is_same).collect();
        Ok((!had.is_empty()).then(|| LedgerState::resumed(residue, &self.disk(), &had)))
    }

    /// An empty ledger, of which this keeps what becomes settled. What it has is thrown away.
    pub(super) fn begin(&self, streams: HashMap<StreamHash, EpochRule>) -> Result<LedgerState, SettledError> {
        if self.is_kept {
            self.settled.clear()?;
        }
        Ok(self.begin_beside(streams))
    }

    /// An empty ledger of streams that are to join another one, of whom this keeps what becomes settled.
    pub(super) fn begin_beside(&self, streams: HashMap<StreamHash, EpochRule>) -> LedgerState {
        if self.is_kept { LedgerState::on(self.disk(), Some(streams)) } else { LedgerState::new(Some(streams)) }
    }

    /// Keeps a checkpoint of this state, if it is time, or in any case.
    pub(super) fn keep(
        &mut self,
        settings: &LedgerSettings,
        state: &mut LedgerState,
        in_any_case: bool,
    ) -> Result<(), SettledError> {
        let is_new = state.base().is_some() && state.base() != self.kept;
        let is_due = state.unsaved() >= MANY_SETTLED || in_any_case || self.kept_at.elapsed() >= OLD;
        if !self.is_kept || !is_new || !is_due {
            return Ok(());
        }
        let Some((residue, rows)) = state.to_keep() else { return Ok(()) };
        let base = residue.base();
        let streams = state.streams().collect();
        let text = Text { of: Origin::of(settings), streams, residue };
        self.settled.save(&text, &rows)?;
        state.shelve();
        (self.kept, self.kept_at) = (Some(base), Instant::now());
        Ok(())
    }
}
