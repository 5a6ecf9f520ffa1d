//! Games, prestate, accounts: what the contracts demand of those who send transactions.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256, utils::format_ether};

use super::{ChallengedGame, Check, Facts, Finding, GameFacts, facts::game_type};
use crate::{
    stack::{LOW_BALANCE_WEI, Role, Stack},
    tables,
};

/// Failures 1 and 2.
pub(super) fn games(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    if stack.get("op-proposer").is_none() && stack.get("op-challenger").is_none() {
        return Vec::new();
    }
    let Some(games) = &facts.games else {
        return vec![Check::GameType.failure(
            "the dispute games' contracts cannot be read",
            "make the L1 endpoint and rollup.json readable first",
        )];
    };
    let mut findings = vec![rules(stack, games), factory(stack, games)];
    findings.extend(games.challenged.iter().map(prestate));
    findings.into_iter().filter(|finding| !finding.found.is_empty()).collect()
}

fn rules(stack: &Stack, games: &GameFacts) -> Finding {
    let kind = game_type(stack);
    match &games.rules {
        Err(error) => {
            Check::GameType.failure(format!("game type {kind}: {error}"), "correct op-proposer's game-factory-address")
        }
        Ok(rules) if rules.implementation == Address::ZERO => Check::GameType.failure(
            format!(
                "the factory has no game of type {kind}: every proposal would revert with NoImplementation (0x031c6de4)"
            ),
            "set op-proposer's game-type to one that the factory has; a fresh chain has only 1, permissioned",
        ),
        Ok(rules) if rules.init_bond > U256::ZERO => Check::GameType.warning(
            format!("each game of type {kind} takes a bond of {} ETH from the proposer", format_ether(rules.init_bond)),
            "fund the proposer for as many games as are unresolved at once",
        ),
        Ok(_) => Check::GameType.good(format!("the factory has games of type {kind}, without a bond")),
    }
}

fn factory(stack: &Stack, games: &GameFacts) -> Finding {
    let users = ["op-proposer", "op-challenger"].into_iter().filter_map(|name| stack.get(name));
    let wrong = users.filter_map(|user| {
        let used = user.value("game-factory-address")?.parse::<Address>().ok()?;
        (Some(used) != games.factory).then(|| format!("{} uses the factory {used}", user.name))
    });
    let wrong = wrong.collect::<Vec<_>>();
    match games.factory {
        Some(named) if !wrong.is_empty() => Check::GameType.failure(
            format!("{}, but the chain's SystemConfig names {named}", wrong.join(", ")),
            "set game-factory-address to the one that the SystemConfig names",
        ),
        _ => Check::GameType.good(String::new()),
    }
}

/// What the challenger plays a game with, against what the chain demands.
fn prestate(game: &ChallengedGame) -> Finding {
    let ChallengedGame { name, flag, held, .. } = game;
    let wanted = match &game.rules {
        Ok(rules) if rules.implementation == Address::ZERO => {
            return Check::Prestate.warning(
                format!("the challenger plays games of type {name}, of which the factory has none"),
                format!("leave {name} out of --game-types, unless the chain is about to get them"),
            );
        }
        Ok(rules) => rules.prestate,
        Err(error) => {
            return Check::Prestate
                .failure(format!("games of type {name}: {error}"), "correct op-challenger's game-factory-address");
        }
    };
    match (held, wanted) {
        (Some(Ok(held)), Some(wanted)) if *held == wanted => {
            Check::Prestate.good(format!("the challenger holds the chain's prestate {held} for games of type {name}"))
        }
        (Some(Ok(held)), Some(wanted)) => Check::Prestate.failure(
            format!("--{flag}: the challenger's prestate is {held}, the chain demands {wanted} for games of type {name}: it would lose every one"),
            "build op-program at the release that the chain's prestate is of, or have the games' implementation replaced",
        ),
        // it starts, and needs the file only when it must play
        (Some(Err(error)), _) => Check::Prestate.warning(
            format!("--{flag}: {error}: the challenger starts, and cannot play a game of type {name}"),
            "provide the prestate file, or do not run op-challenger",
        ),
        (None, Some(wanted)) => Check::Prestate.warning(
            format!("the challenger has no prestate file for games of type {name}; the chain demands {wanted}"),
            format!("set --{flag}, or see that its prestates-url serves this one"),
        ),
        (_, None) => Check::Prestate.warning(
            format!("the chain's prestate for games of type {name} cannot be read"),
            "compare by hand: ec-op-stack prestate",
        ),
    }
}

/// Failure 8.
pub(super) fn accounts(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let mut findings = shared(stack);
    let services = tables::programs().iter().filter(|program| stack.get(&program.name).is_some());
    findings.extend(services.filter_map(|program| Some(balance(program.account.as_deref()?, facts))));
    findings.extend(facts.games.as_ref().and_then(|games| batcher_is_the_chains(stack, games)));
    findings.extend(facts.games.as_ref().and_then(|games| proposer_is_the_games(stack, games)));
    findings
}

fn balance(role: &'static str, facts: &Facts) -> Finding {
    match facts.accounts.get(role).map(|account| account.balance) {
        None => Check::Accounts.warning(
            format!("{role}: no address is given"),
            format!("name it under accounts.{role}, so that its funds are watched"),
        ),
        Some(None) => {
            Check::Accounts.failure(format!("{role}: the balance cannot be read"), "make the L1 endpoint work first")
        }
        Some(Some(wei)) if wei.is_zero() => {
            Check::Accounts.failure(format!("{role}: the account is empty on L1"), format!("send ETH to the {role}"))
        }
        Some(Some(wei)) if wei < LOW_BALANCE_WEI => Check::Accounts
            .warning(format!("{role}: only {} ETH left on L1", format_ether(wei)), format!("send ETH to the {role}")),
        Some(Some(wei)) => Check::Accounts.good(format!("{role}: {} ETH on L1", format_ether(wei))),
    }
}

/// Two services with one account race for its nonces.
fn shared(stack: &Stack) -> Vec<Finding> {
    let mut users = BTreeMap::<Address, Vec<&str>>::new();
    for (role, address) in stack.accounts.named() {
        users.entry(address).or_default().push(role);
    }
    let shared = users.into_iter().filter(|(_, roles)| roles.len() > 1);
    shared
        .map(|(address, roles)| {
            Check::Accounts.failure(
                format!("{} share the account {address}: they would race for its nonces", roles.join(" and ")),
                "give each service a key of its own, and change the role on the contracts",
            )
        })
        .collect()
}

fn batcher_is_the_chains(stack: &Stack, games: &GameFacts) -> Option<Finding> {
    let ((_, wanted), given) = (games.signers?, stack.accounts.batcher?);
    let applies = stack.role == Role::Sequencer && stack.get("op-batcher").is_some() && wanted != given;
    applies.then(|| {
        Check::Accounts.failure(
            format!("batcher: the account is {given}, the chain reads batches of {wanted} only"),
            "use that key, or have SystemConfig.setBatcherHash called",
        )
    })
}

fn proposer_is_the_games(stack: &Stack, games: &GameFacts) -> Option<Finding> {
    let (wanted, given) = (games.rules.as_ref().ok()?.proposer?, stack.accounts.proposer?);
    (stack.get("op-proposer").is_some() && wanted != given).then(|| {
        Check::Accounts.failure(
            format!(
                "proposer: the account is {given}, games of type {} take proposals of {wanted} only",
                game_type(stack)
            ),
            "use that key, or have the factory's owner put games in place that name this one",
        )
    })
}
