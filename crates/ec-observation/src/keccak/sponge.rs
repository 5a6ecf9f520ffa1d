//! The sponge of keccak256 over several states side by side: padding, absorbing, squeezing. Safe; the permutation is
//! the caller's.

use alloy_primitives::B256;

use super::one_by_one;

/// Bytes absorbed per permutation.
pub(super) const RATE: usize = 136;

/// Eight bytes each.
const RATE_WORDS: usize = RATE / 8;

/// `N` states, the same word of each together.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct States<const N: usize>(pub(super) [[u64; N]; 25]);

/// `N` states side by side in vectors.
pub(super) trait Lanes<const N: usize>: Copy {
    /// Applies the permutation to each state.
    fn permute(self, states: &mut States<N>);

    /// The word `i` of row `j`, little-endian, as word `j` of row `i`.
    fn transpose(self, rows: [&Row<N>; N]) -> [[u64; N]; N];
}

/// As many words as there are lanes, as they stand in a message.
pub(super) type Row<const N: usize> = [[u8; 8]; N];

/// Hashes `N` messages at a time. A rest of fewer than `worthwhile`, or neighbours of different length, are hashed one by
/// one.
///
/// All that follows is put into a caller that may use vector instructions, so that states are written as they are read.
#[inline(always)]
pub(super) fn hash<const N: usize, M: AsRef<[u8]>>(
    lanes: impl Lanes<N>,
    messages: &[M],
    hashes: &mut [B256],
    worthwhile: usize,
) {
    for (messages, hashes) in messages.chunks(N).zip(hashes.chunks_mut(N)) {
        let first = messages[0].as_ref();
        if messages.len() < worthwhile || messages.iter().any(|message| message.as_ref().len() != first.len()) {
            one_by_one(messages, hashes);
            continue;
        }
        // lanes without a message repeat the first one's work
        let side_by_side = std::array::from_fn(|lane| messages.get(lane).map_or(first, AsRef::as_ref));
        squeeze(lanes, &absorbed(lanes, side_by_side), hashes);
    }
}

/// The states that have absorbed these messages, all of one length.
#[inline(always)]
fn absorbed<const N: usize>(lanes: impl Lanes<N>, mut messages: [&[u8]; N]) -> States<N> {
    let mut states = States([[0; N]; 25]);
    while messages[0].len() >= RATE {
        absorb(lanes, &mut states, messages.map(|message| &message[..RATE]));
        lanes.permute(&mut states);
        messages = messages.map(|message| &message[RATE..]);
    }
    absorb(lanes, &mut states, messages);
    pad(&mut states, messages);
    lanes.permute(&mut states);
    states
}

/// Absorbs the whole words of a block.
#[inline(always)]
fn absorb<const N: usize>(lanes: impl Lanes<N>, states: &mut States<N>, blocks: [&[u8]; N]) {
    // not `map`: that is a call of its own, unless the compiler feels like it
    let mut words: [&[[u8; 8]]; N] = [&[]; N];
    words.iter_mut().zip(blocks).for_each(|(words, block)| *words = block.as_chunks().0);
    let mut done = 0;
    while let Some(rows) = rows(&words, done) {
        let columns = lanes.transpose(rows);
        states.0[done..].iter_mut().zip(&columns).for_each(|(states, words)| add(states, words));
        done += N;
    }
    for at in done..words[0].len() {
        add(&mut states.0[at], &words.map(|words| u64::from_le_bytes(words[at])));
    }
}

/// Absorbs what is left of a last block after its whole words, and the padding (the first and the last bit).
#[inline(always)]
fn pad<const N: usize>(states: &mut States<N>, blocks: [&[u8]; N]) {
    let first = match blocks[0].len() % 8 {
        0 => [1; N],
        len => blocks.map(|block| {
            let mut word = [0; 8];
            word[..len].copy_from_slice(&block[block.len() - len..]);
            word[len] = 1;
            u64::from_le_bytes(word)
        }),
    };
    add(&mut states.0[blocks[0].len() / 8], &first);
    add(&mut states.0[RATE_WORDS - 1], &[1 << 63; N]);
}

/// Adds one word to each state's.
#[inline(always)]
fn add<const N: usize>(states: &mut [u64; N], words: &[u64; N]) {
    states.iter_mut().zip(words).for_each(|(state, word)| *state ^= word);
}

/// The words of each message from `at` on, if all have as many.
#[inline(always)]
fn rows<'a, const N: usize>(messages: &[&'a [[u8; 8]]; N], at: usize) -> Option<[&'a Row<N>; N]> {
    let mut rows = [&[[0; 8]; N]; N];
    for (row, words) in rows.iter_mut().zip(messages) {
        *row = words.get(at..)?.first_chunk()?;
    }
    Some(rows)
}

/// The hashes that the first lanes hold.
#[inline(always)]
fn squeeze<const N: usize>(lanes: impl Lanes<N>, states: &States<N>, hashes: &mut [B256]) {
    let words: [Row<N>; N] = std::array::from_fn(|word| states.0[word].map(u64::to_le_bytes));
    for (hash, words) in hashes.iter_mut().zip(lanes.transpose(words.each_ref())) {
        for (bytes, word) in hash.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
}
