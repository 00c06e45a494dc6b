//! The scanner: one flat object, one pass, no copy.
//!
//! In outline:
//!
//! ```text
//! new:   space '{'
//! next:  first time: '}' or member; later: ',' member, or '}'; after '}': space, end of text
//! member: string space ':' space value
//! value: string | number | true | false | null | nested
//! nested: the same grammar with one bit per open bracket, until the first bracket is closed
//! string: skip bytes that mean themselves, eight at a time; stop at '"', '\', control, non-ASCII
//! ```

use super::error::{Error, Kind};
use super::levels::{Level, Levels};
use super::number::Number;
use super::text::{self, Text};

/// One JSON object, read member by member.
///
/// Members come in the order in which they were written, unknown and duplicate keys too (RFC 8259
/// section 4 leaves their meaning open): the caller decides what they mean.
///
/// The text is known to be valid only once [`next`](Self::next) has returned `Ok(None)` or
/// [`finish`](Self::finish) `Ok`. Until then act on nothing that it said.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    cursor: Cursor<'a>,
    place: Place,
}

/// A member's value.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// A string.
    Text(Text<'a>),
    /// A number, not yet computed.
    Number(Number<'a>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An object or an array from bracket to bracket: valid JSON. Duplicate keys inside are not
    /// looked for.
    Nested(&'a [u8]),
}

/// Where in the object the cursor is between two calls.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Behind the opening brace.
    First,
    /// Behind a value.
    More,
    /// Behind everything.
    End,
    /// At a fault, which stays; its offset is the cursor's.
    Failed(Kind),
}

impl<'a> Object<'a> {
    /// Begins to read an object from the whole of `text`.
    ///
    /// # Errors
    ///
    /// `Kind::Early` if there is nothing but white space, `Kind::Object` if something else than an
    /// object begins here (a byte order mark, for one).
    #[inline]
    pub fn new(text: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor { text, at: 0 };
        cursor.space();
        match cursor.take(b'{', Kind::Object) {
            Ok(()) => Ok(Self {
                cursor,
                place: Place::First,
            }),
            Err(kind) => Err(Error {
                at: cursor.at,
                kind,
            }),
        }
    }

    /// The next member; `None` after the last, when the whole text has been checked.
    ///
    /// # Errors
    ///
    /// The first fault of the text, again at every further call.
    #[inline]
    // Not an iterator on purpose: `?` on this result is what a caller wants, and adapters that stop
    // early would leave the rest of the text unchecked.
    #[expect(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(Text<'a>, Value<'a>)>, Error> {
        match self.advance() {
            Ok(member) => Ok(member),
            Err(kind) => {
                self.place = Place::Failed(kind);
                Err(Error {
                    at: self.cursor.at,
                    kind,
                })
            }
        }
    }

    /// Checks what has not been read yet and drops it.
    ///
    /// # Errors
    ///
    /// The first fault of the text.
    pub fn finish(mut self) -> Result<(), Error> {
        while self.next()?.is_some() {}
        Ok(())
    }

    #[inline]
    fn advance(&mut self) -> Result<Option<(Text<'a>, Value<'a>)>, Kind> {
        let cursor = &mut self.cursor;
        match self.place {
            Place::First => {
                cursor.space();
                if cursor.peek() != Some(b'}') {
                    self.place = Place::More;
                    return cursor.member().map(Some);
                }
            }
            Place::More => {
                cursor.space();
                match cursor.peek() {
                    Some(b',') => {
                        cursor.skip(1);
                        cursor.space();
                        return cursor.member().map(Some);
                    }
                    Some(b'}') => {}
                    _ => return Err(cursor.fault(Kind::Comma)),
                }
            }
            Place::End => return Ok(None),
            Place::Failed(kind) => return Err(kind),
        }
        cursor.skip(1);
        cursor.space();
        if cursor.peek().is_some() {
            return Err(cursor.fault(Kind::Trailing));
        }
        self.place = Place::End;
        Ok(None)
    }
}

