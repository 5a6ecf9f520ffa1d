//! The witnesses' own copies of the archive. They differ as hosts do.

use std::path::{Path, PathBuf};

use ec_testing::archive::{files, lines::Line, names::FieldNames, variants};
use eyre::{OptionExt, WrapErr, ensure};
use serde::Deserialize;

use crate::{check::Expected, run::Smoke, say};

/// Which witness's archive is not like the others.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    lacking: Option<usize>,
    /// The witness, and the group of which it has another hash.
    pub(crate) tampered: Option<(usize, u64)>,
}

/// What one archive's line is changed with.
type Change = fn(&[Line], u64, &FieldNames) -> Option<Vec<Line>>;

impl Copies {
    pub(crate) fn make(smoke: &Smoke<'_>, expected: &[Expected]) -> eyre::Result<Self> {
        let names = &smoke.configuration.names;
        for witness in smoke.witnesses() {
            let foreign = files::copy(&smoke.settings.archive, &smoke.archive(witness), witness, names)
                .wrap_err("the archive cannot be copied")?;
            if witness == 1 {
                foreign.iter().for_each(|(file, count)| report_foreign(file, *count));
            }
        }
        let witnesses = smoke.settings.witnesses;
        let mut copies = Self::default();
        if smoke.settings.tamper {
            let (file, group) = middle_record(smoke, &expected[0])?;
            change(smoke, witnesses, &file, group, variants::flip)?;
            say(format_args!("witness {witnesses}: the hash of {} group {group} is flipped", file.display()));
            copies.tampered = Some((witnesses, group));
        }
        // a record may be lacking where enough others agree: elsewhere than the flipped one
        if let [_, .., last] = expected
            && witnesses > smoke.settings.quorum
        {
            let witness = witnesses - usize::from(smoke.settings.tamper);
            let (file, group) = middle_record(smoke, last)?;
            change(smoke, witness, &file, group, variants::drop)?;
            say(format_args!("witness {witness}: {} group {group} is lacking", file.display()));
            copies.lacking = Some(witness);
        }
        Ok(copies)
    }

    /// What is different about a witness's archive, to be said after its name.
    pub(crate) fn differs(&self, witness: usize) -> Option<&'static str> {
        if self.tampered.is_some_and(|(tampered, _)| tampered == witness) {
            return Some(", its archive is tampered with");
        }
        (self.lacking == Some(witness)).then_some(", its archive lacks a record")
    }
}

fn report_foreign(file: &Path, count: usize) {
    say(format_args!(
        "{}: {count} lines have no field under a known name, so the copies do not differ in them; [archive.fields] of \
         EC_WITNESS_CONFIG tells the names",
        file.display()
    ));
}

/// A record in the middle of an expected epoch: its file below `manifests/`, and its group.
fn middle_record(smoke: &Smoke<'_>, slot: &Expected) -> eyre::Result<(PathBuf, u64)> {
    #[derive(Deserialize)]
    struct Listing {
        records: Vec<Record>,
    }
    #[derive(Deserialize)]
    struct Record {
        track: String,
        group_sequence: u64,
    }
    let mut derive = smoke.rail.command("derive");
    derive.arg("--archive").arg(&smoke.settings.archive).args(["--stream", &slot.stream_id]);
    derive.args(["--records", &slot.header.sequence.to_string()]);
    let output = smoke.rail.processes().output(&mut derive)?;
    ensure!(output.status.success(), "{}: epoch {} has no records", slot.stream_id, slot.header.sequence);
    let mut records = serde_json::from_slice::<Listing>(&output.stdout)?.records;
    let middle = records.len() / 2;
    ensure!(middle < records.len(), "{}: epoch {} is empty", slot.stream_id, slot.header.sequence);
    let record = records.swap_remove(middle);
    let broadcast = smoke.configuration.broadcast(&slot.stream_id);
    Ok((PathBuf::from(format!("{broadcast}/{}.jsonl", record.track)), record.group_sequence))
}

/// Changes one group in a witness's copy.
fn change(smoke: &Smoke<'_>, witness: usize, file: &Path, group: u64, change: Change) -> eyre::Result<()> {
    let path = smoke.archive(witness).join("manifests").join(file);
    let lines = files::read(&path).wrap_err_with(|| path.display().to_string())?;
    let changed = change(&lines, group, &smoke.configuration.names)
        .ok_or_eyre("no line states this group, and what is to be changed, under a known name")
        .wrap_err_with(|| format!("{} group {group}", file.display()))?;
    Ok(files::write(&path, &changed)?)
}
