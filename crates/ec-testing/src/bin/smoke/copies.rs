//! The witnesses' own copies of the archives. They differ as hosts do.

use std::path::{Path, PathBuf};

use ec_testing::archive::{
    files,
    lines::Line,
    names::FieldNames,
    variants::{self, GroupAt},
};
use eyre::{OptionExt, WrapErr, ensure};
use serde::Deserialize;

use crate::{epochs::Epoch, run::Smoke, say};

/// Which witness's archive is not like the others.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    lacking: Option<usize>,
    /// The witness, and the group of which it has another hash.
    pub(crate) tampered: Option<(usize, u64)>,
}

/// What one archive's line is changed with.
type Change = fn(&[Line], GroupAt, &FieldNames) -> Option<Vec<Line>>;

impl Copies {
    /// Copies them. `shared` are the epochs that every witness has whole.
    pub(crate) fn make(smoke: &Smoke<'_>, shared: &[Epoch]) -> eyre::Result<Self> {
        let names = &smoke.configuration.names;
        for witness in smoke.witnesses() {
            let source = smoke.settings.source(witness);
            let foreign = files::copy(source, &smoke.archive(witness), witness, names)
                .wrap_err_with(|| format!("{} cannot be copied", source.display()))?;
            if witness == 1 {
                foreign.iter().for_each(|(file, count)| report_foreign(file, *count));
            }
        }
        let witnesses = smoke.settings.witnesses;
        let mut copies = Self::default();
        if smoke.settings.tamper {
            let epoch = shared.first().ok_or_eyre("--tamper: no epoch is whole at every witness")?;
            let (file, group) = middle_record(smoke, epoch)?;
            change(smoke, witnesses, &file, group, variants::flip)?;
            say(format_args!("witness {witnesses}: the hash of {} group {} is flipped", file.display(), group.group));
            copies.tampered = Some((witnesses, group.group));
        }
        // a record may be lacking where enough others agree: elsewhere than the flipped one
        if let [_, .., last] = shared
            && witnesses > smoke.settings.quorum
        {
            let witness = witnesses - usize::from(smoke.settings.tamper);
            let (file, group) = middle_record(smoke, last)?;
            change(smoke, witness, &file, group, variants::drop)?;
            say(format_args!("witness {witness}: {} group {} is lacking", file.display(), group.group));
            copies.lacking = Some(witness);
        }
        Ok(copies)
    }

    /// What is different about a witness's archive, to be said after its name.
    pub(crate) fn differs(&self, smoke: &Smoke<'_>, witness: usize) -> String {
        let mut differs = String::new();
        if smoke.settings.is_late(witness) {
            differs += ", it has an archive of its own";
        }
        if self.tampered.is_some_and(|(tampered, _)| tampered == witness) {
            differs += ", its archive is tampered with";
        }
        if self.lacking == Some(witness) {
            differs += ", its archive lacks a record";
        }
        differs
    }
}

fn report_foreign(file: &Path, count: usize) {
    say(format_args!(
        "{}: {count} lines have no field under a known name, so the copies do not differ in them; [archive.fields] of \
         EC_WITNESS_CONFIG tells the names",
        file.display()
    ));
}

/// A record in the middle of an epoch: its file below `manifests/`, and its group.
fn middle_record(smoke: &Smoke<'_>, epoch: &Epoch) -> eyre::Result<(PathBuf, GroupAt)> {
    #[derive(Deserialize)]
    struct Listing {
        records: Vec<Record>,
    }
    #[derive(Deserialize)]
    struct Record {
        track: String,
        group_sequence: u64,
    }
    let (stream_id, sequence) = (&epoch.stream_id, epoch.header.sequence);
    let mut derive = smoke.rail.command("derive");
    derive.arg("--archive").arg(&smoke.settings.archive).args(["--stream", stream_id]);
    derive.args(["--records", &sequence.to_string()]);
    let output = smoke.rail.processes().output(&mut derive)?;
    ensure!(output.status.success(), "{stream_id}: epoch {sequence} has no records");
    let mut records = serde_json::from_slice::<Listing>(&output.stdout)?.records;
    let middle = records.len() / 2;
    ensure!(middle < records.len(), "{stream_id}: epoch {sequence} is empty");
    let record = records.swap_remove(middle);
    let broadcast = smoke.configuration.broadcast(stream_id, &record.track);
    let group = GroupAt { group: record.group_sequence, unix_ms: epoch.header.observed_unix_ms };
    Ok((PathBuf::from(format!("{broadcast}/{}.jsonl", record.track)), group))
}

/// Changes one group in a witness's copy.
fn change(smoke: &Smoke<'_>, witness: usize, file: &Path, group: GroupAt, change: Change) -> eyre::Result<()> {
    let path = smoke.archive(witness).join("manifests").join(file);
    let lines = files::read(&path).wrap_err_with(|| path.display().to_string())?;
    let changed = change(&lines, group, &smoke.configuration.names)
        .ok_or_eyre("no line states this group, and what is to be changed, under a known name")
        .wrap_err_with(|| format!("{} group {}", file.display(), group.group))?;
    Ok(files::write(&path, &changed)?)
}
