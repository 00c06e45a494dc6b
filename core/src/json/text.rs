//! Strings as they are written (RFC 8259 section 7), and what they mean.

use super::error::Kind;

/// A JSON string, checked: the bytes between its quotes, escapes and all.
///
/// What it means is valid UTF-8 and never longer than what was written.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    raw: &'a [u8],
    /// 1 if there is a backslash, else 0. A word, for the reason that [`Kind`] is one.
    escapes: usize,
}

/// The buffer does not hold the decoded string; what lies in it now is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// How many bytes the decoded string has.
    pub needed: usize,
}

impl<'a> Text<'a> {
    /// `raw` was checked by the scanner, and `escapes` says whether it holds a backslash.
    #[inline]
    pub(super) const fn checked(raw: &'a [u8], escapes: bool) -> Self {
        Self {
            raw,
            escapes: escapes as usize,
        }
    }

    /// The bytes between the quotes as they were written: valid UTF-8, escapes not decoded.
    #[inline]
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether anything is escaped. If not, [`raw`](Self::raw) is what the string means.
    #[inline]
    #[must_use]
    pub const fn has_escapes(&self) -> bool {
        self.escapes != 0
    }

    /// The string where it lies; `None` if it has escapes.
    ///
    /// Looks at every byte once more (core forbids the unsafe code that could vouch for them).
    /// Who only wants bytes takes [`raw`](Self::raw) after [`has_escapes`](Self::has_escapes).
    #[must_use]
    pub fn as_plain(&self) -> Option<&'a str> {
        if self.has_escapes() {
            None
        } else {
            core::str::from_utf8(self.raw).ok()
        }
    }

    /// How many bytes the decoded string has. Never more than `raw().len()`.
    #[must_use]
    pub fn decoded_len(&self) -> usize {
        if !self.has_escapes() {
            return self.raw.len();
        }
        self.pieces()
            .fold(0, |sum, piece| sum.wrapping_add(piece.len()))
    }

    /// Whether the decoded string is this one.
    #[inline]
    #[must_use]
    pub fn eq_str(&self, other: &str) -> bool {
        if self.has_escapes() {
            self.eq_decoded(other.as_bytes())
        } else {
            self.raw == other.as_bytes()
        }
    }

    #[cold]
    fn eq_decoded(&self, mut other: &[u8]) -> bool {
        for piece in self.pieces() {
            match other.strip_prefix(piece.bytes(&mut [0; 4])) {
                Some(rest) => other = rest,
                None => return false,
            }
        }
        other.is_empty()
    }

    /// Decodes into the front of `into` and returns that part: valid UTF-8.
    ///
    /// # Errors
    ///
    /// [`Short`] if `into` has fewer than [`decoded_len`](Self::decoded_len) bytes.
    pub fn unescape<'b>(&self, into: &'b mut [u8]) -> Result<&'b [u8], Short> {
        let mut end = 0usize;
        for piece in self.pieces() {
            let mut scratch = [0; 4];
            let bytes = piece.bytes(&mut scratch);
            let room = into
                .get_mut(end..)
                .and_then(|rest| rest.get_mut(..bytes.len()));
            let Some(room) = room else {
                return Err(Short {
                    needed: self.decoded_len(),
                });
            };
            room.copy_from_slice(bytes);
            end = end.wrapping_add(bytes.len());
        }
        Ok(into.get(..end).unwrap_or_default())
    }

    fn pieces(&self) -> Pieces<'a> {
        Pieces { rest: self.raw }
    }
}

/// Part of a decoded string.
enum Piece<'a> {
    /// Bytes that mean themselves.
    Run(&'a [u8]),
    /// An escape decoded.
    Char(char),
}

impl<'a> Piece<'a> {
    fn len(&self) -> usize {
        match self {
            Piece::Run(bytes) => bytes.len(),
            Piece::Char(char) => char.len_utf8(),
        }
    }

    fn bytes<'b>(&self, scratch: &'b mut [u8; 4]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Piece::Run(bytes) => bytes,
            Piece::Char(char) => char.encode_utf8(scratch).as_bytes(),
        }
    }
}

/// The pieces of a checked string, in order; none is an empty run.
struct Pieces<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let [b'\\', after @ ..] = self.rest {
            // The scanner has seen every escape of this string succeed.
            let (char, len) = escape(after).ok()?;
            self.rest = after.get(len..).unwrap_or_default();
            return Some(Piece::Char(char));
        }
        let end = self
            .rest
            .iter()
            .position(|&byte| byte == b'\\')
            .unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        if run.is_empty() {
            None
        } else {
            Some(Piece::Run(run))
        }
    }
}

