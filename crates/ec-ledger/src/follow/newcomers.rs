//! Streams that are to be followed beside others: their log is read from its beginning, while the others go on.

use std::collections::HashMap;

use ec_observation::{EpochRule, StreamHash};
use ec_rpc::{BlockRef, Endpoints};
use tokio::task::JoinSet;

use super::{FollowError, LedgerSettings, Pages, read_page};
use crate::state::LedgerState;

/// So few blocks are read at once, rather than beside what the caller does: when that has ended, the base has moved on.
const FEW_BLOCKS: u64 = 1000;

/// How a reading went.
#[derive(Debug)]
struct Reading {
    state: LedgerState,
    pages: Pages,
    error: Option<FollowError>,
}

/// The streams, and how far their log is read. Given up with this.
#[derive(Debug)]
pub(super) struct Newcomers {
    streams: HashMap<StreamHash, EpochRule>,
    /// What is read; `None` while the reading has it.
    read: Option<(LedgerState, Pages)>,
    reading: JoinSet<Reading>,
}

impl Newcomers {
    /// Streams whose ledger is still empty.
    pub(super) fn new(streams: HashMap<StreamHash, EpochRule>, empty: LedgerState, settings: &LedgerSettings) -> Self {
        let pages = Pages::of_at_most(settings.log_page_blocks);
        Self { streams, read: Some((empty, pages)), reading: JoinSet::new() }
    }

    /// The streams.
    pub(super) fn streams(&self) -> &HashMap<StreamHash, EpochRule> {
        &self.streams
    }

    /// Their ledger at this block, which is final, once it is read to there. Until then it is read on beside what the caller
    /// does.
    pub(super) async fn at(
        &mut self,
        base: BlockRef,
        endpoints: &Endpoints,
        settings: &LedgerSettings,
    ) -> Result<Option<LedgerState>, FollowError> {
        if let Some(Ok(Reading { state, pages, error })) = self.reading.try_join_next() {
            self.read = Some((state, pages));
            // what the endpoints do not answer now is asked again with the next poll
            error.filter(FollowError::is_fatal).map_or(Ok(()), Err)?;
        }
        let Some((state, pages)) = self.read.take() else { return Ok(None) };
        let from = state.head().map_or(settings.deploy_block, |head| head.number);
        let is_near = base.number.saturating_sub(from) <= FEW_BLOCKS;
        let reading = read_to(base, endpoints.clone(), *settings, state, pages);
        if !is_near {
            self.reading.spawn(reading);
            return Ok(None);
        }
        let Reading { state, pages, error } = reading.await;
        if let Some(error) = error {
            self.read = Some((state, pages));
            return Err(error);
        }
        Ok(Some(state))
    }
}

async fn read_to(
    base: BlockRef,
    endpoints: Endpoints,
    settings: LedgerSettings,
    mut state: LedgerState,
    mut pages: Pages,
) -> Reading {
    loop {
        match read_page(&endpoints, &settings, &mut pages, &mut state, base).await {
            Ok(None) => return Reading { state, pages, error: None },
            Ok(Some(_)) => state.forget(base.number),
            Err(error) => return Reading { state, pages, error: Some(error) },
        }
    }
}
