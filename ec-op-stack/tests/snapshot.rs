//! Snapshots of real files by the real binary, which is killed before every call that changes a file.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use common::{expect, expect_json};
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use serde_json::json;

/// Calls that change files, each of which may be the last thing that a run does.
const CHANGES: &str = "write,fsync,rename,unlink,mkdir,fchmod,utimensat,ftruncate";

/// A host: a chain's files and the programs' data, below one directory.
struct Host(tempfile::TempDir);

impl Host {
    /// One with nothing but the chain's files.
    fn new() -> Self {
        let host = Self(common::copies(&["rollup.json", "genesis.json"]));
        let stack = json!({
            "role": "sequencer",
            "files": {"rollup": host.path("rollup.json"), "genesis": host.path("genesis.json")},
            "components": {
                "op-geth": {"version": "v1.101608.0", "args": [format!("--datadir={}", host.path("geth/data").display())]},
                "op-node": {"version": "v1.16.7", "args": [
                    format!("--safedb.path={}", host.path("node/safedb").display()),
                    format!("--p2p.peerstore.path={}", host.path("node/peerstore").display()),
                ]},
            },
        });
        fs::write(host.path("stack.json"), stack.to_string()).unwrap();
        host
    }

    /// One with data, of which one file is larger than what is read at once.
    fn with_data() -> Self {
        let host = Self::new();
        host.write("geth/data/initialised", b"genesis");
        host.write("geth/data/geth/LOCK", b"");
        host.write("geth/data/geth/nodekey", b"secret");
        host.write("geth/data/geth/chaindata/LOCK", b"");
        host.write("geth/data/geth/chaindata/CURRENT", b"MANIFEST-1");
        host.write("geth/data/geth/chaindata/ancient/bodies.0000.cdat", &large(0));
        host.write("geth/data/keystore/UTC--1", b"secret");
        host.write("node/safedb/000001.log", b"safe heads");
        host.write("node/safedb/LOCK", b"");
        host.write("node/peerstore/000001.log", b"the node's own key");
        host
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn write(&self, below: &str, bytes: &[u8]) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn args(command: &str, snapshot: &Path) -> Vec<String> {
        let flag = if command == "snapshot" { "--to" } else { "--from" };
        [command, "--stack", "stack.json", flag, snapshot.to_str().unwrap()].map(str::to_owned).to_vec()
    }

    /// Runs `snapshot` or `restore` and expects this exit code; stdout and stderr.
    fn expect(&self, code: i32, command: &str, snapshot: &Path) -> (String, String) {
        let args = Self::args(command, snapshot);
        expect(self.0.path(), code, &args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs it until just before the n-th call of one of these kinds, each counted by itself, and kills it there. Whether it came to
    /// an end before.
    fn kill_at(&self, calls: &str, n: usize, command: &str, snapshot: &Path) -> bool {
        let mut strace = Command::new("strace");
        strace.current_dir(self.0.path()).args(["-f", "-qq", "-o", "/dev/null", "-e"]);
        strace.arg(format!("trace={calls}")).arg("-e").arg(format!("inject={calls}:signal=KILL:when={n}"));
        strace.arg(env!("CARGO_BIN_EXE_ec-op-stack")).args(Self::args(command, snapshot));
        strace.output().expect("strace is needed: scripts/install-tools").status.success()
    }

    /// The chain's data, by path below the host, without locks and what is this host's alone.
    fn data(&self) -> BTreeMap<String, Vec<u8>> {
        let mut data = files(self.0.path());
        data.retain(|path, _| {
            let is_data = path.starts_with("geth/data/") || path.starts_with("node/safedb/");
            is_data && !["LOCK", "nodekey", "UTC--1"].iter().any(|name| path.ends_with(name))
        });
        data
    }
}

fn large(seed: u8) -> Vec<u8> {
    (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 ^ seed).collect()
}

/// Every file below `dir`, by path.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let all = walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let named = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
        (path, fs::read(entry.path()).unwrap())
    };
    all.map(named).collect()
}

#[test]
fn another_host_gets_the_data_and_no_secret() {
    let (old, new) = (Host::with_data(), Host::new());
    fs::set_permissions(old.path("geth/data/initialised"), Permissions::from_mode(0o640)).unwrap();
    let snapshot = old.path("snapshot");
    let (out, _) = old.expect(0, "snapshot", &snapshot);
    assert!(out.contains("left out: op-geth/geth/nodekey, a secret of this host"), "{out}");
    assert!(out.contains("op-geth and op-node-safedb of chain "), "{out}");
    let text = fs::read_to_string(snapshot.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entry = &manifest["parts"][0]["files"][1];
    assert_eq!(entry["path"], "geth/chaindata/ancient/bodies.0000.cdat");
    assert_eq!(entry["blake3"], blake3::hash(&large(0)).to_hex().as_str());
    assert!(!files(&snapshot).values().any(|bytes| bytes == b"secret" || bytes == b"the node's own key"));

    let (out, _) = new.expect(0, "restore", &snapshot);
    assert!(out.starts_with("in place: op-geth and op-node-safedb"), "{out}");
    assert_eq!(new.data(), old.data());
    let mode = |path: &str| fs::metadata(new.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("geth/data/initialised"), mode("geth/data")), (0o640, 0o700));
    // a second time it says the same and changes nothing
    new.expect(0, "restore", &snapshot);
    assert_eq!(files(new.0.path()).len(), new.data().len() + 3, "nothing is left beside the data");
}

#[test]
fn secrets_come_along_when_they_are_asked_for() {
    let old = Host::with_data();
    let snapshot = old.path("snapshot");
    let mut args = Host::args("snapshot", &snapshot);
    args.push("--with-secrets".to_owned());
    let printed = expect_json(old.0.path(), 0, &args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((&printed["done"], &printed["parts"][0]["left_out"]), (&json!(true), &json!([])));
    assert_eq!(fs::read(snapshot.join("data/op-geth/geth/nodekey")).unwrap(), b"secret");
    assert_eq!(fs::read(snapshot.join("data/op-geth/keystore/UTC--1")).unwrap(), b"secret");
    let mode = fs::metadata(&snapshot).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else reads it");
}

#[test]
fn data_in_use_is_not_copied() {
    type Lock = fn(&File);
    let old = Host::with_data();
    let snapshot = old.path("snapshot");
    // as geth's instance does, and as pebble and MDBX do
    let locks: [(&str, Lock); 2] = [
        ("geth/data/geth/LOCK", |file| flock(file, FlockOperation::NonBlockingLockExclusive).unwrap()),
        ("node/safedb/LOCK", |file| fcntl_lock(file, FlockOperation::NonBlockingLockExclusive).unwrap()),
    ];
    for (path, lock) in locks {
        let file = File::options().read(true).write(true).open(old.path(path)).unwrap();
        lock(&file);
        let (_, err) = old.expect(1, "snapshot", &snapshot);
        assert!(err.contains(path) && err.contains("a process holds this lock"), "{err}");
        assert!(!snapshot.exists());
    }
    old.expect(0, "snapshot", &snapshot);
}

#[test]
fn a_snapshot_that_is_killed_anywhere_goes_on_and_is_whole() {
    let (old, new) = (Host::with_data(), Host::new());
    let snapshot = old.path("snapshot");
    let mut kills = 0;
    // without an end in between: each run goes on where the one before was killed
    for n in 1.. {
        if old.kill_at(CHANGES, n % 7 + 1, "snapshot", &snapshot) {
            break;
        }
        kills += 1;
        assert!(kills < 200, "it never comes to an end");
        if !snapshot.join("manifest.json").exists() {
            new.expect(1, "restore", &snapshot);
            assert!(new.data().is_empty());
        }
    }
    assert!(kills > 3, "{kills}");
    new.expect(0, "restore", &snapshot);
    assert_eq!(new.data(), old.data());

    // and each alone
    let mut changes = 0;
    for call in CHANGES.split(',') {
        for n in 1.. {
            let snapshot = old.path(&format!("snapshot-{call}-{n}"));
            if old.kill_at(call, n, "snapshot", &snapshot) {
                break;
            }
            changes += 1;
            let manifest = snapshot.join("manifest.json");
            if !manifest.exists() || snapshot.join("unfinished").exists() {
                old.expect(0, "snapshot", &snapshot);
            }
            assert!(manifest.exists() && !snapshot.join("unfinished").exists(), "{call} {n}");
            let left: Vec<_> = files(&snapshot).into_keys().filter(|path| !path.starts_with("data/")).collect();
            assert_eq!(left, ["manifest.json"], "{call} {n}");
            let other = Host::new();
            other.expect(0, "restore", &snapshot);
            assert_eq!(other.data(), old.data(), "{call} {n}");
            fs::remove_dir_all(&snapshot).unwrap();
        }
    }
    assert!(changes > 40, "only {changes} changes were seen");
}

#[test]
fn a_restore_that_is_killed_anywhere_leaves_nothing_or_all_in_place() {
    let old = Host::with_data();
    let snapshot = old.path("snapshot");
    old.expect(0, "snapshot", &snapshot);
    let of =
        |host: &Host, place| host.data().into_iter().filter(|(path, _)| path.starts_with(place)).collect::<Vec<_>>();
    let mut changes = 0;
    for call in CHANGES.split(',') {
        for n in 1.. {
            let new = Host::new();
            let was_done = new.kill_at(call, n, "restore", &snapshot);
            for place in ["geth/data/", "node/safedb/"] {
                let found = of(&new, place);
                assert!(found.is_empty() || found == of(&old, place), "{call} {n}: half of {place} is in place");
            }
            new.expect(0, "restore", &snapshot);
            assert_eq!(new.data(), old.data(), "{call} {n}");
            assert!(files(new.0.path()).keys().all(|path| !path.contains(".restoring")), "{call} {n}");
            if was_done {
                break;
            }
            changes += 1;
        }
    }
    assert!(changes > 30, "only {changes} changes were seen");
}

#[test]
fn what_was_written_after_a_kill_is_copied_anew() {
    let (old, new) = (Host::with_data(), Host::new());
    let snapshot = old.path("snapshot");
    // as a run leaves it that is killed when all is copied and the manifest is not written
    old.expect(0, "snapshot", &snapshot);
    fs::rename(snapshot.join("manifest.json"), snapshot.join("unfinished")).unwrap();
    old.write("geth/data/geth/chaindata/CURRENT", b"MANIFEST-2");
    old.write("geth/data/geth/chaindata/ancient/bodies.0000.cdat", &large(1));
    fs::remove_file(old.path("geth/data/initialised")).unwrap();
    old.expect(0, "snapshot", &snapshot);
    new.expect(0, "restore", &snapshot);
    assert_eq!(new.data(), old.data());
    assert!(!new.path("geth/data/initialised").exists());
}

#[test]
fn a_damaged_snapshot_puts_nothing_in_place() {
    type Damage = fn(&Path);
    let old = Host::with_data();
    let snapshot = old.path("snapshot");
    old.expect(0, "snapshot", &snapshot);
    let victim = snapshot.join("data/op-node-safedb/000001.log");
    let whole = fs::read(&victim).unwrap();
    let damages: [(&str, Damage); 3] = [
        ("the manifest says BLAKE3 ", |path| fs::write(path, b"safe headz").unwrap()),
        ("5 bytes found, the manifest says 10 bytes", |path| fs::write(path, b"safe ").unwrap()),
        ("nothing found", |path| fs::remove_file(path).unwrap()),
    ];
    for (says, damage) in damages {
        let new = Host::new();
        damage(&victim);
        let (_, err) = new.expect(1, "restore", &snapshot);
        assert!(err.contains("000001.log") && err.contains(says), "{err}");
        assert!(new.data().is_empty(), "of the whole parts nothing is in place either");
        fs::write(&victim, &whole).unwrap();
        // mended, the same command goes on
        new.expect(0, "restore", &snapshot);
        assert_eq!(new.data(), old.data());
    }
}

#[test]
fn nothing_is_overwritten() {
    let (old, new) = (Host::with_data(), Host::new());
    let snapshot = old.path("snapshot");
    old.expect(0, "snapshot", &snapshot);
    let (_, err) = old.expect(1, "snapshot", &snapshot);
    assert!(err.contains("a finished snapshot is there"), "{err}");
    let (_, err) = old.expect(1, "snapshot", &old.path("geth"));
    assert!(err.contains("it is not empty"), "{err}");
    let (_, err) = old.expect(1, "snapshot", &old.path("geth/data/snapshot"));
    assert!(err.contains("of which it would be the snapshot"), "{err}");

    new.write("geth/data/geth/chaindata/CURRENT", b"another chain's");
    let (_, err) = new.expect(1, "restore", &snapshot);
    assert!(err.contains("geth/data: it is not empty"), "{err}");
    assert_eq!(new.data().len(), 1);
    fs::remove_dir_all(new.path("geth")).unwrap();
    // an empty directory is a place
    fs::create_dir_all(new.path("geth/data")).unwrap();

    let rollup = fs::read_to_string(new.path("rollup.json")).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&rollup).unwrap();
    other["genesis"]["l2"]["hash"] = json!("0x00");
    fs::write(new.path("rollup.json"), other.to_string()).unwrap();
    let (_, err) = new.expect(1, "restore", &snapshot);
    assert!(err.contains("the snapshot is of chain") && err.contains("rollup.json is of chain"), "{err}");
    fs::write(new.path("rollup.json"), rollup).unwrap();
    new.expect(0, "restore", &snapshot);
    assert_eq!(new.data(), old.data());
}

#[test]
fn one_run_at_a_time() {
    let (old, new) = (Host::with_data(), Host::new());
    let snapshot = old.path("snapshot");
    fs::create_dir(&snapshot).unwrap();
    let other = File::create(snapshot.join("unfinished")).unwrap();
    flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    let (_, err) = old.expect(1, "snapshot", &snapshot);
    assert!(err.contains("another run of this command"), "{err}");
    drop(other);
    old.expect(0, "snapshot", &snapshot);
    fs::create_dir_all(new.path("geth/data.restoring")).unwrap();
    let other = File::open(new.path("geth/data.restoring")).unwrap();
    flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    let (_, err) = new.expect(1, "restore", &snapshot);
    assert!(err.contains("another run of this command"), "{err}");
}

#[test]
fn what_cannot_be_looked_at_is_an_error() {
    let host = Host::new();
    let (_, err) = host.expect(1, "snapshot", &host.path("snapshot"));
    assert!(err.contains("geth/data: there is no such directory; op-geth's data should be there"), "{err}");
    fs::write(host.path("rollup.json"), "{}").unwrap();
    let (_, err) = host.expect(2, "snapshot", &host.path("snapshot"));
    assert!(err.contains("rollup.json: no l2_chain_id"), "{err}");
    let host = Host::with_data();
    std::os::unix::fs::symlink("/etc", host.path("geth/data/geth/chaindata/linked")).unwrap();
    let (_, err) = host.expect(2, "snapshot", &host.path("snapshot"));
    assert!(err.contains("linked: neither a file nor a directory"), "{err}");
}
