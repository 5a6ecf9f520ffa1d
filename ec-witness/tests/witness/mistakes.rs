//! The mistakes that a witness is set up with, each told by file, field, value and fix before anything irreversible happens.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

use alloy::providers::{Provider, ext::AnvilApi};

use super::*;
use crate::common::{block_on, ec_witness};

/// A configuration, by `[section] key` and value as TOML.
#[derive(Clone)]
struct Settings(BTreeMap<(&'static str, &'static str), String>);

impl Settings {
    /// What is right for witness `w`.
    fn right(rail: &Rail, archive: &TestArchive, w: usize) -> Self {
        let quoted = |path: &Path| format!("{:?}", path.to_str().unwrap());
        let Deployment { registry, ledger, .. } = rail.deployed;
        let (url, chain_id) = (rail.net.rpc(), rail.net.chain_id());
        Self(BTreeMap::from([
            (("archive", "dir"), quoted(archive.path())),
            (("archive", "numbering"), "\"timeline\"".to_owned()),
            (("archive", "groups_per_epoch"), archive::GROUPS_PER_EPOCH.to_string()),
            (("chain", "rpc"), format!("{url:?}")),
            (("chain", "chain_id"), chain_id.to_string()),
            (("chain", "ledger"), format!("\"{ledger}\"")),
            (("chain", "registry"), format!("\"{registry}\"")),
            (("chain", "deploy_block"), "1".to_owned()),
            (("key", "key_file"), quoted(&rail.net.key_file(w))),
            (("store", "dir"), quoted(&rail.store(w))),
        ]))
    }

    fn with(&self, section: &'static str, key: &'static str, value: impl Into<String>) -> Self {
        let mut changed = self.clone();
        changed.0.insert((section, key), value.into());
        changed
    }

    fn text(&self) -> String {
        let sections: std::collections::BTreeSet<_> = self.0.keys().map(|(section, _)| *section).collect();
        let lines = |section| {
            let of = self.0.iter().filter(move |((of, _), _)| *of == section);
            of.map(|((_, key), value)| format!("{key} = {value}\n")).collect::<String>()
        };
        // a broadcast's table is one of several
        let head = |section| if section == "stream" { "[[stream]]\n".to_owned() } else { format!("[{section}]\n") };
        sections.into_iter().map(|section| head(section) + &lines(section)).collect()
    }
}

/// Runs a command with this configuration and nothing else.
fn with_file(file: &Path, settings: &Settings, command: &str) -> Outcome {
    fs::write(file, settings.text()).unwrap();
    let mut command = ec_witness(command);
    run(command.env_remove("EC_WITNESS_NUMBERING").arg("--config").arg(file))
}

#[track_caller]
fn says(outcome: &Outcome, parts: &[&str]) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing: {outcome:?}");
    }
}

/// A mistake, which `config check` and `init` must name.
struct Mistake {
    name: &'static str,
    settings: Settings,
    /// What must be said of it, beside the file: field, value and fix.
    says: Vec<String>,
}

