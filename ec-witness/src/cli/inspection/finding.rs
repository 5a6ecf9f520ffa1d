//! What was found of one setting: where it stands, what it is, what is wrong with it and what helps.

use std::{
    env,
    fmt::{self, Display},
    path::{Path, PathBuf},
};

use ec_witness::monitor::check::{Check, Level};
use serde::Serialize;

use crate::cli::config::{ConfigArg, DEFAULT_PATH};

/// Settings whose flag is not their key with dashes.
const OTHER_FLAGS: [(&str, &str, &str); 2] = [("archive", "dir", "archive"), ("store", "dir", "store")];

/// One check, how it came out, and of which setting it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    #[serde(flatten)]
    pub(crate) check: Check,
    #[serde(flatten)]
    pub(crate) place: Option<Place>,
}

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    /// The configuration file, where it stands there, or would.
    pub(crate) file: Option<PathBuf>,
    /// The setting as it is written: `[chain] ledger`, `--ledger`, `EC_WITNESS_LEDGER`.
    pub(crate) field: String,
    /// Its value; `None` where it is not set.
    pub(crate) value: Option<String>,
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        match &self.value {
            Some(value) => write!(f, "{} = {value}", self.field),
            None => write!(f, "{} is not set", self.field),
        }
    }
}

impl Finding {
    /// A check of no single setting.
    pub(crate) fn of(check: Check) -> Self {
        Self { check, place: None }
    }

    pub(crate) fn at(check: Check, place: Place) -> Self {
        Self { check, place: Some(place) }
    }

    /// Whether it keeps a witness from being set up.
    pub(crate) fn is_failed(&self) -> bool {
        self.check.level == Level::Fail
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Check { name, level, reason, fix } = &self.check;
        let mark = match level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        write!(f, "{mark}  {name}: ")?;
        if let Some(place) = self.place.as_ref().filter(|_| *level != Level::Ok) {
            write!(f, "{place}: ")?;
        }
        f.write_str(reason)?;
        if fix.is_empty() { Ok(()) } else { write!(f, "\n      fix: {fix}") }
    }
}

/// Where settings come from: flags before the environment, that before the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    file: Option<PathBuf>,
    arguments: Vec<String>,
    variables: Vec<String>,
}

impl Origins {
    /// Of this process.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn here(config: &ConfigArg) -> eyre::Result<Self> {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let file = config.text(Path::new(DEFAULT_PATH))?.map(|(path, _)| path);
        let arguments = env::args_os().skip(1).map(lossy).collect();
        Ok(Self { file, arguments, variables: env::vars_os().map(|(name, _)| lossy(name)).collect() })
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Where a setting stands that has this value.
    pub(crate) fn place(&self, section: &str, key: &str, value: Option<impl Display>) -> Place {
        let other = OTHER_FLAGS.iter().find(|(of, name, _)| (*of, *name) == (section, key));
        let flag = other.map_or_else(|| key.replace('_', "-"), |(.., flag)| (*flag).to_owned());
        let variable = format!("EC_WITNESS_{}", flag.replace('-', "_").to_uppercase());
        let flag = format!("--{flag}");
        let value = value.map(|value| value.to_string());
        let is_flag = |argument: &String| {
            argument.strip_prefix(&flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        if self.arguments.iter().any(is_flag) {
            return Place { file: None, field: flag, value };
        }
        if self.variables.contains(&variable) {
            return Place { file: None, field: variable, value };
        }
        Place { file: self.file.clone(), field: format!("[{section}] {key}"), value }
    }

    /// Where a setting of a broadcast's table stands.
    pub(crate) fn of_stream(&self, broadcast: &str, key: &str, value: impl Display) -> Place {
        let field =
            if key == "broadcast" { "[[stream]] broadcast".into() } else { format!("[[stream]] {broadcast:?} {key}") };
        Place { file: self.file.clone(), field, value: Some(value.to_string()) }
    }

    /// Of a file alone.
    pub(crate) fn of_file(path: &Path) -> Self {
        Self { file: Some(path.to_owned()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(arguments: &str, variables: &[&str]) -> Origins {
        let owned = |word: &str| word.to_owned();
        Origins {
            arguments: arguments.split_whitespace().map(owned).collect(),
            variables: variables.iter().copied().map(owned).collect(),
            ..Origins::of_file(Path::new("/etc/w.toml"))
        }
    }

    #[test]
    fn a_setting_is_where_it_comes_from() {
        let shown = |origins: Origins| origins.place("chain", "deploy_block", Some(99)).to_string();
        assert_eq!(shown(origins("", &[])), "/etc/w.toml: [chain] deploy_block = 99");
        assert_eq!(shown(origins("", &["EC_WITNESS_DEPLOY_BLOCK"])), "EC_WITNESS_DEPLOY_BLOCK = 99");
        assert_eq!(shown(origins("init --deploy-block 99", &["EC_WITNESS_DEPLOY_BLOCK"])), "--deploy-block = 99");
        assert_eq!(shown(origins("init --deploy-block=99", &[])), "--deploy-block = 99");
        assert_eq!(shown(origins("init --deploy-block-x", &[])), "/etc/w.toml: [chain] deploy_block = 99");
        let unset = Origins::default().place("store", "dir", None::<&str>);
        assert_eq!(unset.to_string(), "[store] dir is not set");
        assert_eq!(origins("--store x", &[]).place("store", "dir", Some("x")).to_string(), "--store = x");
    }

    #[test]
    fn a_finding_names_place_reason_and_fix() {
        let place = origins("", &[]).place("chain", "chain_id", Some(5));
        let finding = Finding::at(Check::fail("endpoints", "they serve chain 901", "write chain_id = 901"), place);
        assert_eq!(
            finding.to_string(),
            "FAIL  endpoints: /etc/w.toml: [chain] chain_id = 5: they serve chain 901\n      fix: write chain_id = 901"
        );
        let json = serde_json::to_value(finding).unwrap();
        assert_eq!(
            (&json["level"], &json["field"], &json["value"]),
            (&"fail".into(), &"[chain] chain_id".into(), &"5".into())
        );
    }
}
