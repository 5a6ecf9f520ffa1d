//! A default that stands in several places is the same in all: the program, its packaging, the NixOS module, the documents.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

use std::{fs, path::Path};

use assert_cmd::Command;

/// A file of the repository.
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a command says of itself, without line breaks.
fn help(command: &str) -> String {
    let output = Command::cargo_bin("ec-witness").unwrap().args([command, "--help"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What follows `before` in `text`, up to `end`.
fn between(text: &str, before: &str, end: char) -> String {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("nobody says {before:?}"));
    rest.split(end).next().unwrap().to_owned()
}

/// The default of a witness's option in the reference of options, without quotes.
fn option(name: &str) -> String {
    let reference = read("docs/options.md");
    let (_, section) = reference.split_once(&format!("### `witness.<name>.{name}`\n")).unwrap();
    let section = section.split("\n### ").next().unwrap();
    between(section, "Default: `", '`').trim_matches('"').to_owned()
}

/// The default of an option in the module itself, where it is a literal.
fn literal(name: &str) -> String {
    let module = read("nix/modules/ec-witness.nix");
    let (_, option) = module.split_once(&format!(" {name} = mkOption {{")).unwrap();
    between(option, "default = ", ';').trim_matches('"').to_owned()
}

#[test]
fn metrics_listen_on_one_port_everywhere() {
    let unit = between(&read("ec-witness/packaging/ec-witness.service"), "EC_WITNESS_METRICS_LISTEN=", '\n');
    let places = [
        ("the container", between(&read("ec-witness/packaging/Containerfile"), "EC_WITNESS_METRICS_LISTEN=", ' ')),
        ("the option", option("metricsListen")),
        ("run --help", between(&help("run"), "/healthz and /readyz here, as ", ' ')),
        ("README.md", between(&read("README.md"), "metrics_listen = \"", '"')),
        ("operating-a-witness.md", between(&read("docs/operating-a-witness.md"), "--metrics-listen ", '`')),
        ("Prometheus", between(&read("docs/monitoring/prometheus.yml"), "targets: [\"", '"')),
    ];
    for (place, listen) in places {
        assert_eq!(listen, unit, "{place}, and the packaged unit");
    }
}

#[test]
fn the_configuration_is_in_one_place_everywhere() {
    let program = between(&help("run"), "the environment and flags come before it [default: ", ',');
    let places = [
        ("the unit", between(&read("ec-witness/packaging/ec-witness.service"), "# It reads ", ',')),
        ("README.md", between(&read("README.md"), "without it `", '`')),
        ("operating-a-witness.md", between(&read("docs/operating-a-witness.md"), "writes one configuration, `", '`')),
        ("setup --help", between(&help("setup"), "The configuration file to write [default: ", ']')),
        (
            "the module",
            format!(
                "/etc/{}",
                between(&read("nix/modules/ec-witness.nix"), "(lib.length names == 1) {\n        \"", '"')
            ),
        ),
    ];
    for (place, path) in places {
        assert_eq!(path, program, "{place}, and the program");
    }
    let container = read("ec-witness/packaging/Containerfile");
    assert!(!container.contains("EC_WITNESS_CONFIG"), "the container reads the same");
}

#[test]
fn the_options_have_the_programs_defaults() {
    let (run, init) = (help("run"), help("init"));
    let log = between(&run, "`module=level` pairs [default: ", ' ');
    let first = between(&init, "EC_WITNESS_FROM_SEQUENCE=] [default: ", ']');
    let percent = between(&run, "percent; 0: as fast as it goes [default: ", ']');
    for (name, default) in [
        ("logLevel", log.as_str()),
        ("fromSequence", first.as_str()),
        ("watchdogSec", "120"),
        ("catchUpPercent", &percent),
    ] {
        assert_eq!((option(name).as_str(), literal(name).as_str()), (default, default), "{name}");
    }
    let watchdog = between(&read("ec-witness/packaging/ec-witness.service"), "\nWatchdogSec=", '\n');
    assert_eq!(watchdog, "2min", "the packaged unit, and watchdogSec");
}

/// What the module gives to so many streams: the factor is what stands before `streams`, in this unit.
fn of_streams(limit: &str, streams: u64) -> u64 {
    let module = read("nix/modules/ec-witness.nix");
    let value = between(&module, &format!("    {limit} = "), ';');
    let numbers: Vec<u64> =
        value.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    match (&numbers[..], value.contains("streams)")) {
        ([base, each], false) => base + each * streams,
        ([times, base], true) => times * (base + streams),
        ([base], true) => base + streams,
        _ => panic!("{limit}: {value}"),
    }
}

#[test]
fn the_packaged_unit_has_room_for_as_many_streams_as_it_says() {
    const STREAMS: u64 = 5000;
    let unit = read("ec-witness/packaging/ec-witness.service");
    assert!(unit.contains(&format!("# Room for {STREAMS} streams")), "the unit says for how many it has room");
    let guide = read("docs/operating-a-witness.md");
    let of_unit = |limit: &str| between(&unit, &format!("\n{limit}="), '\n');
    let bytes = |value: &str| value.strip_suffix('G').map(|number| number.parse::<u64>().unwrap() * 1024);
    let files: u64 = of_unit("LimitNOFILE").parse().unwrap();
    assert!((of_streams("LimitNOFILE", STREAMS)..=65_536).contains(&files), "{files}");
    assert!(guide.contains(&format!("--ulimit nofile={files}:{files} ")), "a container has as many files");
    for (limit, flag) in [("MemoryHigh", "--memory-reservation"), ("MemoryMax", "--memory")] {
        let (mebibytes, wanted) = (bytes(&of_unit(limit)).unwrap(), of_streams(limit, STREAMS));
        assert!(
            (wanted..wanted + wanted / 10).contains(&mebibytes),
            "{limit}: {mebibytes} MiB, and {wanted} are needed"
        );
        let flag = format!("{flag} {}", of_unit(limit).to_lowercase());
        assert!(guide.contains(&flag), "a container has as much memory: {flag}");
    }
}
