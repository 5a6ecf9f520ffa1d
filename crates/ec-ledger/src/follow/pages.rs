//! Pages of the ledger's log, as large as the endpoints allow.

use ec_rpc::{AskError, BlockRef, Endpoints};

use super::LedgerSettings;
use crate::logs::{self, Emitters, LedgerLog};

/// Blocks asked for in one `eth_getLogs`; halved when an endpoint refuses, down to one, and grown by an eighth when it
/// does not.
const LARGEST_PAGE: u64 = 10_000;

/// How many blocks the next page has.
#[derive(Debug)]
pub(crate) struct Pages {
    len: u64,
    largest: u64,
}

impl Default for Pages {
    fn default() -> Self {
        Self { len: LARGEST_PAGE, largest: LARGEST_PAGE }
    }
}

impl Pages {
    /// Pages that begin with all blocks, for logs of which there are few.
    pub(crate) fn unbounded() -> Self {
        Self { len: u64::MAX, largest: u64::MAX }
    }

    /// The last block of the page that begins at `from`, at most `latest`.
    pub(crate) fn end(&self, from: u64, latest: u64) -> u64 {
        latest.min(from.saturating_add(self.len - 1))
    }

    /// One page of logs; `None` when it was too large and the pages became smaller.
    pub(super) async fn read(
        &mut self,
        endpoints: &Endpoints,
        &LedgerSettings { ledger, registry, .. }: &LedgerSettings,
        from: u64,
        end: BlockRef,
    ) -> Result<Option<Vec<LedgerLog>>, AskError> {
        let emitters = Emitters { ledger, registry };
        let read = |provider| async move { logs::read(&provider, emitters, from, end).await };
        self.take(endpoints.agreed("eth_getLogs", read).await, from, end.number)
    }

    /// What was answered to the page from `from` to `end`; `None` where it was too large and the pages became smaller.
    pub(crate) fn take<T>(&mut self, answer: Result<T, AskError>, from: u64, end: u64) -> Result<Option<T>, AskError> {
        match answer {
            Ok(logs) => {
                self.len = self.len.saturating_add(self.len / 8 + 1).min(self.largest);
                Ok(Some(logs))
            }
            Err(error) if error.is_refusal() && self.len > 1 && end > from => {
                self.len = (end - from).div_ceil(2).max(1);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
