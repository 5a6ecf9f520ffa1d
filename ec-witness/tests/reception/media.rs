//! The media in fragmented MP4: payloads, without what a publisher writes anew around them.

/// The payloads of a track's fragments (ISO/IEC 14496-12 §8.8): each `mdat` that follows a `moof` of the track.
pub(crate) fn payloads(bytes: &[u8], track: u32) -> Vec<Vec<u8>> {
    let (mut found, mut wanted) = (Vec::new(), false);
    for (kind, body) in boxes(bytes) {
        match &kind {
            b"moof" => wanted = track_of(body) == Some(track),
            b"mdat" if wanted => found.push(body.to_vec()),
            _ => {}
        }
    }
    found
}

/// The boxes of one level: their kinds and contents. 32-bit sizes only, which is what these fragments have.
fn boxes(mut bytes: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 8 {
        let size = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        found.push((bytes[4..8].try_into().unwrap(), &bytes[8..size]));
        bytes = &bytes[size..];
    }
    assert!(bytes.is_empty(), "{} bytes behind the last box", bytes.len());
    found
}

fn child<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).into_iter().find(|(kind, _)| kind == wanted).map(|(_, body)| body)
}

/// The track id in a fragment's header.
fn track_of(moof: &[u8]) -> Option<u32> {
    let header = child(child(moof, b"traf")?, b"tfhd")?;
    Some(u32::from_be_bytes(header[4..8].try_into().unwrap()))
}
