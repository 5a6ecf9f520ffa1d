//! The rules by which a lane is cut into segments, one after the other as the protocol's §2.5 lists them.

use std::collections::BTreeMap;

use ec_observation::Record;

/// W.
const SPREAD_MS: i128 = 20_000;

/// The segments of a lane so far. That no more than 65536 records are remembered is not modelled: the lanes here are shorter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments {
    /// The number of the present one; `None` before the first record.
    number: Option<u64>,
    /// All its records.
    here: BTreeMap<u64, Here>,
    first_ms: i128,
    latest_ms: i128,
    /// The time by which the last record was cut.
    last_ms: u64,
}

/// A record of the present segment.
#[derive(Clone, Copy, Debug)]
struct Here {
    received_ms: i128,
    object: ([u8; 32], u64),
    /// Once true, always.
    is_forgotten: bool,
}

impl Segments {
    /// The segment of the next good record.
    pub(crate) fn take(&mut self, record: &Record) -> u64 {
        self.last_ms = record.received_unix_ms.unwrap_or(self.last_ms);
        let (sequence, received_ms) = (record.group_sequence, i128::from(self.last_ms));
        let here = Here { received_ms, object: (record.blake3, record.size_bytes), is_forgotten: false };
        if !self.belongs(sequence, &here) {
            self.number = Some(self.number.map_or(0, |number| number + 1));
            self.here.clear();
            (self.first_ms, self.latest_ms) = (received_ms, received_ms);
        }
        // a duplicate leaves the record that it repeats as it is
        self.here.entry(sequence).or_insert(here);
        self.latest_ms = self.latest_ms.max(received_ms);
        let latest_ms = self.latest_ms;
        self.here.values_mut().for_each(|here| here.is_forgotten |= latest_ms - here.received_ms > SPREAD_MS);
        self.present()
    }

    /// The present segment, or the one that the first record begins.
    pub(crate) fn present(&self) -> u64 {
        self.number.unwrap_or_default()
    }

    fn belongs(&self, sequence: u64, record: &Here) -> bool {
        let (Some((&lowest, _)), Some((&highest, _))) = (self.here.first_key_value(), self.here.last_key_value())
        else {
            return false; // 1.
        };
        let is_soon_after = |before_ms: i128| record.received_ms - before_ms <= SPREAD_MS;
        if let Some(there) = self.here.get(&sequence) {
            let is_near = (record.received_ms - there.received_ms).abs() <= SPREAD_MS;
            !there.is_forgotten && there.object == record.object && is_near // 2.
        } else if sequence > highest {
            true // 3.
        } else if sequence > lowest {
            let above = self.here.range(sequence..).next();
            above.is_some_and(|(_, above)| !above.is_forgotten && is_soon_after(above.received_ms)) // 4.
        } else {
            lowest - sequence <= 64 && is_soon_after(self.first_ms) // 5.
        }
    }
}
