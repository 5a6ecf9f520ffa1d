//! The same facts and findings for Prometheus, in its text format.

use std::fmt::Write;

use alloy::primitives::U256;

use super::{
    facts::Status,
    relations::{Finding, Level},
};

/// Labels with their values.
type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Text of metrics, each with its samples.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    /// A gauge; nothing where no sample of it is known.
    fn gauge<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, Option<f64>)>) {
        let mut samples = samples.into_iter().filter_map(|(labels, value)| Some((labels, value?))).peekable();
        if samples.peek().is_none() {
            return;
        }
        // writing to a String cannot fail
        let _ = writeln!(self.0, "# HELP ec_op_stack_{name} {help}\n# TYPE ec_op_stack_{name} gauge");
        for (labels, value) in samples {
            let labels: Vec<_> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "ec_op_stack_{name}{labels} {value}");
        }
    }

    fn one(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.gauge(name, help, [(Vec::new(), value)]);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// How bad a level is, as a number.
const fn number_of(level: Level) -> u8 {
    match level {
        Level::Good => 0,
        Level::NotJudged => 1,
        Level::Unknown => 2,
        Level::Warning => 3,
        Level::Failure => 4,
    }
}

// beyond 2^53 a number loses its last digits, which no graph shows
const fn number(value: u64) -> f64 {
    value as f64
}

const fn seconds(value: i64) -> f64 {
    value as f64
}

/// What a scrape is answered: a gauge of everything that is known. What is unknown has no sample.
pub fn exposition(status: &Status, findings: &[Finding]) -> String {
    let mut out = Exposition::default();
    verdict(&mut out, status, findings);
    layer2(&mut out, status);
    layer1(&mut out, status);
    accounts(&mut out, status);
    games(&mut out, status, findings);
    out.0
}

fn verdict(out: &mut Exposition, status: &Status, findings: &[Finding]) {
    let level = |finding: &Finding| Some(f64::from(number_of(finding.level)));
    out.gauge(
        "relation_level",
        "How a relation stands: 0 it holds, 1 not judged, 2 unknown, 3 warning, 4 failure.",
        findings
            .iter()
            .map(|finding| (vec![("relation", finding.relation), ("subject", &*finding.subject)], level(finding))),
    );
    let well = findings.iter().all(|finding| finding.level == Level::Good);
    out.one("well", "1 where every relation holds.", Some(f64::from(u8::from(well))));
    out.one("look_timestamp_seconds", "When all this was looked at, in Unix time.", Some(number(status.unix_s)));
}

fn layer2(out: &mut Exposition, status: &Status) {
    if let Some(heads) = status.heads.known() {
        let known = || heads.named().into_iter().filter(|(_, head)| !head.hash.is_zero());
        out.gauge(
            "head_number",
            "Number of a head of the L2, as op-node has it.",
            known().map(|(name, head)| (vec![("head", name)], Some(number(head.number)))),
        );
        out.gauge(
            "head_timestamp_seconds",
            "Unix time of a head of the L2.",
            known().map(|(name, head)| (vec![("head", name)], Some(number(head.timestamp)))),
        );
        out.gauge(
            "head_origin_number",
            "Number of the L1 block that a head was made from.",
            known().map(|(name, head)| (vec![("head", name)], Some(number(head.l1_origin.number)))),
        );
    }
    out.one(
        "execution_head_number",
        "Number of the execution client's newest block.",
        status.execution_head.known().copied().map(number),
    );
    out.one(
        "sequencing",
        "1 where op-node makes blocks.",
        status.sequencing.known().map(|on| f64::from(u8::from(*on))),
    );
    out.one("peers", "Peers that op-node is connected to.", status.peers.known().copied().map(number));
    if let Some(pool) = status.pool.known() {
        let samples = [("pending", pool.pending), ("queued", pool.queued)];
        out.gauge(
            "pool_transactions",
            "Transactions in the execution client's pool.",
            samples.map(|(state, count)| (vec![("state", state)], Some(number(count)))),
        );
    }
    out.gauge(
        "service_up",
        "1 where a service answers its health check.",
        status.services.iter().map(|name| {
            let up = !status.unhealthy.iter().any(|silent| silent == name);
            (vec![("service", *name)], Some(f64::from(u8::from(up))))
        }),
    );
    out.gauge(
        "disk_free_bytes",
        "What is left where a component writes.",
        status.disks.iter().map(|disk| {
            (vec![("component", &*disk.component), ("path", &*disk.path)], disk.free_bytes.known().copied().map(number))
        }),
    );
}

fn layer1(out: &mut Exposition, status: &Status) {
    let finalized = status.l1_finalized.known().copied().flatten();
    let node = status.heads.known();
    let blocks = [
        ("latest", status.l1_head.known().copied()),
        ("finalized", finalized.map(|block| block.number)),
        ("seen", node.map(|heads| heads.l1_head).filter(|block| !block.hash.is_zero()).map(|block| block.number)),
        ("derived", node.map(|heads| heads.l1_derived).filter(|block| !block.hash.is_zero()).map(|block| block.number)),
    ];
    out.gauge(
        "l1_block_number",
        "Number of an L1 block: latest and finalized of the endpoint, seen and derived of op-node.",
        blocks.map(|(block, value)| (vec![("block", block)], value.map(number))),
    );
    out.one(
        "l1_head_age_seconds",
        "Age of L1's newest block; below zero it is in the future.",
        status.l1_head_age_s.known().copied().map(seconds),
    );
    out.one(
        "l1_origin_age_seconds",
        "Age of the L1 block that the unsafe head was made from.",
        status.l1_origin_age_s.map(seconds),
    );
    out.one(
        "l1_finalized_timestamp_seconds",
        "Unix time of L1's finalized block.",
        finalized.map(|block| number(block.timestamp)),
    );
    let questions = &status.l1_questions;
    out.one("l1_questions", "Questions to L1 at this look.", Some(f64::from(questions.asked)));
    out.one(
        "l1_questions_refused",
        "Those that L1's endpoint refused for their number.",
        Some(f64::from(questions.limited)),
    );
}

fn accounts(out: &mut Exposition, status: &Status) {
    let accounts = || status.accounts.iter().map(|account| (vec![("account", account.role)], account));
    out.gauge(
        "balance_wei",
        "Balance of an account on L1.",
        accounts().map(|(labels, account)| {
            let wei = account.balance_wei.known().and_then(|wei| wei.parse::<U256>().ok());
            (labels, wei.map(f64::from))
        }),
    );
    out.gauge(
        "nonce",
        "Transactions of an account that are in L1's blocks.",
        accounts().map(|(labels, account)| (labels, account.nonce.known().copied().map(number))),
    );
    out.gauge(
        "pending_transactions",
        "Transactions of an account that wait in L1's pool.",
        accounts().map(|(labels, account)| (labels, account.pending().map(number))),
    );
    out.gauge(
        "last_post_age_seconds",
        "Age of an account's newest transaction on L1; of one that is old, at least so much.",
        accounts().map(|(labels, account)| (labels, account.last_post.age_s().map(number))),
    );
}

fn games(out: &mut Exposition, status: &Status, findings: &[Finding]) {
    let newest = status.game.known();
    let count = newest.map(|game| game.as_ref().map_or(0, |game| game.count));
    out.one("games", "Dispute games of the chain.", count.map(number));
    let age = newest.and_then(|game| game.as_ref()).map(|game| seconds(game.age_s));
    out.one("newest_game_age_seconds", "Age of the newest dispute game.", age);
    let against = findings.iter().filter(|finding| finding.relation == "claim" && finding.level >= Level::Warning);
    let against = u32::try_from(against.count()).map_or(f64::INFINITY, f64::from);
    let is_judged = !status.claims.is_empty();
    out.one(
        "games_against",
        "Of the newest games those that claim another root than this node has, or are attacked or lost though they claim this node's.",
        is_judged.then_some(against),
    );
    if let Some(anchor) = status.anchor.known() {
        out.one(
            "anchor_position",
            "The L2 block of the anchor; of super roots its Unix time.",
            Some(number(anchor.position)),
        );
        out.one("anchor_age_seconds", "Age of the anchor's block.", anchor.age_s.map(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::facts::Fact, *};

    fn finding(level: Level) -> Finding {
        Finding {
            relation: "claim",
            subject: "0x\"1\"".into(),
            level,
            found: String::new(),
            fix: String::new(),
            because: None,
        }
    }

    #[test]
    fn what_is_unknown_has_no_sample() {
        let status = Status { unix_s: 7, l1_head: Fact::Known(5), ..Status::default() };
        let text = exposition(&status, &[finding(Level::Failure)]);
        for line in [
            "ec_op_stack_relation_level{relation=\"claim\",subject=\"0x\\\"1\\\"\"} 4",
            "ec_op_stack_well 0",
            "ec_op_stack_l1_block_number{block=\"latest\"} 5",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        for absent in ["balance_wei", "head_number", "sequencing", "games_against", "block=\"finalized\""] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
        assert!(exposition(&status, &[finding(Level::Good)]).contains("ec_op_stack_well 1\n"));
        assert!(exposition(&status, &[finding(Level::Unknown)]).contains("ec_op_stack_well 0\n"));
    }
}
