//! The sponge of keccak256 over several states side by side: padding, absorbing, squeezing. Safe; the permutation is
//! the caller's.

use alloy::primitives::B256;

use super::one_by_one;

/// Bytes absorbed per permutation.
pub(super) const RATE: usize = 136;

/// Eight bytes each.
const RATE_WORDS: usize = RATE / 8;

/// `N` states, the same word of each together.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct States<const N: usize>(pub(super) [[u64; N]; 25]);

/// Hashes `N` messages at a time. A rest of fewer than `worthwhile`, or neighbours that do not need equally many
/// permutations, are hashed one by one.
#[inline(always)]
pub(super) fn hash<const N: usize, M: AsRef<[u8]>>(
    messages: &[M],
    hashes: &mut [B256],
    worthwhile: usize,
    permute: impl Fn(&mut States<N>),
) {
    for (messages, hashes) in messages.chunks(N).zip(hashes.chunks_mut(N)) {
        let first = messages[0].as_ref();
        let blocks = block_count(first);
        if messages.len() < worthwhile || messages.iter().any(|message| block_count(message.as_ref()) != blocks) {
            one_by_one(messages, hashes);
            continue;
        }
        // lanes without a message repeat the first one's work
        let side_by_side = std::array::from_fn(|lane| messages.get(lane).map_or(first, AsRef::as_ref));
        let all: [B256; N] = hash_n(side_by_side, blocks, &permute);
        hashes.copy_from_slice(&all[..hashes.len()]);
    }
}

/// Permutations that a message needs: its padding is at least one byte.
#[inline(always)]
fn block_count(message: &[u8]) -> usize {
    message.len() / RATE + 1
}

#[inline(always)]
fn hash_n<const N: usize>(messages: [&[u8]; N], blocks: usize, permute: impl Fn(&mut States<N>)) -> [B256; N] {
    let mut states = States([[0; N]; 25]);
    for block in 0..blocks {
        for (lane, message) in messages.iter().enumerate() {
            absorb(&mut states, lane, &message[block * RATE..], block + 1 == blocks);
        }
        permute(&mut states);
    }
    std::array::from_fn(|lane| squeeze(&states, lane))
}

/// Absorbs a block of one lane's message, or all that is left of it and the padding.
#[inline(always)]
fn absorb<const N: usize>(states: &mut States<N>, lane: usize, rest: &[u8], last: bool) {
    let whole = (rest.len() / 8).min(RATE_WORDS);
    for (word, bytes) in states.0.iter_mut().zip(rest.chunks_exact(8).take(whole)) {
        word[lane] ^= u64::from_le_bytes(std::array::from_fn(|i| bytes[i]));
    }
    if last {
        let mut padded = [0; 8];
        let tail = &rest[whole * 8..];
        padded[..tail.len()].copy_from_slice(tail);
        padded[tail.len()] = 0x01;
        states.0[whole][lane] ^= u64::from_le_bytes(padded);
        states.0[RATE_WORDS - 1][lane] ^= 0x80 << 56;
    }
}

#[inline(always)]
fn squeeze<const N: usize>(states: &States<N>, lane: usize) -> B256 {
    let mut hash = [0; 32];
    for (bytes, word) in hash.chunks_exact_mut(8).zip(&states.0) {
        bytes.copy_from_slice(&word[lane].to_le_bytes());
    }
    B256::new(hash)
}
