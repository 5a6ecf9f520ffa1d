//! The parameters of a request, each checked: one that is not known, given twice or out of its bounds is refused by name.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256};
use axum::{extract::FromRequestParts, http::request::Parts};

use super::problem::ApiError;

/// Characters of a query at most.
const MOST: usize = 4096;

/// The parameters that were given and not taken yet.
#[derive(Debug, Default)]
pub(super) struct Params {
    given: BTreeMap<String, String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(parts.uri.query().unwrap_or_default())
    }
}

impl Params {
    /// The parameters of a query.
    fn of(query: &str) -> Result<Self, ApiError> {
        if query.len() > MOST {
            return Err(ApiError::parameter(
                "",
                format!("the query has {} characters, at most {MOST} are read", query.len()),
            ));
        }
        let mut given = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if given.contains_key(name.as_ref()) {
                return Err(ApiError::parameter(&name, "a parameter is given twice; give it once"));
            }
            given.insert(name.into_owned(), value.into_owned());
        }
        Ok(Self { given })
    }

    /// Whether it was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// A parameter as it was given.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.given.remove(name)
    }

    /// A text of at most so many characters, without control characters.
    pub(super) fn short(&mut self, name: &str, most: usize) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
            return Err(ApiError::parameter(name, format!("{name} must have 1 to {most} characters, none of control")));
        }
        Ok(Some(text))
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, name: &str, least: u64, most: u64) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && (least..=most).contains(number));
        number.map(Some).ok_or_else(|| {
            ApiError::parameter(
                name,
                format!("{name} is {}, and must be a whole number from {least} to {most}", shown(&text)),
            )
        })
    }

    /// A number in an index or a header, as far as the database holds such numbers.
    pub(super) fn sequence(&mut self, name: &str) -> Result<Option<u64>, ApiError> {
        self.number(name, 0, i64::MAX as u64)
    }

    /// A time, milliseconds since 1970.
    pub(super) fn time(&mut self, name: &str) -> Result<Option<u64>, ApiError> {
        self.number(name, 0, 1 << 53)
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.map(Some).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            ApiError::parameter(name, format!("{name} is {}, and must be one of {}", shown(&text), words.join(", ")))
        })
    }

    /// A hash of 32 bytes.
    pub(super) fn hash(&mut self, name: &str) -> Result<Option<B256>, ApiError> {
        self.text(name).map(|text| hash(name, &text)).transpose()
    }

    /// That there are no others.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        match self.given.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::parameter(&name, format!("{} is no parameter of this path", shown(&name)))),
        }
    }
}

/// A hash in hex, with or without `0x`, in either case.
pub(super) fn hash(name: &str, text: &str) -> Result<B256, ApiError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = [0; 32];
    match alloy::hex::decode_to_slice(digits, &mut bytes) {
        Ok(()) if digits.len() == 64 && !digits.starts_with("0x") => Ok(B256::from(bytes)),
        _ => Err(ApiError::parameter(name, format!("{name} is {}, and must be 64 hex digits", shown(text)))),
    }
}

/// An address in hex, with `0x`.
pub(super) fn address(name: &str, text: &str) -> Result<Address, ApiError> {
    let mut bytes = [0; 20];
    let digits = text.strip_prefix("0x").unwrap_or_default();
    match alloy::hex::decode_to_slice(digits, &mut bytes) {
        Ok(()) if digits.len() == 40 => Ok(Address::from(bytes)),
        _ => Err(ApiError::parameter(name, format!("{name} is {}, and must be 0x and 40 hex digits", shown(text)))),
    }
}

/// What was given, cut.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str, take: impl FnOnce(&mut Params) -> Result<(), ApiError>) -> String {
        let mut params = match Params::of(query) {
            Ok(params) => params,
            Err(error) => return error.0.detail,
        };
        match take(&mut params).and_then(|()| params.finish()) {
            Ok(()) => String::new(),
            Err(error) => error.0.detail,
        }
    }

    #[test]
    fn whatever_is_not_known_twice_or_out_of_bounds_is_refused_by_name() {
        let limit = |params: &mut Params| params.number("limit", 1, 500).map(|_| ());
        assert_eq!(refused("limit=500", limit), "");
        for (query, detail) in [
            ("limit=0", "limit is \"0\", and must be a whole number from 1 to 500"),
            ("limit=501", "limit is \"501\", and must be a whole number from 1 to 500"),
            ("limit=+5", "limit is \" 5\", and must be a whole number from 1 to 500"),
            ("limit=", "limit is \"\", and must be a whole number from 1 to 500"),
            ("limit=5&limit=5", "a parameter is given twice; give it once"),
            ("limits=5", "\"limits\" is no parameter of this path"),
        ] {
            assert_eq!(refused(query, limit), detail, "{query}");
        }
        let order = |params: &mut Params| params.word("order", &[("newest", 1), ("oldest", 2)]).map(|_| ());
        assert_eq!(refused("order=up", order), "order is \"up\", and must be one of newest, oldest");
        let text = |params: &mut Params| params.short("q", 3).map(|_| ());
        assert_eq!(refused("q=%C3%A9%C3%A9%C3%A9", text), "");
        assert!(refused("q=four", text).contains("1 to 3 characters"));
        assert!(refused("q=%00", text).contains("none of control"));
    }

    #[test]
    fn hashes_are_taken_in_either_form() {
        let plain = "AB".repeat(32);
        let prefixed = format!("0x{}", "ab".repeat(32));
        assert_eq!(hash("h", &plain).unwrap(), hash("h", &prefixed).unwrap());
        for wrong in ["", "0x", "0x0x", &plain[1..], &format!("0x0x{}", &plain[4..]), &format!("{plain}ab")] {
            assert!(hash("h", wrong).is_err(), "{wrong}");
        }
        assert!(address("a", "0x5FbDB2315678afecb367f032d93F642f64180aa3").is_ok());
        assert!(address("a", "5FbDB2315678afecb367f032d93F642f64180aa3").is_err());
    }
}
