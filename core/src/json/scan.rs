//! The scanner: one flat object, one pass, no copy. What it is made of is in `cursor.rs`.
//!
//! In outline:
//!
//! ```text
//! new:   space '{' space, then as behind a comma, or as at '}'
//! next:  member space, then ',' space, or '}' space end of text
//! member: string space ':' space value
//! value: string | number | true | false | null | nested
//! nested: the same grammar with one bit per open bracket, until the first bracket is closed
//! string: skip bytes that mean themselves, eight at a time; stop at '"', '\', control, non-ASCII
//! ```

use super::cursor::Cursor;
use super::error::{Error, Kind};
use super::number::Number;
use super::text::Text;

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
    /// What is wrong, where the place is `Failed`. (Inside the place it would be a niche, and each
    /// look at the place three instructions.)
    fault: Kind,
    /// Bytes of the whole text.
    len: usize,
}

/// A member's value.
#[derive(Debug, Clone, Copy)]
// A tag of a whole word, for the reason that `Kind` is one.
#[repr(usize)]
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
///
/// What follows a member is looked at with the member, so that a caller's loop has one test to make
/// per turn; a fault found there is told at the next call, in its turn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Behind the opening quote of a key.
    Key,
    /// Behind everything.
    End,
    /// At a fault, which stays; its offset is the cursor's.
    Failed,
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
        let mut cursor = Cursor { rest: text };
        cursor.space();
        match cursor.take(b'{', Kind::Object) {
            Ok(()) => {
                cursor.space();
                let inside = if cursor.peek() == Some(b'}') {
                    cursor.close()
                } else {
                    cursor.take(b'"', Kind::Key).map(|()| Place::Key)
                };
                let mut object = Self {
                    cursor,
                    place: Place::Key,
                    fault: Kind::Object,
                    len: text.len(),
                };
                object.go_to(inside);
                Ok(object)
            }
            Err(kind) => Err(cursor.error(kind, text.len())),
        }
    }

    /// The next member; `None` after the last, when the whole text has been checked.
    ///
    /// # Errors
    ///
    /// The first fault of the text, again at every further call.
    // Inlined into its callers, with all that a member without escapes needs: strings and numbers
    // then stay in registers, where a call would hand them over in memory (50 instructions each).
    #[inline(always)]
    // Not an iterator on purpose: `?` on this result is what a caller wants, and adapters that stop
    // early would leave the rest of the text unchecked.
    #[expect(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(Text<'a>, Value<'a>)>, Error> {
        match self.place {
            Place::Key => match self.cursor.member() {
                Ok(member) => {
                    let behind = self.cursor.behind();
                    self.go_to(behind);
                    return Ok(Some(member));
                }
                Err(kind) => self.go_to(Err(kind)),
            },
            Place::End => return Ok(None),
            Place::Failed => {}
        }
        Err(self.cursor.error(self.fault, self.len))
    }

    #[inline(always)]
    fn go_to(&mut self, place: Result<Place, Kind>) {
        match place {
            Ok(place) => self.place = place,
            Err(kind) => {
                self.fault = kind;
                self.place = Place::Failed;
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
}
