//! What archives say by themselves: epochs as `derive` prints them, and which of them must become final.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// Two archives' times of one epoch differ by less, also where one of them has it from a relay's backlog.
const SAME_SESSION_MS: u64 = 20_000;

/// A closed epoch without conflicts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Epoch {
    pub(crate) stream_id: String,
    pub(crate) slot: String,
    pub(crate) complete: bool,
    pub(crate) header: Header,
    /// Where numbers begin again with each session.
    #[serde(default)]
    pub(crate) session: Option<Session>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Header {
    pub(crate) data_root: String,
    pub(crate) observed_unix_ms: u64,
    pub(crate) sequence: u64,
}

/// Which session an epoch is of, as far as it is named, and which stretch of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Session {
    pub(crate) mark: Option<u64>,
    pub(crate) index: u64,
    pub(crate) segment: u64,
}

impl Epoch {
    /// Of a line of `derive`; none where the records conflict.
    pub(crate) fn of(line: &str) -> serde_json::Result<Option<Self>> {
        let derived: Value = serde_json::from_str(line)?;
        if derived["header"].is_null() {
            return Ok(None);
        }
        serde_json::from_value(derived).map(Some)
    }

    /// Its number in its stream, or in its session.
    pub(crate) fn index(&self) -> u64 {
        self.session.map_or(self.header.sequence, |session| session.index)
    }

    /// Where it stands in its archive, however its session is named by now: stream, segment and index.
    pub(crate) fn place(&self) -> (String, Option<u64>, u64) {
        (self.stream_id.clone(), self.segment(), self.index())
    }

    fn segment(&self) -> Option<u64> {
        self.session.map(|session| session.segment)
    }

    /// Whether two archives have the same here.
    fn is_alike(&self, other: &Self) -> bool {
        let apart = self.header.observed_unix_ms.abs_diff(other.header.observed_unix_ms);
        (&self.stream_id, self.index(), &self.header.data_root)
            == (&other.stream_id, other.index(), &other.header.data_root)
            && (self.session.is_none() || apart <= SAME_SESSION_MS)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.stream_id)?;
        if let Some(segment) = self.segment() {
            write!(f, "segment {segment} ")?;
        }
        write!(f, "epoch {}", self.index())
    }
}

/// What must become final of the first of these archives, one of each witness: what a quorum has alike, in sessions that
/// a quorum can name. That takes one epoch which it has whole.
pub(crate) fn awaited(archives: &[&[Epoch]], quorum: usize) -> Vec<Epoch> {
    let Some(reference) = archives.first() else { return Vec::new() };
    let is_alike = |epoch: &Epoch| {
        let has_it = |archive: &&&[Epoch]| archive.iter().any(|other| other.is_alike(epoch));
        archives.iter().filter(has_it).count() >= quorum
    };
    let alike: Vec<_> = reference.iter().filter(|epoch| is_alike(epoch)).collect();
    let is_named = |epoch: &Epoch| {
        let of_one_session = |other: &Epoch| (&other.stream_id, other.segment()) == (&epoch.stream_id, epoch.segment());
        epoch.session.is_none() || alike.iter().any(|other| other.complete && of_one_session(other))
    };
    alike.iter().filter(|epoch| is_named(epoch)).map(|epoch| (*epoch).clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn epoch(segment: u64, index: u64, root: &str, observed_unix_ms: u64) -> Epoch {
        let line = json!({"stream_id": "tv", "slot": "0x01", "complete": true,
            "header": {"dataRoot": root, "observedUnixMs": observed_unix_ms, "sequence": 1000 * segment + index},
            "session": {"mark": 1000 * segment, "index": index, "segment": segment}});
        Epoch::of(&line.to_string()).unwrap().unwrap()
    }

    #[test]
    fn an_epoch_with_conflicts_is_none() {
        assert!(Epoch::of(r#"{"stream_id":"tv","slot":"0x01","complete":false,"header":null}"#).unwrap().is_none());
        let line = r#"{"stream_id":"tv","slot":"0x01","complete":true,
            "header":{"dataRoot":"0xbb","observedUnixMs":9,"sequence":7}}"#;
        assert_eq!(Epoch::of(line).unwrap().unwrap().index(), 7, "without sessions the sequence is the index");
    }

    #[test]
    fn what_a_quorum_has_alike_must_become_final() {
        let own = [epoch(0, 0, "a", 0), epoch(0, 1, "b", 60_000), epoch(1, 0, "a", 120_000)];
        // it came late, so that it counts its segments otherwise, and has less
        let late = [epoch(0, 0, "part of a", 30_000), epoch(0, 1, "b", 60_020), epoch(1, 0, "a", 119_990)];
        assert_eq!(awaited(&[&own, &own, &late], 2), own);
        assert_eq!(awaited(&[&own, &late], 2), own[1..]);
        let replayed = [epoch(0, 0, "a", 600_000)];
        assert_eq!(awaited(&[&own, &replayed], 2), [], "the same bytes in another session");
    }

    #[test]
    fn a_session_without_a_whole_epoch_is_not_named() {
        let part = Epoch { complete: false, ..epoch(0, 1, "b", 60_000) };
        assert_eq!(awaited(&[std::slice::from_ref(&part)], 1), []);
        let of_timeline = Epoch { session: None, ..part.clone() };
        assert_eq!(awaited(&[std::slice::from_ref(&of_timeline)], 1), std::slice::from_ref(&of_timeline));
        let named = [epoch(0, 0, "a", 0), part];
        assert_eq!(awaited(&[&named], 1), named);
    }
}
