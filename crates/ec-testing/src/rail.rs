//! The contracts on a chain, and what the witnesses need to attest there. The program that is tested is `ec-witness`,
//! known by its path.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use alloy::{
    primitives::Address,
    providers::{DynProvider, Provider, ProviderBuilder},
    transports::TransportError,
};
use serde::Deserialize;

use crate::processes::{ProcessError, Processes, exit_code};

/// How long the chain may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// A chain with the ledger, once it is deployed. Files are in the directory `work`: `deploy.json` says where the
/// contracts are, `chain.toml` is the witnesses' configuration, `store1`, … are their stores.
#[derive(Debug)]
pub struct Rail {
    processes: Arc<Processes>,
    program: PathBuf,
    work: PathBuf,
    keys: PathBuf,
    rpc: String,
    chain_id: u64,
    config: Option<PathBuf>,
    provider: DynProvider,
    runtime: tokio::runtime::Runtime,
}

/// Why the contracts or a store are not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RailError {
    /// The RPC's URL is none.
    #[error("{0:?} is no URL")]
    Url(String),
    /// The chain does not answer in time.
    #[error("{0} does not answer")]
    Silent(String),
    /// The chain answers with an error, or with nothing that can be read.
    #[error("{rpc}: {source}")]
    Chain {
        /// Whom it was asked of.
        rpc: String,
        /// What it said.
        source: TransportError,
    },
    /// A command of the witness's program failed; it said why itself.
    #[error("ec-witness {command} failed with exit code {code}")]
    Failed {
        /// Its name.
        command: &'static str,
        /// Its exit code.
        code: i32,
    },
    /// The program could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file cannot be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are fewer addresses than witnesses.
    #[error("{}: there are not {witnesses} witnesses in it", path.display())]
    Addresses {
        /// The file.
        path: PathBuf,
        /// How many are wanted.
        witnesses: usize,
    },
    /// `deploy` said nothing that can be read.
    #[error("deploy.json: {0}")]
    Deployment(#[from] serde_json::Error),
}

