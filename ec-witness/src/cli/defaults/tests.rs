//! Documents that name a default name the one that is compiled in.

use clap::{Args, Command};
use ec_archive::{
    FieldNames, MEDIA_ENDING, StreamTable,
    line::{MAX_DEPTH, MAX_LINE_LEN},
};
use ec_ledger::contracts::REGISTRY_CAPACITY;
use ec_observation::stream::DEFAULT_GROUPS_PER_EPOCH;
use ec_witness::witness::decision::Agreement;
use toml::Table;

use crate::cli::{
    agreement::AgreementArgs,
    chain::ChainArgs,
    config::{ArchiveSection, ConfigFile, DEFAULT_GRACE_MS, DEFAULT_NUMBERING, only_in_the_file},
    init::InitArgs,
    key::KeyArgs,
    ledger::HEAD_STALE,
    log::Logger,
    monitor::MonitorArgs,
    run_settings::RunSettingsArgs,
};

const README: &str = include_str!("../../../../README.md");
const PROTOCOL: &str = include_str!("../../../../docs/protocol.md");
const OPTIONS: &str = include_str!("../../../../docs/options.md");

/// The configuration file that the README shows, with the keys that it leaves out as alternatives.
fn shown() -> String {
    let toml = README.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```"));
    let (toml, _) = toml.expect("the README shows a configuration file");
    toml.replace("\n# key_file = ", "\nkey_file = ").replace("\n# signer", "\nsigner")
}

fn file() -> ConfigFile {
    toml::from_str(&shown()).unwrap()
}

/// The flags of a concern, which are its section's keys.
fn flags<A: Args>() -> Vec<String> {
    let mut names: Vec<_> =
        A::augment_args(Command::new("")).get_arguments().map(|flag| flag.get_id().to_string()).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_readme_shows_every_setting() {
    let shown: Table = toml::from_str(&shown()).unwrap();
    let keys = |section: &str| {
        let mut keys: Vec<_> = shown[section].as_table().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys("chain"), flags::<ChainArgs>());
    assert_eq!(keys("key"), flags::<KeyArgs>());
    assert_eq!(keys("run"), flags::<RunSettingsArgs>());
    assert_eq!(keys("monitor"), flags::<MonitorArgs>());
    assert_eq!(keys("agreement"), flags::<AgreementArgs>());
    assert_eq!(keys("store"), ["dir"]);

    let ConfigFile { archive, stream, .. } = file();
    assert!(matches!(
        archive,
        ArchiveSection {
            dir: Some(_),
            manifests: Some(_),
            cas: Some(_),
            numbering: Some(_),
            groups_per_epoch: Some(_),
            tracks: Some(_),
            grace_ms: Some(_),
            fields: _
        }
    ));
    assert!(matches!(
        &stream[..],
        [
            StreamTable {
                broadcast: _,
                stream_id: Some(_),
                locator_broadcast: Some(_),
                numbering: Some(_),
                groups_per_epoch: Some(_),
                track_groups_per_epoch: _,
                tracks: Some(_),
                time: _,
                chunk_duration_ms: Some(_),
                from_sequence: Some(_)
            },
            StreamTable { track_groups_per_epoch: of_tracks, .. }
        ] if !of_tracks.is_empty()
    ));
}

#[test]
fn what_the_readme_shows_of_the_archive_is_the_default() {
    let archive = file().archive;
    assert_eq!(archive.groups_per_epoch, Some(DEFAULT_GROUPS_PER_EPOCH));
    assert_eq!(archive.numbering, Some(DEFAULT_NUMBERING));
    assert!(archive.tracks.unwrap().iter().all(|track| track.ends_with(MEDIA_ENDING)));
    assert_eq!(archive.grace_ms, Some(DEFAULT_GRACE_MS));
    assert_eq!(archive.fields, FieldNames::default());
}

#[test]
fn what_the_readme_shows_of_chain_run_and_monitor_is_the_default() {
    let ConfigFile { chain, run, monitor, .. } = file();
    let open = ChainArgs {
        rpc_agree: None,
        log_page_blocks: None,
        finality_stale_ms: None,
        rpc_timeout_ms: None,
        ..chain.clone()
    }
    .settings()
    .unwrap();
    let chain = chain.settings().unwrap();
    assert_eq!(format!("{chain:?}"), format!("{open:?}"));
    assert_eq!(run.poll(), RunSettingsArgs::default().poll());
    assert_eq!(run.sending(chain.block_time), RunSettingsArgs::default().sending(None));
    let open = MonitorArgs { metrics_listen: monitor.metrics_listen, ..MonitorArgs::default() };
    let or_default = |monitor: MonitorArgs| monitor.or(MonitorArgs::default()).unwrap();
    assert_eq!(or_default(monitor), or_default(open));
}

#[test]
fn what_the_readme_shows_of_the_agreement_is_the_default() {
    assert_eq!(file().agreement.or(AgreementArgs::default()), Agreement::default());
}

/// The value of the one row of the protocol's table of constants that names this.
fn constant(name: &str) -> u64 {
    let (_, section) = PROTOCOL.split_once("\n## 7 Constants\n").expect("the protocol lists its constants");
    let (table, _) = section.split_once("\n## ").unwrap();
    let rows = table.lines().filter_map(|row| row.strip_prefix("| ")?.split_once(" | "));
    let named: Vec<_> = rows.filter(|(names, _)| names.contains(name)).collect();
    let [(_, rest)] = named[..] else { panic!("{name}: {named:?}") };
    let value = rest.split('|').next().unwrap();
    value.replace(' ', "").parse().unwrap_or_else(|error| panic!("{name}: {error}: {value}"))
}

#[test]
fn the_protocol_lists_the_constants() {
    let agreement = Agreement::default();
    let sending = RunSettingsArgs::default().sending(None);
    for (name, value) in [
        ("longest line", MAX_LINE_LEN as u64),
        ("depth of a record", MAX_DEPTH as u64),
        ("`groups_per_epoch`", DEFAULT_GROUPS_PER_EPOCH.get()),
        ("`grace_ms`", DEFAULT_GRACE_MS),
        ("`precision_ms`", agreement.precision_ms),
        ("`message_delay_ms`", agreement.message_delay_ms),
        ("`time_wait_ms`", agreement.time_wait_ms),
        ("`late_ms`", agreement.late_ms),
        ("`propose_stagger_ms`", agreement.propose_stagger_ms),
        ("`incomplete_delay_ms`", agreement.incomplete_delay_ms),
        ("`disputed_after_ms`", agreement.disputed_after_ms),
        ("`parent_window`", agreement.parent_window),
        ("`round_grace_ms`", agreement.round_grace_ms),
        ("`round_ms`", agreement.round_ms),
        ("`max_inflight`", agreement.max_inflight as u64),
        ("stale", HEAD_STALE.as_millis() as u64),
        ("`resend_after_ms`", sending.resend_after_ms),
        ("`bump_after_ms`", sending.bump_after_ms),
        ("`max_in_flight`", sending.max_in_flight as u64),
        ("votes in a transaction", sending.max_batch as u64),
        ("`max_sends_per_slot`", sending.spending.max_sends_per_slot as u64),
        ("`max_gas_per_hour`", sending.spending.max_gas_per_hour),
        ("`catch_up_percent`", sending.pace.catch_up_percent),
        ("registry capacity", REGISTRY_CAPACITY as u64),
    ] {
        assert_eq!(constant(name), value, "{name}");
    }
}

/// The default that the list of the NixOS options tells for one of a witness.
fn nix_default(option: &str) -> String {
    let (_, section) = OPTIONS.split_once(&format!("\n### `witness.<name>.{option}`\n")).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let default = section.lines().find_map(|line| line.strip_prefix("Default: `")?.strip_suffix('`')).unwrap();
    default.trim_matches('"').to_owned()
}