#[test]
fn each_mistake_is_named_with_its_fix_before_anything_irreversible() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    let file = rail.path("witness.toml");
    let right = Settings::right(&rail, &archive, 1);
    let Deployment { registry, ledger, .. } = rail.deployed;
    // a second store of the same settings, that init must not make
    let other = rail.path("other-store");
    let unmade = |settings: &Settings| settings.with("store", "dir", format!("{:?}", other.to_str().unwrap()));

    // forgotten init: said by the check, and by run
    let forgotten = with_file(&file, &right, "config check");
    assert_eq!(forgotten.code, 0, "nothing is wrong: {forgotten:?}");
    says(
        &forgotten,
        &["init was not run", "[store] dir", rail.store(1).to_str().unwrap(), "`ec-witness init --config "],
    );
    with_file(&file, &right, "run --once").assert_error(&[
        "no vote store",
        "`ec-witness init`",
        rail.store(1).to_str().unwrap(),
    ]);

    let init = with_file(&file, &right, "init --from-sequence first");
    assert_eq!(init.code, 0, "{init:?}");
    let copy = rail.path("copy");
    copy_store(&rail.store(1), &copy);
    assert_eq!(with_file(&file, &right, &format!("run --once {DELAYS}")).code, 0);
    let sound = with_file(&file, &right, "config check");
    assert_eq!(sound.code, 0, "{sound:?}");

    let newest = block_on(async { rail.net.provider().get_block_number().await.unwrap() });
    let typo = archive.path().with_extension("typo");
    let exposed = rail.net.secret("exposed", &rail.net.key(1), 0o644);
    let quoted = |text: &str| format!("{text:?}");
    let mistakes = [
        Mistake {
            name: "wrong path",
            settings: right.with("archive", "dir", quoted(typo.to_str().unwrap())),
            says: vec![
                format!("[archive] dir = {}", typo.join("manifests").display()),
                "correct the path of the archive".into(),
            ],
        },
        Mistake {
            name: "wrong broadcast",
            settings: right.with("stream", "broadcast", "\"tvv\""),
            says: vec!["[[stream]] broadcast = \"tvv\"".into(), "is \"tv\" meant?".into()],
        },
        Mistake {
            name: "wrong track",
            settings: right.with("archive", "tracks", "[\"vido0.m4s\", \"audio0.m4s\"]"),
            says: vec!["[archive] tracks = \"vido0.m4s\"".into(), "is \"video0.m4s\" meant?".into()],
        },
        Mistake {
            name: "late deploy_block",
            settings: right.with("chain", "deploy_block", newest.to_string()),
            says: vec![
                format!("[chain] deploy_block = {newest}"),
                "votes before deploy_block would not be seen".into(),
                "fix: deploy_block = ".into(),
            ],
        },
        Mistake {
            name: "swapped addresses",
            settings: right.with("chain", "ledger", format!("\"{registry}\"")).with(
                "chain",
                "registry",
                format!("\"{ledger}\""),
            ),
            says: vec![
                format!("[chain] ledger = {registry}"),
                format!("fix: ledger = \"{ledger}\""),
                format!("fix: registry = \"{registry}\""),
            ],
        },
        Mistake {
            name: "wrong key mode",
            settings: right.with("key", "key_file", quoted(exposed.to_str().unwrap())),
            says: vec![
                format!("[key] key_file = {}", exposed.display()),
                "mode 0644".into(),
                format!("chmod 600 {}", exposed.display()),
            ],
        },
    ];
    let shown = file.to_str().unwrap();
    for Mistake { name, settings, says: parts } in &mistakes {
        let parts: Vec<_> = parts.iter().map(String::as_str).chain([shown]).collect();
        let checked = with_file(&file, settings, "config check");
        assert_eq!(checked.code, 1, "{name}: {checked:?}");
        says(&checked, &parts);
        let refused = with_file(&file, &unmade(settings), "init");
        assert_eq!(refused.code, 2, "{name}: {refused:?}");
        says(&refused, &parts);
        says(&refused, &["nothing was created"]);
        assert!(!other.exists(), "{name}: there is a store now");
    }

    // a store that is shared
    let second = Settings::right(&rail, &archive, 2).with("store", "dir", quoted(rail.store(1).to_str().unwrap()));
    let shared = with_file(&file, &second, "config check");
    assert_eq!(shared.code, 1, "{shared:?}");
    says(&shared, &[shown, "[store] dir", "belongs to witness", "a store of its own"]);
    with_file(&file, &second, "init").assert_error(&[shown, "[store] dir", "there is a vote store already"]);

    // one that was restored from a copy
    fs::remove_dir_all(rail.store(1)).unwrap();
    copy_store(&copy, &rail.store(1));
    let restored = with_file(&file, &right, "config check");
    assert_eq!(restored.code, 1, "{restored:?}");
    says(&restored, &[shown, "[store] dir", "older copy", "`ec-witness init`", "--store "]);
    let sent = rail.nonce(1);
    with_file(&file, &right, &format!("run --once {DELAYS}")).assert_error(&[]);
    assert_eq!(rail.nonce(1), sent, "nothing is sent with it");

    // a clock that is slow: the chain's blocks are from the future
    block_on(async {
        let node = rail.net.provider();
        node.anvil_increase_time(3600).await.unwrap();
        node.anvil_mine(Some(1), None).await.unwrap();
    });
    let slow = with_file(&file, &right, "config check");
    assert_eq!(slow.code, 1, "{slow:?}");
    says(&slow, &["this host's clock is 3", "behind the time of the chain's newest block", "timedatectl"]);
    with_file(&file, &unmade(&right), "init").assert_error(&["this host's clock is 3", "nothing was created"]);
    assert!(!other.exists());
}

