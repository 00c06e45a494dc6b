//! Bytes classified many at a time, as bit maps to walk along.
//!
//! ```text
//! lines:   map := of 64 bytes, bit i set if byte i is a control character, or beyond ASCII; its
//!          lowest bit is the end of the line, or what makes the line unusual; strike out that bit
//!          and the next, which is LF; make the map of the next 64 bytes where none is left
//! tokens:  map := of one vector from where the token begins, bit i set if byte i is unusual there;
//!          the lowest bit is the end of the token
//! ```
//!
//! The chain from line to line leads through the map of controls alone, which depends on nothing
//! but the bytes: the processor works on the next block while the bits of this one are walked.
//! Where tokens end decides only what lies between, beside that chain. (A second map of whole
//! blocks for the tokens was measured and dropped: most of a head is values, which have none.)
//!
//! Bytes that may stand in a token and seldom do count as unusual: who asks looks at them one by
//! one, or takes the slow way. That saves the vectors half of their work.

use wide::{i8x32, u8x32};

#[cfg(not(target_feature = "avx2"))]
use wide::{i8x16 as SignedVector, u8x16 as Vector};
#[cfg(target_feature = "avx2")]
use {i8x32 as SignedVector, u8x32 as Vector};

/// Bytes of a vector of a token: as many as one register has, for a name is seldom longer.
pub(super) const LANES: usize = size_of::<Vector>();

/// Bytes of a window: as many as a map has bits.
pub(super) const WINDOW: usize = 64;

/// What lies at a place and behind it. Whatever is looked up in it at a constant distance, or at
/// one that a map of one vector tells, needs no other bounds test than the one for the window.
pub(super) type Window = [u8; WINDOW];

const HALF: usize = 32;

/// The bits of a map of one vector.
const MAP: u32 = u32::MAX >> (32 - LANES);

/// The `N` bytes from `at` on, by reference: where a vector is loaded and a word of it is wanted as
/// well, LLVM makes two loads of a reference, but puts a copy together from pieces.
///
/// Positions are of 32 bits: where `usize` is wider, `at + N` cannot wrap, which LLVM sees, and so
/// one comparison is all there is to check.
#[inline(always)]
pub(super) fn window<const N: usize>(bytes: &[u8], at: u32) -> Option<&[u8; N]> {
    let at = at as usize;
    bytes.get(at..at.wrapping_add(N))?.first_chunk()
}

/// The same, copied.
#[inline(always)]
pub(super) fn array<const N: usize>(bytes: &[u8], at: u32) -> Option<[u8; N]> {
    window(bytes, at).copied()
}

/// The bytes of a window from `at` on.
#[inline(always)]
pub(super) fn part<const N: usize, const M: usize>(window: &[u8; M], at: u32) -> Option<&[u8; N]> {
    let at = at as usize;
    window.get(at..at.wrapping_add(N))?.first_chunk()
}

/// The last bytes of all, with zeros behind them: windows that reach beyond the bytes lie here.
/// Made when the first is asked for.
pub(super) struct Tail(Option<[u8; 2 * WINDOW]>);

impl Tail {
    #[inline(always)]
    pub(super) const fn new() -> Self {
        Tail(None)
    }

    /// The window at `at`, which is not behind the end of the bytes; of these there are as many
    /// as a window has, or more ([`pad`]).
    #[inline(always)]
    pub(super) fn window<'t>(&'t mut self, bytes: &'t [u8], at: u32) -> Option<&'t Window> {
        match window(bytes, at) {
            Some(window) => Some(window),
            None => self.last_window(bytes, at),
        }
    }

    /// Makes the copy early: vectors out of one that was just made come late, as the processor
    /// waits until the stores are done.
    #[inline(always)]
    pub(super) fn prepare(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<WINDOW>()
            && let Some(to) = self.0.insert([0; 2 * WINDOW]).first_chunk_mut()
        {
            *to = *last;
        }
    }

    #[cold]
    #[inline(never)]
    fn last_window(&mut self, bytes: &[u8], at: u32) -> Option<&Window> {
        let base = (bytes.len() as u32).checked_sub(WINDOW as u32)?;
        if self.0.is_none() {
            self.prepare(bytes);
        }
        window(self.0.as_ref()?, at.wrapping_sub(base))
    }
}

