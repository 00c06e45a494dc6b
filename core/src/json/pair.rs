//! Two members in their usual form, straight on.

use super::cursor::plain;
use super::number::Number;
use super::text::Text;

/// A string and a number under two keys, in this order and without white space: the form in which
/// nearly all programs write such an object.
///
/// It is read in a little less than half of the instructions that [`Object`](super::Object) takes
/// (212 of 455 for 37 bytes), as nothing is looked for: what stands between the two values is
/// compared as one piece. Everything else, be it valid or not, is left to the other.
///
/// ```
/// use barewire_core::json::Pair;
///
/// const EVENT: Pair = Pair::new("userId", "value");
/// let (user, value) = EVENT.read(br#"{"userId":"ann","value":-1.50}"#).unwrap();
/// assert_eq!((user.raw(), value.text()), (&b"ann"[..], &b"-1.50"[..]));
/// assert!(EVENT.read(br#"{"value":-1.50,"userId":"ann"}"#).is_none());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// From the opening brace to the opening quote of the string.
    opening: Piece,
    /// From its closing quote to the colon before the number.
    between: Piece,
}

/// Bytes of a key at most: what is compared has a place of fixed size. Keys of events have 10.
pub const PAIR_KEY_BYTES_MAX: usize = 24;

/// Bytes around a key at most: comma, quotes, colon, quote.
const AROUND_BYTES: usize = 8;

/// Some bytes, and how many of them count.
#[derive(Debug, Clone, Copy)]
struct Piece {
    bytes: [u8; PAIR_KEY_BYTES_MAX + AROUND_BYTES],
    len: usize,
}

impl Pair {
    /// # Panics
    ///
    /// If the keys are the same, or one has more than [`PAIR_KEY_BYTES_MAX`] bytes, or bytes that
    /// can be written in several ways or are not ASCII: at compile time, in a constant.
    pub const fn new(text_key: &str, number_key: &str) -> Pair {
        let (text_key, number_key) = (text_key.as_bytes(), number_key.as_bytes());
        assert!(
            plain(text_key) == text_key.len() && plain(number_key) == number_key.len(),
            "a key of a pair has bytes that mean themselves"
        );
        assert!(!same(text_key, number_key), "the keys of a pair differ");
        assert!(
            text_key.len() <= PAIR_KEY_BYTES_MAX && number_key.len() <= PAIR_KEY_BYTES_MAX,
            "a key of a pair is short"
        );
        Pair {
            opening: Piece::EMPTY.with(b"{\"").with(text_key).with(b"\":\""),
            between: Piece::EMPTY.with(b"\",\"").with(number_key).with(b"\":"),
        }
    }

    /// The string, without escapes and ASCII, and the number, if `text` has this form and is valid
    /// to its end. `None` says nothing: read it as an [`Object`](super::Object), which comes to
    /// the same where this comes to something.
    #[inline(always)]
    pub fn read<'a>(&self, text: &'a [u8]) -> Option<(Text<'a>, Number<'a>)> {
        let rest = text.strip_prefix(self.opening.as_bytes())?;
        let (raw, rest) = rest.split_at_checked(plain(rest))?;
        let rest = rest.strip_prefix(self.between.as_bytes())?;
        match Number::prefix(rest) {
            Ok((number, b"}")) => Some((Text::checked(raw, false), number)),
            _ => None,
        }
    }
}

impl Piece {
    const EMPTY: Piece = Piece {
        bytes: [0; PAIR_KEY_BYTES_MAX + AROUND_BYTES],
        len: 0,
    };

    const fn with(mut self, more: &[u8]) -> Piece {
        let (_, place) = self.bytes.split_at_mut(self.len);
        let (place, _) = place.split_at_mut(more.len());
        place.copy_from_slice(more);
        self.len += more.len();
        self
    }

    #[inline(always)]
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::{Object, Value};
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    const PAIR: Pair = Pair::new("userId", "value");

