//! A place in a text, and the tokens that can stand there.

use super::error::{Error, Kind};
use super::levels::{Level, Levels};
use super::number::Number;
use super::scan::{Place, Value};
use super::text::{self, Text};

/// A position in the text, as what is left of it: one comparison then says that eight bytes are
/// there, where an offset needs two and an addition.
///
/// What can fail returns the `Kind` alone and leaves the cursor at the fault: one byte goes through
/// the calls in a register where an `Error` would go through memory. What is inlined moves the
/// cursor; what is called takes a copy and returns another, because a cursor whose address is given
/// away once lies in memory everywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(super) fn peek(self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Goes on by as many bytes as were seen to be there.
    #[inline(always)]
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Skips white space (section 2: these four bytes and no others).
    #[inline(always)]
    pub(super) fn space(&mut self) {
        // Compact texts leave after this one comparison.
        if let [0..=b' ', ..] = self.rest {
            *self = self.spaces();
        }
    }

    #[inline(never)]
    fn spaces(mut self) -> Self {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self
    }

    /// Skips this byte; another one is a fault.
    #[inline(always)]
    pub(super) fn take(&mut self, byte: u8, kind: Kind) -> Result<(), Kind> {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(self.fault(kind)),
        }
    }

    /// An error here, in a text of `len` bytes.
    #[cold]
    pub(super) fn error(self, kind: Kind, len: usize) -> Error {
        Error {
            at: len.wrapping_sub(self.rest.len()),
            kind,
        }
    }

    /// A fault here: of this kind, or that the text has ended.
    #[cold]
    fn fault(self, kind: Kind) -> Kind {
        if self.rest.is_empty() {
            Kind::Early
        } else {
            kind
        }
    }

    /// The text ends within what stands here.
    #[cold]
    fn early(&mut self) -> Kind {
        self.rest = &[];
        Kind::Early
    }

    /// A member whose opening quote has been skipped.
    #[inline(always)]
    pub(super) fn member(&mut self) -> Result<(Text<'a>, Value<'a>), Kind> {
        let key = self.key()?;
        let value = match self.rest {
            [b'"', rest @ ..] => {
                self.rest = rest;
                Value::Text(self.string()?)
            }
            [b'-' | b'0'..=b'9', ..] => Value::Number(self.number()?),
            _ => {
                let (value, cursor) = self.other();
                *self = cursor;
                value?
            }
        };
        Ok((key, value))
    }

    /// What follows a member.
    #[inline(always)]
    pub(super) fn behind(&mut self) -> Result<Place, Kind> {
        match self.rest {
            [b',', b'"', rest @ ..] => {
                self.rest = rest;
                Ok(Place::Key)
            }
            [b'}'] => {
                self.rest = &[];
                Ok(Place::End)
            }
            _ => {
                let (place, cursor) = self.behind_slowly();
                *self = cursor;
                place
            }
        }
    }

    /// The same, with space, or at a fault.
    #[inline(never)]
    fn behind_slowly(mut self) -> (Result<Place, Kind>, Self) {
        self.space();
        let place = match self.rest {
            [b',', rest @ ..] => {
                self.rest = rest;
                self.space();
                self.take(b'"', Kind::Key).map(|()| Place::Key)
            }
            [b'}', ..] => self.close(),
            _ => Err(self.fault(Kind::Comma)),
        };
        (place, self)
    }

    /// Skips the last brace. Nothing but space may follow.
    pub(super) fn close(&mut self) -> Result<Place, Kind> {
        self.skip(1);
        self.space();
        if self.rest.is_empty() {
            Ok(Place::End)
        } else {
            Err(Kind::Trailing)
        }
    }

    /// A key whose opening quote has been skipped, its colon and the space behind it.
    #[inline(always)]
    fn key(&mut self) -> Result<Text<'a>, Kind> {
        let text = self.rest;
        if let Some((raw, [b'"', b':', rest @ ..])) = text.split_at_checked(plain(text)) {
            self.rest = rest;
            self.space();
            return Ok(Text::checked(raw, false));
        }
        let (key, cursor) = self.key_slowly();
        *self = cursor;
        key
    }

    /// The same, for all keys.
    #[inline(never)]
    fn key_slowly(mut self) -> (Result<Text<'a>, Kind>, Self) {
        let (key, cursor) = self.string_slowly();
        self = cursor;
        if key.is_err() {
            return (key, self);
        }
        self.space();
        if let Err(kind) = self.take(b':', Kind::Colon) {
            return (Err(kind), self);
        }
        self.space();
        (key, self)
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Number<'a>, Kind> {
        match Number::prefix(self.rest) {
            Ok((number, rest)) => {
                self.rest = rest;
                Ok(number)
            }
            Err((kind, rest)) => {
                self.rest = rest;
                Err(kind)
            }
        }
    }

    /// A value that is neither string nor number.
    #[inline(never)]
    fn other(mut self) -> (Result<Value<'a>, Kind>, Self) {
        let value = match self.peek() {
            Some(b'{' | b'[') => self.nested().map(Value::Nested),
            _ => self.word(),
        };
        (value, self)
    }

    /// A value that is written as a word.
    fn word(&mut self) -> Result<Value<'a>, Kind> {
        let (word, value): (&[u8], _) = match self.peek() {
            Some(b't') => (b"true", Value::Bool(true)),
            Some(b'f') => (b"false", Value::Bool(false)),
            Some(b'n') => (b"null", Value::Null),
            _ => return Err(self.fault(Kind::Value)),
        };
        if let Some(rest) = self.rest.strip_prefix(word) {
            self.rest = rest;
            Ok(value)
        } else if word.starts_with(self.rest) {
            Err(self.early())
        } else {
            Err(self.fault(Kind::Value))
        }
    }

    /// A value within a nested one that is neither object nor array.
    fn scalar(&mut self) -> Result<(), Kind> {
        match self.rest {
            [b'"', rest @ ..] => {
                self.rest = rest;
                self.string().map(drop)
            }
            [b'-' | b'0'..=b'9', ..] => self.number().map(drop),
            _ => self.word().map(drop),
        }
    }

    /// An object or array with everything in it, checked. The cursor is at its opening bracket.
    fn nested(&mut self) -> Result<&'a [u8], Kind> {
        let from = self.rest;
        let mut levels = Levels::default();
        loop {
            // A value must stand here.
            let opened = match self.peek() {
                Some(b'{') => Some((Level::Object, b'}')),
                Some(b'[') => Some((Level::Array, b']')),
                _ => None,
            };
            if let Some((level, closing)) = opened {
                if !levels.push(level) {
                    return Err(self.fault(Kind::Depth));
                }
                self.skip(1);
                self.space();
                if self.peek() != Some(closing) {
                    if level == Level::Object {
                        self.take(b'"', Kind::Key)?;
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // A value is over, or an empty bracket is about to close: close all that close here.
            loop {
                self.space();
                match (levels.top(), self.peek()) {
                    (Some(Level::Object), Some(b'}')) | (Some(Level::Array), Some(b']')) => {
                        self.skip(1);
                        levels.pop();
                        if levels.top().is_none() {
                            let bytes = from.len().wrapping_sub(self.rest.len());
                            return Ok(from.get(..bytes).unwrap_or_default());
                        }
                    }
                    (Some(level), Some(b',')) => {
                        self.skip(1);
                        self.space();
                        if level == Level::Object {
                            self.take(b'"', Kind::Key)?;
                            self.key()?;
                        }
                        break;
                    }
                    _ => return Err(self.fault(Kind::Comma)),
                }
            }
        }
    }

    /// The string behind an opening quote, and past its closing quote.
    #[inline(always)]
    fn string(&mut self) -> Result<Text<'a>, Kind> {
        let text = self.rest;
        if let Some((raw, [b'"', rest @ ..])) = text.split_at_checked(plain(text)) {
            self.rest = rest;
            return Ok(Text::checked(raw, false));
        }
        let (text, cursor) = self.string_slowly();
        *self = cursor;
        text
    }

    /// The same, for all strings.
    #[inline(never)]
    fn string_slowly(mut self) -> (Result<Text<'a>, Kind>, Self) {
        let text = self.rest;
        let escapes = match self.find_quote() {
            Ok(escapes) => escapes,
            Err(kind) => return (Err(kind), self),
        };
        let bytes = text.len().wrapping_sub(self.rest.len());
        let raw = text.get(..bytes).unwrap_or_default();
        self.skip(1);
        (Ok(Text::checked(raw, escapes)), self)
    }

    /// Goes to the closing quote of a string; returns whether it met an escape.
    fn find_quote(&mut self) -> Result<bool, Kind> {
        let mut escapes = false;
        loop {
            self.skip(plain(self.rest));
            match self.peek() {
                Some(b'"') => return Ok(escapes),
                Some(b'\\') => {
                    escapes = true;
                    self.escape()?;
                }
                Some(0x80..) => self.scalars()?,
                // Only control characters are left, or the end.
                _ => return Err(self.fault(Kind::Control)),
            }
        }
    }

    /// Checks one escape. The cursor is at its backslash, and stays there on a fault.
    #[cold]
    fn escape(&mut self) -> Result<(), Kind> {
        let after = self.rest.get(1..).unwrap_or_default();
        match text::escape(after) {
            Ok((_, len)) => {
                self.skip(len.wrapping_add(1));
                Ok(())
            }
            Err(Kind::Early) => Err(self.early()),
            Err(kind) => Err(self.fault(kind)),
        }
    }

    /// Skips characters beyond ASCII, as many as come: the well-formed sequences of RFC 3629
    /// section 4 and no others, so no overlong forms, no surrogates, nothing above U+10FFFF.
    fn scalars(&mut self) -> Result<(), Kind> {
        loop {
            let len = match self.rest {
                [0xC2..=0xDF, 0x80..=0xBF, ..] => 2,
                [0xE0, 0xA0..=0xBF, 0x80..=0xBF, ..] => 3,
                [0xE1..=0xEC | 0xEE..=0xEF, 0x80..=0xBF, 0x80..=0xBF, ..] => 3,
                [0xED, 0x80..=0x9F, 0x80..=0xBF, ..] => 3,
                [0xF0, 0x90..=0xBF, 0x80..=0xBF, 0x80..=0xBF, ..] => 4,
                [0xF1..=0xF3, 0x80..=0xBF, 0x80..=0xBF, 0x80..=0xBF, ..] => 4,
                [0xF4, 0x80..=0x8F, 0x80..=0xBF, 0x80..=0xBF, ..] => 4,
                [0x80..=0xFF, ..] => return Err(self.broken()),
                _ => return Ok(()),
            };
            self.skip(len);
        }
    }

    /// A character that is not UTF-8 stands here, or its beginning at the end of the text.
    #[cold]
    fn broken(&mut self) -> Kind {
        match core::str::from_utf8(self.rest) {
            Err(error) if error.error_len().is_none() => self.early(),
            _ => self.fault(Kind::Utf8),
        }
    }
}

