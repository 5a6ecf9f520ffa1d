//! Strings and integers of plain lines, many bytes at once.

/// Not a character of a plain string: its end, an escape, a control character, or not ASCII.
pub(super) fn ends_plain(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || byte >= 0x80
}

/// A plain string up to its quotation mark, and what follows that.
pub(super) fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    const STEP: usize = 32;
    let mut len = 0;
    for step in text.chunks_exact(STEP) {
        // without a branch, so that it is done with vectors
        if step.iter().fold(false, |any, &byte| any | ends_plain(byte)) {
            break;
        }
        len += STEP;
    }
    while let Some(&word) = text[len..].first_chunk::<8>() {
        let end = first_end(u64::from_le_bytes(word));
        len += end;
        if end < 8 {
            return (text[len] == b'"').then(|| (&text[..len], &text[len + 1..]));
        }
    }
    len += text[len..].iter().position(|&byte| ends_plain(byte))?;
    (text[len] == b'"').then(|| (&text[..len], &text[len + 1..]))
}

/// Where among eight bytes the first is that [ends a plain string](ends_plain); 8 if none does.
fn first_end(word: u64) -> usize {
    // a byte's high bit where the byte is zero; only the lowest is certain, a borrow may set the next ones
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zeros(word ^ (ONES * u64::from(b'"')));
    let escape = zeros(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    ((quote | escape | control | word) & (ONES * 0x80)).trailing_zeros() as usize / 8
}

/// `0|[1-9][0-9]*` of at most 2^64−1, and what follows it, which is neither digit, sign, fraction nor exponent.
pub(super) fn integer(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut len) = (0u64, 0);
    loop {
        let (digits, count) = leading_digits(text.get(len..)?);
        // at most 16 digits cannot overflow
        value = match len {
            0 | 8 => value * POWERS[count] + digits,
            _ => value.checked_mul(POWERS[count])?.checked_add(digits)?,
        };
        len += count;
        if count < 8 {
            break;
        }
    }
    let canonical = len == 1 || (len > 1 && text[0] != b'0');
    (canonical && matches!(text.get(len), Some(b',' | b'}'))).then(|| (value, &text[len..]))
}

const POWERS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The value and the number of the digits, eight at most, that `text` begins with.
fn leading_digits(text: &[u8]) -> (u64, usize) {
    let Some(&bytes) = text.first_chunk::<8>() else {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        return (text[..count].iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0')), count);
    };
    let word = u64::from_le_bytes(bytes) ^ (ONES * u64::from(b'0'));
    let count = above_nine(word).trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    (number(word << (64 - count * 8)), count)
}

/// The high bit of each byte that is above 9.
pub(super) fn above_nine(bytes: u64) -> u64 {
    (((bytes & (ONES * 0x7f)) + ONES * 0x76) | bytes) & (ONES * 0x80)
}

/// What eight bytes below 10 say as digits, the lowest byte first.
pub(super) fn number(digits: u64) -> u64 {
    // pairs, fours and all eight added up
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_end_where_they_should() {
        let read = |text: &str| integer(text.as_bytes()).map(|(value, rest)| (value, rest.len()));
        for digits in 1..=19 {
            let value = u64::MAX / 10u64.pow(20 - digits);
            assert_eq!(read(&format!("{value},\"")), Some((value, 2)), "{value}");
            assert_eq!(read(&format!("{value}}}{}", "5".repeat(12))), Some((value, 13)), "{value}");
        }
        assert_eq!(read("0,"), Some((0, 1)));
        assert_eq!(read("18446744073709551615}"), Some((u64::MAX, 1)));
        for bad in ["", "0", "7", ",", "00,", "01,", "-1,", "1.5,", "1e3,", "1 ,", "18446744073709551616,"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&format!("{},", "9".repeat(60))), None);
    }

    #[test]
    fn strings_end_at_their_quotation_mark() {
        for len in 0..100 {
            let text = "x".repeat(len);
            assert_eq!(string(format!("{text}\",").as_bytes()), Some((text.as_bytes(), &b","[..])));
            for other in ["\\", "\n", "é", "\u{1f}", ""] {
                assert_eq!(string(format!("{text}{other}{}", "y".repeat(40)).as_bytes()), None, "{len} {other:?}");
            }
        }
    }
}
