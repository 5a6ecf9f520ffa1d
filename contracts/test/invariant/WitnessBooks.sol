// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../../interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry as IRegistry} from "../../interfaces/IEveryChannelWitnessRegistry.sol";

/// @notice The books beside the contracts, in plain mappings without bitmaps: who holds which seat, who voted for what,
/// and for every call whether it is to succeed.
abstract contract WitnessBooks {
    uint256 public constant ADDRESSES = 16;
    uint256 public constant SLOTS = 6;
    uint256 public constant CONTENTS = 2;
    uint256 public constant TELLINGS = 4; // headers of one content
    uint256 public constant HEADERS = CONTENTS * TELLINGS;
    address public constant OWNER = address(0xec);

    /// @notice The seat of an address, its index + 1, for ever once it has one.
    mapping(address account => uint256) public numberOf;
    mapping(uint256 index => address) public holderOf;
    mapping(uint256 index => address) public offerOf;
    mapping(uint256 index => bool) public isActive;
    uint256 public seatCount;
    uint8 public quorum;

    mapping(bytes32 slot => mapping(uint256 index => bytes32)) public voteOf;
    mapping(bytes32 slot => bytes32) public finalOf;

    /// @notice The content that a seat's first vote in a slot was for.
    mapping(bytes32 slot => mapping(uint256 index => bytes32)) public firstContentOf;

    mapping(bytes32 slot => bytes32[]) private _candidates;
    mapping(bytes32 slot => mapping(uint256 index => bool)) private _movedToNew;
    mapping(bytes32 hash => uint256) private _whatOf;

    constructor() {
        for (uint256 what = 0; what < SLOTS * HEADERS; ++what) {
            _whatOf[hashOf(headerOf(what))] = what;
        }
    }

    // ---- votes

    function _bookProposal(address caller, ObservationHeader memory header, uint256 seen)
        internal
        returns (bytes memory refusal)
    {
        (bytes32 slot, bytes32 hash) = (slotOf(header), hashOf(header));
        refusal = _refusal(caller, slot, hash);
        if (refusal.length != 0) return refusal;
        if (!isCandidate(slot, hash)) {
            uint256 count = _candidates[slot].length;
            if (seen != count) return abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, count);
            _candidates[slot].push(hash);
        }
        _bookVote(caller, header);
    }

    function _bookAttestation(address caller, ObservationHeader memory header) internal returns (bytes memory refusal) {
        (bytes32 slot, bytes32 hash) = (slotOf(header), hashOf(header));
        refusal = _refusal(caller, slot, hash);
        if (refusal.length != 0) return refusal;
        if (!isCandidate(slot, hash)) return abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, hash);
        _bookVote(caller, header);
    }

    function _bookMove(address caller, ObservationHeader memory from, ObservationHeader memory to, uint256 seen)
        internal
        returns (bytes memory)
    {
        (bytes32 slot, bytes32 left, bytes32 hash) = (slotOf(from), hashOf(from), hashOf(to));
        if (!mayVote(caller)) return abi.encodeWithSelector(ILedger.NotWitness.selector, caller);
        if (finalOf[slot] != 0) return abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, finalOf[slot]);
        if (voteBy(slot, caller) != left) {
            return abi.encodeWithSelector(ILedger.NoSuchVote.selector, slot, caller, left);
        }
        if (contentOf(from) != contentOf(to)) {
            return abi.encodeWithSelector(ILedger.OtherContent.selector, slot, left, hash);
        }
        if (left == hash) return abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, caller);
        if (!isCandidate(slot, hash)) {
            uint256 count = _candidates[slot].length;
            if (seen != count) return abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, count);
            uint256 index = numberOf[caller] - 1;
            if (_movedToNew[slot][index]) {
                return abi.encodeWithSelector(ILedger.AlreadyProposed.selector, slot, caller);
            }
            _movedToNew[slot][index] = true;
            _candidates[slot].push(hash);
        }
        _bookVote(caller, to);
        return "";
    }

    function _bookFinality(ObservationHeader memory header) internal returns (bytes memory) {
        (bytes32 slot, bytes32 hash) = (slotOf(header), hashOf(header));
        uint256 active = activeVotes(slot, hash);
        if (finalOf[slot] != 0) return abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, finalOf[slot]);
        if (!isCandidate(slot, hash)) return abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, hash);
        if (quorum == 0 || active < quorum) {
            return abi.encodeWithSelector(ILedger.QuorumNotReached.selector, slot, hash, active, quorum);
        }
        finalOf[slot] = hash;
        return "";
    }

    function _refusal(address caller, bytes32 slot, bytes32 hash) private view returns (bytes memory) {
        if (!mayVote(caller)) return abi.encodeWithSelector(ILedger.NotWitness.selector, caller);
        if (finalOf[slot] != 0) return abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, finalOf[slot]);
        bytes32 voted = voteBy(slot, caller);
        if (voted == hash) return abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, caller);
        if (voted != 0) return abi.encodeWithSelector(ILedger.Equivocation.selector, slot, caller, hash);
        return "";
    }

    function _bookVote(address caller, ObservationHeader memory header) private {
        (bytes32 slot, bytes32 hash, uint256 index) = (slotOf(header), hashOf(header), numberOf[caller] - 1);
        if (voteOf[slot][index] == 0) firstContentOf[slot][index] = contentOf(header);
        voteOf[slot][index] = hash;
        if (quorum != 0 && activeVotes(slot, hash) >= quorum) finalOf[slot] = hash;
    }

    // ---- seats

    function _bookOffer(address caller, address to) internal returns (bytes memory) {
        if (!mayVote(caller)) return abi.encodeWithSelector(IRegistry.NotWitness.selector, caller);
        if (numberOf[to] != 0) return abi.encodeWithSelector(IRegistry.AddressUsed.selector, to);
        offerOf[numberOf[caller] - 1] = to;
        return "";
    }

    function _bookAcceptance(address caller, uint256 index) internal returns (bytes memory) {
        if (offerOf[index] != caller) return abi.encodeWithSelector(IRegistry.NotOffered.selector, index, caller);
        if (numberOf[caller] != 0) return abi.encodeWithSelector(IRegistry.AddressUsed.selector, caller);
        (numberOf[caller], holderOf[index], offerOf[index]) = (index + 1, caller, address(0));
        return "";
    }

    /// @dev Nothing is written where the change is refused.
    function _bookSet(address[] memory added, address[] memory removed, uint8 newQuorum)
        internal
        returns (bytes memory refusal)
    {
        bool[] memory active = new bool[](seatCount + added.length);
        uint256 seats = seatCount;
        uint256 count = activeCount();
        for (uint256 index = 0; index < seats; ++index) {
            active[index] = isActive[index];
        }
        for (uint256 i = 0; i < removed.length; ++i) {
            uint256 number = numberOf[removed[i]];
            if (number == 0 || !active[number - 1]) {
                return abi.encodeWithSelector(IRegistry.NotWitness.selector, removed[i]);
            }
            active[number - 1] = false;
            --count;
        }
        for (uint256 i = 0; i < added.length; ++i) {
            uint256 number = numberOf[added[i]];
            if (number != 0 && holderOf[number - 1] != added[i]) {
                return abi.encodeWithSelector(IRegistry.AddressUsed.selector, added[i]);
            }
            if (number != 0 && active[number - 1]) {
                return abi.encodeWithSelector(IRegistry.AlreadyWitness.selector, added[i]);
            }
            active[number == 0 ? seats++ : number - 1] = true;
            ++count;
        }
        bool valid = count == 0 ? newQuorum == 0 : 2 * uint256(newQuorum) > count && newQuorum <= count;
        if (!valid) return abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, newQuorum, count);

        for (uint256 i = 0; i < removed.length; ++i) {
            offerOf[numberOf[removed[i]] - 1] = address(0);
        }
        for (uint256 i = 0; i < added.length; ++i) {
            if (numberOf[added[i]] != 0) continue;
            holderOf[seatCount] = added[i];
            numberOf[added[i]] = ++seatCount;
        }
        for (uint256 index = 0; index < seatCount; ++index) {
            isActive[index] = active[index];
        }
        quorum = newQuorum;
    }

    // ---- views

    function addressAt(uint256 i) public pure returns (address) {
        return address(uint160(0x1000 + i % ADDRESSES));
    }

    /// @notice Whether the address holds an active seat.
    function mayVote(address account) public view returns (bool) {
        uint256 number = numberOf[account];
        return number != 0 && isActive[number - 1] && holderOf[number - 1] == account;
    }

    function activeCount() public view returns (uint256 count) {
        for (uint256 index = 0; index < seatCount; ++index) {
            if (isActive[index]) ++count;
        }
    }

    /// @notice What the seat of an address voted for in a slot.
    function voteBy(bytes32 slot, address account) public view returns (bytes32) {
        uint256 number = numberOf[account];
        return number == 0 ? bytes32(0) : voteOf[slot][number - 1];
    }

    function candidates(bytes32 slot) public view returns (bytes32[] memory) {
        return _candidates[slot];
    }

    function isCandidate(bytes32 slot, bytes32 hash) public view returns (bool) {
        for (uint256 i = 0; i < _candidates[slot].length; ++i) {
            if (_candidates[slot][i] == hash) return true;
        }
        return false;
    }

    /// @notice The number of seats that voted for the candidate.
    function voters(bytes32 slot, bytes32 hash) public view returns (uint256 count) {
        for (uint256 index = 0; index < seatCount; ++index) {
            if (voteOf[slot][index] == hash) ++count;
        }
    }

    /// @notice The number of those that are active now.
    function activeVotes(bytes32 slot, bytes32 hash) public view returns (uint256 count) {
        for (uint256 index = 0; index < seatCount; ++index) {
            if (isActive[index] && voteOf[slot][index] == hash) ++count;
        }
    }

    function slotAt(uint256 i) public pure returns (bytes32) {
        return slotOf(headerOf(i * HEADERS));
    }

    /// @notice A header: of one of the slots, with one of the contents, in one of its tellings.
    function headerOf(uint256 what) public pure returns (ObservationHeader memory header) {
        what %= SLOTS * HEADERS;
        header.streamHash = keccak256("la-nbc");
        header.epochHash = bytes32(what / HEADERS);
        header.dataRoot = bytes32(what % HEADERS / TELLINGS);
        header.observedUnixMs = uint64(what % TELLINGS / 2);
        header.parentObservationHash = bytes32(what % 2);
    }

    /// @notice The header of a candidate.
    function headerWith(bytes32 hash) public view returns (ObservationHeader memory) {
        return headerOf(_whatOf[hash]);
    }

    function slotOf(ObservationHeader memory header) public pure returns (bytes32) {
        return keccak256(abi.encode(header.streamHash, header.epochHash));
    }

    function hashOf(ObservationHeader memory header) public pure returns (bytes32) {
        return keccak256(abi.encode(header));
    }

    /// @notice All of a header but its parent and its time.
    function contentOf(ObservationHeader memory header) public pure returns (bytes32) {
        return keccak256(
            abi.encode(header.streamHash, header.epochHash, header.dataRoot, header.locatorHash, header.sequence)
        );
    }
}
