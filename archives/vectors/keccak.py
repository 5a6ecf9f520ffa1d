"""Keccak-256: the permutation of FIPS 202 with the padding of the original submission, as Ethereum hashes.

`hashlib.sha3_256` pads differently, so it cannot stand in.
"""

U64_MAX = (1 << 64) - 1


def _rotate(lane, by):
    return ((lane << by) | (lane >> (64 - by))) & U64_MAX if by else lane


def _round_constants():
    constants, state = [], 1
    for _ in range(24):
        constant = 0
        for bit in range(7):
            constant |= (state & 1) << ((1 << bit) - 1)
            state = (state << 1) ^ (0x171 if state & 0x80 else 0)
        constants.append(constant)
    return constants


ROUND_CONSTANTS = _round_constants()


def _permute(a):
    for constant in ROUND_CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        a = [a[i] ^ c[(i + 4) % 5] ^ _rotate(c[(i + 1) % 5], 1) for i in range(25)]
        b, (x, y), lane = list(a), (1, 0), a[1]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            b[x + 5 * y], lane = _rotate(lane, (t + 1) * (t + 2) // 2 % 64), a[x + 5 * y]
        rows = range(0, 25, 5)
        a = [b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]) for y in rows for x in range(5)]
        a[0] ^= constant
    return a


def keccak256(data):
    rate = 136
    padded = bytearray(data + bytes(rate - len(data) % rate))
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    state = [0] * 25
    for start in range(0, len(padded), rate):
        for lane in range(rate // 8):
            at = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
