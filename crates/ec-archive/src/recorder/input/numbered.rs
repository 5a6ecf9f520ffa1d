//! Directories of init segments and numbered segments, as DASH packagers write them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{InputError, Stream, is_manifest};
use crate::recorder::media::Piece;

/// Extensions of init segments and segments.
const EXTENSIONS: [&str; 7] = ["mp4", "m4s", "m4v", "m4a", "cmfv", "cmfa", "cmft"];

/// One stream per `init<suffix>`, with every `<anything><suffix>-<number>` in order of number. What a live manifest is beside may
/// grow, and lose its begin.
pub(super) fn inputs(dir: &Path, files: &[PathBuf]) -> Result<Vec<Stream>, InputError> {
    let stems: Vec<(&str, &PathBuf)> = files.iter().filter_map(|path| Some((media_stem(path)?, path))).collect();
    let inits: Vec<_> = stems.iter().filter_map(|(stem, path)| Some((stem.strip_prefix("init")?, *path))).collect();
    if inits.is_empty() {
        return Err(InputError::NoMedia { path: dir.to_owned() });
    }
    let suffixes: Vec<&str> = inits.iter().map(|(suffix, _)| *suffix).collect();
    let may_grow = files.iter().any(|path| is_manifest(path) && is_live(path));
    let stream = |(suffix, init): (&str, &PathBuf)| {
        let segments: BTreeSet<(u64, &PathBuf)> = stems
            .iter()
            .filter(|(stem, _)| !stem.starts_with("init"))
            .filter_map(|(stem, path)| Some((number_for(stem, suffix, &suffixes)?, *path)))
            .collect();
        let Some((first, _)) = segments.first() else {
            return Err(InputError::NoSegments { path: init.clone() });
        };
        let may_lack_begin = may_grow && *first > 1;
        let left_out = missing(&segments);
        let segments = segments.into_iter().map(|(_, path)| path);
        let pieces = [init].into_iter().chain(segments).map(|path| Piece::whole(path)).collect();
        let mut stream = Stream { left_out, ..Stream::whole(dir, pieces) };
        (stream.parts[0].may_grow, stream.parts[0].may_lack_begin) = (may_grow, may_lack_begin);
        Ok(stream)
    };
    inits.into_iter().map(stream).collect()
}

/// Whether a manifest says that more may come.
fn is_live(manifest: &Path) -> bool {
    let text = fs::read_to_string(manifest).unwrap_or_default();
    let root = text.split_once("<MPD").and_then(|(_, rest)| rest.split_once('>')).map_or("", |(root, _)| root);
    root.split_whitespace().any(|attribute| matches!(attribute, "type=\"dynamic\"" | "type='dynamic'"))
}

/// A sentence for each place where segments that are numbered one by one are not there; others are numbered by their times.
fn missing(segments: &BTreeSet<(u64, &PathBuf)>) -> Vec<String> {
    let steps = || segments.iter().zip(segments.iter().skip(1));
    if !steps().any(|((number, _), (next, _))| *next == number.saturating_add(1)) {
        return Vec::new();
    }
    let gaps = steps().filter(|((number, _), (next, _))| *next > number.saturating_add(1));
    gaps.map(|((number, path), (next, _))| {
        let (first, last) = (number + 1, next - 1);
        let what =
            if first == last { format!("segment {first} is") } else { format!("segments {first} to {last} are") };
        format!("{}: {what} missing after it", path.display())
    })
    .collect()
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