/// Decodes one escape from the bytes behind its backslash: the character, and how many of those
/// bytes it takes. The scanner checks with the same function that later decodes.
pub(super) fn escape(after: &[u8]) -> Result<(char, usize), Kind> {
    let (&letter, digits) = after.split_first().ok_or(Kind::Early)?;
    let char = match letter {
        b'"' | b'\\' | b'/' => char::from(letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(digits),
        _ => return Err(Kind::Escape),
    };
    Ok((char, 1))
}

/// The character of a `\u` escape, from the bytes behind the `u`. Beyond U+FFFF two escapes make
/// one character, and then both must be there.
fn unicode(digits: &[u8]) -> Result<(char, usize), Kind> {
    let (first, rest) = unit(digits)?;
    if let Some(char) = char::from_u32(first) {
        return Ok((char, 5));
    }
    // Only the surrogates D800 to DFFF are no characters: the high half must come first.
    let rest = match rest {
        [b'\\', b'u', rest @ ..] if first < 0xDC00 => rest,
        [] | [b'\\'] if first < 0xDC00 => return Err(Kind::Early),
        _ => return Err(Kind::Surrogate),
    };
    let (second, _) = unit(rest)?;
    if !matches!(second, 0xDC00..=0xDFFF) {
        return Err(Kind::Surrogate);
    }
    let code = 0x1_0000 + ((first & 0x3FF) << 10 | second & 0x3FF);
    char::from_u32(code)
        .map(|char| (char, 11))
        .ok_or(Kind::Surrogate)
}

/// Four hexadecimal digits in either case, and what follows them.
fn unit(digits: &[u8]) -> Result<(u32, &[u8]), Kind> {
    let (four, rest) = digits.split_at_checked(4).unwrap_or((digits, &[]));
    let mut value = 0;
    for &byte in four {
        let digit = char::from(byte).to_digit(16).ok_or(Kind::Escape)?;
        value = value << 4 | digit;
    }
    if four.len() < 4 {
        Err(Kind::Early)
    } else {
        Ok((value, rest))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{string::String, vec, vec::Vec};

    fn text(raw: &str) -> Text<'_> {
        Text::checked(raw.as_bytes(), raw.contains('\\'))
    }

    /// Written between the quotes, and meant.
    const CASES: &[(&str, &str)] = &[
        ("", ""),
        ("plain", "plain"),
        ("grün 語 😀", "grün 語 😀"),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\u0075serId", "userId"),
        (r"user\u0049d", "userId"),
        (r"\u0000", "\0"),
        (r"\u00fc\u00FC", "üü"),
        (r"\uFFFF\uffff", "\u{ffff}\u{ffff}"),
        (r"\ud7ff\ue000", "\u{d7ff}\u{e000}"),
        (r"\ud83d\ude00", "😀"),
        (r"\uD800\uDC00", "\u{10000}"),
        (r"\udbff\udfff", "\u{10ffff}"),
        (r"a\ud83d\ude00b\nc", "a😀b\nc"),
        (r"\\u0041", r"\u0041"),
    ];

    #[test]
    fn escapes_mean_what_the_plain_bytes_mean() {
        for &(raw, meant) in CASES {
            let text = text(raw);
            let mut bytes = vec![0; raw.len()];
            assert_eq!(text.unescape(&mut bytes), Ok(meant.as_bytes()), "{raw}");
            assert_eq!(text.decoded_len(), meant.len(), "{raw}");
            assert!(text.eq_str(meant), "{raw}");
            assert_eq!(text.as_plain(), (!raw.contains('\\')).then_some(meant));
            assert_eq!(text.has_escapes(), raw.contains('\\'));
            assert_eq!(text.raw(), raw.as_bytes());
        }
    }

    #[test]
    fn a_string_equals_no_other_string() {
        for &(raw, _) in CASES {
            for &(_, meant) in CASES {
                let mut bytes = vec![0; raw.len()];
                let same = text(raw).unescape(&mut bytes) == Ok(meant.as_bytes());
                assert_eq!(text(raw).eq_str(meant), same, "{raw} {meant}");
            }
        }
        assert!(!text(r"user\u0049d").eq_str("userI"));
        assert!(!text(r"user\u0049d").eq_str("userIdx"));
        assert!(!text(r"\u00fc").eq_str("\u{c3}"));
    }

    #[test]
    fn a_buffer_of_the_decoded_length_is_enough_and_one_less_is_not() {
        for &(raw, meant) in CASES {
            let mut exact = vec![0; meant.len()];
            assert_eq!(text(raw).unescape(&mut exact), Ok(meant.as_bytes()));
            for len in 0..meant.len() {
                let short = text(raw).unescape(&mut exact[..len]);
                assert_eq!(
                    short,
                    Err(Short {
                        needed: meant.len()
                    }),
                    "{raw}"
                );
            }
        }
    }

    #[test]
    fn every_unit_of_utf16_decodes_alone_or_not_at_all() {
        for unit in 0..=u16::MAX {
            let escaped: Vec<u8> = std::format!("u{unit:04x}").into_bytes();
            match String::from_utf16(&[unit]) {
                Ok(string) => assert_eq!(escape(&escaped), Ok((string.parse().unwrap(), 5))),
                Err(_) => {
                    let kind = if unit < 0xDC00 {
                        Kind::Early
                    } else {
                        Kind::Surrogate
                    };
                    assert_eq!(escape(&escaped), Err(kind));
                }
            }
        }
    }

    #[test]
    fn escapes_that_are_none_say_why() {
        let cases: &[(&str, Kind)] = &[
            ("", Kind::Early),
            ("a", Kind::Escape),
            ("U0041", Kind::Escape),
            ("x41", Kind::Escape),
            ("'", Kind::Escape),
            ("0", Kind::Escape),
            ("u", Kind::Early),
            ("u004", Kind::Early),
            ("u0g", Kind::Escape),
            ("u00g0", Kind::Escape),
            ("u+041", Kind::Escape),
            ("u 041", Kind::Escape),
            (r"ud83d\ude0", Kind::Early),
            (r"ud83d\udg00", Kind::Escape),
            (r"ud83d", Kind::Early),
            (r"ud83d\", Kind::Early),
            (r"ude00", Kind::Surrogate),
            (r"ude00\", Kind::Surrogate),
            (r"ud83d\n", Kind::Surrogate),
            (r"ud83dude00", Kind::Surrogate),
            (r"ud83d\ud83d\ude00", Kind::Surrogate),
            (r"ud83d\u0041", Kind::Surrogate),
            (r"ude00\ud83d", Kind::Surrogate),
            (r"ude00\ude00", Kind::Surrogate),
        ];
        for &(after, kind) in cases {
            assert_eq!(escape(after.as_bytes()), Err(kind), "{after}");
        }
    }
}
