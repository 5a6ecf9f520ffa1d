//! Where the data is, by the arguments of what runs.

use std::path::PathBuf;

use super::error::SnapshotError;
use crate::stack::Stack;

/// A directory that belongs into a snapshot, and its place on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Whose and what: `op-geth`, `op-reth`, or `op-node-safedb`.
    pub name: String,
    /// The program that uses it.
    pub component: String,
    /// Where.
    pub path: PathBuf,
}

/// The execution client's datadir, and op-node's record of safe heads where it keeps one. What op-node knows of its peers is
/// left out: it finds them anew, and libp2p keeps the node's own key among them.
///
/// # Errors
///
/// The execution client is started without a datadir.
pub fn sources(stack: &Stack) -> Result<Vec<Source>, SnapshotError> {
    let mut sources = Vec::new();
    if let Some(execution) = stack.execution() {
        let path = execution.value("datadir").filter(|path| !path.is_empty());
        let component = execution.name.to_owned();
        let path = path.ok_or_else(|| SnapshotError::Unplaced { component: component.clone(), flag: "datadir" })?;
        sources.push(Source { name: component.clone(), component, path: path.into() });
    }
    let safedb = stack.get("op-node").and_then(|node| node.value("safedb.path")).filter(|path| !path.is_empty());
    if let Some(path) = safedb {
        sources.push(Source { name: "op-node-safedb".to_owned(), component: "op-node".to_owned(), path: path.into() });
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(geth: &str, node: &str) -> Stack {
        let text = serde_json::json!({
            "role": "sequencer",
            "files": {"rollup": "r", "genesis": "g"},
            "components": {
                "op-geth": {"version": "v1.101608.0", "args": geth.split_whitespace().collect::<Vec<_>>()},
                "op-node": {"version": "v1.16.7", "args": node.split_whitespace().collect::<Vec<_>>()},
            },
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn they_are_where_the_arguments_say() {
        let found = sources(&stack("--datadir=/d", "--safedb.path /s --p2p.peerstore.path=/p")).unwrap();
        let found: Vec<_> = found.iter().map(|source| (source.name.as_str(), source.path.to_str().unwrap())).collect();
        assert_eq!(found, [("op-geth", "/d"), ("op-node-safedb", "/s")]);
    }

    #[test]
    fn a_datadir_is_needed_and_a_record_of_safe_heads_is_not() {
        assert_eq!(sources(&stack("--datadir=/d", "")).unwrap().len(), 1);
        let error = sources(&stack("", "")).unwrap_err().to_string();
        assert_eq!(error, "op-geth has no --datadir in the stack file, so where its data is cannot be told");
    }
}
