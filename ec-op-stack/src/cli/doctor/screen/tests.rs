use std::path::Path;

use ec_testing::pictures;

use super::*;

fn stack() -> Stack {
    serde_json::from_str(include_str!("../../../../tests/inputs/stack.json")).unwrap()
}

fn finding(check: Check, verdict: Severity, found: &str, fix: &str) -> Finding {
    Finding { check, verdict, found: found.into(), fix: fix.into() }
}

fn good(check: Check, found: &str) -> Finding {
    finding(check, Severity::Good, found, "")
}

fn well() -> Vec<Finding> {
    vec![
        good(Check::GameType, "type 1 exists, no bond"),
        good(Check::L1, "node.example answers in 40 ms"),
        good(Check::Jwt, "jwt.hex is the same on both sides"),
        good(Check::Accounts, "batcher: 0.5 ETH"),
        good(Check::Accounts, "proposer: 0.5 ETH"),
        good(Check::Settings, "every flag and variable exists"),
    ]
}

fn ill() -> Vec<Finding> {
    let mut findings = well();
    findings[3] = finding(
        Check::Accounts,
        Severity::Failure,
        "batcher: the account is empty",
        "send ETH to 0x3333333333333333333333333333333333333333",
    );
    findings.insert(
        2,
        finding(
            Check::Beacon,
            Severity::Warning,
            "there is no fallback for blobs older than 18 days, which the first beacon endpoint has not",
            "set op-node's `--l1.beacon-fallbacks=https://…` to one that keeps them",
        ),
    );
    findings
}

#[test]
fn screens_look_as_they_were_drawn() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/doctor/screen");
    let stack = stack();
    for (name, findings, is_ready, shows_all) in
        [("ready", well(), true, false), ("not-ready", ill(), false, false), ("all", well(), true, true)]
    {
        let draw = |width| show(&stack, &findings, (is_ready, shows_all), &Screen::plain(width));
        pictures::hold(&directory, name, draw);
    }
}

#[test]
fn warnings_alone_keep_nothing_from_starting() {
    let stack = stack();
    let mut findings = ill();
    findings.retain(|finding| finding.verdict != Severity::Failure);
    let shown = show(&stack, &findings, (true, false), &Screen::plain(80));
    assert!(shown.starts_with("ready, with warnings: sequencer"), "{shown}");
    // of the accounts the other finding is good
    assert!(shown.ends_with("ok     game-type, l1, jwt, accounts, settings"), "{shown}");
}

#[test]
fn colours_change_nothing_else() {
    let stack = stack();
    let shown = |screen: &Screen| show(&stack, &ill(), (false, false), screen);
    let coloured = shown(&Screen { width: 80, has_colours: true });
    assert!(coloured.contains("\x1b["), "{coloured}");
    assert_eq!(pictures::without_colours(&coloured), shown(&Screen::plain(80)));
}
