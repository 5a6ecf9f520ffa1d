// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelObservationLedger} from "../../EveryChannelObservationLedger.sol";
import {ObservationHeader} from "../../interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry} from "../../interfaces/IEveryChannelWitnessRegistry.sol";
import {Candidate, Lead} from "../../libraries/Tally.sol";
import {vm} from "../Vm.sol";

/// @notice Any set, any quorum, any seat of the caller: what the registry may say at any moment, after whatever changes and
/// rotations.
contract AnySet {
    uint120 private _seat;
    uint120 private _bitmap;
    uint8 private _quorum;

    function write(uint120 seat, uint120 bitmap, uint8 quorum) external {
        (_seat, _bitmap, _quorum) = (seat, bitmap, quorum);
    }

    function seatOf(address) external view returns (uint120, uint120, uint8) {
        return (_seat, _bitmap, _quorum);
    }

    function activeSet() external view returns (uint256, uint8) {
        return (_bitmap, _quorum);
    }
}

/// @notice That no sequence of calls makes one seat count twice, by induction (halmos). The slot is in any state at all in
/// which no seat counts twice; the set is any set, the caller any seat of it; one call is made, with any arguments. Then no
/// seat counts twice, no other seat's vote has changed, and none has gone to another content.
/// @dev An empty slot, in which everything begins, is such a state. A batch is its items one by one, which is fuzzed.
contract OneVotePerSeatSymbolicTest {
    bytes32 private constant STREAM = keccak256("la-nbc");
    bytes32 private constant EPOCH = keccak256("epoch");

    AnySet private registry;
    EveryChannelObservationLedger private ledger;
    bytes32 private slot;

    /// @notice Who calls, and the set as it is then.
    struct Caller {
        uint8 index;
        uint120 bitmap;
        uint8 quorum;
    }

    function setUp() public {
        registry = new AnySet();
        ledger = new EveryChannelObservationLedger(IEveryChannelWitnessRegistry(address(registry)));
        slot = ledger.slotOf(STREAM, EPOCH);
    }

    /// @notice A vote for a candidate only adds the caller's seat, where it had no vote.
    function check_attest(Caller calldata caller, bytes32 hash, bytes32 one, bytes32 two) external {
        uint120 seat = _begin(caller, one, two);
        _assumeSound(hash, one);
        _assumeSound(hash, two);
        Before memory before = _before(one);
        try ledger.attest(slot, hash) {} catch {}
        _checkAdded(before, seat, hash, one, two);
    }

    /// @notice So does a proposal, of whatever header.
    function check_propose(
        Caller calldata caller,
        ObservationHeader memory header,
        uint256 candidatesSeen,
        bytes32 one,
        bytes32 two
    ) external {
        uint120 seat = _begin(caller, one, two);
        (header.streamHash, header.epochHash) = (STREAM, EPOCH);
        bytes32 hash = ledger.observationHash(header);
        _assumeSound(hash, one);
        _assumeSound(hash, two);
        Before memory before = _before(one);
        try ledger.propose(header, candidatesSeen) {} catch {}
        _checkAdded(before, seat, hash, one, two);
    }

    /// @notice A move only takes the caller's seat from where it was and adds it where it was not, and between two headers of
    /// one content only.
    function check_move(
        Caller calldata caller,
        ObservationHeader memory from,
        ObservationHeader memory to,
        uint256 candidatesSeen,
        bytes32 one,
        bytes32 two
    ) external {
        uint120 seat = _begin(caller, one, two);
        (from.streamHash, from.epochHash) = (STREAM, EPOCH);
        (bytes32 left, bytes32 hash) = (ledger.observationHash(from), ledger.observationHash(to));
        _assumeSound(left, one);
        _assumeSound(left, two);
        _assumeSound(hash, one);
        _assumeSound(hash, two);
        _assumeSound(left, hash);
        Before memory before = _before(one);
        bool done = false;
        try ledger.move(from, to, candidatesSeen) {
            done = true;
        } catch {}

        assert(_isSound(one, two));
        _checkBounded(before, seat);
        uint120 now_ = _candidate(one).votes();
        if (!done) {
            assert(now_ == before.votes);
            return;
        }
        assert(_isSameContent(from, to) && left != hash);
        assert(_all(_none(before.votes & seat) == (one != left), now_ & ~seat == before.votes & ~seat));
        assert(_none(now_ & seat) == (one != hash));
    }

    /// @notice A call to finalize changes no vote.
    function check_finalize(Caller calldata caller, bytes32 hash, bytes32 one, bytes32 two) external {
        _begin(caller, one, two);
        _assumeSound(hash, one);
        _assumeSound(hash, two);
        Before memory before = _before(one);
        try ledger.finalize(slot, hash) {} catch {}
        assert(_isSound(one, two));
        assert(_candidate(one).votes() == before.votes);
        assert(_lead().count() == before.count);
    }

    // ---- what is true of every state

    /// @dev Any state of the slot, any set, and the one bit of the seat that calls.
    function _begin(Caller calldata caller, bytes32 one, bytes32 two) private returns (uint120 seat) {
        vm.assume(caller.index < 120);
        vm.assume(one != two);
        seat = uint120(1) << caller.index;
        registry.write(seat, caller.bitmap, caller.quorum);
        vm.setArbitraryStorage(address(ledger));
        _assumeSound(one, two);
        vm.assume(_lead().count() <= 240);
    }

    function _assumeSound(bytes32 one, bytes32 two) private view {
        vm.assume(_isSound(one, two));
    }

    /// @dev No seat counts twice, as far as these two hashes are concerned: the first candidate and the later ones share no
    /// vote, no two of the later ones do, and theirs are what the slot knows of them.
    function _isSound(bytes32 one, bytes32 two) private view returns (bool) {
        (bytes32 leadHash, Lead lead) = (_leadHash(), _lead());
        uint120 rivals = uint120(Lead.unwrap(lead) >> 120);
        bool disjoint = _all(_none(uint120(Lead.unwrap(lead)) & rivals), _isPlaced(leadHash, rivals, leadHash));
        bool apart = _any(_any(one == two, one == leadHash), two == leadHash);
        apart = _any(apart, _none(_rival(one).votes() & _rival(two).votes()));
        return _all(_all(disjoint, apart), _all(_isPlaced(leadHash, rivals, one), _isPlaced(leadHash, rivals, two)));
    }

    /// @dev Only the first candidate has a lead; another one's votes are among the rivals'.
    function _isPlaced(bytes32 leadHash, uint120 rivals, bytes32 hash) private view returns (bool) {
        bool isLead = _all(hash == leadHash, hash != 0);
        bool asLead = _leadAt(hash).count() != 0;
        bool asRival = _all(Lead.unwrap(_leadAt(hash)) == 0, _none(_rival(hash).votes() & ~rivals));
        return _any(_all(isLead, asLead), _all(!isLead, asRival));
    }

    // ---- what a call may change

    struct Before {
        uint120 votes;
        uint120 voters;
        uint120 movedToNew;
        uint256 count;
    }

    function _before(bytes32 one) private view returns (Before memory) {
        return Before({
            votes: _candidate(one).votes(), voters: _lead().voters(), movedToNew: _movedToNew(), count: _lead().count()
        });
    }

    /// @dev A new candidate takes the caller's first vote, or its one move to a new candidate; and both are kept for ever. So
    /// there are never more than two for each of 120 seats.
    function _checkBounded(Before memory before, uint120 seat) private view {
        (uint120 voters, uint120 movedToNew, uint256 count) = (_lead().voters(), _movedToNew(), _lead().count());
        assert(_all(_none(before.voters & ~voters), _none(before.movedToNew & ~movedToNew)));
        bool byVote = _all(_none(before.voters & seat), voters == before.voters | seat);
        bool byMove = _all(_none(before.movedToNew & seat), movedToNew == before.movedToNew | seat);
        assert(_any(count == before.count, _all(count == before.count + 1, _any(byVote, byMove))));
    }

    /// @dev All is sound, and the votes for `one` are as before, but for the caller's, which had none, if it is `hash`.
    function _checkAdded(Before memory before, uint120 seat, bytes32 hash, bytes32 one, bytes32 two) private view {
        assert(_isSound(one, two));
        uint120 now_ = _candidate(one).votes();
        bool added = _all(_all(one == hash, now_ == before.votes | seat), _none(before.voters & seat));
        assert(_any(now_ == before.votes, added));
        _checkBounded(before, seat);
    }

    function _isSameContent(ObservationHeader memory a, ObservationHeader memory b) private pure returns (bool) {
        return _all(
            _all(a.streamHash == b.streamHash, a.epochHash == b.epochHash),
            _all(_all(a.dataRoot == b.dataRoot, a.locatorHash == b.locatorHash), a.sequence == b.sequence)
        );
    }

    // ---- storage

    function _candidate(bytes32 hash) private view returns (Candidate) {
        (uint256 lead, uint256 rival) = (Candidate.unwrap(_lead().first()), Candidate.unwrap(_rival(hash)));
        bool isLead = _all(hash == _leadHash(), hash != 0);
        assembly ("memory-safe") {
            rival := xor(rival, and(xor(rival, lead), sub(0, isLead)))
        }
        return Candidate.wrap(rival);
    }

    /// @dev Where the slot's struct begins, the first mapping of the ledger's.
    function _root() private view returns (uint256) {
        return uint256(keccak256(abi.encode(slot, uint256(0))));
    }

    function _leadHash() private view returns (bytes32) {
        return vm.load(address(ledger), keccak256(abi.encode(uint256(0), _root())));
    }

    function _lead() private view returns (Lead) {
        return _leadAt(_leadHash());
    }

    function _leadAt(bytes32 hash) private view returns (Lead) {
        return Lead.wrap(uint256(vm.load(address(ledger), keccak256(abi.encode(hash, _root() + 1)))));
    }

    function _rival(bytes32 hash) private view returns (Candidate) {
        return Candidate.wrap(uint256(vm.load(address(ledger), keccak256(abi.encode(hash, _root() + 2)))));
    }

    function _movedToNew() private view returns (uint120) {
        return uint120(uint256(vm.load(address(ledger), bytes32(_root() + 3))));
    }

    // ---- logic that makes no paths, as && and || would

    function _all(bool a, bool b) private pure returns (bool c) {
        assembly ("memory-safe") {
            c := and(a, b)
        }
    }

    function _any(bool a, bool b) private pure returns (bool c) {
        assembly ("memory-safe") {
            c := or(a, b)
        }
    }

    function _none(uint120 votes) private pure returns (bool) {
        return votes == 0;
    }
}
