// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelObservationLedger} from "../EveryChannelObservationLedger.sol";
import {EveryChannelWitnessRegistry} from "../EveryChannelWitnessRegistry.sol";
import {ObservationHeader} from "../interfaces/IEveryChannelObservationLedger.sol";
import {vm} from "./Vm.sol";

/// @notice A registry of four witnesses with a quorum of three, its ledger, and headers to vote on.
abstract contract Fixture {
    address internal constant OWNER = address(0xec);
    address internal constant STRANGER = address(0xbad);
    uint8 internal constant QUORUM = 3;

    EveryChannelWitnessRegistry internal registry;
    EveryChannelObservationLedger internal ledger;

    function setUp() public virtual {
        registry = new EveryChannelWitnessRegistry(OWNER, _witnesses(0, 4), QUORUM);
        ledger = new EveryChannelObservationLedger(registry);
    }

    /// @dev The witness of index `i`, where witnesses are added in order.
    function _witness(uint256 i) internal pure returns (address) {
        return address(uint160(0x1000 + i));
    }

    /// @dev `count` witnesses from the `first` one.
    function _witnesses(uint256 first, uint256 count) internal pure returns (address[] memory list) {
        list = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = _witness(first + i);
        }
    }

    function _none() internal pure returns (address[] memory) {
        return new address[](0);
    }

    /// @dev A header of one slot for each `sequence`; headers of other `content` are its rivals.
    function _header(uint64 sequence, uint256 content) internal pure returns (ObservationHeader memory) {
        return ObservationHeader({
            streamHash: keccak256("la-nbc"),
            epochHash: keccak256(abi.encode("epoch", sequence)),
            parentObservationHash: keccak256(abi.encode("parent", sequence)),
            dataRoot: keccak256(abi.encode("data", content)),
            locatorHash: keccak256("locator"),
            observedUnixMs: 60_000 * sequence,
            sequence: sequence
        });
    }

    function _hash(ObservationHeader memory header) internal pure returns (bytes32) {
        return keccak256(abi.encode(header));
    }

    function _slot(ObservationHeader memory header) internal pure returns (bytes32) {
        return keccak256(abi.encode(header.streamHash, header.epochHash));
    }

    function _propose(uint256 witness, ObservationHeader memory header, uint256 candidatesSeen) internal {
        vm.prank(_witness(witness));
        ledger.propose(header, candidatesSeen);
    }

    function _attest(uint256 witness, ObservationHeader memory header) internal {
        vm.prank(_witness(witness));
        ledger.attest(_slot(header), _hash(header));
    }

    function _updateSet(address[] memory add, address[] memory remove, uint8 quorum) internal {
        vm.prank(OWNER);
        registry.updateSet(add, remove, quorum);
    }

    function _expectEmit(address emitter) internal {
        vm.expectEmit(true, true, true, true, emitter);
    }
}
