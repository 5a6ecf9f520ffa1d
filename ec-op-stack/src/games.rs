//! The dispute games' contracts on L1, read.

use alloy::{
    primitives::{Address, B256, Bytes, U256, hex},
    sol,
    sol_types::SolCall,
};
use serde_json::json;

use crate::rpc::{CallError, Endpoint};

sol! {
    /// The parts of `SystemConfig`, `DisputeGameFactory` and the games that are read.
    interface IDisputeContracts {
        function disputeGameFactory() external view returns (address);
        function unsafeBlockSigner() external view returns (address);
        function batcherHash() external view returns (bytes32);
        function gameImpls(uint32 gameType) external view returns (address);
        function gameArgs(uint32 gameType) external view returns (bytes);
        function initBonds(uint32 gameType) external view returns (uint256);
        function gameCount() external view returns (uint256);
        function gameAtIndex(uint256 index) external view returns (uint32 gameType, uint64 timestamp, address proxy);
        function absolutePrestate() external view returns (bytes32);
        function status() external view returns (uint8);
    }
}

use IDisputeContracts as c;

/// Calls a view at the latest block.
pub(crate) async fn view<C: SolCall>(l1: &Endpoint, to: Address, call: C) -> Result<C::Return, CallError> {
    let data = hex::encode_prefixed(call.abi_encode());
    let answer = l1.call::<Bytes>("eth_call", json!([{"to": to, "data": data}, "latest"])).await?;
    C::abi_decode_returns(&answer).map_err(|_| {
        l1.failed(C::SIGNATURE, format!("{to} gave no such answer: is it the right contract, and on this chain?"))
    })
}

/// What the chain demands of games of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GameRules {
    /// The implementation; zero where the factory has none of this type.
    pub implementation: Address,
    /// What a proposer pays into each game, in wei.
    pub init_bond: U256,
    /// The absolute prestate that a challenger must hold.
    pub prestate: Option<B256>,
}

impl GameRules {
    /// Reads them from a factory.
    pub async fn read(l1: &Endpoint, factory: Address, game_type: u32) -> Result<Self, CallError> {
        let implementation = view(l1, factory, c::gameImplsCall { gameType: game_type }).await?;
        if implementation == Address::ZERO {
            return Ok(Self { implementation, init_bond: U256::ZERO, prestate: None });
        }
        let init_bond = view(l1, factory, c::initBondsCall { gameType: game_type }).await?;
        let prestate = prestate(l1, factory, implementation, game_type).await;
        Ok(Self { implementation, init_bond, prestate })
    }
}

/// From the factory's arguments for the type where it has them (since op-contracts v5), else from the implementation.
async fn prestate(l1: &Endpoint, factory: Address, implementation: Address, game_type: u32) -> Option<B256> {
    let args = view(l1, factory, c::gameArgsCall { gameType: game_type }).await.ok();
    if let Some(word) = args.as_ref().and_then(|args| args.get(..32)) {
        return Some(B256::from_slice(word));
    }
    view(l1, implementation, c::absolutePrestateCall {}).await.ok()
}

/// The newest game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Game {
    /// How many games there are.
    pub count: u64,
    /// Its type.
    pub game_type: u32,
    /// Unix time of its creation, in seconds.
    pub created: u64,
    /// Its contract.
    pub address: Address,
    /// 0 in progress, 1 the challenger wins, 2 the defender wins.
    pub status: u8,
}

impl Game {
    /// The newest game of a factory; `None` if there is none.
    pub async fn newest(l1: &Endpoint, factory: Address) -> Result<Option<Self>, CallError> {
        let count = view(l1, factory, c::gameCountCall {}).await?;
        let Some(index) = count.checked_sub(U256::from(1)) else { return Ok(None) };
        let game = view(l1, factory, c::gameAtIndexCall { index }).await?;
        let status = view(l1, game.proxy, c::statusCall {}).await?;
        let (game_type, created, address) = (game.gameType, game.timestamp, game.proxy);
        Ok(Some(Self { count: count.saturating_to(), game_type, created, address, status }))
    }
}

/// The factory that a chain's `SystemConfig` names.
pub(crate) async fn factory(l1: &Endpoint, system_config: Address) -> Result<Address, CallError> {
    view(l1, system_config, c::disputeGameFactoryCall {}).await
}

/// Who may sign unsafe blocks and who may post batches, by a chain's `SystemConfig`.
pub(crate) async fn signers(l1: &Endpoint, system_config: Address) -> Result<(Address, Address), CallError> {
    let signer = view(l1, system_config, c::unsafeBlockSignerCall {}).await?;
    let batcher = view(l1, system_config, c::batcherHashCall {}).await?;
    Ok((signer, Address::from_word(batcher)))
}
