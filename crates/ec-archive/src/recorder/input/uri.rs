//! What a playlist's URI is as a file.

use std::path::{Component, Path, PathBuf};

/// The file below `dir` that a relative URI names; `None` for others.
///
/// A file of the very name is taken as it is, because some packagers write names raw. Else the query and the fragment
/// are left out and percent-encoded bytes decoded (RFC 3986, 2.1).
pub(super) fn resolve(dir: &Path, uri: &str) -> Option<PathBuf> {
    if is_url(uri) {
        return None;
    }
    let raw = below(dir, uri);
    match &raw {
        Some(path) if path.exists() => raw,
        _ => below(dir, &decoded(uri.split(['?', '#']).next().unwrap_or(uri))?),
    }
}

/// Whether it names no file but says how something is fetched.
pub(super) fn is_url(uri: &str) -> bool {
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    uri.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && (rest.starts_with("//") || scheme == "data"))
}

fn below(dir: &Path, name: &str) -> Option<PathBuf> {
    let relative = Path::new(name);
    let is_below = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    is_below.then(|| dir.join(relative))
}

/// The text with percent-encoded bytes decoded; `None` if what is decoded is no text.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_files_below_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("raw%20name?.m4s"), "").unwrap();
        let cases = [
            ("a.m4s", Some("a.m4s")),
            ("v/./a.m4s?token=1/2#t=0", Some("v/a.m4s")),
            ("la%20nbc%2Fa%c3%bc.m4s", Some("la nbc/a\u{fc}.m4s")),
            ("raw%20name?.m4s", Some("raw%20name?.m4s")),
            ("100%.m4s", Some("100%.m4s")),
            ("..%2fa.m4s", None),
            ("%2fetc/passwd", None),
            ("a%ff.m4s", None),
            ("a.m4s?from=https://host", Some("a.m4s")),
            ("12:30.m4s", Some("12:30.m4s")),
            ("https://host/a.m4s", None),
            ("file:///a.m4s", None),
            ("data:video/mp4;base64,AAAA", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(resolve(dir.path(), uri), expected.map(|name| dir.path().join(name)), "{uri}");
        }
    }
}
