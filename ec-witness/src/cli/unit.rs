//! What a unit, or a process that runs, sets beside the configuration file: found for the commands that look at a witness, so that
//! they look at that one.
//!
//! What is found becomes variables of the program, which is started again with them: so one rule says what comes before what.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;
use eyre::{WrapErr, bail, ensure, eyre};

use super::config::DEFAULT_PATH;

/// What every variable of this program begins with.
const PREFIX: &str = "EC_WITNESS_";

/// The variable that is the `--config` of every command.
const CONFIG: &str = "EC_WITNESS_CONFIG";

/// Where systemd puts a unit's credentials: files below it may be open to their group.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Variables that say how a program speaks, not what it works with.
const OF_SPEECH: [&str; 3] = ["EC_WITNESS_LOG", "EC_WITNESS_LOG_FORMAT", "EC_WITNESS_JSON"];

/// What is asked of systemd.
const PROPERTIES: &str = "--property=LoadState,MainPID,Environment,EnvironmentFiles,ExecStart";

/// Variables by their names.
pub(crate) type Settings = BTreeMap<String, String>;

/// `--unit`, for commands that look at a witness and change nothing.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct UnitArg {
    /// Look at the witness of this systemd unit: what the unit sets by its environment and its command line comes before the
    /// environment here and the file. While it runs, that is what it was started with.
    #[arg(long, value_name = "NAME")]
    unit: Option<String>,
}

impl UnitArg {
    /// The unit that is named.
    pub(crate) fn name(&self) -> Option<&str> {
        self.unit.as_deref()
    }
}

/// What a unit sets.
///
/// # Errors
///
/// There is no such unit, or systemd cannot be asked.
pub(crate) fn of_unit(name: &str) -> eyre::Result<Settings> {
    let asked = Command::new("systemctl").args(["show", PROPERTIES, "--", name]).output();
    let asked = asked.wrap_err("--unit: systemctl cannot be started: is systemd on this host?")?;
    let said = String::from_utf8_lossy(&asked.stderr);
    ensure!(asked.status.success(), "--unit {name}: systemctl says: {}", said.trim());
    let unit = Unit::parse(&String::from_utf8_lossy(&asked.stdout));
    if unit.load_state != "loaded" {
        bail!(
            "--unit {name}: systemd knows no such unit ({}); `systemctl list-units 'ec-witness*'` has those that are there",
            unit.load_state
        );
    }
    if unit.main_pid != 0 {
        let process = of_process(unit.main_pid);
        return process.map_err(|error| {
            eyre!(
                "--unit {name}: what its process {} was started with cannot be read: {error}; run this as root",
                unit.main_pid
            )
        });
    }
    let mut found = Settings::new();
    for (path, may_be_missing) in &unit.files {
        match fs::read_to_string(path) {
            Ok(text) => found.extend(text.lines().filter_map(|line| assignment(line.trim()))),
            Err(_) if *may_be_missing => {}
            Err(error) => {
                bail!("--unit {name}: its EnvironmentFile {} cannot be read: {error}; run this as root", path.display())
            }
        }
    }
    found.extend(unit.environment);
    found.extend(of_arguments(&unit.arguments));
    Ok(ours(found))
}

/// What systemd says of a unit.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unit {
    load_state: String,
    /// 0 while it does not run.
    main_pid: u32,
    environment: Settings,
    /// Files with more of it, and whether each may be missing.
    files: Vec<(PathBuf, bool)>,
    /// The command line that it is started with.
    arguments: Vec<String>,
}

impl Unit {
    fn parse(text: &str) -> Self {
        let mut unit = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "LoadState" => unit.load_state = value.to_owned(),
                "MainPID" => unit.main_pid = value.parse().unwrap_or_default(),
                "Environment" => unit.environment = words(value).iter().filter_map(|word| pair(word)).collect(),
                "EnvironmentFiles" => {
                    let (path, options) = value.rsplit_once(" (").unwrap_or((value, ""));
                    unit.files.push((path.into(), options.contains("ignore_errors=yes")));
                }
                "ExecStart" => {
                    let arguments = value.split_once("argv[]=").and_then(|(_, rest)| rest.split(" ; ").next());
                    unit.arguments = arguments.map(words).unwrap_or_default();
                }
                _ => {}
            }
        }
        unit
    }
}

/// Words as systemd quotes them, which is as a shell does.
fn words(text: &str) -> Vec<String> {
    shell_words::split(text).unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect())
}

fn pair(text: &str) -> Option<(String, String)> {
    text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// A line of an environment file.
fn assignment(line: &str) -> Option<(String, String)> {
    let is_one = !line.starts_with(['#', ';']);
    let (name, value) = is_one.then(|| pair(line)).flatten()?;
    Some((name.trim().to_owned(), words(&value).join(" ")))
}

/// The settings of a command line: `--rpc-agree 2` is `EC_WITNESS_RPC_AGREE`.
fn of_arguments(arguments: &[String]) -> Settings {
    let mut found = Settings::new();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix("--") else { continue };
        let (flag, value) = match flag.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (flag, rest.next_if(|next| !next.starts_with("--")).cloned()),
        };
        let name = format!("{PREFIX}{}", flag.replace('-', "_").to_uppercase());
        found.extend(value.map(|value| (name, value)));
    }
    found
}

/// Those that say what this program works with.
fn ours(all: Settings) -> Settings {
    let is_ours = |name: &str| name == CREDENTIALS || name.starts_with(PREFIX) && !OF_SPEECH.contains(&name);
    all.into_iter().filter(|(name, _)| is_ours(name)).collect()
}

