//! The flags and variables that the pinned programs know, from their own `--help`. `scripts/op-stack/known-flags` writes
//! the tables.

use crate::version::Version;

/// The version that the tables were made from.
const TABLES_FROM: &str = "v1.16.7";

/// The flags of one program.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    table: &'static str,
    /// What the names of the program's variables begin with.
    pub prefix: &'static str,
}

impl Known {
    /// The table of a program; `None` for one that there is no table of.
    pub fn of(program: &str) -> Option<Self> {
        let (table, prefix) = match program {
            "op-geth" => (include_str!("known/op-geth.txt"), "GETH_"),
            "op-node" => (include_str!("known/op-node.txt"), "OP_NODE_"),
            "op-batcher" => (include_str!("known/op-batcher.txt"), "OP_BATCHER_"),
            "op-proposer" => (include_str!("known/op-proposer.txt"), "OP_PROPOSER_"),
            "op-challenger" => (include_str!("known/op-challenger.txt"), "OP_CHALLENGER_"),
            "op-dispute-mon" => (include_str!("known/op-dispute-mon.txt"), "OP_DISPUTE_MON_"),
            _ => return None,
        };
        Some(Self { table, prefix })
    }

    /// Whether the table describes this version; others may know more.
    pub fn is_of(program: &str, version: &Version) -> bool {
        program == "op-geth" || version.to_string() == TABLES_FROM
    }

    /// Whether there is such a flag.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.lines().any(|(name, _)| name == flag)
    }

    /// Whether there is such a variable.
    pub fn has_variable(&self, variable: &str) -> bool {
        self.lines().any(|(_, variables)| variables.split(' ').any(|known| known == variable))
    }

    /// The variables that stand for a flag.
    pub fn variables_of(&self, flag: &str) -> Vec<&'static str> {
        self.lines()
            .find(|(name, _)| *name == flag)
            .map(|(_, variables)| variables.split(' ').collect())
            .unwrap_or_default()
    }

    /// The known variable that is most like this one.
    pub fn nearest_variable(&self, variable: &str) -> Option<&'static str> {
        let all = self.lines().flat_map(|(_, variables)| variables.split(' ')).filter(|known| !known.is_empty());
        all.max_by_key(|known| shared(known, variable))
    }

    fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.table.lines().map(|line| line.split_once(' ').unwrap_or((line, "")))
    }
}

/// How much two names begin and end alike.
fn shared(a: &str, b: &str) -> usize {
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    start + a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tutorials_variables_do_not_exist() {
        let batcher = Known::of("op-batcher").unwrap();
        assert!(batcher.has_variable("OP_BATCHER_L1_ETH_RPC") && batcher.has_flag("max-channel-duration"));
        for ignored in ["OP_BATCHER_L1_RPC_URL", "OP_BATCHER_INBOX_ADDRESS"] {
            assert!(!batcher.has_variable(ignored), "{ignored}");
        }
        assert_eq!(batcher.nearest_variable("OP_BATCHER_MAX_CHANEL_DURATION"), Some("OP_BATCHER_MAX_CHANNEL_DURATION"));
    }
}
