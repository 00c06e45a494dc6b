//! The writer: into a slice, never beyond it.

use super::levels::{Level, Levels};
use super::number::Number;

/// Writes one JSON value into a slice, without white space. Commas and colons come by themselves.
///
/// Nothing has to be checked on the way: the first flaw stays, nothing is written after it, and
/// [`finish`](Self::finish) tells. What `finish` returns is valid JSON.
#[derive(Debug)]
pub struct Writer<'b> {
    into: &'b mut [u8],
    len: usize,
    levels: Levels,
    place: Place,
    flaw: Option<Flaw>,
}

/// Why there is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The text is longer than the slice.
    Full,
    /// The calls do not make one JSON value: a value without a key in an object, a key elsewhere,
    /// brackets that do not match, more than [`DEPTH_MAX`](super::DEPTH_MAX) of them, two values or
    /// none, a number that is none. A bug of the caller.
    Misuse,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The value that everything else is in.
    Start,
    /// The first key or value behind an opening bracket.
    First,
    /// A further one: a comma comes before it.
    More,
    /// The value of a key.
    Colon,
    /// Nothing.
    End,
}

impl<'b> Writer<'b> {
    /// A writer that begins at the front of `into`.
    #[inline]
    #[must_use]
    pub fn new(into: &'b mut [u8]) -> Self {
        Self {
            into,
            len: 0,
            levels: Levels::default(),
            place: Place::Start,
            flaw: None,
        }
    }

    /// Opens an object: `{`.
    pub fn begin_object(&mut self) -> &mut Self {
        self.begin(Level::Object, b"{")
    }

    /// Closes the object: `}`.
    pub fn end_object(&mut self) -> &mut Self {
        self.end(Level::Object, b"}")
    }

    /// Opens an array: `[`.
    pub fn begin_array(&mut self) -> &mut Self {
        self.begin(Level::Array, b"[")
    }

    /// Closes the array: `]`.
    pub fn end_array(&mut self) -> &mut Self {
        self.end(Level::Array, b"]")
    }

    /// Writes a key and its colon. Keys that were written before are not remembered.
    pub fn key(&mut self, key: &str) -> &mut Self {
        match (self.place, self.levels.top()) {
            (Place::First, Some(Level::Object)) => {}
            (Place::More, Some(Level::Object)) => self.put(b","),
            _ => self.spoil(Flaw::Misuse),
        }
        self.quoted(key);
        self.put(b":");
        self.place = Place::Colon;
        self
    }

    /// Writes a string, with the shortest escape for what must be escaped and nothing else escaped.
    pub fn string(&mut self, string: &str) -> &mut Self {
        self.before();
        self.quoted(string);
        self.after()
    }

    /// Writes an unsigned integer.
    pub fn u64(&mut self, number: u64) -> &mut Self {
        self.before();
        self.digits(number);
        self.after()
    }

    /// Writes a signed integer.
    pub fn i64(&mut self, number: i64) -> &mut Self {
        self.before();
        if number < 0 {
            self.put(b"-");
        }
        self.digits(number.unsigned_abs());
        self.after()
    }

    /// Writes a number that is text already, such as an exact decimal. Text that is no JSON number
    /// is a misuse.
    pub fn number(&mut self, text: &[u8]) -> &mut Self {
        self.before();
        if Number::new(text).is_err() {
            self.spoil(Flaw::Misuse);
        }
        self.put(text);
        self.after()
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.before();
        self.put(if value { b"true" } else { b"false" });
        self.after()
    }

    /// Writes `null`.
    pub fn null(&mut self) -> &mut Self {
        self.before();
        self.put(b"null");
        self.after()
    }

