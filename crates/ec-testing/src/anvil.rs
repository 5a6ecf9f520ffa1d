//! A real Anvil of one test's own, on a free port.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, B256};
use serde::Deserialize;

use crate::{lifeline::ends_with_parent, repository};

/// How long it may take to listen: a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running Anvil; killed when it is dropped, and ended with the thread that started it.
#[derive(Debug)]
pub struct Anvil {
    process: Child,
    rpc: String,
    accounts: Accounts,
}

/// Anvil's development accounts, as it writes them.
#[derive(Debug, Deserialize)]
struct Accounts {
    available_accounts: Vec<Address>,
    private_keys: Vec<B256>,
}

/// Why there is no Anvil.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnvilError {
    /// It is not installed.
    #[error("anvil is needed: run scripts/install-tools smoke, or install Foundry")]
    Missing,
    /// It ended, or did not listen in time.
    #[error("anvil {what}: {said}")]
    Fails {
        /// What it did.
        what: &'static str,
        /// The end of its log.
        said: String,
    },
    /// Its files cannot be written or read.
    #[error("anvil: {0}")]
    Io(#[from] io::Error),
    /// It did not say which accounts it has.
    #[error("anvil tells no accounts: {0}")]
    Accounts(#[from] serde_json::Error),
}

impl Anvil {
    /// The chain id.
    pub const CHAIN_ID: u64 = 31_337;

    /// Starts one with these arguments besides. Its log is `anvil.log` in `directory`, what it says of its accounts
    /// `anvil.json`.
    ///
    /// # Errors
    ///
    /// It does not listen after half a minute.
    pub fn start(directory: &Path, arguments: &[String]) -> Result<Self, AnvilError> {
        let (log, told) = (directory.join("anvil.log"), directory.join("anvil.json"));
        let mut command = Command::new(program().ok_or(AnvilError::Missing)?);
        command.args(["--port", "0", "--chain-id", &Self::CHAIN_ID.to_string()]).args(arguments);
        command.arg("--config-out").arg(&told).env("NO_COLOR", "1").env("FOUNDRY_DISABLE_NIGHTLY_WARNING", "1");
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = ends_with_parent(&mut command).spawn()?;
        // from here on it ends with this
        let accounts = Accounts { available_accounts: Vec::new(), private_keys: Vec::new() };
        let mut anvil = Self { process, rpc: String::new(), accounts };
        anvil.rpc = format!("http://{}", anvil.listens(&log)?);
        anvil.accounts = serde_json::from_slice(&fs::read(&told)?)?;
        Ok(anvil)
    }

    /// Waits until it does, and says where.
    fn listens(&mut self, log: &Path) -> Result<String, AnvilError> {
        let begun = Instant::now();
        loop {
            let said = fs::read_to_string(log)?;
            // a line is there once the next one is begun or it is ended
            let listens =
                said.split_inclusive('\n').find_map(|line| line.strip_prefix("Listening on ")?.strip_suffix('\n'));
            if let Some(address) = listens {
                return Ok(address.to_owned());
            }
            let fails = |what| AnvilError::Fails { what, said: last_lines(&said, 5) };
            if self.process.try_wait()?.is_some() {
                return Err(fails("ended"));
            }
            if begun.elapsed() > PATIENCE {
                return Err(fails("does not start"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where it answers.
    pub fn rpc(&self) -> &str {
        &self.rpc
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its funded accounts.
    pub fn accounts(&self) -> &[Address] {
        &self.accounts.available_accounts
    }

    /// The public development key of an account.
    pub fn key(&self, account: usize) -> B256 {
        self.accounts.private_keys[account]
    }

    /// Writes the keys of all accounts as `key0`, `key1`, … and their addresses as `addresses`, in their order. They are
    /// public; they still go by private files, as everywhere.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn write_keys(&self, directory: &Path) -> io::Result<()> {
        for (i, key) in self.accounts.private_keys.iter().enumerate() {
            write_secret(&directory.join(format!("key{i}")), &format!("{key}\n"))?;
        }
        let addresses: String = self.accounts().iter().map(|address| format!("{address}\n")).collect();
        fs::write(directory.join("addresses"), addresses)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// The end of a log, for a message.
pub fn last_lines(log: &str, count: usize) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The installed program, else that of the path. The npm package's own launcher comes last: a signal to it would not
/// reach the node it starts.
fn program() -> Option<PathBuf> {
    let modules = repository().join("contracts/node_modules");
    let packages = fs::read_dir(modules.join("@foundry-rs")).into_iter().flatten().flatten();
    let native = packages.map(|package| package.path().join("bin/anvil"));
    let in_path =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).map(|dir| dir.join("anvil")).collect::<Vec<_>>();
    native.chain(in_path).chain([modules.join(".bin/anvil")]).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }

    #[test]
    fn keys_are_private_files() {
        let directory = tempfile::tempdir().unwrap();
        let anvil = Anvil::start(directory.path(), &["--accounts".into(), "2".into()]).unwrap();
        anvil.write_keys(directory.path()).unwrap();
        let key = directory.path().join("key1");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(key).unwrap().trim_end(), anvil.key(1).to_string());
        assert_eq!(fs::read_to_string(directory.path().join("addresses")).unwrap().lines().count(), 2);
    }

    #[test]
    fn an_argument_that_anvil_refuses_is_an_error_with_its_words() {
        let directory = tempfile::tempdir().unwrap();
        let refused = Anvil::start(directory.path(), &["--no-such-flag".into()]).unwrap_err().to_string();
        assert!(refused.starts_with("anvil ended: ") && refused.contains("no-such-flag"), "{refused}");
    }
}
