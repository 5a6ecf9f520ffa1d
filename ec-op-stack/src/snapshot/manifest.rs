//! What a snapshot says of itself.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Component, Path},
};

use serde::{Deserialize, Serialize};

use super::error::SnapshotError;

/// The first field of every manifest. A snapshot of another form gets another one.
const FORMAT: &str = "ec-op-stack snapshot 1";
/// The file's name. Where it is, the snapshot is whole.
pub(super) const FILE: &str = "manifest.json";

/// Which chain it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// `l2_chain_id` of `rollup.json`.
    pub chain_id: u64,
    /// `genesis.l2.hash` of `rollup.json`: chains of one id, made twice, differ in it.
    pub genesis: String,
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chain {} with the genesis {}", self.chain_id, self.genesis)
    }
}

impl Chain {
    /// The chain of a `rollup.json`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or names none.
    pub fn read(rollup: &Path) -> Result<Self, SnapshotError> {
        let text = fs::read_to_string(rollup).map_err(SnapshotError::system("read", rollup))?;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let chain = || {
            let genesis = value.pointer("/genesis/l2/hash")?.as_str()?.to_lowercase();
            Some(Self { chain_id: value.get("l2_chain_id")?.as_u64()?, genesis })
        };
        chain().ok_or_else(|| SnapshotError::NoChain { path: rollup.to_owned() })
    }
}

/// A file of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its path below the part's directory, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// BLAKE3 of its bytes, in hex: what `b3sum` prints.
    pub blake3: String,
}

/// The data of one program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Whose and what, as [`super::Source`] has it.
    pub name: String,
    /// What is in it, by path.
    pub files: Vec<Entry>,
    /// Paths of secrets that were there and are not in it.
    pub left_out: Vec<String>,
}

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: String,
    /// When it was finished, in milliseconds since 1970.
    pub taken_unix_ms: u64,
    /// Of which chain.
    pub chain: Chain,
    /// The data, program by program.
    pub parts: Vec<Part>,
}

impl Manifest {
    pub(super) fn new(taken_unix_ms: u64, chain: Chain, parts: Vec<Part>) -> Self {
        Self { format: FORMAT.to_owned(), taken_unix_ms, chain, parts }
    }

    /// The manifest of the snapshot in `dir`.
    ///
    /// # Errors
    ///
    /// There is none, or it is not to be trusted.
    pub fn read(dir: &Path) -> Result<Self, SnapshotError> {
        let path = dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SnapshotError::Unfinished { path: dir.to_owned() });
            }
            read => read.map_err(SnapshotError::system("read", &path))?,
        };
        Self::parse(&text).map_err(|reason| SnapshotError::Manifest { path, reason })
    }

    /// A manifest that can be followed: of this form, and with no path that leads elsewhere.
    fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT {
            return Err(format!("its format is {:?}, this program reads {FORMAT:?}", manifest.format));
        }
        let mut seen = BTreeSet::new();
        for part in &manifest.parts {
            for path in [part.name.as_str()].into_iter().chain(part.files.iter().map(|file| file.path.as_str())) {
                if !is_inside(path) {
                    return Err(format!("{path:?} is no path inside of a snapshot"));
                }
            }
            for file in &part.files {
                if !seen.insert((&part.name, &file.path)) {
                    return Err(format!("{}/{} is named twice", part.name, file.path));
                }
            }
        }
        Ok(manifest)
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.parts.iter().flat_map(|part| &part.files).map(|file| file.size).sum()
    }

    /// How many files there are.
    pub fn files(&self) -> usize {
        self.parts.iter().map(|part| part.files.len()).sum()
    }
}

/// A relative path that stays below where it begins.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str) -> String {
        let file = Entry { path: path.to_owned(), size: 1, mode: 0o600, blake3: "00".to_owned() };
        let part = Part { name: "op-geth".to_owned(), files: vec![file.clone(), file], left_out: Vec::new() };
        let chain = Chain { chain_id: 901, genesis: "0x00".to_owned() };
        serde_json::to_string(&Manifest::new(1, chain, vec![part])).unwrap()
    }

    #[test]
    fn paths_lead_nowhere_else() {
        for path in ["../key", "/etc/passwd", "a/../../b", ""] {
            assert!(Manifest::parse(&manifest(path)).unwrap_err().contains("no path inside"), "{path}");
        }
        assert!(Manifest::parse(&manifest("geth/chaindata/CURRENT")).unwrap_err().contains("named twice"));
    }

    #[test]
    fn another_format_is_refused() {
        let text = manifest("a").replace(FORMAT, "ec-op-stack snapshot 2");
        assert!(Manifest::parse(&text).unwrap_err().contains("this program reads"));
        assert!(Manifest::parse("{}").is_err());
    }
}
