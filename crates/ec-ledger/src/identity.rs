//! Whether the contracts are those that are configured, and belong together; else one sentence on what is wrong.

use alloy::{
    primitives::Address,
    providers::{DynProvider, Provider},
    sol_types::SolCall,
    transports::TransportError,
};
use ec_rpc::{AskError, Endpoints, Fault};

use crate::contracts::{
    EveryChannelObservationLedger::{self, moveBatchCall},
    EveryChannelRail::{self, settleBatchCall},
    EveryChannelWitnessRegistry::{self, pendingWitnessAtCall},
    Revert,
};

/// Why a contract is not the one that is configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The endpoints together give no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// No contract at a configured address.
    #[error("{field} is set to {address}, but there is no code on chain {chain_id}; correct the address or the chain")]
    NoCode {
        /// The setting.
        field: &'static str,
        /// Its value.
        address: Address,
        /// The chain.
        chain_id: u64,
    },
    /// The contract at a configured address is another one.
    #[error(
        "{field} is set to {address}, but the contract there does not answer {view}(); correct the address: {answer}"
    )]
    NotTheContract {
        /// The setting.
        field: &'static str,
        /// Its value.
        address: Address,
        /// The view it did not answer.
        view: &'static str,
        /// What it answered.
        answer: String,
    },
    /// The ledger is an older one, whose votes stand for one header for ever.
    #[error(
        "ledger is set to {address}, which is an older one without move: votes that one content's headers share between \
         them can never come together there; deploy the contracts anew with `ec-witness deploy` and set ledger to the new \
         one, or go on with the ec-witness that this ledger was deployed for"
    )]
    WithoutMove {
        /// The ledger.
        address: Address,
    },
    /// The chain has not come so far.
    #[error(
        "deploy_block is set to {deploy_block}, but the chain's newest block is {latest}: it is of another chain, or \
         mistyped; `ec-witness deploy` printed it"
    )]
    DeployBlockAhead {
        /// The setting.
        deploy_block: u64,
        /// The newest block.
        latest: u64,
    },
    /// The ledger is older than the block from which its log is read.
    #[error(
        "deploy_block is set to {deploy_block}, but the ledger at {ledger} was there in block {first} already: votes before \
         deploy_block would not be seen; set deploy_block to {first}"
    )]
    DeployBlockLate {
        /// The ledger.
        ledger: Address,
        /// The setting.
        deploy_block: u64,
        /// The earliest block that is known to have it.
        first: u64,
    },
    /// Two configured contracts do not belong together.
    #[error("{field} is set to {configured}, but the {of} at {of_address} uses {actual}; correct one of the two")]
    Unrelated {
        /// The setting.
        field: &'static str,
        /// Its value.
        configured: Address,
        /// The contract that names another one.
        of: &'static str,
        /// Where that is.
        of_address: Address,
        /// What it names.
        actual: Address,
    },
}

/// Which contract is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None.
    NoCode,
    /// A ledger.
    Ledger,
    /// A registry of witnesses.
    Registry,
    /// A rail.
    Rail,
    /// None of these, or one behind a proxy.
    Other,
}

/// Which contract is at an address, by the functions that its code dispatches to.
///
/// # Errors
///
/// No agreement on its code.
pub async fn kind_of(endpoints: &Endpoints, address: Address) -> Result<Kind, AskError> {
    let code = endpoints.agreed("eth_getCode", |provider| async move { provider.get_code_at(address).await });
    Ok(kind(&code.await?))
}

fn kind(code: &[u8]) -> Kind {
    use EveryChannelObservationLedger as Ledger;
    use EveryChannelRail as Rail;
    use EveryChannelWitnessRegistry as Registry;
    let kinds = [
        (Kind::Ledger, [Ledger::registryCall::SELECTOR, Ledger::proposeCall::SELECTOR]),
        (Kind::Registry, [Registry::activeSetCall::SELECTOR, Registry::isWitnessCall::SELECTOR]),
        (Kind::Rail, [Rail::ledgerCall::SELECTOR, Rail::addPublisherCall::SELECTOR]),
    ];
    if code.is_empty() {
        return Kind::NoCode;
    }
    let is_it = |(_, selectors): &(Kind, [[u8; 4]; 2])| selectors.iter().all(|selector| compares_with(code, *selector));
    kinds.into_iter().find(is_it).map_or(Kind::Other, |(kind, _)| kind)
}

/// Checks that there is code at the address that the setting `field` gives. Not which code it is.
///
/// # Errors
///
/// No code, or no agreement on it.
pub async fn require_code(endpoints: &Endpoints, field: &'static str, address: Address) -> Result<(), IdentityError> {
    let is_empty =
        |provider: DynProvider| async move { Ok::<_, TransportError>(provider.get_code_at(address).await?.is_empty()) };
    if endpoints.agreed("eth_getCode", is_empty).await? {
        return Err(IdentityError::NoCode { field, address, chain_id: endpoints.chain_id() });
    }
    Ok(())
}

/// The registry of a ledger, which must be the configured one where one is.
///
/// # Errors
///
/// The contract is no ledger, it uses another registry, or no agreement on that.
pub async fn registry_of(
    endpoints: &Endpoints,
    ledger: Address,
    configured: Option<Address>,
) -> Result<Address, IdentityError> {
    let registry =
        |provider| async move { viewed(EveryChannelObservationLedger::new(ledger, provider).registry().call().await) };
    let actual = endpoints.agreed("registry()", registry).await?;
    let not_it = |answer| IdentityError::NotTheContract { field: "ledger", address: ledger, view: "registry", answer };
    require_same("registry", configured, "ledger", ledger, actual.map_err(not_it)?)
}

