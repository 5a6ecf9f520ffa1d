//! Keccak-f\[1600\] of several states at once with vector instructions.
//!
//! The only `unsafe` code of the crate, for two reasons. The instructions may be executed only where the processor has
//! them: [`Avx2`] and [`Avx512`] are made by `detect` alone, so who has one has asked. And vectors are loaded from and
//! stored to arrays through pointers: each is made from a reference to an array of exactly a vector's size. The tests
//! compare every level with keccak-asm.

#![allow(unsafe_code)]

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

/// The permutation (FIPS 202 §3.3) of `N` states, in words of the operations in scope. Words are numbered `x + 5y`.
/// Written out: a closure in its place may stay a call, and a vector that is passed to one goes through memory.
macro_rules! permutation {
    ($feature:tt, $lanes:literal) => {
        #[target_feature(enable = $feature)]
        fn permute(states: &mut States<$lanes>) {
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
                ($i:literal) => { load(&states.0[$i]) };
            }
            let mut a: [Vector; 25] = words!(loaded);
            for constant in ROUND_CONSTANTS {
                // theta
                macro_rules! column {
                    ($x:literal) => { xor5(a[$x], a[$x + 5], a[$x + 10], a[$x + 15], a[$x + 20]) };
                }
                let c = [column!(0), column!(1), column!(2), column!(3), column!(4)];
                macro_rules! parity {
                    ($x:literal) => { xor(c[($x + 4) % 5], rotate::<1>(c[($x + 1) % 5])) };
                }
                let d = [parity!(0), parity!(1), parity!(2), parity!(3), parity!(4)];
                // theta's last step, rho and pi: the word at `from`, in its new place
                macro_rules! moved {
                    ($from:literal, $by:literal) => {
                        rotate::<$by>(xor(a[$from], d[$from % 5]))
                    };
                }
                let b = [
                    xor(a[0], d[0]),
                    moved!(6, 44), moved!(12, 43), moved!(18, 21), moved!(24, 14),
                    moved!(3, 28), moved!(9, 20), moved!(10, 3), moved!(16, 45), moved!(22, 61),
                    moved!(1, 1), moved!(7, 6), moved!(13, 25), moved!(19, 8), moved!(20, 18),
                    moved!(4, 27), moved!(5, 36), moved!(11, 10), moved!(17, 15), moved!(23, 56),
                    moved!(2, 62), moved!(8, 55), moved!(14, 39), moved!(15, 41), moved!(21, 2),
                ];
                macro_rules! chi {
                    ($i:literal) => {
                        chi(b[$i], b[$i / 5 * 5 + ($i + 1) % 5], b[$i / 5 * 5 + ($i + 2) % 5])
                    };
                }
                a = words!(chi);
                // iota
                a[0] = xor_constant(a[0], constant);
            }
            for (words, vector) in states.0.iter_mut().zip(a) {
                store(words, vector);
            }
        }
    };
}

/// What hashes `$lanes` messages at a time with `$feature`, and the proof that this processor has it, by operations on
/// vectors in scope. Fewer than `$worthwhile` messages are hashed one by one.
macro_rules! level {
    ($(#[$doc:meta])* $name:ident, $lanes:literal lanes with $feature:tt, from $worthwhile:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::keccak) struct $name(());

        impl $name {
            pub(in crate::keccak) fn detect() -> Option<Self> {
                is_x86_feature_detected!($feature).then_some(Self(()))
            }

            /// Writes the hash of each of `messages` to the same place in `hashes`.
            pub(in crate::keccak) fn hash<M: AsRef<[u8]>>(self, messages: &[M], hashes: &mut [B256]) {
                #[target_feature(enable = $feature)]
                fn hash<M: AsRef<[u8]>>(lanes: $name, messages: &[M], hashes: &mut [B256]) {
                    sponge::hash(lanes, messages, hashes, $worthwhile);
                }
                // SAFETY: `self` exists, so the processor has the feature.
                unsafe { hash(self, messages, hashes) }
            }
        }

        impl Lanes<$lanes> for $name {
            #[inline]
            fn permute(self, states: &mut States<$lanes>) {
                // SAFETY: `self` exists, so the processor has the feature.
                unsafe { permute(states) }
            }

            #[inline]
            fn transpose(self, rows: [&Row<$lanes>; $lanes]) -> [[u64; $lanes]; $lanes] {
                // SAFETY: `self` exists, so the processor has the feature.
                unsafe { transpose(rows) }
            }
        }

        permutation!($feature, $lanes);
    };
}

mod avx2;
mod avx512;

pub(super) use self::{avx2::Avx2, avx512::Avx512};
