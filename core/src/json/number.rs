//! Numbers as they are written (RFC 8259 section 6): digits, never a float.

use super::error::{Error, Kind};

/// A JSON number, checked, in its parts. Whoever wants its value computes it from the digits.
#[derive(Debug, Clone, Copy)]
pub struct Number<'a> {
    text: &'a [u8],
    /// Offset behind the last digit of the integer part.
    integer_end: usize,
    /// Offset behind the last digit of the fraction; `integer_end` if there is no fraction.
    fraction_end: usize,
}

impl<'a> Number<'a> {
    /// Takes a whole text as a number, without white space.
    ///
    /// # Errors
    ///
    /// `Kind::Early` if the text is only the beginning of a number, else `Kind::Number` at the
    /// first byte that cannot stand where it stands.
    pub fn new(text: &'a [u8]) -> Result<Self, Error> {
        let number = Self::prefix(text)?;
        if number.text.len() == text.len() {
            Ok(number)
        } else {
            Err(Error {
                at: number.text.len(),
                kind: Kind::Number,
            })
        }
    }

    /// Takes the longest number that the text begins with.
    #[inline]
    pub(super) fn prefix(text: &'a [u8]) -> Result<Self, Error> {
        let from = usize::from(text.first() == Some(&b'-'));
        let integer_end = digits(text, from)?;
        if integer_end > from.wrapping_add(1) && text.get(from) == Some(&b'0') {
            // No leading zeros: what follows the zero is the fault.
            return Err(Error {
                at: from.wrapping_add(1),
                kind: Kind::Number,
            });
        }
        let mut fraction_end = integer_end;
        if text.get(integer_end) == Some(&b'.') {
            fraction_end = digits(text, integer_end.wrapping_add(1))?;
        }
        let mut end = fraction_end;
        if let Some(b'e' | b'E') = text.get(end) {
            end = end.wrapping_add(1);
            if let Some(b'+' | b'-') = text.get(end) {
                end = end.wrapping_add(1);
            }
            end = digits(text, end)?;
        }
        let text = text.get(..end).unwrap_or_default();
        Ok(Self {
            text,
            integer_end,
            fraction_end,
        })
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
        self.text
            .get(usize::from(self.negative())..self.integer_end)
            .unwrap_or_default()
    }

    /// The digits behind the point with all their zeros; empty if there is no point.
    #[inline]
    #[must_use]
    pub fn fraction(&self) -> &'a [u8] {
        // Without a point the range runs backwards, and `get` gives nothing.
        self.text
            .get(self.integer_end.wrapping_add(1)..self.fraction_end)
            .unwrap_or_default()
    }

    /// The power of ten that the digits are multiplied by; 0 if none is written, the nearest `i64`
    /// if it does not fit.
    #[must_use]
    pub fn exponent(&self) -> i64 {
        // Without an `e` the range begins behind the end, and `get` gives nothing.
        let written = self
            .text
            .get(self.fraction_end.wrapping_add(1)..)
            .unwrap_or_default();
        let (negative, digits) = match written {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] | digits => (false, digits),
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

/// The offset behind the digits that stand at `from`; at least one must.
#[inline]
fn digits(text: &[u8], from: usize) -> Result<usize, Error> {
    let mut at = from;
    while let Some(b'0'..=b'9') = text.get(at) {
        at = at.wrapping_add(1);
    }
    if at > from {
        Ok(at)
    } else {
        let kind = if at < text.len() {
            Kind::Number
        } else {
            Kind::Early
        };
        Err(Error { at, kind })
    }
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