/// How many bytes at the front of a string mean themselves and are ASCII.
#[inline(always)]
pub(super) const fn plain(text: &[u8]) -> usize {
    // Plain 64-bit arithmetic: keys and ids are mostly shorter than a vector, and this runs
    // the same on every target.
    let mut rest = text;
    while let Some((block, after)) = rest.split_first_chunk::<8>() {
        let stops = stops(u64::from_le_bytes(*block));
        if stops != 0 {
            let before = text.len().wrapping_sub(rest.len());
            return before.wrapping_add((stops.trailing_zeros() / 8) as usize);
        }
        rest = after;
    }
    while let [b' '..=b'!' | b'#'..=b'[' | b']'..=0x7F, after @ ..] = rest {
        rest = after;
    }
    text.len().wrapping_sub(rest.len())
}

/// The same bit in each of eight bytes.
const ONES: u64 = 0x0101_0101_0101_0101;

/// Sets the high bit of every byte that ends a plain run: `"`, `\`, below 0x20, above 0x7F.
///
/// Each subtraction borrows out of a byte only if that byte stops, so the lowest set bit is always
/// right; those above it may be wrong and are not looked at.
#[inline]
const fn stops(block: u64) -> u64 {
    let control = block.wrapping_sub(ONES * 0x20);
    let quote = (block ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (block ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control | quote | backslash | block) & (ONES * 0x80)
}
