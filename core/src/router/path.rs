//! What a lookup reads of a path: segments, compared with literals and looked at for what must not pass.

use super::pattern::{PATTERN_BYTES_MAX, escape, hex, is_unreserved};
use wide::u8x16;

/// `==` for short texts, without a call: words that overlap in the middle.
#[inline(always)]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    #[inline(always)]
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
    }
    a.len() == b.len()
        && match a.len() {
            8..=16 => ends::<8>(a, b),
            4..=7 => ends::<4>(a, b),
            2..=3 => ends::<2>(a, b),
            _ => a == b,
        }
}

/// A number that equal segments have in common; its upper bits differ where segments do. It looks at
/// eight bytes at either end, like [`equal`]: what differs in the middle only falls together, which
/// costs a comparison. Paths come from strangers, but only patterns are in the table, so nobody can
/// fill it with such.
#[inline(always)]
pub(crate) const fn hash(text: &[u8]) -> u64 {
    let word = if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>())
    {
        u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29)
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64) << 32
    } else {
        match *text {
            [a] => a as u64,
            [a, b] => (a as u64) | (b as u64) << 8,
            [a, b, c] => (a as u64) | (b as u64) << 8 | (c as u64) << 16,
            _ => 0,
        }
    };
    // 2^64 over the golden ratio.
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Where the slashes of a path are, and whether anything in it needs a second look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'p> {
    pub(crate) path: &'p [u8],
    /// The part in which segments are found by bits.
    front: &'p [u8],
    /// One bit for each `/` in the first 64 bytes, and one for the end of the path, if it is there.
    slashes: u64,
    /// Whether there is a `.` or `%` anywhere, so that a segment may be other than it looks, or lead
    /// out of its place. (One bit for each of them made a lookup an eighth dearer.)
    pub(crate) special: bool,
}

/// Bytes of a path in which segments are found by bits: a register has one more, so that there is a bit
/// for the end. Longer paths are searched behind that.
const FRONT_BYTES: usize = 63;

impl<'p> Marks<'p> {
    // Sixteen bytes at a time, once for each lookup. Segment by segment in 64-bit arithmetic a lookup
    // among 130 routes took 1.3 times as many instructions.
    #[inline(always)]
    pub(crate) fn of(path: &'p [u8]) -> Self {
        let Some(last) = path.last_chunk::<16>() else {
            let (slashes, specials) = marks(short_block(path));
            return Marks {
                path,
                front: path,
                slashes: slashes | 1 << path.len(),
                special: specials != 0,
            };
        };
        let (mut slashes, mut specials) = (0, 0);
        let mut at = 0;
        let mut rest = path;
        while let Some((block, behind)) = rest.split_first_chunk::<16>()
            && at < u64::BITS
        {
            let found = marks(*block);
            slashes |= found.0.wrapping_shl(at);
            specials |= found.1;
            at = at.wrapping_add(16);
            rest = behind;
        }
        if path.len() <= FRONT_BYTES {
            // What is left, with what stands before it once more.
            let at = path.len().wrapping_sub(16) as u32;
            let found = marks(*last);
            slashes |= found.0.wrapping_shl(at) | 1 << path.len();
            specials |= found.1;
        } else {
            // Of what is behind, nothing is known.
            specials = 1;
        }
        Marks {
            path,
            front: path.get(..FRONT_BYTES).unwrap_or(path),
            slashes,
            special: specials != 0,
        }
    }

    /// The segment that begins at `start`; `None` if the path ends before.
    #[inline(always)]
    pub(crate) fn segment(&self, start: usize) -> Option<&'p [u8]> {
        // Without a bit the count is 64, and beyond the register the shift starts anew: both lead
        // behind the front, and so nowhere. (No start is 0: there the first slash is.)
        let behind = self.slashes.wrapping_shr(start as u32);
        let end = start.wrapping_add(behind.trailing_zeros() as usize);
        match self.front.get(start..end) {
            Some(segment) => Some(segment),
            None => self.far_segment(start),
        }
    }

    #[cold]
    #[inline(never)]
    fn far_segment(&self, start: usize) -> Option<&'p [u8]> {
        let rest = self.path.get(start..)?;
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        rest.get(..end)
    }
}

/// The bits of `/`, and of `.` and `%`, in a block.
#[inline(always)]
fn marks(block: [u8; 16]) -> (u64, u32) {
    let block = u8x16::new(block);
    let is = |byte| block.simd_eq(u8x16::splat(byte));
    let slashes = is(b'/').to_bitmask();
    (u64::from(slashes), (is(b'.') | is(b'%')).to_bitmask())
}

/// A path of less than sixteen bytes, filled up with zeros.
#[inline(always)]
fn short_block(path: &[u8]) -> [u8; 16] {
    let bits = (path.len() as u32).wrapping_mul(8);
    let block = if let (Some(first), Some(last)) = (path.first_chunk::<8>(), path.last_chunk::<8>())
    {
        let upper = u128::from(u64::from_le_bytes(*last)).wrapping_shl(bits.wrapping_sub(64));
        upper | u128::from(u64::from_le_bytes(*first))
    } else if let (Some(first), Some(last)) = (path.first_chunk::<4>(), path.last_chunk::<4>()) {
        let upper = u64::from(u32::from_le_bytes(*last)).wrapping_shl(bits.wrapping_sub(32));
        u128::from(upper | u64::from(u32::from_le_bytes(*first)))
    } else {
        match *path {
            [a] => u128::from(a),
            [a, b] => u128::from(u16::from_le_bytes([a, b])),
            [a, b, c] => u128::from(u32::from_le_bytes([a, b, c, 0])),
            _ => 0,
        }
    };
    block.to_le_bytes()
}

