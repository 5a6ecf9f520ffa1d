// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title An owner who can hand over, but never leave
/// @notice OpenZeppelin's `Ownable2Step` without `renounceOwnership`: nobody could change the contract ever again.
/// @dev Functions, events and errors are those of `Ownable2Step`, so that tools and timelocks know them. The owner is never
/// the zero address: one is refused at the beginning, and the zero address accepts nothing.
abstract contract TwoStepOwnable {
    /// @notice The ownership was offered; the zero address takes back an offer.
    /// @param previousOwner Who offers, and is the owner until it is accepted.
    /// @param newOwner Who may accept.
    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);

    /// @notice The owner changed.
    /// @param previousOwner The owner before, the zero address at deployment.
    /// @param newOwner The owner from here on.
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    /// @notice Thrown when the caller is not the owner, or not the one to whom the ownership is offered.
    error OwnableUnauthorizedAccount(address account);

    /// @notice Thrown when the zero address is to be the first owner.
    error OwnableInvalidOwner(address owner);

    /// @notice The owner.
    address public owner;

    /// @notice Who may accept the ownership, the zero address if nobody.
    address public pendingOwner;

    modifier onlyOwner() {
        if (msg.sender != owner) revert OwnableUnauthorizedAccount(msg.sender);
        _;
    }

    constructor(address initialOwner) {
        if (initialOwner == address(0)) revert OwnableInvalidOwner(initialOwner);
        owner = initialOwner;
        emit OwnershipTransferred(address(0), initialOwner);
    }

    /// @notice Offers the ownership, in place of any offer before; to the zero address, takes it back. Owner only.
    // slither-disable-next-line missing-zero-check
    function transferOwnership(address newOwner) external onlyOwner {
        pendingOwner = newOwner;
        emit OwnershipTransferStarted(owner, newOwner);
    }

    /// @notice Takes over the ownership. Only the one to whom it is offered.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert OwnableUnauthorizedAccount(msg.sender);
        delete pendingOwner;
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
    }
}
