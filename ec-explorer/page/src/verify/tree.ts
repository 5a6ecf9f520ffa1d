/** The Merkle tree over an epoch's records: protocol §3.3. */

import { bytesOf, word, type Hash } from "./hex.ts";
import { keccak, keccakText } from "./observation.ts";

export interface Leaf {
    readonly track: string;
    readonly groupSequence: bigint;
    readonly blake3: Hash;
    readonly sizeBytes: bigint;
}

export function leafHash(leaf: Leaf): Hash {
    return keccak(bytesOf(keccakText(leaf.track)), word(leaf.groupSequence), bytesOf(leaf.blake3), word(leaf.sizeBytes));
}

export function nodeHash(left: Hash, right: Hash): Hash {
    return keccak(bytesOf(left), bytesOf(right));
}

/** The count is hashed with the root, so a proof is bound to its position. */
export function dataRoot(leafCount: bigint, treeRoot: Hash): Hash {
    return keccak(word(leafCount), bytesOf(treeRoot));
}

/** One joining of two nodes on the way from a leaf to the root. */
export interface PathStep {
    readonly sibling: Hash;
    readonly siblingIs: "left" | "right";
    readonly node: Hash;
}

/**
 * The way from a leaf to the root, RFC 9162 §2.1.3.2. `null` where the index is none of the tree's, or the path is not
 * exactly as long as the position demands.
 */
export function climb(
    leaf: Hash,
    index: bigint,
    leafCount: bigint,
    path: readonly Hash[],
): { root: Hash; steps: PathStep[] } | null {
    let position = index;
    let last = leafCount - 1n;
    if (position < 0n || position > last) return null;
    const steps: PathStep[] = [];
    let node = leaf;
    let used = 0;
    while (last > 0n) {
        const isRight = position % 2n === 1n;
        if (isRight || position < last) {
            const sibling = path[used];
            if (sibling === undefined) return null;
            used += 1;
            node = isRight ? nodeHash(sibling, node) : nodeHash(node, sibling);
            steps.push({ sibling, siblingIs: isRight ? "left" : "right", node });
        }
        position /= 2n;
        last /= 2n;
    }
    return used === path.length ? { root: node, steps } : null;
}
