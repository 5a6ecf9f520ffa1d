//! What a stretch of a file held when it was read, as a number that the same bytes give again.
//!
//! A line's checksum is XXH3-128 of its raw bytes, seeded with its offset; that of a stretch is the sum over its lines,
//! so neighbouring stretches join by addition. It tells accidents and edits, not someone who forges both the file and
//! the checkpoint: he could as well have written the archive that way at first.

use std::{
    cell::Cell,
    io::{self, BufRead, BufReader, Read},
};

use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

/// Hands bytes on and leaves the checksum of each complete line in `line`. Its reader must consume line by line.
#[allow(missing_debug_implementations)] // `Xxh3` has none
pub(crate) struct Summed<'a, R> {
    inner: BufReader<R>,
    line: &'a Cell<u128>,
    start: u64,
    consumed: u64,
    /// The beginning of a line that did not fit the buffer.
    begun: Option<Box<Xxh3>>,
}

impl<'a, R: Read> Summed<'a, R> {
    /// A reader that stands at `offset` of the file.
    pub(crate) fn new(inner: BufReader<R>, offset: u64, line: &'a Cell<u128>) -> Self {
        Self { inner, line, start: offset, consumed: offset, begun: None }
    }
}

impl<R: Read> Read for Summed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(buffer)?;
        self.consume(len);
        Ok(len)
    }
}

impl<R: Read> BufRead for Summed<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, len: usize) {
        let bytes = &self.inner.buffer()[..len];
        let ended = bytes.last() == Some(&b'\n');
        if ended && self.begun.is_none() {
            self.line.set(xxh3_128_with_seed(bytes, self.start));
        } else if len > 0 {
            let begun = self.begun.get_or_insert_with(|| Box::new(Xxh3::with_seed(self.start)));
            begun.update(bytes);
            if ended {
                self.line.set(begun.digest128());
                self.begun = None;
            }
        }
        self.consumed += len as u64;
        if ended {
            self.start = self.consumed;
        }
        self.inner.consume(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::lines::Lines;

    fn sums(bytes: &[u8], offset: u64, capacity: usize) -> Vec<u128> {
        let line = Cell::new(0);
        let mut lines = Lines::new(Summed::new(BufReader::with_capacity(capacity, bytes), offset, &line), offset);
        let mut found = Vec::new();
        while lines.next().unwrap().is_some() {
            found.push(line.take());
        }
        found
    }

    #[test]
    fn each_line_has_its_own_whatever_the_buffer() {
        let mut text = b"a\n\nlonger than the buffer\r\n".to_vec();
        text.extend(vec![b'x'; 300]);
        text.extend(b"\ntorn");
        let whole = sums(&text, 7, 1 << 12);
        assert_eq!(whole.len(), 4);
        for capacity in [1, 2, 3, 25, 26, 27] {
            assert_eq!(sums(&text, 7, capacity), whole, "{capacity}");
        }
        assert_eq!(sums(&text[2..], 9, 64), whole[1..], "read from a line in the middle");
        assert_ne!(sums(&text, 8, 64), whole, "elsewhere in the file");
        for changed in 0..text.len() - b"torn".len() {
            let mut other = text.clone();
            other[changed] ^= 1;
            let (a, b): (u128, u128) = (
                sums(&other, 7, 64).iter().copied().fold(0, u128::wrapping_add),
                whole.iter().copied().fold(0, u128::wrapping_add),
            );
            assert_ne!(a, b, "byte {changed}");
        }
    }
}