impl Rail {
    /// A chain that answers. `keys` holds `key0`, the deployer's, `key1`, …, the witnesses', and `addresses`, a line each.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn at(
        processes: &Arc<Processes>,
        program: &Path,
        work: &Path,
        keys: &Path,
        rpc: &str,
    ) -> Result<Self, RailError> {
        let url = rpc.parse().map_err(|_| RailError::Url(rpc.to_owned()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let mut rail = Self {
            processes: Arc::clone(processes),
            program: program.to_owned(),
            work: work.to_owned(),
            keys: keys.to_owned(),
            rpc: rpc.to_owned(),
            chain_id: 0,
            config: None,
            provider: ProviderBuilder::new().connect_http(url).erased(),
            runtime: runtime.map_err(|source| RailError::Io { path: "tokio".into(), source })?,
        };
        rail.chain_id = rail.ask(|chain| async move { chain.get_chain_id().await })?;
        Ok(rail)
    }

    /// Asks the chain.
    ///
    /// # Errors
    ///
    /// It does not answer in time, or with an error.
    pub fn ask<T, F: Future<Output = Result<T, TransportError>>>(
        &self,
        question: impl FnOnce(DynProvider) -> F,
    ) -> Result<T, RailError> {
        let answer = question(self.provider.clone());
        self.runtime
            .block_on(async { tokio::time::timeout(ANSWER, answer).await })
            .map_err(|_| RailError::Silent(self.rpc.clone()))?
            .map_err(|source| RailError::Chain { rpc: self.rpc.clone(), source })
    }

    /// The newest block.
    ///
    /// # Errors
    ///
    /// The chain does not answer.
    pub fn head(&self) -> Result<u64, RailError> {
        self.ask(|chain| async move { chain.get_block_number().await })
    }

    /// Where the chain answers.
    pub fn rpc(&self) -> &str {
        &self.rpc
    }

    /// The processes that this starts are among these.
    pub fn processes(&self) -> &Arc<Processes> {
        &self.processes
    }

    /// A file in the working directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// A command of the witness's program on this chain, with the configuration that there is by now. Other settings come
    /// from this program's environment.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(name).env("EC_WITNESS_RPC", &self.rpc).env("EC_WITNESS_CHAIN_ID", self.chain_id.to_string());
        if let Some(config) = &self.config {
            command.env("EC_WITNESS_CONFIG", config);
        }
        command
    }

    /// The same with the key and the store of a witness.
    pub fn command_of(&self, witness: usize, name: &str) -> Command {
        let mut command = self.command(name);
        command.arg("--key-file").arg(self.key(witness)).arg("--store").arg(self.store(witness));
        command
    }

    /// The file with the key of a witness, or of the deployer, 0.
    pub fn key(&self, witness: usize) -> PathBuf {
        self.keys.join(format!("key{witness}"))
    }

    /// A witness's store.
    pub fn store(&self, witness: usize) -> PathBuf {
        self.file(&format!("store{witness}"))
    }

    /// Deploys the contracts for the first `witnesses` of `addresses`. From then on commands are configured by
    /// `chain.toml`, to which `settings` are added.
    ///
    /// # Errors
    ///
    /// `deploy` fails.
    pub fn deploy(&mut self, witnesses: usize, quorum: usize, settings: &str) -> Result<Address, RailError> {
        let config = self.file("chain.toml");
        let mut command = self.command("deploy");
        // one that is meant for an archive may tell of another chain
        command.env_remove("EC_WITNESS_CONFIG");
        command.arg("--key-file").arg(self.key(0)).arg("--witness").arg(self.addresses(witnesses)?);
        command.args(["--quorum", &quorum.to_string()]).arg("--write-config").arg(&config).arg("--json");
        self.run("deploy", &mut command, "deploy.json")?;
        let told = self.at_path(&config, fs::read_to_string(&config))?;
        self.at_path(&config, fs::write(&config, format!("{told}\n{settings}")))?;
        self.config = Some(config);
        #[derive(Deserialize)]
        struct Deployment {
            ledger: Address,
        }
        let deployment = self.file("deploy.json");
        let deployment: Deployment = serde_json::from_slice(&self.at_path(&deployment, fs::read(&deployment))?)?;
        Ok(deployment.ledger)
    }

    /// Makes a witness's store, for all that its archive holds. What a growing archive lacks is still to come.
    ///
    /// # Errors
    ///
    /// `init` fails.
    pub fn init(&self, witness: usize, archive: &Path) -> Result<(), RailError> {
        let mut command = self.command_of(witness, "init");
        command.arg("--archive").arg(archive).args(["--from-sequence", "first", "--archive-later"]);
        self.run("init", &mut command, &format!("init{witness}.log"))
    }

    /// Runs a command that must not fail; what it prints goes to a file.
    fn run(&self, name: &'static str, command: &mut Command, file: &str) -> Result<(), RailError> {
        let path = self.file(file);
        command.stdout(self.at_path(&path, File::create(&path))?);
        match exit_code(self.processes.spawn(command)?.wait()?) {
            0 => Ok(()),
            code => Err(RailError::Failed { command: name, code }),
        }
    }

    /// Of the witnesses, separated by commas; the first line is the deployer's.
    fn addresses(&self, witnesses: usize) -> Result<String, RailError> {
        let path = self.keys.join("addresses");
        let text = self.at_path(&path, fs::read_to_string(&path))?;
        let addresses: Vec<_> = text.lines().skip(1).take(witnesses).collect();
        if addresses.len() < witnesses {
            return Err(RailError::Addresses { path, witnesses });
        }
        Ok(addresses.join(","))
    }

    fn at_path<T>(&self, path: &Path, result: io::Result<T>) -> Result<T, RailError> {
        result.map_err(|source| RailError::Io { path: path.to_owned(), source })
    }
}

/// The `ec-witness` that was built beside the running program, as cargo does it.
///
/// # Errors
///
/// There is none.
pub fn witness_program() -> io::Result<PathBuf> {
    let program = env::current_exe()?.with_file_name("ec-witness");
    if program.is_file() {
        return Ok(program);
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is missing: cargo build -p ec-witness", program.display())))
}
