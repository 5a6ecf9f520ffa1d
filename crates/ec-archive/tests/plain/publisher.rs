//! A lane as an archive gets it from a relay, and worse: the publisher restarts, the subscriber comes late, records are
//! repeated, forged, late, lost and without a time, and the clock is set.

use rand::{
    RngExt,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};

/// The publisher, its relay and the recorder's clock.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    /// Number of its next group.
    next: u64,
    /// How often it began, which tells its bytes.
    life: u8,
    now_ms: u64,
    /// What was written last: number, time and content.
    written: Vec<(u64, u64, u8)>,
    /// What comes at once: numbers of a backlog.
    backlog: Vec<u64>,
}

impl Default for Publisher {
    fn default() -> Self {
        Self { next: 0, life: 1, now_ms: 1_772_824_680_000, written: Vec::new(), backlog: Vec::new() }
    }
}

impl Publisher {
    /// The number that would come next.
    pub(crate) fn sequence(&self) -> u64 {
        self.next
    }

    /// The next line that is written, without its line ending.
    pub(crate) fn line(&mut self, rng: &mut StdRng) -> String {
        if let Some(sequence) = self.backlog.pop() {
            self.now_ms += rng.random_range(0..3);
            return self.write(sequence, self.now_ms, self.life);
        }
        match rng.random_range(0..40) {
            0 | 1 => {
                // another publisher may be served in the middle of its numbers
                self.next = if rng.random_bool(0.8) { 0 } else { rng.random_range(0..200) };
                self.life = self.life.wrapping_add(u8::from(rng.random_bool(0.8)));
                self.now_ms += rng.random_range(0..60_000);
                if rng.random() {
                    self.subscribe_late(rng);
                }
                self.line(rng)
            }
            2 => {
                self.subscribe_late(rng);
                self.line(rng)
            }
            3 | 4 => match self.written.choose(rng).copied() {
                Some((sequence, at_ms, content)) => {
                    let again_ms = if rng.random() { at_ms } else { at_ms + rng.random_range(0..40_000) };
                    self.write(sequence, again_ms, content)
                }
                None => self.line(rng),
            },
            5 => {
                let sequence = match rng.random_range(0..3) {
                    0 => rng.random_range(0..=self.next),
                    1 => self.next.saturating_sub(1),
                    _ => self.next + 1_000_000,
                };
                self.write(sequence, self.now_ms, 0xbb)
            }
            6 => {
                // groups that are lost, or come later
                self.next += rng.random_range(1..4);
                self.line(rng)
            }
            7 | 8 => {
                let sequence = rng.random_range(self.next.saturating_sub(12)..=self.next);
                self.write(sequence, self.now_ms, self.life)
            }
            9 => {
                let by_ms = rng.random_range(0..60_000);
                self.now_ms = if rng.random() { self.now_ms - by_ms } else { self.now_ms + by_ms };
                self.line(rng)
            }
            10 | 11 => {
                let (sequence, content) = (self.next, self.life);
                self.next += 1;
                line(sequence, None, content)
            }
            _ => {
                self.now_ms += rng.random_range(1_900..2_100);
                self.next += 1;
                self.write(self.next - 1, self.now_ms, self.life)
            }
        }
    }

    /// What a relay hands to somebody who comes late: what it has, in any order.
    fn subscribe_late(&mut self, rng: &mut StdRng) {
        let end = self.next + rng.random_range(2..90);
        self.backlog = (self.next..end).filter(|_| rng.random_bool(0.95)).collect();
        self.backlog.shuffle(rng);
        self.next = end;
    }

    fn write(&mut self, sequence: u64, received_ms: u64, content: u8) -> String {
        if self.written.len() == 20 {
            self.written.remove(0);
        }
        self.written.push((sequence, received_ms, content));
        line(sequence, Some(received_ms), content)
    }
}

fn line(sequence: u64, received_ms: Option<u64>, content: u8) -> String {
    let hash = format!("{content:02x}").repeat(32);
    let received = received_ms.map_or(String::new(), |ms| format!("\"received_unix_ms\":{ms},"));
    format!("{{\"group_sequence\":{sequence},{received}\"size_bytes\":1,\"blake3\":\"{hash}\"}}")
}
