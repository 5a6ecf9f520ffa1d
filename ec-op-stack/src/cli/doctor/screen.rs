//! The doctor's answer for people: whether it can start, what is wrong with what helps, and what is good in one line.

use ec_op_stack::{
    doctor::{Check, Finding, Severity},
    stack::{Role, Stack},
};
use ec_screen::{Screen, Tone, Trouble};

/// What a screen of this size shows; with `shows_all`, what is good by its words as well.
pub(super) fn show(
    stack: &Stack,
    findings: &[Finding],
    (is_ready, shows_all): (bool, bool),
    screen: &Screen,
) -> String {
    let mut blocks = vec![headline(stack, findings, is_ready, screen)];
    let troubles = troubles(findings);
    if !troubles.is_empty() {
        blocks.push(screen.troubles(&troubles));
    }
    let good = healthy(findings);
    if !good.is_empty() {
        blocks.push(screen.healthy(&good));
    }
    if shows_all {
        let good = findings.iter().filter(|finding| finding.verdict == Severity::Good);
        let told = good.map(|finding| Trouble {
            word: "good",
            tone: Tone::Good,
            name: finding.check.name(),
            reason: &finding.found,
            fix: "",
        });
        blocks.push(screen.troubles(&told.collect::<Vec<_>>()));
    }
    blocks.join("\n\n")
}

fn headline(stack: &Stack, findings: &[Finding], is_ready: bool, screen: &Screen) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.verdict == severity).count();
    let (failures, warnings) = (count(Severity::Failure), count(Severity::Warning));
    let (word, tone) = match (is_ready, warnings) {
        (true, 0) => ("ready", Tone::Good),
        (true, _) => ("ready, with warnings", Tone::Warn),
        (false, _) => ("not ready", Tone::Bad),
    };
    let role = match stack.role {
        Role::Sequencer => "sequencer",
        Role::Verifier => "verifier",
    };
    let programs: Vec<_> = stack.running().map(|running| running.name).collect();
    screen.headline(
        tone,
        word,
        &format!("{role} with {}; failures: {failures}, warnings: {warnings}", programs.join(", ")),
    )
}

fn troubles(findings: &[Finding]) -> Vec<Trouble<'_>> {
    let trouble = |(severity, word, tone): (Severity, &'static str, Tone)| {
        findings.iter().filter(move |finding| finding.verdict == severity).map(move |finding| Trouble {
            word,
            tone,
            name: finding.check.name(),
            reason: &finding.found,
            fix: &finding.fix,
        })
    };
    [(Severity::Failure, "FAIL", Tone::Bad), (Severity::Warning, "warn", Tone::Warn)]
        .into_iter()
        .flat_map(trouble)
        .collect()
}

/// The checks of which all is good.
fn healthy(findings: &[Finding]) -> Vec<&'static str> {
    let mut checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    checks.dedup();
    let is_good = |check: &Check| {
        findings.iter().filter(|finding| finding.check == *check).all(|finding| finding.verdict == Severity::Good)
    };
    checks.into_iter().filter(is_good).map(Check::name).collect()
}

#[cfg(test)]
mod tests;
