//! A development chain and the real binary, for black-box tests.

#![allow(dead_code, unused_imports, clippy::unwrap_used)] // Shared test code: not every test uses all; a panic is its report.

use std::{env, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::Address,
    providers::{DynProvider, Provider, ProviderBuilder, ext::AnvilApi},
};
use assert_cmd::Command;
use ec_ledger::contracts::EveryChannelObservationLedger;
use ec_observation::{ObservationHash, ObservationHeader};
use ec_testing::{anvil::Anvil, repository, running::send_signal};
pub(crate) use ec_testing::{proxy, running, running::block_on, served};
use serde_json::Value;
use tempfile::TempDir;

/// A fresh Anvil, and a folder for the files of one test.
pub(crate) struct Devnet {
    anvil: Anvil,
    pub(crate) dir: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The addresses of a deployment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deployment {
    pub(crate) registry: Address,
    pub(crate) ledger: Address,
    pub(crate) rail: Address,
}

impl Devnet {
    /// Starts Anvil on a free port.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one whose finalized head is this many blocks, an even number, behind the latest.
    pub(crate) fn with_finality_after(blocks: u64) -> Self {
        Self::with(&["--slots-in-an-epoch".to_owned(), (blocks / 2).to_string()])
    }

    /// Starts one that makes a block every so many seconds, as OP Stack chains do.
    pub(crate) fn with_block_time(seconds: u64) -> Self {
        Self::with(&["--block-time".to_owned(), seconds.to_string()])
    }

    fn with(arguments: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { anvil: Anvil::start(dir.path(), arguments).expect("anvil starts"), dir }
    }

    pub(crate) fn rpc(&self) -> String {
        self.anvil.rpc().to_owned()
    }

    /// Sends Anvil's process a signal.
    pub(crate) fn signal(&self, signal: &str) {
        send_signal(self.anvil.id(), signal);
    }

    pub(crate) fn chain_id(&self) -> u64 {
        Anvil::CHAIN_ID
    }

    /// One of Anvil's ten funded accounts.
    pub(crate) fn account(&self, i: usize) -> Address {
        self.anvil.accounts()[i]
    }

    /// The account's key as hex.
    pub(crate) fn key(&self, i: usize) -> String {
        alloy::hex::encode(self.anvil.key(i))
    }

    /// A private file that holds the account's key.
    pub(crate) fn key_file(&self, i: usize) -> PathBuf {
        self.secret(&format!("key-{i}"), &self.key(i), 0o600)
    }

    /// A file with this mode.
    pub(crate) fn secret(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A provider whose transactions Anvil signs for its own accounts.
    pub(crate) fn provider(&self) -> DynProvider {
        ProviderBuilder::new().connect_http(self.rpc().parse().unwrap()).erased()
    }

    /// The binary, told which chain; no other setting of this process reaches it.
    pub(crate) fn ec_witness(&self, arguments: &str) -> Command {
        let mut command = ec_witness(arguments);
        command.env("EC_WITNESS_RPC", self.rpc()).env("EC_WITNESS_CHAIN_ID", self.chain_id().to_string());
        command
    }

    /// The same as an account.
    pub(crate) fn as_account(&self, i: usize, arguments: &str) -> Command {
        let mut command = self.ec_witness(arguments);
        command.env("EC_WITNESS_KEY_FILE", self.key_file(i));
        command
    }

    /// Deploys as account 0, with accounts 1, 2, … as witnesses.
    pub(crate) fn deploy(&self, witnesses: usize, quorum: u8) -> Deployment {
        let list: Vec<_> = (1..=witnesses).map(|i| self.account(i).to_string()).collect();
        let mut command = self.as_account(0, &format!("deploy --json --quorum {quorum}"));
        if witnesses > 0 {
            command.args(["--witness", &list.join(",")]);
        }
        let outcome = run(&mut command);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        Deployment::of(&outcome.json())
    }

    /// Finalizes the header with the votes of accounts 1 to `votes`.
    pub(crate) fn finalize(&self, ledger: Address, header: ObservationHeader, votes: usize) {
        block_on(async {
            let ledger = EveryChannelObservationLedger::new(ledger, self.provider());
            for i in 1..=votes {
                let call = ledger.propose(header.into(), alloy::primitives::U256::ZERO).from(self.account(i));
                assert!(call.send().await.unwrap().get_receipt().await.unwrap().status());
            }
            let last = ledger.finalizedObservation(header.slot().0).call().await.unwrap();
            assert_eq!(ObservationHash(last), header.hash());
        });
    }

    /// Makes blocks until the finalized head has come to what is the newest block now.
    pub(crate) fn pass_finality(&self) {
        block_on(async {
            let node = self.provider();
            let newest = node.get_block_number().await.unwrap();
            let finalized = async || node.get_block_by_number(BlockNumberOrTag::Finalized).await.unwrap().unwrap();
            while finalized().await.header.number < newest {
                node.anvil_mine(Some(16), None).await.unwrap();
            }
        });
    }

    /// The votes that a ledger has admitted: whose, and for which observation.
    pub(crate) fn votes(&self, ledger: Address) -> Vec<(Address, ObservationHash)> {
        block_on(async {
            let ledger = EveryChannelObservationLedger::new(ledger, self.provider());
            let proposed = ledger.ObservationProposed_filter().from_block(0).query().await.unwrap();
            let attested = ledger.ObservationAttested_filter().from_block(0).query().await.unwrap();
            let proposed = proposed.into_iter().map(|(event, _)| (event.proposer, event.observationHash));
            let attested = attested.into_iter().map(|(event, _)| (event.witness, event.observationHash));
            proposed.chain(attested).map(|(voter, observation)| (voter, ObservationHash(observation))).collect()
        })
    }
}

impl Deployment {
    fn of(line: &Value) -> Self {
        let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
        Self { registry: address("registry"), ledger: address("ledger"), rail: address("rail") }
    }
}

impl Outcome {
    /// The one JSON object on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON objects on stdout.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asserts an error, and that its message has all of these parts.
    #[track_caller]
    pub(crate) fn assert_error(&self, parts: &[&str]) {
        assert_eq!(self.code, 2, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is missing: {self:?}");
        }
    }
}

/// The binary with arguments separated by blanks, and none of this process's settings for it. Archives here have numbers of
/// the timeline, unless a test says otherwise.
pub(crate) fn ec_witness(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ec-witness"));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("EC_WITNESS_") {
            command.env_remove(name);
        }
    }
    // not the configuration of a witness that is installed on this host
    command.env("EC_WITNESS_CONFIG", "/dev/null");
    command.args(arguments.split_whitespace()).env("EC_WITNESS_NUMBERING", "timeline");
    command
}

/// Runs to the end.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The lines of `archives/vectors/example.json`.
pub(crate) fn example_lines() -> Vec<Value> {
    let path = repository().join("archives/vectors/example.json");
    let vector: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    vector["expected"].as_array().unwrap().clone()
}

/// The header of a line of `derive --json`.
pub(crate) fn header_of(line: &Value) -> ObservationHeader {
    serde_json::from_value(line["header"].clone()).unwrap()
}