/// Copies fewer bytes than a window has to the front of zeros.
#[inline(always)]
pub(super) fn pad(bytes: &[u8], zeros: &mut [u8; 2 * WINDOW]) {
    let (Some(first), Some(last)) = (bytes.first_chunk::<HALF>(), bytes.last_chunk::<HALF>())
    else {
        return pad_few(bytes, zeros);
    };
    // The halves overlap, or meet.
    let behind = zeros.get_mut(bytes.len().wrapping_sub(HALF)..);
    if let Some(to) = behind.and_then(|zeros| zeros.first_chunk_mut()) {
        *to = *last;
    }
    if let Some(to) = zeros.first_chunk_mut() {
        *to = *first;
    }
}

#[cold]
#[inline(never)]
fn pad_few(bytes: &[u8], zeros: &mut [u8; 2 * WINDOW]) {
    let pairs = zeros.iter_mut().zip(bytes);
    pairs.for_each(|(to, from)| *to = *from);
}

/// The walk from line to line; it only goes forward.
pub(super) struct Lines {
    /// The byte that the lowest bit of the map stands for.
    base: u32,
    /// What is left of the map; no bit at first.
    map: u64,
}

impl Lines {
    /// From `line` on, which begins a line.
    #[inline(always)]
    pub(super) fn new(line: u32) -> Self {
        Lines {
            base: line.wrapping_sub(WINDOW as u32),
            map: 0,
        }
    }

    /// The first unusual character of the line that begins at `line`; the next line is taken to
    /// begin two bytes behind it.
    #[inline(always)]
    pub(super) fn end(&mut self, bytes: &[u8], tail: &mut Tail, line: u32) -> Option<u32> {
        while self.map == 0 {
            // The next block; a byte may have been skipped to where the line begins.
            self.base = self.base.wrapping_add(WINDOW as u32).max(line);
            self.map = unusual(tail.window(bytes, self.base)?);
        }
        let place = self.map.trailing_zeros();
        // CR and LF. If LF lies in the next block, that begins behind it, where the line does.
        self.map &= self.map.wrapping_sub(1);
        self.map &= self.map.wrapping_sub(1);
        Some(self.base.wrapping_add(place))
    }
}

// Two ways to ask for a range of bytes with two operations. One addition moves its last byte to
// 127, and a signed comparison tells the range from what is below and, wrapped, above it. Or one
// addition moves its first byte to 0, and one that saturates sets the highest bit of all that is
// not in the range: cheaper where several are combined, but alone LLVM makes three operations of
// it.

/// Control characters, and what is beyond ASCII: what is not in the 95 characters from SP on.
#[inline(always)]
fn unusual(window: &Window) -> u64 {
    let [low, high] = window.as_chunks::<HALF>().0 else {
        return 0;
    };
    let usual = |half: &[u8; HALF]| {
        let to_127 = (u8x32::new(*half) + u8x32::splat(127 - b'~')).cast_signed();
        to_127.simd_gt(i8x32::splat(127 - 95)).to_bitmask()
    };
    !(u64::from(usual(low)) | u64::from(usual(high)) << HALF)
}

/// Where what is neither letter nor '-' is first, as nothing is in nearly all names of fields.
/// `LANES` if nowhere.
#[inline(always)]
pub(super) fn name_len(vector: &[u8; LANES]) -> u32 {
    let bytes = Vector::new(*vector);
    let dash = bytes.simd_eq(Vector::splat(b'-')).cast_signed();
    let to_127 = ((bytes | Vector::splat(0x20)) + Vector::splat(127 - b'z')).cast_signed();
    let usual = (to_127.simd_gt(SignedVector::splat(127 - 26)) | dash).to_bitmask();
    first(!usual & MAP)
}

/// What is no letter, no digit, no '-' and no '.', as nothing is in nearly all names of hosts.
#[inline(always)]
pub(super) fn host_stops(vector: &[u8; LANES]) -> u32 {
    let bytes = Vector::new(*vector);
    let other_digit = other(bytes, b'0', 10);
    let other_dash_dot = other(bytes, b'-', 2);
    (other_letter(bytes) & other_digit & other_dash_dot).to_bitmask()
}

/// What is unusual in a target: neither a letter nor a digit nor most of what else may stand in a
/// path and in a query; '?' and '%' are among it.
#[inline(always)]
pub(super) fn target_stops(vector: &[u8; LANES]) -> u32 {
    let bytes = Vector::new(*vector);
    // & ' ( ) * + , - . / 0 to 9 : ;
    let other_range = other(bytes, b'&', b';' - b'&' + 1);
    let equals = bytes.simd_eq(Vector::splat(b'='));
    let low_line = bytes.simd_eq(Vector::splat(b'_'));
    (other_letter(bytes) & other_range & !(equals | low_line)).to_bitmask()
}

