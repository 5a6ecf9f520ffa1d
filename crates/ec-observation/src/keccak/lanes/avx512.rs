//! Eight states, with AVX-512.

use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_shuffle_i64x2, _mm512_storeu_si512,
    _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use alloy_primitives::B256;

use super::{
    super::sponge::{self, Lanes, Row, States},
    ROUND_CONSTANTS,
};

level!(
    /// The proof that this processor has AVX-512 (its foundation), and the operating system saves its registers.
    Avx512, 8 lanes with "avx512f", from 2
);

type Vector = __m512i;

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u64; 8]) -> Vector {
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
fn transpose(rows: [&Row<8>; 8]) -> [[u64; 8]; 8] {
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
fn store(words: &mut [u64; 8], vector: Vector) {
    // SAFETY: eight words are the 64 bytes that are written; any alignment will do.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor5(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector) -> Vector {
    _mm512_ternarylogic_epi64::<0x96>(_mm512_ternarylogic_epi64::<0x96>(a, b, c), d, e)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotate<const BY: i32>(a: Vector) -> Vector {
    _mm512_rol_epi64::<BY>(a)
}

/// `a ^ (!b & c)`.
#[inline]
#[target_feature(enable = "avx512f")]
fn chi(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi64::<0xd2>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor_constant(a: Vector, constant: u64) -> Vector {
    _mm512_xor_si512(a, _mm512_set1_epi64(constant.cast_signed()))
}
