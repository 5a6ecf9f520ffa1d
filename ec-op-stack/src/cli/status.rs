//! `status`: where the chain stands, live.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use alloy::primitives::{U256, utils::format_ether};
use clap::Args;
use ec_op_stack::status::{Account, Head, LastPost, Status};
use serde_json::json;

use super::{Answer, JsonArg, block_on, files};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// What runs on this host: components with their arguments, files, accounts.
    #[arg(long, value_name = "FILE", env = "EC_OP_STACK_STACK", default_value = files::STACK)]
    stack: PathBuf,

    /// Look again every so many seconds, until interrupted.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,

    #[command(flatten)]
    json: JsonArg,
}

impl StatusArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let stack = files::read_stack(&self.stack)?;
        loop {
            let status = block_on(Status::gather(&stack))?;
            let problems = status.problems(&stack);
            if self.json.json {
                println!("{}", json!({"well": problems.is_empty(), "problems": problems, "status": status}));
            } else {
                if self.watch.is_some() && io::stdout().is_terminal() {
                    print!("\x1b[H\x1b[2J");
                }
                show(&status, &problems);
            }
            let Some(seconds) = self.watch else { return Ok(problems.is_empty().into()) };
            std::thread::sleep(Duration::from_secs(seconds));
        }
    }
}

fn row(label: &str, value: &str) {
    println!("{label:<13} {value}");
}

fn show(status: &Status, problems: &[String]) {
    let number = |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
    if let Some(heads) = &status.heads {
        let line = |head: &Head| {
            let age = status.unix_s.saturating_sub(head.timestamp);
            let behind = heads.unsafe_head.number.saturating_sub(head.number);
            format!("{:>10}   {age} s old, {behind} behind, L1 origin {}", head.number, head.l1_origin.number)
        };
        row("unsafe", &line(&heads.unsafe_head));
        row("safe", &line(&heads.safe));
        row("finalized", &line(&heads.finalized));
    }
    row("execution", &format!("{:>10}", number(status.execution_head)));
    row(
        "L1",
        &format!(
            "{:>10}   {} s old, L1 origin {} s old",
            number(status.l1_head),
            number(status.l1_head_age_s),
            number(status.l1_origin_age_s)
        ),
    );
    row("sequencing", status.sequencing.map_or("unknown", |on| if on { "yes" } else { "no" }));
    row("peers", &number(status.peers));
    status.accounts.iter().for_each(show_account);
    if let Some(game) = &status.game {
        row(
            "games",
            &format!(
                "{}, newest {} s old, type {}, {}, {}",
                game.count, game.age_s, game.game_type, game.status, game.address
            ),
        );
    }
    match problems {
        [] => println!("\nall is well"),
        _ => {
            println!(
                "\n{}",
                problems.iter().map(|problem| format!("PROBLEM {problem}")).collect::<Vec<_>>().join("\n")
            );
        }
    }
}

fn show_account(account: &Account) {
    let wei = account.balance_wei.as_ref().and_then(|wei| wei.parse::<U256>().ok());
    let balance = wei.map_or_else(|| "unknown balance".to_owned(), |wei| format!("{} ETH", format_ether(wei)));
    let post = match account.last_post {
        LastPost::Never => "never posted".to_owned(),
        LastPost::OlderThan(seconds) => format!("last post over {seconds} s ago"),
        LastPost::Ago(seconds) => format!("last post {seconds} s ago"),
        LastPost::Unknown => "last post unknown".to_owned(),
    };
    row(account.role, &format!("{balance}, {post}, {}", account.address));
}
