//! `setup` and `key`: from nothing to a witness that votes.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    process::Stdio,
    sync::{Arc, Mutex},
};

use super::*;
use crate::common::{ec_witness, running::await_or_report};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn one_command_makes_a_configuration_that_works() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    let config = rail.path("etc/witness.toml");
    let (ledger, store) = (rail.deployed.ledger, rail.store(1));
    let setup = |more: &str| {
        let mut command = ec_witness(&format!("setup --no-questions --groups-per-epoch 3 --ledger {ledger} {more}"));
        command.arg("--config").arg(&config).arg("--store").arg(&store).arg("--archive").arg(archive.path());
        run(command.arg("--rpc").arg(rail.net.rpc()).env("EC_WITNESS_KEY_FILE", rail.net.key_file(1)))
    };
    // what is wrong is told, and nothing is written
    let wrong = setup("--tracks vido0.m4s");
    assert!(wrong.code == 1 && wrong.stdout.contains("is \"video0.m4s\" meant?") && !config.exists(), "{wrong:?}");
    let written = setup("");
    assert_eq!(written.code, 0, "{written:?}");
    assert!(
        written.stdout.contains("written: ") && written.stdout.contains("ec-witness init --config "),
        "{written:?}"
    );
    let text = fs::read_to_string(&config).unwrap();
    for line in
        [format!("chain_id = {}", rail.net.chain_id()), format!("ledger = \"{ledger}\""), "deploy_block = ".into()]
    {
        assert!(text.contains(&line), "{line} is missing: {text}");
    }
    assert!(!text.contains(&rail.net.key(1)), "a secret stands in a file of its own");
    // what is there is not written over unless that is asked for
    setup("").assert_error(&["is there already", "--overwrite"]);
    assert_eq!(setup("--overwrite --rpc-agree 1").code, 0);
    assert!(fs::read_to_string(&config).unwrap().contains("rpc_agree = 1"));

    let with = |command: &str| run(ec_witness(command).env_remove("EC_WITNESS_NUMBERING").arg("--config").arg(&config));
    assert_eq!(with("config check").code, 0);
    assert_eq!(with("init --from-sequence first").code, 0);
    let once = with(&format!("run --once {DELAYS}"));
    assert_eq!(once.code, 0, "{once:?}");
}

#[test]
fn what_is_missing_is_named_where_nobody_is_asked() {
    let archive = TestArchive::of_groups(3);
    let dir = tempfile::tempdir().unwrap();
    let refused = |flags: &str| {
        let outcome = run(ec_witness(&format!("setup {flags}")).arg("--config").arg(dir.path().join("w.toml")));
        assert_eq!(outcome.code, 2, "{outcome:?}");
        outcome.stderr
    };
    assert!(refused("").contains("give --rpc URL"));
    assert!(refused("--rpc http://127.0.0.1:1").contains("does not answer"));
    assert!(refused("--rpc http://127.0.0.1:1 --chain-id 1").contains("give --ledger ADDRESS"));
    let _ = archive;
}

#[test]
fn a_key_is_made_once_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let keystore = dir.path().join("key.json");
    let make = || run(ec_witness("key create --keystore").arg(&keystore));
    let made = make();
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!((mode(&keystore), mode(&dir.path().join("password"))), (0o600, 0o600));
    let password = fs::read_to_string(dir.path().join("password")).unwrap();
    assert!(!format!("{made:?}").contains(password.trim()));
    let mut command = ec_witness("key address");
    let address =
        run(command.env("EC_WITNESS_KEYSTORE", &keystore).env("EC_WITNESS_PASSWORD_FILE", dir.path().join("password")));
    assert_eq!(address.stdout, made.stdout);
    make().assert_error(&["never written over"]);
}

/// Whether each of these comes after the one before it.
fn has_in_order<'a>(mut text: &str, mut parts: impl Iterator<Item = &'a str>) -> bool {
    parts.all(|part| text.split_once(part).map(|(_, after)| text = after).is_some())
}

/// A person at a terminal: reads what is shown, and types.
#[test]
fn on_a_terminal_it_asks_for_what_is_missing() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    let config = rail.path("etc/witness.toml");
    let program = ec_witness("").get_program().to_owned();
    let line = format!("{} setup --config {}", program.display(), config.display());
    let mut command = std::process::Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).env("EC_WITNESS_NUMBERING", "timeline").env("COLUMNS", "200");
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    let mut asked = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut types, mut shows) = (asked.stdin.take().unwrap(), asked.stdout.take().unwrap());
    let shown = Arc::new(Mutex::new(String::new()));
    let screen = Arc::clone(&shown);
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = shows.read(&mut bytes) {
            screen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    });
    let (rpc, ledger, store) = (rail.net.rpc(), rail.deployed.ledger.to_string(), rail.store(1));
    // an endpoint that does not answer is told, and asked for again
    for (question, answer) in [
        ("RPC endpoints", "\u{15}http://127.0.0.1:1\r".into()),
        ("does not answer|RPC endpoints", format!("\u{15}{rpc}\r")),
        ("Is that the chain?", "y".into()),
        ("Address of the observation ledger", format!("{ledger}\r")),
        ("Directory of the archive", format!("{}\r", archive.dir())),
        ("The witness's key", "\r".into()),
        ("Keystore", "\r".into()),
        ("File of its password", "\r".into()),
        ("Directory of the vote store", format!("{}\r", store.display())),
        ("Write ", "y".into()),
    ] {
        await_or_report(|| shown.lock().unwrap().clone(), || has_in_order(&shown.lock().unwrap(), question.split('|')));
        types.write_all(answer.as_bytes()).unwrap();
    }
    let ended = asked.wait().unwrap();
    reader.join().unwrap();
    let shown = shown.lock().unwrap();
    assert!(ended.success(), "{shown}");
    assert!(shown.contains("made the key of 0x") && shown.contains("registry add 0x"), "{shown}");
    assert_eq!((mode(&config), mode(&rail.path("etc/key.json"))), (0o644, 0o600));
    assert!(fs::read_to_string(&config).unwrap().contains(&ledger));
}
