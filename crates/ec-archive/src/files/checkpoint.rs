//! Keeps a stream's index on the disk, so that a restart reads only what was appended since.
//!
//! A cache: it may be deleted at any time, and then everything is read again. One file for each track, written whole
//! beside the old one and renamed, named by the track's path and headed by the BLAKE3 of its body: one that a power cut
//! left in part is found out, so nobody waits for the disk. What it says of a file is believed as far as the file's first
//! and last bytes agree; each stretch is compared with its checksum whenever something is derived from it.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
};

use super::{
    stream_index::StreamIndex,
    track_index::{KeptTrack, TrackIndex},
};
use crate::watch::Watch;

/// The first words of a checkpoint; the number changes with the format.
const MAGIC: &str = "ec-witness index 3";

/// Why a checkpoint is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The checkpoint.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its body is not what its head says, or it is of another version.
    #[error("{}: the checkpoint is damaged or of another version", path.display())]
    Damaged {
        /// The checkpoint.
        path: PathBuf,
    },
    /// It was written under other rules.
    #[error("{}: the checkpoint was written for another path, field names or epoch length", path.display())]
    OtherRules {
        /// The checkpoint.
        path: PathBuf,
    },
}

/// Where checkpoints are kept.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    directory: PathBuf,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Body {
    /// What the lines were judged by.
    rules: String,
    track: KeptTrack,
}

impl Checkpoints {
    /// Checkpoints in this directory, which is made when the first one is written.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Takes up what was kept of a stream of which nothing was read yet. Returns why checkpoints were left aside.
    pub fn restore(&self, index: &mut StreamIndex, watch: &mut impl Watch) -> Vec<CheckpointError> {
        let restore = |track: &mut TrackIndex| match self.load(track) {
            Ok(kept) => {
                kept.into_iter().for_each(|kept| track.restore(kept, watch));
                None
            }
            Err(error) => Some(error),
        };
        index.tracks_mut().iter_mut().filter_map(restore).collect()
    }

    /// Keeps what was read of a stream.
    ///
    /// # Errors
    ///
    /// The disk refuses; what was kept before stays.
    pub fn save(&self, index: &StreamIndex) -> Result<(), CheckpointError> {
        index.tracks().iter().try_for_each(|track| self.save_track(track))
    }

    fn path(&self, track: &TrackIndex) -> PathBuf {
        let name = blake3::hash(track.path().as_os_str().as_encoded_bytes()).to_hex();
        self.directory.join(&name[..32])
    }

    fn load(&self, track: &TrackIndex) -> Result<Option<KeptTrack>, CheckpointError> {
        let path = self.path(track);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| CheckpointError::Io { path: path.clone(), source })?,
        };
        let Some(Body { rules: found, track: kept }) = decode(&text) else {
            return Err(CheckpointError::Damaged { path });
        };
        if found == rules(track) { Ok(Some(kept)) } else { Err(CheckpointError::OtherRules { path }) }
    }

    fn save_track(&self, track: &TrackIndex) -> Result<(), CheckpointError> {
        let path = self.path(track);
        let write = || {
            let body = serde_json::to_string(&Body { rules: rules(track), track: track.kept() })?;
            DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
            let text = format!("{MAGIC} {}\n{body}", blake3::hash(body.as_bytes()));
            ec_files::replace_cached(&path, text.as_bytes(), 0o600).map_err(|error| error.source)
        };
        write().map_err(|source| CheckpointError::Io { path, source })
    }
}

/// The body of a checkpoint, if its head vouches for it.
fn decode(text: &[u8]) -> Option<Body> {
    let (head, body) = str::from_utf8(text).ok()?.split_once('\n')?;
    let vouched = head == format!("{MAGIC} {}", blake3::hash(body.as_bytes()));
    vouched.then(|| serde_json::from_str(body).ok()).flatten()
}

/// All that decides what a line means for its epochs, and the path.
fn rules(track: &TrackIndex) -> String {
    let (rule, grain) = (track.file().rule(), track.grain());
    let text = format!("{:?} {rule:?} {:?} {grain:?}", track.path(), track.epochs());
    blake3::hash(text.as_bytes()).to_string()
}
