//! Cuts a file into complete lines, in memory bounded by [`MAX_LINE_LEN`].

use std::io::{self, BufRead};

use crate::line::MAX_LINE_LEN;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Room for the longest line with all that is taken off it: a byte order mark and a CR.
const MAX_RAW_LEN: usize = BOM.len() + MAX_LINE_LEN + 1;

/// Reads lines that end in `\n`; what follows the last one is not data yet.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    offset: u64,
    buffer: Vec<u8>,
}

/// One complete line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Where it starts in the file.
    pub(crate) offset: u64,
    /// Where the next one starts.
    pub(crate) end: u64,
    /// Its text without line ending and byte order mark; longer than [`MAX_LINE_LEN`] and cut if it was too long.
    pub(crate) text: &'a [u8],
}

impl<R: BufRead> Lines<R> {
    /// Lines of a reader that stands at `offset` of the file, which must be the start of a line.
    pub(crate) fn new(reader: R, offset: u64) -> Self {
        Self { reader, offset, buffer: Vec::new() }
    }

    /// The next complete line; `None` when there is none (yet).
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let offset = self.offset;
        let mut end = offset;
        loop {
            let available = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                available => available?,
            };
            if available.is_empty() {
                return Ok(None);
            }
            let newline = memchr::memchr(b'\n', available);
            let taken = newline.unwrap_or(available.len());
            let room = (MAX_RAW_LEN + 1).saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&available[..taken.min(room)]);
            let consumed = taken + usize::from(newline.is_some());
            self.reader.consume(consumed);
            end += consumed as u64;
            if newline.is_some() {
                self.offset = end;
                return Ok(Some(Line { offset, end, text: bare(&self.buffer, offset) }));
            }
        }
    }
}

/// Takes off the CR before the line ending, and the byte order mark at the start of the file.
pub(crate) fn bare(raw: &[u8], offset: u64) -> &[u8] {
    let text = raw.strip_suffix(b"\r").unwrap_or(raw);
    if offset == 0 { text.strip_prefix(BOM).unwrap_or(text) } else { text }
}

/// Whether a line's text is nothing but white space, and not too long: one that was cut may only seem blank.
pub(crate) fn is_blank(text: &[u8]) -> bool {
    text.len() <= MAX_LINE_LEN && text.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
        let mut lines = Lines::new(BufReader::with_capacity(3, bytes), 0);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push((line.offset, line.end, line.text.to_vec()));
        }
        found
    }

    #[test]
    fn only_ended_lines_are_lines() {
        assert_eq!(all(b""), []);
        assert_eq!(all(b"abc"), []);
        assert_eq!(all(b"abcd\n\ne\r\nf"), [(0, 5, b"abcd".to_vec()), (5, 6, vec![]), (6, 9, b"e".to_vec())]);
    }

    #[test]
    fn a_byte_order_mark_counts_only_at_the_start() {
        let bytes = b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n";
        assert_eq!(all(bytes), [(0, 5, b"a".to_vec()), (5, 10, b"\xef\xbb\xbfb".to_vec())]);
    }

    #[test]
    fn a_huge_line_is_cut_and_the_next_one_whole() {
        let mut bytes = vec![b'x'; 3 * MAX_LINE_LEN];
        bytes.extend(b"\nnext\n");
        let mut lines = Lines::new(&bytes[..], 0);
        let text = lines.next().unwrap().unwrap().text.len();
        assert!(text > MAX_LINE_LEN && text <= MAX_RAW_LEN + 1, "{text}");
        assert_eq!(lines.next().unwrap().unwrap().text, b"next");
    }

    #[test]
    fn the_longest_line_is_whole() {
        let mut bytes = BOM.to_vec();
        bytes.extend(vec![b'x'; MAX_LINE_LEN]);
        bytes.extend(b"\r\n");
        assert_eq!(Lines::new(&bytes[..], 0).next().unwrap().unwrap().text.len(), MAX_LINE_LEN);
    }
}
