// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Sets of witnesses as bitmaps
library Bitmap {
    /// @notice The number of bits set, by adding neighbours in parallel (Hacker's Delight, 2nd ed., 5-1).
    /// @dev Right for up to 128 bits: the sum then fits the top byte it is read from.
    function count(uint120 bitmap) internal pure returns (uint256 bits) {
        unchecked {
            bits = bitmap;
            bits -= (bits >> 1) & 0x55555555555555555555555555555555;
            bits = (bits & 0x33333333333333333333333333333333) + ((bits >> 2) & 0x33333333333333333333333333333333);
            bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            bits = ((bits * 0x01010101010101010101010101010101) >> 120) & 0xff;
        }
    }
}
