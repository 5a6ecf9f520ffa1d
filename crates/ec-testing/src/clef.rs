//! A real clef, which holds keys and signs, with a stand-in for the person who decides at its user interface.
//!
//! It is a tool of the tests, which `scripts/install-tools test` brings; a test that lacks it fails.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Test code: a panic is its report.

use std::{
    fmt,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use alloy::{
    primitives::{Address, B256},
    signers::{k256::elliptic_curve::rand_core::OsRng, local::PrivateKeySigner},
};
use serde_json::{Value, json};

use crate::{lifeline::ends_with_parent, repository, running::await_that};

/// Of every key in its keystore.
const PASSWORD: &str = "password";

/// What is done with a request to sign.
#[derive(Clone, Copy, Debug)]
pub enum Decision {
    /// It is signed.
    Approve,
    /// It is denied.
    Deny,
    /// Nothing, ever.
    Ignore,
    /// It is changed, and then signed.
    Change(fn(&mut Value)),
}

/// A signer of one test's own. Killed when it is dropped.
pub struct Clef {
    dir: PathBuf,
    chain_id: u64,
    port: u16,
    decision: Arc<Mutex<Decision>>,
    asked: Arc<AtomicUsize>,
    process: Child,
}

impl fmt::Debug for Clef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clef").field("url", &self.url()).field("asked", &self.asked()).finish_non_exhaustive()
    }
}

impl Clef {
    /// Starts one with these keys, which signs for this chain; its files and its log are in `dir`.
    pub fn start(dir: &Path, chain_id: u64, keys: &[B256]) -> Self {
        let dir = dir.join("clef");
        fs::create_dir_all(dir.join("keystore")).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        keys.iter().for_each(|key| store(&dir.join("keystore"), key));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (decision, asked) = (Arc::new(Mutex::new(Decision::Approve)), Arc::new(AtomicUsize::new(0)));
        let process = spawn(&dir, chain_id, port, &decision, &asked);
        Self { dir, chain_id, port, decision, asked, process }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What is done with requests from now on.
    pub fn decide(&self, decision: Decision) {
        *self.decision.lock().unwrap() = decision;
    }

    /// How often it was asked to sign.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// SIGKILL; who asks it hears nothing.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again where it was.
    pub fn restart(&mut self) {
        self.process = spawn(&self.dir, self.chain_id, self.port, &self.decision, &self.asked);
    }
}

impl Drop for Clef {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Puts a key into a keystore.
fn store(keystore: &Path, key: &B256) {
    let address: Address = PrivateKeySigner::from_bytes(key).unwrap().address();
    PrivateKeySigner::encrypt_keystore(keystore, &mut OsRng, key, PASSWORD, Some(&address.to_string())).unwrap();
    let path = keystore.join(address.to_string());
    // clef finds keys by this field, which the library does not write
    let mut file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    file["address"] = json!(alloy::hex::encode(address));
    fs::write(path, file.to_string()).unwrap();
}

fn spawn(dir: &Path, chain_id: u64, port: u16, decision: &Arc<Mutex<Decision>>, asked: &Arc<AtomicUsize>) -> Child {
    let program = repository().join("tools/bin/clef");
    assert!(program.exists(), "{} is missing: run scripts/install-tools test", program.display());
    let mut clef = Command::new(program);
    // it does not know the ledger's calls, and would not even ask without --advanced
    clef.args(["--stdio-ui", "--advanced", "--nousb", "--ipcdisable", "--http", "--chainid", &chain_id.to_string()]);
    clef.args(["--http.port", &port.to_string()]).arg("--keystore").arg(dir.join("keystore"));
    clef.arg("--configdir").arg(dir.join("config")).arg("--auditlog").arg(dir.join("audit.log"));
    let log = File::options().create(true).append(true).open(dir.join("clef.log")).unwrap();
    clef.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    let mut process = ends_with_parent(&mut clef).spawn().expect("clef starts");
    let (questions, answers) = (process.stdout.take().unwrap(), process.stdin.take().unwrap());
    let (decision, asked) = (Arc::clone(decision), Arc::clone(asked));
    thread::spawn(move || decide(questions, answers, &decision, &asked));
    await_that("clef listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    process
}

/// Sits at its user interface until it ends.
fn decide(questions: ChildStdout, mut answers: ChildStdin, decision: &Mutex<Decision>, asked: &AtomicUsize) {
    for line in BufReader::new(questions).lines().map_while(Result::ok) {
        let Ok(question) = serde_json::from_str::<Value>(&line) else { continue };
        let mut transaction = question["params"][0]["transaction"].clone();
        let result = match question["method"].as_str() {
            Some("ui_approveTx") => {
                asked.fetch_add(1, Ordering::SeqCst);
                let decision = *decision.lock().unwrap();
                match decision {
                    Decision::Approve | Decision::Deny => {}
                    Decision::Ignore => continue,
                    Decision::Change(change) => change(&mut transaction),
                }
                json!({ "transaction": transaction, "approved": !matches!(decision, Decision::Deny) })
            }
            Some("ui_onInputRequired") => json!({ "text": PASSWORD }),
            // what it only tells has no answer
            _ => continue,
        };
        let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
        if writeln!(answers, "{answer}").is_err() {
            return;
        }
    }
}
