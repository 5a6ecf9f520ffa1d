/** Bytes and hex. */

/** 32 bytes as `0x` and 64 lower-case hex digits: how hashes are compared and shown. */
export type Hash = `0x${string}`;

export const ZERO_HASH: Hash = `0x${"0".repeat(64)}`;

export function toHex(bytes: Uint8Array): string {
    let text = "";
    for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
    return text;
}

export function hashOf(bytes: Uint8Array): Hash {
    return `0x${toHex(bytes)}`;
}

/** The bytes of hex digits without a prefix. Throws where they are not. */
export function fromHex(digits: string): Uint8Array {
    if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) throw new Error(`${JSON.stringify(digits)} is not hex`);
    return Uint8Array.from({ length: digits.length / 2 }, (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16));
}

export function bytesOf(hash: Hash): Uint8Array {
    return fromHex(hash.slice(2));
}

export function concat(...parts: Uint8Array[]): Uint8Array {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
        all.set(part, at);
        at += part.length;
    }
    return all;
}

/** The big-endian 32-byte word of a whole number, as Solidity encodes it. */
export function word(value: bigint): Uint8Array {
    if (value < 0n || value >= 1n << 256n) throw new Error(`${value} does not fit a word`);
    return fromHex(value.toString(16).padStart(64, "0"));
}
