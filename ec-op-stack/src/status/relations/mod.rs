//! What must hold between the facts: one table, and who is to blame where it does not.
//!
//! A row looks at facts only and says what it finds. Two lists of a row keep it from blaming one part for another's fault:
//! what it *rests on* must be in order, or the row is not judged at all, as its facts mean nothing; what it *follows from*
//! explains its trouble, which is then told as a consequence. A fact that nobody has is never good.

mod accounts;
mod answers;
mod games;
mod heads;
mod layer1;

use serde::Serialize;

use super::facts::{Fact, Silence, Status};
use crate::stack::Stack;

/// How a relation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It holds.
    Good,
    /// It rests on what is broken, or was not to be had, elsewhere.
    NotJudged,
    /// A fact is not there, or not yet.
    Unknown,
    /// It does not hold, which hurts later.
    Warning,
    /// It does not hold, which hurts now.
    Failure,
}

/// What a row says of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Of what, where the row is about several things; else empty.
    pub subject: String,
    /// How it stands.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when all is good.
    pub fix: String,
    /// Whether nothing is known because an endpoint refused the question for their number.
    pub is_limit: bool,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// Its name.
    pub name: &'static str,
    /// What must hold.
    pub holds: &'static str,
    /// Rows above, `name` for the same subject or the only one, `name:subject` for that one, without which it says nothing.
    pub rests_on: &'static [&'static str],
    /// Rows above whose trouble explains its own. A limit keeps answers away and makes none of them wrong: it explains what is not
    /// known because of a limit, and nothing else.
    pub follows_from: &'static [&'static str],
    /// The rule. Nothing where it does not apply.
    pub rule: fn(&Stack, &Status) -> Vec<Judgement>,
}

/// What a row found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The row.
    pub relation: &'static str,
    /// Of what, where the row is about several things; else empty.
    pub subject: String,
    /// How it stands.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when all is good.
    pub fix: String,
    /// The row that explains it.
    pub because: Option<String>,
}

impl Finding {
    /// The row, and of what.
    pub fn name(&self) -> String {
        if self.subject.is_empty() { self.relation.to_owned() } else { format!("{}:{}", self.relation, self.subject) }
    }

    /// Whether a row that refers to `name` from a finding about `subject` means this one.
    fn is_meant(&self, name: &str, subject: &str) -> bool {
        name == self.name() || (name == self.relation && (self.subject.is_empty() || self.subject == subject))
    }
}

/// In the order in which they are judged: each refers to rows above it only.
pub const RELATIONS: &[Relation] = &[
    answers::L1_LIMITS,
    answers::L1,
    answers::NODE,
    answers::EXECUTION,
    answers::SERVICE,
    layer1::CLOCK,
    layer1::L1_AGE,
    layer1::L1_HEADS,
    layer1::L1_FINALITY,
    layer1::NODE_KNOWS,
    layer1::NODE_L1,
    layer1::DERIVATION,
    heads::SYNC_STATUS,
    heads::SAFE_UNSAFE,
    heads::FINALIZED_SAFE,
    heads::UNSAFE_FUTURE,
    heads::SEQUENCING,
    heads::PEERS,
    heads::UNSAFE_AGE,
    heads::EXECUTION_HEAD,
    heads::EXECUTION_CHAIN,
    heads::ORIGIN_ORDER,
    heads::ORIGIN_AHEAD,
    heads::ORIGIN_KNOWN,
    heads::ORIGIN_AGE,
    accounts::FUNDS,
    accounts::NONCES,
    accounts::STUCK,
    accounts::POOL,
    accounts::DISK,
    heads::SAFE_LAG,
    heads::FINALITY_LAG,
    games::GAME_AGE,
    games::CLAIM,
    games::RESPECTED,
    games::ANCHOR_AHEAD,
    games::ANCHOR_ROOT,
    games::ANCHOR_AGE,
];

/// Every finding, in the order of the table.
pub fn judge(stack: &Stack, status: &Status) -> Vec<Finding> {
    judge_by(RELATIONS, stack, status)
}

fn judge_by(table: &[Relation], stack: &Stack, status: &Status) -> Vec<Finding> {
    let mut findings = Vec::<Finding>::new();
    for relation in table {
        for judgement in (relation.rule)(stack, status) {
            let finding = weigh(relation, judgement, &findings);
            findings.push(finding);
        }
    }
    findings
}

/// A judgement beside what was found before it.
fn weigh(relation: &Relation, judgement: Judgement, before: &[Finding]) -> Finding {
    let Judgement { subject, level, found, fix, is_limit } = judgement;
    let broken = |names: &[&str]| {
        let is_meant = |finding: &&Finding| names.iter().any(|name| finding.is_meant(name, &subject));
        let finding = before.iter().filter(is_meant).find(|finding| finding.level != Level::Good)?;
        Some(finding.because.clone().unwrap_or_else(|| finding.name()))
    };
    let not_judged = |why: String| (Level::NotJudged, format!("not judged because of {why}"), String::new(), Some(why));
    let explaining: Vec<_> =
        relation.follows_from.iter().copied().filter(|name| is_limit || *name != answers::L1_LIMITS.name).collect();
    let (level, found, fix, because) = match (broken(relation.rests_on), level) {
        (Some(why), _) => not_judged(why),
        (None, Level::Good | Level::NotJudged) => (level, found, fix, None),
        (None, Level::Unknown | Level::Warning | Level::Failure) => match (broken(&explaining), level) {
            (None, _) => (level, found, fix, None),
            (Some(why), Level::Unknown) => not_judged(why),
            (Some(why), _) => (level, found, format!("{why} explains it: mend that first"), Some(why)),
        },
    };
    Finding { relation: relation.name, subject, level, found, fix, because }
}

impl Judgement {
    fn good(found: impl Into<String>) -> Self {
        Self { subject: String::new(), level: Level::Good, found: found.into(), fix: String::new(), is_limit: false }
    }

    /// That a fact is not known.
    fn silent(silence: &Silence) -> Self {
        Self { is_limit: silence.is_limit, ..Self::unknown(silence.why.clone(), "") }
    }

    fn unknown(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Unknown, fix: fix.into(), ..Self::good(found) }
    }

    fn warning(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, fix: fix.into(), ..Self::good(found) }
    }

    fn failure(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Failure, fix: fix.into(), ..Self::good(found) }
    }

    fn of(self, subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..self }
    }
}

/// What a rule says of a fact: nothing of one that was not asked for, and that it is unknown where there was no answer.
fn with<T>(fact: &Fact<T>, rule: impl FnOnce(&T) -> Option<Judgement>) -> Option<Judgement> {
    match fact {
        Fact::Known(value) => rule(value),
        Fact::NotAsked => None,
        Fact::Unknown(silence) => Some(Judgement::silent(silence)),
    }
}

/// How the units' logs are read, whichever backend runs them.
fn log_of(unit: &str) -> String {
    format!("`journalctl -u podman-{unit} -u {unit}`")
}

#[cfg(test)]
mod tests;
