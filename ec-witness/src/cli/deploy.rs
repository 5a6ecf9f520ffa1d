//! `deploy`: the contracts, onto a chain.

use std::{
    fmt,
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use alloy::{
    eips::BlockId,
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256},
    rpc::types::{
        TransactionRequest,
        state::{AccountOverride, StateOverride},
    },
    sol_types::SolConstructor,
};
use clap::{Args, value_parser};
use ec_ledger::{
    contracts::{
        EveryChannelObservationLedger, EveryChannelRail, EveryChannelTimelock, EveryChannelWitnessRegistry,
        check_quorum,
    },
    identity,
};
use eyre::WrapErr;
use serde::Serialize;

use super::{
    Answer, address,
    chain::ChainArgs,
    connection::block_on,
    output::fact,
    owner::OwnerKind,
    send::{Caller, SendArgs, Sent},
};

/// What a deployed timelock is called.
const TIMELOCK: &str = "timelock";

/// Deploy the registry, the ledger and the rail.
///
/// A contract whose address is set already (--registry, --ledger) is used instead of deployed, which is how to go on
/// after a deployment that broke off.
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// Owner of the registry and the rail [default: the deployer]. It can make anything final in one transaction; a
    /// timelock has to announce it.
    #[arg(long, env = "EC_WITNESS_OWNER", value_name = "ADDRESS", value_parser = address::parse)]
    owner: Option<Address>,

    /// Deploy a timelock too, to be the owner: seconds for which it announces whatever it does.
    #[arg(
        long,
        env = "EC_WITNESS_TIMELOCK_DELAY",
        value_name = "SECONDS",
        value_parser = value_parser!(u64).range(1..),
        conflicts_with = "owner",
        requires = "timelock_proposers"
    )]
    timelock_delay: Option<u64>,

    /// Who may announce and cancel what the timelock does; again, or separated by commas, for several.
    #[arg(
        long = "timelock-proposer",
        env = "EC_WITNESS_TIMELOCK_PROPOSERS",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = address::parse,
        requires = "timelock_delay"
    )]
    timelock_proposers: Vec<Address>,

    /// First witnesses, in the order of their indexes; again, or separated by commas, for several.
    #[arg(
        long = "witness",
        env = "EC_WITNESS_WITNESSES",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = address::parse
    )]
    witnesses: Vec<Address>,

    /// Votes that finalize: more than half of the witnesses, not more than all; 0 without witnesses.
    #[arg(long, env = "EC_WITNESS_QUORUM", value_name = "N", default_value_t = 0)]
    quorum: u8,

    /// Write the [chain] section of a new configuration file; one that exists is left alone and an error.
    #[arg(long, env = "EC_WITNESS_WRITE_CONFIG", value_name = "FILE", conflicts_with = "dry_run")]
    write_config: Option<PathBuf>,

    #[command(flatten)]
    send: SendArgs,
}

/// What `deploy` prints.
#[derive(Debug, Serialize)]
struct Deployment {
    chain_id: u64,
    dry_run: bool,
    deployer: Address,
    owner: Address,
    owner_is: OwnerKind,
    registry: Address,
    ledger: Address,
    rail: Address,
    /// The block of the first transaction.
    deploy_block: Option<u64>,
    gas: u64,
    transactions: Vec<Deployed>,
}

/// One deployed contract.
#[derive(Debug, Serialize)]
struct Deployed {
    contract: &'static str,
    address: Address,
    #[serde(flatten)]
    sent: Sent,
}