#[inline(always)]
fn other_letter(bytes: Vector) -> Vector {
    other(bytes | Vector::splat(0x20), b'a', 26)
}

/// The highest bit of each lane that is not one of the `count` bytes from `first` on; at most 128.
#[inline(always)]
fn other(bytes: Vector, first: u8, count: u8) -> Vector {
    let from_first = bytes + Vector::splat(first.wrapping_neg());
    from_first.saturating_add(Vector::splat(128u8.wrapping_sub(count)))
}

/// The first byte of a map of a vector, `LANES` if there is none.
#[inline(always)]
pub(super) fn first(map: u32) -> u32 {
    if LANES == 32 {
        return map.trailing_zeros();
    }
    (u64::from(map) | 1 << LANES).trailing_zeros()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// Which of its ways `wide` takes in this build.
    const WAY: &str = if cfg!(target_feature = "avx2") {
        "avx2"
    } else if cfg!(target_feature = "sse2") {
        "sse2"
    } else if cfg!(all(target_feature = "neon", target_arch = "aarch64")) {
        "neon"
    } else {
        "integers"
    };

    /// `.ci/vectors` asks for one way after the other: none may be taken for another.
    #[test]
    fn the_way_is_the_one_that_was_asked_for() {
        if let Ok(asked) = std::env::var("BAREWIRE_VECTORS") {
            assert_eq!(WAY, asked);
        }
        std::println!("vectors: {WAY}, {LANES} bytes");
    }

    /// The end of the line in `text` that begins at `line`, by a walk that begins at `from`.
    fn end(text: &[u8], from: u32, line: u32) -> Option<u32> {
        Lines::new(from).end(&long(text), &mut Tail::new(), line)
    }

    /// As long as a walk has it.
    fn long(text: &[u8]) -> Vec<u8> {
        let mut zeros = [0; 2 * WINDOW];
        if text.len() < WINDOW {
            pad(text, &mut zeros);
            return zeros.into();
        }
        text.into()
    }

    #[test]
    fn every_byte_is_judged_right_at_every_place_of_a_vector() {
        for byte in 0..=255u8 {
            for at in 0..LANES {
                let mut vector = [b'a'; LANES];
                vector[at] = byte;
                let stop = |usual: bool| if usual { LANES } else { at } as u32;
                let letter = byte.is_ascii_alphabetic();
                let what = std::format!("{byte:#x} at {at}");
                assert_eq!(name_len(&vector), stop(letter || byte == b'-'), "{what}");
                let host = byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
                assert_eq!(first(host_stops(&vector)), stop(host), "{what}");
                let target = byte.is_ascii_alphanumeric() || b"&'()*+,-./:;=_".contains(&byte);
                assert_eq!(first(target_stops(&vector)), stop(target), "{what}");
            }
        }
    }

    #[test]
    fn every_byte_is_judged_right_at_every_place_of_a_line() {
        for byte in 0..=255u8 {
            let usual = (b' '..=b'~').contains(&byte);
            for len in [1, 2, 15, 31, 32, 33, 63, 64, 65, 100, 128, 130] {
                for at in 0..len {
                    let mut text = vec![b'a'; len];
                    text[at] = byte;
                    // What is behind the bytes counts as unusual.
                    let found = if usual { len } else { at } as u32;
                    assert_eq!(end(&text, 0, 0), Some(found), "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn the_last_windows_are_those_of_the_bytes_with_zeros_behind() {
        for len in WINDOW..200 {
            let text: Vec<u8> = (0..len).map(|at| at as u8 | 1).collect();
            let mut longer = text.clone();
            longer.resize(len + WINDOW, 0);
            let mut tail = Tail::new();
            for at in (0..=len).chain([0, len]) {
                let expected = longer[at..].first_chunk::<WINDOW>();
                assert_eq!(tail.window(&text, at as u32), expected, "{at} of {len}");
            }
            assert_eq!(tail.window(&text, len as u32 + 65), None);
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
                let length = text.len();
                let text = long(&text);
                let (first, second) = (first as u32, second as u32);
                for from in [0, first / 2, first] {
                    let (mut lines, mut tail) = (Lines::new(from), Tail::new());
                    assert_eq!(lines.end(&text, &mut tail, from), Some(first));
                    let end = first + 2 + second;
                    assert_eq!(lines.end(&text, &mut tail, first + 2), Some(end));
                }
                // Cut before the last LF: that a line ends is seen, with what is not.
                let cut = &text[..length - 1];
                let end_of_cut = end(cut, first + 2, first + 2);
                assert_eq!(end_of_cut, Some(first + 2 + second));
            }
        }
    }
}
