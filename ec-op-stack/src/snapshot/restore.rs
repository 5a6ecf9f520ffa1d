//! Puts a snapshot in place.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File},
    os::unix::fs::{DirBuilderExt, MetadataExt, chown},
    path::{Path, PathBuf},
};

use super::{
    Told, copy,
    error::SnapshotError,
    holds::own,
    listing::{Listed, Listing},
    manifest::{Chain, Entry, Manifest, Part},
    plan::{Plan, plan},
    sources::Source,
    take::{DATA, is_empty},
};

/// What a directory is called, beside its place, until all of it is there and checked.
const STAGED: &str = ".restoring";

/// Puts the snapshot in `from` where `places` say. Each place must be empty or not be there; everything is copied beside them and
/// checked, and only then renamed into place. Files belong to whom the place belongs to, or the directory that it is in.
///
/// # Errors
///
/// The snapshot is unfinished, damaged or of another chain, a place is taken, or the system refuses. What was copied so far
/// stays, and is gone on with.
pub fn restore(from: &Path, places: &[Source], chain: &Chain, told: Told<'_>) -> Result<Manifest, SnapshotError> {
    let manifest = Manifest::read(from)?;
    if manifest.chain != *chain {
        return Err(SnapshotError::OtherChain { snapshot: manifest.chain.to_string(), host: chain.to_string() });
    }
    let mut to_do = Vec::new();
    for part in &manifest.parts {
        let place = place_of(part, places)?;
        if !stands(part, place)? {
            to_do.push((part, place));
        }
    }
    let of: u64 = to_do.iter().flat_map(|(part, _)| &part.files).map(|file| file.size).sum();
    let mut done = 0;
    let mut staged = Vec::new();
    for (part, place) in to_do {
        staged.push(stage(&from.join(DATA).join(&part.name), part, place, &mut |bytes| {
            done += bytes;
            told(done, of);
        })?);
    }
    for Staged { dir, place, _own } in staged {
        fs::rename(&dir, place).map_err(SnapshotError::system("put the data in place at", place))?;
        ec_files::sync_dir(beside(place))?;
    }
    Ok(manifest)
}

fn place_of<'a>(part: &Part, places: &'a [Source]) -> Result<&'a Path, SnapshotError> {
    let place = places.iter().find(|place| place.name == part.name);
    place.map(|place| place.path.as_path()).ok_or_else(|| SnapshotError::NoPlace {
        part: part.name.clone(),
        places: places.iter().map(|place| place.name.clone()).collect(),
    })
}

/// An earlier run, killed before it was done with all, has put this part in place; what else is there is not overwritten.
fn stands(part: &Part, place: &Path) -> Result<bool, SnapshotError> {
    if is_empty(place)? {
        return Ok(false);
    }
    let there = Listing::read(place)?.all();
    let is_same = |(file, entry): (&Listed, &Entry)| -> Result<bool, SnapshotError> {
        let same = file.path == entry.path && file.size == entry.size;
        Ok(same && is_entry(&copy::hash(&place.join(&file.path), &mut |_| {})?, entry))
    };
    if there.len() != part.files.len() || part.files.is_empty() {
        return Err(SnapshotError::NotEmpty { path: place.to_owned() });
    }
    for pair in there.iter().zip(&part.files) {
        if !is_same(pair)? {
            return Err(SnapshotError::NotEmpty { path: place.to_owned() });
        }
    }
    Ok(true)
}

fn is_entry(hash: &blake3::Hash, entry: &Entry) -> bool {
    hash.to_hex().as_str() == entry.blake3
}

/// A part that is whole and checked, beside its place.
struct Staged<'a> {
    dir: PathBuf,
    place: &'a Path,
    /// This run's as long as it is open.
    _own: File,
}

fn beside(place: &Path) -> &Path {
    place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn stage<'a>(
    from: &Path,
    part: &Part,
    place: &'a Path,
    told: &mut dyn FnMut(u64),
) -> Result<Staged<'a>, SnapshotError> {
    let mut dir = place.as_os_str().to_owned();
    dir.push(STAGED);
    let dir = PathBuf::from(dir);
    ec_files::create_dir(beside(place))?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir).and_then(|()| File::open(&dir));
    let own = own(made.map_err(SnapshotError::system("create directory", &dir))?, &dir)?;
    let wanted = wanted(from, part)?;
    let there = Listing::read(&dir)?.all();
    let Plan { keep, copy, remove } = plan(&wanted, &there);
    for path in remove {
        let path = dir.join(path);
        fs::remove_file(&path).map_err(SnapshotError::system("remove", &path))?;
    }
    let entries: BTreeMap<_, _> = part.files.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let there = keep.into_iter().map(|file| (file, true));
    for (file, is_there) in there.chain(copy.into_iter().map(|file| (file, false))) {
        let (to, entry) = (dir.join(&file.path), entries[file.path.as_str()]);
        if is_there && is_entry(&copy::hash(&to, told)?, entry) {
            continue;
        }
        let found = copy::copy(&from.join(&file.path), &to, told)?;
        if !is_entry(&found, entry) {
            let (wanted, found) = (format!("BLAKE3 {}", entry.blake3), format!("BLAKE3 {found}"));
            return Err(SnapshotError::Damaged { path: from.join(&file.path), wanted, found });
        }
        copy::place(&to, file)?;
    }
    give(&dir, place)?;
    Ok(Staged { dir, place, _own: own })
}

/// The part's files, as the manifest has them, with the times at which they are in the snapshot.
fn wanted(from: &Path, part: &Part) -> Result<Vec<Listed>, SnapshotError> {
    let file = |entry: &Entry| {
        let path = from.join(&entry.path);
        let damaged = |path, found| SnapshotError::Damaged { path, wanted: format!("{} bytes", entry.size), found };
        if !path.exists() {
            return Err(damaged(path, "nothing".to_owned()));
        }
        let metadata = fs::metadata(&path).and_then(|found| Ok((found.len(), found.modified()?)));
        let (size, modified) = metadata.map_err(SnapshotError::system("read", &path))?;
        if size != entry.size {
            return Err(damaged(path, format!("{size} bytes")));
        }
        Ok(Listed { path: entry.path.clone(), size, mode: entry.mode, modified })
    };
    part.files.iter().map(file).collect()
}

/// Gives all of `dir` to the owner of its place, durably: who restores is often root, and the programs are not.
fn give(dir: &Path, place: &Path) -> Result<(), SnapshotError> {
    let model = if place.exists() { place } else { beside(place) };
    let owner = fs::metadata(model).map_err(SnapshotError::system("look at", model))?;
    give_to(dir, owner.uid(), owner.gid())
}

fn give_to(path: &Path, user: u32, group: u32) -> Result<(), SnapshotError> {
    let metadata = fs::metadata(path).map_err(SnapshotError::system("look at", path))?;
    if (metadata.uid(), metadata.gid()) != (user, group) {
        chown(path, Some(user), Some(group)).map_err(SnapshotError::system("change the owner of", path))?;
        File::open(path).and_then(|file| file.sync_all()).map_err(SnapshotError::system("sync", path))?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(SnapshotError::system("list", path))? {
            give_to(&entry.map_err(SnapshotError::system("list", path))?.path(), user, group)?;
        }
    }
    Ok(())
}