/// A position in the text. Offsets never pass the end by more than a token was seen to have, so
/// that additions cannot overflow; they wrap only so that no check stands in the loops.
///
/// What can fail returns the `Kind` alone and leaves the cursor at the fault: one byte goes through
/// the calls in a register where an `Error` would go through memory.
#[derive(Debug, Clone)]
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn since(&self, from: usize) -> &'a [u8] {
        self.text.get(from..self.at).unwrap_or_default()
    }

    #[inline]
    fn skip(&mut self, bytes: usize) {
        self.at = self.at.wrapping_add(bytes);
    }

    /// Skips white space (section 2: these four bytes and no others).
    #[inline(always)]
    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            // Compact texts leave after this one comparison.
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return;
            }
            self.skip(1);
        }
    }

    /// Skips this byte; another one is a fault.
    #[inline]
    fn take(&mut self, byte: u8, kind: Kind) -> Result<(), Kind> {
        if self.peek() == Some(byte) {
            self.skip(1);
            Ok(())
        } else {
            Err(self.fault(kind))
        }
    }

    /// A fault here: of this kind, or that the text has ended.
    #[cold]
    fn fault(&self, kind: Kind) -> Kind {
        if self.at < self.text.len() {
            kind
        } else {
            Kind::Early
        }
    }

    /// The text ends within what stands here.
    #[cold]
    fn early(&mut self) -> Kind {
        self.at = self.text.len();
        Kind::Early
    }

    #[inline(always)]
    fn member(&mut self) -> Result<(Text<'a>, Value<'a>), Kind> {
        let key = self.key()?;
        let value = match self.peek() {
            Some(b'{' | b'[') => Value::Nested(self.nested()?),
            _ => self.scalar()?,
        };
        Ok((key, value))
    }

    /// A key, its colon and the space behind it.
    #[inline]
    fn key(&mut self) -> Result<Text<'a>, Kind> {
        self.take(b'"', Kind::Key)?;
        let key = self.string()?;
        self.space();
        self.take(b':', Kind::Colon)?;
        self.space();
        Ok(key)
    }

    /// A value that is neither object nor array.
    #[inline]
    fn scalar(&mut self) -> Result<Value<'a>, Kind> {
        match self.peek() {
            Some(b'"') => {
                self.skip(1);
                self.string().map(Value::Text)
            }
            Some(b'-' | b'0'..=b'9') => match Number::prefix(self.rest()) {
                Ok(number) => {
                    self.skip(number.text().len());
                    Ok(Value::Number(number))
                }
                Err(error) => {
                    self.skip(error.at);
                    Err(error.kind)
                }
            },
            Some(b't') => self.literal(b"true", Value::Bool(true)),
            Some(b'f') => self.literal(b"false", Value::Bool(false)),
            Some(b'n') => self.literal(b"null", Value::Null),
            _ => Err(self.fault(Kind::Value)),
        }
    }

    #[inline]
    fn literal(&mut self, name: &[u8], value: Value<'a>) -> Result<Value<'a>, Kind> {
        let rest = self.rest();
        if rest.starts_with(name) {
            self.skip(name.len());
            Ok(value)
        } else if name.starts_with(rest) {
            Err(self.early())
        } else {
            Err(self.fault(Kind::Value))
        }
    }

    /// An object or array with everything in it, checked. The cursor is at its opening bracket.
    #[inline(never)]
    fn nested(&mut self) -> Result<&'a [u8], Kind> {
        let from = self.at;
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
                            return Ok(self.since(from));
                        }
                    }
                    (Some(level), Some(b',')) => {
                        self.skip(1);
                        self.space();
                        if level == Level::Object {
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
    #[inline]
    fn string(&mut self) -> Result<Text<'a>, Kind> {
        let from = self.at;
        let escapes = self.find_quote()?;
        let text = Text::checked(self.since(from), escapes);
        self.skip(1);
        Ok(text)
    }

    /// Goes to the closing quote of a string; returns whether it met an escape.
    fn find_quote(&mut self) -> Result<bool, Kind> {
        let mut escapes = false;
        loop {
            self.plain();
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

    /// Skips bytes of a string that mean themselves and are ASCII.
    #[inline]
    fn plain(&mut self) {
        // Plain 64-bit arithmetic: keys and ids are mostly shorter than a vector, and this runs
        // the same on every target.
        while let Some(block) = self.rest().first_chunk::<8>() {
            let stops = stops(u64::from_le_bytes(*block));
            if stops != 0 {
                self.skip((stops.trailing_zeros() / 8) as usize);
                return;
            }
            self.skip(8);
        }
        while let Some(byte) = self.peek() {
            if !matches!(byte, b' '..=0x7F) || matches!(byte, b'"' | b'\\') {
                return;
            }
            self.skip(1);
        }
    }

    /// Checks one escape. The cursor is at its backslash, and stays there on a fault.
    #[cold]
    fn escape(&mut self) -> Result<(), Kind> {
        let after = self.rest().get(1..).unwrap_or_default();
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
            let len = match self.rest() {
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
        match core::str::from_utf8(self.rest()) {
            Err(error) if error.error_len().is_none() => self.early(),
            _ => self.fault(Kind::Utf8),
        }
    }
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
