//! The flags and variables that the pinned programs know, from their own `--help`. `scripts/op-stack/known-flags` writes
//! the tables.

use crate::{tables, version::Version};

/// The tables of these programs, each compiled in.
macro_rules! flags {
    ($($program:literal)*) => {
        [$(($program, include_str!(concat!("../../data/flags/op-geth/", $program, ".txt")))),*]
    };
}

/// By program; those that have variables in the table of programs.
const FLAGS: [(&str, &str); 6] =
    flags!["op-geth" "op-node" "op-batcher" "op-proposer" "op-challenger" "op-dispute-mon"];

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
        let (_, table) = FLAGS.into_iter().find(|(name, _)| *name == program)?;
        Some(Self { table, prefix: tables::program(program)?.variables.as_deref()? })
    }

    /// Whether the table describes this version; others may know more. op-geth has no later ones.
    pub fn is_of(program: &str, version: &Version) -> bool {
        let built = tables::release("op-geth").and_then(|release| release.built.get(program));
        program == "op-geth" || built == Some(version)
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
        // by pairs of letters: names that have the same words in another place are alike
        let likeness = |known: &&str| strsim::sorensen_dice(known, variable);
        all.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
    }

    fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.table.lines().map(|line| line.split_once(' ').unwrap_or((line, "")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_with_variables_has_a_table_of_its_own() {
        let with_variables = tables::programs().iter().filter(|program| program.variables.is_some());
        assert!(with_variables.map(|program| program.name.as_str()).eq(FLAGS.map(|(name, _)| name)));
        for (program, _) in FLAGS {
            let known = Known::of(program).unwrap();
            let mut variables = known.lines().flat_map(|(_, variables)| variables.split(' ')).filter(|v| !v.is_empty());
            assert!(variables.all(|variable| variable.starts_with(known.prefix)), "{program}");
        }
    }

    #[test]
    fn the_tutorials_variables_do_not_exist() {
        let batcher = Known::of("op-batcher").unwrap();
        assert!(batcher.has_variable("OP_BATCHER_L1_ETH_RPC") && batcher.has_flag("max-channel-duration"));
        for ignored in ["OP_BATCHER_L1_RPC_URL", "OP_BATCHER_INBOX_ADDRESS"] {
            assert!(!batcher.has_variable(ignored), "{ignored}");
        }
        for (misspelt, meant) in [
            ("OP_BATCHER_MAX_CHANEL_DURATION", "OP_BATCHER_MAX_CHANNEL_DURATION"),
            ("OP_BATCHER_CHANNEL_DURATION", "OP_BATCHER_MAX_CHANNEL_DURATION"),
            ("OP_BATCHER_L1_RPC_URL", "OP_BATCHER_L1_ETH_RPC"),
            ("OP_BATCHER_ROLLUP_RPC_URL", "OP_BATCHER_ROLLUP_RPC"),
        ] {
            assert_eq!(batcher.nearest_variable(misspelt), Some(meant));
        }
        let node = Known::of("op-node").unwrap();
        assert_eq!(node.nearest_variable("OP_NODE_L2_RPC_URL"), Some("OP_NODE_L2_ENGINE_RPC"));
    }
}
