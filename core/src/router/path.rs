//! What a lookup reads of a path: segments, compared with literals and looked at for what must not pass.

use super::matching::Matching;
use super::pattern::{PATTERN_BYTES_MAX, escape, is_unreserved, tail};
use wide::u8x16;

/// Bytes of a text that [`equal`] and [`hash_all`] read with two words, without a loop or a call.
pub(crate) const SHORT_BYTES_MAX: usize = 16;

/// `==` for short texts, without a call: words that overlap in the middle.
#[inline(always)]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() >= 8 {
        return if a.len() <= 16 {
            ends::<8>(a, b)
        } else {
            a == b
        };
    }
    if a.len() >= 4 {
        return ends::<4>(a, b);
    }
    if a.len() >= 2 {
        return ends::<2>(a, b);
    }
    a.first() == b.first()
}

/// `==` for texts of the same length, which is from `N` to `2 * N`.
#[inline(always)]
pub(crate) fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
}

/// A number that equal texts have in common, also if they differ in the case of letters; others seldom
/// do. It looks at eight bytes at either end, like [`equal`]: what differs in the middle only falls
/// together, which costs a comparison. Paths come from strangers, but only patterns are in the table, so
/// nobody can fill it with such.
#[inline(always)]
pub(crate) const fn hash(text: &[u8]) -> u64 {
    let word = if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>())
    {
        // By whole bytes, so that the bits of case stay where they are.
        u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(24)
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
    word | CASES
}

/// The bit in which the two cases of a letter differ, in every byte.
const CASES: u64 = 0x2020_2020_2020_2020;

/// The same of a whole path: all of it counts.
#[inline(always)]
pub(crate) const fn hash_all(text: &[u8]) -> u64 {
    let mut sum = hash(text);
    if text.len() > 16 {
        let mut rest = tail(text, 8);
        while let Some((word, behind)) = rest.split_first_chunk::<8>() {
            let mixed = sum ^ u64::from_le_bytes(*word);
            sum = mixed.wrapping_mul(SPREAD).rotate_left(32);
            rest = behind;
        }
    }
    sum
}

/// 2^64 over the golden ratio, which is odd.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where the search for a hash begins among so many slots, less than 2^32.
#[inline(always)]
pub(crate) const fn place(hash: u64, slots: usize) -> usize {
    // The product's upper half times the number of slots, over 2^32, is below that number.
    let spread = hash.wrapping_mul(SPREAD) >> 32;
    (spread.wrapping_mul(slots as u64) >> 32) as usize
}

/// Where the slashes of a path are, and whether anything in it needs a second look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'p> {
    pub(crate) path: &'p [u8],
    /// One bit for each `/` in the first 64 bytes, and one for the end of the path, if that is there.
    slashes: u64,
    /// Whether there is a `.` or `%` anywhere, so that a segment may be other than it looks, or lead
    /// out of its place; or the path does not end within the bits. (One bit for each of them made a lookup
    /// an eighth dearer.)
    pub(crate) special: bool,
}

/// How far a lookup has come: the slash before the next segment, or the end of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) at: usize,
    /// The marked bits behind that.
    bits: u64,
}

impl Cursor {
    /// At the end of a path whose marks are all bits.
    #[inline(always)]
    pub(crate) fn is_end(self) -> bool {
        self.bits == 0
    }
}

impl<'p> Marks<'p> {
    // Sixteen bytes at a time, once for each lookup. Segment by segment in 64-bit arithmetic a lookup
    // among 130 routes took 1.3 times as many instructions.
    #[inline(always)]
    pub(crate) fn of(path: &'p [u8]) -> Self {
        if !crate::VECTORS {
            // Segments are looked for one at a time: maps of 64 bits are dear where words have 32.
            return Marks {
                path,
                slashes: 0,
                special: true,
            };
        }
        let Some(last) = path.last_chunk::<16>() else {
            return Self::of_short(path);
        };
        let (mut slashes, mut specials) = (0, u8x16::splat(0));
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
        let mut special = true;
        if path.len() < u64::BITS as usize {
            // What is left, with what stands before it once more.
            let at = path.len().wrapping_sub(16) as u32;
            let found = marks(*last);
            slashes |= found.0.wrapping_shl(at) | 1 << path.len();
            special = (specials | found.1).to_bitmask() != 0;
        }
        Marks {
            path,
            slashes,
            special,
        }
    }

