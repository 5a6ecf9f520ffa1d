//! Directories of init segments and numbered segments, as DASH packagers write them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{InputError, Stream};
use crate::recorder::media::Piece;

/// Extensions of init segments and segments.
const EXTENSIONS: [&str; 7] = ["mp4", "m4s", "m4v", "m4a", "cmfv", "cmfa", "cmft"];

/// One stream per `init<suffix>`, with every `<anything><suffix>-<number>` in order of number.
pub(super) fn inputs(dir: &Path, files: &[PathBuf]) -> Result<Vec<Stream>, InputError> {
    let stems: Vec<(&str, &PathBuf)> = files.iter().filter_map(|path| Some((media_stem(path)?, path))).collect();
    let inits: Vec<_> = stems.iter().filter_map(|(stem, path)| Some((stem.strip_prefix("init")?, *path))).collect();
    if inits.is_empty() {
        return Err(InputError::NoMedia { path: dir.to_owned() });
    }
    let suffixes: Vec<&str> = inits.iter().map(|(suffix, _)| *suffix).collect();
    let stream = |(suffix, init): (&str, &PathBuf)| {
        let segments: BTreeSet<(u64, &PathBuf)> = stems
            .iter()
            .filter(|(stem, _)| !stem.starts_with("init"))
            .filter_map(|(stem, path)| Some((number_for(stem, suffix, &suffixes)?, *path)))
            .collect();
        if segments.is_empty() {
            return Err(InputError::NoSegments { path: init.clone() });
        }
        let segments = segments.into_iter().map(|(_, path)| path);
        let pieces = [init].into_iter().chain(segments).map(|path| Piece::whole(path)).collect();
        Ok(Stream::whole(dir, pieces))
    };
    inits.into_iter().map(stream).collect()
}

fn media_stem(path: &Path) -> Option<&str> {
    let extension = path.extension()?.to_str()?;
    EXTENSIONS.contains(&extension).then(|| path.file_stem()?.to_str()).flatten()
}

/// The number of a segment, if `suffix` is the longest of `suffixes` that its name has before the number.
fn number_for(stem: &str, suffix: &str, suffixes: &[&str]) -> Option<u64> {
    let name = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = stem[name.len()..].parse().ok()?;
    let name = name.trim_end_matches(['-', '_', '.']);
    let longest = suffixes.iter().filter(|suffix| name.ends_with(*suffix)).max_by_key(|suffix| suffix.len())?;
    (*longest == suffix).then_some(number)
}
