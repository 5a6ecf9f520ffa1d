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

    /// The same list, in which each segment has a date, and its dates in Unix milliseconds.
    pub(crate) fn dated_hls(&self) -> (PathBuf, Vec<u64>) {
        self.hls();
        const FIRST_MS: u64 = 1_790_000_000_250;
        let text = self.text("live.m3u8");
        let mut dates = Vec::new();
        let dated = text.split("#EXTINF").collect::<Vec<_>>().join("#EXT-X-DATE#EXTINF");
        let parts: Vec<_> = dated.split("#EXT-X-DATE").collect();
        let mut text = parts[0].to_owned();
        for (number, part) in (0..).zip(&parts[1..]) {
            // a clock that is read for each segment is never quite that of the media
            let unix_ms = FIRST_MS + 1000 * number + number % 3;
            let date = jiff::Timestamp::from_millisecond(i64::try_from(unix_ms).unwrap()).unwrap();
            // before the EXTINF, so that a window has it with its segment
            let (duration, rest) = part.split_once('\n').unwrap();
            text.push_str(&format!("{duration}\n#EXT-X-PROGRAM-DATE-TIME:{date}\n{rest}"));
            dates.push(unix_ms);
        }
        (self.write("live.m3u8", text), dates)
    }

    /// A list of the segments of other lists, with a discontinuity between them.
    pub(crate) fn joined(&self, lists: &[&Path], name: &str) -> PathBuf {
        let texts: Vec<_> = lists.iter().map(|list| fs::read_to_string(list).unwrap()).collect();
        let end = if texts.last().unwrap().ends_with("#EXT-X-ENDLIST\n") { "#EXT-X-ENDLIST\n" } else { "" };
        let parts: Vec<_> = texts
            .iter()
            .map(|text| {
                let map = text.lines().find(|line| line.starts_with("#EXT-X-MAP")).unwrap();
                let entries = &text[text.find("#EXTINF").unwrap()..];
                format!("{map}\n{}", entries.trim_end_matches("#EXT-X-ENDLIST\n"))
            })
            .collect();
        let head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n";
        self.write(name, format!("{head}{}{end}", parts.join("#EXT-X-DISCONTINUITY\n")))
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

/// A packet as ffprobe reads it: times since the first one in microseconds, size, flags, and the hash of its bytes.
pub(crate) type Packet = (i64, i64, String, String, String);

/// The packets of a file's first `video` or `audio` track.
pub(crate) fn packets(path: &Path, kind: &str) -> Vec<Packet> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-select_streams", &format!("{}:0", &kind[..1]), "-show_packets"]);
    ffprobe.args(["-show_data_hash", "md5", "-of", "json"]).arg(path);
    let output = ffprobe.output().expect("ffprobe comes with ffmpeg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packets = read["packets"].as_array().unwrap();
    let time = |packet: &serde_json::Value, name: &str| {
        let seconds: f64 = packet[name].as_str().unwrap().parse().unwrap();
        #[allow(clippy::cast_possible_truncation)] // seconds of a test
        let micros = (seconds * 1e6).round() as i64;
        micros
    };
    let first = packets.first().map(|packet| time(packet, "dts_time")).unwrap_or_default();
    let text = |packet: &serde_json::Value, name: &str| packet[name].as_str().unwrap().to_owned();
    let packet = |packet: &serde_json::Value| {
        let times = (time(packet, "pts_time") - first, time(packet, "dts_time") - first);
        (times.0, times.1, text(packet, "size"), text(packet, "flags"), text(packet, "data_hash"))
    };
    packets.iter().map(packet).collect()
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
