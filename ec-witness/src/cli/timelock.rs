//! A change through a timelock that owns the contract: announced, and made once it has waited.

use std::fmt;

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolCall,
};
use clap::ValueEnum;
use ec_ledger::contracts::{
    EveryChannelTimelock,
    EveryChannelWitnessRegistry::{self, acceptOwnershipCall},
};
use eyre::{WrapErr, bail, ensure};
use serde::Serialize;

use super::{
    Answer,
    output::{fact, mark_time},
    send::{Caller, Sent},
};

/// When the timelock executed an operation, its time is this.
const DONE: u64 = 1;

/// A step of a change through a timelock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TimelockStep {
    /// Announce it; a proposer does.
    Schedule,
    /// Make it, after the delay; anyone may.
    Execute,
}

/// One call that a timelock makes.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    contract: Address,
    data: Bytes,
    salt: B256,
}

/// How an operation stands in its timelock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    /// It may be executed from this time on, Unix seconds.
    Waits(u64),
    Done,
}

/// What became of a step.
#[derive(Debug, Serialize)]
struct Stepped<'a> {
    action: &'a str,
    step: TimelockStep,
    from: Address,
    timelock: Address,
    /// By which the timelock knows it.
    operation: B256,
    /// From when on it may be executed, Unix seconds; `null` where that was only simulated.
    ready_unix_s: Option<u64>,
    dry_run: bool,
    #[serde(flatten)]
    sent: Sent,
}

impl Operation {
    pub(crate) fn new(contract: Address, data: Vec<u8>, salt: B256) -> Self {
        Self { contract, data: data.into(), salt }
    }
}

impl State {
    fn of(timestamp: U256) -> Self {
        match timestamp.saturating_to() {
            0 => Self::Unknown,
            DONE => Self::Done,
            ready => Self::Waits(ready),
        }
    }

    /// Whether a step can be made now, by the chain's clock; else why not.
    fn admits(self, step: TimelockStep, now_s: u64) -> Result<(), String> {
        match (step, self) {
            (TimelockStep::Schedule, Self::Unknown) => Ok(()),
            (TimelockStep::Schedule, Self::Waits(ready)) => {
                Err(format!("it is announced already, and may be made from {} on", time(ready)))
            }
            (TimelockStep::Execute, Self::Unknown) => {
                Err("it is not announced: run this with --timelock schedule, with the same salt".into())
            }
            (TimelockStep::Execute, Self::Waits(ready)) if ready > now_s => {
                Err(format!("it waits for {} s more, until {}", ready - now_s, time(ready)))
            }
            (TimelockStep::Execute, Self::Waits(_)) => Ok(()),
            (_, Self::Done) => Err("it was made before: give another --timelock-salt to make it again".into()),
        }
    }
}

fn time(unix_s: u64) -> String {
    mark_time(unix_s.saturating_mul(1000))
}

/// Makes the timelock that owns the operation's contract take a step.
pub(crate) async fn act(
    caller: &Caller,
    action: &str,
    step: TimelockStep,
    operation: Operation,
) -> eyre::Result<Answer> {
    let Operation { contract, data, salt } = operation;
    let provider = &caller.connection.provider;
    // the rail names its owner by the same functions; who accepts the ownership is not the owner yet
    let owned = EveryChannelWitnessRegistry::new(contract, provider);
    let owner = match data.starts_with(&acceptOwnershipCall::SELECTOR) {
        true => owned.pendingOwner().call().await,
        false => owned.owner().call().await,
    };
    let owner = owner.wrap_err_with(|| format!("contract {contract} names no owner"))?;
    let timelock = EveryChannelTimelock::new(owner, provider);
    let not_it = || format!("the owner of {contract}, {owner}, is no timelock; leave --timelock out");
    let delay = timelock.getMinDelay().call().await.wrap_err_with(not_it)?;
    let hashed = timelock.hashOperation(contract, U256::ZERO, data.clone(), B256::ZERO, salt).call().await;
    let id = hashed.wrap_err_with(not_it)?;
    let state = State::of(timelock.getTimestamp(id).call().await.wrap_err_with(not_it)?);
    let now_s = caller.connection.endpoints.heads().await?.times.latest;
    if let Err(why) = state.admits(step, now_s) {
        bail!("{action}: timelock {owner}, operation {id}: {why}");
    }
    let sent = match step {
        TimelockStep::Schedule => {
            let role = timelock.PROPOSER_ROLE().call().await.wrap_err_with(not_it)?;
            let may = timelock.hasRole(role, caller.from).call().await.wrap_err_with(not_it)?;
            ensure!(may, "{action}: {} is no proposer of timelock {owner}", caller.from);
            if let Err(refused) = caller.simulate_as(owner, action, contract, data.clone()).await {
                eprintln!(
                    "as things stand now, it would be refused when it is made: {:#}",
                    eyre::Report::from(refused)
                );
            }
            let call = EveryChannelTimelock::scheduleCall {
                target: contract,
                value: U256::ZERO,
                data,
                predecessor: B256::ZERO,
                salt,
                delay,
            };
            caller.call(&format!("announce: {action}"), owner, &call).await?
        }
        TimelockStep::Execute => {
            let call = EveryChannelTimelock::executeCall {
                target: contract,
                value: U256::ZERO,
                payload: data,
                predecessor: B256::ZERO,
                salt,
            };
            caller.call(action, owner, &call).await?
        }
    };
    let after = if caller.is_dry() { state } else { State::of(timelock.getTimestamp(id).call().await?) };
    let ready_unix_s = if let State::Waits(ready) = after { Some(ready) } else { None };
    let (from, dry_run) = (caller.from, caller.is_dry());
    let stepped = Stepped { action, step, from, timelock: owner, operation: id, ready_unix_s, dry_run, sent };
    fact(caller.json, &stepped)?;
    Ok(Answer::Yes)
}

impl fmt::Display for Stepped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, timelock, operation, ready_unix_s, sent, .. } = self;
        match (self.step, ready_unix_s) {
            (TimelockStep::Execute, _) => write!(f, "{action}: made by timelock {timelock}; {sent}"),
            (TimelockStep::Schedule, Some(ready)) => {
                let ready = time(*ready);
                write!(
                    f,
                    "{action}: announced in timelock {timelock} as {operation}, may be made from {ready} on; {sent}"
                )
            }
            (TimelockStep::Schedule, None) => {
                write!(f, "{action}: announced in timelock {timelock} as {operation}; {sent}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_made_when_it_is_its_turn() {
        use TimelockStep::{Execute, Schedule};
        let of = |timestamp, step| State::of(U256::from(timestamp)).admits(step, 100);
        assert_eq!(of(0, Schedule), Ok(()));
        assert!(of(0, Execute).unwrap_err().contains("--timelock schedule"));
        for ready in [99, 100] {
            assert_eq!(of(ready, Execute), Ok(()));
            assert!(of(ready, Schedule).unwrap_err().contains("announced already"));
        }
        assert!(of(103, Execute).unwrap_err().contains("waits for 3 s more, until 1970-01-01T00:01:43"));
        for step in [Schedule, Execute] {
            assert!(of(DONE, step).unwrap_err().contains("--timelock-salt"));
        }
    }
}
