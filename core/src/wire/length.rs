//! How long a request's body is: all framing rules, and with them all smuggling rules, in one
//! table.
//!
//! | version | Transfer-Encoding              | Content-Length | decision                  | RFC 9112 |
//! |---------|--------------------------------|----------------|---------------------------|----------|
//! | 1.0     | any                            | any            | 400, coding in old version| 6.1      |
//! | 1.1     | any                            | any            | 400, both                 | 6.1, 6.3 |
//! | 1.1     | last is not `chunked`          | none           | 400, not chunked          | 6.3      |
//! | 1.1     | `chunked` twice                | none           | 400, not chunked          | 6.1      |
//! | 1.1     | unknown ones, then `chunked`   | none           | 501, unknown              | 6.1      |
//! | 1.1     | `chunked`                      | none           | chunked                   | 6.3      |
//! | any     | none                           | no number      | 400                       | 6.3      |
//! | any     | none                           | several lines  | 400, even equal ones      | 6.3      |
//! | any     | none                           | a list         | 400, no number            | 6.3      |
//! | any     | none                           | over 64 bits   | 413                       | 6.2      |
//! | any     | none                           | a number       | that many bytes           | 6.2      |
//! | any     | none                           | none           | no body                   | 6.3      |
//!
//! The rows are tried from top to bottom. Parameters on `chunked` make it another coding. Empty
//! list elements are skipped (RFC 9110 section 5.6.1.2); leading zeros are digits.

use super::value::list_items;
use super::{Fault, Version};

/// Where the body of a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// After that many bytes (more than 0).
    Length(u64),
    /// Where its chunks say.
    Chunked,
}

/// What the field lines said of the length, collected line by line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    length: u64,
    lengths: Lengths,
    codings: Codings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    // 0, as that of the codings.
    None,
    One,
    Several,
    Invalid,
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codings {
    /// No line.
    None,
    /// A line without a coding.
    Empty,
    /// Others, and no `chunked` yet.
    Others,
    /// `chunked`, alone.
    Chunked,
    /// Others, then `chunked`.
    OthersThenChunked,
    /// Something came behind `chunked`.
    Behind,
}

impl Evidence {
    pub(crate) const fn new() -> Self {
        Evidence {
            length: 0,
            lengths: Lengths::None,
            codings: Codings::None,
        }
    }

    /// A `Content-Length` line.
    pub(crate) fn content_length(&mut self, value: &[u8]) {
        self.lengths = match self.lengths {
            Lengths::None => match number(value) {
                Ok(n) => {
                    self.length = n;
                    Lengths::One
                }
                Err(kind) => kind,
            },
            Lengths::Invalid => Lengths::Invalid,
            _ if matches!(number(value), Err(Lengths::Invalid)) => Lengths::Invalid,
            _ => Lengths::Several,
        };
    }

    /// A `Transfer-Encoding` line; the lines form one list.
    pub(crate) fn transfer_encoding(&mut self, value: &[u8]) {
        if self.codings == Codings::None {
            self.codings = Codings::Empty;
        }
        if self.codings == Codings::Empty && value.eq_ignore_ascii_case(b"chunked") {
            // Alone, as nearly always.
            self.codings = Codings::Chunked;
            return;
        }
        for coding in list_items(value) {
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.codings = match (self.codings, chunked) {
                (Codings::None | Codings::Empty, true) => Codings::Chunked,
                (Codings::Others, true) => Codings::OthersThenChunked,
                (Codings::None | Codings::Empty | Codings::Others, false) => Codings::Others,
                (Codings::Chunked | Codings::OthersThenChunked | Codings::Behind, _) => {
                    Codings::Behind
                }
            };
        }
    }