    /// The same for a path of less than sixteen bytes. From eight bytes on, the first eight and the
    /// last eight are one block: what they share is found twice, and the bits fall together.
    #[inline(always)]
    fn of_short(path: &'p [u8]) -> Self {
        let (slashes, specials) = match (path.first_chunk::<8>(), path.last_chunk::<8>()) {
            (Some(first), Some(last)) => {
                let words = [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
                let words = u128::from(words[0]) | u128::from(words[1]) << 64;
                let (found, specials) = marks(words.to_le_bytes());
                let shift = (path.len() as u32).wrapping_sub(8);
                (found & 0xff | (found >> 8).wrapping_shl(shift), specials)
            }
            _ => marks(short_block(path)),
        };
        Marks {
            path,
            slashes: slashes | 1 << path.len(),
            special: specials.to_bitmask() != 0,
        }
    }

    /// At the slash that the path begins with.
    #[inline(always)]
    pub(crate) fn begin(&self) -> Cursor {
        Cursor {
            at: 0,
            bits: self.slashes & !1,
        }
    }

    /// At the end of the path.
    #[inline(always)]
    pub(crate) fn end(&self) -> Cursor {
        Cursor {
            at: self.path.len(),
            bits: 0,
        }
    }

    /// At this place.
    #[inline(always)]
    pub(crate) fn cursor(&self, at: usize) -> Cursor {
        let behind = u64::MAX.checked_shl(at.wrapping_add(1) as u32).unwrap_or(0);
        Cursor {
            at,
            bits: if crate::VECTORS {
                self.slashes & behind
            } else {
                0
            },
        }
    }

    /// The next segment with its slash, and the cursor behind it; `None` at the end of the path. `NEAR`
    /// says that nothing is [`special`](Self::special), so all marks are bits.
    #[inline(always)]
    pub(crate) fn next<const NEAR: bool>(&self, cursor: Cursor) -> Option<(&'p [u8], Cursor)> {
        let Cursor { at, bits } = cursor;
        let end = if crate::VECTORS && bits != 0 {
            bits.trailing_zeros() as usize
        } else if NEAR {
            return None;
        } else {
            self.far_end(at)?
        };
        let bits = bits & bits.wrapping_sub(1);
        Some((self.path.get(at..end)?, Cursor { at: end, bits }))
    }

    /// Where the next segment ends, and what is marked behind it, where all marks are bits. At the
    /// end of the path it is a place behind all that is within the bits.
    #[inline(always)]
    pub(crate) fn near(&self, cursor: Cursor) -> Cursor {
        Cursor {
            at: cursor.bits.trailing_zeros() as usize,
            bits: cursor.bits & cursor.bits.wrapping_sub(1),
        }
    }

    #[cold]
    #[inline(never)]
    fn far_end(&self, at: usize) -> Option<usize> {
        let start = at.checked_add(1)?;
        let rest = self.path.get(start..).filter(|_| at < self.path.len())?;
        let found = match crate::VECTORS {
            true => memchr::memchr(b'/', rest),
            false => rest.iter().position(|byte| *byte == b'/'),
        };
        let length = found.unwrap_or(rest.len());
        start.checked_add(length)
    }
}

/// The bits of `/`, and the places of `.` and `%`, in a block.
#[inline(always)]
fn marks(block: [u8; 16]) -> (u64, u8x16) {
    let block = u8x16::new(block);
    let is = |byte| block.simd_eq(u8x16::splat(byte));
    let slashes = is(b'/').to_bitmask();
    (u64::from(slashes), is(b'.') | is(b'%'))
}

/// A path of less than eight bytes, filled up with zeros.
#[inline(always)]
fn short_block(path: &[u8]) -> [u8; 16] {
    let block = if let (Some(first), Some(last)) = (path.first_chunk::<4>(), path.last_chunk::<4>())
    {
        let bits = (path.len() as u32).wrapping_mul(8);
        let upper = u64::from(u32::from_le_bytes(*last)).wrapping_shl(bits.wrapping_sub(32));
        upper | u64::from(u32::from_le_bytes(*first))
    } else {
        match *path {
            [a] => u64::from(a),
            [a, b] => u64::from(u16::from_le_bytes([a, b])),
            [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
            _ => 0,
        }
    };
    u128::from(block).to_le_bytes()
}

/// A segment in the normal form that patterns are written in; `None` if it is longer than any pattern
/// or has an escape that is none, and so is in no pattern.
pub(crate) fn normal(segment: &[u8]) -> Option<heapless::Vec<u8, PATTERN_BYTES_MAX>> {
    let mut text = heapless::Vec::new();
    for token in Tokens(segment) {
        if token.raw == 1 && token.text() == b"%" {
            return None;
        }
        text.extend_from_slice(token.text()).ok()?;
    }
    Some(text)
}

/// What of a segment of a path is between these two literals of a pattern. Escapes
/// count as in [`normal`], so that an escaped letter is the letter here too.
#[cold]
#[inline(never)]
pub(crate) fn between(
    segment: &[u8],
    before: &[u8],
    behind: &[u8],
    rules: Matching,
) -> Option<core::ops::Range<usize>> {
    let same = |a: &Token, b: &Token| rules.same_text(a.text(), b.text());
    let total = segment.len();
    let mut rest = segment;
    let mut literal = before;
    while !literal.is_empty() {
        let (want, have) = (Token::first(literal)?, Token::first(rest)?);
        if !same(&want, &have) {
            return None;
        }
        (literal, rest) = (literal.get(want.raw..)?, rest.get(have.raw..)?);
    }
    // The value takes all tokens but as many as the literal behind it has.
    let start = total.checked_sub(rest.len())?;
    let count = |text| Tokens(text).count();
    let mut value = count(rest).checked_sub(count(behind))?;
    while value > 0 {
        rest = rest.get(Token::first(rest)?.raw..)?;
        value = value.checked_sub(1)?;
    }
    let end = total.checked_sub(rest.len())?;
    let equal = Tokens(rest)
        .zip(Tokens(behind))
        .all(|(have, want)| same(&have, &want));
    equal.then_some(start..end)
}

/// One character of a path, in the form that patterns have.
struct Token {
    text: [u8; 3],
    used: usize,
    /// Bytes of the path that it took.
    raw: usize,
}

impl Token {
    fn first(text: &[u8]) -> Option<Token> {
        const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
        let plain = |byte| Token {
            text: [byte, 0, 0],
            used: 1,
            raw: 1,
        };
        let raw = *text.first()?;
        Some(match escape(text) {
            Some(code) if is_unreserved(code) => Token {
                raw: 3,
                ..plain(code)
            },
            Some(code) => {
                let [high, low] = [code >> 4, code & 0xf].map(usize::from);
                let digit = |at: usize| DIGITS.get(at).copied().unwrap_or_default();
                Token {
                    text: [b'%', digit(high), digit(low)],
                    used: 3,
                    raw: 3,
                }
            }
            // An escape that is none is in no pattern, and so equal to nothing.
            None => plain(raw),
        })
    }

    fn text(&self) -> &[u8] {
        self.text.get(..self.used).unwrap_or_default()
    }
}

/// The characters of a text.
struct Tokens<'t>(&'t [u8]);

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let token = Token::first(self.0)?;
        self.0 = self.0.get(token.raw..)?;
        Some(token)
    }
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

    /// The segment behind `at`, both ways.
    fn check(path: &[u8], at: usize) {
        let marks = Marks::of(path);
        let rest = path.get(at + 1..);
        let length = rest.map(|rest| rest.split(|&b| b == b'/').next().unwrap().len());
        let want = length
            .filter(|_| at < path.len())
            .map(|length| at + 1 + length);
        let mut next = marks.next::<false>(marks.cursor(at));
        assert_eq!(next.map(|next| next.1.at), want, "{at} in {path:?}");
        if crate::VECTORS && path.len() < 64 {
            let near = marks.next::<true>(marks.cursor(at));
            assert_eq!(near.map(|next| next.1.at), want, "{at} in {path:?}");
        }
        // Going on is the same as going there.
        while let Some((segment, cursor)) = next {
            assert_eq!(
                path.get(cursor.at - segment.len()..cursor.at),
                Some(segment)
            );
            next = marks.next::<false>(cursor);
            let there = marks.next::<false>(marks.cursor(cursor.at));
            assert_eq!(next.map(|next| next.0), there.map(|next| next.0));
        }
    }

    proptest! {
        #[test]
        fn segments_end_at_slashes_wherever_they_are(path in bytes()) {
            let marks = Marks::of(&path);
            let special = path.iter().any(|b| matches!(b, b'.' | b'%'));
            prop_assert!(marks.special || !special);
            prop_assert!(!crate::VECTORS || path.len() >= 64 || marks.special == special);
            for at in 0..=path.len() + 2 {
                check(&path, at);
            }
        }

        #[test]
        fn equal_is_equal_and_has_one_hash(a in bytes(), b in bytes(), at in 0usize..150) {
            prop_assert_eq!(equal(&a, &b), a == b);
            let mut c = a.clone();
            prop_assert!(equal(&a, &c));
            let cases = [a.to_ascii_lowercase(), a.to_ascii_uppercase()];
            prop_assert!(cases.iter().all(|case| hash(case) == hash(&a)));
            prop_assert_eq!(hash_all(&a), hash_all(&c));
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
                for at in 0..=len + 2 {
                    check(&path, at);
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
