//! `status`: where the chain stands, live.

mod screen;
mod serve;

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    num::NonZeroU64,
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use ec_op_stack::{
    stack::Stack,
    status::{Finding, Level, Status, exposition, judge},
};
use ec_screen::{CLEAR, Screen};
use serde_json::json;

use super::{Answer, JsonArg, block_on, files};

/// Between two looks of what serves metrics: each asks L1 some seventy questions.
const INTERVAL: Duration = Duration::from_secs(60);

/// What to look at.
///
/// Exit codes: 0 every relation holds, 1 one does not, or could not be judged, 2 nothing could be looked at. `--prometheus` ends
/// with 0 whenever it has looked: the levels are in what it prints.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// What runs on this host: components with their arguments, files, accounts.
    #[arg(long, value_name = "FILE", env = "EC_OP_STACK_STACK", default_value = files::STACK)]
    stack: PathBuf,

    /// Look again every so many seconds, until interrupted.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5")]
    watch: Option<NonZeroU64>,

    /// Print metrics for Prometheus instead of text, once.
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    prometheus: bool,

    /// Serve the same metrics at http://ADDRESS:PORT/metrics until stopped, and look again every 60 seconds, or as `--watch` says.
    #[arg(long, value_name = "ADDRESS:PORT", env = "EC_OP_STACK_METRICS_LISTEN", conflicts_with_all = ["json", "prometheus"])]
    metrics_listen: Option<SocketAddr>,

    #[command(flatten)]
    json: JsonArg,
}

impl StatusArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let stack = files::read_stack(&self.stack)?;
        if let Some(address) = self.metrics_listen {
            let interval = self.watch.map_or(INTERVAL, |seconds| Duration::from_secs(seconds.get()));
            return block_on(serve::serve(&stack, address, interval))?.map(|()| Answer::Yes);
        }
        block_on(async {
            let mut before = None;
            loop {
                let status = Status::gather(&stack, before.as_ref()).await;
                let findings = judge(&stack, &status);
                self.print(&stack, &status, &findings)?;
                let Some(seconds) = self.watch else {
                    let is_well = findings.iter().all(|finding| finding.level == Level::Good);
                    return Ok((self.prometheus || is_well).into());
                };
                before = Some(status);
                tokio::time::sleep(Duration::from_secs(seconds.get())).await;
            }
        })?
    }

    fn print(&self, stack: &Stack, status: &Status, findings: &[Finding]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.prometheus {
            return out.write_all(exposition(status, findings).as_bytes());
        }
        if self.json.json {
            return writeln!(out, "{}", document(status, findings));
        }
        if self.watch.is_some() && out.is_terminal() {
            out.write_all(CLEAR.as_bytes())?;
        }
        writeln!(out, "{}", screen::show(stack, status, findings, &Screen::of_stdout()))
    }
}

/// The facts, what was found, and in `problems` a sentence for each thing that is wrong.
fn document(status: &Status, findings: &[Finding]) -> serde_json::Value {
    let wrong = findings.iter().filter(|finding| finding.level > Level::NotJudged);
    let sentence = |Finding { found, fix, .. }: &Finding| match fix.is_empty() {
        true => found.clone(),
        false => format!("{found}: {fix}"),
    };
    let problems: Vec<_> = wrong.map(sentence).collect();
    let is_well = findings.iter().all(|finding| finding.level == Level::Good);
    json!({"well": is_well, "problems": problems, "findings": findings, "status": status})
}
