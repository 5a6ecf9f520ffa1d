//! `snapshot`: what this host has of the chain, for another one.

use std::path::PathBuf;

use clap::Args;
use ec_op_stack::snapshot::{Chain, Manifest, SnapshotError, sources, take};
use eyre::eyre;
use indicatif::DecimalBytes;
use serde_json::json;

use super::{Answer, JsonArg, files, progress::Progress};

#[derive(Debug, Args)]
pub(super) struct SnapshotArgs {
    /// The snapshot's directory: new, empty, or of a run that was interrupted.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// What runs on this host: its arguments say where the data is.
    #[arg(long, value_name = "FILE", env = "EC_OP_STACK_STACK", default_value = files::STACK)]
    stack: PathBuf,

    /// Also copy the execution client's P2P key, its copy of the engine's token and its accounts: then the snapshot is a secret.
    #[arg(long)]
    with_secrets: bool,

    #[command(flatten)]
    json: JsonArg,
}

impl SnapshotArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let stack = files::read_stack(&self.stack)?;
        let mut progress = Progress::start("copying");
        let taken = Chain::read(&stack.files.rollup).and_then(|chain| {
            let mut told = |done, of| progress.set(done, of);
            take(&sources(&stack)?, &self.to, chain, self.with_secrets, &mut told)
        });
        progress.finish();
        answer(taken, self.json, |manifest| {
            for part in &manifest.parts {
                for path in &part.left_out {
                    println!("left out: {}/{path}, a secret of this host", part.name);
                }
            }
            println!("{}: {}", self.to.display(), contents(manifest));
        })
    }
}

/// What a snapshot holds, in a line.
pub(super) fn contents(manifest: &Manifest) -> String {
    let names: Vec<_> = manifest.parts.iter().map(|part| part.name.as_str()).collect();
    let (files, size) = (manifest.files(), DecimalBytes(manifest.size()));
    format!("{} of chain {}, {files} files, {size}", names.join(" and "), manifest.chain.chain_id)
}

/// Shows what came of it: with `--json` an object, whose `done` is false when the answer is no; else by `show`.
pub(super) fn answer(
    outcome: Result<Manifest, SnapshotError>,
    json: JsonArg,
    show: impl FnOnce(&Manifest),
) -> eyre::Result<Answer> {
    match outcome {
        Ok(manifest) if json.json => {
            let parts = manifest.parts.iter().map(|part| {
                let bytes = part.files.iter().map(|file| file.size).sum::<u64>();
                json!({"name": part.name, "files": part.files.len(), "bytes": bytes, "left_out": part.left_out})
            });
            let parts: Vec<_> = parts.collect();
            println!(
                "{}",
                json!({"done": true, "chain": manifest.chain, "taken_unix_ms": manifest.taken_unix_ms, "parts": parts})
            );
            Ok(Answer::Yes)
        }
        Ok(manifest) => {
            show(&manifest);
            Ok(Answer::Yes)
        }
        Err(no) if no.is_answer() => {
            if json.json {
                println!("{}", json!({"done": false, "problem": no.to_string()}));
            } else {
                eprintln!("problem: {no}");
            }
            Ok(Answer::No)
        }
        // its text has its cause
        Err(error) => Err(eyre!("{error}")),
    }
}
