//! The status for people: the verdict, what is wrong with what helps, what is well in one line, and the numbers.

use std::collections::BTreeMap;

use alloy::primitives::{U256, utils::format_ether};
use ec_op_stack::{
    stack::{Role, Stack},
    status::{Account, Finding, Heads, LastPost, Level, Status},
};
use ec_screen::{Column, Rows, Screen, Tone, Trouble, ago, short_decimal};

/// What a screen of this size shows.
pub(super) fn show(stack: &Stack, status: &Status, findings: &[Finding], screen: &Screen) -> String {
    let mut blocks = vec![headline(stack, status, findings, screen)];
    let troubles = troubles(findings);
    if !troubles.is_empty() {
        blocks.push(screen.troubles(&troubles));
    }
    let mut facts = vec![screen.healthy(&healthy(findings))];
    facts.extend(not_judged(findings).iter().map(|text| screen.fact("-", text)));
    facts.extend(status.heads.known().map(|heads| screen.fact("heads", &heads_of(status, heads))));
    facts.extend(layer1(status).map(|text| screen.fact("L1", &text)));
    facts.extend(games(status).map(|text| screen.fact("games", &text)));
    blocks.push(facts.join("\n"));
    if !status.accounts.is_empty() {
        blocks.push(accounts(&status.accounts, screen));
    }
    blocks.join("\n\n")
}

fn headline(stack: &Stack, status: &Status, findings: &[Finding], screen: &Screen) -> String {
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Unknown);
    let (word, tone) = match worst {
        Level::Good => ("all is well", Tone::Good),
        Level::NotJudged | Level::Unknown => ("not known", Tone::Warn),
        Level::Warning => ("degraded", Tone::Warn),
        Level::Failure => ("in trouble", Tone::Bad),
    };
    let role = match stack.role {
        Role::Sequencer => "sequencer",
        Role::Verifier => "verifier",
    };
    let chain = status.chain_id.map_or_else(|| "?".to_owned(), |id| id.to_string());
    let peers = status.peers.known().map_or_else(String::new, |peers| format!(", {peers} peers"));
    screen.headline(tone, word, &format!("{role} of chain {chain}{peers}"))
}

/// The worst first, and what follows from others last.
fn troubles(findings: &[Finding]) -> Vec<Trouble<'_>> {
    let mut wrong: Vec<_> = findings.iter().filter(|finding| finding.level > Level::NotJudged).collect();
    wrong.sort_by_key(|finding| (finding.because.is_some(), std::cmp::Reverse(finding.level)));
    wrong.into_iter().map(trouble).collect()
}

fn trouble(finding: &Finding) -> Trouble<'_> {
    let (word, tone) = match finding.level {
        Level::Failure => ("FAIL", Tone::Bad),
        Level::Warning => ("warn", Tone::Warn),
        Level::Good | Level::NotJudged | Level::Unknown => ("unknown", Tone::Warn),
    };
    Trouble { word, tone, name: finding.relation, reason: &finding.found, fix: &finding.fix }
}

/// Rows of which all is good, each once.
fn healthy(findings: &[Finding]) -> Vec<&'static str> {
    let is_good =
        |name: &str| findings.iter().filter(|other| other.relation == name).all(|other| other.level == Level::Good);
    let mut names: Vec<_> = findings.iter().map(|finding| finding.relation).filter(|name| is_good(name)).collect();
    names.dedup();
    names
}

/// What was not judged, by what stands in the way.
fn not_judged(findings: &[Finding]) -> Vec<String> {
    let mut by_cause = BTreeMap::<&str, Vec<&str>>::new();
    for finding in findings.iter().filter(|finding| finding.level == Level::NotJudged) {
        let names = by_cause.entry(finding.because.as_deref().unwrap_or_default()).or_default();
        if !names.contains(&finding.relation) {
            names.push(finding.relation);
        }
    }
    by_cause.into_iter().map(|(cause, names)| format!("not judged because of {cause}: {}", names.join(", "))).collect()
}

fn heads_of(status: &Status, heads: &Heads) -> String {
    let told = heads.named().map(|(name, head)| match head.hash.is_zero() {
        true => format!("{name} not known yet"),
        false => {
            format!("{name} {} ({})", head.number, age(status.unix_s.cast_signed() - head.timestamp.cast_signed()))
        }
    });
    let execution = status.execution_head.known().map_or_else(|| "?".to_owned(), u64::to_string);
    format!("{}, execution {execution}", told.join(", "))
}

fn layer1(status: &Status) -> Option<String> {
    let mut told = vec![format!("block {} ({})", status.l1_head.known()?, age(*status.l1_head_age_s.known()?))];
    if let Some(block) = status.l1_finalized.known().copied().flatten() {
        let age = age(status.unix_s.cast_signed() - block.timestamp.cast_signed());
        told.push(format!("finalized {} ({age})", block.number));
    }
    if let Some(heads) = status.heads.known().filter(|heads| !heads.l1_derived.hash.is_zero()) {
        told.push(format!("derived up to {}", heads.l1_derived.number));
        told.push(format!("origins {}", heads.named().map(|(_, head)| head.l1_origin.number.to_string()).join(", ")));
    }
    Some(told.join(", "))
}

fn games(status: &Status) -> Option<String> {
    let game = status.game.known()?.as_ref()?;
    let mut told = format!(
        "{}, newest {}, type {}, {}, {}",
        game.count,
        age(game.age_s),
        game.game_type,
        game.status,
        game.address
    );
    if let Some(anchor) = status.anchor.known() {
        told += &format!("; anchor {}", anchor.position);
        told += &anchor.age_s.map(|seconds| format!(" ({})", age(seconds))).unwrap_or_default();
    }
    Some(told)
}

fn accounts(accounts: &[Account], screen: &Screen) -> String {
    let mut rows = Rows::new([
        Column::words("account", 0),
        Column::number("ETH on L1", 0),
        Column::words("last post", 1),
        Column::number("under way", 2),
        Column::number("nonce", 4),
        Column::words("address", 3),
    ]);
    for account in accounts {
        let wei = account.balance_wei.known().and_then(|wei| wei.parse::<U256>().ok());
        let number = |number: Option<u64>| number.map_or_else(|| "?".into(), |number| number.to_string());
        let cells = [
            account.role.to_owned(),
            wei.map_or_else(|| "?".into(), |wei| short_decimal(&format_ether(wei), 6).to_owned()),
            match account.last_post {
                LastPost::Never => "never".into(),
                LastPost::OlderThan(seconds) => format!("over {} ago", ago(seconds)),
                LastPost::Ago(seconds) => format!("{} ago", ago(seconds)),
                LastPost::Unknown => "?".into(),
            },
            number(account.pending()),
            number(account.nonce.known().copied()),
            account.address.to_string(),
        ];
        rows.add(cells.map(|cell| (cell, None)));
    }
    rows.fit(screen)
}

fn age(seconds: i64) -> String {
    if seconds < 0 {
        format!("in {}", ago(seconds.unsigned_abs()))
    } else {
        format!("{} ago", ago(seconds.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests;
