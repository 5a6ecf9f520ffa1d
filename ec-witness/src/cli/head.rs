//! At which head of the chain a command looks: what is final there is what it calls final.

use std::fmt;

use alloy::primitives::B256;
use clap::Args;
use ec_ledger::{Final, Follower};
use ec_rpc::{AgreedHead, BlockRef, Endpoints};
use ec_witness::standing::Head;
use eyre::{OptionExt, ensure};
use serde::Serialize;

/// `--head`, for every command that says what is final.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct HeadArg {
    /// The head of the chain at which to look: what became final above it is not final yet.
    #[arg(long, env = "EC_WITNESS_HEAD", value_enum, default_value_t = Head::Finalized)]
    head: Head,
}

/// The head at which a command looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AskedHead {
    kind: Head,
    /// Its block's number; `None` while the chain has no such head, like the next.
    number: Option<u64>,
    /// Its block's hash.
    hash: Option<B256>,
}

impl HeadArg {
    /// The head of the chain whose log was read.
    ///
    /// # Errors
    ///
    /// The chain gives no answer, or was reorganized since.
    pub(crate) async fn of(self, follower: &Follower) -> eyre::Result<AskedHead> {
        let latest = follower.ledger().head().ok_or_eyre("the ledger's log is not read")?;
        let safe = (follower.head_times().safe > 0).then_some(follower.heads().safe);
        self.find(follower.endpoints(), latest, safe, follower.finalized_head()).await
    }

    /// The same of heads that were just asked for.
    pub(crate) async fn among(self, heads: &AgreedHead, endpoints: &Endpoints) -> eyre::Result<AskedHead> {
        let safe = (heads.times.safe > 0).then_some(heads.safe);
        self.find(endpoints, heads.latest, safe, heads.finalized).await
    }

    async fn find(
        self,
        endpoints: &Endpoints,
        latest: BlockRef,
        safe: Option<u64>,
        finalized: Option<BlockRef>,
    ) -> eyre::Result<AskedHead> {
        let block = match (self.head, safe) {
            (Head::Latest, _) => Some(latest),
            (Head::Finalized, _) => finalized,
            (Head::Safe, None) => None,
            (Head::Safe, Some(number)) => {
                let block = endpoints.block(number).await?;
                let is_held = endpoints.block(latest.number).await? == Some(latest);
                ensure!(is_held, "the chain was reorganized at block {} while it was read; ask again", latest.number);
                block
            }
        };
        let (number, hash) = block.map(|BlockRef { number, hash }| (number, hash)).unzip();
        Ok(AskedHead { kind: self.head, number, hash })
    }
}

impl AskedHead {
    /// Whether what the log shows in this block is there at this head.
    pub(crate) fn has(&self, block: u64) -> bool {
        self.number.is_some_and(|number| block <= number)
    }

    /// Whether an observation is final at this head.
    pub(crate) fn has_final(&self, found: Final) -> bool {
        self.has(found.finality().block)
    }
}

impl fmt::Display for AskedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.name();
        match (self.number, self.hash) {
            (Some(number), Some(hash)) => write!(f, "{kind} head, block {number} {hash}"),
            _ => write!(f, "{kind} head, which the chain does not have yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        head: HeadArg,
    }

    fn asked(number: Option<u64>) -> AskedHead {
        AskedHead { kind: Head::Finalized, number, hash: number.map(|_| B256::repeat_byte(7)) }
    }

    #[test]
    fn the_finalized_head_is_asked_where_none_is_named() {
        let of = |flags: &str| Command::parse_from(["test"].into_iter().chain(flags.split_whitespace())).head.head;
        assert_eq!([of(""), of("--head safe"), of("--head latest")], [Head::Finalized, Head::Safe, Head::Latest]);
        assert!(Command::try_parse_from(["test", "--head", "newest"]).is_err());
    }

    #[test]
    fn a_head_has_what_is_not_above_it() {
        assert_eq!([4, 5, 6].map(|block| asked(Some(5)).has(block)), [true, true, false]);
        assert!(!asked(None).has(0), "no head has nothing");
    }

    #[test]
    fn it_says_which_block_it_is_and_where_there_is_none() {
        assert_eq!(asked(Some(5)).to_string(), format!("finalized head, block 5 {}", B256::repeat_byte(7)));
        assert_eq!(asked(None).to_string(), "finalized head, which the chain does not have yet");
        let json = serde_json::to_value(asked(None)).unwrap();
        assert_eq!(json, serde_json::json!({"kind": "finalized", "number": null, "hash": null}));
    }
}
