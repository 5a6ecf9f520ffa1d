//! The vote store's disk fails under the real binary: full, failing to sync, lying.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use alloy::{providers::ext::AnvilApi, rpc::types::anvil::ReorgOptions};
use ec_observation::ObservationHash;

use super::{
    common::{
        running::{await_that, hand_settings},
        served::{Served, failed},
    },
    daemon::await_final,
    *,
};

fn witness_binary() -> &'static str {
    env!("CARGO_BIN_EXE_ec-witness")
}

/// The observations that the chain shows a vote of witness `w` for.
fn voted_on_chain(rail: &Rail, w: usize) -> BTreeSet<ObservationHash> {
    let votes = rail.net.votes(rail.deployed.ledger).into_iter();
    votes.filter(|(voter, _)| *voter == rail.net.account(w)).map(|(_, observation)| observation).collect()
}

/// The observations that the store of witness `w` has recorded.
fn recorded(rail: &Rail, w: usize, archive: &TestArchive) -> BTreeSet<ObservationHash> {
    let exported = run(&mut rail.command(w, archive, "history export"));
    let history: ec_witness::store::history::History = serde_json::from_str(&exported.stdout).unwrap();
    history.votes.iter().flat_map(|vote| &vote.headers).map(|header| header.hash()).collect()
}

/// A witness whose store is on a disk of 256 KiB that is full, in a mount namespace of its own.
struct OnFullDisk {
    child: Child,
    log: std::path::PathBuf,
    mount: std::path::PathBuf,
    served: Served,
}

impl OnFullDisk {
    fn start(rail: &Rail, archive: &TestArchive) -> Self {
        let mount = rail.net.dir.path().join("disk");
        fs::create_dir(&mount).unwrap();
        let log = rail.net.dir.path().join("log");
        let served = Served::anywhere();
        let script = format!(
            "mount -t tmpfs -o size=256k,mode=700 none {mount} && {witness} init --from-sequence first && \
             {{ dd if=/dev/zero of={mount}/ballast bs=4096 2>/dev/null; exec {witness} run {DELAYS}; }}",
            mount = mount.display(),
            witness = witness_binary(),
        );
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &script]);
        hand_settings(&rail.command(1, archive, ""), &mut command);
        command.env("EC_WITNESS_STORE", mount.join("store"));
        command.env("EC_WITNESS_METRICS_LISTEN", served.0.to_string());
        let log_file = fs::File::create(&log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log_file).spawn().expect("unshare is needed: util-linux");
        Self { child, log, mount, served }
    }

    #[track_caller]
    fn until_it_says(&mut self, text: &str) {
        await_that(text, || {
            let said = fs::read_to_string(&self.log).unwrap();
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {said}");
            said.contains(text)
        });
    }

    /// The disk as the witness sees it.
    fn path(&self, name: &str) -> std::path::PathBuf {
        let seen = Path::new("/proc").join(self.child.id().to_string()).join("root");
        seen.join(self.mount.strip_prefix("/").unwrap()).join(name)
    }
}

impl Drop for OnFullDisk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_full_disk_holds_the_votes_until_there_is_room() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    let mut witness = OnFullDisk::start(&rail, &archive);
    witness.until_it_says("no room on the vote store's disk");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(rail.nonce(1), 0, "nothing is sent");
    assert_eq!(failed(&witness.served.await_status("/readyz", 503)), ["store"]);
    witness.served.await_sample("ec_witness_store_writable", 0.0);
    fs::remove_file(witness.path("ballast")).unwrap();
    await_final(&rail, &archive, 2);
    witness.until_it_says("there is room on the vote store's disk again");
    witness.served.await_sample("ec_witness_store_writable", 1.0);
    assert_eq!(voted_on_chain(&rail, 1).len(), 2);
}

#[test]
fn a_sync_that_fails_ends_the_process_and_a_restart_goes_on() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(0);
    rail.init(1, &archive);
    let mut ended = 0;
    for k in 1..=12u64 {
        archive.append((k - 1) * 3..k * 3);
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"]);
        command.arg(format!("inject=fsync,fdatasync:error=EIO:when={k}")).arg(witness_binary());
        command.args(format!("run --once {DELAYS}").split_whitespace());
        hand_settings(&rail.command(1, &archive, ""), &mut command);
        let output = command.output().expect("strace is needed: scripts/install-tools");
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            // SQLite does not hear of it when a new journal's directory cannot be synced, and need not
            Some(0) => {}
            Some(2) => {
                assert!(said.contains("vote store: disk I/O error"), "{said}");
                ended += 1;
            }
            code => panic!("sync {k}: {code:?} {said}"),
        }
        let (chain, store) = (voted_on_chain(&rail, 1), recorded(&rail, 1, &archive));
        assert!(chain.is_subset(&store), "sync {k}: a vote was sent that is not recorded");
        let again = rail.once(1, &archive);
        assert_eq!((again.code, states(&again).len() as u64), (0, k), "sync {k}: {again:?}");
    }
    println!("{ended} of 12 failed syncs ended the process");
    assert!(ended >= 6, "{ended}");
    assert_eq!(voted_on_chain(&rail, 1).len(), 12);
}

