//! Before a start: what would go wrong, found while it is cheap.
//!
//! [`Facts`] are gathered from files, L1 and the beacon endpoint; every check is a pure function over them and the
//! [`Stack`]. Ten failures are known from the field; [`Check`] numbers them. What cannot be known before the start, such
//! as a safe head that lags, is shown by `status`.

mod accounts;
mod arguments;
mod beacon;
mod chain;
mod facts;
mod history;
mod layer1;
mod secrets;
mod versions;

use serde::Serialize;

use crate::stack::Stack;

pub use facts::{AccountFacts, ChainText, ChallengedGame, Facts, GameFacts, L1Facts, SecretFacts};

/// What is checked, in the order in which it bites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Check {
    /// The proposer's game type exists on the factory. (1)
    GameType,
    /// The challenger's prestate is the chain's. (2)
    Prestate,
    /// The components' versions belong together and know the chain's forks. (3)
    Versions,
    /// The L1 endpoints are the right chain, quick, unlimited and consistent. (4)
    L1,
    /// Blobs can be read, also old ones. (5)
    Beacon,
    /// State and safe heads of old are kept for proofs. (6)
    History,
    /// The engine's secret is there, well-formed, private and the same on both sides. (7)
    Jwt,
    /// Accounts have funds and are used by one service each. (8)
    Accounts,
    /// Every flag and variable exists. (9)
    Settings,
    /// The batcher posts, and can be throttled. (10)
    Batcher,
    /// Listeners are on loopback and on ports of their own.
    Listeners,
    /// `rollup.json` and `genesis.json` fit each other and op-node.
    Files,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do.
    Good,
    /// It will start, and may hurt later.
    Warning,
    /// Do not start.
    Failure,
}

/// One answer of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// How bad it is.
    pub verdict: Severity,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when all is good.
    pub fix: String,
}

impl Check {
    /// Its name, as it is shown.
    pub fn name(self) -> &'static str {
        self.into()
    }

    fn good(self, found: impl Into<String>) -> Finding {
        Finding { check: self, verdict: Severity::Good, found: found.into(), fix: String::new() }
    }

    fn warning(self, found: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { check: self, verdict: Severity::Warning, found: found.into(), fix: fix.into() }
    }

    fn failure(self, found: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { check: self, verdict: Severity::Failure, found: found.into(), fix: fix.into() }
    }
}

/// Every finding, in the order of the checks. Each check that applies to the stack says something.
pub fn examine(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let mut findings = [
        accounts::games(stack, facts),
        accounts::accounts(stack, facts),
        versions::versions(stack, facts),
        layer1::endpoints(stack, facts),
        layer1::beacon(stack, facts),
        history::history(stack, facts),
        secrets::jwt(stack, facts),
        arguments::settings(stack, facts),
        arguments::batcher(stack),
        arguments::listeners(stack),
        chain::files(stack, facts),
    ]
    .concat();
    findings.sort_by_key(|finding| finding.check);
    findings
}
