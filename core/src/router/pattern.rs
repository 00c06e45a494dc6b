//! The grammar of patterns, and the segments that they are compared by.
//!
//! ```text
//! pattern = 1*( "/" segment )
//! segment = literal | "{" name "}" | "{*" name "}"     ; the last form only at the end
//! literal = *( pchar )                                 ; RFC 3986 section 3.3, in normal form
//! name    = ( letter | "_" ) *( letter | digit | "_" )
//! ```
//!
//! Patterns are written in normal form, so that their literals can be compared as bytes. Their unit is
//! the segment with the slash before it: two params with different names are equal in shape.

use super::error::{Reason, RouteError};

/// Params in one pattern. An API that names more than eight things in its path is hard to find, and
/// the positions of eight params are half a cache line.
pub const PARAMS_MAX: usize = 8;

/// Segments in one pattern. Bounds the alternatives that a lookup has to remember; twice what the
/// longest paths of large public APIs have.
pub const SEGMENTS_MAX: usize = 16;

/// Bytes in one pattern: 16 segments of 15 characters. Bounds the text of error messages.
pub const PATTERN_BYTES_MAX: usize = 255;

/// Whether the pattern keeps the grammar.
pub(crate) const fn check(pattern: &'static str) -> Result<(), RouteError> {
    let text = pattern.as_bytes();
    if text.len() > PATTERN_BYTES_MAX {
        return bad(pattern, Reason::TooLong, PATTERN_BYTES_MAX);
    }
    if byte(text, 0) != b'/' {
        return bad(pattern, Reason::NoLeadingSlash, 0);
    }
    let mut at = 0;
    let mut segments = 0;
    let mut params = 0;
    // Every turn reads one segment; `at` stands on the '/' before it.
    while at < text.len() {
        segments += 1;
        if segments > SEGMENTS_MAX {
            return bad(pattern, Reason::TooManySegments, at);
        }
        let checked = if byte(text, at + 1) == b'{' {
            params += 1;
            check_param(pattern, at + 1)
        } else {
            check_literal(pattern, at + 1)
        };
        at = match checked {
            Ok(end) => end,
            Err(error) => return Err(error),
        };
        if params > PARAMS_MAX {
            return Err(RouteError::TooManyParams { pattern });
        }
    }
    Ok(())
}

/// Checks the param whose brace stands at `start`; says where its segment ends.
const fn check_param(pattern: &'static str, start: usize) -> Result<usize, RouteError> {
    let text = pattern.as_bytes();
    let is_rest = byte(text, start + 1) == b'*';
    let name = if is_rest { start + 2 } else { start + 1 };
    let mut end = name;
    while is_name(byte(text, end)) {
        end += 1;
    }
    if end >= text.len() {
        return bad(pattern, Reason::Unclosed, start);
    }
    if byte(text, end) != b'}' || end == name || byte(text, name).is_ascii_digit() {
        return bad(pattern, Reason::BadName, end);
    }
    let mut from = 0;
    while let Some((first, last)) = next_name(text, from) {
        if first >= name {
            break;
        }
        if same(text, (first, last), (name, end)) {
            return Err(RouteError::DuplicateParam { pattern, at: name });
        }
        from = last;
    }
    let next = end + 1;
    if next < text.len() && byte(text, next) != b'/' {
        return bad(pattern, Reason::PartialSegment, next);
    }
    if next < text.len() && is_rest {
        return bad(pattern, Reason::RestNotLast, next);
    }
    Ok(next)
}

/// Checks the literal segment that begins at `start`; says where it ends.
const fn check_literal(pattern: &'static str, start: usize) -> Result<usize, RouteError> {
    let text = pattern.as_bytes();
    let mut at = start;
    while at < text.len() && byte(text, at) != b'/' {
        let next = byte(text, at);
        if next == b'%' {
            at += match escape(tail(text, at)) {
                Some(code) if is_unreserved(code) => {
                    return bad(pattern, Reason::NeedlessEscape, at);
                }
                Some(_)
                    if !byte(text, at + 1).is_ascii_lowercase()
                        && !byte(text, at + 2).is_ascii_lowercase() =>
                {
                    3
                }
                _ => return bad(pattern, Reason::BadEscape, at),
            };
        } else if next == b'{' || next == b'}' {
            return bad(pattern, Reason::PartialSegment, at);
        } else if is_pchar(next) {
            at += 1;
        } else {
            return bad(pattern, Reason::ForbiddenByte, at);
        }
    }
    let dots = byte(text, start) == b'.';
    if dots && (at == start + 1 || at == start + 2 && byte(text, start + 1) == b'.') {
        return bad(pattern, Reason::DotSegment, start);
    }
    Ok(at)
}