/// The files of a store that nobody has open.
fn copy_store(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn what_a_flag_or_a_variable_sets_is_named_as_that() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    let by_flag = run(&mut rail.command(1, &archive, "config check --deploy-block 999999 --json"));
    assert_eq!(by_flag.code, 1, "{by_flag:?}");
    let failed = |outcome: &Outcome| outcome.lines().into_iter().find(|line| line["level"] == "fail").unwrap();
    let found = failed(&by_flag);
    assert_eq!(
        (&found["field"], &found["value"], &found["file"]),
        (&"--deploy-block".into(), &"999999".into(), &Value::Null)
    );
    let mut command = rail.command(1, &archive, "config check --json");
    let found = failed(&run(command.env("EC_WITNESS_CHAIN_ID", "5")));
    assert_eq!((&found["field"], &found["value"]), (&"EC_WITNESS_CHAIN_ID".into(), &"5".into()));
}

#[test]
fn what_the_unit_sets_is_looked_at() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    // the store and the key are the unit's, as the manual has it
    let mut settings = Settings::right(&rail, &archive, 1);
    settings.0.retain(|(section, _), _| !matches!(*section, "store" | "key"));
    let file = rail.path("witness.toml");
    let status = |more: &str| with_file(&file, &settings, &format!("status --check {more}"));
    let unseen = status("");
    assert_eq!(unseen.code, 1, "{unseen:?}");
    says(&unseen, &["not known: witness ?", "no vote store is named", "--unit NAME"]);

    // a process that runs with this very file is found, and what it was started with is looked at
    rail.init(1, &archive);
    let mut command = rail.command(1, &archive, &format!("run {DELAYS}"));
    let running = Running::spawn(command.arg("--config").arg(&file));
    daemon::await_final(&rail, &archive, 1);
    let seen = status("");
    says(&seen, &[&format!("witness {}", rail.net.account(1)), &format!("process {}", running.id())]);

    // a unit, as systemd tells of one
    let systemctl = rail.path("bin/systemctl");
    fs::create_dir(systemctl.parent().unwrap()).unwrap();
    let tells = |unit: &str| {
        fs::write(&systemctl, format!("#!/bin/sh\ncat <<'END'\n{unit}\nEND\n")).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let path = format!("{}:{}", systemctl.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let of_unit = || {
        let mut command = ec_witness("status --check --unit w.service");
        run(command.env("PATH", &path))
    };
    tells(&format!("LoadState=loaded\nMainPID={}", running.id()));
    says(&of_unit(), &[&format!("process {}", running.id())]);
    running.signal("-TERM");
    running.end();
    let (config, store) = (file.display(), rail.store(1));
    tells(&format!(
        "LoadState=loaded\nMainPID=0\nEnvironment=EC_WITNESS_STORE={}\nExecStart={{ path=/x ; argv[]=/x run --config {config} ; }}",
        store.display()
    ));
    let stopped = of_unit();
    assert_eq!(stopped.code, 1, "{stopped:?}");
    says(&stopped, &["not running", "no process holds the store"]);
    tells("LoadState=not-found\nMainPID=0");
    of_unit().assert_error(&["--unit w.service", "no such unit"]);
}
