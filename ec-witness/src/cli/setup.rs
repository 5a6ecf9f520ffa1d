//! `setup`: one configuration, of what is given, asked for and found, and checked before it is written.

mod answers;
mod document;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use alloy::providers::Provider;
use clap::Args;
use ec_ledger::{
    creation,
    identity::{self, Kind},
};
use ec_observation::Numbering;
use ec_rpc::Endpoints;
use ec_witness::{advice::Seen, key};
use eyre::{WrapErr, bail, ensure};
use serde::Serialize;
use url::Url;

use super::{
    Answer,
    chain::ChainArgs,
    config::{ArchiveSection, DEFAULT_PATH, parse},
    config_command::show,
    connection::block_on,
    derive::read_index,
    init::ArchiveLaterArg,
    inspection::{Inspected, Origins, Purpose, Subject, Whose, inspect},
    key::KeyArgs,
    key_command::beside,
    numbering::SeenStreams,
    output::{JsonArg, json_line},
    roster::ArchiveArgs,
    store::StoreArgs,
};
use answers::Answers;
use document::{Settings, document};

/// Where the store is, if nothing else is said: where the packaged unit has it.
const DEFAULT_STORE: &str = "/var/lib/ec-witness/store";

/// Who may read the file that is written; only its owner where a URL in it may be secret.
const MODES: [u32; 2] = [0o644, 0o600];

/// What to write, and where.
///
/// On a terminal it asks for what no flag gives; elsewhere a missing setting is an error that names the flag. Chain id, deploy block and
/// numbering are found by looking. Everything is checked as by `config check`: if anything is wrong, nothing is written, exit code 1.
/// Secrets are in files of their own, which the configuration names.
#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// The configuration file to write [default: /etc/ec-witness/ec-witness.toml].
    #[arg(long, env = "EC_WITNESS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Write over a configuration that is there.
    #[arg(long)]
    overwrite: bool,

    /// Ask nothing, on a terminal neither.
    #[arg(long)]
    no_questions: bool,

    /// Make the key, in a new keystore: where --keystore says, or beside the configuration. One that is there is taken.
    #[arg(long)]
    create_key: bool,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    later: ArchiveLaterArg,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    json: JsonArg,
}

/// What `setup --json` says at its end.
#[derive(Serialize)]
struct Written<'a> {
    config: &'a Path,
    witness: Option<alloy::primitives::Address>,
    next: Vec<String>,
}

