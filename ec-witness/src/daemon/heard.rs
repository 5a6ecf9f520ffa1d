//! What reading an index on brings, and telling of it.

use std::collections::BTreeSet;

use ec_archive::{Quarantined, TrackEvent, Watch};
use ec_observation::EpochKey;

/// Bad lines of one reading that are told one by one; the others are only counted.
const MAX_TOLD: usize = 8;

/// What one reading brought.
#[derive(Debug, Default)]
pub struct Heard {
    /// The first bad lines.
    pub quarantined: Vec<Quarantined>,
    /// All bad lines, the first ones included.
    pub bad_lines: u64,
    /// What befell the files.
    pub events: Vec<TrackEvent>,
    /// Whether the state of reading is another one than before.
    pub turned: bool,
}

impl Heard {
    /// Whether a file no longer holds what was read of it.
    pub(super) fn lost_a_file(&self) -> bool {
        self.events.iter().any(|event| matches!(event, TrackEvent::Lost { .. }))
    }

    /// Logs the bad lines and what befell the files.
    pub(super) fn tell(&self, stream: &str) {
        self.quarantined.iter().for_each(tell_bad_line);
        tell_bad_lines(stream, self.quarantined.len(), self.bad_lines);
        self.events.iter().for_each(tell_event);
    }
}

/// Hears of touched epochs, bad lines and what befalls files while an index is read on.
#[derive(Default)]
pub(super) struct Hearing {
    pub(super) heard: Heard,
    pub(super) touched: BTreeSet<EpochKey>,
    /// Epochs below are not judged.
    pub(super) from: EpochKey,
}

impl Watch for Hearing {
    fn quarantined(&mut self, line: Quarantined) {
        self.heard.bad_lines += 1;
        if self.heard.quarantined.len() < MAX_TOLD {
            self.heard.quarantined.push(line);
        }
    }

    fn touched(&mut self, epoch: EpochKey) {
        if epoch >= self.from {
            self.touched.insert(epoch);
        }
    }

    fn event(&mut self, event: TrackEvent) {
        self.heard.events.push(event);
    }
}

/// Logs what is found while a stream is read for the first time, at once, as that takes long.
#[derive(Default)]
pub(super) struct Told {
    bad_lines: u64,
}

impl Told {
    /// Logs how many bad lines were not told one by one.
    pub(super) fn tell_rest(&self, stream: &str) {
        tell_bad_lines(stream, MAX_TOLD, self.bad_lines);
    }
}

impl Watch for Told {
    fn quarantined(&mut self, line: Quarantined) {
        self.bad_lines += 1;
        if self.bad_lines <= MAX_TOLD as u64 {
            tell_bad_line(&line);
        }
    }

    fn event(&mut self, event: TrackEvent) {
        tell_event(&event);
    }
}

fn tell_bad_line(Quarantined { file, offset, reason }: &Quarantined) {
    tracing::warn!(file = %file.display(), offset, %reason, "bad line quarantined");
}

fn tell_bad_lines(stream: &str, told: usize, bad_lines: u64) {
    if bad_lines > told as u64 {
        tracing::warn!(stream, bad_lines, "more bad lines quarantined");
    }
}

fn tell_event(event: &TrackEvent) {
    match event {
        TrackEvent::Rotated { file, offset, torn_bytes: 0 } => {
            tracing::info!(file = %file.display(), offset, "the file was rotated; reading the new one");
        }
        TrackEvent::Rotated { file, offset, torn_bytes } => {
            tracing::warn!(file = %file.display(), offset, torn_bytes, "the file was rotated within a line; reading the new one");
        }
        TrackEvent::Lost { file, lost, touched } => {
            let (first, last) = touched.map(|(first, last)| (first.index, last.index)).unzip();
            tracing::error!(
                file = %file.display(), reason = %lost, first_epoch = first, last_epoch = last,
                "an index file is lost; its epochs are withheld"
            );
        }
    }
}