/// What a process was started with.
fn of_process(process: u32) -> std::io::Result<Settings> {
    let read = |what: &str| fs::read(format!("/proc/{process}/{what}")).map(|bytes| by_nul(&bytes));
    let (environment, arguments) = (read("environ")?, read("cmdline")?);
    let mut found: Settings = environment.iter().filter_map(|variable| pair(variable)).collect();
    found.extend(of_arguments(&arguments));
    Ok(ours(found))
}

fn by_nul(bytes: &[u8]) -> Vec<String> {
    let parts = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// A witness that runs on this host with a configuration file.
#[derive(Debug)]
pub(crate) enum Running {
    /// What it was started with could be read.
    Known {
        /// Its process.
        process: u32,
        /// What it was started with.
        settings: Settings,
    },
    /// It is another user's.
    OfAnother {
        /// Its process.
        process: u32,
    },
}

/// The witness that runs with this configuration file and names its store elsewhere; none where several do.
pub(crate) fn running(config: &Path) -> Option<Running> {
    let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found: Vec<_> = processes.filter_map(|process| runs_with(process, config)).collect();
    if found.len() > 1 {
        found.retain(|running| matches!(running, Running::Known { .. }));
    }
    (found.len() == 1).then(|| found.remove(0))
}

fn runs_with(process: u32, config: &Path) -> Option<Running> {
    let arguments = by_nul(&fs::read(format!("/proc/{process}/cmdline")).ok()?);
    let is_witness = fs::read_to_string(format!("/proc/{process}/comm")).ok()?.trim_end() == "ec-witness";
    if !is_witness || arguments.get(1).is_none_or(|command| command != "run") {
        return None;
    }
    let Ok(settings) = of_process(process) else {
        let named = of_arguments(&arguments);
        let may_be = named.get(CONFIG).is_none_or(|named| is_same(Path::new(named), config));
        return may_be.then_some(Running::OfAnother { process });
    };
    let own = settings.get(CONFIG).map_or(DEFAULT_PATH, String::as_str);
    // a path that is not absolute is meant from where it was started
    let own = fs::read_link(format!("/proc/{process}/cwd")).unwrap_or_default().join(own);
    let names_store = settings.contains_key("EC_WITNESS_STORE");
    (names_store && is_same(&own, config)).then_some(Running::Known { process, settings })
}

/// Whether both are one regular file.
fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| fs::canonicalize(path).ok().filter(|path| path.is_file());
    file(one).is_some_and(|one| Some(one) == file(other))
}

/// Starts this command again with these variables, in this process. Returns only what keeps it from that.
pub(crate) fn start_again(settings: &Settings) -> eyre::Report {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => return eyre!("this program cannot be found: {error}"),
    };
    let error = Command::new(program).args(without_unit(arguments)).envs(settings).exec();
    eyre!("this program cannot be started again: {error}")
}

fn without_unit(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--unit") => _ = rest.next(),
            Some(text) if text.starts_with("--unit=") => {}
            _ => kept.push(argument),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// As systemd 257 prints it.
    const SHOWN: &str = "ExecStart={ path=/usr/local/bin/ec-witness ; argv[]=/usr/local/bin/ec-witness run --store /var/lib/w/store \
                         --rpc-agree=2 --dry-run ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n\
                         LoadState=loaded\nMainPID=0\nEnvironmentFiles=/etc/a file.env (ignore_errors=yes)\n\
                         EnvironmentFiles=/etc/b.env (ignore_errors=no)\n\
                         Environment=EC_WITNESS_KEY_FILE=/run/credentials/w.service/key \"EC_WITNESS_STREAMS=la nbc\" RUST_BACKTRACE=1\n";

    #[test]
    fn what_systemd_says_of_a_unit_is_understood() {
        let unit = Unit::parse(SHOWN);
        assert_eq!((unit.load_state.as_str(), unit.main_pid), ("loaded", 0));
        let environment = [
            ("EC_WITNESS_KEY_FILE", "/run/credentials/w.service/key"),
            ("EC_WITNESS_STREAMS", "la nbc"),
            ("RUST_BACKTRACE", "1"),
        ];
        assert_eq!(unit.environment, settings(&environment));
        assert_eq!(unit.files, [("/etc/a file.env".into(), true), ("/etc/b.env".into(), false)]);
        let arguments = settings(&[("EC_WITNESS_STORE", "/var/lib/w/store"), ("EC_WITNESS_RPC_AGREE", "2")]);
        assert_eq!(of_arguments(&unit.arguments), arguments);
    }

    #[test]
    fn a_line_of_an_environment_file_may_be_quoted_or_a_remark() {
        assert_eq!(assignment("EC_WITNESS_STORE=\"/a b\""), pair("EC_WITNESS_STORE=/a b"));
        assert_eq!(assignment("# EC_WITNESS_STORE=/a"), None);
        assert_eq!(assignment(""), None);
    }

    #[test]
    fn only_what_is_worked_with_is_taken_over() {
        let all = [
            ("EC_WITNESS_STORE", "a"),
            ("EC_WITNESS_LOG_FORMAT", "json"),
            ("HOME", "/"),
            ("CREDENTIALS_DIRECTORY", "c"),
        ];
        assert_eq!(ours(settings(&all)), settings(&[all[0], all[3]]));
    }

    #[test]
    fn the_unit_is_not_named_again() {
        let left = |line: &str| {
            without_unit(line.split(' ').map(OsString::from).collect()).join(OsString::from(" ").as_os_str())
        };
        assert_eq!(left("status --unit a --check"), "status --check");
        assert_eq!(left("status --check --unit=a"), "status --check");
    }
}
