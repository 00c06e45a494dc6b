//! The grammar of patterns, and the segments that they are compared by.
//!
//! ```text
//! pattern = 1*( "/" segment )
//! segment = literal                           ; stands for itself
//!         | literal "{" name "}" literal      ; one param, what is before and behind it may be empty
//!         | "{*" name "}"                     ; all that is left; only at the end
//! literal = *( pchar )                        ; RFC 3986 section 3.3, in normal form
//! name    = ( letter | "_" ) *( letter | digit | "_" )
//! ```
//!
//! Patterns are written in normal form, so that their literals can be compared as bytes. Their unit is
//! the segment with the slash before it: two params with different names are equal in shape.

use super::error::{Reason, RouteError};
use super::matching::Matching;

/// Params in one pattern. An API that names more than eight things in its path is hard to find, and
/// the positions of eight params are half a cache line.
pub const PARAMS_MAX: usize = 8;

/// Segments in one pattern. Bounds the alternatives that a lookup has to remember; twice what the
/// longest paths of large public APIs have.
pub const SEGMENTS_MAX: usize = 16;

/// Params with text around them that may be alternatives at one place of a table. They are tried one
/// after the other, so their number is a factor in what a lookup costs; file types and versions of an API
/// are fewer.
pub const AFFIXED_MAX: usize = 8;

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
        let checked = check_literal(pattern, at + 1, Place::Begin);
        let checked = match checked {
            Ok(brace) if byte(text, brace) == b'{' => {
                params += 1;
                check_param(pattern, at + 1, brace)
            }
            other => other,
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

/// Checks the param whose brace stands at `start`, in the segment that begins at `segment`; says where
/// that ends.
const fn check_param(
    pattern: &'static str,
    segment: usize,
    start: usize,
) -> Result<usize, RouteError> {
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
    if !is_rest {
        return check_literal(pattern, next, Place::Behind);
    }
    if start > segment || next < text.len() && byte(text, next) != b'/' {
        return bad(pattern, Reason::PartialRest, start);
    }
    if next < text.len() {
        return bad(pattern, Reason::RestNotLast, next);
    }
    Ok(next)
}

/// Where literal text stands in its segment: from the beginning, or behind a param.
#[derive(Clone, Copy)]
enum Place {
    Begin,
    Behind,
}

/// Checks the literal text that begins at `start`; says where it ends: at a slash, at the end of the
/// pattern, or at the brace of a param.
const fn check_literal(
    pattern: &'static str,
    start: usize,
    place: Place,
) -> Result<usize, RouteError> {
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
        } else if next == b'}' {
            return bad(pattern, Reason::StrayBrace, at);
        } else if next == b'{' {
            return match place {
                Place::Begin => Ok(at),
                Place::Behind => bad(pattern, Reason::TwoParams, at),
            };
        } else if is_pchar(next) {
            at += 1;
        } else {
            return bad(pattern, Reason::ForbiddenByte, at);
        }
    }
    let dots = matches!(place, Place::Begin) && byte(text, start) == b'.';
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

/// The first four pieces of checked pattern text, from the lowest: their lengths, 8 bits each, and their
/// [`Kind`]s, 2 bits each. A piece is a segment with the slash before it. (Zeros for pieces that are not
/// there.)
pub(crate) const fn pieces(text: &[u8]) -> (u32, u8) {
    let (mut lengths, mut kinds) = (0, 0);
    let mut rest = text;
    let mut piece = 0;
    while piece < 4 {
        let end = segment_end(rest);
        // Patterns have at most 255 bytes.
        lengths |= (end as u32 & 0xff) << (8 * piece);
        kinds |= (Kind::of(rest) as u8) << (2 * piece);
        rest = tail(rest, end);
        piece += 1;
    }
    (lengths, kinds)
}