/// A segment in the normal form that patterns are written in; `None` if it is longer than any pattern
/// or has an escape that is none, and so is in no pattern.
pub(crate) fn normal(segment: &[u8]) -> Option<heapless::Vec<u8, PATTERN_BYTES_MAX>> {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    let mut text = heapless::Vec::new();
    let mut rest = segment;
    while let [raw, behind @ ..] = rest {
        rest = behind;
        if *raw != b'%' {
            text.push(*raw).ok()?;
            continue;
        }
        let code = match behind {
            [high, low, behind @ ..] => {
                rest = behind;
                hex(*high)? << 4 | hex(*low)?
            }
            _ => return None,
        };
        if is_unreserved(code) {
            text.push(code).ok()?;
        } else {
            let digits = [code >> 4, code & 0xf].map(|digit| DIGITS[usize::from(digit & 0xf)]);
            text.push(b'%').ok()?;
            text.extend_from_slice(&digits).ok()?;
        }
    }
    Some(text)
}

/// Whether this segment of a path, with escapes, is this literal of a pattern.
#[cold]
#[inline(never)]
pub(crate) fn equal_escaped(segment: &[u8], literal: &[u8]) -> bool {
    normal(segment).is_some_and(|text| text == literal)
}

/// Whether a param value would lead out of its place once it is decoded: a segment of it is `.` or
/// `..`, where `%2F`, `\` and `%5C` separate segments too, because whoever decodes and joins it to a
/// path of a file system will find them there.
pub(crate) fn climbs(value: &[u8]) -> bool {
    if !value.iter().any(|&b| b == b'.' || b == b'%') {
        return false;
    }
    let mut rest = value;
    let mut dots = 0u8; // 0 to 2: the segment is so many dots so far; 3: it is more than dots
    while let Some((code, after)) = decoded(rest) {
        rest = after;
        dots = match code {
            b'/' | b'\\' if dots == 1 || dots == 2 => return true,
            b'/' | b'\\' => 0,
            b'.' => dots.saturating_add(1).min(3),
            _ => 3,
        };
    }
    dots == 1 || dots == 2
}

/// Whether a `{*rest}` value begins with an empty segment: joined to a directory it would be absolute.
pub(crate) fn is_rooted(value: &[u8]) -> bool {
    matches!(decoded(value), Some((b'/' | b'\\', _)))
}

/// The first character, decoded, and the rest. An escape that is none is its `%`.
fn decoded(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&raw, after) = text.split_first()?;
    match escape(text) {
        Some(code) => Some((code, text.get(3..)?)),
        None => Some((raw, after)),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(b"/ab%.4\0".to_vec());
        prop::collection::vec(byte, 0..150)
    }

    proptest! {
        #[test]
        fn segments_end_at_slashes_wherever_they_are(path in bytes()) {
            let marks = Marks::of(&path);
            let special = path.iter().any(|b| matches!(b, b'.' | b'%'));
            prop_assert!(marks.special || !special);
            prop_assert!(path.len() > FRONT_BYTES || marks.special == special);
            for start in 1..=path.len() + 2 {
                let rest = path.get(start..);
                let segment = rest.and_then(|rest| rest.split(|&b| b == b'/').next());
                prop_assert_eq!(marks.segment(start), segment);
            }
        }

        #[test]
        fn equal_is_equal_and_has_one_hash(a in bytes(), b in bytes(), at in 0usize..150) {
            prop_assert_eq!(equal(&a, &b), a == b);
            let mut c = a.clone();
            prop_assert!(equal(&a, &c) && hash(&a) == hash(&c));
            if let Some(byte) = c.get_mut(at) {
                *byte ^= 1;
                prop_assert!(!equal(&a, &c));
            }
        }
    }

    #[test]
    fn the_end_of_the_bits_is_no_end_of_a_segment() {
        for len in (0..20).chain(56..72).chain([127, 128, 129, 140]) {
            for slash in 0..=len {
                let mut path = std::vec![b'a'; len];
                path.iter_mut()
                    .skip(slash)
                    .step_by(70)
                    .for_each(|byte| *byte = b'/');
                let marks = Marks::of(&path);
                for start in 1..=len + 2 {
                    let rest = path.get(start..);
                    let segment = rest.and_then(|rest| rest.split(|&b| b == b'/').next());
                    assert_eq!(marks.segment(start), segment, "{len} {slash} {start}");
                }
            }
        }
    }

    #[test]
    fn the_normal_form_has_no_needless_escapes_and_capital_digits() {
        for (segment, form) in [
            ("", Some("")),
            ("a.b~c", Some("a.b~c")),
            ("%61%2E%7e", Some("a.~")),
            ("%2f%C3%a9%25", Some("%2F%C3%A9%25")),
            ("%", None),
            ("%4", None),
            ("%4g", None),
            ("a%zz", None),
        ] {
            let text = normal(segment.as_bytes());
            assert_eq!(text.as_deref(), form.map(str::as_bytes), "{segment}");
        }
        assert!(normal(&[b'a'; PATTERN_BYTES_MAX]).is_some());
        assert!(normal(&[b'a'; PATTERN_BYTES_MAX + 1]).is_none());
    }
}
