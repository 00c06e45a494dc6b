//! Percent-decoding on demand, and the pairs of a query string. Nothing is copied unless asked for.
//!
//! A request target keeps its percent signs until somebody wants the text: most requests have none,
//! and decoding before a path is split would turn `%2F` into a separator (RFC 3986, 2.4).

use super::class::{self, Class, HEX};

/// The bytes that `encoded` stands for: `%41` gives `A` (RFC 3986, 2.1); `+` stays `+`.
///
/// A percent sign without two hexadecimal digits is given out as it stands; a target that was
/// parsed here has none.
#[must_use]
pub const fn decode(encoded: &[u8]) -> Decode<'_> {
    Decode {
        rest: encoded,
        form: false,
    }
}

/// As [`decode`], and `+` gives a space: the way HTML forms write a query
/// (`application/x-www-form-urlencoded`).
#[must_use]
pub const fn decode_form(encoded: &[u8]) -> Decode<'_> {
    Decode {
        rest: encoded,
        form: true,
    }
}

/// Decodes `encoded` into the start of `room`, and says how many bytes that took.
///
/// `encoded.len()` bytes of room are always enough.
///
/// # Errors
///
/// [`Short`] where the decoded bytes do not fit; `room` then holds as many as did.
pub fn decode_into(encoded: &[u8], room: &mut [u8]) -> Result<usize, Short> {
    let room_bytes = room.len();
    let mut free = room.iter_mut();
    for byte in decode(encoded) {
        *free.next().ok_or(Short)? = byte;
    }
    Ok(room_bytes.saturating_sub(free.len()))
}

/// Says whether `encoded`, once decoded, is `plain`.
#[must_use]
pub fn eq_decoded(encoded: &[u8], plain: &[u8]) -> bool {
    // Decoding never grows.
    encoded.len() >= plain.len() && decode(encoded).eq(plain.iter().copied())
}

/// The pairs of a query string, in their order: `a=1&b` gives `(a, 1)` and `(b, "")`.
///
/// Pairs are separated by `&`, a name ends at its first `=`, empty pairs are left out. Both halves
/// are as they were sent: decode them with [`decode_form`] if forms or scripts in browsers write
/// your queries (there `+` is a space), with [`decode`] if `+` means plus.
#[must_use]
pub const fn query_pairs(query: &[u8]) -> QueryPairs<'_> {
    QueryPairs { rest: query }
}

/// The room given was too small for the decoded bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

impl core::fmt::Display for Short {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("too little room for the decoded bytes")
    }
}

impl core::error::Error for Short {}

/// Iterator over decoded bytes; see [`decode`] and [`decode_form`].
#[derive(Clone, Debug)]
pub struct Decode<'a> {
    rest: &'a [u8],
    form: bool,
}

impl Iterator for Decode<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = match self.rest {
            [] => return None,
            [b'%', high, low, rest @ ..] if class::is(*high, HEX) && class::is(*low, HEX) => {
                (hex(*high) << 4 | hex(*low), rest)
            }
            [b'+', rest @ ..] if self.form => (b' ', rest),
            [byte, rest @ ..] => (*byte, rest),
        };
        self.rest = rest;
        Some(byte)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len().div_ceil(3), Some(self.rest.len()))
    }
}

impl core::iter::FusedIterator for Decode<'_> {}

/// Iterator over the pairs of a query string, both halves still encoded; see [`query_pairs`].
#[derive(Clone, Debug)]
pub struct QueryPairs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for QueryPairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (pair, rest) = split_once(self.rest, b'&');
            self.rest = rest;
            if !pair.is_empty() {
                return Some(split_once(pair, b'='));
            }
        }
        None
    }
}

impl core::iter::FusedIterator for QueryPairs<'_> {}

/// What is left of `bytes` after the longest start made of `class` and of percent-encoded bytes,
/// and whether there were any of those. None where a percent sign stands without its two digits.
#[inline]
pub(crate) fn skip(bytes: &[u8], class: Class) -> Option<(&[u8], bool)> {
    let mut rest = bytes;
    let mut encoded = false;
    loop {
        rest = match rest {
            [byte, tail @ ..] if class::is(*byte, class) => tail,
            [b'%', high, low, tail @ ..] if class::is(*high, HEX) && class::is(*low, HEX) => {
                encoded = true;
                tail
            }
            [b'%', ..] => return None,
            _ => return Some((rest, encoded)),
        };
    }
}

/// The value of a hexadecimal digit, 0 to 15. Of any other byte: some number below 16.
const fn hex(digit: u8) -> u8 {
    // '0' is 0x30, 'A' 0x41, 'a' 0x61: bit 6 tells letters, which are 9 more than their low bits.
    ((digit & 0x0F) + 9 * (digit >> 6 & 1)) & 0x0F
}

