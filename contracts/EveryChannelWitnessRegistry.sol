// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TwoStepOwnable} from "./access/TwoStepOwnable.sol";
import {IEveryChannelWitnessRegistry} from "./interfaces/IEveryChannelWitnessRegistry.sol";
import {Bitmap} from "./libraries/Bitmap.sol";

/// @title The set of witnesses and the quorum they need
contract EveryChannelWitnessRegistry is IEveryChannelWitnessRegistry, TwoStepOwnable {
    using Bitmap for uint120;

    /// @notice The active witnesses and the quorum, one storage word.
    struct WitnessSet {
        uint120 bitmap;
        uint8 quorum;
    }

    /// @notice What belongs to an address that has or had a seat, one storage word. It repeats the set, so that a vote reads
    /// one cold word instead of two: votes are many, changes of the set few. For an address that handed its seat on, the
    /// set is empty for ever, which is what bars it from every vote.
    struct Seat {
        uint8 number; // index + 1
        uint120 bitmap;
        uint8 quorum;
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    uint256 public constant CAPACITY = 120;

    WitnessSet private _set;

    /// @dev Who holds each seat, by index.
    address[] private _witnesses;

    /// @dev By index, to whom the seat is offered. Only an active witness offers its own.
    mapping(uint256 index => address) private _offers;

    mapping(address account => Seat) private _seats;

    /// @param initialOwner Who may change the set.
    /// @param witnesses The first witnesses, which get their indexes in this order.
    /// @param initialQuorum The first quorum.
    constructor(address initialOwner, address[] memory witnesses, uint8 initialQuorum) TwoStepOwnable(initialOwner) {
        _update(witnesses, new address[](0), initialQuorum);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function updateSet(address[] calldata add, address[] calldata remove, uint8 newQuorum) external onlyOwner {
        _update(add, remove, newQuorum);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function addWitness(address witness) external onlyOwner {
        _update(_listOf(witness), new address[](0), _set.quorum);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function removeWitness(address witness) external onlyOwner {
        _update(new address[](0), _listOf(witness), _set.quorum);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function setQuorum(uint8 newQuorum) external onlyOwner {
        _update(new address[](0), new address[](0), newQuorum);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function rotate(address newAddress) external {
        Seat memory own = _seats[msg.sender];
        if (!_isActive(own)) revert NotWitness(msg.sender);
        if (_seats[newAddress].number != 0) revert AddressUsed(newAddress);
        _offers[own.number - 1] = newAddress;
        emit RotationStarted(own.number - 1, msg.sender, newAddress);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function acceptRotation(uint256 index) external {
        if (_offers[index] != msg.sender) revert NotOffered(index, msg.sender);
        if (_seats[msg.sender].number != 0) revert AddressUsed(msg.sender);
        address previous = _witnesses[index];
        Seat memory seat = _seats[previous];
        delete _offers[index];
        _witnesses[index] = msg.sender;
        _seats[msg.sender] = seat;
        _seats[previous] = Seat({number: seat.number, bitmap: 0, quorum: 0});
        emit WitnessRotated(index, previous, msg.sender);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function quorum() external view returns (uint8) {
        return _set.quorum;
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function witnessCount() external view returns (uint256) {
        return _set.bitmap.count();
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function isWitness(address account) external view returns (bool) {
        return _isActive(_seats[account]);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function indexOf(address account) external view returns (uint256) {
        uint256 number = _seats[account].number;
        if (number == 0) revert UnknownWitness(account);
        return number - 1;
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function witnessAt(uint256 index) external view returns (address) {
        if (index >= _witnesses.length) revert UnknownIndex(index);
        return _witnesses[index];
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function pendingWitnessAt(uint256 index) external view returns (address) {
        if (index >= _witnesses.length) revert UnknownIndex(index);
        return _offers[index];
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function activeSet() external view returns (uint256 bitmap, uint8 quorum_) {
        WitnessSet memory set = _set;
        return (set.bitmap, set.quorum);
    }

    /// @inheritdoc IEveryChannelWitnessRegistry
    function seatOf(address account) external view returns (uint120 seat, uint120 bitmap, uint8 quorum_) {
        Seat memory own = _seats[account];
        return (_bitOf(own.number), own.bitmap, own.quorum);
    }

    /// @dev The one place where the set is written. Loops are bounded by the lists given and by `CAPACITY`.
    function _update(address[] memory add, address[] memory remove, uint8 newQuorum) private {
        uint120 bitmap = _set.bitmap;
        for (uint256 i = 0; i < remove.length; ++i) {
            bitmap = _without(bitmap, remove[i]);
        }
        for (uint256 i = 0; i < add.length; ++i) {
            bitmap = _with(bitmap, add[i]);
        }

        uint256 members = bitmap.count();
        bool majority = members < 2 * uint256(newQuorum) && newQuorum <= members;
        bool nothing = members == 0 && newQuorum == 0;
        if (!majority && !nothing) revert InvalidQuorum(newQuorum, members);

        _set = WitnessSet({bitmap: bitmap, quorum: newQuorum});
        uint256 known = _witnesses.length;
        for (uint8 number = 1; number <= known; ++number) {
            _seats[_witnesses[number - 1]] = Seat({number: number, bitmap: bitmap, quorum: newQuorum});
        }
        emit WitnessSetChanged(bitmap, newQuorum);
    }

    /// @dev The set without the seat that this address has, or had: a rotation does not escape a removal that is under way.
    /// Nor does an offer outlive it.
    function _without(uint120 bitmap, address witness) private returns (uint120) {
        uint8 number = _seats[witness].number;
        uint120 bit = _bitOf(number);
        if (bitmap & bit == 0) revert NotWitness(witness);
        delete _offers[number - 1];
        emit WitnessRemoved(_witnesses[number - 1], number - 1);
        return bitmap & ~bit;
    }

    /// @dev The set with a witness added, and its index given to it if it never had one.
    function _with(uint120 bitmap, address witness) private returns (uint120) {
        if (witness == address(0)) revert InvalidWitness(witness);
        uint8 number = _seats[witness].number;
        if (number == 0) {
            if (_witnesses.length == CAPACITY) revert RegistryFull(CAPACITY);
            _witnesses.push(witness);
            // forge-lint: disable-next-line(unsafe-typecast) at most CAPACITY
            number = uint8(_witnesses.length);
            _seats[witness].number = number;
        } else if (_witnesses[number - 1] != witness) {
            revert AddressUsed(witness);
        }
        uint120 bit = _bitOf(number);
        if (bitmap & bit != 0) revert AlreadyWitness(witness);
        emit WitnessAdded(witness, number - 1);
        return bitmap | bit;
    }

    /// @dev Whether the seat is one of the active set, which the seat itself repeats.
    function _isActive(Seat memory seat) private pure returns (bool) {
        return seat.bitmap & _bitOf(seat.number) != 0;
    }

    /// @dev The bit of a seat by its number, 0 for none.
    function _bitOf(uint8 number) private pure returns (uint120) {
        return number == 0 ? 0 : uint120(1) << (number - 1);
    }

    function _listOf(address account) private pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = account;
    }
}