impl DeployArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        if let Some(path) = &self.write_config {
            require_new(path)?;
        }
        let (chain, deployment) = block_on(self.deploy())?;
        fact(self.send.read.json.json, &deployment)?;
        if let Some(path) = &self.write_config {
            write_config(path, &chain)?;
        }
        Ok(Answer::Yes)
    }

    async fn deploy(&self) -> eyre::Result<(ChainArgs, Deployment)> {
        self.check_set()?;
        let (chain, key) = self.send.settings()?;
        let caller = self.send.caller_on(chain.clone(), key).await?;
        if let Some(rail) = chain.rail {
            eyre::bail!("rail is set to {rail}, so there is nothing to deploy; leave rail out to deploy a new one");
        }
        let mut deployer = Deployer::new(&caller).await?;
        match self.all(&mut deployer, &chain).await {
            Ok((owner, addresses)) => Ok(deployer.finish(chain, owner, addresses)),
            Err(error) => Err(deployer.broken_off(error)),
        }
    }

    /// The owner, and the addresses of registry, ledger and rail.
    async fn all(
        &self,
        deployer: &mut Deployer<'_>,
        chain: &ChainArgs,
    ) -> eyre::Result<((Address, OwnerKind), [Address; 3])> {
        let (owner, owner_is) = self.owner(deployer).await?;
        let registry = self.registry(deployer, chain, owner).await?;
        let ledger = deployer.ledger(chain.ledger, registry).await?;
        let rail = deployer.rail(owner, ledger).await?;
        Ok(((owner, owner_is), [registry, ledger, rail]))
    }

    /// Who owns registry and rail: a new timelock, where one is asked for.
    async fn owner(&self, deployer: &mut Deployer<'_>) -> eyre::Result<(Address, OwnerKind)> {
        if let Some(min_delay_s) = self.timelock_delay {
            let timelock = deployer.timelock(min_delay_s, &self.timelock_proposers).await?;
            return Ok((timelock, OwnerKind::Timelock { min_delay_s }));
        }
        let owner = self.owner.unwrap_or(deployer.caller.from);
        Ok((owner, OwnerKind::of(&deployer.caller.connection, owner, BlockId::latest()).await?))
    }

    /// The rule on the quorum, before anything is asked or sent.
    fn check_set(&self) -> eyre::Result<()> {
        check_quorum(self.quorum, &self.witnesses).wrap_err("--quorum and --witness")
    }

    async fn registry(&self, deployer: &mut Deployer<'_>, chain: &ChainArgs, owner: Address) -> eyre::Result<Address> {
        if chain.registry.is_none() && chain.ledger.is_none() {
            return deployer.registry(owner, &self.witnesses, self.quorum).await;
        }
        let registry = deployer.caller.connection.registry().await?;
        if !self.witnesses.is_empty() {
            eyre::bail!("registry {registry} is used, so --witness and --quorum do nothing; use `registry update`");
        }
        Ok(registry)
    }
}

/// Deploys one contract after the other.
struct Deployer<'a> {
    caller: &'a Caller,
    /// The nonce of the next transaction, which decides the next address.
    nonce: u64,
    /// What a simulation has deployed.
    simulated: StateOverride,
    done: Vec<Deployed>,
}

impl<'a> Deployer<'a> {
    async fn new(caller: &'a Caller) -> eyre::Result<Self> {
        let nonce = caller.next_nonce().await?;
        Ok(Self { caller, nonce, simulated: StateOverride::default(), done: Vec::new() })
    }

    async fn timelock(&mut self, min_delay_s: u64, proposers: &[Address]) -> eyre::Result<Address> {
        let arguments =
            EveryChannelTimelock::constructorCall { minDelay: U256::from(min_delay_s), proposers: proposers.to_vec() };
        self.create(TIMELOCK, &EveryChannelTimelock::BYTECODE, &arguments).await
    }

    async fn registry(&mut self, owner: Address, witnesses: &[Address], quorum: u8) -> eyre::Result<Address> {
        let arguments = EveryChannelWitnessRegistry::constructorCall {
            initialOwner: owner,
            witnesses: witnesses.to_vec(),
            initialQuorum: quorum,
        };
        self.create("registry", &EveryChannelWitnessRegistry::BYTECODE, &arguments).await
    }

    async fn ledger(&mut self, present: Option<Address>, registry: Address) -> eyre::Result<Address> {
        if let Some(ledger) = present {
            return Ok(ledger);
        }
        let arguments = EveryChannelObservationLedger::constructorCall { registry_: registry };
        self.create("ledger", &EveryChannelObservationLedger::BYTECODE, &arguments).await
    }

    async fn rail(&mut self, owner: Address, ledger: Address) -> eyre::Result<Address> {
        let arguments = EveryChannelRail::constructorCall { initialOwner: owner, ledger_: ledger };
        self.create("rail", &EveryChannelRail::BYTECODE, &arguments).await
    }

