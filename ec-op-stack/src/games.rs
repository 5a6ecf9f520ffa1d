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
        function proposer() external view returns (address);
        function status() external view returns (uint8);
        function rootClaim() external view returns (bytes32);
        function l2BlockNumber() external view returns (uint256);
        function l2SequenceNumber() external view returns (uint256);
        function rootClaimByChainId(uint256 chainId) external view returns (bytes32);
        function claimDataLen() external view returns (uint256);
        function anchorStateRegistry() external view returns (address);
        function getAnchorRoot() external view returns (bytes32 root, uint256 position);
        function anchorGame() external view returns (address);
        function anchors(uint32 gameType) external view returns (bytes32 root, uint256 position);
        function respectedGameType() external view returns (uint32);
        function portal() external view returns (address);
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

/// Types of games whose roots are super roots: of several chains, by a time instead of a block. 5 is permissioned, and as it is
/// deployed now resolves when it is created; 9 is played with kona.
const SUPER: [u32; 4] = [4, 5, 7, 9];

/// Whether games of this type carry super roots.
pub fn is_super(game_type: u32) -> bool {
    SUPER.contains(&game_type)
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
    /// Whose proposals alone are taken; `None` where anybody's are.
    pub proposer: Option<Address>,
}

impl GameRules {
    /// Reads them from a factory.
    pub async fn read(l1: &Endpoint, factory: Address, game_type: u32) -> Result<Self, CallError> {
        let implementation = view(l1, factory, c::gameImplsCall { gameType: game_type }).await?;
        if implementation == Address::ZERO {
            return Ok(Self { implementation, init_bond: U256::ZERO, prestate: None, proposer: None });
        }
        let init_bond = view(l1, factory, c::initBondsCall { gameType: game_type }).await?;
        // the factory's arguments for the type where it has them (since op-contracts v5), else the implementation's constants
        let args = view(l1, factory, c::gameArgsCall { gameType: game_type }).await.unwrap_or_default();
        let (prestate, proposer) = match args.is_empty() {
            false => of_args(&args),
            true => (
                view(l1, implementation, c::absolutePrestateCall {}).await.ok(),
                view(l1, implementation, c::proposerCall {}).await.ok(),
            ),
        };
        Ok(Self { implementation, init_bond, prestate, proposer })
    }
}

/// The absolute prestate and the only proposer among a game's arguments, which are packed, and told apart by their length as the
/// contracts do: those of games that are played begin with the prestate, and end with proposer and challenger where they are
/// permissioned. Those of type 5 are the registry, the proposer and, before it resolved when it is created, the challenger.
fn of_args(args: &[u8]) -> (Option<B256>, Option<Address>) {
    let prestate = || args.get(..32).map(B256::from_slice);
    let proposer = |at: usize| args.get(at..at + 20).map(Address::from_slice);
    match args.len() {
        40 | 60 => (None, proposer(20)),
        164 => (prestate(), proposer(124)),
        _ => (prestate(), None),
    }
}

/// A game, as its factory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Game {
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
    /// How many games a factory has, and up to `most` of the newest, the newest first.
    pub async fn newest(l1: &Endpoint, factory: Address, most: u64) -> Result<(u64, Vec<Self>), CallError> {
        let count = view(l1, factory, c::gameCountCall {}).await?.saturating_to::<u64>();
        let mut games = Vec::new();
        for index in (count.saturating_sub(most)..count).rev() {
            let game = view(l1, factory, c::gameAtIndexCall { index: U256::from(index) }).await?;
            let status = view(l1, game.proxy, c::statusCall {}).await?;
            let (game_type, created, address) = (game.gameType, game.timestamp, game.proxy);
            games.push(Self { game_type, created, address, status });
        }
        Ok((count, games))
    }
}

/// The L2 block that a game's claim is about; of super roots its Unix time, in seconds.
pub(crate) async fn position(l1: &Endpoint, game: Address, is_super: bool) -> Result<u64, CallError> {
    let position = if is_super {
        view(l1, game, c::l2SequenceNumberCall {}).await?
    } else {
        view(l1, game, c::l2BlockNumberCall {}).await?
    };
    Ok(position.saturating_to())
}

/// The output root that a game claims of this chain; one that carries super roots knows it by the chain's id.
pub(crate) async fn root_claim(l1: &Endpoint, game: Address, in_super: Option<u64>) -> Result<B256, CallError> {
    match in_super {
        Some(chain_id) => view(l1, game, c::rootClaimByChainIdCall { chainId: U256::from(chain_id) }).await,
        None => view(l1, game, c::rootClaimCall {}).await,
    }
}

/// How many claims were made in a game, its root claim included.
pub(crate) async fn claims(l1: &Endpoint, game: Address) -> Result<u64, CallError> {
    Ok(view(l1, game, c::claimDataLenCall {}).await?.saturating_to())
}

/// What all games of a chain start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnchorRoot {
    /// The contract that holds it.
    pub(crate) registry: Address,
    /// The root.
    pub(crate) root: B256,
    /// The L2 block that it is of; of super roots its Unix time, in seconds.
    pub(crate) position: u64,
}

/// The anchor that a game names. Registries before op-contracts v3 hold one for each type.
pub(crate) async fn anchor(l1: &Endpoint, game: Address, game_type: u32) -> Result<AnchorRoot, CallError> {
    let registry = view(l1, game, c::anchorStateRegistryCall {}).await?;
    let (root, position) = match view(l1, registry, c::getAnchorRootCall {}).await {
        Ok(anchor) => (anchor.root, anchor.position),
        Err(error) if error.is_rate_limit() => return Err(error),
        Err(_) => {
            let anchor = view(l1, registry, c::anchorsCall { gameType: game_type }).await?;
            (anchor.root, anchor.position)
        }
    };
    Ok(AnchorRoot { registry, root, position: position.saturating_to() })
}

/// The game whose claim a registry has for the anchor; zero while that is the one that all began with.
pub(crate) async fn anchor_game(l1: &Endpoint, registry: Address) -> Result<Address, CallError> {
    view(l1, registry, c::anchorGameCall {}).await
}

/// The type of games that count for withdrawals: by the registry, before op-contracts v4 by the portal that it names.
pub(crate) async fn respected_type(l1: &Endpoint, registry: Address) -> Result<u32, CallError> {
    match view(l1, registry, c::respectedGameTypeCall {}).await {
        Err(error) if !error.is_rate_limit() => {
            let portal = view(l1, registry, c::portalCall {}).await?;
            view(l1, portal, c::respectedGameTypeCall {}).await
        }
        answer => answer,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_apart_by_their_length() {
        let (prestate, [registry, proposer, challenger]) = (B256::repeat_byte(6), [1, 7, 8].map(Address::repeat_byte));
        // vm, registry, weth and chain id
        let played = [prestate.as_slice(), &[1; 3 * 20 + 32]].concat();
        let permissioned = [&played, proposer.as_slice(), challenger.as_slice()].concat();
        let resolved_at_once = [registry.as_slice(), proposer.as_slice()].concat();
        let window = [&resolved_at_once, challenger.as_slice()].concat();
        assert_eq!([played.len(), permissioned.len(), resolved_at_once.len(), window.len()], [124, 164, 40, 60]);
        assert_eq!(of_args(&played), (Some(prestate), None));
        assert_eq!(of_args(&permissioned), (Some(prestate), Some(proposer)));
        assert_eq!(of_args(&resolved_at_once), (None, Some(proposer)));
        assert_eq!(of_args(&window), (None, Some(proposer)));
        assert_eq!(of_args(&[1; 7]), (None, None));
    }
}
