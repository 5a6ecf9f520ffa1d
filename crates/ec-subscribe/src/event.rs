//! What happens, as it is told to whoever asked for the recording.

use serde::Serialize;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The relay answered.
    Connected {
        /// The protocol that was agreed on, as `moq-lite-06`.
        protocol: String,
    },
    /// There is no connection, or none any more; it is tried again.
    Disconnected {
        /// Why.
        error: String,
        /// When it is tried again, milliseconds from now.
        retry_ms: u64,
    },
    /// A route to the broadcast stands.
    Live {
        /// Names the running publisher, where the relay tells.
        publisher: Option<u64>,
    },
    /// The route is gone, or leads to another publisher.
    Gone,
    /// A track is received.
    Subscribed {
        /// Which.
        track: String,
    },
    /// A track cannot be had; it is asked for again while the broadcast is live.
    Unavailable {
        /// Which.
        track: String,
        /// Why.
        error: String,
    },
    /// A track is not received any more; it is asked for again while the broadcast is live.
    Unsubscribed {
        /// Which.
        track: String,
        /// Why; `None` where its publisher ended it.
        error: Option<String>,
    },
    /// A group is in the archive.
    Recorded(Recorded),
    /// A group came that the index has already.
    Known {
        /// Its track.
        track: String,
        /// Its number.
        group_sequence: u64,
    },
    /// Nothing of a group is kept.
    Lost {
        /// Its track.
        track: String,
        /// Its number.
        group_sequence: u64,
        /// Why.
        reason: Loss,
        /// In words.
        detail: String,
    },
    /// A name in the catalog is not recorded.
    Ignored {
        /// The name.
        track: String,
        /// Why.
        reason: String,
    },
}

/// A group that is in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Its track.
    pub track: String,
    /// Its number.
    pub group_sequence: u64,
    /// When it was complete, Unix milliseconds.
    pub received_unix_ms: u64,
    /// The object's size in bytes.
    pub size_bytes: u64,
    /// The object's name, 64 lower-case hex digits.
    pub blake3: String,
}

/// Why nothing of a group is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Its stream was reset, or ended with the connection, before its end.
    Reset,
    /// It did not end while newer ones came, for as long as groups are waited for.
    Late,
    /// It is larger than a group may be.
    TooLarge,
    /// The groups that wait for the disk leave no room for it.
    NoRoom,
    /// It ended without a byte.
    Empty,
    /// A newer publisher, or a newer connection, brought groups before it was complete.
    Superseded,
    /// Newer ones came, and it was never begun.
    Missing,
}

impl Loss {
    /// Every reason.
    pub const ALL: [Self; 7] =
        [Self::Reset, Self::Late, Self::TooLarge, Self::NoRoom, Self::Empty, Self::Superseded, Self::Missing];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Late => "late",
            Self::TooLarge => "too_large",
            Self::NoRoom => "no_room",
            Self::Empty => "empty",
            Self::Superseded => "superseded",
            Self::Missing => "missing",
        }
    }
}
