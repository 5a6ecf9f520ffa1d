//! Archives of any size, as canonical writers write them.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

/// The tracks of a generated broadcast, in the order of their names.
pub(crate) const TRACKS: [&str; 2] = ["audio0.m4s", "video0.m4s"];

/// Groups of one epoch, as derived by default.
#[allow(dead_code)] // not needed to make one
pub(crate) const GROUPS_PER_EPOCH: u64 = 30;

const FIRST_SEQUENCE: u64 = 886_412_340;
const GROUP_MS: u64 = 2000;

/// How the groups of a generated broadcast are numbered.
#[derive(Clone, Copy)]
pub(crate) enum Numbers {
    /// By the broadcast's timeline.
    Timeline,
    /// From 0 with each start of the publisher, which restarts after so many groups.
    Sessions(u64),
}

impl Numbers {
    fn sequence(self, number: u64) -> u64 {
        match self {
            Self::Timeline => FIRST_SEQUENCE + number,
            Self::Sessions(groups) => number % groups,
        }
    }
}

/// One line of an index, with its line ending. Its hash is that of no object.
pub(crate) fn line(broadcast: &str, track: &str, number: u64, numbers: Numbers) -> String {
    let sequence = numbers.sequence(number);
    let received = (FIRST_SEQUENCE + number) * GROUP_MS + number % 700;
    let size = 480_000 + number * 7919 % 20_000;
    let hash = blake3::hash(&[track.as_bytes(), &number.to_le_bytes()].concat()).to_hex();
    format!(
        "{{\"broadcast\":\"{broadcast}\",\"track\":\"{track}\",\"group_sequence\":{sequence},\
         \"received_unix_ms\":{received},\"size_bytes\":{size},\"blake3\":\"{hash}\",\
         \"cas_path\":\"objects/blake3/{}/{hash}.bin\"}}\n",
        &hash[..2]
    )
}

/// Writes the index of one broadcast of at least `bytes` bytes into `directory`, an archive's; returns the records and
/// the bytes. None of it is in memory then.
pub(crate) fn write(directory: &Path, broadcast: &str, bytes: u64, numbers: Numbers) -> io::Result<(u64, u64)> {
    let manifests = directory.join("manifests").join(broadcast);
    fs::create_dir_all(&manifests)?;
    let create = |track: &str| File::create(manifests.join(format!("{track}.jsonl")));
    let mut files =
        TRACKS.map(create).into_iter().map(|file| file.map(BufWriter::new)).collect::<io::Result<Vec<_>>>()?;
    let (mut groups, mut written) = (0, 0);
    while written < bytes {
        for (file, track) in files.iter_mut().zip(TRACKS) {
            let line = line(broadcast, track, groups, numbers);
            file.write_all(line.as_bytes())?;
            written += line.len() as u64;
        }
        groups += 1;
    }
    for file in files {
        let file = file.into_inner()?;
        file.sync_data()?;
        // an archive was mostly written long ago: its pages are those that reading it from the disk makes, which the
        // system copies several times as fast as those that small writes make
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok((groups * TRACKS.len() as u64, written))
}
