//! Numbers as they are written (RFC 8259 section 6): digits, never a float.

use super::error::{Error, Kind};

/// A JSON number, checked. Whoever wants its value computes it from the digits.
#[derive(Debug, Clone, Copy)]
pub struct Number<'a> {
    text: &'a [u8],
    /// All digits before the exponent as one number, modulo 2^64.
    digits: u64,
    /// Digits behind the point, or [`NOT_SMALL`]. The other parts are looked for when they are
    /// asked for: offsets to remember them by cost every caller two registers more.
    places: u64,
}

/// What was taken and what follows it; or a fault, and the text that begins with it.
type Taken<'a, T> = Result<(T, &'a [u8]), (Kind, &'a [u8])>;

/// Bytes of a number whose digits fit 64 bits whatever they are: 10^19 is below 2^64.
const SMALL_BYTES_MAX: usize = 19;

/// The number has an exponent or more than [`SMALL_BYTES_MAX`] bytes.
const NOT_SMALL: u64 = u64::MAX;

impl<'a> Number<'a> {
    /// Takes a whole text as a number, without white space.
    ///
    /// # Errors
    ///
    /// `Kind::Early` if the text is only the beginning of a number, else `Kind::Number` at the
    /// first byte that cannot stand where it stands.
    pub fn new(text: &'a [u8]) -> Result<Self, Error> {
        let (kind, rest) = match Self::prefix(text) {
            Ok((number, [])) => return Ok(number),
            Ok((_, rest)) => (Kind::Number, rest),
            Err(fault) => fault,
        };
        let at = text.len().wrapping_sub(rest.len());
        Err(Error { at, kind })
    }

    /// Takes the longest number that the text begins with.
    #[inline(always)]
    pub(super) fn prefix(text: &'a [u8]) -> Taken<'a, Self> {
        let unsigned = match text {
            [b'-', unsigned @ ..] => unsigned,
            _ => text,
        };
        let (mut digits, mut rest) = match unsigned {
            // No leading zeros: what follows the zero is the fault.
            [b'0', b'0'..=b'9', ..] => {
                return Err((Kind::Number, unsigned.get(1..).unwrap_or_default()));
            }
            _ => take_digits(unsigned, 0)?,
        };
        let mut places = 0;
        if let [b'.', behind @ ..] = rest {
            (digits, rest) = take_digits(behind, digits)?;
            places = behind.len().wrapping_sub(rest.len()) as u64;
        }
        if let [b'e' | b'E', behind @ ..] = rest {
            rest = take_exponent(behind)?;
            places = NOT_SMALL;
        }
        let end = text.len().wrapping_sub(rest.len());
        if end > SMALL_BYTES_MAX {
            places = NOT_SMALL;
        }
        let number = Self {
            text: text.get(..end).unwrap_or_default(),
            digits,
            places,
        };
        Ok((number, rest))
    }

    /// The number as it was written.
    #[inline]
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Whether it begins with a minus sign (`-0` does).
    #[inline]
    #[must_use]
    pub fn negative(&self) -> bool {
        self.text.first() == Some(&b'-')
    }

    /// The digits before the point, at least one; no leading zero unless it is the only digit.
    #[inline]
    #[must_use]
    pub fn integer(&self) -> &'a [u8] {
        let unsigned = self.text.strip_prefix(b"-").unwrap_or(self.text);
        front_digits(unsigned).0
    }

    /// The digits behind the point with all their zeros; empty if there is no point.
    #[inline]
    #[must_use]
    pub fn fraction(&self) -> &'a [u8] {
        match self.behind_integer() {
            [b'.', behind @ ..] => front_digits(behind).0,
            _ => &[],
        }
    }

    /// The size of a number of ordinary length, ready to use: `(4995, 1)` for `499.5` and `-499.5`
    /// means 4995 * 10^-1. The first is below 10^19, the second at most 18.
    ///
    /// `None` if the number has an exponent or more than 19 bytes; it is then to be computed from its
    /// parts.
    #[inline]
    #[must_use]
    pub fn small(&self) -> Option<(u64, u32)> {
        (self.places != NOT_SMALL).then_some((self.digits, self.places as u32))
    }

    /// The point or the exponent, if any, and everything behind.
    fn behind_integer(&self) -> &'a [u8] {
        let unsigned = self.text.strip_prefix(b"-").unwrap_or(self.text);
        front_digits(unsigned).1
    }

    /// The power of ten that the digits are multiplied by; 0 if none is written, the nearest `i64`
    /// if it does not fit.
    #[must_use]
    pub fn exponent(&self) -> i64 {
        let behind = match self.behind_integer() {
            [b'.', behind @ ..] => front_digits(behind).1,
            behind => behind,
        };
        let (negative, digits) = match behind {
            [_, b'-', digits @ ..] => (true, digits),
            [_, b'+', digits @ ..] | [_, digits @ ..] => (false, digits),
            [] => return 0,
        };
        digits.iter().fold(0i64, |sum, byte| {
            let digit = i64::from(byte & 0x0f);
            let sum = sum.saturating_mul(10);
            if negative {
                sum.saturating_sub(digit)
            } else {
                sum.saturating_add(digit)
            }
        })
    }
}