#[test]
fn a_store_that_a_lying_disk_set_back_halts_until_it_is_resumed() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let file = rail.store(1).join("votes.sqlite");
    let earlier = fs::read(&file).unwrap();
    assert_eq!(rail.once(1, &archive).code, 0);
    fs::write(&file, earlier).unwrap();
    archive.append(3..6);
    let sent = rail.nonce(1);
    rail.once(1, &archive).assert_error(&["another instance uses the key"]);
    rail.once(1, &archive).assert_error(&[
        "this witness halted",
        "ec-witness resume --store ",
        " --acknowledge 1`",
        "\"kind\":\"foreign_vote\"",
    ]);
    let resume = |arguments: &str| run(&mut rail.command(1, &archive, &format!("resume {arguments}")));
    let shown = resume("--json");
    assert_eq!((shown.code, &shown.json()["halt"]["id"], &shown.json()["resumed"]), (0, &1.into(), &false.into()));
    resume("--acknowledge 2").assert_error(&["halt 2 does not stand", "halt 1 does"]);
    assert_eq!(resume("--acknowledge 1").code, 0);
    assert_eq!(resume("").code, 1, "none stands");
    rail.once(1, &archive).assert_error(&["another instance uses the key"]);
    assert_eq!(resume("--json").json()["halt"]["id"], 2, "the cause is still there");
    assert_eq!(rail.nonce(1), sent, "nothing was sent");
}

#[test]
fn a_chain_without_the_block_that_was_final_halts_the_next_start() {
    let rail = Rail::on(common::Devnet::with_finality_after(2), 1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let mine = |blocks| common::block_on(async { rail.net.provider().anvil_mine(Some(blocks), None).await.unwrap() });
    mine(20);
    assert_eq!(rail.once(1, &archive).code, 0);
    common::block_on(async {
        let options = ReorgOptions { depth: 12, tx_block_pairs: Vec::new() };
        rail.net.provider().anvil_reorg(options).await.unwrap();
    });
    rail.once(1, &archive).assert_error(&["which was final", "reorg below the finalized head"]);
    rail.once(1, &archive).assert_error(&["this witness halted", "deep_reorg"]);
    assert_eq!(run(&mut rail.command(1, &archive, "resume --acknowledge 1")).code, 0);
    archive.append(3..6);
    let outcome = rail.once(1, &archive);
    assert_eq!((outcome.code, states(&outcome)), (0, vec!["finalized".to_owned(); 2]), "{outcome:?}");
    assert_eq!(voted_on_chain(&rail, 1).len(), 2);
}

#[test]
fn damage_that_is_found_beside_the_votes_ends_the_witness_as_it_would_a_start() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    assert_eq!(rail.once(1, &archive).code, 0);
    let database = rusqlite::Connection::open(rail.store(1).join("votes.sqlite")).unwrap();
    let damage = "UPDATE votes SET content = '0x' || substr(content, 4) || '0'";
    assert_eq!(database.execute(damage, []).unwrap(), 1);
    drop(database);
    let damaged = ["not an intact vote store", "is not the one that was recorded"];
    // the store was closed in order, so it is found after the start; then it was not
    for starts in [true, false] {
        let ended = run(&mut rail.command(1, &archive, &format!("run {DELAYS} --log info")));
        ended.assert_error(&damaged);
        assert_eq!(ended.stderr.contains("witness started"), starts, "{ended:?}");
    }
    assert_eq!(rail.nonce(1), 1, "nothing more is sent");
}

#[test]
fn a_second_process_and_a_lost_store_are_refused_each_time() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let held = ec_witness::store::VoteStore::open_halted(&rail.store(1)).unwrap();
    let lost = rail.net.dir.path().join("lost");
    let mut longest = Duration::ZERO;
    for _ in 0..100 {
        for (store, refusal) in
            [(rail.store(1), "another process uses this vote store"), (lost.clone(), "no vote store")]
        {
            let begun = Instant::now();
            let outcome = run(rail.command(1, &archive, "run --once").env("EC_WITNESS_STORE", store));
            longest = longest.max(begun.elapsed());
            outcome.assert_error(&[refusal]);
        }
    }
    drop(held);
    println!("200 refusals, the slowest after {longest:?}");
    assert!(longest < Duration::from_secs(60), "{longest:?}");
    assert_eq!(rail.nonce(1), 0);
}
