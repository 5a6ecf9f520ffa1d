// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelObservationLedger} from "../EveryChannelObservationLedger.sol";
import {EveryChannelWitnessRegistry} from "../EveryChannelWitnessRegistry.sol";
import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../interfaces/IEveryChannelObservationLedger.sol";
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

    /// @dev The header as another witness writes it: the same content, another time and, every other time, another parent.
    function _retold(ObservationHeader memory header, uint64 telling)
        internal
        pure
        returns (ObservationHeader memory other)
    {
        other = ObservationHeader({
            streamHash: header.streamHash,
            epochHash: header.epochHash,
            parentObservationHash: telling % 2 == 0 ? header.parentObservationHash : bytes32(uint256(telling)),
            dataRoot: header.dataRoot,
            locatorHash: header.locatorHash,
            observedUnixMs: header.observedUnixMs + telling,
            sequence: header.sequence
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

    function _move(uint256 witness, ObservationHeader memory from, ObservationHeader memory to, uint256 candidatesSeen)
        internal
    {
        vm.prank(_witness(witness));
        ledger.move(from, to, candidatesSeen);
    }

    /// @dev Hands the witness's seat on, both steps.
    function _rotate(uint256 witness, address newAddress) internal {
        uint256 index = registry.indexOf(_witness(witness));
        vm.prank(_witness(witness));
        registry.rotate(newAddress);
        vm.prank(newAddress);
        registry.acceptRotation(index);
    }

    function _updateSet(address[] memory add, address[] memory remove, uint8 quorum) internal {
        vm.prank(OWNER);
        registry.updateSet(add, remove, quorum);
    }

    function _expectEmit(address emitter) internal {
        vm.expectEmit(true, true, true, true, emitter);
    }

    function _expectSkip(ObservationHeader memory skipped, uint256 witness, bytes memory reason) internal {
        _expectEmit(address(ledger));
        emit ILedger.VoteSkipped(_slot(skipped), _hash(skipped), _witness(witness), reason);
    }

    function _assertVotesIn(bytes32 slot, bytes32 candidate, uint256 bitmap, uint256 active) internal view {
        (uint256 actualBitmap, uint256 actualActive) = ledger.votes(slot, candidate);
        vm.assertEq(actualBitmap, bitmap);
        vm.assertEq(actualActive, active);
    }

    /// @dev All that the views say of a slot.
    function _digestOf(bytes32 slot) internal view returns (bytes32 digest) {
        digest = keccak256(abi.encode(ledger.finalizedObservation(slot), ledger.candidateCount(slot)));
        for (uint256 i = 0; i < ledger.candidateCount(slot); ++i) {
            bytes32 candidate = ledger.candidateAt(slot, i);
            (uint256 bitmap, uint256 active) = ledger.votes(slot, candidate);
            digest = keccak256(abi.encode(digest, candidate, bitmap, active));
        }
    }
}
