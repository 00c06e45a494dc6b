//! Which bytes may stand where: one table of bit flags for every grammar that works byte by byte.
//!
//! One table of 256 bytes is four cache lines; a table per class would be four lines each, and a
//! request touches several classes. A byte indexes it without a bounds check.

/// Set of byte classes; a bit mask over the constants of this module.
pub type Class = u8;

/// `tchar` (RFC 9110, 5.6.2): what methods, field names and other tokens are made of.
pub const TOKEN: Class = 1 << 0;
/// Bytes of a field value (RFC 9110, 5.5): HTAB, SP, visible ASCII and 0x80 to 0xFF.
pub const FIELD: Class = 1 << 1;
/// Bytes of a path without its percent signs: `pchar` less `%`, and `/` (RFC 3986, 3.3).
pub const PATH: Class = 1 << 2;
/// Bytes of a query without its percent signs: those of a path, and `?` (RFC 3986, 3.4).
pub const QUERY: Class = 1 << 3;
/// Bytes of a registered name without its percent signs: `unreserved` and `sub-delims`
/// (RFC 3986, 3.2.2).
pub const NAME: Class = 1 << 4;
/// `HEXDIG` in either case (RFC 3986, 2.1 takes lower case as equal).
pub const HEX: Class = 1 << 5;
/// `DIGIT` (RFC 5234, B.1).
pub const DIGIT: Class = 1 << 6;
/// `ALPHA` (RFC 5234, B.1).
pub const ALPHA: Class = 1 << 7;

/// The classes of every byte.
pub const CLASSES: [Class; 256] = build();

/// Says whether `byte` is in at least one of the classes of `class`.
#[must_use]
#[inline]
pub const fn is(byte: u8, class: Class) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// Says whether `bytes` are all in `class`; true of no bytes.
#[must_use]
pub fn all(bytes: &[u8], class: Class) -> bool {
    bytes.iter().all(|&byte| is(byte, class))
}

const fn build() -> [Class; 256] {
    let mut classes = [0; 256];
    let mut index = 0;
    while index < 256 {
        classes[index] = classes_of(index as u8);
        index += 1;
    }
    classes
}

const fn classes_of(byte: u8) -> Class {
    let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let sub_delim = matches!(
        byte,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
    );
    let token = byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
    let name = unreserved || sub_delim;
    let path = name || matches!(byte, b':' | b'@' | b'/');
    flag(token, TOKEN)
        | flag(matches!(byte, b'\t' | b' '..=b'~' | 0x80..=0xFF), FIELD)
        | flag(path, PATH)
        | flag(path || byte == b'?', QUERY)
        | flag(name, NAME)
        | flag(byte.is_ascii_hexdigit(), HEX)
        | flag(byte.is_ascii_digit(), DIGIT)
        | flag(byte.is_ascii_alphabetic(), ALPHA)
}

const fn flag(holds: bool, class: Class) -> Class {
    if holds { class } else { 0 }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn members(class: Class) -> BTreeSet<u8> {
        (0..=255).filter(|&byte| is(byte, class)).collect()
    }

    /// Letters, digits and the bytes given: the way the RFCs write their classes.
    fn alphanumeric_and(more: &[u8]) -> BTreeSet<u8> {
        (b'a'..=b'z')
            .chain(b'A'..=b'Z')
            .chain(b'0'..=b'9')
            .chain(more.iter().copied())
            .collect()
    }

    #[test]
    fn each_class_has_exactly_the_bytes_of_its_grammar() {
        assert_eq!(members(TOKEN), alphanumeric_and(b"!#$%&'*+-.^_`|~"));
        assert_eq!(members(NAME), alphanumeric_and(b"-._~!$&'()*+,;="));
        assert_eq!(members(PATH), alphanumeric_and(b"-._~!$&'()*+,;=:@/"));
        assert_eq!(members(QUERY), alphanumeric_and(b"-._~!$&'()*+,;=:@/?"));
        assert_eq!(members(DIGIT), (b'0'..=b'9').collect());
        assert_eq!(members(ALPHA), (b'a'..=b'z').chain(b'A'..=b'Z').collect());
        assert_eq!(
            members(HEX),
            b"0123456789abcdefABCDEF".iter().copied().collect()
        );
    }

    #[test]
    fn a_field_value_refuses_exactly_the_control_bytes_other_than_tab() {
        let refused: Vec<u8> = (0..=255).filter(|&byte| !is(byte, FIELD)).collect();
        let controls: Vec<u8> = (0..=8).chain(10..=31).chain([127]).collect();
        assert_eq!(refused, controls);
    }

    #[test]
    fn all_wants_every_byte() {
        assert!(all(b"", TOKEN));
        assert!(all(b"abc", TOKEN));
        assert!(!all(b"a c", TOKEN));
        assert!(all(b"a1", ALPHA | DIGIT));
    }

    /// The same function, once for the compiler and once for the processor.
    #[test]
    fn the_table_is_what_is_built_at_run_time() {
        assert_eq!(build(), CLASSES);
    }
}
