//! Pages of the ledger's log, as large as the endpoints allow.

use std::num::NonZeroU64;

use ec_rpc::{AskError, BlockRef, Endpoints, count};

use super::LedgerSettings;
use crate::logs::{self, Dates, Emitters, LedgerLog};

/// How many blocks the next `eth_getLogs` asks for: halved when an endpoint refuses or fails in a way that size may cause,
/// down to one, and grown by an eighth when it does not.
#[derive(Debug)]
pub(crate) struct Pages {
    len: u64,
    largest: u64,
    dates: Dates,
}

impl Pages {
    /// Pages of at most so many blocks.
    pub(crate) fn of_at_most(blocks: NonZeroU64) -> Self {
        Self { len: blocks.get(), largest: blocks.get(), dates: Dates::default() }
    }

    /// From here on every log comes with the time of its block.
    pub(super) fn date_all(&mut self) {
        self.dates = Dates::All;
    }

    /// Pages that begin with all blocks, for logs of which there are few.
    pub(crate) fn unbounded() -> Self {
        Self { len: u64::MAX, largest: u64::MAX, dates: Dates::default() }
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
        let (emitters, dates) = (Emitters { ledger, registry }, self.dates);
        let read = |provider| async move { logs::read(&provider, emitters, dates, (from, end)).await };
        self.take(endpoints.agreed("eth_getLogs", read).await, from, end.number)
    }

    /// What was answered to the page from `from` to `end`; `None` where it was too large and the pages became smaller.
    pub(crate) fn take<T>(&mut self, answer: Result<T, AskError>, from: u64, end: u64) -> Result<Option<T>, AskError> {
        match answer {
            Ok(logs) => {
                self.len = self.len.saturating_add(self.len / 8 + 1).min(self.largest);
                Ok(Some(logs))
            }
            Err(error) if error.may_be_size() && self.len > 1 && end > from => {
                self.len = (end - from).div_ceil(2).max(1);
                count::page_halved();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use ec_rpc::Fault;

    use super::*;

    /// How many blocks the second page has, after the first one from block 1 ended so.
    fn after(fault: Fault) -> Result<u64, AskError> {
        let mut pages = Pages::of_at_most(NonZeroU64::new(1000).unwrap());
        let end = pages.end(1, 5000);
        let faults = vec![("http://a".to_owned(), fault)];
        let answer = Err(AskError::Unanswered { request: "eth_getLogs", needed: 1, answered: 0, faults });
        pages.take::<()>(answer, 1, end).map(|_| pages.end(1, 5000))
    }

    fn http(status: u16) -> Fault {
        Fault::Http { status, body: String::new() }
    }

    #[test]
    fn a_page_is_halved_by_whatever_its_size_may_cause() {
        let refusal = Fault::Rpc { code: -32005, message: "query returned more than 10000 results".into() };
        for fault in [refusal, Fault::Timeout, Fault::Reset, Fault::Truncated, Fault::NotJson(String::new())] {
            assert_eq!(after(fault.clone()), Ok(500), "{fault}");
        }
        for status in [413, 500, 502, 503, 504] {
            assert_eq!(after(http(status)), Ok(500), "{status}");
        }
        let wrong = [Fault::Refused, Fault::Dns, http(401), Fault::Syncing, Fault::RateLimited { retry_after: None }];
        for fault in wrong {
            assert!(after(fault.clone()).is_err(), "{fault}");
        }
    }

    #[test]
    fn pages_grow_again_up_to_the_most_that_is_set() {
        let mut pages = Pages::of_at_most(NonZeroU64::new(1000).unwrap());
        pages.len = 1;
        let lens: Vec<_> = (0..80)
            .map(|_| {
                pages.take(Ok(()), 1, 1).unwrap();
                pages.len
            })
            .collect();
        assert!(lens.is_sorted() && lens[0] == 2 && lens[79] == 1000, "{lens:?}");
    }
}
