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

/// @notice Plays witnesses, owner and passers-by on a few slots, and keeps books of its own beside the contracts: plain
/// mappings, no bitmaps. Every call must succeed or be refused exactly as the books say, argument for argument.
contract WitnessHandler {
    uint256 public constant PEOPLE = 8;
    uint256 public constant SLOTS = 10;
    uint256 public constant CONTENTS = 3;
    address public constant OWNER = address(0xec);

    EveryChannelWitnessRegistry public immutable registry;
    EveryChannelObservationLedger public immutable ledger;

    mapping(address person => bool) public isActive;
    uint256 public activeCount;
    uint8 public quorum;

    mapping(bytes32 slot => bytes32[]) private _candidates;
    mapping(bytes32 slot => mapping(address person => bytes32)) public voteOf;
    mapping(bytes32 slot => bytes32) public finalOf;

    /// @notice How often a candidate became final with fewer votes of active witnesses than the quorum, or without one.
    uint256 public finalizedShort;

    /// @notice How often each refusal was met, success under 0.
    mapping(bytes4 selector => uint256) public refusals;

    /// @notice How many slots became final.
    uint256 public finalized;

    /// @notice How many calls were made.
    uint256 public calls;

    constructor() {
        address[] memory witnesses = new address[](4);
        for (uint256 i = 0; i < witnesses.length; ++i) {
            witnesses[i] = person(i);
            isActive[witnesses[i]] = true;
        }
        (activeCount, quorum) = (4, 3);
        registry = new EveryChannelWitnessRegistry(OWNER, witnesses, 3);
        ledger = new EveryChannelObservationLedger(registry);
    }

    // ---- what the runs call

    function propose(uint256 who, uint256 what, uint256 seen) external {
        address caller = person(who);
        ObservationHeader memory header = headerOf(what);
        seen = _seen(header, seen);
        bytes memory refusal = _bookProposal(caller, header, seen);
        _call(caller, abi.encodeCall(ILedger.propose, (header, seen)), refusal);
    }

    function attest(uint256 who, uint256 what) external {
        address caller = person(who);
        ObservationHeader memory header = headerOf(what);
        bytes memory refusal = _bookAttestation(caller, slotOf(header), hashOf(header));
        _call(caller, abi.encodeCall(ILedger.attest, (slotOf(header), hashOf(header))), refusal);
    }

    function proposeBatch(uint256 who, uint256[4] calldata what, uint256[4] calldata seen) external {
        address caller = person(who);
        ObservationHeader[] memory headers = new ObservationHeader[](4);
        uint256[] memory candidatesSeen = new uint256[](4);
        bytes[] memory refusals_ = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            headers[i] = headerOf(what[i]);
            candidatesSeen[i] = _seen(headers[i], seen[i]);
            refusals_[i] = _bookProposal(caller, headers[i], candidatesSeen[i]);
        }
        _callBatch(caller, abi.encodeCall(ILedger.proposeBatch, (headers, candidatesSeen)), headers, refusals_);
    }

    function attestBatch(uint256 who, uint256[4] calldata what) external {
        address caller = person(who);
        ObservationHeader[] memory headers = new ObservationHeader[](4);
        bytes32[] memory slots = new bytes32[](4);
        bytes32[] memory hashes = new bytes32[](4);
        bytes[] memory refusals_ = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            headers[i] = headerOf(what[i]);
            (slots[i], hashes[i]) = (slotOf(headers[i]), hashOf(headers[i]));
            refusals_[i] = _bookAttestation(caller, slots[i], hashes[i]);
        }
        _callBatch(caller, abi.encodeCall(ILedger.attestBatch, (slots, hashes)), headers, refusals_);
    }

    function finalize(uint256 who, uint256 what) external {
        ObservationHeader memory header = headerOf(what);
        (bytes32 slot, bytes32 hash) = (slotOf(header), hashOf(header));
        uint256 active = activeVotes(slot, hash);
        bytes memory refusal;
        if (finalOf[slot] != 0) {
            refusal = abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, finalOf[slot]);
        } else if (!_isCandidate(slot, hash)) {
            refusal = abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, hash);
        } else if (quorum == 0 || active < quorum) {
            refusal = abi.encodeWithSelector(ILedger.QuorumNotReached.selector, slot, hash, active, quorum);
        } else {
            finalOf[slot] = hash;
        }
        _call(person(who), abi.encodeCall(ILedger.finalize, (slot, hash)), refusal);
    }

    /// @dev Each bit of `add` and `remove` names a person. Each low bit of `raw` leaves one argument as it came; the
    /// others are made valid.
    function updateSet(uint8 add, uint8 remove, uint8 newQuorum, uint8 raw) external {
        if (raw & 1 == 0) add &= ~_active();
        if (raw & 2 == 0) remove &= _active();
        if (raw & 4 == 0) {
            uint256 count = _bits((_active() & ~remove) | add);
            newQuorum = count == 0 ? 0 : uint8(count / 2 + 1 + newQuorum % (count - count / 2));
        }
        (address[] memory added, address[] memory removed) = (_named(add), _named(remove));
        bytes memory refusal = _bookSet(added, removed, newQuorum);
        vm.prank(OWNER);
        (bool success, bytes memory result) =
            address(registry).call(abi.encodeCall(IRegistry.updateSet, (added, removed, newQuorum)));
        _check(success, result, refusal);
    }

    // ---- the books

    function _bookProposal(address caller, ObservationHeader memory header, uint256 seen)
        private
        returns (bytes memory refusal)
    {
        (bytes32 slot, bytes32 hash) = (slotOf(header), hashOf(header));
        refusal = _refusal(caller, slot, hash);
        if (refusal.length != 0) return refusal;
        if (!_isCandidate(slot, hash)) {
            uint256 count = _candidates[slot].length;
            if (seen != count) return abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, count);
            _candidates[slot].push(hash);
        }
        _bookVote(caller, slot, hash);
    }

    function _bookAttestation(address caller, bytes32 slot, bytes32 hash) private returns (bytes memory refusal) {
        refusal = _refusal(caller, slot, hash);
        if (refusal.length != 0) return refusal;
        if (!_isCandidate(slot, hash)) return abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, hash);
        _bookVote(caller, slot, hash);
    }

    function _refusal(address caller, bytes32 slot, bytes32 hash) private view returns (bytes memory) {
        if (!isActive[caller]) return abi.encodeWithSelector(ILedger.NotWitness.selector, caller);
        if (finalOf[slot] != 0) return abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, finalOf[slot]);
        bytes32 voted = voteOf[slot][caller];
        if (voted == hash) return abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, caller);
        if (voted != 0) return abi.encodeWithSelector(ILedger.Equivocation.selector, slot, caller, hash);
        return "";
    }

    function _bookVote(address caller, bytes32 slot, bytes32 hash) private {
        voteOf[slot][caller] = hash;
        if (quorum != 0 && activeVotes(slot, hash) >= quorum) finalOf[slot] = hash;
    }

    function _bookSet(address[] memory added, address[] memory removed, uint8 newQuorum)
        private
        returns (bytes memory)
    {
        uint256 count = activeCount;
        for (uint256 i = 0; i < removed.length; ++i) {
            if (!isActive[removed[i]]) return abi.encodeWithSelector(IRegistry.NotWitness.selector, removed[i]);
            --count;
        }
        for (uint256 i = 0; i < added.length; ++i) {
            if (isActive[added[i]] && !_isIn(added[i], removed)) {
                return abi.encodeWithSelector(IRegistry.AlreadyWitness.selector, added[i]);
            }
            ++count;
        }
        bool valid = count == 0 ? newQuorum == 0 : 2 * uint256(newQuorum) > count && newQuorum <= count;
        if (!valid) return abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, newQuorum, count);

        for (uint256 i = 0; i < removed.length; ++i) {
            isActive[removed[i]] = false;
        }
        for (uint256 i = 0; i < added.length; ++i) {
            isActive[added[i]] = true;
        }
        (activeCount, quorum) = (count, newQuorum);
        return "";
    }

    // ---- calls

    function _call(address caller, bytes memory data, bytes memory refusal) private {
        vm.recordLogs();
        vm.prank(caller);
        (bool success, bytes memory result) = address(ledger).call(data);
        _check(success, result, refusal);
        _checkFinality(vm.getRecordedLogs());
    }

    function _callBatch(address caller, bytes memory data, ObservationHeader[] memory headers, bytes[] memory refusals_)
        private
    {
        vm.recordLogs();
        vm.prank(caller);
        (bool success, bytes memory result) = address(ledger).call(data);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (!isActive[caller]) return _check(success, result, refusals_[0]);
        _check(success, result, "");

        uint256 next = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != ILedger.VoteSkipped.selector) continue;
            while (refusals_[next].length == 0) ++next;
            vm.assertEq(logs[i].topics[1], slotOf(headers[next]));
            vm.assertEq(logs[i].topics[2], hashOf(headers[next]));
            vm.assertEq(logs[i].topics[3], bytes32(uint256(uint160(caller))));
            vm.assertEq(abi.decode(logs[i].data, (bytes)), refusals_[next]);
            ++refusals[bytes4(refusals_[next])];
            ++next;
        }
        for (; next < refusals_.length; ++next) {
            vm.assertEq(refusals_[next], "");
        }
        _checkFinality(logs);
    }

    function _check(bool success, bytes memory result, bytes memory refusal) private {
        ++calls;
        vm.assertEq(success, refusal.length == 0);
        ++refusals[bytes4(refusal)];
        if (!success) vm.assertEq(result, refusal);
    }

    /// @dev Whatever was just finalized has its quorum now, by the ledger's own count.
    function _checkFinality(Vm.Log[] memory logs) private {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != ILedger.ObservationFinalized.selector) continue;
            ++finalized;
            (, uint256 active) = ledger.votes(logs[i].topics[1], logs[i].topics[2]);
            if (registry.quorum() == 0 || active < registry.quorum()) ++finalizedShort;
        }
    }

    // ---- views

    function person(uint256 i) public pure returns (address) {
        return address(uint160(0x1000 + i % PEOPLE));
    }

    function slotAt(uint256 i) public pure returns (bytes32) {
        return slotOf(headerOf(i * CONTENTS));
    }

    function headerOf(uint256 what) public pure returns (ObservationHeader memory header) {
        what %= SLOTS * CONTENTS;
        header.streamHash = keccak256("la-nbc");
        header.epochHash = bytes32(what / CONTENTS);
        header.dataRoot = bytes32(what % CONTENTS);
    }

    function slotOf(ObservationHeader memory header) public pure returns (bytes32) {
        return keccak256(abi.encode(header.streamHash, header.epochHash));
    }

    function hashOf(ObservationHeader memory header) public pure returns (bytes32) {
        return keccak256(abi.encode(header));
    }

    function candidates(bytes32 slot) external view returns (bytes32[] memory) {
        return _candidates[slot];
    }

    /// @notice The number of people who voted for the candidate.
    function voters(bytes32 slot, bytes32 hash) external view returns (uint256 count) {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            if (voteOf[slot][person(i)] == hash) ++count;
        }
    }

    /// @notice The number of those who are witnesses now.
    function activeVotes(bytes32 slot, bytes32 hash) public view returns (uint256 count) {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            if (isActive[person(i)] && voteOf[slot][person(i)] == hash) ++count;
        }
    }

    /// @dev Three times out of four what a proposer sees is what is there.
    function _seen(ObservationHeader memory header, uint256 seed) private view returns (uint256) {
        return seed % 4 == 0 ? (seed >> 2) % 4 : _candidates[slotOf(header)].length;
    }

    function _isCandidate(bytes32 slot, bytes32 hash) private view returns (bool) {
        for (uint256 i = 0; i < _candidates[slot].length; ++i) {
            if (_candidates[slot][i] == hash) return true;
        }
        return false;
    }

    function _isIn(address account, address[] memory list) private pure returns (bool) {
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i] == account) return true;
        }
        return false;
    }

    function _named(uint8 people) private pure returns (address[] memory list) {
        list = new address[](_bits(people));
        uint256 next = 0;
        for (uint256 i = 0; i < PEOPLE; ++i) {
            if (people >> i & 1 == 1) list[next++] = person(i);
        }
    }

    function _active() private view returns (uint8 people) {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            if (isActive[person(i)]) people |= uint8(1) << uint8(i);
        }
    }

    function _bits(uint8 people) private pure returns (uint256 count) {
        for (; people != 0; people &= people - 1) {
            ++count;
        }
    }
}
