//! One epoch that a command is asked for.

use std::{fmt, str::FromStr};

use ec_observation::EpochName;

/// Which epoch is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The one of this sequence, as `derive` shows it.
    Sequence(u64),
    /// The one that the ledger calls so.
    Name(EpochName),
}

impl FromStr for Asked {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number =
            |text: &str| text.parse().map_err(|_| "must be a sequence, or a session's mark and an index as MARK/INDEX");
        match text.split_once('/') {
            None => number(text).map(Self::Sequence),
            Some((mark, index)) => Ok(Self::Name(EpochName { mark: number(mark)?, index: number(index)? })),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => write!(f, "{sequence}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

impl Asked {
    /// The index of the epoch in a session with this mark, or on the timeline, whose mark is 0; `None` where it is of another.
    pub(super) fn index_under(self, session: u64) -> Option<u64> {
        match self {
            Self::Sequence(sequence) => sequence.checked_sub(session),
            Self::Name(EpochName { mark, index }) => (mark == session).then_some(index),
        }
    }

    /// What the ledger calls it, as far as that is said; on the timeline a sequence says it.
    pub(super) fn name(self, is_lane: bool) -> Option<EpochName> {
        match self {
            Self::Sequence(sequence) => (!is_lane).then_some(EpochName::timeline(sequence)),
            Self::Name(name) => is_lane.then_some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_asked_for_by_sequence_or_by_mark_and_index() {
        assert_eq!("7".parse(), Ok(Asked::Sequence(7)));
        assert_eq!("1772824680000/3".parse(), Ok(Asked::Name(EpochName { mark: 1_772_824_680_000, index: 3 })));
        for wrong in ["", "/", "7/", "/3", "-1", "1/2/3", "x"] {
            assert!(wrong.parse::<Asked>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_asked_for_has_an_index_in_its_own_session_only() {
        let name = EpochName { mark: 70, index: 3 };
        for (asked, session, index) in [
            (Asked::Sequence(7), 0, Some(7)),
            (Asked::Sequence(73), 70, Some(3)),
            (Asked::Sequence(69), 70, None),
            (Asked::Name(name), 70, Some(3)),
            (Asked::Name(name), 71, None),
            (Asked::Name(name), 0, None),
        ] {
            assert_eq!(asked.index_under(session), index, "{asked} {session}");
        }
        assert_eq!(Asked::Sequence(7).name(false), Some(EpochName::timeline(7)));
        assert_eq!((Asked::Sequence(7).name(true), Asked::Name(name).name(false)), (None, None));
        assert_eq!(Asked::Name(name).name(true), Some(name));
    }
}