/// Where the first segment of checked pattern text stands in the order of what is tried: the lower goes
/// first. Two params with text around them have the same rank if it is as much.
pub(crate) const fn rank(text: &[u8]) -> u16 {
    match Kind::of(text) {
        Kind::Literal => 0,
        Kind::Affixed => {
            let (before, behind) = affixes(head(text, segment_end(text)));
            // The slash, the text and the param's three bytes or more are a part of a pattern, which
            // is shorter than 256 bytes.
            256 - before.len() as u16 - behind.len() as u16
        }
        Kind::Param => 256,
        Kind::Rest => 257,
    }
}

/// How much the two texts have in common, in whole segments, as lengths in each: names of params may
/// differ.
pub(crate) const fn common(a: &[u8], b: &[u8], rules: Matching) -> (usize, usize) {
    let (mut in_a, mut in_b) = (0, 0);
    loop {
        let (rest_a, rest_b) = (tail(a, in_a), tail(b, in_b));
        if rest_a.is_empty() || rest_b.is_empty() || !same_segment(rest_a, rest_b, rules) {
            return (in_a, in_b);
        }
        in_a += segment_end(rest_a);
        in_b += segment_end(rest_b);
    }
}

/// Whether the first segments of the two texts match the same: names of params may differ.
pub(crate) const fn same_segment(a: &[u8], b: &[u8], rules: Matching) -> bool {
    let (a, b) = (head(a, segment_end(a)), head(b, segment_end(b)));
    let kind = Kind::of(a);
    if !kind.is(Kind::of(b)) {
        return false;
    }
    match kind {
        Kind::Literal => rules.same_text(a, b),
        Kind::Affixed => {
            let ((before_a, behind_a), (before_b, behind_b)) = (affixes(a), affixes(b));
            rules.same_text(before_a, before_b) && rules.same_text(behind_a, behind_b)
        }
        Kind::Param | Kind::Rest => true,
    }
}

/// Whether the first segments of the two texts are params with as much text around them, of which both
/// can match one segment: `a{x}` and `{x}b` match `a1b`, and neither is better.
pub(crate) const fn rivals(a: &[u8], b: &[u8], rules: Matching) -> bool {
    if !Kind::of(a).is(Kind::Affixed) || !Kind::of(b).is(Kind::Affixed) {
        return false;
    }
    let (before_a, behind_a) = affixes(head(a, segment_end(a)));
    let (before_b, behind_b) = affixes(head(b, segment_end(b)));
    // Of two texts that both begin a segment, one begins the other; and so from the end.
    let before = min(before_a.len(), before_b.len());
    let behind = min(behind_a.len(), behind_b.len());
    before_a.len() + behind_a.len() == before_b.len() + behind_b.len()
        && rules.same_text(head(before_a, before), head(before_b, before))
        && rules.same_text(
            tail(behind_a, behind_a.len() - behind),
            tail(behind_b, behind_b.len() - behind),
        )
}

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

/// What is before and behind the param of this piece; the former with the slash. The braces of a param
/// are the only ones in a pattern.
pub(crate) const fn affixes(piece: &[u8]) -> (&[u8], &[u8]) {
    let mut open = 0;
    while open < piece.len() && byte(piece, open) != b'{' {
        open += 1;
    }
    let mut close = piece.len();
    while close > open && byte(piece, close - 1) != b'}' {
        close -= 1;
    }
    (head(piece, open), tail(piece, close))
}

/// What the first segment of checked pattern text is. In every segment of a path the lower one is tried
/// first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Text that stands for itself.
    Literal,
    /// `v{name}`, `{name}.json`: a part of one segment, the rest of which stands for itself.
    Affixed,
    /// `{name}`: one segment.
    Param,
    /// `{*name}`: everything that is left.
    Rest,
}

impl Kind {
    pub(crate) const fn of(text: &[u8]) -> Kind {
        let end = segment_end(text);
        let (before, behind) = affixes(head(text, end));
        match (byte(text, 1), byte(text, 2)) {
            (b'{', b'*') => Kind::Rest,
            _ if before.len() >= end => Kind::Literal,
            (b'{', _) if behind.is_empty() => Kind::Param,
            _ => Kind::Affixed,
        }
    }

    /// `==` for const functions.
    pub(crate) const fn is(self, other: Kind) -> bool {
        self as u8 == other as u8
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
