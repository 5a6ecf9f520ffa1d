//! `archive check`.

use std::{
    error::Error,
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use clap::Args;
use ec_witness::{
    cas::{
        Cas,
        check::{Check, Entry, Finding, Index, IndexLine, Summary},
    },
    recorder::{broadcast::BroadcastName, index::read_slots},
};
use eyre::{bail, eyre};
use serde::Serialize;
use walkdir::{DirEntry, WalkDir};

use super::{Answer, dirs::ArchiveDirs};
use crate::cli::output::{JsonArg, Progress, json_line};

/// Which archive to check, and how.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    dirs: ArchiveDirs,

    /// Check only the objects of this broadcast; unreferenced objects are then not looked for.
    #[arg(long, env = "EC_WITNESS_BROADCAST", value_name = "NAME")]
    broadcast: Option<BroadcastName>,

    /// Threads that hash objects [default: one per processor].
    #[arg(long, env = "EC_WITNESS_JOBS", value_name = "N")]
    jobs: Option<NonZeroUsize>,

    #[command(flatten)]
    json: JsonArg,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct SummaryLine {
    kind: &'static str,
    #[serde(flatten)]
    summary: Summary,
}

impl CheckArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let index = IndexFiles::find(&self.dirs.manifests()?, self.broadcast.as_ref())?;
        let cas = Cas::new(self.dirs.cas()?);
        if !cas.root().is_dir() {
            bail!("no store at {}; give --cas DIR", cas.root().display());
        }
        let jobs = self.jobs.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let check = Check { cas: &cas, jobs, unreferenced: self.broadcast.is_none() };
        let progress = Progress::start("checking objects");
        let report = |finding: &Finding| progress.suspend(|| self.report(finding));
        let checked = check.run(&index, report, &|at| progress.set(at.records, at.of_records));
        progress.finish();
        let summary = checked?;
        match self.json.json {
            true => json_line(&SummaryLine { kind: "summary", summary })?,
            false => print(&summary)?,
        }
        Ok(summary.ok.into())
    }

    fn report(&self, finding: &Finding) -> eyre::Result<()> {
        if self.json.json {
            return json_line(finding);
        }
        Ok(writeln!(std::io::stdout().lock(), "{finding}")?)
    }
}

fn print(summary: &Summary) -> eyre::Result<()> {
    let mut out = std::io::stdout().lock();
    let Summary { records, objects, bytes, .. } = summary;
    writeln!(out, "{records} records, {objects} objects, {bytes} bytes hashed")?;
    let Summary { missing, size_differs, hash_differs, unreadable, conflicts, bad_lines, .. } = summary;
    write!(out, "{missing} missing, {size_differs} of other size, {hash_differs} of other hash, ")?;
    write!(out, "{unreadable} unreadable, {conflicts} conflicts, {bad_lines} bad lines")?;
    match summary.unreferenced {
        Some(unreferenced) => writeln!(out, "; {unreferenced} unreferenced")?,
        None => writeln!(out)?,
    }
    Ok(())
}

/// The index files of an archive: path, broadcast, track.
struct IndexFiles(Vec<(PathBuf, String, String)>);

impl IndexFiles {
    /// Finds the index files of one broadcast, or of all.
    fn find(manifests: &Path, broadcast: Option<&BroadcastName>) -> eyre::Result<Self> {
        let mut files = Vec::new();
        let hidden = |entry: &DirEntry| entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
        let walk = WalkDir::new(manifests).min_depth(1).follow_links(true).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(|entry| !hidden(entry)) {
            let entry = entry?;
            if !entry.file_type().is_file() {
                continue;
            }
            if entry.depth() == 1 {
                eprintln!("warning: {} is not below a broadcast; ignored", entry.path().display());
            } else if let Some((name, track)) = names(entry.path().strip_prefix(manifests)?)?
                && broadcast.is_none_or(|wanted| wanted.as_str() == name)
            {
                files.push((entry.into_path(), name, track));
            }
        }
        match (files.is_empty(), broadcast) {
            (false, _) => Ok(Self(files)),
            (true, Some(name)) => Err(eyre!("no index of broadcast {name} below {}", manifests.display())),
            (true, None) => Err(eyre!("no index files below {}", manifests.display())),
        }
    }
}

/// Broadcast and track of an index file; `None` for other files.
fn names(relative: &Path) -> eyre::Result<Option<(String, String)>> {
    let text = relative.to_str().ok_or_else(|| eyre!("{} is not UTF-8", relative.display()))?;
    let names = text.strip_suffix(".jsonl").and_then(|text| text.rsplit_once('/'));
    Ok(names.map(|(broadcast, track)| (broadcast.to_owned(), track.to_owned())))
}

impl Index for IndexFiles {
    fn for_each(&self, visit: &mut dyn FnMut(IndexLine)) -> Result<(), Box<dyn Error + Send + Sync>> {
        for (path, broadcast, track) in &self.0 {
            read_slots(path, |line, slot| match slot {
                Ok(slot) => visit(IndexLine::Entry(Entry {
                    broadcast: broadcast.clone(),
                    track: track.clone(),
                    group_sequence: slot.group_sequence,
                    blake3: slot.blake3,
                    size_bytes: slot.size_bytes,
                })),
                Err(reason) => visit(IndexLine::Bad { file: path.display().to_string(), line, reason }),
            })?;
        }
        Ok(())
    }
}
