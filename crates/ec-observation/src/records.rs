//! Records, and those of one epoch as a set (protocol §2.5).

use std::{
    collections::{BTreeMap, btree_map::Entry},
    num::NonZeroU64,
};

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::tree::{self, LEAF_LEN, leaf_preimage};

/// One media group, as an archive's index states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The group's number on the broadcast's timeline.
    pub group_sequence: u64,
    /// BLAKE3 of the stored bytes.
    pub blake3: [u8; 32],
    /// Number of stored bytes.
    pub size_bytes: u64,
    /// When this host received the group, Unix milliseconds.
    pub received_unix_ms: Option<u64>,
}

/// What makes two records of one (track, sequence) the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Object {
    /// BLAKE3 of the stored bytes.
    pub blake3: [u8; 32],
    /// Number of stored bytes.
    pub size_bytes: u64,
}

impl From<&Record> for Object {
    fn from(record: &Record) -> Self {
        Self { blake3: record.blake3, size_bytes: record.size_bytes }
    }
}

/// Where a record stands in its epoch: the track's place among the sorted tracks, then the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Index into the sorted track names.
    pub track: usize,
    /// The group's number.
    pub group_sequence: u64,
}

/// Two objects for one position: the evidence of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The contested position.
    pub position: Position,
    /// The first object seen there.
    pub first: Object,
    /// One that differs from it.
    pub second: Object,
}

/// All that an archive has of one epoch. Order and repetition of what is added never matter, except for which
/// conflict is kept as evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochRecords {
    objects: BTreeMap<Position, Object>,
    first_received_unix_ms: Option<u64>,
    bad_line: bool,
    /// Boxed, because hardly any epoch has one.
    conflict: Option<Box<Conflict>>,
}

impl EpochRecords {
    /// Adds a good line.
    pub fn add(&mut self, track: usize, record: &Record) {
        let position = Position { track, group_sequence: record.group_sequence };
        let object = Object::from(record);
        match self.objects.entry(position) {
            Entry::Vacant(entry) => {
                entry.insert(object);
            }
            Entry::Occupied(entry) if *entry.get() != object => {
                let conflict = Conflict { position, first: *entry.get(), second: object };
                self.conflict.get_or_insert_with(|| conflict.into());
            }
            Entry::Occupied(_) => {}
        }
        let received = [self.first_received_unix_ms, record.received_unix_ms];
        self.first_received_unix_ms = received.into_iter().flatten().min();
    }

    /// Adds all that another set has of the same epoch.
    pub fn absorb(&mut self, other: Self) {
        if self.objects.is_empty() && self.conflict.is_none() {
            let bad_line = self.bad_line || other.bad_line;
            *self = Self { bad_line, ..other };
            return;
        }
        let received_unix_ms = other.first_received_unix_ms;
        for (Position { track, group_sequence }, Object { blake3, size_bytes }) in other.objects {
            self.add(track, &Record { group_sequence, blake3, size_bytes, received_unix_ms });
        }
        self.bad_line |= other.bad_line;
        self.conflict = self.conflict.take().or(other.conflict);
    }

    /// Notes that a bad line touches the epoch.
    pub fn add_bad_line(&mut self) {
        self.bad_line = true;
    }

    /// Distinct positions.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether no good line is here.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether two records claim one position with different content.
    pub fn is_conflicting(&self) -> bool {
        self.conflict.is_some()
    }

    /// The first conflict that was seen.
    pub fn conflict(&self) -> Option<&Conflict> {
        self.conflict.as_deref()
    }

    /// Each track has all its sequences, and no bad line or conflict touches the epoch.
    pub fn is_complete(&self, groups_per_epoch: NonZeroU64, tracks: usize) -> bool {
        let expected = (tracks as u64).checked_mul(groups_per_epoch.get());
        !self.bad_line && self.conflict.is_none() && expected == Some(self.objects.len() as u64)
    }

    /// The smallest receive time over all lines, repeated ones included.
    pub fn first_received_unix_ms(&self) -> Option<u64> {
        self.first_received_unix_ms
    }

    /// Positions and objects in the tree's order.
    pub fn objects(&self) -> impl Iterator<Item = (Position, Object)> + '_ {
        self.objects.iter().map(|(&position, &object)| (position, object))
    }

    /// What is hashed to the leaves, in order. `track_hashes` are those of the sorted track names.
    pub fn leaf_preimages<'a>(&'a self, track_hashes: &'a [B256]) -> impl Iterator<Item = [u8; LEAF_LEN]> + 'a {
        self.objects().map(|(position, object)| {
            leaf_preimage(track_hashes[position.track], position.group_sequence, &object.blake3, object.size_bytes)
        })
    }

    /// The leaves in order. `track_hashes` are those of the sorted track names.
    pub fn leaves(&self, track_hashes: &[B256]) -> Vec<B256> {
        tree::leaves(self.leaf_preimages(track_hashes))
    }
}
