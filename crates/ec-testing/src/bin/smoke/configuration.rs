//! The witnesses' configuration.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use ec_testing::archive::names::FieldNames;
use eyre::WrapErr;
use toml::{Table, Value};

/// Delays that are shorter than the protocol's, so that a demonstration takes seconds.
pub(crate) const PROPOSE_STAGGER_MS: i64 = 2000;
pub(crate) const LATE_MS: i64 = 3000;
pub(crate) const GRACE_MS: i64 = 1500;
pub(crate) const INCOMPLETE_DELAY_MS: i64 = 10_000;
pub(crate) const TIME_WAIT_MS: i64 = 10_000;
pub(crate) const DISPUTED_AFTER_MS: i64 = 60_000;

/// What the archive's own configuration says, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// The fields that the copies change.
    pub(crate) names: FieldNames,
    /// `[archive]` without the places, and `[[stream]]`.
    of_archive: Table,
}

impl Configuration {
    /// That of `EC_WITNESS_CONFIG`, else of this file.
    pub(crate) fn of_environment_or(file: Option<&Path>) -> eyre::Result<Self> {
        let named = env::var_os("EC_WITNESS_CONFIG").map(PathBuf::from);
        let Some(path) = named.as_deref().or(file) else { return Ok(Self::default()) };
        let read = fs::read_to_string(path).map_err(eyre::Report::from).and_then(|text| Self::of(&text));
        read.wrap_err_with(|| format!("configuration {}", path.display()))
    }

    fn of(text: &str) -> eyre::Result<Self> {
        let names = FieldNames::of_config(text)?;
        let mut of_archive: Table = text.parse()?;
        of_archive.retain(|section, _| section == "archive" || section == "stream");
        if let Some(Value::Table(archive)) = of_archive.get_mut("archive") {
            archive.retain(|key, _| !["dir", "manifests", "cas"].contains(&key));
        }
        Ok(Self { names, of_archive })
    }

    /// The broadcast of a stream, or of the lane that this track is: of the table that gives it this id, else of the same
    /// name.
    pub(crate) fn broadcast<'a>(&'a self, stream_id: &'a str, track: &str) -> &'a str {
        let lane = stream_id.strip_suffix(track).and_then(|stream_id| stream_id.strip_suffix("/track/"));
        let stream_id = lane.unwrap_or(stream_id);
        let tables = self.of_archive.get("stream").and_then(Value::as_array).into_iter().flatten();
        tables
            .filter(|table| table.get("stream_id").and_then(Value::as_str) == Some(stream_id))
            .find_map(|table| table.get("broadcast")?.as_str())
            .unwrap_or(stream_id)
    }

    /// What is added to the configuration that `deploy` writes.
    pub(crate) fn settings(&self) -> eyre::Result<String> {
        let mut table = self.of_archive.clone();
        let archive = table.entry("archive").or_insert_with(|| Table::new().into());
        archive
            .as_table_mut()
            .ok_or_else(|| eyre::eyre!("`archive` is no table"))?
            .insert("grace_ms".into(), GRACE_MS.into());
        let agreement = [
            ("propose_stagger_ms", PROPOSE_STAGGER_MS),
            ("late_ms", LATE_MS),
            ("time_wait_ms", TIME_WAIT_MS),
            ("incomplete_delay_ms", INCOMPLETE_DELAY_MS),
            ("disputed_after_ms", DISPUTED_AFTER_MS),
        ];
        let agreement: Table = agreement.into_iter().map(|(key, ms)| (key.to_owned(), ms.into())).collect();
        table.insert("agreement".into(), agreement.into());
        Ok(toml::to_string(&table)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_own_configuration_it_is_the_shortened_delays() {
        let settings: Table = Configuration::default().settings().unwrap().parse().unwrap();
        assert_eq!(settings["archive"].as_table().unwrap().len(), 1);
        assert_eq!(settings["archive"]["grace_ms"].as_integer(), Some(1500));
        assert_eq!(settings["agreement"]["late_ms"].as_integer(), Some(3000));
        assert_eq!(settings.len(), 2);
    }

    #[test]
    fn how_the_archive_is_written_is_taken_over_and_nothing_else() {
        let own = Configuration::of(
            "[archive]\ndir = '/srv'\ngroups_per_epoch = 10\ngrace_ms = 1\nfields.blake3 = ['b3']\n[chain]\nchain_id = 1\n\
             [agreement]\nlate_ms = 1\n[[stream]]\nbroadcast = 'la-nbc'\nstream_id = 'ec/nbc'\n",
        )
        .unwrap();
        assert_eq!(own.names.blake3, ["b3"]);
        let broadcast = |stream_id| own.broadcast(stream_id, "0.m4s");
        assert_eq!((broadcast("ec/nbc"), broadcast("la-cbs")), ("la-nbc", "la-cbs"));
        assert_eq!((broadcast("ec/nbc/track/0.m4s"), broadcast("la-cbs/track/0.m4s")), ("la-nbc", "la-cbs"));
        let settings: Table = own.settings().unwrap().parse().unwrap();
        assert_eq!(
            settings["archive"].as_table().unwrap().keys().collect::<Vec<_>>(),
            ["fields", "grace_ms", "groups_per_epoch"]
        );
        assert_eq!(settings["archive"]["grace_ms"].as_integer(), Some(1500));
        assert_eq!(settings["stream"][0]["broadcast"].as_str(), Some("la-nbc"));
        assert!(!settings.contains_key("chain"));
        assert_eq!(settings["agreement"]["late_ms"].as_integer(), Some(3000));
        assert!(Configuration::of("archive = 3").is_err());
    }
}