/// What stands before the first `separator`, and what stands behind it.
fn split_once(bytes: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|&byte| byte == separator);
    match at.and_then(|at| bytes.split_at_checked(at)) {
        Some((before, [_, after @ ..])) => (before, after),
        _ => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    fn decoded(encoded: &[u8]) -> Vec<u8> {
        decode(encoded).collect()
    }

    #[test]
    fn every_byte_decodes_in_either_case() {
        for byte in 0..=255u8 {
            assert_eq!(decoded(format!("%{byte:02x}").as_bytes()), [byte]);
            assert_eq!(decoded(format!("%{byte:02X}").as_bytes()), [byte]);
        }
    }

    #[test]
    fn what_is_no_escape_stays_as_it_stands() {
        let table: [(&[u8], &[u8]); 11] = [
            (b"", b""),
            (b"plain", b"plain"),
            (b"a%20b", b"a b"),
            (b"%2F%2f", b"//"),
            (b"a+b", b"a+b"),
            (b"%", b"%"),
            (b"%4", b"%4"),
            (b"%zz", b"%zz"),
            (b"%4g", b"%4g"),
            (b"%%41", b"%A"),
            (b"%2541", b"%41"),
        ];
        for (encoded, plain) in table {
            assert_eq!(decoded(encoded), plain);
            assert!(eq_decoded(encoded, plain));
        }
        assert_eq!(decode_form(b"a+b%2B").collect::<Vec<_>>(), b"a b+");
    }

    #[test]
    fn comparing_wants_all_of_both_sides() {
        assert!(!eq_decoded(b"%41", b""));
        assert!(!eq_decoded(b"%41", b"AA"));
        assert!(!eq_decoded(b"", b"A"));
        assert!(!eq_decoded(b"%41B", b"A"));
        assert!(!eq_decoded(b"%41%42", b"AC"));
    }

    #[test]
    fn too_little_room_is_told() {
        let mut room = [0; 3];
        assert_eq!(decode_into(b"a%20b", &mut room), Ok(3));
        assert_eq!(&room, b"a b");
        assert_eq!(decode_into(b"%41", &mut room), Ok(1));
        assert_eq!(decode_into(b"abcd", &mut room), Err(Short));
        assert_eq!(decode_into(b"", &mut []), Ok(0));
        assert_eq!(decode_into(b"a", &mut []), Err(Short));
    }

    #[test]
    fn a_query_gives_its_pairs_in_their_order() {
        type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;
        let table: [(&[u8], Pairs<'_>); 8] = [
            (b"", vec![]),
            (b"&&", vec![]),
            (b"a=1", vec![(b"a", b"1")]),
            (b"a=1&b=2", vec![(b"a", b"1"), (b"b", b"2")]),
            (b"a", vec![(b"a", b"")]),
            (b"=1&a=", vec![(b"", b"1"), (b"a", b"")]),
            (b"a=b=c&", vec![(b"a", b"b=c")]),
            (b"a=%26+x&&a=2", vec![(b"a", b"%26+x"), (b"a", b"2")]),
        ];
        for (query, pairs) in table {
            assert_eq!(query_pairs(query).collect::<Vec<_>>(), pairs);
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_itself(plain: Vec<u8>, every in 1usize..4) {
            let mut encoded = String::new();
            for (at, &byte) in plain.iter().enumerate() {
                if byte.is_ascii_alphanumeric() && at % every != 0 {
                    encoded.push(char::from(byte));
                } else {
                    encoded.push_str(&format!("%{byte:02X}"));
                }
            }
            let encoded = encoded.as_bytes();
            prop_assert_eq!(decoded(encoded), plain.clone());
            prop_assert!(eq_decoded(encoded, &plain));
            let mut room = vec![0; plain.len()];
            prop_assert_eq!(decode_into(encoded, &mut room), Ok(plain.len()));
            prop_assert_eq!(room, plain);
        }

        #[test]
        fn no_bytes_panic_and_the_hint_holds(bytes: Vec<u8>) {
            let (least, most) = decode(&bytes).size_hint();
            let count = decode(&bytes).count();
            prop_assert!(least <= count && count <= most.unwrap());
            prop_assert_eq!(decode_form(&bytes).count(), count);
            prop_assert!(eq_decoded(&bytes, &decoded(&bytes)));
            for (name, value) in query_pairs(&bytes) {
                prop_assert!(name.len() + value.len() <= bytes.len());
            }
        }
    }
}
