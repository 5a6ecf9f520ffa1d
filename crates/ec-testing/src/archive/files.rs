//! Indexes on the disk.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use super::{
    lines::Line,
    names::FieldNames,
    variants::{repeat, vary},
};

/// The track files of an index, by their paths below `manifests`.
///
/// # Errors
///
/// The directory cannot be read.
pub fn tracks(manifests: &Path) -> io::Result<Vec<PathBuf>> {
    let mut tracks = Vec::new();
    for entry in WalkDir::new(manifests).min_depth(2).follow_links(true).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() && entry.path().extension().is_some_and(|extension| extension == "jsonl") {
            tracks.extend(entry.path().strip_prefix(manifests).map(Path::to_owned));
        }
    }
    Ok(tracks)
}

/// The lines of a file.
///
/// # Errors
///
/// It cannot be read.
pub fn read(file: &Path) -> io::Result<Vec<Line>> {
    fs::read(file).map(|text| Line::all(&text))
}

/// Appends to a file, which is made with its directory where it is not there.
///
/// # Errors
///
/// It cannot be written.
pub fn append(file: &Path, line: &Line) -> io::Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(file))?;
    fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())
}

/// Writes a file of these lines, and its directory where it is not there.
///
/// # Errors
///
/// It cannot be written.
pub fn write(file: &Path, lines: &[Line]) -> io::Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(file))?;
    fs::write(file, lines.iter().flat_map(Line::as_bytes).copied().collect::<Vec<_>>())
}

/// Makes `copy` the archive as host number `host` has it: an index of its own, and the same objects. Returns the files
/// with lines of which no field stands under a known name, and how many each has.
///
/// # Errors
///
/// The archive cannot be read, or the copy not written.
pub fn copy(archive: &Path, copy: &Path, host: usize, names: &FieldNames) -> io::Result<Vec<(PathBuf, usize)>> {
    fs::create_dir_all(copy.join("manifests"))?;
    symlink(archive.join("cas"), copy.join("cas"))?;
    let mut foreign = Vec::new();
    for track in tracks(&archive.join("manifests"))? {
        let lines = read(&archive.join("manifests").join(&track))?;
        write(&copy.join("manifests").join(&track), &vary(&lines, host, names))?;
        match lines.iter().filter(|line| line.is_foreign(names)).count() {
            0 => {}
            count => foreign.push((track, count)),
        }
    }
    Ok(foreign)
}

/// Makes `archive` one of so many broadcasts, `copy-1`, `copy-2`, …: each is one broadcast of another archive so many
/// times one after the other. They share its objects.
///
/// # Errors
///
/// The broadcast cannot be read, or the archive not written.
pub fn broadcasts(
    broadcast: &Path,
    cas: &Path,
    archive: &Path,
    count: usize,
    times: u64,
    names: &FieldNames,
) -> io::Result<()> {
    fs::create_dir_all(archive.join("manifests"))?;
    symlink(cas, archive.join("cas"))?;
    for entry in fs::read_dir(broadcast)? {
        let file = entry?.path();
        let Some(name) = file.file_name().filter(|_| file.extension().is_some_and(|extension| extension == "jsonl"))
        else {
            continue;
        };
        let repeated = repeat(&read(&file)?, times, names);
        for number in 1..=count {
            let copy = format!("copy-{number}");
            let lines: Vec<_> = repeated.iter().map(|line| line.with_broadcast(names, &copy)).collect();
            write(&archive.join("manifests").join(&copy).join(name), &lines)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> PathBuf {
        crate::repository().join("archives/sample")
    }

    #[test]
    fn a_copy_has_the_same_files_and_the_same_groups() {
        let dir = tempfile::tempdir().unwrap();
        let (copied, names) = (dir.path().join("copy"), FieldNames::default());
        assert_eq!(copy(&sample(), &copied, 1, &names).unwrap(), []);
        let (from, to) = (sample().join("manifests"), copied.join("manifests"));
        assert_eq!(tracks(&from).unwrap(), tracks(&to).unwrap());
        assert_eq!(tracks(&to).unwrap().len(), 10);
        for track in tracks(&from).unwrap() {
            let groups = |file| {
                let mut groups: Vec<_> = read(file).unwrap().iter().map(|line| line.group(&names)).collect();
                groups.sort_unstable();
                groups.dedup();
                groups
            };
            assert_eq!(groups(&from.join(&track)), groups(&to.join(&track)));
        }
        assert_ne!(
            read(&from.join("la-nbc/video0.m4s.jsonl")).unwrap(),
            read(&to.join("la-nbc/video0.m4s.jsonl")).unwrap()
        );
        assert!(copied.join("cas/objects").is_dir());
    }

    #[test]
    fn lines_under_unknown_names_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("archive");
        let lines = Line::all(b"{\"n\":1,\"at\":1000}\nbad\n{\"n\":2,\"at\":2000}\n");
        write(&archive.join("manifests/tv/v.jsonl"), &lines).unwrap();
        let foreign = copy(&archive, &dir.path().join("a"), 1, &FieldNames::default()).unwrap();
        assert_eq!(foreign, [(PathBuf::from("tv/v.jsonl"), 2)]);
        let names = FieldNames::of_config("archive.fields.received_unix_ms = ['at']").unwrap();
        assert_eq!(copy(&archive, &dir.path().join("b"), 1, &names).unwrap(), []);
        assert_ne!(read(&dir.path().join("b/manifests/tv/v.jsonl")).unwrap()[0], lines[0]);
    }

    #[test]
    fn broadcasts_are_repetitions_of_one_under_other_names() {
        let (dir, names) = (tempfile::tempdir().unwrap(), FieldNames::default());
        let archive = dir.path().join("archive");
        broadcasts(&sample().join("manifests/la-nbc"), &sample().join("cas"), &archive, 2, 3, &names).unwrap();
        let found = tracks(&archive.join("manifests")).unwrap();
        assert_eq!(found.len(), 8);
        let lines = read(&archive.join("manifests/copy-2/video0.m4s.jsonl")).unwrap();
        assert_eq!(lines.len(), 3 * 315);
        let first = String::from_utf8(lines[0].as_bytes().to_vec()).unwrap();
        assert!(first.starts_with("{\"broadcast\":\"copy-2\",\"track\":\"video0.m4s\","), "{first}");
        assert_eq!(read(&archive.join("manifests/copy-1/init.mp4.jsonl")).unwrap().len(), 1);
    }
}