#[test]
fn the_nix_options_have_the_programs_defaults() {
    let init = InitArgs::augment_args(Command::new("init"));
    let from_sequence = init.get_arguments().find(|flag| flag.get_id() == "from_sequence").unwrap();
    assert_eq!(from_sequence.get_default_values(), [nix_default("fromSequence").as_str()]);
    assert_eq!(nix_default("logLevel"), Logger::Daemon.filter());
}

#[test]
fn the_help_shows_what_only_the_file_sets() {
    let help = only_in_the_file();
    let ConfigFile { archive, .. } = file();
    let grace_ms = archive.grace_ms.unwrap();
    assert!(help.contains(&format!("\n  [archive] grace_ms [default: {grace_ms}]\n")), "{help}");
    let names = archive.fields.group_sequence.join(",");
    assert!(help.contains(&format!("\n  [archive.fields] group_sequence [default: {names}]\n")), "{help}");
    assert!(help.ends_with("\n  [[stream]] time [default: received]"), "{help}");
}

#[test]
fn a_help_text_ends_with_its_default() {
    let help = |name: &str| {
        let command = RunSettingsArgs::augment_args(Command::new(""));
        let flag = command.get_arguments().find(|flag| flag.get_id() == name).cloned().unwrap();
        (flag.get_help().unwrap().to_string(), flag.get_default_values().is_empty())
    };
    let poll_ms = RunSettingsArgs::default().poll().as_millis();
    assert_eq!(help("poll_ms"), (format!("Milliseconds between two polls of the ledger [default: {poll_ms}]"), true));
}
