//! Takes a snapshot.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Told, copy,
    error::SnapshotError,
    holds::{Holds, own},
    listing::{Listed, Listing},
    manifest::{self, Chain, Entry, Manifest, Part},
    plan::{Plan, plan},
    sources::Source,
};

/// Below the snapshot's directory: the data.
pub(super) const DATA: &str = "data";
/// In a directory in which a snapshot is being taken; whoever takes it has it locked.
const BEGUN: &str = "unfinished";

/// Copies the data into the directory `to`, which is new, empty, or of a run that was killed. Locks of the data are held
/// meanwhile, so that nothing that uses them can start. Without `secrets`, this host's own ones stay here.
///
/// # Errors
///
/// Something uses the data, the target is taken, or the system refuses. What was copied so far stays, and is gone on with.
pub fn take(
    sources: &[Source],
    to: &Path,
    chain: Chain,
    secrets: bool,
    told: Told<'_>,
) -> Result<Manifest, SnapshotError> {
    let mut originals = Vec::new();
    let mut held = Vec::new();
    for source in sources {
        let Source { component, path, .. } = source;
        if !path.is_dir() {
            return Err(SnapshotError::Missing { component: component.clone(), path: path.clone() });
        }
        is_apart(to, path)?;
        // first the locks: what is listed afterwards changes no more
        held.push(Holds::take(path, &Listing::read(path)?.locks)?);
        let listing = Listing::read(path)?;
        let left_out = if secrets { Vec::new() } else { paths(&listing.secrets) };
        let files = if secrets { listing.all() } else { listing.files };
        originals.push((source, files, left_out));
    }
    let _begun = match begin(to)? {
        Begun::Goes(begun) => begun,
        Begun::WasDone(manifest) => return Ok(manifest),
    };
    let of: u64 = originals.iter().flat_map(|(_, files, _)| files).map(|file| file.size).sum();
    let mut done = 0;
    let mut parts = Vec::new();
    for (source, files, left_out) in originals {
        let into = to.join(DATA).join(&source.name);
        let files = fill(&source.path, &into, &files, &mut |bytes| {
            done += bytes;
            told(done, of);
        })?;
        parts.push(Part { name: source.name.clone(), files, left_out });
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let manifest = Manifest::new(now.as_millis() as u64, chain, parts);
    finish(to, &manifest)?;
    Ok(manifest)
}

fn paths(files: &[Listed]) -> Vec<String> {
    files.iter().map(|file| file.path.clone()).collect()
}

/// A snapshot within what it is of would be of itself.
fn is_apart(to: &Path, data: &Path) -> Result<(), SnapshotError> {
    let existing = to.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let existing = existing.canonicalize().map_err(SnapshotError::system("find", existing))?;
    let data = data.canonicalize().map_err(SnapshotError::system("find", data))?;
    if existing.starts_with(&data) {
        return Err(SnapshotError::Inside { path: to.to_owned(), data });
    }
    Ok(())
}

/// How a run finds its target.
enum Begun {
    /// There is something to do; the target is this run's until the file is closed.
    Goes(File),
    /// An earlier run was killed when all was done.
    WasDone(Manifest),
}

fn begin(to: &Path) -> Result<Begun, SnapshotError> {
    let mark = to.join(BEGUN);
    let (is_whole, was_begun) = (to.join(manifest::FILE).exists(), mark.exists());
    if is_whole && !was_begun {
        return Err(SnapshotError::Finished { path: to.to_owned() });
    }
    if is_whole {
        let manifest = Manifest::read(to)?;
        unmark(to)?;
        return Ok(Begun::WasDone(manifest));
    }
    if !was_begun && !is_empty(to)? {
        return Err(SnapshotError::NotEmpty { path: to.to_owned() });
    }
    if let Some(parent) = to.parent() {
        ec_files::create_dir(parent)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(SnapshotError::system("create directory", to))?;
    let file = File::options().create(true).truncate(false).write(true).open(&mark);
    let file = own(file.map_err(SnapshotError::system("write", &mark))?, to)?;
    ec_files::sync_dir(to)?;
    sweep(to)?;
    Ok(Begun::Goes(file))
}

/// Nothing is in the directory, or there is none.
pub(super) fn is_empty(dir: &Path) -> Result<bool, SnapshotError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(SnapshotError::system("list", dir)(error)),
    }
}

/// Manifests that a killed run had not renamed yet.
fn sweep(to: &Path) -> Result<(), SnapshotError> {
    for entry in fs::read_dir(to).map_err(SnapshotError::system("list", to))? {
        let path = entry.map_err(SnapshotError::system("list", to))?.path();
        if path.extension().is_some_and(|end| end == "tmp") {
            fs::remove_file(&path).map_err(SnapshotError::system("remove", &path))?;
        }
    }
    Ok(())
}

/// Makes `into` a copy of these files of `from`; what they are.
fn fill(from: &Path, into: &Path, files: &[Listed], told: &mut dyn FnMut(u64)) -> Result<Vec<Entry>, SnapshotError> {
    let copied = Listing::read(into)?.all();
    let Plan { keep, copy, remove } = plan(files, &copied);
    for path in remove {
        let path = into.join(path);
        fs::remove_file(&path).map_err(SnapshotError::system("remove", &path))?;
    }
    let entry = |file: &Listed, hash: blake3::Hash| Entry {
        path: file.path.clone(),
        size: file.size,
        mode: file.mode,
        blake3: hash.to_hex().to_string(),
    };
    let mut entries = Vec::with_capacity(files.len());
    for file in keep {
        entries.push(entry(file, copy::hash(&into.join(&file.path), told)?));
    }
    for file in copy {
        let to = into.join(&file.path);
        let hash = copy::copy(&from.join(&file.path), &to, told)?;
        copy::place(&to, file)?;
        entries.push(entry(file, hash));
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn finish(to: &Path, manifest: &Manifest) -> Result<(), SnapshotError> {
    let path = to.join(manifest::FILE);
    let mut text = serde_json::to_string_pretty(manifest)
        .map_err(|error| SnapshotError::Manifest { path: path.clone(), reason: error.to_string() })?;
    text.push('\n');
    ec_files::replace(&path, text.as_bytes(), 0o600)?;
    unmark(to)
}

fn unmark(to: &Path) -> Result<(), SnapshotError> {
    let mark = to.join(BEGUN);
    fs::remove_file(&mark).map_err(SnapshotError::system("remove", &mark))?;
    Ok(ec_files::sync_dir(to)?)
}
