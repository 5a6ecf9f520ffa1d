// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The set of witnesses and the quorum they need
/// @notice Gives every witness a seat for life, named by its index: bit `i` of a bitmap means the same seat for ever, in any
/// vote ever cast, whether its witness is active or not. An active witness may hand its seat on to another address of its
/// own; votes belong to the seat. An address belongs to one seat, for ever. Two hashes can never both gather a quorum of one
/// set, because a quorum is always a strict majority.
/// @dev The owner changes the set; ownership moves in two steps. What the owner may not break is the rule on the quorum.
interface IEveryChannelWitnessRegistry {
    /// @notice An address became an active witness.
    /// @param witness The address.
    /// @param index Its index, the one it had before if it ever was a witness.
    event WitnessAdded(address indexed witness, uint256 indexed index);

    /// @notice An active witness was removed. It keeps its index.
    /// @param witness The address that held the seat, whichever of its addresses the owner named.
    /// @param index Its index.
    event WitnessRemoved(address indexed witness, uint256 indexed index);

    /// @notice The set or the quorum was written: once for each change, after the events of its members.
    /// @param bitmap The active witnesses, bit `i` for index `i`.
    /// @param quorum The number of votes of active witnesses that finalizes.
    event WitnessSetChanged(uint256 bitmap, uint8 quorum);

    /// @notice A witness offered its seat to another address, in place of any offer before; the zero address takes it back.
    /// @param index The seat.
    /// @param from The witness, which votes until the offer is accepted.
    /// @param to Who may accept.
    event RotationStarted(uint256 indexed index, address indexed from, address indexed to);

    /// @notice A seat passed from one address to another. The set is as it was.
    /// @param index The seat.
    /// @param from The address before, which never votes again.
    /// @param to The address from here on.
    event WitnessRotated(uint256 indexed index, address indexed from, address indexed to);

    /// @notice Thrown when the zero address is to become a witness.
    error InvalidWitness(address witness);

    /// @notice Thrown when an address is to be added that is an active witness.
    error AlreadyWitness(address witness);

    /// @notice Thrown when an address is to be removed, or hands on its seat, that is no active witness.
    error NotWitness(address witness);

    /// @notice Thrown when an address is to take a seat that belongs to another one, or did: a witness's address as the new
    /// one of a rotation, or one to be added that handed its seat on.
    error AddressUsed(address account);

    /// @notice Thrown when a seat is accepted that is not offered to the caller.
    error NotOffered(uint256 index, address account);

    /// @notice Thrown when an address is to be added that never had a seat, and all `capacity` of them are given away.
    error RegistryFull(uint256 capacity);

    /// @notice Thrown when the result of a change has a quorum that is no strict majority of its witnesses, or is larger
    /// than their number. Without a witness the quorum must be 0.
    error InvalidQuorum(uint8 quorum, uint256 witnessCount);

    /// @notice Thrown when the index of an address is asked for that never was a witness.
    error UnknownWitness(address account);

    /// @notice Thrown when the witness of an index is asked for that was never given away.
    error UnknownIndex(uint256 index);

    /// @notice Changes the set and the quorum at once; only the result must obey the rule. Removes first, then adds, so
    /// an active witness in both lists stays, and any other one reverts.
    /// @param add Addresses that become active, in the order in which new ones get their indexes.
    /// @param remove Active witnesses that cease to be, each by any address its seat ever had, so that no rotation comes
    /// before a removal that was announced. Offers of their seats are void.
    /// @param newQuorum The new quorum.
    function updateSet(address[] calldata add, address[] calldata remove, uint8 newQuorum) external;

    /// @notice `updateSet` with one address to add and the quorum as it is.
    function addWitness(address witness) external;

    /// @notice `updateSet` with one address to remove and the quorum as it is.
    function removeWitness(address witness) external;

    /// @notice `updateSet` with a new quorum only.
    function setQuorum(uint8 newQuorum) external;

    /// @notice Offers the caller's seat to another address, such as one of a new key; to the zero address, takes an offer
    /// back. Active witnesses only. The set and the index stay as they are, and no index is used up.
    /// @param newAddress An address that never had a seat. It must accept.
    function rotate(address newAddress) external;

    /// @notice Takes over a seat, votes cast included, from the address that offered it to the caller. That address never
    /// votes again.
    /// @param index The seat.
    function acceptRotation(uint256 index) external;

    /// @notice How many seats can be given away, over the life of the registry.
    function CAPACITY() external view returns (uint256);

    /// @notice The number of votes of active witnesses that finalizes; 0: nothing finalizes.
    function quorum() external view returns (uint8);

    /// @notice The number of active witnesses.
    function witnessCount() external view returns (uint256);

    /// @notice Whether the address is an active witness.
    function isWitness(address account) external view returns (bool);

    /// @notice The index of an address that is or was a witness, one that handed its seat on included.
    function indexOf(address account) external view returns (uint256);

    /// @notice The address that holds a seat, active or not. Indexes are given away from 0 without gaps.
    function witnessAt(uint256 index) external view returns (address);

    /// @notice The address a seat is offered to, the zero address if none.
    function pendingWitnessAt(uint256 index) external view returns (address);

    /// @notice The active witnesses, bit `i` for index `i`, and the quorum.
    function activeSet() external view returns (uint256 bitmap, uint8 quorum_);

    /// @notice All that judging one vote takes, in one call.
    /// @return seat The account's bit of the bitmap, active or not; all is 0 if it never was a witness.
    /// @return bitmap As `activeSet`; 0 for an address that handed its seat on.
    /// @return quorum_ As `activeSet`; 0 for an address that handed its seat on.
    function seatOf(address account) external view returns (uint120 seat, uint120 bitmap, uint8 quorum_);
}
