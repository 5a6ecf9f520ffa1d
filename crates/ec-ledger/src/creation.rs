//! Where the ledger begins: no event of it may stand before the block from which its log is read.

use alloy::{
    eips::BlockId,
    primitives::Address,
    providers::{DynProvider, Provider},
    rpc::types::Filter,
    transports::TransportError,
};
use ec_rpc::{AskError, Endpoints};

use crate::identity::IdentityError;

/// Checks that the log of a ledger, read from `deploy_block` on, is all of it: the block is there, and the ledger is not
/// older. Where no node has the state of so old a block, its logs are asked instead; false, where they are refused, too, so
/// that nothing can be said.
///
/// # Errors
///
/// The block is too high: the error names the right one. Or there is no agreement on the head.
pub async fn require_deploy_block(
    endpoints: &Endpoints,
    ledger: Address,
    deploy_block: u64,
) -> Result<bool, IdentityError> {
    let latest = endpoints.heads().await?.latest.number;
    if deploy_block > latest {
        return Err(IdentityError::DeployBlockAhead { deploy_block, latest });
    }
    let Some(before) = deploy_block.checked_sub(1) else { return Ok(true) };
    let first = match has_code(endpoints, ledger, before).await {
        Ok(false) => None,
        Ok(true) => Some(first_with_code(endpoints, ledger, before).await),
        Err(_) => match first_event(endpoints, ledger, before).await {
            Ok(first) => first,
            Err(_) => return Ok(false),
        },
    };
    first.map_or(Ok(true), |first| Err(IdentityError::DeployBlockLate { ledger, deploy_block, first }))
}

/// The block from which a ledger's log is to be read, for whoever does not know it: that of its creation, found by bisection on its
/// code. Where no node has the state of so old a block, the block of its first event, which does as well; the newest block where it
/// has none. The ledger must be there.
///
/// # Errors
///
/// There is no agreement on the head, or neither code nor logs of old blocks are to be had.
pub async fn find_deploy_block(endpoints: &Endpoints, ledger: Address) -> Result<u64, AskError> {
    let latest = endpoints.heads().await?.latest.number;
    let (mut without, mut with) = (0, latest);
    while without < with {
        let middle = without + (with - without) / 2;
        match has_code(endpoints, ledger, middle).await {
            Ok(true) => with = middle,
            Ok(false) => without = middle + 1,
            Err(_) => return Ok(first_event(endpoints, ledger, latest).await?.unwrap_or(latest)),
        }
    }
    Ok(with)
}

async fn has_code(endpoints: &Endpoints, ledger: Address, block: u64) -> Result<bool, AskError> {
    let has = |provider: DynProvider| async move {
        let code = provider.get_code_at(ledger).block_id(BlockId::number(block)).await?;
        Ok::<_, TransportError>(!code.is_empty())
    };
    endpoints.first("eth_getCode", has).await
}

/// The first block with the ledger's code, which block `known` has; as far back as a node has the state.
async fn first_with_code(endpoints: &Endpoints, ledger: Address, known: u64) -> u64 {
    let (mut without, mut with) = (0, known);
    while without < with {
        let middle = without + (with - without) / 2;
        match has_code(endpoints, ledger, middle).await {
            Ok(true) => with = middle,
            Ok(false) | Err(_) => without = middle + 1,
        }
    }
    with
}

/// The block of the ledger's first event up to this block.
async fn first_event(endpoints: &Endpoints, ledger: Address, last: u64) -> Result<Option<u64>, AskError> {
    let filter = Filter::new().address(ledger).from_block(0).to_block(last);
    let logs = |provider: DynProvider| {
        let filter = filter.clone();
        async move { provider.get_logs(&filter).await }
    };
    let logs = endpoints.first("eth_getLogs", logs).await?;
    Ok(logs.iter().filter_map(|log| log.block_number).min())
}
