//! Bytes classified 64 at a time, as bit maps to walk along.
//!
//! ```text
//! for each block of 64 bytes, wherever tokens begin or end:
//!     names    := bit i set if byte i is no letter, digit or '-'
//!     controls := bit i set if byte i is a control character
//! to find the next such byte from p on:
//!     shift the map right by p's place in the block; count trailing zeros; next block if none
//! ```
//!
//! Tokens of a head are 3 to 50 bytes long. A search that is set up anew for each token is a
//! serial chain (load, compare, count, load where the last one ended); the maps depend on nothing
//! but the bytes, so the processor works on the next block while the bits of this one are walked.
//! Letters, digits and '-' are what nearly all names are made of; the few other token bytes take
//! the slow path, which saves the vectors half of their work.

use wide::u8x32;

/// A walk along the maps; positions only go forward.
pub(crate) struct Blocks<'a> {
    bytes: &'a [u8],
    /// Where the block at hand begins.
    at: usize,
    names: u64,
    controls: u64,
}

const BLOCK: usize = 64;
const HALF: usize = 32;

impl<'a> Blocks<'a> {
    /// A walk that begins at `at`.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        let (names, controls) = classify_at(bytes, at);
        Blocks {
            bytes,
            at,
            names,
            controls,
        }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The first byte from `from` on that is no letter, digit or '-'.
    #[inline]
    pub(crate) fn name_end(&mut self, from: usize) -> Option<usize> {
        self.find(from, |blocks| blocks.names)
    }

    /// The first control character from `from` on.
    #[inline]
    pub(crate) fn control(&mut self, from: usize) -> Option<usize> {
        self.find(from, |blocks| blocks.controls)
    }

    #[inline(always)]
    fn find(&mut self, mut from: usize, map: impl Fn(&Self) -> u64) -> Option<usize> {
        loop {
            let place = from.wrapping_sub(self.at);
            if place < BLOCK {
                let ahead = map(self) >> place;
                if ahead != 0 {
                    return Some(from.wrapping_add(ahead.trailing_zeros() as usize));
                }
            }
            self.at = self.at.wrapping_add(BLOCK);
            if self.at >= self.bytes.len() {
                // Stay: more searches may come, and they must fail too.
                (self.names, self.controls) = (0, 0);
                return None;
            }
            from = from.max(self.at);
            (self.names, self.controls) = classify_at(self.bytes, self.at);
        }
    }
}

/// The maps of the block that begins at `at`; bits behind the end of the bytes are clear.
#[inline(always)]
fn classify_at(bytes: &[u8], at: usize) -> (u64, u64) {
    let rest = bytes.get(at..).unwrap_or(&[]);
    match rest.first_chunk::<BLOCK>() {
        Some(block) => classify(block),
        None => classify_last(rest),
    }
}

/// Fewer bytes than a block: two halves that overlap, or one half that is filled up.
#[inline]
fn classify_last(rest: &[u8]) -> (u64, u64) {
    if let (Some(low), Some(high)) = (rest.first_chunk::<HALF>(), rest.last_chunk::<HALF>()) {
        let (low_names, low_controls) = classify_half(*low);
        let (high_names, high_controls) = classify_half(*high);
        // Below 32, as there are less than 64 bytes; what lies twice is the same twice.
        let shift = rest.len().wrapping_sub(HALF) as u32 % 32;
        let join = |low, high| u64::from(low) | u64::from(high) << shift;
        return (
            join(low_names, high_names),
            join(low_controls, high_controls),
        );
    }
    let mut half = [b'a'; HALF];
    for (to, from) in half.iter_mut().zip(rest) {
        *to = *from;
    }
    let (names, controls) = classify_half(half);
    (u64::from(names), u64::from(controls))
}

#[inline(always)]
fn classify(block: &[u8; BLOCK]) -> (u64, u64) {
    let [low, high] = block.as_chunks::<HALF>().0 else {
        return (0, 0);
    };
    let (low_names, low_controls) = classify_half(*low);
    let (high_names, high_controls) = classify_half(*high);
    (
        join(low_names, high_names),
        join(low_controls, high_controls),
    )
}

#[inline(always)]
fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[inline(always)]
fn classify_half(half: [u8; HALF]) -> (u32, u32) {
    let bytes = u8x32::new(half);
    // Each term is 0 for its bytes, and so is the least of them. One comparison for each map, and
    // nothing but the mask after it: masks that are combined make LLVM take them apart bit by bit
    // on SSE2 (measured: 840 instructions a block in place of 100).
    let letter =
        ((bytes | u8x32::splat(0x20)) - u8x32::splat(b'a')).saturating_sub(u8x32::splat(25));
    let digit = (bytes - u8x32::splat(b'0')).saturating_sub(u8x32::splat(9));
    let dash = bytes ^ u8x32::splat(b'-');
    let name = letter.min(digit).min(dash).simd_eq(u8x32::splat(0));
    let low = bytes.saturating_sub(u8x32::splat(0x1f));
    let delete = bytes ^ u8x32::splat(0x7f);
    let control = low.min(delete).simd_eq(u8x32::splat(0));
    (!name.to_bitmask(), control.to_bitmask())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn every_byte_is_in_the_right_map_at_every_place() {
        for byte in 0..=255u8 {
            let name = byte.is_ascii_alphanumeric() || byte == b'-';
            let control = byte < 0x20 || byte == 0x7f;
            for len in [1, 16, 31, 63, 64, 65, 100, 128, 130] {
                for at in 0..len {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    let walk = || Blocks::new(&text, 0);
                    assert_eq!(
                        walk().name_end(0),
                        (!name).then_some(at),
                        "{byte:#x} {at}/{len}"
                    );
                    assert_eq!(
                        walk().control(0),
                        control.then_some(at),
                        "{byte:#x} {at}/{len}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_walk_finds_what_a_search_from_any_place_finds() {
        let mut text = vec![b'a'; 300];
        for at in [0usize, 1, 62, 63, 64, 65, 127, 128, 200, 299] {
            text[at] = b':';
        }
        for from in 0..=300 {
            let expected = text
                .iter()
                .skip(from)
                .position(|b| *b == b':')
                .map(|n| n + from);
            assert_eq!(Blocks::new(&text, 0).name_end(from), expected);
            assert_eq!(Blocks::new(&text, from).name_end(from), expected);
        }
        let mut walk = Blocks::new(&text, 0);
        assert_eq!(walk.control(0), None);
        assert_eq!(walk.name_end(300), None);
    }
}