/// Checks that votes can move on a ledger: that its code has `move` and `moveBatch` to call. For those who vote; whoever only
/// reads can read an older ledger's log as well.
///
/// # Errors
///
/// It is an older ledger, or no agreement on its code.
pub async fn require_move(endpoints: &Endpoints, ledger: Address) -> Result<(), IdentityError> {
    let selectors = [EveryChannelObservationLedger::moveCall::SELECTOR, moveBatchCall::SELECTOR];
    match has_calls(endpoints, ledger, selectors).await? {
        true => Ok(()),
        false => Err(IdentityError::WithoutMove { address: ledger }),
    }
}

/// Whether seats of a registry can be handed on: those of an older one cannot.
///
/// # Errors
///
/// No agreement on its code.
pub async fn can_rotate(endpoints: &Endpoints, registry: Address) -> Result<bool, IdentityError> {
    let selectors = [EveryChannelWitnessRegistry::rotateCall::SELECTOR, pendingWitnessAtCall::SELECTOR];
    Ok(has_calls(endpoints, registry, selectors).await?)
}

/// Whether a rail settles many headers in one call: an older one does not.
///
/// # Errors
///
/// No agreement on its code.
pub async fn can_settle_batches(endpoints: &Endpoints, rail: Address) -> Result<bool, IdentityError> {
    Ok(has_calls(endpoints, rail, [settleBatchCall::SELECTOR]).await?)
}

/// Whether a contract's code dispatches by these selectors.
async fn has_calls<const N: usize>(
    endpoints: &Endpoints,
    contract: Address,
    selectors: [[u8; 4]; N],
) -> Result<bool, AskError> {
    let has = |provider: DynProvider| async move {
        let code = provider.get_code_at(contract).await?;
        Ok::<_, TransportError>(selectors.iter().all(|selector| compares_with(&code, *selector)))
    };
    endpoints.agreed("eth_getCode", has).await
}

/// Whether code has a selector on its stack anywhere, as it must to dispatch by it. No call can tell as surely: a function
/// that is not there reverts without data, which some nodes report like any other failure.
fn compares_with(code: &[u8], selector: [u8; 4]) -> bool {
    /// The instruction that takes the four bytes after it.
    const PUSH4: u8 = 0x63;
    code.windows(5).any(|window| window[0] == PUSH4 && window[1..] == selector)
}

/// The ledger of a rail, which must be the configured one where one is.
///
/// # Errors
///
/// The contract is no rail, it uses another ledger, or no agreement on that.
pub async fn ledger_of(
    endpoints: &Endpoints,
    rail: Address,
    configured: Option<Address>,
) -> Result<Address, IdentityError> {
    let ledger = |provider| async move { viewed(EveryChannelRail::new(rail, provider).ledger().call().await) };
    let actual = endpoints.agreed("ledger()", ledger).await?;
    let not_it = |answer| IdentityError::NotTheContract { field: "rail", address: rail, view: "ledger", answer };
    require_same("ledger", configured, "rail", rail, actual.map_err(not_it)?)
}
/// What a view answers; that a contract does not have it is an answer too.
fn viewed(answer: Result<Address, alloy::contract::Error>) -> Result<Result<Address, String>, Fault> {
    match answer {
        Ok(address) => Ok(Ok(address)),
        Err(error @ alloy::contract::Error::TransportError(_)) if Revert::of_call(&error).is_none() => {
            Err(error.into())
        }
        Err(error) => Ok(Err(error.to_string())),
    }
}

fn require_same(
    field: &'static str,
    configured: Option<Address>,
    of: &'static str,
    of_address: Address,
    actual: Address,
) -> Result<Address, IdentityError> {
    match configured {
        Some(configured) if configured != actual => {
            Err(IdentityError::Unrelated { field, configured, of, of_address, actual })
        }
        _ => Ok(actual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_known_by_its_code() {
        assert_eq!(kind(&EveryChannelObservationLedger::DEPLOYED_BYTECODE), Kind::Ledger);
        assert_eq!(kind(&EveryChannelWitnessRegistry::DEPLOYED_BYTECODE), Kind::Registry);
        assert_eq!(kind(&EveryChannelRail::DEPLOYED_BYTECODE), Kind::Rail);
        assert_eq!((kind(&[]), kind(&[0x60, 0x80])), (Kind::NoCode, Kind::Other));
    }

    #[test]
    fn each_contracts_code_has_its_own_selectors_and_not_the_others() {
        let (ledger, rail) = (&EveryChannelObservationLedger::DEPLOYED_BYTECODE, &EveryChannelRail::DEPLOYED_BYTECODE);
        for selector in [EveryChannelObservationLedger::moveCall::SELECTOR, moveBatchCall::SELECTOR] {
            assert!(compares_with(ledger, selector) && !compares_with(rail, selector));
        }
        let registry = &EveryChannelWitnessRegistry::DEPLOYED_BYTECODE;
        for selector in [EveryChannelWitnessRegistry::rotateCall::SELECTOR, pendingWitnessAtCall::SELECTOR] {
            assert!(compares_with(registry, selector) && !compares_with(rail, selector));
        }
        assert!(compares_with(rail, settleBatchCall::SELECTOR) && !compares_with(ledger, settleBatchCall::SELECTOR));
    }
}
