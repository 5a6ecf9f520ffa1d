//! `--demo`: the smoke and the page in one.

use std::{
    env,
    ffi::OsString,
    fs,
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use ec_explorer::settings::{Overrides, Settings};
use eyre::{WrapErr, bail, eyre};
use rustix::process::{Pid, Signal, kill_process};

use super::{ServeArgs, run};

/// How long the smoke may take, its build included.
const PATIENCE: Duration = Duration::from_secs(1800);

/// The smoke, and with it its chain; it ends with this.
struct Smoke(Child);

impl Drop for Smoke {
    fn drop(&mut self) {
        // told, so that it ends what it has started
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Makes something to look at, or takes what the smoke kept in this directory, and serves it.
pub(super) fn demo(args: &ServeArgs, kept: Option<&Path>) -> eyre::Result<()> {
    // goes with this, unless it is one that was kept
    let passing = tempfile::tempdir()?;
    let (work, mode) = match kept {
        Some(kept) => (kept.to_owned(), [OsString::from("--reopen"), kept.into()]),
        None => {
            let work = passing.path().join("smoke");
            (work.clone(), [OsString::from("--stay"), work.into()])
        }
    };
    let config = work.join("explorer.toml");
    // one of before names a chain that is gone
    let _ = fs::remove_file(&config);
    let mut smoke = Smoke(start(&mode)?);
    wait_for(&config, &mut smoke.0)?;
    let directory = Some(args.dir.clone().unwrap_or_else(|| passing.path().join("explorer")));
    let overrides = Overrides { directory, serve_media: true, ..args.overrides() };
    let settings = Settings::read(&config, overrides)?;
    let json = args.json;
    run::serve_by(settings, move |address| {
        run::told(address, json);
        eprintln!("open it in a browser; Ctrl-C ends it, and its chain");
    })
}

fn start(mode: &[OsString]) -> eyre::Result<Child> {
    let beside = env::current_exe()?.with_file_name("smoke");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/op-stack/anvil-reality-smoke.sh");
    let program = [beside, script].into_iter().find(|program| program.is_file());
    let program = program.ok_or_else(|| {
        eyre!("--demo needs the project's sources, as it is built in them: there is neither a smoke beside this program nor its script")
    })?;
    let mut command = Command::new(&program);
    // its table is not this program's answer
    command.args(mode).arg("--votes-only").stdout(std::io::stderr());
    command.spawn().wrap_err_with(|| program.display().to_string())
}

fn wait_for(config: &Path, smoke: &mut Child) -> eyre::Result<()> {
    let begun = Instant::now();
    while !config.is_file() {
        if let Some(status) = smoke.try_wait()? {
            bail!("--demo: the smoke ended before there was anything to show ({status})");
        }
        if begun.elapsed() > PATIENCE {
            bail!("--demo: the smoke takes longer than half an hour");
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
