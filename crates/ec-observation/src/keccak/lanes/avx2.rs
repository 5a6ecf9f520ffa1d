//! Four states, with AVX2.

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256, _mm256_permute2x128_si256,
    _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srl_epi64, _mm256_storeu_si256, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use alloy_primitives::B256;

use super::{
    super::sponge::{self, Lanes, Row, States},
    ROUND_CONSTANTS,
};

level!(
    /// The proof that this processor has AVX2, and the operating system saves its registers.
    Avx2, 4 lanes with "avx2", from 3
);

type Vector = __m256i;

#[inline]
#[target_feature(enable = "avx2")]
fn load(words: &[u64; 4]) -> Vector {
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
fn transpose(rows: [&Row<4>; 4]) -> [[u64; 4]; 4] {
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
fn store(words: &mut [u64; 4], vector: Vector) {
    // SAFETY: four words are the 32 bytes that are written; any alignment will do.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor5(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector) -> Vector {
    xor(xor(xor(a, b), xor(c, d)), e)
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const BY: i32>(a: Vector) -> Vector {
    // a shift by 64 − BY cannot be named by a const argument yet; the count is a constant all the same
    let right = _mm_cvtsi32_si128(64 - BY);
    _mm256_or_si256(_mm256_slli_epi64::<BY>(a), _mm256_srl_epi64(a, right))
}

/// `a ^ (!b & c)`.
#[inline]
#[target_feature(enable = "avx2")]
fn chi(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor_constant(a: Vector, constant: u64) -> Vector {
    _mm256_xor_si256(a, _mm256_set1_epi64x(constant.cast_signed()))
}
