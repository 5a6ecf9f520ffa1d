//! keccak256 of many messages at once.
//!
//! Deriving is hashing: a leaf and a node per record. One permutation leaves most of a vector unit idle, so several
//! messages are hashed side by side, one per 64-bit lane: eight with AVX-512, four with AVX2. Which one is used is
//! decided when the program runs; elsewhere alloy's keccak256 (the assembly of keccak-asm) hashes one after the other.
//! Every level gives the same hashes.

#[cfg(target_arch = "x86_64")]
mod lanes;
mod sponge;

use std::{fmt, str::FromStr, sync::OnceLock};

use alloy_primitives::{B256, keccak256};

/// The level that [`Level::current`] gives, chosen once.
static CURRENT: OnceLock<Level> = OnceLock::new();

/// How many messages are hashed side by side, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One by one.
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(lanes::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(lanes::Avx512),
}

/// A level that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LevelError {
    /// No such name.
    #[error("{0:?} is no level; the levels are avx512, avx2 and scalar")]
    Unknown(String),
    /// The processor, or its operating system, lacks it.
    #[error("this processor has no {0}")]
    Lacking(String),
    /// Another one is in use already.
    #[error("keccak is in use at level {0} already")]
    Late(Level),
}

impl Level {
    /// One message after the other; every machine has it.
    pub const SCALAR: Self = Self(Kind::Scalar);

    /// The levels this machine has, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(lanes::Avx512::detect().map(|avx512| Self(Kind::Avx512(avx512))));
            levels.extend(lanes::Avx2::detect().map(|avx2| Self(Kind::Avx2(avx2))));
        }
        levels.push(Self::SCALAR);
        levels
    }

    /// The level in use: the fastest, unless [`Self::choose`] has chosen another.
    pub fn current() -> Self {
        *CURRENT.get_or_init(|| Self::available().first().copied().unwrap_or(Self::SCALAR))
    }

    /// Makes this the level in use, for tests and measurements.
    ///
    /// # Errors
    ///
    /// Another one is in use already.
    pub fn choose(self) -> Result<(), LevelError> {
        let current = *CURRENT.get_or_init(|| self);
        if current == self { Ok(()) } else { Err(LevelError::Late(current)) }
    }

    /// The hash of each of `messages`, in order. Messages of one length next to each other are hashed fastest.
    pub fn hash_each<M: AsRef<[u8]>>(self, messages: &[M]) -> Vec<B256> {
        let mut hashes = vec![B256::ZERO; messages.len()];
        self.hash_into(messages, &mut hashes);
        hashes
    }

    /// Writes the hash of each of `messages` to the same place in `hashes`; what one has more than the other is left.
    pub fn hash_into<M: AsRef<[u8]>>(self, messages: &[M], hashes: &mut [B256]) {
        let count = messages.len().min(hashes.len());
        let (messages, hashes) = (&messages[..count], &mut hashes[..count]);
        match self.0 {
            Kind::Scalar => one_by_one(messages, hashes),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(avx2) => avx2.hash(messages, hashes),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(avx512) => avx512.hash(messages, hashes),
        }
    }
}

fn one_by_one<M: AsRef<[u8]>>(messages: &[M], hashes: &mut [B256]) {
    for (message, hash) in messages.iter().zip(hashes) {
        *hash = keccak256(message);
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
        })
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let level = Self::available().into_iter().find(|level| level.to_string() == name);
        level.ok_or_else(|| match name {
            "avx512" | "avx2" => LevelError::Lacking(name.into()),
            _ => LevelError::Unknown(name.into()),
        })
    }
}

#[cfg(test)]
mod tests;
