//! A real MoQ relay on loopback, and publishers of test signals on it.
//!
//! Both are tools of the tests, which `scripts/install-tools relay` brings; a test that lacks them fails.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Test code: a panic is its report.

use std::{
    fs::{self, File},
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{repository, running::await_that};

/// Seconds of a group of [`Media`].
const GROUP_S: u32 = 1;

/// A relay that anybody may publish at, below `/anon`. Killed when it is dropped.
#[derive(Debug)]
pub struct Relay {
    dir: PathBuf,
    port: u16,
    process: Child,
}

impl Relay {
    /// Starts a relay on a free port; its certificate and its log are in `dir`.
    pub fn start(dir: &Path) -> Self {
        // apart: its users watch the folder of their root
        fs::create_dir(dir.join("tls")).unwrap();
        make_certificate(&dir.join("tls"));
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { dir: dir.to_owned(), port, process: spawn(dir, port) }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/anon", self.port)
    }

    /// The file of the certificate that its own comes from.
    pub fn root(&self) -> PathBuf {
        self.dir.join("tls/cert.pem")
    }

    /// SIGKILL; its clients hear nothing.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again where it was.
    pub fn restart(&mut self) {
        self.process = spawn(&self.dir, self.port);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(dir: &Path, port: u16) -> Child {
    let log = log(dir, "relay.log");
    let mut relay = Command::new(tool("moq-relay"));
    relay.args(["--listen", &format!("127.0.0.1:{port}"), "--auth-public", "anon/**"]);
    relay.arg("--listen-tls-cert").arg(dir.join("tls/cert.pem")).arg("--listen-tls-key").arg(dir.join("tls/key.pem"));
    let process = relay.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
    let process = process.expect("moq-relay starts");
    // the port is taken once it listens
    await_that("the relay listens", || UdpSocket::bind(("127.0.0.1", port)).is_err());
    process
}

/// A certificate of its own root, so that the relay can be verified.
fn make_certificate(dir: &Path) {
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                   -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let mut openssl = Command::new("openssl");
    openssl
        .args(request.split_whitespace())
        .arg("-keyout")
        .arg(dir.join("key.pem"))
        .arg("-out")
        .arg(dir.join("cert.pem"));
    assert!(openssl.stderr(Stdio::null()).status().expect("openssl runs").success());
}

/// Test signals as fragments of a second, each with video and audio.
#[derive(Debug)]
pub struct Media(PathBuf);

impl Media {
    /// Encodes so many seconds into `dir`.
    pub fn encode(dir: &Path, seconds: u32) -> Self {
        let path = dir.join("media.mp4");
        let (rate, length) = (10, seconds.to_string());
        let (video, group) = (format!("testsrc=size=160x90:rate={rate}"), (rate * GROUP_S).to_string());
        let mut ffmpeg = ffmpeg();
        ffmpeg.args(["-f", "lavfi", "-i", &video, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]);
        ffmpeg.args(["-t", &length, "-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-bf", "0"]);
        ffmpeg.args(["-g", &group, "-keyint_min", &group, "-sc_threshold", "0", "-pix_fmt", "yuv420p"]);
        ffmpeg.args(["-c:a", "aac", "-b:a", "32k", "-ac", "1"]).args(FRAGMENTS).arg(&path);
        assert!(ffmpeg.status().expect("ffmpeg runs").success());
        Self(path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// One fragment of each track at each keyframe, written at once.
const FRAGMENTS: [&str; 6] =
    ["-movflags", "+cmaf+frag_keyframe+separate_moof+default_base_moof+empty_moov", "-flush_packets", "1", "-f", "mp4"];

fn ffmpeg() -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-hide_banner", "-loglevel", "error"]);
    ffmpeg
}

/// Plays media to a relay in its own time. Killed when it is dropped.
#[derive(Debug)]
pub struct Publisher {
    player: Child,
    publisher: Child,
}

impl Publisher {
    /// Plays `media` from its begin as `broadcast`.
    pub fn start(relay: &Relay, broadcast: &str, media: &Media) -> Self {
        Self::play(relay, broadcast, media, &[&["-c", "copy"], &FRAGMENTS[..]].concat(), "fmp4")
    }

    /// Plays the pictures of `media` without a container, in a track that is no CMAF.
    pub fn start_raw(relay: &Relay, broadcast: &str, media: &Media) -> Self {
        let pictures = ["-an", "-c:v", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264"];
        Self::play(relay, broadcast, media, &pictures, "avc3")
    }

    fn play(relay: &Relay, broadcast: &str, media: &Media, output: &[&str], format: &str) -> Self {
        let mut player = ffmpeg();
        player.args(["-re", "-i"]).arg(media.path()).args(output).arg("-");
        let mut player = player.stdout(Stdio::piped()).spawn().expect("ffmpeg starts");
        let log = log(&relay.dir, "publisher.log");
        let mut publisher = Command::new(tool("moq"));
        publisher.args(["--connect", &relay.url(), "--connect-tls-root"]).arg(relay.root());
        publisher.args(["--backoff-timeout", "0s", "import", "--broadcast", broadcast, format]);
        publisher.stdin(player.stdout.take().unwrap()).stdout(log.try_clone().unwrap()).stderr(log);
        Self { player, publisher: publisher.spawn().expect("moq starts") }
    }

    /// SIGKILL; the relay hears nothing.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for process in [&mut self.publisher, &mut self.player] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end();
    }
}

fn log(dir: &Path, name: &str) -> File {
    File::options().create(true).append(true).open(dir.join(name)).unwrap()
}

/// A program that is installed for the tests.
fn tool(name: &str) -> PathBuf {
    let path = repository().join("tools/bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/install-tools relay", path.display());
    path
}