    /// Nothing was said of the length, as in nearly every request: the last row of the table.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.codings as u8 | self.lengths as u8 == 0
    }

    /// The table.
    #[inline(never)]
    pub(crate) fn decide(&self, version: Version) -> Result<Framing, Fault> {
        match (version, self.codings, self.lengths) {
            (_, Codings::None, Lengths::None) => Ok(Framing::None),
            (_, Codings::None, Lengths::One) if self.length == 0 => Ok(Framing::None),
            (_, Codings::None, Lengths::One) => Ok(Framing::Length(self.length)),
            (_, Codings::None, Lengths::Invalid) => Err(Fault::Length),
            (_, Codings::None, Lengths::Several) => Err(Fault::LengthTwice),
            (_, Codings::None, Lengths::TooLarge) => Err(Fault::LengthTooLarge),
            (Version::Http10, _, _) => Err(Fault::CodingInOldVersion),
            (_, Codings::Chunked, Lengths::None) => Ok(Framing::Chunked),
            (_, Codings::OthersThenChunked, Lengths::None) => Err(Fault::CodingUnknown),
            (_, Codings::Empty | Codings::Others | Codings::Behind, Lengths::None) => {
                Err(Fault::CodingNotChunked)
            }
            (_, _, _) => Err(Fault::LengthAndCoding),
        }
    }
}

/// A number of bytes: digits only (RFC 9110 section 8.6).
fn number(value: &[u8]) -> Result<u64, Lengths> {
    // So many digits cannot overflow.
    if value.is_empty() || value.len() > 19 {
        return long_number(value);
    }
    let mut sum = 0u64;
    for byte in value {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Lengths::Invalid);
        }
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    Ok(sum)
}

