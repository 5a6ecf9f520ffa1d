//! Who answers at all.

use super::{super::facts::Status, Judgement, Relation, log_of};
use crate::stack::Stack;

pub(super) const L1_LIMITS: Relation = Relation {
    name: "l1-limits",
    holds: "L1's endpoint refuses no question for their number",
    rests_on: &[],
    follows_from: &[],
    rule: |_, status| l1_limits(status).into_iter().collect(),
};

fn l1_limits(status: &Status) -> Option<Judgement> {
    let questions = &status.l1_questions;
    match (questions.asked, questions.limited) {
        (0, _) => None,
        (asked, 0) => Some(Judgement::good(format!("{asked} questions, none refused"))),
        (asked, limited) => Some(Judgement::failure(
            format!("L1's endpoint {} refuses {limited} of {asked} questions: too many requests", questions.host),
            "give op-node's `--l1` an endpoint without a rate limit; `ec-op-stack doctor` measures it",
        )),
    }
}

pub(super) const L1: Relation = Relation {
    name: "l1",
    holds: "L1's endpoint answers",
    rests_on: &[],
    follows_from: &["l1-limits"],
    rule: |_, status| vec![l1(status)],
};

fn l1(status: &Status) -> Judgement {
    match (&status.l1_head, status.l1_head.silence()) {
        (_, Some(silence)) if silence.is_limit => Judgement::silent(silence),
        (_, Some(silence)) => Judgement::failure(
            format!("L1 does not answer: {}", silence.why),
            "look at op-node's `--l1`, and at that endpoint",
        ),
        (fact, None) => match fact.known() {
            Some(head) => Judgement::good(format!("block {head}")),
            None => Judgement::unknown(
                "no component names an L1 endpoint that can be asked by HTTP",
                "see op-node's `--l1`",
            ),
        },
    }
}

pub(super) const NODE: Relation = Relation {
    name: "op-node",
    holds: "op-node answers",
    rests_on: &[],
    follows_from: &[],
    rule: |_, status| vec![node(status)],
};

fn node(status: &Status) -> Judgement {
    match (status.heads.known(), status.heads.silence()) {
        (Some(_), _) => Judgement::good("it answers"),
        (None, Some(silence)) => {
            Judgement::failure(format!("op-node does not answer: {}", silence.why), log_of("op-node"))
        }
        (None, None) => {
            Judgement::unknown("no op-node runs on this host by the stack file", "see the stack file's components")
        }
    }
}

pub(super) const EXECUTION: Relation = Relation {
    name: "execution",
    holds: "the execution client answers",
    rests_on: &[],
    follows_from: &[],
    rule: |stack, status| execution(stack, status).into_iter().collect(),
};

fn execution(stack: &Stack, status: &Status) -> Option<Judgement> {
    let name = stack.execution()?.name;
    match (status.execution_head.known(), status.execution_head.silence()) {
        (Some(head), _) => Some(Judgement::good(format!("block {head}"))),
        (None, Some(silence)) => {
            Some(Judgement::failure(format!("{name} does not answer: {}", silence.why), log_of(name)))
        }
        (None, None) => Some(Judgement::unknown(format!("{name} has no HTTP listener to be asked at"), "set `--http`")),
    }
}

pub(super) const SERVICE: Relation = Relation {
    name: "service",
    holds: "op-batcher and op-proposer answer their health check",
    rests_on: &[],
    follows_from: &[],
    rule: |_, status| status.services.iter().map(|name| service(status, name)).collect(),
};

fn service(status: &Status, name: &str) -> Judgement {
    let judgement = if status.unhealthy.iter().any(|silent| silent == name) {
        let fix = format!("is it running? {}", log_of(name));
        Judgement::failure(format!("{name} does not answer its health check"), fix)
    } else {
        Judgement::good("it answers")
    };
    judgement.of(name)
}
