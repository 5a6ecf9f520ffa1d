//! The real binary on copies of real inputs.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.
#![allow(dead_code)] // Not every test uses all.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use assert_cmd::Command;
use ec_testing::proxy::{ANY, Fault, Proxy};

/// Where the inputs are.
pub(crate) fn inputs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs")
}

/// A directory with copies of these inputs.
pub(crate) fn copies(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(inputs().join(name), dir.path().join(name)).unwrap();
    }
    dir
}

/// Runs `ec-op-stack` in `dir`.
pub(crate) fn run(dir: &Path, args: &[&str]) -> Output {
    Command::cargo_bin("ec-op-stack").unwrap().current_dir(dir).args(args).output().unwrap()
}

/// Runs it and expects this exit code; the output as text.
pub(crate) fn expect(dir: &Path, code: i32, args: &[&str]) -> (String, String) {
    let output = run(dir, args);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    (out, err)
}

/// Runs it with `--json` and expects this exit code; the object it prints.
pub(crate) fn expect_json(dir: &Path, code: i32, args: &[&str]) -> serde_json::Value {
    let (out, _) = expect(dir, code, &[args, &["--json"]].concat());
    serde_json::from_str(&out).unwrap()
}

/// An endpoint that meets every call with this fault, as long as it is held.
pub(crate) fn endpoint(fault: Fault) -> Proxy {
    let proxy = Proxy::start("http://127.0.0.1:1");
    proxy.always(ANY, fault);
    proxy
}

/// The endpoint's URL with an API key in it.
pub(crate) fn keyed(endpoint: &Proxy) -> String {
    format!("{}/v3/sEcReT", endpoint.rpc())
}

/// A file of `dir`.
pub(crate) fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

/// Replaces `from` by `to` in a file of `dir`, which must hold it.
pub(crate) fn edit(dir: &Path, name: &str, from: &str, to: &str) {
    let text = read(dir, name);
    assert!(text.contains(from), "{name} has no {from:?}");
    fs::write(dir.join(name), text.replace(from, to)).unwrap();
}
