//! Keccak-f\[1600\] of several states at once with vector instructions.
//!
//! The only `unsafe` code of the crate, for two reasons. The instructions may be executed only where the processor has
//! them: [`Avx2`] and [`Avx512`] are made by `detect` alone, so who has one has asked. And vectors are loaded from and
//! stored to arrays through pointers: each is made from a reference to an array of exactly a vector's size. The tests
//! compare every level with keccak-asm.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, __m512i, _mm_cvtsi32_si128, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srl_epi64, _mm256_storeu_si256,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi64, _mm256_xor_si256, _mm512_loadu_si512, _mm512_rol_epi64,
    _mm512_set1_epi64, _mm512_shuffle_i64x2, _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use alloy::primitives::B256;

use super::sponge::{self, Lanes, Row, States};

/// What iota adds in each round (FIPS 202 §3.2.5).
const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// The permutation (FIPS 202 §3.3) of `N` states, in words of the type's operations. Words are numbered `x + 5y`.
/// Written out: a closure in its place may stay a call, and a vector that is passed to one goes through memory.
macro_rules! permutation {
    ($(#[$attribute:meta])* $name:ident, $lanes:literal, $ops:ident) => {
        $(#[$attribute])*
        fn $name(states: &mut States<$lanes>) {
            macro_rules! words {
                ($word:ident) => {
                    [
                        $word!(0), $word!(1), $word!(2), $word!(3), $word!(4),
                        $word!(5), $word!(6), $word!(7), $word!(8), $word!(9),
                        $word!(10), $word!(11), $word!(12), $word!(13), $word!(14),
                        $word!(15), $word!(16), $word!(17), $word!(18), $word!(19),
                        $word!(20), $word!(21), $word!(22), $word!(23), $word!(24),
                    ]
                };
            }
            macro_rules! loaded {
                ($i:literal) => { $ops::load(&states.0[$i]) };
            }
            let mut a: [$ops::Vector; 25] = words!(loaded);
            for constant in ROUND_CONSTANTS {
                // theta
                macro_rules! column {
                    ($x:literal) => { $ops::xor5(a[$x], a[$x + 5], a[$x + 10], a[$x + 15], a[$x + 20]) };
                }
                let c = [column!(0), column!(1), column!(2), column!(3), column!(4)];
                macro_rules! parity {
                    ($x:literal) => { $ops::xor(c[($x + 4) % 5], $ops::rotate::<1>(c[($x + 1) % 5])) };
                }
                let d = [parity!(0), parity!(1), parity!(2), parity!(3), parity!(4)];
                // theta's last step, rho and pi: the word at `from`, in its new place
                macro_rules! moved {
                    ($from:literal, $by:literal) => {
                        $ops::rotate::<$by>($ops::xor(a[$from], d[$from % 5]))
                    };
                }
                let b = [
                    $ops::xor(a[0], d[0]),
                    moved!(6, 44), moved!(12, 43), moved!(18, 21), moved!(24, 14),
                    moved!(3, 28), moved!(9, 20), moved!(10, 3), moved!(16, 45), moved!(22, 61),
                    moved!(1, 1), moved!(7, 6), moved!(13, 25), moved!(19, 8), moved!(20, 18),
                    moved!(4, 27), moved!(5, 36), moved!(11, 10), moved!(17, 15), moved!(23, 56),
                    moved!(2, 62), moved!(8, 55), moved!(14, 39), moved!(15, 41), moved!(21, 2),
                ];
                macro_rules! chi {
                    ($i:literal) => {
                        $ops::chi(b[$i], b[$i / 5 * 5 + ($i + 1) % 5], b[$i / 5 * 5 + ($i + 2) % 5])
                    };
                }
                a = words!(chi);
                // iota
                a[0] = $ops::xor_constant(a[0], constant);
            }
            for (words, vector) in states.0.iter_mut().zip(a) {
                $ops::store(words, vector);
            }
        }
    };
}

permutation!(
    #[target_feature(enable = "avx512f")]
    permute_avx512,
    8,
    avx512
);
permutation!(
    #[target_feature(enable = "avx2")]
    permute_avx2,
    4,
    avx2
);

#[target_feature(enable = "avx512f")]
fn hash_avx512<M: AsRef<[u8]>>(lanes: Avx512, messages: &[M], hashes: &mut [B256]) {
    sponge::hash(lanes, messages, hashes, 2);
}

/// The proof that this processor has AVX-512 (its foundation), and the operating system saves its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    /// Writes the hash of each of `messages` to the same place in `hashes`.
    pub(super) fn hash<M: AsRef<[u8]>>(self, messages: &[M], hashes: &mut [B256]) {
        // SAFETY: `self` exists, so the processor has AVX-512.
        unsafe { hash_avx512(self, messages, hashes) }
    }
}

impl Lanes<8> for Avx512 {
    #[inline]
    fn permute(self, states: &mut States<8>) {
        // SAFETY: `self` exists, so the processor has AVX-512.
        unsafe { permute_avx512(states) }
    }

    #[inline]
    fn transpose(self, rows: [&Row<8>; 8]) -> [[u64; 8]; 8] {
        // SAFETY: `self` exists, so the processor has AVX-512.
        unsafe { avx512::transpose(rows) }
    }
}

#[target_feature(enable = "avx2")]
fn hash_avx2<M: AsRef<[u8]>>(lanes: Avx2, messages: &[M], hashes: &mut [B256]) {
    sponge::hash(lanes, messages, hashes, 3);
}

/// The proof that this processor has AVX2, and the operating system saves its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// Writes the hash of each of `messages` to the same place in `hashes`.
    pub(super) fn hash<M: AsRef<[u8]>>(self, messages: &[M], hashes: &mut [B256]) {
        // SAFETY: `self` exists, so the processor has AVX2.
        unsafe { hash_avx2(self, messages, hashes) }
    }
}