/// The digits that the text begins with, and the rest.
fn front_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or_default()
}

/// Takes the digits that the text begins with, of which at least one must. Returns the number that
/// they make behind the digits of `value`, modulo 2^64, and the rest.
#[inline(always)]
fn take_digits(text: &[u8], mut value: u64) -> Taken<'_, u64> {
    let mut rest = text;
    while let [byte @ b'0'..=b'9', behind @ ..] = rest {
        value = value
            .wrapping_mul(10)
            .wrapping_add(u64::from(byte.wrapping_sub(b'0')));
        rest = behind;
    }
    if rest.len() < text.len() {
        Ok((value, rest))
    } else if rest.is_empty() {
        Err((Kind::Early, rest))
    } else {
        Err((Kind::Number, rest))
    }
}

/// What follows the exponent whose `e` stands before `text`.
#[inline(never)]
fn take_exponent(text: &[u8]) -> Result<&[u8], (Kind, &[u8])> {
    let unsigned = match text {
        [b'+' | b'-', unsigned @ ..] => unsigned,
        _ => text,
    };
    take_digits(unsigned, 0).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, negative, integer, fraction, exponent.
    type Parts = (&'static str, bool, &'static str, &'static str, i64);

    const PARTS: &[Parts] = &[
        ("0", false, "0", "", 0),
        ("-0", true, "0", "", 0),
        ("7", false, "7", "", 0),
        ("-120", true, "120", "", 0),
        ("0.50", false, "0", "50", 0),
        ("-999.5", true, "999", "5", 0),
        ("1e3", false, "1", "", 3),
        ("1E+03", false, "1", "", 3),
        ("0e0", false, "0", "", 0),
        ("-12.034e-7", true, "12", "034", -7),
        ("0.0E-0", false, "0", "0", 0),
        ("1e9223372036854775807", false, "1", "", i64::MAX),
        ("1e9223372036854775808", false, "1", "", i64::MAX),
        ("1e99999999999999999999999999", false, "1", "", i64::MAX),
        ("1e-9223372036854775808", false, "1", "", i64::MIN),
        ("1.5e-99999999999999999999999999", false, "1", "5", i64::MIN),
        ("18446744073709551616", false, "18446744073709551616", "", 0),
    ];

    #[test]
    fn a_number_comes_in_its_parts() {
        for &(text, negative, integer, fraction, exponent) in PARTS {
            let number = Number::new(text.as_bytes()).expect(text);
            assert_eq!(number.text(), text.as_bytes());
            assert_eq!(number.negative(), negative, "{text}");
            assert_eq!(number.integer(), integer.as_bytes(), "{text}");
            assert_eq!(number.fraction(), fraction.as_bytes(), "{text}");
            assert_eq!(number.exponent(), exponent, "{text}");
        }
    }

    #[test]
    fn a_number_of_ordinary_length_is_ready_to_use_and_others_are_not() {
        let cases = [
            ("0", Some((0, 0))),
            ("-0", Some((0, 0))),
            ("499.5", Some((4995, 1))),
            ("-499.50", Some((49950, 2))),
            ("0.001", Some((1, 3))),
            ("1234567890123456789", Some((1_234_567_890_123_456_789, 0))),
            ("9999999999999999999", Some((9_999_999_999_999_999_999, 0))),
            ("0.99999999999999999", Some((99_999_999_999_999_999, 17))),
            ("0.999999999999999999", None),
            ("-9999999999999999999", None),
            ("18446744073709551617", None),
            ("1e0", None),
            ("1.5E-1", None),
        ];
        for (text, small) in cases {
            let number = Number::new(text.as_bytes()).expect(text);
            assert_eq!(number.small(), small, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused_where_it_goes_wrong() {
        let cases: &[(&str, usize, Kind)] = &[
            ("", 0, Kind::Early),
            ("-", 1, Kind::Early),
            ("1.", 2, Kind::Early),
            ("1e", 2, Kind::Early),
            ("1e+", 3, Kind::Early),
            ("+1", 0, Kind::Number),
            (".5", 0, Kind::Number),
            ("-.5", 1, Kind::Number),
            ("--1", 1, Kind::Number),
            ("01", 1, Kind::Number),
            ("00", 1, Kind::Number),
            ("-01.5", 2, Kind::Number),
            ("1.e3", 2, Kind::Number),
            ("1.2.3", 3, Kind::Number),
            ("1e1.5", 3, Kind::Number),
            ("1e1e1", 3, Kind::Number),
            ("1ee1", 2, Kind::Number),
            ("1e+-1", 3, Kind::Number),
            ("1 ", 1, Kind::Number),
            (" 1", 0, Kind::Number),
            ("0x1F", 1, Kind::Number),
            ("1_000", 1, Kind::Number),
            ("1,5", 1, Kind::Number),
            ("NaN", 0, Kind::Number),
            ("-Infinity", 1, Kind::Number),
            ("\u{ff11}", 0, Kind::Number),
        ];
        for &(text, at, kind) in cases {
            let error = Number::new(text.as_bytes()).expect_err(text);
            assert_eq!(error, Error { at, kind }, "{text}");
        }
    }
}
