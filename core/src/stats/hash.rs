//! SipHash-1-3: the keyed hash that spreads user ids over the set.
//!
//! Ids come from strangers. With an unkeyed hash one client could choose ids that all fall on one
//! place and make every event walk the same run of slots; with a key that is drawn at start, and
//! never shown, it cannot. One round per word and three at the end are enough for a table whose
//! hash values never leave the process.

use core::fmt;

/// The secret of one process: 128 bits, drawn once at start by the caller (core has no source of
/// randomness).
#[derive(Clone, Copy)]
pub struct Key {
    k0: u64,
    k1: u64,
}

impl Key {
    /// A key of two random words.
    pub const fn new(k0: u64, k1: u64) -> Self {
        Self { k0, k1 }
    }

    /// The hash of `bytes` under this key.
    #[inline]
    pub(crate) fn hash(self, bytes: &[u8]) -> u64 {
        self.hash_with(bytes, tail_word(bytes))
    }

    /// The same for who has the [`tail_word`] of `bytes` already.
    #[inline]
    pub(crate) fn hash_with(self, bytes: &[u8], tail: u64) -> u64 {
        let mut state = State {
            a: self.k0 ^ 0x736f_6d65_7073_6575,
            b: self.k1 ^ 0x646f_7261_6e64_6f6d,
            c: self.k0 ^ 0x6c79_6765_6e65_7261,
            d: self.k1 ^ 0x7465_6462_7974_6573,
        };
        let (words, _) = bytes.as_chunks::<8>();
        for word in words {
            state.absorb(u64::from_le_bytes(*word));
        }
        // The last word carries the low byte of the length on top, so that zero bytes at the end
        // are not lost.
        let length = (bytes.len() as u64) << 56;
        state.absorb(length | tail);
        state.c ^= 0xff;
        state.round();
        state.round();
        state.round();
        state.a ^ state.b ^ state.c ^ state.d
    }
}

/// Hides the key: a log line must not give it away.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// What is left of `bytes` behind its last whole word (of eight): at most seven bytes as a
/// little-endian word, filled up with zeros.
#[inline]
pub(crate) fn tail_word(bytes: &[u8]) -> u64 {
    let bits = (bytes.len() % 8 * 8) as u32;
    // Words that reach back over what is whole, not byte by byte: that took seven instructions each.
    if let Some(word) = bytes.last_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        return word.checked_shr(64u32.wrapping_sub(bits)).unwrap_or(0);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let first = u64::from(u32::from_le_bytes(*first));
        let last = u64::from(u32::from_le_bytes(*last));
        return first | last.wrapping_shl(bits.wrapping_sub(32));
    }
    bytes
        .iter()
        .rev()
        .fold(0, |word, &byte| (word << 8) | u64::from(byte))
}

struct State {
    a: u64,
    b: u64,
    c: u64,
    d: u64,
}

impl State {
    #[inline]
    fn absorb(&mut self, word: u64) {
        self.d ^= word;
        self.round();
        self.a ^= word;
    }

    #[inline]
    fn round(&mut self) {
        self.a = self.a.wrapping_add(self.b);
        self.b = self.b.rotate_left(13) ^ self.a;
        self.a = self.a.rotate_left(32);
        self.c = self.c.wrapping_add(self.d);
        self.d = self.d.rotate_left(16) ^ self.c;
        self.a = self.a.wrapping_add(self.d);
        self.d = self.d.rotate_left(21) ^ self.a;
        self.c = self.c.wrapping_add(self.b);
        self.b = self.b.rotate_left(17) ^ self.c;
        self.c = self.c.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::hash::{DefaultHasher, Hasher};
    use std::vec::Vec;

    #[test]
    fn the_empty_input_gives_the_published_value() {
        let key = Key::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(key.hash(b""), 0xabac_0158_050f_c4dc);
    }

    #[test]
    fn every_length_agrees_with_the_standard_library() {
        let bytes: Vec<u8> = (0..100u8).map(|i| i.wrapping_mul(37)).collect();
        for end in 0..=bytes.len() {
            let mut theirs = DefaultHasher::new();
            theirs.write(&bytes[..end]);
            assert_eq!(Key::new(0, 0).hash(&bytes[..end]), theirs.finish(), "{end}");
        }
    }

    #[test]
    fn the_tail_is_what_is_behind_the_last_whole_word() {
        let bytes: Vec<u8> = (1..100).collect();
        for end in 0..=bytes.len() {
            let (_, tail) = bytes[..end].as_chunks::<8>();
            let mut word = [0; 8];
            word[..tail.len()].copy_from_slice(tail);
            assert_eq!(tail_word(&bytes[..end]), u64::from_le_bytes(word), "{end}");
        }
    }

    #[test]
    fn the_key_changes_every_hash_and_is_not_printed() {
        assert_ne!(Key::new(1, 2).hash(b"user"), Key::new(1, 3).hash(b"user"));
        assert_eq!(std::format!("{:?}", Key::new(77, 78)), "Key(..)");
    }
}