impl Lanes<4> for Avx2 {
    #[inline]
    fn permute(self, states: &mut States<4>) {
        // SAFETY: `self` exists, so the processor has AVX2.
        unsafe { permute_avx2(states) }
    }

    #[inline]
    fn transpose(self, rows: [&Row<4>; 4]) -> [[u64; 4]; 4] {
        // SAFETY: `self` exists, so the processor has AVX2.
        unsafe { avx2::transpose(rows) }
    }
}

mod avx512 {
    use super::*;

    pub(super) type Vector = __m512i;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn load(words: &[u64; 8]) -> Vector {
        // SAFETY: eight words are the 64 bytes that are read; any alignment will do.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load_row(row: &Row<8>) -> Vector {
        // SAFETY: eight times eight bytes are the 64 bytes that are read; any alignment will do.
        unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn transpose(rows: [&Row<8>; 8]) -> [[u64; 8]; 8] {
        macro_rules! pairs {
            ($unpack:ident, $row:literal) => {
                $unpack(load_row(rows[$row]), load_row(rows[$row + 1]))
            };
        }
        // of four times two words each: the first and third two of both, and the second and fourth
        macro_rules! first {
            ($a:ident, $b:ident) => {
                _mm512_shuffle_i64x2::<0x88>($a, $b)
            };
        }
        macro_rules! second {
            ($a:ident, $b:ident) => {
                _mm512_shuffle_i64x2::<0xdd>($a, $b)
            };
        }
        let mut columns = [[0; 8]; 8];
        macro_rules! columns {
            ($unpack:ident, $from:literal) => {
                let (rows01, rows23) = (pairs!($unpack, 0), pairs!($unpack, 2));
                let (rows45, rows67) = (pairs!($unpack, 4), pairs!($unpack, 6));
                let (low, high) = (first!(rows01, rows23), first!(rows45, rows67));
                store(&mut columns[$from], first!(low, high));
                store(&mut columns[$from + 4], second!(low, high));
                let (low, high) = (second!(rows01, rows23), second!(rows45, rows67));
                store(&mut columns[$from + 2], first!(low, high));
                store(&mut columns[$from + 6], second!(low, high));
            };
        }
        columns!(_mm512_unpacklo_epi64, 0);
        columns!(_mm512_unpackhi_epi64, 1);
        columns
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn store(words: &mut [u64; 8], vector: Vector) {
        // SAFETY: eight words are the 64 bytes that are written; any alignment will do.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn xor(a: Vector, b: Vector) -> Vector {
        _mm512_xor_si512(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn xor5(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector) -> Vector {
        _mm512_ternarylogic_epi64::<0x96>(_mm512_ternarylogic_epi64::<0x96>(a, b, c), d, e)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn rotate<const BY: i32>(a: Vector) -> Vector {
        _mm512_rol_epi64::<BY>(a)
    }

    /// `a ^ (!b & c)`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn chi(a: Vector, b: Vector, c: Vector) -> Vector {
        _mm512_ternarylogic_epi64::<0xd2>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn xor_constant(a: Vector, constant: u64) -> Vector {
        _mm512_xor_si512(a, _mm512_set1_epi64(constant.cast_signed()))
    }
}

mod avx2 {
    use super::*;

    pub(super) type Vector = __m256i;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn load(words: &[u64; 4]) -> Vector {
        // SAFETY: four words are the 32 bytes that are read; any alignment will do.
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_row(row: &Row<4>) -> Vector {
        // SAFETY: four times eight bytes are the 32 bytes that are read; any alignment will do.
        unsafe { _mm256_loadu_si256(row.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn transpose(rows: [&Row<4>; 4]) -> [[u64; 4]; 4] {
        let mut columns = [[0; 4]; 4];
        macro_rules! columns {
            ($unpack:ident, $from:literal) => {
                let low = $unpack(load_row(rows[0]), load_row(rows[1]));
                let high = $unpack(load_row(rows[2]), load_row(rows[3]));
                store(&mut columns[$from], _mm256_permute2x128_si256::<0x20>(low, high));
                store(&mut columns[$from + 2], _mm256_permute2x128_si256::<0x31>(low, high));
            };
        }
        columns!(_mm256_unpacklo_epi64, 0);
        columns!(_mm256_unpackhi_epi64, 1);
        columns
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn store(words: &mut [u64; 4], vector: Vector) {
        // SAFETY: four words are the 32 bytes that are written; any alignment will do.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn xor(a: Vector, b: Vector) -> Vector {
        _mm256_xor_si256(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn xor5(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector) -> Vector {
        xor(xor(xor(a, b), xor(c, d)), e)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn rotate<const BY: i32>(a: Vector) -> Vector {
        // a shift by 64 − BY cannot be named by a const argument yet; the count is a constant all the same
        let right = _mm_cvtsi32_si128(64 - BY);
        _mm256_or_si256(_mm256_slli_epi64::<BY>(a), _mm256_srl_epi64(a, right))
    }

    /// `a ^ (!b & c)`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn chi(a: Vector, b: Vector, c: Vector) -> Vector {
        _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn xor_constant(a: Vector, constant: u64) -> Vector {
        _mm256_xor_si256(a, _mm256_set1_epi64x(constant.cast_signed()))
    }
}
