//! Media as ffmpeg makes it on the spot.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Runs ffmpeg, which these tests need.
pub(crate) fn ffmpeg(dir: &Path, args: &[&str]) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]).current_dir(dir);
    let status = ffmpeg.args(args).status().expect("ffmpeg runs; scripts/install-tools test installs it");
    assert!(status.success(), "{args:?}");
}

/// 7 s of H.264 at 10 pictures a second with a key frame in each second, and of AAC.
const SOURCE: &[&str] = &[
    "-f",
    "lavfi",
    "-i",
    "testsrc=size=64x36:rate=10",
    "-f",
    "lavfi",
    "-i",
    "sine=sample_rate=48000",
    "-t",
    "7",
    "-threads",
    "1",
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-bf",
    "0",
    "-g",
    "10",
    "-pix_fmt",
    "yuv420p",
    "-c:a",
    "aac",
    "-ac",
    "1",
];

/// A directory with `source.mp4`, of both tracks in each fragment, and whatever is made of it.
pub(crate) struct Made(TempDir);

impl Made {
    pub(crate) fn source() -> Self {
        let dir = tempfile::tempdir().unwrap();
        ffmpeg(
            dir.path(),
            &[SOURCE, &["-movflags", "+frag_keyframe+empty_moov+default_base_moof", "source.mp4"]].concat(),
        );
        Self(dir)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `output`, made of `input` without coding it again.
    pub(crate) fn copy(&self, input: &str, options: &[&str], output: &str) -> PathBuf {
        ffmpeg(self.0.path(), &[&["-i", input, "-c", "copy"], options, &[output]].concat());
        self.path(output)
    }

    /// An ended list of 1 s segments, `live.m3u8`.
    pub(crate) fn hls(&self) -> PathBuf {
        let options = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4"];
        self.copy("source.mp4", &[&options[..], &["-hls_segment_filename", "seg%d.m4s"]].concat(), "live.m3u8")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The list of `hls` as it stood when it had these segments, by their numbers; a live one has no end.
    pub(crate) fn window(&self, segments: std::ops::Range<usize>, is_live: bool) -> PathBuf {
        let list = self.text("live.m3u8");
        let (head, entries) = list.split_once("#EXTINF").unwrap();
        let entries: Vec<_> = entries.trim_end_matches("#EXT-X-ENDLIST\n").split("#EXTINF").collect();
        let head = head.replace("#EXT-X-MEDIA-SEQUENCE:0", &format!("#EXT-X-MEDIA-SEQUENCE:{}", segments.start));
        let mut text = head;
        for entry in &entries[segments] {
            text.push_str("#EXTINF");
            text.push_str(entry);
        }
        if !is_live {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        self.write("window.m3u8", text)
    }
}

/// A box of any kind.
pub(crate) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, body].concat()
}

/// The top-level boxes of a file.
pub(crate) fn boxes(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(size) = bytes.first_chunk::<4>() {
        let (first, rest) = bytes.split_at(u32::from_be_bytes(*size) as usize);
        found.push(first.to_vec());
        bytes = rest;
    }
    found
}

/// The file with `before` put before each `moof`.
pub(crate) fn with_before_each_moof(bytes: &[u8], before: &[u8]) -> Vec<u8> {
    let put = |part: Vec<u8>| if &part[4..8] == b"moof" { [before, &part].concat() } else { part };
    boxes(bytes).into_iter().flat_map(put).collect()
}