const fn bad<T>(pattern: &'static str, reason: Reason, at: usize) -> Result<T, RouteError> {
    Err(RouteError::BadPattern {
        pattern,
        reason,
        at,
    })
}

/// First and last position of the next param's name, braces and star taken off.
pub(crate) const fn next_name(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut start = from;
    while start < text.len() && byte(text, start) != b'{' {
        start += 1;
    }
    if start >= text.len() {
        return None;
    }
    start += if byte(text, start + 1) == b'*' { 2 } else { 1 };
    let mut end = start;
    while end < text.len() && byte(text, end) != b'}' {
        end += 1;
    }
    Some((start, end))
}

/// The length of the first segment of checked pattern text, with the slash before it.
pub(crate) const fn segment_end(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && byte(text, at) != b'/' {
        at += 1;
    }
    if at < text.len() { at } else { text.len() }
}

/// The lengths of the first four pieces of checked pattern text, one byte each, from the lowest. A
/// piece is a segment with the slash before it. (Zeros for pieces that are not there.)
pub(crate) const fn shape(text: &[u8]) -> u32 {
    let mut shape = 0;
    let mut rest = text;
    let mut piece = 0;
    while piece < 4 {
        let end = segment_end(rest);
        // Patterns have at most 255 bytes.
        shape |= (end as u32 & 0xff) << (8 * piece);
        rest = tail(rest, end);
        piece += 1;
    }
    shape
}

/// How much the two texts have in common, in whole segments, as lengths in each: names of params may
/// differ.
pub(crate) const fn common(a: &[u8], b: &[u8]) -> (usize, usize) {
    let (mut in_a, mut in_b) = (0, 0);
    loop {
        let (rest_a, rest_b) = (tail(a, in_a), tail(b, in_b));
        let (end_a, end_b) = (segment_end(rest_a), segment_end(rest_b));
        let kind = Kind::of(rest_a);
        let same = if kind.is(Kind::Literal) {
            same_text(head(rest_a, end_a), head(rest_b, end_b))
        } else {
            kind.is(Kind::of(rest_b))
        };
        if rest_a.is_empty() || rest_b.is_empty() || !same {
            return (in_a, in_b);
        }
        in_a += end_a;
        in_b += end_b;
    }
}

/// `==` for const functions.
pub(crate) const fn same_text(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && byte(a, at) == byte(b, at) {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// What the first segment of checked pattern text is, by the character behind the slash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(crate) enum Kind {
    /// Text that stands for itself.
    Literal,
    /// `{name}`: one segment.
    Param,
    /// `{*name}`: everything that is left.
    Rest,
}

impl Kind {
    pub(crate) const fn of(text: &[u8]) -> Kind {
        match (byte(text, 1), byte(text, 2)) {
            (b'{', b'*') => Kind::Rest,
            (b'{', _) => Kind::Param,
            _ => Kind::Literal,
        }
    }

    /// `==` for const functions.
    pub(crate) const fn is(self, other: Kind) -> bool {
        self as u16 == other as u16
    }
}

/// The character that `text` begins with, if that is an escape.
pub(crate) const fn escape(text: &[u8]) -> Option<u8> {
    match text {
        [b'%', high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Some(high << 4 | low),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// RFC 3986 section 2.3.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 section 3.3, escapes left aside.
const fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const fn same(text: &[u8], a: (usize, usize), b: (usize, usize)) -> bool {
    if a.1 - a.0 != b.1 - b.0 {
        return false;
    }
    let mut i = 0;
    while a.0 + i < a.1 {
        if byte(text, a.0 + i) != byte(text, b.0 + i) {
            return false;
        }
        i += 1;
    }
    true
}

/// The byte at a position; 0, which no pattern holds, beyond the end. `get` is not const.
pub(crate) const fn byte(text: &[u8], at: usize) -> u8 {
    if at < text.len() { text[at] } else { 0 }
}

/// Everything from a position on. A range of a slice is not const.
pub(crate) const fn tail(text: &[u8], at: usize) -> &[u8] {
    match text.split_at_checked(at) {
        Some((_, tail)) => tail,
        None => &[],
    }
}

/// Everything before a position.
pub(crate) const fn head(text: &[u8], at: usize) -> &[u8] {
    match text.split_at_checked(at) {
        Some((head, _)) => head,
        None => text,
    }
}
