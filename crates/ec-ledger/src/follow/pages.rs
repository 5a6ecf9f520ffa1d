//! Pages of the ledger's log, as large as the endpoints allow.

use ec_rpc::{AskError, BlockRef, Endpoints};

use super::LedgerSettings;
use crate::logs::{self, Emitters, LedgerLog};

/// Blocks asked for in one `eth_getLogs`; halved when an endpoint refuses, down to one, and grown by an eighth when it
/// does not.
const LARGEST_PAGE: u64 = 10_000;

/// How many blocks the next page has.
#[derive(Debug)]
pub(super) struct Pages {
    len: u64,
}

impl Default for Pages {
    fn default() -> Self {
        Self { len: LARGEST_PAGE }
    }
}

impl Pages {
    /// The last block of the page that begins at `from`, at most `latest`.
    pub(super) fn end(&self, from: u64, latest: u64) -> u64 {
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
        match endpoints.agreed("eth_getLogs", read).await {
            Ok(logs) => {
                self.len = (self.len + self.len / 8 + 1).min(LARGEST_PAGE);
                Ok(Some(logs))
            }
            Err(error) if error.is_refusal() && self.len > 1 && end.number > from => {
                self.len = (end.number - from).div_ceil(2).max(1);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
