//! `resume`: an operator's word that the cause of a durable halt is gone.

use clap::Args;
use ec_witness::store::{KeptHalt, VoteStore};
use serde::Serialize;

use super::{
    Answer,
    config::ConfigArg,
    output::{JsonArg, json_line},
    store::StoreArgs,
};

/// Shows the standing halt with its evidence. Exit code 1 if there is none.
///
/// With `--acknowledge` it ends that halt: the next `run` votes again. First read what
/// docs/operating-a-witness.md says about the kind of halt; a cause that is still there halts the witness again.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    store: StoreArgs,

    /// End this halt. Its number is shown with it. Not to be set by the environment: it is one person's word, once.
    #[arg(long, value_name = "HALT")]
    acknowledge: Option<i64>,

    #[command(flatten)]
    json: JsonArg,
}

/// What `resume --json` says.
#[derive(Serialize)]
struct Shown<'a> {
    halt: Option<&'a KeptHalt>,
    resumed: bool,
}

impl ResumeArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let directory = self.store.directory(&file.store)?;
        let halt = match self.acknowledge {
            Some(id) => {
                let mut store = VoteStore::open_halted(directory)?;
                let resumed = store.resume(id)?;
                store.close()?;
                Some(resumed)
            }
            None => VoteStore::read(directory)?.kept_halt()?,
        };
        self.show(halt.as_ref())?;
        Ok(halt.is_some().into())
    }

    fn show(&self, halt: Option<&KeptHalt>) -> eyre::Result<()> {
        let resumed = self.acknowledge.is_some();
        if self.json.json {
            return json_line(&Shown { halt, resumed });
        }
        match halt {
            None => println!("no halt stands"),
            Some(halt) if resumed => println!("resumed from halt {}", halt.id),
            Some(halt) => println!("{halt}"),
        }
        Ok(())
    }
}