impl SetupArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(mut self) -> eyre::Result<Answer> {
        let is_asked = !self.no_questions && !self.json.json && io::stdin().is_terminal() && io::stderr().is_terminal();
        let mut answers = Answers::new(is_asked);
        let target = self.config.clone().unwrap_or_else(|| DEFAULT_PATH.into());
        let target = std::path::absolute(&target).wrap_err_with(|| format!("config: {}", target.display()))?;
        if target.symlink_metadata().is_ok() && !self.overwrite {
            ensure!(
                answers.agrees(&format!("{} is there already. Write over it?", target.display()))?,
                "config: {} is there already; look at it with `ec-witness config check`, or write over it with --overwrite",
                target.display()
            );
        }
        let settings = self.settings(&mut answers, &target).await?;
        let text = document(&settings);
        let inspected = self.inspect(&text, &target).await?;
        show(&inspected, self.json.json)?;
        if inspected.failed().count() > 0 {
            eprintln!("nothing was written to {}: mend what failed, and run setup again", target.display());
            return Ok(Answer::No);
        }
        if !answers.agrees_unless_unasked(&format!("Write {}?", target.display()))? {
            return Ok(Answer::No);
        }
        let may_be_secret = settings.rpc.iter().any(document::may_be_secret);
        ec_files::create_dir(target.parent().unwrap_or(Path::new("/")))?;
        ec_files::replace(&target, text.as_bytes(), MODES[usize::from(may_be_secret)])?;
        self.tell(&target, &inspected, may_be_secret)?;
        Ok(Answer::Yes)
    }

    /// All settings: those that are given, those that are asked for, and what is found by looking.
    async fn settings(&mut self, answers: &mut Answers, target: &Path) -> eyre::Result<Settings> {
        let beside_config = target.parent().unwrap_or(Path::new("/"));
        let (rpc, chain_id) = self.endpoints(answers).await?;
        self.chain.chain_id = Some(chain_id);
        let chain = self.chain.clone().settings()?;
        let endpoints = Endpoints::new(&chain.endpoints, chain.chain_id, chain.agree)?;
        let ledger = match self.chain.ledger {
            Some(ledger) => ledger,
            None => loop {
                let ledger = answers.ledger()?;
                match identity::kind_of(&endpoints, ledger).await? {
                    Kind::Ledger | Kind::Other => break ledger,
                    Kind::NoCode => answers.tell(&format!("There is no contract at {ledger} on chain {chain_id}.")),
                    Kind::Registry => {
                        answers.tell(&format!("The registry is at {ledger}; the ledger's address is meant."));
                    }
                    Kind::Rail => {
                        let its = identity::ledger_of(&endpoints, ledger, None).await?;
                        answers.tell(&format!("The rail is at {ledger}; its ledger is {its}."));
                    }
                }
            },
        };
        self.chain.ledger = Some(ledger);
        // where it cannot be found, the checks say why
        let deploy_block = match self.chain.deploy_block {
            Some(block) => Some(block),
            None => creation::find_deploy_block(&endpoints, ledger).await.ok(),
        };
        self.archive.dirs = answers.archive(self.archive.dirs.clone())?;
        let numbering = match self.archive.numbering() {
            Some(numbering) => Some(numbering),
            None => self.seen_numbering(),
        };
        self.key = self.key(answers, beside_config)?;
        let store = match self.store.directory_if_set(&StoreArgs::default()) {
            Some(dir) => dir.to_owned(),
            None => answers.store(DEFAULT_STORE)?,
        };
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let archive = self.archive.dirs.archive()?;
        Ok(Settings {
            manifests: absolute(archive.manifests),
            cas: Some(absolute(archive.cas)).filter(|cas| cas.is_dir()),
            numbering,
            groups_per_epoch: self.archive.groups_per_epoch(),
            tracks: self.archive.tracks(),
            rpc,
            chain: ChainArgs { deploy_block, ..self.chain.clone() },
            key: self.key.clone(),
            store: absolute(store),
        })
    }

    /// The endpoints, and the chain that they serve. Whoever answers is asked again where none of them does.
    async fn endpoints(&mut self, answers: &Answers) -> eyre::Result<(Vec<Url>, u64)> {
        loop {
            let rpc = answers.rpc(self.chain.rpc.take())?;
            self.chain.rpc = Some(rpc.clone());
            let found = match self.chain.chain_id {
                Some(chain_id) => return Ok((rpc, chain_id)),
                None => served(&self.chain).await,
            };
            match found {
                Ok(chain_id) => return Ok((rpc, answers.confirmed_chain(chain_id)?)),
                Err(error) if answers.is_asked() => answers.tell(&error.to_string()),
                Err(error) => return Err(error),
            }
            self.chain.rpc = None;
        }
    }

    /// The numbering that the archive looks as if it had, where it is not the default.
    fn seen_numbering(&self) -> Option<Numbering> {
        let mut roster = self.archive.roster(ArchiveSection::default(), &[]).ok()?;
        let sources = roster.sources_so_far().ok()?;
        let mut seen = SeenStreams::default();
        for source in &sources.streams {
            seen.take(&source.rule, Seen::of(&read_index(&sources, source, self.json.json).ok()?).ok()?);
        }
        // of an archive that has both, each other one is told by the checks
        let broadcasts: BTreeSet<_> = sources.streams.iter().map(|source| source.broadcast.as_str()).collect();
        let others: Vec<_> = seen.others().into_iter().map(|(_, other)| other.numbering).collect();
        others.first().copied().filter(|_| others.len() == broadcasts.len())
    }

    /// Where the key is; a new one is made where that is wanted.
    fn key(&self, answers: &mut Answers, beside_config: &Path) -> eyre::Result<KeyArgs> {
        let key = match self.create_key || self.key.is_set() {
            true => self.key.clone(),
            false => answers.key(beside_config)?,
        };
        let is_wanted = self.create_key || answers.wants_new_key();
        if !is_wanted {
            return Ok(key);
        }
        if key.key_file.is_some() || key.signer.is_some() {
            bail!("--create-key makes a keystore: take --key-file and --signer out");
        }
        let keystore = key.keystore.clone().unwrap_or_else(|| beside_config.join("key.json"));
        let password_file = key.password_file.clone().unwrap_or_else(|| beside(&keystore));
        // one of an earlier run that went no further is as new
        if keystore.is_file() {
            eprintln!("the key in {} is taken, which is there already", keystore.display());
        } else {
            let address = key::create(&keystore, &password_file)?;
            eprintln!("made the key of {address}: {}, password in {}", keystore.display(), password_file.display());
        }
        Ok(KeyArgs { keystore: Some(keystore), password_file: Some(password_file), ..key })
    }

    /// Checks what is to be written as `config check` would, once it is.
    async fn inspect(&self, text: &str, target: &Path) -> eyre::Result<Inspected> {
        let file = parse(text).wrap_err("this program cannot read what it is about to write")?;
        let archive_key = ArchiveArgs::default().place_key(&file.archive);
        let subject = Subject {
            purpose: Purpose::Setup,
            whose: Whose::Key(Box::new(file.key)),
            chain: file.chain,
            store: file.store.directory_if_set(&StoreArgs::default()).map(Into::into),
            archive_key,
            roster: ArchiveArgs::default().roster(file.archive, &file.stream),
            archive_later: self.later.archive_later,
            json: self.json.json,
        };
        Ok(inspect(&Origins::of_file(target), subject).await)
    }

    fn tell(&self, target: &Path, inspected: &Inspected, may_be_secret: bool) -> eyre::Result<()> {
        let config = match target == Path::new(DEFAULT_PATH) {
            true => String::new(),
            false => format!(" --config {}", target.display()),
        };
        let warned = |name: &str| {
            inspected.findings.iter().find(|found| found.check.name == name && !found.check.fix.is_empty())
        };
        let mut next = Vec::new();
        next.extend(warned("member").map(|found| found.check.fix.clone()));
        next.extend(warned("funds").map(|found| format!("{} ({})", found.check.fix, found.check.reason)));
        next.push(format!("ec-witness init{config}"));
        next.push(format!("ec-witness run{config}"));
        if self.json.json {
            return json_line(&Written { config: target, witness: inspected.witness, next });
        }
        println!("\nwritten: {}", target.display());
        if may_be_secret {
            println!("  only its owner may read it, as the URL of an endpoint in it may be secret");
        }
        println!("next:");
        next.iter().enumerate().for_each(|(at, step)| println!("  {}. {step}", at + 1));
        Ok(())
    }
}

/// The chain that the first endpoint which answers serves.
async fn served(chain: &ChainArgs) -> eyre::Result<u64> {
    let settings = (ChainArgs { chain_id: Some(0), ..chain.clone() }).settings()?;
    let mut why = Vec::new();
    for endpoint in &settings.endpoints {
        match endpoint.provider()?.get_chain_id().await {
            Ok(chain_id) => return Ok(chain_id),
            Err(error) => why.push(ec_rpc::in_one_line(&endpoint.rpc_error("eth_chainId", error))),
        }
    }
    bail!("{}; start the node, or correct --rpc", why.join("; "))
}
