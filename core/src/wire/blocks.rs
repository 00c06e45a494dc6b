//! Bytes classified many at a time, as bit maps to walk along.
//!
//! ```text
//! lines:   map := of 64 bytes, bit i set if byte i is a control character; its lowest bit is the
//!          end of the line, or what makes the line unusual; strike out that bit and the next,
//!          which is LF; make the map of the next 64 bytes where none is left
//! tokens:  map := of one vector from where the token begins, bit i set if byte i is usual there;
//!          the ones at the low end are the token; go on behind the vector if all are ones
//! ```
//!
//! The chain from line to line leads through the map of controls alone, which depends on nothing
//! but the bytes: the processor works on the next block while the bits of this one are walked. Where
//! tokens end decides only what lies between, beside that chain. (A second map of whole blocks for
//! the tokens was measured and dropped: most of a head is values, which have none.)
//!
//! Bytes that may stand in a token and seldom do count as unusual: who asks looks at them one by
//! one, or takes the slow way. That saves the vectors half of their work.

use wide::{u8x16, u8x32};

#[cfg(target_feature = "avx2")]
type Vector = u8x32;
#[cfg(not(target_feature = "avx2"))]
type Vector = u8x16;

/// Bytes of a vector of a token: as many as one register has, for a name is seldom longer.
const LANES: usize = size_of::<Vector>();

/// The `N` bytes from `at` on, by reference: where a vector is loaded and a word of it is wanted as
/// well, LLVM makes two loads of a reference, but puts a copy together from pieces.
///
/// Positions are of 32 bits: where `usize` is wider, `at + N` cannot wrap, which LLVM sees, and so
/// one comparison is all there is to check.
#[inline(always)]
fn window<const N: usize>(bytes: &[u8], at: u32) -> Option<&[u8; N]> {
    let at = at as usize;
    bytes.get(at..at.wrapping_add(N))?.first_chunk()
}

/// The same, copied.
#[inline(always)]
pub(super) fn array<const N: usize>(bytes: &[u8], at: u32) -> Option<[u8; N]> {
    window(bytes, at).copied()
}

/// Where a run of bytes from `from` on ends that are all letters, digits, '-' or '.': nearly all
/// names of fields and of hosts. The end of the bytes ends it too.
#[inline(always)]
pub(super) fn name_end(bytes: &[u8], from: u32) -> u32 {
    run_end(bytes, from, names)
}

/// The same, and the eight bytes from `from` on.
#[inline(always)]
pub(super) fn name_end_and_front(bytes: &[u8], from: u32) -> Option<(u32, [u8; 8])> {
    let Some(vector) = window::<LANES>(bytes, from) else {
        return Some((name_end(bytes, from), array(bytes, from)?));
    };
    let front = *vector.first_chunk()?;
    let run = names(*vector).trailing_ones();
    let mut end = from.wrapping_add(run);
    if run == LANES as u32 {
        end = name_end(bytes, end);
    }
    Some((end, front))
}

/// Where a run of bytes from `from` on ends that are all usual in a target: letters, digits, and
/// most of what else may stand in a path and in a query; no '?', no '%'.
#[inline(always)]
pub(super) fn target_end(bytes: &[u8], from: u32) -> u32 {
    run_end(bytes, from, targets)
}

/// The walk from line to line; it only goes forward.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    /// The byte that the lowest bit of the map stands for. Wraps below 0 where there are fewer
    /// bytes than bits.
    base: u32,
    /// What is left of the map; no bit at first.
    map: u64,
}

const BLOCK: u32 = 64;
const HALF: usize = 32;

impl<'a> Lines<'a> {
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8], line: u32) -> Self {
        Lines {
            bytes,
            base: line.wrapping_sub(BLOCK),
            map: 0,
        }
    }

    /// The first control character of the line that begins at `line`; the next line is taken to
    /// begin two bytes behind it.
    #[inline(always)]
    pub(super) fn end(&mut self, line: u32) -> Option<u32> {
        while self.map == 0 {
            // The next block; blocks may have been skipped to where the line begins.
            let behind = self.base.wrapping_add(BLOCK);
            self.next_block(behind.max(line))?;
        }
        let place = self.map.trailing_zeros();
        // CR and LF. If LF lies in the next block, that begins behind it, where the line does.
        self.map &= self.map.wrapping_sub(1);
        self.map &= self.map.wrapping_sub(1);
        Some(self.base.wrapping_add(place))
    }

    #[inline(always)]
    fn next_block(&mut self, at: u32) -> Option<()> {
        let Some(block) = array::<{ BLOCK as usize }>(self.bytes, at) else {
            return self.last_block(at);
        };
        let [low, high] = block.as_chunks::<HALF>().0 else {
            return None;
        };
        self.map = u64::from(controls(*low)) | u64::from(controls(*high)) << HALF;
        self.base = at;
        Some(())
    }

    /// Less than a block is left: the map of the last bytes of all, less those before `at`.
    #[inline(always)]
    fn last_block(&mut self, at: u32) -> Option<()> {
        let len = self.bytes.len() as u32;
        if len <= at {
            return None;
        }
        self.base = len.wrapping_sub(BLOCK);
        let high = match self.bytes.last_chunk::<HALF>() {
            Some(high) => controls(*high),
            None => controls(padded(self.bytes)),
        };
        let mut map = u64::from(high) << HALF;
        let before = at.wrapping_sub(self.base) % BLOCK;
        if before < HALF as u32 {
            // Overlaps the other half, where the same lies twice.
            map |= u64::from(array(self.bytes, at).map_or(0, controls)) << before;
        }
        self.map = map & u64::MAX << before;
        Some(())
    }
}

