//! The grammar of patterns, and the tokens that pattern text and path bytes are compared by.
//!
//! ```text
//! pattern = 1*( "/" segment )
//! segment = literal | "{" name "}" | "{*" name "}"     ; the last form only at the end
//! literal = *( pchar )                                 ; RFC 3986 section 3.3, in normal form
//! name    = ( letter | "_" ) *( letter | digit | "_" )
//! ```
//!
//! Text of a pattern is read in *tokens*: a whole `{...}`, a whole `%XX`, or one byte. Nothing ever
//! cuts a token in two, so two params with different names stay equal in shape, and an escape can be
//! compared as the one character that it is.

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

/// Length of the first token of checked pattern text; 0 at its end.
const fn token_len(text: &[u8]) -> usize {
    match byte(text, 0) {
        b'%' => 3,
        b'{' => {
            let mut end = 1;
            while end < text.len() && byte(text, end) != b'}' {
                end += 1;
            }
            end + 1
        }
        _ if text.is_empty() => 0,
        _ => 1,
    }
}

/// How much the two texts have in common, as lengths in each: names of params may differ.
pub(crate) const fn common(a: &[u8], b: &[u8]) -> (usize, usize) {
    let (mut in_a, mut in_b) = (0, 0);
    loop {
        let (rest_a, rest_b) = (tail(a, in_a), tail(b, in_b));
        if rest_a.is_empty() || Key::of_pattern(rest_a).0 != Key::of_pattern(rest_b).0 {
            return (in_a, in_b);
        }
        in_a += token_len(rest_a);
        in_b += token_len(rest_b);
    }
}

/// What a token matches. Escaped and raw reserved characters are different things (`%2F` is not `/`,
/// RFC 3986 section 2.2), escaped and raw unreserved ones are the same (section 6.2.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key(u16);

impl Key {
    /// `{name}`: one segment.
    pub(crate) const PARAM: Key = Key(0x200);
    /// `{*name}`: everything that is left.
    pub(crate) const REST: Key = Key(0x201);
    /// Nothing: the end of the text, or an escape that is none.
    pub(crate) const NONE: Key = Key(0x202);

    /// The first token of checked pattern text.
    pub(crate) const fn of_pattern(text: &[u8]) -> Key {
        match byte(text, 0) {
            b'{' if byte(text, 1) == b'*' => Key::REST,
            b'{' => Key::PARAM,
            _ => Key::of_path(text),
        }
    }

    /// The first character of a path.
    #[inline]
    pub(crate) const fn of_path(path: &[u8]) -> Key {
        match path.first() {
            Some(b'%') => match escape(path) {
                Some(code) if is_unreserved(code) => Key(code as u16),
                Some(code) => Key(0x100 | code as u16),
                None => Key::NONE,
            },
            Some(&raw) => Key(raw as u16),
            None => Key::NONE,
        }
    }

    pub(crate) const fn is_literal(self) -> bool {
        self.0 < Key::PARAM.0
    }

    /// `==` for const functions.
    pub(crate) const fn is(self, other: Key) -> bool {
        self.0 == other.0
    }
}

/// What is left of the path after this literal, if the path begins with it.
#[inline]
pub(crate) fn strip_literal<'p>(path: &'p [u8], literal: &[u8]) -> Option<&'p [u8]> {
    match path.split_at_checked(literal.len()) {
        Some((head, rest)) if head == literal => Some(rest),
        // Every character of the pattern takes at least as many bytes in the path.
        None => None,
        Some(_) => strip_escaped(path, literal),
    }
}

/// The same, character by character; stops at the first one that differs.
#[cold]
fn strip_escaped<'p>(mut path: &'p [u8], mut literal: &[u8]) -> Option<&'p [u8]> {
    while !literal.is_empty() {
        let key = Key::of_path(path);
        if key == Key::NONE || key != Key::of_path(literal) {
            return None;
        }
        path = path.get(char_len(path)..)?;
        literal = literal.get(char_len(literal)..)?;
    }
    Some(path)
}

const fn char_len(path: &[u8]) -> usize {
    if byte(path, 0) == b'%' { 3 } else { 1 }
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

/// The character that `text` begins with, if that is an escape.
const fn escape(text: &[u8]) -> Option<u8> {
    match text {
        [b'%', high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Some(high << 4 | low),
            _ => None,
        },
        _ => None,
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
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
