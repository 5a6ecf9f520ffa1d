//! The contracts on an Anvil, copies of the sample archive, and the real binary over both.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use alloy::{
    contract::{CallBuilder, CallDecoder},
    primitives::{Address, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
};
use assert_cmd::Command;
use ec_archive::{AtRest, StreamIndex};
use ec_explorer::settings::{Overrides, Settings};
use ec_ledger::contracts::{
    EveryChannelObservationLedger as Ledger, EveryChannelObservationLedger::EveryChannelObservationLedgerInstance,
    EveryChannelWitnessRegistry as Registry, EveryChannelWitnessRegistry::EveryChannelWitnessRegistryInstance,
};
use ec_observation::ObservationHeader;
use ec_testing::{
    anvil::Anvil,
    repository,
    running::{Running, await_some, block_on},
    served::Served,
};
use serde_json::Value;
use tempfile::TempDir;

/// Blocks that the finalized head is behind.
pub(crate) const FINAL_AFTER: u64 = 20;

/// A chain with the contracts, four witnesses of whom three are the quorum.
pub(crate) struct Bench {
    anvil: Anvil,
    pub(crate) dir: TempDir,
    node: DynProvider,
    ledger: EveryChannelObservationLedgerInstance<DynProvider>,
    registry: EveryChannelWitnessRegistryInstance<DynProvider>,
    /// The rollup's node, where there is one.
    pub(crate) op_node: Option<String>,
}

/// The explorer at work.
pub(crate) struct Explorer {
    pub(crate) running: Running,
    pub(crate) served: Served,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Bench {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let after = (FINAL_AFTER / 2).to_string();
        let anvil = Anvil::start(dir.path(), &["--slots-in-an-epoch".into(), after]).unwrap();
        let node =
            ProviderBuilder::new().disable_recommended_fillers().connect_http(anvil.rpc().parse().unwrap()).erased();
        let (owner, witnesses) = (anvil.accounts()[0], anvil.accounts()[1..=4].to_vec());
        let (registry, ledger) = block_on(async {
            let registry = Registry::deploy_builder(&node, owner, witnesses, 3).from(owner).deploy().await.unwrap();
            let ledger = Ledger::deploy_builder(&node, registry).from(owner).deploy().await.unwrap();
            (registry, ledger)
        });
        let bench = Self {
            registry: Registry::new(registry, node.clone()),
            ledger: Ledger::new(ledger, node.clone()),
            anvil,
            dir,
            node,
            op_node: None,
        };
        bench.copy("sample", "first");
        bench
    }

    /// Copies one of the repository's archives; objects are linked.
    pub(crate) fn copy(&self, of: &str, name: &str) {
        let (from, to) = (repository().join("archives").join(of), self.archive(name));
        copy_all(&from.join("manifests"), &to.join("manifests"));
        if from.join("cas").is_dir() {
            std::os::unix::fs::symlink(from.join("cas"), to.join("cas")).unwrap();
        }
    }

    pub(crate) fn archive(&self, name: &str) -> PathBuf {
        self.dir.path().join("archives").join(name)
    }

    /// Writes the explorer's configuration over these archives, and returns its path.
    pub(crate) fn config(&self, archives: &[&str]) -> PathBuf {
        let path = self.dir.path().join("explorer.toml");
        let ledger = self.ledger.address();
        let mut text = format!(
            "[explorer]\ndir = {:?}\nlisten = \"127.0.0.1:0\"\npoll_ms = 100\n[chain]\nrpc = {:?}\nchain_id = {}\nledger = \"{ledger}\"\n",
            self.dir.path().join("explorer"),
            self.anvil.rpc(),
            Anvil::CHAIN_ID,
        );
        text += &self.op_node.as_ref().map(|url| format!("op_node = {url:?}\n")).unwrap_or_default();
        for name in archives {
            text += &format!(
                "[[archive]]\nname = {name:?}\ndir = {:?}\ngroups_per_epoch = 10\ngrace_ms = 300\n",
                self.archive(name)
            );
        }
        text += "[[stream]]\nbroadcast = \"la-abc\"\ntrack_groups_per_epoch = { \"audio0.m4s\" = 940 }\n";
        text += "[[stream]]\nbroadcast = \"la-nbc\"\nnumbering = \"timeline\"\ngroups_per_epoch = 30\ntracks = [\"video0.m4s\", \"audio0.m4s\"]\n";
        text += &format!("[[witness]]\naddress = \"{}\"\nname = \"the first\"\n", self.account(1));
        fs::write(&path, text).unwrap();
        path
    }

