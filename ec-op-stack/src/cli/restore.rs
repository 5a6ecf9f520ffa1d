//! `restore`: a snapshot becomes this host's data.

use std::path::PathBuf;

use clap::Args;
use ec_op_stack::snapshot::{Chain, restore, sources};

use super::{
    Answer, JsonArg, files,
    progress::Progress,
    snapshot::{answer, contents},
};

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The snapshot's directory.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    /// What shall run on this host: its arguments say where the data belongs.
    #[arg(long, value_name = "FILE", env = "EC_OP_STACK_STACK", default_value = files::STACK)]
    stack: PathBuf,

    #[command(flatten)]
    json: JsonArg,
}

impl RestoreArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let stack = files::read_stack(&self.stack)?;
        let mut progress = Progress::start("checking and copying");
        let restored = Chain::read(&stack.files.rollup).and_then(|chain| {
            let mut told = |done, of| progress.set(done, of);
            restore(&self.from, &sources(&stack)?, &chain, &mut told)
        });
        progress.finish();
        answer(restored, self.json, |manifest| println!("in place: {}", contents(manifest)))
    }
}
