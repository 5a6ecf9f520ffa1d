//! What an index holds, cut into the sessions of its publishers.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A line of an index.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) broadcast: String,
    pub(crate) track: String,
    pub(crate) group_sequence: u64,
    pub(crate) received_unix_ms: u64,
    pub(crate) size_bytes: u64,
    pub(crate) blake3: String,
    pub(crate) cas_path: String,
}

/// The groups of one publisher: number and hash.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) groups: BTreeMap<u64, String>,
}

impl Session {
    /// Numbers between the first and the last that are not there.
    pub(crate) fn missing(&self) -> Vec<u64> {
        let (first, last) = (self.groups.keys().next(), self.groups.keys().next_back());
        let all = first.zip(last).map(|(first, last)| *first..=*last).into_iter().flatten();
        all.filter(|number| !self.groups.contains_key(number)).collect()
    }

    /// How many groups both have; each has the same hash in both.
    #[track_caller]
    pub(crate) fn equals_where_both(&self, other: &Self) -> usize {
        let both = self.groups.iter().filter_map(|(number, hash)| Some((number, hash, other.groups.get(number)?)));
        both.inspect(|(number, a, b)| assert_eq!(a, b, "group {number}")).count()
    }
}

/// Cuts a track's lines where a number comes again: each publisher of these tests begins at 0, and sends every number once.
pub(crate) fn sessions(lines: &[Line]) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    for line in lines {
        let begins = sessions.last().is_none_or(|session| session.groups.contains_key(&line.group_sequence));
        if begins {
            sessions.push(Session::default());
        }
        let session = sessions.last_mut().unwrap();
        session.groups.insert(line.group_sequence, line.blake3.clone());
    }
    sessions
}