    /// Starts the binary.
    pub(crate) fn explore(&self, archives: &[&str], arguments: &[&str]) -> Explorer {
        let served = Served::anywhere();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ec-explorer"));
        command.arg("serve").arg("--config").arg(self.config(archives)).arg("--listen").arg(served.0.to_string());
        command.args(arguments).args(["--log", "debug,hyper=info"]);
        let log = fs::File::options().create(true).append(true).open(self.dir.path().join("explorer.log")).unwrap();
        let explorer = Explorer { running: Running::of(&command, log), served };
        explorer.await_get("/api/v1", |about| about["ledgers"][0]["state"] == "following");
        explorer
    }

    /// What `ec-witness check` says of bytes with this hash, that the explorer is asked for.
    pub(crate) fn check(&self, explorer: &Explorer, blake3: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_ec-explorer")).with_file_name("ec-witness");
        assert!(program.is_file(), "{}: not built; cargo build --bins builds it", program.display());
        let mut command = Command::new(program);
        command.args(["check", "--json", "--deploy-block", "0", "--blake3", blake3]);
        command.arg("--explorer").arg(format!("http://{}", explorer.served.0)).arg("--rpc").arg(self.anvil.rpc());
        command
            .arg("--chain-id")
            .arg(Anvil::CHAIN_ID.to_string())
            .arg("--ledger")
            .arg(self.ledger.address().to_string());
        command.output().unwrap()
    }

    /// The headers of every complete epoch of a stream in an archive, as its own marks name them.
    pub(crate) fn headers(&self, archive: &str, stream_id: &str) -> Vec<ObservationHeader> {
        let overrides = Overrides { directory: Some("/nowhere".into()), ..Overrides::default() };
        let settings = Settings::read(&self.config(&[archive]), overrides).unwrap();
        let settings_of = &settings.archives[0];
        let broadcasts = settings_of.archive.broadcasts().unwrap();
        let rules = broadcasts.iter().flat_map(|broadcast| {
            let rules = settings_of.streams_of(broadcast, &settings.streams).unwrap();
            rules.into_iter().map(move |rule| (broadcast, rule))
        });
        let (broadcast, rule) = rules.into_iter().find(|(_, rule)| rule.stream_id == stream_id).unwrap();
        let index =
            StreamIndex::read(&settings_of.archive, &broadcast.name, rule, &settings_of.fields, &mut ()).unwrap();
        let observations = AtRest::new(&index).map(Result::unwrap);
        observations.filter(|found| found.named.derived.complete).filter_map(|found| found.header).collect()
    }

    pub(crate) fn account(&self, account: usize) -> Address {
        self.anvil.accounts()[account]
    }

    pub(crate) fn propose(&self, account: usize, header: ObservationHeader, seen: usize) {
        block_on(done(self.ledger.propose(header.into(), U256::from(seen)).from(self.account(account))));
    }

    pub(crate) fn attest(&self, account: usize, header: ObservationHeader) {
        block_on(done(self.ledger.attest(header.slot().0, header.hash().0).from(self.account(account))));
    }