    /// The text, from the front of the slice.
    ///
    /// # Errors
    ///
    /// The first [`Flaw`]; what lies in the slice is then of no use. A value that is not complete
    /// is a misuse.
    pub fn finish(self) -> Result<&'b [u8], Flaw> {
        match (self.flaw, self.place) {
            (Some(flaw), _) => Err(flaw),
            (None, Place::End) => Ok(self.into.get(..self.len).unwrap_or_default()),
            (None, _) => Err(Flaw::Misuse),
        }
    }

    fn begin(&mut self, level: Level, bracket: &[u8]) -> &mut Self {
        self.before();
        if !self.levels.push(level) {
            self.spoil(Flaw::Misuse);
        }
        self.put(bracket);
        self.place = Place::First;
        self
    }

    fn end(&mut self, level: Level, bracket: &[u8]) -> &mut Self {
        if !matches!(self.place, Place::First | Place::More) || self.levels.top() != Some(level) {
            self.spoil(Flaw::Misuse);
        }
        self.levels.pop();
        self.put(bracket);
        self.after()
    }

    /// What comes before a value; in an object only a key may.
    #[inline]
    fn before(&mut self) {
        match (self.place, self.levels.top()) {
            (Place::Start | Place::Colon, _) | (Place::First, Some(Level::Array)) => {}
            (Place::More, Some(Level::Array)) => self.put(b","),
            _ => self.spoil(Flaw::Misuse),
        }
    }

    #[inline]
    fn after(&mut self) -> &mut Self {
        self.place = if self.levels.top().is_some() {
            Place::More
        } else {
            Place::End
        };
        self
    }

    #[cold]
    fn spoil(&mut self, flaw: Flaw) {
        self.flaw = self.flaw.or(Some(flaw));
    }

    /// The next `bytes` of the slice, if nothing went wrong yet and they are there.
    #[inline]
    fn room(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if self.flaw.is_some() {
            return None;
        }
        let room = self
            .into
            .get_mut(self.len..)
            .and_then(|rest| rest.get_mut(..bytes));
        if room.is_some() {
            self.len = self.len.wrapping_add(bytes);
        } else {
            self.flaw = Some(Flaw::Full);
        }
        room
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room(bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    fn quoted(&mut self, string: &str) {
        self.put(b"\"");
        let mut rest = string.as_bytes();
        loop {
            let escape = |byte: u8| ESCAPES[usize::from(byte)];
            let end = rest
                .iter()
                .position(|&byte| escape(byte) != 0)
                .unwrap_or(rest.len());
            let (run, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.put(run);
            let Some((&byte, tail)) = tail.split_first() else {
                break;
            };
            match escape(byte) {
                b'u' => {
                    // Only bytes below 0x20 come here.
                    let high = b'0' | byte >> 4;
                    let low = HEX[usize::from(byte & 0x0F)];
                    self.put(&[b'\\', b'u', b'0', b'0', high, low]);
                }
                letter => self.put(&[b'\\', letter]),
            }
            rest = tail;
        }
        self.put(b"\"");
    }

    /// Takes room for as many digits as there are, then fills it from its end, two at a time.
    fn digits(&mut self, mut number: u64) {
        let count = number.checked_ilog10().map_or(1, |log| log as usize + 1);
        let Some(room) = self.room(count) else {
            return;
        };
        let mut pairs = room.rchunks_exact_mut(2);
        for pair in &mut pairs {
            pair.copy_from_slice(&PAIRS[(number % 100) as usize]);
            number /= 100;
        }
        if let [first] = pairs.into_remainder() {
            *first = b'0' | (number % 10) as u8;
        }
    }
}

const HEX: [u8; 16] = *b"0123456789abcdef";

/// For each byte of a string: 0 if it stands for itself, else the letter behind the backslash.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0A] = b'n';
    table[0x0C] = b'f';
    table[0x0D] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// 00 to 99: half as many divisions as digit by digit.
const PAIRS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        table[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::{DEPTH_MAX, reference};
    use super::*;
    use proptest::prelude::*;
    use std::{format, string::String, string::ToString, vec, vec::Vec};

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Result<String, Flaw> {
        let mut bytes = [0; 4096];
        let mut writer = Writer::new(&mut bytes);
        write(&mut writer);
        writer
            .finish()
            .map(|text| String::from_utf8(text.to_vec()).expect("the writer's UTF-8"))
    }

    /// Ends a chain of calls in a closure that returns nothing.
    fn done(_: &mut Writer<'_>) {}

    fn string(value: &str) -> Result<String, Flaw> {
        written(|w| done(w.string(value)))
    }

    #[test]
    fn commas_and_colons_come_by_themselves() {
        let text = written(|w| {
            w.begin_object()
                .key("a")
                .u64(1)
                .key("b")
                .begin_array()
                .null()
                .bool(true)
                .bool(false);
            w.begin_object()
                .end_object()
                .begin_array()
                .end_array()
                .i64(-5)
                .end_array();
            w.key("")
                .begin_object()
                .key("x")
                .string("y")
                .end_object()
                .key("n")
                .number(b"-1.50e9");
            w.end_object();
        });
        let expected = r#"{"a":1,"b":[null,true,false,{},[],-5],"":{"x":"y"},"n":-1.50e9}"#;
        assert_eq!(text.as_deref(), Ok(expected));
        assert_eq!(written(|w| done(w.u64(0))).as_deref(), Ok("0"));
    }

    #[test]
    fn strings_are_escaped_where_they_must_be_and_nowhere_else() {
        let cases = [
            ("", r#""""#),
            ("a/b'c", r#""a/b'c""#),
            ("\"\\", r#""\"\\""#),
            ("\u{8}\t\n\u{c}\r", r#""\b\t\n\f\r""#),
            ("\0\u{1}\u{b}\u{1f}", r#""\u0000\u0001\u000b\u001f""#),
            ("\u{7f}\u{80}\u{2028}語😀", "\"\u{7f}\u{80}\u{2028}語😀\""),
            ("a\"b", r#""a\"b""#),
        ];
        for (value, expected) in cases {
            assert_eq!(string(value).as_deref(), Ok(expected));
            let key = written(|w| done(w.begin_object().key(value).null().end_object()));
            assert_eq!(key, Ok(format!("{{{expected}:null}}")));
        }
    }

    #[test]
    fn integers_have_all_their_digits() {
        let mut numbers = vec![0, u64::MAX, i64::MAX as u64, 1 << 63];
        for power in 0..20 {
            let ten = 10u64.pow(power);
            numbers.extend([ten, ten - 1, ten + 1, ten / 2 * 3]);
        }
        for number in numbers {
            assert_eq!(written(|w| done(w.u64(number))), Ok(number.to_string()));
            for signed in [number as i64, (number as i64).wrapping_neg()] {
                assert_eq!(written(|w| done(w.i64(signed))), Ok(signed.to_string()));
            }
        }
    }

    #[test]
    fn a_text_that_does_not_fit_is_full_at_every_length() {
        let write = |into: &mut [u8]| {
            let mut w = Writer::new(into);
            w.begin_object()
                .key("a\n")
                .u64(1234567)
                .key("b")
                .begin_array()
                .i64(-10)
                .bool(true);
            w.string("x\u{1}y")
                .end_array()
                .key("c")
                .number(b"0.5")
                .end_object();
            w.finish().map(<[u8]>::len)
        };
        let mut bytes = [0; 128];
        let len = write(&mut bytes).expect("128 bytes are enough");
        for short in 0..len {
            assert_eq!(write(&mut bytes[..short]), Err(Flaw::Full), "{short}");
        }
        assert_eq!(write(&mut bytes[..len]), Ok(len));
    }

    #[test]
    fn nothing_is_written_after_the_first_flaw() {
        let mut bytes = [b'-'; 8];
        let mut writer = Writer::new(&mut bytes);
        writer
            .begin_array()
            .u64(1)
            .string("long, long")
            .u64(2)
            .null()
            .end_array();
        assert_eq!(writer.finish(), Err(Flaw::Full));
        assert_eq!(&bytes[3..], b"\"----");
    }

    #[test]
    fn calls_that_make_no_value_are_a_misuse() {
        let cases: &[fn(&mut Writer<'_>)] = &[
            |_| {},
            |w| done(w.null().null()),
            |w| done(w.key("a")),
            |w| done(w.begin_object()),
            |w| done(w.end_object()),
            |w| done(w.begin_object().end_array()),
            |w| done(w.begin_array().end_object()),
            |w| done(w.begin_object().null().end_object()),
            |w| done(w.begin_object().key("a").end_object()),
            |w| done(w.begin_object().key("a").key("b").null().end_object()),
            |w| done(w.begin_object().key("a").null().null().end_object()),
            |w| done(w.begin_array().key("a").null().end_array()),
            |w| done(w.null().begin_object().end_object()),
            |w| done(w.number(b"")),
            |w| done(w.number(b"01")),
            |w| done(w.number(b"NaN")),
            |w| done(w.number(b"1,2")),
        ];
        for (index, case) in cases.iter().enumerate() {
            assert_eq!(written(case), Err(Flaw::Misuse), "case {index}");
        }
    }

    #[test]
    fn the_deepest_value_is_written_and_one_deeper_is_a_misuse() {
        let deep = |levels: u32| {
            written(|w| {
                for _ in 0..levels {
                    w.begin_array();
                }
                for _ in 0..levels {
                    w.end_array();
                }
            })
        };
        let expected = "[".repeat(32) + &"]".repeat(32);
        assert_eq!(deep(DEPTH_MAX), Ok(expected));
        assert_eq!(deep(DEPTH_MAX + 1), Err(Flaw::Misuse));
    }

    proptest! {
        #[test]
        fn whatever_is_called_the_text_is_json_or_there_is_none(
            calls in prop::collection::vec((0u8..11, any::<String>(), any::<i64>()), 0..24),
            room in 0usize..512,
        ) {
            let mut bytes = vec![0; room];
            let mut w = Writer::new(&mut bytes);
            for (call, text, number) in &calls {
                match call {
                    0 => w.begin_object(),
                    1 => w.end_object(),
                    2 => w.begin_array(),
                    3 => w.end_array(),
                    4 | 5 => w.key(text),
                    6 => w.string(text),
                    7 => w.u64(*number as u64),
                    8 => w.i64(*number),
                    9 => w.number(text.as_bytes()),
                    _ => w.null(),
                };
            }
            if let Ok(text) = w.finish() {
                let text: Vec<u8> = [b"{\"\":", text, b"}"].concat();
                prop_assert!(reference::object(&text).is_some());
            }
        }
    }
}
