//! The flags and variables that the pinned programs know, with what each takes: of op-geth's set by the programs' own
//! definitions, of op-reth by its documentation. `scripts/op-stack/known-flags` writes the former.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::{
    reads::flags::{Definition, Kind, Style},
    tables,
    version::Version,
};

/// The tables of these programs, each compiled in.
macro_rules! flags {
    ($($set:literal/$program:literal)*) => {
        [$(($program, include_str!(concat!("../../data/flags/", $set, "/", $program, ".txt")))),*]
    };
}

/// By program.
const FLAGS: [(&str, &str); 7] = flags![
    "op-geth"/"op-geth" "op-reth"/"op-reth" "op-geth"/"op-node" "op-geth"/"op-batcher" "op-geth"/"op-proposer"
    "op-geth"/"op-challenger" "op-geth"/"op-dispute-mon"
];

static DEFINITIONS: LazyLock<BTreeMap<&'static str, Vec<Definition>>> = LazyLock::new(|| {
    FLAGS.into_iter().map(|(program, table)| (program, table.lines().filter_map(definition).collect())).collect()
});

/// `name kind VARIABLE…`
fn definition(line: &'static str) -> Option<Definition> {
    let mut words = line.split(' ');
    let (name, kind) = (words.next()?, Kind::of(words.next()?)?);
    Some(Definition { name, kind, variables: words.collect() })
}

/// The flags of one program.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Every name of every flag.
    pub definitions: &'static [Definition],
    /// What the names of the program's variables begin with; `None` for one that has none.
    pub prefix: Option<&'static str>,
    /// How it parses them.
    pub style: Style,
}

impl Known {
    /// The table of a program; `None` for one that there is no table of.
    pub fn of(program: &str) -> Option<Self> {
        let definitions = DEFINITIONS.get(program)?;
        let style = if program == "op-reth" { Style::Clap } else { Style::Go };
        Some(Self { definitions, prefix: tables::program(program)?.variables.as_deref(), style })
    }

    /// Whether the table is the very program's: of other versions, and where the table is of a documentation, a flag that it
    /// lacks may exist all the same. op-geth has no later versions.
    pub fn is_of(program: &str, version: &Version) -> bool {
        let built = tables::release("op-geth").and_then(|release| release.built.get(program));
        program == "op-geth" || built == Some(version)
    }

    /// Whether there is such a flag.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.definitions.iter().any(|definition| definition.name == flag)
    }

    /// Whether there is such a variable.
    pub fn has_variable(&self, variable: &str) -> bool {
        self.variables().any(|known| known == variable)
    }

    /// The known variable that is most like this one.
    pub fn nearest_variable(&self, variable: &str) -> Option<&'static str> {
        nearest(self.variables(), variable)
    }

    /// The known flag that is most like this one.
    pub fn nearest_flag(&self, flag: &str) -> Option<&'static str> {
        nearest(self.definitions.iter().map(|definition| definition.name), flag)
    }

    fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.definitions.iter().flat_map(|definition| definition.variables.iter().copied())
    }
}

/// By pairs of letters: names that have the same words in another place are alike.
fn nearest(known: impl Iterator<Item = &'static str>, given: &str) -> Option<&'static str> {
    let likeness = |known: &&str| strsim::sorensen_dice(known, given);
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_that_runs_has_a_table_whose_every_line_is_read() {
        let services = tables::programs().iter().filter(|program| !program.listeners.is_empty());
        assert!(services.map(|program| program.name.as_str()).eq(FLAGS.map(|(name, _)| name)));
        for (program, table) in FLAGS {
            let known = Known::of(program).unwrap();
            assert_eq!(known.definitions.len(), table.lines().count(), "{program}: a line without a kind");
            let prefix = known.prefix.unwrap_or_default();
            assert!(known.variables().all(|variable| variable.starts_with(prefix)), "{program}");
            assert_eq!(known.prefix.is_some(), known.variables().next().is_some(), "{program}");
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
        assert_eq!(node.nearest_flag("l2.engine-kind"), Some("l2.enginekind"));
    }
}
