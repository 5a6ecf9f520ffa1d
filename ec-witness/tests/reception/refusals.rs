//! What is refused, and how it is said.

use std::fs;

use ec_testing::{
    relay::{Media, Publisher, Relay},
    running::await_or_report,
};

use crate::{
    BROADCAST, VIDEO,
    recorder::{Recorder, ec_witness},
};

/// Standard error of a run that fails.
fn refused(archive: &std::path::Path, arguments: &[&str]) -> String {
    let mut command = ec_witness();
    command.args(["archive", "subscribe", "--archive"]).arg(archive).args(arguments);
    let output = command.assert().code(2).get_output().clone();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_cannot_be_done_is_said_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    fs::write(&file, "ftp://user:SECRET@relay.example/SECRET?jwt=SECRET\n").unwrap();
    let (file, root) = (file.to_str().unwrap(), dir.path().join("gone.pem"));
    let root = root.to_str().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&[], "no relay: give its URL"),
        (&["relay.example?jwt=SECRET"], "the relay's URL: relative URL without a base"),
        (&["--url-file", file], "the relay's URL begins with ftp://; give one that begins with https:// or moqt://"),
        (&["--url-file", "/gone/url"], "--url-file: cannot read /gone/url"),
        (&["https://relay.example/?jwt=SECRET", "--tls-root", root], "https://relay.example: "),
        (&["https://relay.example/?jwt=SECRET", "--tls-fingerprint", "xyz"], "fingerprint"),
        (&["https://relay.example/?jwt=SECRET", "--track", "../x"], "track name \"../x\" cannot be a file's"),
    ];
    for (arguments, expected) in cases {
        let said = refused(dir.path(), &[&["--name", BROADCAST], *arguments].concat());
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("SECRET"), "{said}");
    }
    let said = refused(dir.path(), &["https://relay.example", "--name", "../x"]);
    assert!(said.contains("broadcast name \"../x\""), "{said}");
}

#[test]
fn a_torn_index_is_refused_with_the_way_to_cut_it() {
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("manifests").join(BROADCAST);
    fs::create_dir_all(&index).unwrap();
    fs::write(index.join("0.m4s.jsonl"), "{}\n{\"broad").unwrap();
    let said = refused(dir.path(), &["https://relay.example", "--name", BROADCAST]);
    assert!(said.contains("truncate -s 3"), "{said}");
}

/// A token that the relay does not know, a second recorder of the same index, a relay that is not who it should be, and a
/// group that is too large.
#[test]
fn a_relay_and_a_recorder_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let relay = Relay::start(dir.path());
    let root = relay.root();
    let tls = ["--tls-root", root.to_str().unwrap()];
    let url = format!("{}?jwt=SECRET", relay.url());
    let said = refused(&dir.path().join("x"), &[&[url.as_str(), "--name", BROADCAST], &tls[..]].concat());
    assert!(said.contains("refuses: unauthorized; give a URL whose path and ?jwt= token it accepts"), "{said}");
    assert!(!said.contains("SECRET"), "{said}");

    let media = Media::encode(dir.path(), 30);
    let _publisher = Publisher::start(&relay, BROADCAST, &media);
    let mut small = Recorder::start(dir.path(), "small", &relay, &["--max-group-bytes", "2000", "--track", VIDEO]);
    let log = |recorder: &Recorder, words: &str| {
        await_or_report(|| format!("{words}: {}", recorder.logged()), || recorder.logged().contains(words));
    };
    log(&small, "it is larger than 2000 bytes");
    assert!(small.lines(VIDEO).is_empty());
    let archive = dir.path().join("small");
    let said = refused(&archive, &[&[relay.url().as_str(), "--name", BROADCAST], &tls[..]].concat());
    assert!(said.contains("another recorder is writing below"), "{said}");
    assert_eq!(small.stop(), 0);

    let unknown = Recorder::start(dir.path(), "unknown", &relay, &["--tls-fingerprint", &"00".repeat(32)]);
    log(&unknown, "no relay error=");
}
