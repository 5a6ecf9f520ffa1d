//! `archive check`.

use std::{error::Error, io::Write};

use clap::Args;
use ec_archive::{
    Archive, Broadcast, FieldNames, TrackFile,
    cas::{
        Cas,
        check::{CheckTotals, Entry, Finding, Index, IndexLine, ObjectCheck},
    },
    recorder::{broadcast::BroadcastName, index::StoredGroup},
};
use eyre::{bail, eyre};
use serde::Serialize;

use super::{Answer, dirs::ArchiveDirs, numbering::NumberingArg};
use crate::cli::output::{JobsArg, JsonArg, Progress, Unit, json_line};

/// Which archive to check, and how.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    dirs: ArchiveDirs,

    /// Check only the objects of this broadcast; unreferenced objects are then not looked for.
    #[arg(long, env = "EC_WITNESS_BROADCAST", value_name = "NAME")]
    broadcast: Option<BroadcastName>,

    #[command(flatten)]
    numbering: NumberingArg,

    #[command(flatten)]
    jobs: JobsArg,

    #[command(flatten)]
    json: JsonArg,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct SummaryLine {
    kind: &'static str,
    #[serde(flatten)]
    totals: CheckTotals,
}

impl CheckArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let index = IndexFiles::find(&self.dirs.archive()?, self.broadcast.as_ref())?;
        let cas = Cas::new(self.dirs.cas()?);
        if !cas.root().is_dir() {
            bail!("no store at {}; give --cas DIR", cas.root().display());
        }
        let (jobs, NumberingArg { numbering }) = (self.jobs.count(), self.numbering);
        let check = ObjectCheck { cas: &cas, jobs, numbering, unreferenced: self.broadcast.is_none() };
        let progress = Progress::start("checking objects", Unit::Records);
        let report = |finding: &Finding| progress.suspend(|| self.report(finding));
        let checked = check.run(&index, report, &|at| progress.set(at.records, at.of_records));
        progress.finish();
        let totals = checked?;
        match self.json.json {
            true => json_line(&SummaryLine { kind: "summary", totals })?,
            false => print(&totals)?,
        }
        Ok(totals.ok.into())
    }

    fn report(&self, finding: &Finding) -> eyre::Result<()> {
        if self.json.json {
            return json_line(finding);
        }
        Ok(writeln!(std::io::stdout().lock(), "{finding}")?)
    }
}

fn print(totals: &CheckTotals) -> eyre::Result<()> {
    let mut out = std::io::stdout().lock();
    let CheckTotals { records, objects, bytes, .. } = totals;
    writeln!(out, "{records} records, {objects} objects, {bytes} bytes hashed")?;
    let CheckTotals { missing, size_differs, hash_differs, unreadable, conflicts, bad_lines, .. } = totals;
    write!(out, "{missing} missing, {size_differs} of other size, {hash_differs} of other hash, ")?;
    write!(out, "{unreadable} unreadable, ")?;
    if let Some(conflicts) = conflicts {
        write!(out, "{conflicts} conflicts, ")?;
    }
    write!(out, "{bad_lines} bad lines")?;
    match totals.unreferenced {
        Some(unreferenced) => writeln!(out, "; {unreferenced} unreferenced")?,
        None => writeln!(out)?,
    }
    Ok(())
}

/// The index files of an archive: broadcast, track, file.
struct IndexFiles(Vec<(String, String, TrackFile)>);

impl IndexFiles {
    /// Finds the index files of one broadcast, or of all.
    fn find(archive: &Archive, wanted: Option<&BroadcastName>) -> eyre::Result<Self> {
        let is_wanted = |broadcast: &Broadcast| wanted.is_none_or(|wanted| wanted.as_str() == broadcast.name);
        let mut files = Vec::new();
        for broadcast in archive.broadcasts()?.into_iter().filter(is_wanted) {
            for track in broadcast.tracks()? {
                let file = TrackFile::new(&broadcast, &track, FieldNames::default());
                files.push((broadcast.name.clone(), track, file));
            }
        }
        let manifests = archive.manifests.display();
        match (files.is_empty(), wanted) {
            (false, _) => Ok(Self(files)),
            (true, Some(name)) => Err(eyre!("no index of broadcast {name} below {manifests}")),
            (true, None) => Err(eyre!("no index files below {manifests}")),
        }
    }
}

impl Index for IndexFiles {
    fn for_each(&self, visit: &mut dyn FnMut(IndexLine)) -> Result<(), Box<dyn Error + Send + Sync>> {
        for (broadcast, track, file) in &self.0 {
            let mut number = 0;
            file.for_each_line(|line| {
                number += 1;
                match line.said {
                    Some(Ok(record)) => visit(IndexLine::Entry(entry(broadcast, track, record.into()))),
                    Some(Err(bad)) => visit(IndexLine::Bad {
                        file: file.path().display().to_string(),
                        line: number,
                        reason: bad.reason.to_string(),
                    }),
                    None => {}
                }
            })?;
        }
        Ok(())
    }
}

fn entry(broadcast: &str, track: &str, group: StoredGroup) -> Entry {
    let StoredGroup { group_sequence, blake3, size_bytes } = group;
    Entry { broadcast: broadcast.to_owned(), track: track.to_owned(), group_sequence, blake3, size_bytes }
}
