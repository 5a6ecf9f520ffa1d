//! Chain ids, as op-deployer's files have them.

/// Reads a 32-byte hash, other hex with `0x`, or a decimal number; `None` if it is none of these or does not fit.
pub(crate) fn parse(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits.trim_start_matches('0'), 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_style_is_read() {
        let hash = "0x0000000000000000000000000000000000000000000000000000000000000385";
        assert_eq!([hash, "0x385", "901", "0xzz", ""].map(parse), [Some(901), Some(901), Some(901), None, None]);
    }
}
