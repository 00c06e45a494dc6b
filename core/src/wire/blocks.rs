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

/// A walk along the maps; positions only go forward. Each map is made when it is asked for: a long
/// value needs no map of names.
pub(crate) struct Blocks<'a> {
    bytes: &'a [u8],
    names: Map,
    controls: Map,
}

/// One map, of the block at hand.
#[derive(Clone, Copy)]
struct Map {
    /// Where the block begins.
    at: usize,
    bits: u64,
}

const BLOCK: usize = 64;
const HALF: usize = 32;

impl<'a> Blocks<'a> {
    /// A walk that begins at `at`.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        let names = Map {
            at,
            bits: classify_at(bytes, at, names),
        };
        let controls = Map {
            at,
            bits: classify_at(bytes, at, controls),
        };
        Blocks {
            bytes,
            names,
            controls,
        }
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The first byte from `from` on that is no letter, digit or '-'.
    #[inline(always)]
    pub(crate) fn name_end(&mut self, from: usize) -> Option<usize> {
        self.names.find(self.bytes, from, names)
    }

    /// The first control character from `from` on.
    #[inline(always)]
    pub(crate) fn control(&mut self, from: usize) -> Option<usize> {
        self.controls.find(self.bytes, from, controls)
    }
}

impl Map {
    #[inline(always)]
    fn find(
        &mut self,
        bytes: &[u8],
        mut from: usize,
        classify: impl Fn([u8; HALF]) -> u32,
    ) -> Option<usize> {
        loop {
            let place = from.wrapping_sub(self.at);
            if place < BLOCK {
                let ahead = self.bits >> place;
                if ahead != 0 {
                    return Some(from.wrapping_add(ahead.trailing_zeros() as usize));
                }
                from = self.at.wrapping_add(BLOCK);
            }
            if from >= bytes.len() {
                return None;
            }
            // Blocks between that nobody asked about are left out.
            self.at = from;
            self.bits = classify_at(bytes, from, &classify);
        }
    }
}

/// The map of the block that begins at `at`; bits behind the end of the bytes are clear.
#[inline(always)]
fn classify_at(bytes: &[u8], at: usize, classify: impl Fn([u8; HALF]) -> u32) -> u64 {
    let rest = bytes.get(at..).unwrap_or(&[]);
    match rest
        .first_chunk::<BLOCK>()
        .map(|block| block.as_chunks::<HALF>().0)
    {
        Some([low, high]) => join(classify(*low), classify(*high), 32),
        _ => classify_last(rest, classify),
    }
}

/// Fewer bytes than a block: two halves that overlap, or one half that is filled up.
#[inline(always)]
fn classify_last(rest: &[u8], classify: impl Fn([u8; HALF]) -> u32) -> u64 {
    if let (Some(low), Some(high)) = (rest.first_chunk::<HALF>(), rest.last_chunk::<HALF>()) {
        // Below 32, as there are less than 64 bytes; what lies twice is the same twice.
        let shift = rest.len().wrapping_sub(HALF) as u32 % 32;
        return join(classify(*low), classify(*high), shift);
    }
    let mut half = [b'a'; HALF];
    for (to, from) in half.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from(classify(half))
}

#[inline(always)]
fn join(low: u32, high: u32, shift: u32) -> u64 {
    u64::from(low) | u64::from(high) << shift
}

// In both maps each term is 0 for its bytes, and so is the least of them. One comparison for each
// map, and nothing but the mask after it: masks that are combined make LLVM take them apart bit by
// bit on SSE2 (measured: 840 instructions a block in place of 100).

#[inline(always)]
fn names(half: [u8; HALF]) -> u32 {
    let bytes = u8x32::new(half);
    let letter =
        ((bytes | u8x32::splat(0x20)) - u8x32::splat(b'a')).saturating_sub(u8x32::splat(25));
    let digit = (bytes - u8x32::splat(b'0')).saturating_sub(u8x32::splat(9));
    let dash = bytes ^ u8x32::splat(b'-');
    !letter
        .min(digit)
        .min(dash)
        .simd_eq(u8x32::splat(0))
        .to_bitmask()
}

#[inline(always)]
fn controls(half: [u8; HALF]) -> u32 {
    let bytes = u8x32::new(half);
    let low = bytes.saturating_sub(u8x32::splat(0x1f));
    let delete = bytes ^ u8x32::splat(0x7f);
    low.min(delete).simd_eq(u8x32::splat(0)).to_bitmask()
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
