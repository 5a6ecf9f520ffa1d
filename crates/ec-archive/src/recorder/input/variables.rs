//! Variables of HLS playlists: what EXT-X-DEFINE names, and `{$name}` stands for (RFC 8216's second edition, 4.3 and 4.4.2.3).

use std::collections::BTreeMap;

use super::uri;

/// The variables of one playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Defines a variable.
    pub(super) fn define(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text with each `{$name}` replaced; the first name that is not defined, else. What is only like it stays.
    pub(super) fn replace(&self, text: &str) -> Result<String, String> {
        let (mut replaced, mut rest) = (String::with_capacity(text.len()), text);
        while let Some((before, after)) = rest.split_once("{$") {
            replaced.push_str(before);
            rest = match after.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, after)) => {
                    replaced.push_str(self.get(name).ok_or_else(|| name.to_owned())?);
                    after
                }
                None => {
                    replaced.push_str("{$");
                    after
                }
            };
        }
        replaced.push_str(rest);
        Ok(replaced)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// The value of a parameter of a URI's query, decoded.
pub(super) fn query_parameter(uri: &str, name: &str) -> Option<String> {
    let query = uri.split('#').next()?.split_once('?')?.1;
    let (_, value) = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    uri::decoded(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_their_values_once() {
        let mut variables = Variables::default();
        variables.define("a", "1{$b-2}");
        variables.define("b-2", "two");
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("{$a}/{$b-2}{$b-2}", Ok("1{$b-2}/twotwo")),
            ("{a}{$}{$ a}{$a", Ok("{a}{$}{$ a}{$a")),
            ("x{$none}", Err("none")),
        ] {
            assert_eq!(variables.replace(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn parameters_are_those_of_the_query() {
        for (uri, expected) in [
            ("v.m3u8?x=1&token=a%2Fb#token=c", Some("a/b")),
            ("v.m3u8?token=&x", Some("")),
            ("v.m3u8#?token=c", None),
            ("token=v.m3u8", None),
        ] {
            assert_eq!(query_parameter(uri, "token").as_deref(), expected, "{uri}");
        }
    }
}
