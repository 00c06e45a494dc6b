//! Field values: white space at their ends, tokens, and lists separated by commas.

use super::class::{self, TOKEN};

/// Says whether `bytes` are a token (RFC 9110, 5.6.2): one or more `tchar`.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && class::all(bytes, TOKEN)
}

/// Compares without regard to the case of ASCII letters. No locale, no Unicode.
#[must_use]
#[inline]
pub fn eq_ignore_case(left: &[u8], right: &[u8]) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// Cuts optional white space (SP and HTAB: RFC 9110, 5.6.3) off both ends.
#[must_use]
pub const fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The elements of a list of tokens (RFC 9110, 5.6.1.2): trimmed, empty ones left out.
///
/// Every comma separates. Where elements may hold quoted strings take [`list_items_quoted`].
#[must_use]
pub const fn list_items(value: &[u8]) -> ListItems<'_> {
    ListItems {
        rest: value,
        quotes: false,
    }
}

/// As [`list_items`], but a comma inside a quoted string (RFC 9110, 5.6.4) does not separate.
///
/// A backslash in a quoted string takes the next byte with it. A string that is never closed takes
/// the rest of the value: nothing in it becomes an element by accident.
#[must_use]
pub const fn list_items_quoted(value: &[u8]) -> ListItems<'_> {
    ListItems {
        rest: value,
        quotes: true,
    }
}

/// Says whether the list of tokens in `value` has the element `token`, in any case:
/// `has_token(b"keep-alive, Close", b"close")`.
///
/// A list may be spread over several lines of one name: ask each.
#[must_use]
pub fn has_token(value: &[u8], token: &[u8]) -> bool {
    list_items(value).any(|item| eq_ignore_case(item, token))
}

/// Iterator over the elements of a list; see [`list_items`]. Each element is a part of the value.
#[derive(Clone, Debug)]
pub struct ListItems<'a> {
    rest: &'a [u8],
    quotes: bool,
}

impl<'a> Iterator for ListItems<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let (item, rest) = split_at_comma(self.rest, self.quotes);
            self.rest = rest;
            let item = trim_ows(item);
            if !item.is_empty() {
                return Some(item);
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Each element is at least one byte, and all but one have a comma.
        (0, Some(self.rest.len().div_ceil(2)))
    }
}

impl core::iter::FusedIterator for ListItems<'_> {}

/// What stands before the first comma that separates, and what stands behind it.
fn split_at_comma(value: &[u8], quotes: bool) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let mut escaped = false;
    let comma = value.iter().position(|&byte| {
        if escaped {
            escaped = false;
            return false;
        }
        match byte {
            b'"' if quotes => quoted = !quoted,
            b'\\' if quoted => escaped = true,
            b',' if !quoted => return true,
            _ => {}
        }
        false
    });
    let Some((before, [_, after @ ..])) = comma.and_then(|at| value.split_at_checked(at)) else {
        return (value, &[]);
    };
    (before, after)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn white_space_goes_from_the_ends_only() {
        let table: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b" ", b""),
            (b"\t \t", b""),
            (b"a", b"a"),
            (b" a", b"a"),
            (b"a\t", b"a"),
            (b" \ta b \t ", b"a b"),
            (b"\x0Ba\x0C", b"\x0Ba\x0C"),
        ];
        for (value, trimmed) in table {
            assert_eq!(trim_ows(value), trimmed);
        }
    }

    #[test]
    fn a_token_is_one_or_more_token_bytes() {
        assert!(is_token(b"a"));
        assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        for bad in [
            &b""[..],
            b" ",
            b"a b",
            b"a,b",
            b"a:",
            b"\"a\"",
            b"a\0",
            b"\xC3",
        ] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }

    #[test]
    fn lists_lose_white_space_and_empty_elements() {
        let table: [(&[u8], Vec<&[u8]>); 9] = [
            (b"", vec![]),
            (b",", vec![]),
            (b" , ,\t,", vec![]),
            (b"a", vec![b"a"]),
            (b"a,b", vec![b"a", b"b"]),
            (b"foo ,bar,", vec![b"foo", b"bar"]),
            (b"foo , ,bar,charlie", vec![b"foo", b"bar", b"charlie"]),
            (b",a b\t,", vec![b"a b"]),
            (b"\"a,b\"", vec![b"\"a", b"b\""]),
        ];
        for (value, items) in table {
            assert_eq!(list_items(value).collect::<Vec<_>>(), items, "{value:?}");
        }
    }

    #[test]
    fn a_comma_in_a_quoted_string_does_not_separate() {
        let table: [(&[u8], Vec<&[u8]>); 7] = [
            (b"a, b", vec![b"a", b"b"]),
            (b"x=\"a,b\", c", vec![b"x=\"a,b\"", b"c"]),
            (b"\"a\\\",b\",c", vec![b"\"a\\\",b\"", b"c"]),
            (b"\"a\\\\\",c", vec![b"\"a\\\\\"", b"c"]),
            (b"a, \"open, b", vec![b"a", b"\"open, b"]),
            (b"\"\\", vec![b"\"\\"]),
            // A backslash outside of a quoted string is a byte like others.
            (b"a\\,b", vec![b"a\\", b"b"]),
        ];
        for (value, items) in table {
            assert_eq!(
                list_items_quoted(value).collect::<Vec<_>>(),
                items,
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_token_is_found_in_any_case_but_only_whole() {
        assert!(has_token(b"close", b"close"));
        assert!(has_token(b"keep-alive, CLOSE", b"close"));
        assert!(has_token(b",,\tClose ,", b"close"));
        assert!(!has_token(b"closed", b"close"));
        assert!(!has_token(b"not close", b"close"));
        assert!(!has_token(b"close;q=1", b"close"));
        assert!(!has_token(b"", b"close"));
        assert!(!has_token(b", ,", b""));
    }

    proptest! {
        #[test]
        fn a_list_splits_as_a_naive_split_does(value in "[a-c ,\t\"\\\\]{0,40}") {
            let naive: Vec<String> = value
                .split(',')
                .map(|item| String::from(item.trim_matches([' ', '\t'])))
                .filter(|item| !item.is_empty())
                .collect();
            let ours: Vec<String> = list_items(value.as_bytes())
                .map(|item| String::from_utf8(item.to_vec()).unwrap())
                .collect();
            prop_assert!(ours.len() <= list_items(value.as_bytes()).size_hint().1.unwrap());
            prop_assert_eq!(ours, naive);
        }

        #[test]
        fn no_bytes_panic_and_every_item_is_trimmed_and_not_empty(value: Vec<u8>) {
            for item in list_items(&value).chain(list_items_quoted(&value)) {
                prop_assert!(!item.is_empty());
                prop_assert_eq!(trim_ows(item), item);
            }
        }
    }
}
