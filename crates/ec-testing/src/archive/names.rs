//! Under which names the fields of a line stand.

use serde::Deserialize;

/// The names of the fields that copies change: `[archive.fields]` of a witness's configuration, whose other fields are
/// passed over. A list replaces the default one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FieldNames {
    /// The group's number in its track.
    pub group_sequence: Vec<String>,
    /// The hash of the group's bytes.
    pub blake3: Vec<String>,
    /// When the host received the group, Unix milliseconds.
    pub received_unix_ms: Vec<String>,
    /// The broadcast's name.
    pub broadcast: Vec<String>,
}

impl Default for FieldNames {
    /// Those of `docs/protocol.md`, 2.3.
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            group_sequence: names(&["group_sequence", "sequence", "group_id"]),
            blake3: names(&["blake3", "hash", "digest"]),
            received_unix_ms: names(&["received_unix_ms", "received_at_ms"]),
            broadcast: names(&["broadcast"]),
        }
    }
}

impl FieldNames {
    /// What `[archive.fields]` says in the text of a configuration; other sections are not looked at.
    ///
    /// # Errors
    ///
    /// The text is no TOML, or a list in that section is none of strings.
    pub fn of_config(text: &str) -> Result<Self, toml::de::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Config {
            archive: Section,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Section {
            fields: FieldNames,
        }
        toml::from_str::<Config>(text).map(|config| config.archive.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_the_readme_shows() {
        let readme = std::fs::read_to_string(crate::repository().join("README.md")).unwrap();
        let config = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert!(config.contains("[archive.fields]"));
        assert_eq!(FieldNames::of_config(config).unwrap(), FieldNames::default());
    }

    #[test]
    fn a_list_replaces_the_default_and_others_stay() {
        let names = FieldNames::of_config("[archive.fields]\nblake3 = [\"b3\"]\nsize_bytes = [\"n\"]\n").unwrap();
        assert_eq!(names, FieldNames { blake3: vec!["b3".into()], ..FieldNames::default() });
        assert_eq!(FieldNames::of_config("[chain]\nchain_id = 1\n").unwrap(), FieldNames::default());
        assert!(FieldNames::of_config("[archive.fields]\nblake3 = 3\n").is_err());
    }
}
