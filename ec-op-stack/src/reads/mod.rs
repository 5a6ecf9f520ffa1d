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
