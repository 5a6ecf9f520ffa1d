//! An initialisation segment for one track (ISO/IEC 14496-12). Where a broadcast's tracks share one, it describes all of them,
//! and a browser that is given fragments of one waits for the others for ever.

/// A box: its type, its whole bytes, and its content.
#[derive(Clone, Copy)]
struct Atom<'a> {
    kind: [u8; 4],
    whole: &'a [u8],
    content: &'a [u8],
}

/// The boxes that stand in a row; `None` where these bytes are none.
fn atoms(mut bytes: &[u8]) -> Option<Vec<Atom<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let kind = bytes.get(4..8)?.try_into().ok()?;
        let (header, size) = match number(bytes, 0)? {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?)).ok()?),
            size => (8, size as usize),
        };
        let (whole, rest) = bytes.split_at_checked(size)?;
        found.push(Atom { kind, whole, content: whole.get(header..)? });
        bytes = rest;
    }
    Some(found)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn child<'a>(of: &'a [u8], kind: &[u8; 4]) -> Option<Atom<'a>> {
    atoms(of)?.into_iter().find(|atom| atom.kind == *kind)
}

/// The track that a fragment is of; `None` where it is of several, or is none.
pub(super) fn track_of(fragment: &[u8]) -> Option<u32> {
    let moof = child(fragment, b"moof")?;
    let of_track = |traf: Atom<'_>| number(child(traf.content, b"tfhd")?.content, 4);
    let mut tracks = atoms(moof.content)?.into_iter().filter(|atom| atom.kind == *b"traf").map(of_track);
    let first = tracks.next()??;
    tracks.all(|other| other == Some(first)).then_some(first)
}

/// The same initialisation segment without what describes other tracks; `None` where it does not describe this one.
pub(super) fn alone(init: &[u8], track: u32) -> Option<Vec<u8>> {
    let mut is_there = false;
    let mut made = Vec::with_capacity(init.len());
    for atom in atoms(init)? {
        if atom.kind != *b"moov" {
            made.extend_from_slice(atom.whole);
            continue;
        }
        let mut movie = Vec::new();
        for part in atoms(atom.content)? {
            match &part.kind {
                b"trak" if described(part.content)? == track => {
                    is_there = true;
                    movie.extend_from_slice(part.whole);
                }
                b"trak" => {}
                b"mvex" => {
                    let mut extends = Vec::new();
                    for default in atoms(part.content)? {
                        if default.kind != *b"trex" || number(default.content, 4)? == track {
                            extends.extend_from_slice(default.whole);
                        }
                    }
                    push(&mut movie, *b"mvex", &extends)?;
                }
                _ => movie.extend_from_slice(part.whole),
            }
        }
        push(&mut made, *b"moov", &movie)?;
    }
    is_there.then_some(made)
}

/// The track that a `trak` describes.
fn described(trak: &[u8]) -> Option<u32> {
    let header = child(trak, b"tkhd")?.content;
    // the times before it are of eight bytes each in version 1, else of four
    number(header, if *header.first()? == 1 { 20 } else { 12 })
}

fn push(to: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) -> Option<()> {
    to.extend_from_slice(&u32::try_from(content.len() + 8).ok()?.to_be_bytes());
    to.extend_from_slice(&kind);
    to.extend_from_slice(content);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    /// An object of the sample, by the first line of one of its files.
    fn object(file: &str) -> Vec<u8> {
        let sample = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../archives/sample"));
        let lines = fs::read_to_string(sample.join("manifests").join(file)).unwrap();
        let line: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        fs::read(sample.join("cas").join(line["cas_path"].as_str().unwrap())).unwrap()
    }

    fn tracks(init: &[u8]) -> Vec<u32> {
        let moov = child(init, b"moov").unwrap();
        let parts = atoms(moov.content).unwrap();
        parts.iter().filter(|part| part.kind == *b"trak").map(|trak| described(trak.content).unwrap()).collect()
    }

    #[test]
    fn what_two_tracks_share_is_made_for_each() {
        let init = object("la-nbc/init.mp4.jsonl");
        assert_eq!(tracks(&init).len(), 2);
        let video = track_of(&object("la-nbc/video0.m4s.jsonl")).unwrap();
        let audio = track_of(&object("la-nbc/audio0.m4s.jsonl")).unwrap();
        assert_ne!(video, audio);
        for track in [video, audio] {
            let own = alone(&init, track).unwrap();
            assert_eq!(tracks(&own), [track]);
            assert!(own.len() < init.len());
            let extends = child(child(&own, b"moov").unwrap().content, b"mvex").unwrap();
            assert_eq!(atoms(extends.content).unwrap().iter().filter(|part| part.kind == *b"trex").count(), 1);
            // what is alone already stays as it is
            assert_eq!(alone(&own, track).unwrap(), own);
        }
        assert_eq!(alone(&init, 99), None);
        for len in 1..init.len() {
            // cut short it is taken for nothing else than what it is
            assert!(alone(&init[..len], video).is_none_or(|made| made.len() < init.len()));
        }
        assert_eq!(track_of(&init), None);
    }
}
