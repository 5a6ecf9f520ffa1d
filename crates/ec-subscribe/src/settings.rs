//! What to receive, from where, and how much of it at once.

use std::{path::PathBuf, time::Duration};

use ec_archive::recorder::{broadcast::BroadcastName, track::TrackName};
use url::Url;

/// A broadcast on a relay.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The relay: `https`, `http` or `moqt`, with the path that it asks for, and a token as `?jwt=`.
    pub url: Url,
    /// The broadcast's name.
    pub broadcast: BroadcastName,
    /// The tracks; without any, the catalog and every media track that it names.
    pub tracks: Vec<TrackName>,
    /// How the relay is known.
    pub tls: Tls,
    /// What a group may be.
    pub limits: Limits,
}

/// How the relay is known. Without anything, by the system's roots.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Files of root certificates, PEM, instead of the system's.
    pub roots: Vec<PathBuf>,
    /// SHA-256 of the relay's own certificate, hex; any of them will do.
    pub fingerprints: Vec<String>,
    /// Whatever certificate it has will do.
    pub disable_verify: bool,
}

/// What bounds memory, and what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest group, bytes.
    pub group_bytes: u64,
    /// All groups that are in memory, bytes: those that are being received, and those that wait for the disk.
    pub buffered_bytes: u64,
    /// Groups of one track that are received at once.
    pub open_groups: usize,
    /// How old a group may get, by the media's time, before the relay gives up on it; a new subscription also begins so far
    /// back. The library's own default, 0, loses whatever is overtaken on its way.
    pub max_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // ten seconds of 25 Mbit/s; the library itself takes no more
            group_bytes: 32 << 20,
            buffered_bytes: 256 << 20,
            // more than ten seconds of 46.9 groups a second
            open_groups: 512,
            max_age: Duration::from_secs(10),
        }
    }
}
