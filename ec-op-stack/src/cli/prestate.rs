//! `prestate`: the hash of the program that dispute games run.

use std::path::PathBuf;

use alloy::primitives::{Address, B256};
use clap::Args;
use ec_op_stack::{games::GameRules, prestate, rpc::Endpoint};
use eyre::bail;
use serde_json::json;
use url::Url;

use super::{Answer, JsonArg, block_on};

#[derive(Debug, Args)]
pub(super) struct PrestateArgs {
    /// prestate-proof.json, or a binary prestate (.bin, .bin.gz).
    #[arg(long, value_name = "FILE")]
    prestate: PathBuf,

    /// cannon, which hashes a binary prestate.
    #[arg(long, value_name = "FILE", env = "EC_OP_STACK_CANNON")]
    cannon: Option<PathBuf>,

    /// The hash it must have.
    #[arg(long, value_name = "HASH", conflicts_with = "l1_rpc")]
    expect: Option<B256>,

    /// L1 endpoint, to ask the chain for the hash.
    #[arg(long, value_name = "URL", env = "EC_OP_STACK_L1_RPC", hide_env_values = true, requires = "factory")]
    l1_rpc: Option<Url>,

    /// The chain's DisputeGameFactory.
    #[arg(long, value_name = "ADDRESS")]
    factory: Option<Address>,

    /// The type of the games.
    #[arg(long, value_name = "TYPE", default_value_t = 1)]
    game_type: u32,

    #[command(flatten)]
    json: JsonArg,
}

impl PrestateArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let held = prestate::hash(&self.prestate, self.cannon.as_deref())?;
        let wanted = self.wanted()?;
        let agrees = wanted.is_none_or(|wanted| wanted == held);
        if self.json.json {
            println!("{}", json!({"prestate": held, "wanted": wanted, "agrees": agrees}));
        } else {
            println!("{held}");
        }
        if let (false, Some(wanted)) = (agrees, wanted) {
            eprintln!("problem: the chain demands {wanted}: build op-program at the release that this prestate is of");
        }
        Ok(agrees.into())
    }

    fn wanted(&self) -> eyre::Result<Option<B256>> {
        let (Some(url), Some(factory)) = (&self.l1_rpc, self.factory) else { return Ok(self.expect) };
        let rules = block_on(GameRules::read(&Endpoint::new(url), factory, self.game_type))??;
        if rules.prestate.is_none() {
            bail!(
                "{factory}: no prestate for games of type {}: is it the factory, and is there such a game?",
                self.game_type
            );
        }
        Ok(rules.prestate)
    }
}