    /// What an `Object` says of a text with these two members and no other.
    fn slowly(text: &[u8]) -> Option<(Text<'_>, Number<'_>)> {
        let mut object = Object::new(text).ok()?;
        let first = object.next().ok()??;
        let second = object.next().ok()??;
        if object.next().ok()?.is_some() {
            return None;
        }
        match (first, second) {
            ((one, Value::Text(text)), (other, Value::Number(number)))
                if one.eq_str("userId") && other.eq_str("value") =>
            {
                Some((text, number))
            }
            _ => None,
        }
    }

    /// Where the pair reads anything, it is what the object reads. Says whether it did.
    fn agrees(text: &[u8]) -> bool {
        let Some((user, value)) = PAIR.read(text) else {
            return false;
        };
        let (slow_user, slow_value) = slowly(text).expect("the object reads it too");
        assert_eq!(user.raw(), slow_user.raw());
        assert_eq!(user.has_escapes(), slow_user.has_escapes());
        assert_eq!(value.text(), slow_value.text());
        assert_eq!(value.small(), slow_value.small());
        true
    }

    #[test]
    fn the_usual_form_is_read_and_every_other_is_left() {
        for text in [
            r#"{"userId":"ann","value":1}"#,
            r#"{"userId":"","value":-0.0}"#,
            r#"{"userId":"user_12345","value":499.5}"#,
            r#"{"userId":"a{}[],: b","value":12345678901234567890123e-7}"#,
        ] {
            assert!(agrees(text.as_bytes()), "{text}");
        }
        for text in [
            r#"{"value":1,"userId":"ann"}"#,
            r#"{ "userId":"ann","value":1}"#,
            r#"{"userId": "ann","value":1}"#,
            r#"{"userId":"ann","value":1 }"#,
            r#"{"userId":"ann","value":1}
"#,
            r#"{"userId":"a\u006en","value":1}"#,
            r#"{"userId":"änn","value":1}"#,
            r#"{"userId":"ann","value":1,"x":2}"#,
            r#"{"userId":"ann","value":01}"#,
            r#"{"userId":"ann","value":1.}"#,
            r#"{"userId":"ann","value":"1"}"#,
            r#"{"userId":"ann","value":1"#,
            r#"{"userId":"ann","value":}"#,
            r#"{"userId":"ann"}"#,
            "",
        ] {
            assert!(!agrees(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn keys_are_checked_where_a_pair_is_made() {
        let pair = |one: &str, other: &str| {
            let (one, other) = (String::from(one), String::from(other));
            std::panic::catch_unwind(move || Pair::new(&one, &other))
        };
        let longest = "k".repeat(PAIR_KEY_BYTES_MAX);
        for (one, other) in [
            ("userId", "value"),
            ("", "a"),
            (&longest, "k"),
            ("k", &longest),
        ] {
            let text = std::format!("{{\"{one}\":\"ann\",\"{other}\":-1.5}}");
            let made = pair(one, other).unwrap();
            let (user, value) = made.read(text.as_bytes()).unwrap();
            assert_eq!((user.raw(), value.text()), (&b"ann"[..], &b"-1.5"[..]));
        }
        let longer = "k".repeat(PAIR_KEY_BYTES_MAX + 1);
        for (one, other) in [
            ("a", "a"),
            ("", ""),
            ("\"", "a"),
            ("a", "\\"),
            ("a", "\n"),
            ("ä", "a"),
            (&longer, "a"),
            ("a", &longer),
        ] {
            assert!(pair(one, other).is_err(), "{one:?} and {other:?}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_text_is_read_as_the_object_does(
            user in "[ -~]{0,20}",
            value in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
            changes in proptest::collection::vec((0usize..80, any::<u8>()), 0..3),
        ) {
            let plain = !user.contains(['"', '\\']);
            let text = std::format!("{{\"userId\":\"{user}\",\"value\":{value}}}");
            prop_assert_eq!(agrees(text.as_bytes()), plain);
            let mut text: Vec<u8> = String::into_bytes(text);
            for (at, byte) in changes {
                if let Some(place) = text.get_mut(at) {
                    *place = byte;
                }
            }
            agrees(&text);
        }
    }
}