#[inline(always)]
fn run_end(bytes: &[u8], mut from: u32, usual: impl Fn([u8; LANES]) -> u32) -> u32 {
    loop {
        let run = match array(bytes, from) {
            Some(vector) => usual(vector).trailing_ones(),
            None => return from.wrapping_add(last_run(bytes, from, usual)),
        };
        from = from.wrapping_add(run);
        if run < LANES as u32 {
            return from;
        }
    }
}

/// Less than a vector is left: how many bytes from `from` on are usual before the first other.
#[inline(always)]
fn last_run(bytes: &[u8], from: u32, usual: impl Fn([u8; LANES]) -> u32) -> u32 {
    let map = match bytes.last_chunk::<LANES>() {
        Some(last) => usual(*last),
        None => usual(padded(bytes)),
    };
    // The bytes before `from` are shifted out, what is shifted in ends the run.
    let base = (bytes.len() as u32).wrapping_sub(LANES as u32);
    (u64::from(map) >> (from.wrapping_sub(base) % 64)).trailing_ones()
}

/// So few bytes in all that no vector fits, as the last of a vector.
#[cold]
#[inline(never)]
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut vector = [b'a'; N];
    for (to, from) in vector.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *from;
    }
    vector
}

// In every map each term is 0 for its bytes, and so is the least of them. One comparison for each
// map, and nothing but the mask after it: masks that are combined make LLVM take them apart bit by
// bit on SSE2 (measured: 840 instructions a block in place of 100).

#[inline(always)]
fn names(vector: [u8; LANES]) -> u32 {
    let bytes = Vector::new(vector);
    let digit = (bytes - Vector::splat(b'0')).saturating_sub(Vector::splat(9));
    let dash_dot = (bytes - Vector::splat(b'-')).saturating_sub(Vector::splat(1));
    zeros(letter(bytes).min(digit).min(dash_dot))
}

#[inline(always)]
fn targets(vector: [u8; LANES]) -> u32 {
    let bytes = Vector::new(vector);
    // & ' ( ) * + , - . / 0 to 9 : ;
    let range = (bytes - Vector::splat(b'&')).saturating_sub(Vector::splat(b';' - b'&'));
    let equals = bytes ^ Vector::splat(b'=');
    let low_line = bytes ^ Vector::splat(b'_');
    zeros(letter(bytes).min(range).min(equals.min(low_line)))
}

#[inline(always)]
fn letter(bytes: Vector) -> Vector {
    ((bytes | Vector::splat(0x20)) - Vector::splat(b'a')).saturating_sub(Vector::splat(25))
}

#[inline(always)]
fn zeros(bytes: Vector) -> u32 {
    bytes.simd_eq(Vector::splat(0)).to_bitmask()
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
    use std::vec::Vec;

    /// Lengths around those of vectors and blocks.
    const LENGTHS: [usize; 14] = [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128, 130];

    #[test]
    fn every_byte_is_judged_right_at_every_place() {
        for byte in 0..=255u8 {
            let name = byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
            let target = byte.is_ascii_alphanumeric() || b"&'()*+,-./:;=_".contains(&byte);
            let control = byte < 0x20 || byte == 0x7f;
            for len in LENGTHS {
                for at in 0..len {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    let what = std::format!("{byte:#x} at {at} of {len}");
                    let stop = |usual| if usual { len } else { at } as u32;
                    assert_eq!(name_end(&text, 0), stop(name), "{what}");
                    assert_eq!(target_end(&text, 0), stop(target), "{what}");
                    let end = control.then_some(at as u32);
                    assert_eq!(Lines::new(&text, 0).end(0), end, "{what}");
                }
            }
        }
    }

    #[test]
    fn a_run_ends_at_the_same_byte_from_wherever_it_is_asked_for() {
        for len in LENGTHS {
            for at in 0..len {
                let mut text = vec![b'a'; len];
                text[at] = b'%';
                for from in 0..=len {
                    let expected = if from <= at { at } else { len } as u32;
                    assert_eq!(name_end(&text, from as u32), expected, "{from} {at}/{len}");
                    assert_eq!(
                        target_end(&text, from as u32),
                        expected,
                        "{from} {at}/{len}"
                    );
                }
            }
        }
    }

    #[test]
    fn lines_end_where_they_do_however_long_they_are_and_wherever_the_walk_begins() {
        for first in 0..140 {
            for second in [0, 1, 2, 29, 30, 61, 62, 63, 64, 126, 200] {
                let mut text: Vec<u8> = vec![b'a'; first];
                text.extend_from_slice(b"\r\n");
                text.resize(first + 2 + second, b'b');
                text.extend_from_slice(b"\r\n");
                let (first, second) = (first as u32, second as u32);
                for from in [0, first / 2, first] {
                    let mut lines = Lines::new(&text, from);
                    assert_eq!(lines.end(from), Some(first));
                    assert_eq!(lines.end(first + 2), Some(first + 2 + second));
                    assert_eq!(lines.end(first + second + 4), None);
                    assert_eq!(lines.end(first + second + 4), None);
                }
                // Cut before the last LF: that a line ends is seen, with what is not.
                let mut lines = Lines::new(&text[..text.len() - 1], first + 2);
                assert_eq!(lines.end(first + 2), Some(first + 2 + second));
                assert_eq!(lines.end(first + second + 4), None);
            }
        }
    }
}
