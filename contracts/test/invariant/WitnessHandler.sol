// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelObservationLedger} from "../../EveryChannelObservationLedger.sol";
import {EveryChannelWitnessRegistry} from "../../EveryChannelWitnessRegistry.sol";
import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../../interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry as IRegistry} from "../../interfaces/IEveryChannelWitnessRegistry.sol";
import {Vm, vm} from "../Vm.sol";
import {WitnessBooks} from "./WitnessBooks.sol";

/// @notice Plays witnesses, owner and passers-by on a few slots. Every call must succeed or be refused exactly as the
/// books say, argument for argument.
contract WitnessHandler is WitnessBooks {
    EveryChannelWitnessRegistry public immutable registry;
    EveryChannelObservationLedger public immutable ledger;

    /// @notice How often a candidate became final with fewer votes of active witnesses than the quorum, or without one.
    uint256 public finalizedShort;

    /// @notice How often each refusal was met, success under 0.
    mapping(bytes4 selector => uint256) public refusals;

    /// @notice How often each event of a vote or a seat was met.
    mapping(bytes32 selector => uint256) public events;

    /// @notice How many calls were made.
    uint256 public calls;

    constructor() {
        address[] memory witnesses = new address[](4);
        for (uint256 i = 0; i < witnesses.length; ++i) {
            witnesses[i] = addressAt(i);
        }
        _bookSet(witnesses, new address[](0), 3);
        registry = new EveryChannelWitnessRegistry(OWNER, witnesses, 3);
        ledger = new EveryChannelObservationLedger(registry);
    }

    // ---- what the runs call

    function propose(uint256 who, uint256 what, uint256 seen) external {
        address caller = _caller(who);
        ObservationHeader memory header = headerOf(what);
        seen = _seen(header, seen);
        bytes memory refusal = _bookProposal(caller, header, seen);
        _call(caller, abi.encodeCall(ILedger.propose, (header, seen)), refusal);
    }

    function attest(uint256 who, uint256 what) external {
        address caller = _caller(who);
        ObservationHeader memory header = headerOf(what);
        bytes memory refusal = _bookAttestation(caller, header);
        _call(caller, abi.encodeCall(ILedger.attest, (slotOf(header), hashOf(header))), refusal);
    }

    function move(uint256 who, uint256 fromWhat, uint256 toWhat, uint256 seen) external {
        address caller = _caller(who);
        ObservationHeader memory from = _from(caller, fromWhat);
        ObservationHeader memory to = _to(from, toWhat);
        seen = _seen(to, seen);
        bytes memory refusal = _bookMove(caller, from, to, seen);
        _call(caller, abi.encodeCall(ILedger.move, (from, to, seen)), refusal);
    }

    function proposeBatch(uint256 who, uint256[4] calldata what, uint256[4] calldata seen) external {
        address caller = _caller(who);
        ObservationHeader[] memory headers = new ObservationHeader[](4);
        uint256[] memory candidatesSeen = new uint256[](4);
        bytes[] memory refusals_ = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            headers[i] = headerOf(what[i]);
            candidatesSeen[i] = _seen(headers[i], seen[i]);
            refusals_[i] = _bookProposal(caller, headers[i], candidatesSeen[i]);
        }
        bytes memory data = abi.encodeCall(ILedger.proposeBatch, (headers, candidatesSeen));
        _callBatch(caller, data, headers, headers, refusals_);
    }

    function attestBatch(uint256 who, uint256[4] calldata what) external {
        address caller = _caller(who);
        ObservationHeader[] memory headers = new ObservationHeader[](4);
        bytes32[] memory slots = new bytes32[](4);
        bytes32[] memory hashes = new bytes32[](4);
        bytes[] memory refusals_ = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            headers[i] = headerOf(what[i]);
            (slots[i], hashes[i]) = (slotOf(headers[i]), hashOf(headers[i]));
            refusals_[i] = _bookAttestation(caller, headers[i]);
        }
        _callBatch(caller, abi.encodeCall(ILedger.attestBatch, (slots, hashes)), headers, headers, refusals_);
    }

    function moveBatch(uint256 who, uint256[4] calldata what, uint256[4] calldata seen) external {
        address caller = _caller(who);
        ObservationHeader[] memory from = new ObservationHeader[](4);
        ObservationHeader[] memory to = new ObservationHeader[](4);
        uint256[] memory candidatesSeen = new uint256[](4);
        bytes[] memory refusals_ = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            from[i] = _from(caller, what[i]);
            to[i] = _to(from[i], what[i] >> 128);
            candidatesSeen[i] = _seen(to[i], seen[i]);
            refusals_[i] = _bookMove(caller, from[i], to[i], candidatesSeen[i]);
        }
        bytes memory data = abi.encodeCall(ILedger.moveBatch, (from, to, candidatesSeen));
        _callBatch(caller, data, from, to, refusals_);
    }

    function finalize(uint256 who, uint256 what) external {
        ObservationHeader memory header = headerOf(what);
        bytes memory refusal = _bookFinality(header);
        _call(_caller(who), abi.encodeCall(ILedger.finalize, (slotOf(header), hashOf(header))), refusal);
    }

    /// @dev Half of the offers are to an address that has no seat yet, where there is one.
    function rotate(uint256 who, uint256 to) external {
        address caller = _caller(who);
        address target = to % 2 == 0 ? _unused(to >> 1) : to % 16 == 1 ? address(0) : addressAt(to >> 4);
        bytes memory refusal = _bookOffer(caller, target);
        _callRegistry(caller, abi.encodeCall(IRegistry.rotate, (target)), refusal);
    }

    /// @dev Three times out of four the one who accepts is the one to whom the seat is offered.
    function acceptRotation(uint256 who, uint256 index) external {
        index %= seatCount + 1;
        address caller = who % 4 == 0 || offerOf[index] == address(0) ? addressAt(who >> 2) : offerOf[index];
        bytes memory refusal = _bookAcceptance(caller, index);
        _callRegistry(caller, abi.encodeCall(IRegistry.acceptRotation, (index)), refusal);
    }

    /// @dev Each bit of `add` and `remove` names an address. Each low bit of `raw` leaves one argument as it came; the
    /// others are made valid: added are holders of seats that are not active, and two addresses without a seat at most.
    function updateSet(uint16 add, uint16 remove, uint8 newQuorum, uint8 raw) external {
        if (raw & 2 == 0) remove = _validRemoval(remove);
        if (raw & 1 == 0) add = _validAddition(add);
        (address[] memory added, address[] memory removed) = (_named(add), _named(remove));
        if (raw & 4 == 0) {
            uint256 count = activeCount() + added.length;
            count = count < removed.length ? 0 : count - removed.length;
            newQuorum = count == 0 ? 0 : uint8(count / 2 + 1 + newQuorum % (count - count / 2));
        }
        bytes memory refusal = _bookSet(added, removed, newQuorum);
        _callRegistry(OWNER, abi.encodeCall(IRegistry.updateSet, (added, removed, newQuorum)), refusal);
    }

    // ---- choices

    /// @dev Three times out of four an active witness, if there is one.
    function _caller(uint256 seed) private view returns (address) {
        if (seed % 4 != 0) {
            for (uint256 i = 0; i < seatCount; ++i) {
                uint256 index = (i + (seed >> 2)) % seatCount;
                if (isActive[index]) return holderOf[index];
            }
        }
        return addressAt(seed >> 2);
    }

    /// @dev Three times out of four the candidate that has the caller's vote in this slot, if one has.
    function _from(address caller, uint256 seed) private view returns (ObservationHeader memory) {
        ObservationHeader memory any = headerOf(seed >> 2);
        bytes32 voted = voteBy(slotOf(any), caller);
        return seed % 4 == 0 || voted == 0 ? any : headerWith(voted);
    }

    /// @dev Seven times out of eight another header of this slot, else of any.
    function _to(ObservationHeader memory from, uint256 seed) private pure returns (ObservationHeader memory) {
        uint256 place = uint256(from.epochHash) * HEADERS + (seed >> 3) % HEADERS;
        return headerOf(seed % 8 == 0 ? seed >> 3 : place);
    }

    /// @dev Three times out of four what a proposer sees is what is there.
    function _seen(ObservationHeader memory header, uint256 seed) private view returns (uint256) {
        return seed % 4 == 0 ? (seed >> 2) % 4 : candidates(slotOf(header)).length;
    }

    /// @dev An address without a seat, if there is one left.
    function _unused(uint256 seed) private view returns (address account) {
        for (uint256 i = 0; i < ADDRESSES; ++i) {
            account = addressAt(seed + i);
            if (numberOf[account] == 0) return account;
        }
    }

    function _validRemoval(uint16 people) private view returns (uint16 valid) {
        for (uint256 i = 0; i < ADDRESSES; ++i) {
            if (people >> i & 1 == 1 && mayVote(addressAt(i))) valid |= uint16(1 << i);
        }
    }

    function _validAddition(uint16 people) private view returns (uint16 valid) {
        uint256 fresh = 0;
        for (uint256 i = 0; i < ADDRESSES; ++i) {
            if (people >> i & 1 == 0) continue;
            uint256 number = numberOf[addressAt(i)];
            bool returns_ = number != 0 && !isActive[number - 1] && holderOf[number - 1] == addressAt(i);
            if (returns_ || (number == 0 && fresh++ < 2)) valid |= uint16(1 << i);
        }
    }

    function _named(uint16 people) private pure returns (address[] memory list) {
        uint256 count = 0;
        for (uint256 i = 0; i < ADDRESSES; ++i) {
            if (people >> i & 1 == 1) ++count;
        }
        list = new address[](count);
        for (uint256 i = ADDRESSES; i > 0; --i) {
            if (people >> (i - 1) & 1 == 1) list[--count] = addressAt(i - 1);
        }
    }

    // ---- calls

    function _call(address caller, bytes memory data, bytes memory refusal) private {
        vm.recordLogs();
        vm.prank(caller);
        (bool success, bytes memory result) = address(ledger).call(data);
        _check(success, result, refusal);
        _checkLogs(vm.getRecordedLogs());
    }

    function _callRegistry(address caller, bytes memory data, bytes memory refusal) private {
        vm.recordLogs();
        vm.prank(caller);
        (bool success, bytes memory result) = address(registry).call(data);
        _check(success, result, refusal);
        _checkLogs(vm.getRecordedLogs());
    }

    /// @dev A skip names the slot of `slots`'s header and the hash of `hashes`'s.
    function _callBatch(
        address caller,
        bytes memory data,
        ObservationHeader[] memory slots,
        ObservationHeader[] memory hashes,
        bytes[] memory refusals_
    ) private {
        vm.recordLogs();
        vm.prank(caller);
        (bool success, bytes memory result) = address(ledger).call(data);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (!mayVote(caller)) return _check(success, result, refusals_[0]);
        _check(success, result, "");

        uint256 next = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != ILedger.VoteSkipped.selector) continue;
            while (refusals_[next].length == 0) ++next;
            vm.assertEq(logs[i].topics[1], slotOf(slots[next]));
            vm.assertEq(logs[i].topics[2], hashOf(hashes[next]));
            vm.assertEq(logs[i].topics[3], bytes32(uint256(uint160(caller))));
            vm.assertEq(abi.decode(logs[i].data, (bytes)), refusals_[next]);
            ++refusals[bytes4(refusals_[next])];
            ++next;
        }
        for (; next < refusals_.length; ++next) {
            vm.assertEq(refusals_[next], "");
        }
        _checkLogs(logs);
    }

    function _check(bool success, bytes memory result, bytes memory refusal) private {
        ++calls;
        vm.assertEq(success, refusal.length == 0);
        ++refusals[bytes4(refusal)];
        if (!success) vm.assertEq(result, refusal);
    }

    /// @dev Whatever was just finalized has its quorum now, by the ledger's own count.
    function _checkLogs(Vm.Log[] memory logs) private {
        for (uint256 i = 0; i < logs.length; ++i) {
            ++events[logs[i].topics[0]];
            if (logs[i].topics[0] != ILedger.ObservationFinalized.selector) continue;
            (, uint256 active) = ledger.votes(logs[i].topics[1], logs[i].topics[2]);
            if (registry.quorum() == 0 || active < registry.quorum()) ++finalizedShort;
        }
    }
}
