//! How the libraries of the OP Stack's programs read what operators write: Go's JSON, TOML and flags.
//!
//! They are laxer here and stricter there than what one would write anew, and what they accept is what starts. Each reader
//! only tells what arrives; what a program then makes of it stands in [`programs`](crate::programs).

pub mod flags;
pub(crate) mod json;
pub(crate) mod toml;

/// Equal to Go's `strings.EqualFold`, as far as names of ASCII letters go: case does not count, and two letters of Unicode
/// that fold to `s` and `k` are those.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    let fold = |letter: char| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    a.chars().map(fold).eq(b.chars().map(fold))
}

/// Whether Go's `url.Parse` takes it, as far as what is written by hand goes: no control characters, no half escapes, and a port
/// is a number.
pub(crate) fn is_url(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let escaped = byte != b'%' || (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit()));
        if byte.is_ascii_control() || !escaped {
            return false;
        }
    }
    let Some((_, rest)) = text.split_once("://") else { return true };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = match host.rsplit_once(']') {
        Some((_, port)) => port,
        None => host.find(':').map_or("", |colon| &host[colon..]),
    };
    port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
}
