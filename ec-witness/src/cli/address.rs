//! Addresses as people type them.

use alloy::primitives::Address;
use serde::{Deserialize, Deserializer, de::Error as _};

/// Parses `0x` and 40 hex digits. One in mixed case must have the checksum of EIP-55, so that a typo is found.
pub(crate) fn parse(text: &str) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|_| {
        format!("{text:?} is not an address: it must be 0x and 40 hex digits, this has {} characters", text.len())
    })?;
    let digits = text.trim_start_matches("0x");
    let mixed = digits.chars().any(|c| c.is_ascii_lowercase()) && digits.chars().any(|c| c.is_ascii_uppercase());
    if mixed && Address::parse_checksummed(format!("0x{digits}"), None).is_err() {
        return Err(format!("{text:?} has a wrong checksum (EIP-55): a digit is mistyped; copy the address again"));
    }
    Ok(address)
}

/// [`parse`] for an optional setting of a file.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse(&text).map_err(D::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKSUMMED: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

    #[test]
    fn one_case_or_the_right_checksum_passes() {
        assert_eq!(parse(CHECKSUMMED).unwrap().to_string(), CHECKSUMMED);
        assert_eq!(parse(&CHECKSUMMED.to_lowercase()).unwrap().to_string(), CHECKSUMMED);
    }

    #[test]
    fn a_wrong_digit_or_length_is_refused() {
        assert!(parse("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92267").unwrap_err().contains("EIP-55"));
        assert!(parse("0xf39fd6").unwrap_err().contains("40 hex digits"));
        assert!(parse("witness").unwrap_err().contains("40 hex digits"));
    }
}
