//! How catching up goes on, and what votes cost. Neither is ever wrong by itself: alerts tell of what lasts too long.

use super::Check;
use crate::{
    sender::VoteCost,
    standing::{CatchUp, SendingStanding},
};

/// Tells how catching up goes on.
pub(super) const CATCH_UP: &str = "catch-up";
/// Tells what votes cost.
pub(super) const COST: &str = "cost";

const GWEI: f64 = 1e9;

/// What is left, how fast that grows less, and for how long still; and whether the hour's gas is what it waits for.
pub(super) fn going_on(catch_up: &CatchUp, is_hour_spent: bool) -> Check {
    let CatchUp { left, per_second } = catch_up;
    let told = match catch_up.left_s() {
        _ if *left == 0 => return Check::ok(CATCH_UP, "no old epoch is left"),
        None => format!("{left} old epochs are left, and they grow no fewer"),
        Some(left_s) => {
            format!("{left} old epochs are left, {per_second:.1} fewer a second: {} more", lasting(left_s))
        }
    };
    let why = if is_hour_spent { "; three quarters of run.max_gas_per_hour are spent" } else { "" };
    Check::ok(CATCH_UP, told + why)
}

/// What votes cost, what part of a block they take, and what they may.
pub(super) fn cost(sending: &SendingStanding) -> Check {
    let of = |(vote, VoteCost { gas, fee_wei }): &(&str, VoteCost)| {
        format!("{vote}: {gas} gas, {:.3} gwei", *fee_wei as f64 / GWEI)
    };
    let votes: Vec<_> = sending.vote_costs.iter().map(of).collect();
    let mut told = if votes.is_empty() { "no vote was executed yet".to_owned() } else { votes.join("; ") };
    if let Some(block_share) = sending.block_share {
        told += &format!("; {:.1} % of the newest block with any", block_share * 100.0);
    }
    if let Some(paced_gas) = sending.paced_gas {
        told += &format!("; at most {paced_gas} gas at a time for old epochs");
    }
    Check::ok(COST, told)
}

/// So many seconds, in the two largest units.
fn lasting(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_with_its_time() {
        let told = |left, per_second| going_on(&CatchUp { left, per_second }, false).reason;
        assert_eq!(told(0, 3.0), "no old epoch is left");
        assert_eq!(told(7, 0.0), "7 old epochs are left, and they grow no fewer");
        assert_eq!(told(12_345, 2.5), "12345 old epochs are left, 2.5 fewer a second: 1 h 22 min more");
        let held_back = going_on(&CatchUp { left: 7, per_second: 1.0 }, true).reason;
        assert_eq!(
            held_back,
            "7 old epochs are left, 1.0 fewer a second: 7 s more; three quarters of run.max_gas_per_hour are spent"
        );
        assert_eq!([59, 61, 3600, 90_000].map(lasting), ["59 s", "1 min", "1 h 0 min", "1 d 1 h"]);
    }

    #[test]
    fn a_vote_is_told_with_what_it_cost() {
        let told = |sending: &SendingStanding| cost(sending).reason;
        assert_eq!(told(&SendingStanding::default()), "no vote was executed yet");
        let propose = ("propose", VoteCost { gas: 54_000, fee_wei: 54_000_000_000 });
        let attest = ("attest", VoteCost { gas: 11_000, fee_wei: 11_500_000 });
        let sending = SendingStanding {
            vote_costs: vec![attest, propose],
            block_share: Some(0.0625),
            paced_gas: Some(3_000_000),
            ..SendingStanding::default()
        };
        let expected = "attest: 11000 gas, 0.011 gwei; propose: 54000 gas, 54.000 gwei; 6.2 % of the newest block with any; \
                        at most 3000000 gas at a time for old epochs";
        assert_eq!(told(&sending), expected);
    }
}