    pub(crate) fn shift(&self, account: usize, from: ObservationHeader, to: ObservationHeader, seen: usize) {
        block_on(done(self.ledger.r#move(from.into(), to.into(), U256::from(seen)).from(self.account(account))));
    }

    /// The seat of one account passes on to another one.
    pub(crate) fn rotate(&self, from: usize, to: usize) {
        block_on(async {
            let index = self.registry.indexOf(self.account(from)).call().await.unwrap();
            done(self.registry.rotate(self.account(to)).from(self.account(from))).await;
            done(self.registry.acceptRotation(index).from(self.account(to))).await;
        });
    }

    /// Accounts 1, 2 and 3 make it final.
    pub(crate) fn finalize(&self, header: ObservationHeader) {
        self.propose(1, header, 0);
        self.attest(2, header);
        self.attest(3, header);
    }

    pub(crate) fn head(&self) -> u64 {
        block_on(self.node.get_block_number()).unwrap()
    }

    pub(crate) fn mine(&self, blocks: u64) {
        let _: Option<()> = block_on(self.node.raw_request("anvil_mine".into(), (U256::from(blocks),))).unwrap();
    }

    /// Takes back all blocks after this one: as many others come in their place.
    pub(crate) fn take_back_to(&self, number: u64) {
        let depth = self.head() - number;
        let _: Option<()> = block_on(self.node.raw_request("anvil_reorg".into(), (depth, [(); 0]))).unwrap();
    }
}

impl Explorer {
    /// Asks, with headers besides.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = TcpStream::connect(self.served.0).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: answer[end + 4..].to_vec() }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// What a path answers, which must be 200.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Waits until what a path answers is so.
    #[track_caller]
    pub(crate) fn await_get(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let last = std::cell::RefCell::new(String::new());
        let what = || format!("{path}: {}", last.borrow());
        let begun = std::time::Instant::now();
        await_some(path, || {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", what());
            let (status, body) = self.served.get(path)?;
            last.borrow_mut().clone_from(&body);
            let body = (status == 200).then(|| serde_json::from_str(&body).ok()).flatten()?;
            is_so(&body).then_some(body)
        })
    }

    /// Waits until all archives are read to their ends and the ledger to its head.
    pub(crate) fn await_current(&self, bench: &Bench) {
        let head = bench.head();
        self.await_get("/api/v1", |about| {
            let archives = about["archives"].as_array().unwrap();
            about["ledgers"][0]["read_to"].as_u64() >= Some(head)
                && archives.iter().all(|archive| archive["current"] == true && archive["records"].as_u64() > Some(0))
        });
        // the grace of the newest epochs
        std::thread::sleep(Duration::from_millis(900));
    }

    /// The lines of the stream of events, from now on.
    pub(crate) fn events(&self, query: &str, last: Option<&str>) -> Events {
        let mut stream = TcpStream::connect(self.served.0).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        write!(stream, "GET /api/v1/events{query} HTTP/1.1\r\nhost: localhost\r\n{last}\r\n").unwrap();
        Events(BufReader::new(stream))
    }

    /// Ends it as an operator does.
    pub(crate) fn end(self) {
        self.running.signal("-TERM");
        assert_eq!(self.running.end().0, Some(0));
    }
}

/// A stream of events.
pub(crate) struct Events(BufReader<TcpStream>);

/// An event: its name, its number, its data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Events {
    /// The next event.
    pub(crate) fn next(&mut self) -> Event {
        let mut event = Event::default();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            match line.trim_end().split_once(": ") {
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ if line.trim_end().is_empty() && !event.name.is_empty() => return event,
                _ => {}
            }
        }
    }

    /// The next event of this name.
    pub(crate) fn await_event(&mut self, name: &str) -> Event {
        loop {
            let event = self.next();
            if event.name == name {
                return event;
            }
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Sends a call, and waits for its receipt.
async fn done<P: Provider, D: CallDecoder>(call: CallBuilder<P, D>) {
    let sent = call.send().await.unwrap();
    let (node, hash) = (sent.provider().clone(), *sent.tx_hash());
    for _ in 0..1000 {
        if let Some(receipt) = node.get_transaction_receipt(hash).await.unwrap() {
            assert!(receipt.status());
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("transaction {hash} is not executed");
}
