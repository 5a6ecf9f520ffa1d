/** BLAKE3 of bytes and of files, which may be larger than memory. */

import { blake3 } from "@noble/hashes/blake3.js";

import { hashOf, type Hash } from "./hex.ts";

export function blake3Of(bytes: Uint8Array): Hash {
    return hashOf(blake3(bytes));
}

/** Hashes as the bytes come, and tells how many did. */
export async function blake3OfStream(
    stream: ReadableStream<Uint8Array>,
    progress: (done: number) => void = () => undefined,
): Promise<{ hash: Hash; size: bigint }> {
    const hasher = blake3.create({});
    const reader = stream.getReader();
    let size = 0;
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return { hash: hashOf(hasher.digest()), size: BigInt(size) };
        hasher.update(value);
        size += value.length;
        progress(size);
    }
}