/// No digit, or many.
#[cold]
fn long_number(value: &[u8]) -> Result<u64, Lengths> {
    let digits = || value.iter().map(|byte| byte.wrapping_sub(b'0'));
    if value.is_empty() || digits().any(|digit| digit > 9) {
        return Err(Lengths::Invalid);
    }
    digits()
        .try_fold(0u64, |sum, digit| {
            sum.checked_mul(10)
                .and_then(|sum| sum.checked_add(u64::from(digit)))
        })
        .ok_or(Lengths::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(version: Version, lengths: &[&[u8]], codings: &[&[u8]]) -> Result<Framing, Fault> {
        let mut evidence = Evidence::new();
        lengths
            .iter()
            .for_each(|value| evidence.content_length(value));
        codings
            .iter()
            .for_each(|value| evidence.transfer_encoding(value));
        evidence.decide(version)
    }

    #[test]
    fn the_table_of_lengths_holds() {
        let lengths = |lines: &[&[u8]]| decide(Version::Http11, lines, &[]);
        assert_eq!(lengths(&[]), Ok(Framing::None));
        assert_eq!(lengths(&[b"0"]), Ok(Framing::None));
        assert_eq!(lengths(&[b"5"]), Ok(Framing::Length(5)));
        assert_eq!(lengths(&[b"005"]), Ok(Framing::Length(5)));
        assert_eq!(
            lengths(&[b"18446744073709551615"]),
            Ok(Framing::Length(u64::MAX))
        );
        assert_eq!(
            lengths(&[b"18446744073709551616"]),
            Err(Fault::LengthTooLarge)
        );
        assert_eq!(
            lengths(&[b"99999999999999999999999999"]),
            Err(Fault::LengthTooLarge)
        );
        assert_eq!(lengths(&[b"5", b"5"]), Err(Fault::LengthTwice));
        assert_eq!(lengths(&[b"5", b"6"]), Err(Fault::LengthTwice));
        for bad in [
            &b""[..],
            b"-0",
            b"+5",
            b"5, 5",
            b"5,",
            b"5 5",
            b"0x5",
            b"5\x00",
            b"5.0",
            b",",
        ] {
            assert_eq!(
                lengths(&[bad]),
                Err(Fault::Length),
                "{}",
                bad.escape_ascii()
            );
            assert_eq!(
                lengths(&[b"5", bad]),
                Err(Fault::Length),
                "{}",
                bad.escape_ascii()
            );
            assert_eq!(
                lengths(&[bad, b"5"]),
                Err(Fault::Length),
                "{}",
                bad.escape_ascii()
            );
        }
    }

    #[test]
    fn the_table_of_codings_holds() {
        let codings = |lines: &[&[u8]]| decide(Version::Http11, &[], lines);
        for good in [&b"chunked"[..], b"Chunked", b", chunked", b", , chunked ,"] {
            assert_eq!(
                codings(&[good]),
                Ok(Framing::Chunked),
                "{}",
                good.escape_ascii()
            );
        }
        assert_eq!(codings(&[b"", b"chunked"]), Ok(Framing::Chunked));
        for bad in [
            &b""[..],
            b",",
            b"gzip",
            b"chunked, gzip",
            b"chunkedx",
            b"chunk",
            b"identity",
            b"chunked;a=b",
            b"chunked, chunked",
            b"(chunked)",
            b"gzip, chunked, chunked",
        ] {
            assert_eq!(
                codings(&[bad]),
                Err(Fault::CodingNotChunked),
                "{}",
                bad.escape_ascii()
            );
        }
        assert_eq!(
            codings(&[b"chunked", b"chunked"]),
            Err(Fault::CodingNotChunked)
        );
        assert_eq!(codings(&[b"chunked", b"x"]), Err(Fault::CodingNotChunked));
        assert_eq!(codings(&[b"gzip, chunked"]), Err(Fault::CodingUnknown));
        assert_eq!(
            codings(&[b"identity", b"chunked"]),
            Err(Fault::CodingUnknown)
        );
    }

    #[test]
    fn length_and_coding_exclude_each_other() {
        for length in [&b"0"[..], b"5", b"x", b""] {
            for coding in [&b"chunked"[..], b"identity", b""] {
                let both = decide(Version::Http11, &[length], &[coding]);
                assert_eq!(both, Err(Fault::LengthAndCoding));
            }
        }
        let old = decide(Version::Http10, &[], &[b"chunked"]);
        assert_eq!(old, Err(Fault::CodingInOldVersion));
        let old = decide(Version::Http10, &[b"5"], &[b"chunked"]);
        assert_eq!(old, Err(Fault::CodingInOldVersion));
        assert_eq!(
            decide(Version::Http10, &[b"5"], &[]),
            Ok(Framing::Length(5))
        );
    }

    /// The short cut says what the table says; that it is one shows only here, and in instructions.
    #[test]
    fn evidence_is_none_until_a_field_speaks_of_the_length() {
        let mut evidence = Evidence::new();
        assert!(evidence.is_none());
        evidence.content_length(b"0");
        assert!(!evidence.is_none());
        let mut evidence = Evidence::new();
        evidence.transfer_encoding(b"");
        assert!(!evidence.is_none());
    }

    #[test]
    fn every_digit_counts_and_its_neighbours_do_not() {
        assert_eq!(number(b"9876543210"), Ok(9_876_543_210));
        assert_eq!(
            number(b"9999999999999999999"),
            Ok(9_999_999_999_999_999_999)
        );
        assert_eq!(number(b"/"), Err(Lengths::Invalid));
        assert_eq!(number(b":"), Err(Lengths::Invalid));
    }

    #[test]
    fn evidence_of_any_kind_is_some() {
        let lengths: [&[&[u8]]; 4] = [&[], &[b"1"], &[b"1", b"2"], &[b"x"]];
        let codings: [&[&[u8]]; 6] = [
            &[],
            &[b""],
            &[b"chunked"],
            &[b"gzip"],
            &[b"gzip", b"chunked"],
            &[b"chunked", b"gzip"],
        ];
        for (length, coding) in lengths
            .iter()
            .flat_map(|one| codings.map(|other| (*one, other)))
        {
            let mut evidence = Evidence::new();
            length.iter().for_each(|line| evidence.content_length(line));
            coding
                .iter()
                .for_each(|line| evidence.transfer_encoding(line));
            assert_eq!(evidence.is_none(), length.is_empty() && coding.is_empty());
        }
    }
}
