//! `state`: is a chain deployed?

use std::path::PathBuf;

use clap::Args;
use ec_op_stack::{rpc::Endpoint, state::Deployment};
use eyre::WrapErr;
use url::Url;

use super::{Answer, JsonArg, block_on, files};

#[derive(Debug, Args)]
pub(super) struct StateArgs {
    /// op-deployer's state.json. One that does not exist is a chain that is not deployed.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,

    /// Chain id of the L2.
    #[arg(long, value_name = "ID", env = "EC_OP_STACK_L2_CHAIN_ID")]
    l2_chain_id: u64,

    /// L1 endpoint, to ask whether the contracts are there: op-deployer also writes a state of calls that nobody sent.
    #[arg(long, value_name = "URL", env = "EC_OP_STACK_L1_RPC", hide_env_values = true)]
    l1_rpc: Option<Url>,

    #[command(flatten)]
    json: JsonArg,
}

impl StateArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let text = if self.state.exists() { files::read(&self.state)? } else { "{}".to_owned() };
        let mut deployment =
            Deployment::read(&text, self.l2_chain_id).wrap_err_with(|| self.state.display().to_string())?;
        if let (Some(url), true) = (&self.l1_rpc, deployment.applied) {
            block_on(deployment.look_for_code(&Endpoint::new(url)))??;
        }
        if self.json.json {
            println!("{}", serde_json::to_string(&deployment)?);
        } else {
            print(&deployment);
        }
        Ok(deployment.applied.into())
    }
}

fn print(deployment: &Deployment) {
    println!("{}", if deployment.applied { "applied" } else { "not applied" });
    for (name, address) in &deployment.contracts {
        println!("{name:<34}{address}");
    }
    if !deployment.missing.is_empty() {
        println!("{:<34}{}", "missing", deployment.missing.join(", "));
    }
}