    async fn create(
        &mut self,
        contract: &'static str,
        code: &Bytes,
        arguments: &impl SolConstructor,
    ) -> eyre::Result<Address> {
        let code = [code.as_ref(), &arguments.abi_encode()].concat();
        let request = TransactionRequest::default().with_deploy_code(code).with_nonce(self.nonce);
        let address = self.caller.from.create(self.nonce);
        let overrides = (!self.simulated.is_empty()).then(|| self.simulated.clone());
        let sent = self.caller.send(&format!("deploy {contract}"), request, overrides).await?;
        self.nonce += 1;
        if self.caller.is_dry() {
            self.pretend(address, sent.returned.clone());
        } else {
            identity::require_code(&self.caller.connection.endpoints, contract, address).await?;
        }
        self.done.push(Deployed { contract, address, sent });
        Ok(address)
    }

    /// Lets the next simulation see the code, and the nonce after the transaction that was not sent.
    fn pretend(&mut self, address: Address, code: Bytes) {
        let nonce = Some(self.nonce);
        self.simulated.insert(address, AccountOverride { code: Some(code), ..Default::default() });
        self.simulated.insert(self.caller.from, AccountOverride { nonce, ..Default::default() });
    }

    /// The error, with the flags by which to go on with what has been deployed before it.
    fn broken_off(&self, error: eyre::Report) -> eyre::Report {
        if self.caller.is_dry() || self.done.is_empty() {
            return error;
        }
        let flag = |contract| if contract == TIMELOCK { "owner" } else { contract };
        let flags =
            self.done.iter().map(|Deployed { contract, address, .. }| format!("--{} {address}", flag(contract)));
        let without = match &self.done[..] {
            [Deployed { contract: TIMELOCK, .. }] => "the flags of the timelock",
            [Deployed { contract: TIMELOCK, .. }, ..] => "those of the timelock, --witness and --quorum",
            _ => "--witness and --quorum",
        };
        let flags = flags.collect::<Vec<_>>().join(" ");
        error.wrap_err(format!("the deployment broke off; go on with {flags}, without {without}"))
    }

    fn finish(
        self,
        chain: ChainArgs,
        (owner, owner_is): (Address, OwnerKind),
        addresses: [Address; 3],
    ) -> (ChainArgs, Deployment) {
        let [registry, ledger, rail] = addresses;
        let first = self.done.iter().filter_map(|deployed| deployed.sent.block_number).min();
        let deploy_block = if chain.ledger.is_some() { chain.deploy_block } else { first };
        let deployment = Deployment {
            chain_id: self.caller.connection.chain.chain_id,
            dry_run: self.caller.is_dry(),
            deployer: self.caller.from,
            owner,
            owner_is,
            registry,
            ledger,
            rail,
            deploy_block,
            gas: self.done.iter().map(|deployed| deployed.sent.gas).sum(),
            transactions: self.done,
        };
        let [registry, ledger, rail] = addresses.map(Some);
        (ChainArgs { registry, ledger, rail, deploy_block, ..chain }, deployment)
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Deployed { contract, address, sent } in &self.transactions {
            writeln!(f, "{contract:<13}{address}  {sent}")?;
        }
        writeln!(f, "owner        {}, {}", self.owner, self.owner_is)?;
        writeln!(f, "chain_id     {}", self.chain_id)?;
        if let Some(block) = self.deploy_block {
            writeln!(f, "deploy_block {block}")?;
        }
        write!(f, "gas          {}", self.gas)
    }
}

fn require_new(path: &Path) -> eyre::Result<()> {
    if path.symlink_metadata().is_ok() {
        eyre::bail!("--write-config: {} exists; name a new file, or move that one away", path.display());
    }
    Ok(())
}

/// Only its owner may read the file: the RPC's URL may hold a token.
fn write_config(path: &Path, chain: &ChainArgs) -> eyre::Result<()> {
    #[derive(Serialize)]
    struct Config<'a> {
        chain: &'a ChainArgs,
    }
    let text = toml::to_string(&Config { chain })?;
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written
        .wrap_err_with(|| format!("--write-config: the contracts are deployed, but {} is not written", path.display()))
}
