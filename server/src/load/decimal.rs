//! Decimal numbers as JSON spells them, compared and added without rounding.

use std::cmp::Ordering;
use std::fmt;

/// `mantissa * 10^exponent`, with no zero at the mantissa's end: equal numbers are equal structures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Decimal {
    mantissa: i128,
    exponent: i32,
}

/// Exponents beyond this are refused: no sum of a run comes near, and scaling stays in range.
const EXPONENT_MAX: i64 = 1000;

impl Decimal {
    pub(crate) fn new(mantissa: i128, exponent: i32) -> Decimal {
        let (mut mantissa, mut exponent) = (mantissa, exponent);
        if mantissa == 0 {
            return Decimal::default();
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Decimal { mantissa, exponent }
    }

    /// Half of `halves`.
    pub(crate) fn from_halves(halves: u128) -> Option<Decimal> {
        let fifths = i128::try_from(halves).ok()?.checked_mul(5)?;
        Some(Decimal::new(fifths, -1))
    }

    /// Twice the number, if that is whole.
    pub(crate) fn halves(self) -> Option<i128> {
        let twice = self.times(2)?;
        twice.scaled(0)
    }

    /// Reads a number by the JSON grammar. None: it is none, or has more than 38 digits that count.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, exponent) = match rest.split_once(['e', 'E']) {
            Some((number, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if !all_digits(digits) {
                    return None;
                }
                let size = digits.bytes().fold(0i64, |n, d| {
                    n.saturating_mul(10).saturating_add(i64::from(d - b'0'))
                });
                (
                    number,
                    if exponent.starts_with('-') {
                        -size
                    } else {
                        size
                    },
                )
            }
            None => (rest, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if all_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (number, ""),
        };
        if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        // Zeros at the end are spelling only and must not use up the range.
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = digits.iter().rev().take_while(|&&d| d == b'0').count();
        let mut mantissa: i128 = 0;
        for digit in &digits[..digits.len() - zeros] {
            mantissa = mantissa
                .checked_mul(10)?
                .checked_add(i128::from(digit - b'0'))?;
        }
        if mantissa == 0 {
            return Some(Decimal::default());
        }
        let shift = i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.saturating_add(shift);
        if exponent.abs() > EXPONENT_MAX {
            return None;
        }
        let mantissa = if negative { -mantissa } else { mantissa };
        Some(Decimal::new(mantissa, i32::try_from(exponent).ok()?))
    }

    pub(crate) fn add(self, other: Decimal) -> Option<Decimal> {
        let (a, b, exponent) = self.aligned(other)?;
        Some(Decimal::new(a.checked_add(b)?, exponent))
    }

    pub(crate) fn minus(self, other: Decimal) -> Option<Decimal> {
        self.add(Decimal {
            mantissa: -other.mantissa,
            ..other
        })
    }

    pub(crate) fn times(self, n: u64) -> Option<Decimal> {
        Some(Decimal::new(
            self.mantissa.checked_mul(i128::from(n))?,
            self.exponent,
        ))
    }

    /// None: one of them cannot be scaled to the other in 128 bits.
    fn order(self, other: Decimal) -> Option<Ordering> {
        let (a, b, _) = self.aligned(other)?;
        Some(a.cmp(&b))
    }

    fn aligned(self, other: Decimal) -> Option<(i128, i128, i32)> {
        let exponent = match (self.mantissa, other.mantissa) {
            (0, _) => other.exponent, // zero takes any exponent
            (_, 0) => self.exponent,
            _ => self.exponent.min(other.exponent),
        };
        Some((self.scaled(exponent)?, other.scaled(exponent)?, exponent))
    }

    /// The mantissa at a lower exponent.
    fn scaled(self, exponent: i32) -> Option<i128> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let steps = u32::try_from(self.exponent.checked_sub(exponent)?).ok()?;
        self.mantissa.checked_mul(10i128.checked_pow(steps)?)
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Digits that every server can print, whether it divides doubles or decimals.
const PLAIN_DIGITS: u32 = 15;

/// `sum / count`, if that ends within 15 significant digits.
pub(crate) fn plain_quotient(sum: Decimal, count: u64) -> Option<Decimal> {
    let count = i128::from(count);
    if count == 0 {
        return None;
    }
    for steps in 0..30u32 {
        let scaled = sum.mantissa.checked_mul(10i128.checked_pow(steps)?)?;
        if scaled % count == 0 {
            let found = Decimal::new(scaled / count, sum.exponent - i32::try_from(steps).ok()?);
            return (found.mantissa.abs() < 10i128.pow(PLAIN_DIGITS)).then_some(found);
        }
    }
    None
}

/// Is `avg` the average of `count` values that make `sum`? Exactly, if it ends within 15 significant digits;
/// else within one part in 2^51, which is what two roundings of a double may cost. Of no values it is 0.
pub(crate) fn is_average(avg: Decimal, sum: Decimal, count: u64) -> bool {
    if count == 0 || sum.mantissa == 0 {
        return avg.mantissa == 0;
    }
    if let Some(exact) = plain_quotient(sum, count) {
        return avg == exact;
    }
    let near = || {
        let off = avg.times(count)?.minus(sum)?;
        let off = Decimal {
            mantissa: off.mantissa.abs(),
            ..off
        }
        .times(1 << 51)?;
        off.order(Decimal {
            mantissa: sum.mantissa.abs(),
            ..sum
        })
    };
    // Not comparable in 128 bits: far off, or spelled with far more digits than a quotient needs.
    matches!(near(), Some(Ordering::Less | Ordering::Equal))
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if self.mantissa < 0 { "-" } else { "" };
        if self.exponent > 40 || self.exponent < -60 {
            return write!(f, "{sign}{digits}e{}", self.exponent);
        }
        if self.exponent >= 0 {
            let zeros = "0".repeat(self.exponent.unsigned_abs() as usize);
            return write!(f, "{sign}{digits}{zeros}");
        }
        let places = self.exponent.unsigned_abs() as usize;
        let digits = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn spellings_of_one_number_are_equal_and_neighbours_are_not() {
        let zeros = format!("500000000.{}", "0".repeat(60));
        for text in [
            "500000000",
            "500000000.0",
            "5e8",
            "5E+8",
            "0.5e9",
            "50000000000e-2",
            &zeros,
        ] {
            assert_eq!(d(text), d("500000000"), "{text}");
        }
        for text in [
            "500000000.5",
            "500000001",
            "-500000000",
            "5e7",
            "499999999.9999999999999999",
        ] {
            assert_ne!(d(text), d("500000000"), "{text}");
        }
        for text in ["0", "-0", "0.000", "0e999999999999999999999", "0.0e-5"] {
            assert_eq!(d(text), Decimal::default(), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_number_is_refused() {
        for text in [
            "",
            "-",
            "+1",
            ".5",
            "5.",
            "01",
            "00",
            "1e",
            "1e+",
            "0x1",
            "1_0",
            "NaN",
            "Infinity",
            " 1",
            "1 ",
            "1.5.5",
            "1e5e5",
            "--1",
            "1e1001",
            "1e99999999999999999999",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse(&"9".repeat(50)), None);
    }

    #[test]
    fn sums_and_halves_are_exact() {
        assert_eq!(d("0.1").add(d("0.2")), Some(d("0.3")));
        assert_eq!(
            d("1e30").minus(d("1")),
            Some(d("999999999999999999999999999999"))
        );
        assert_eq!(Decimal::from_halves(1_000_000_001), Some(d("500000000.5")));
        assert_eq!(d("500000000.5").halves(), Some(1_000_000_001));
        assert_eq!(d("0").halves(), Some(0));
        assert_eq!(d("0.25").halves(), None);
        assert_eq!(d("1e900").add(d("1")), None);
    }

    #[test]
    fn an_average_is_exact_where_it_can_be() {
        assert!(is_average(d("500.0"), d("5e8"), 1_000_000));
        assert!(!is_average(d("500.0000000000001"), d("5e8"), 1_000_000));
        assert!(!is_average(d("499.99999999999994"), d("5e8"), 1_000_000));
        assert!(is_average(d("0"), d("0"), 0));
        assert!(!is_average(d("1"), d("0"), 0));
        assert!(!is_average(d("1"), d("1"), 0));
        assert!(is_average(d("0.0"), d("0"), 5));
    }

    #[test]
    fn an_average_without_end_may_be_rounded_but_not_cut() {
        let sum = d("500000.5");
        for text in [
            "499.5009990009990",
            "499.500999000999",
            "499.50099900099901",
            "499.5009990009989",
        ] {
            assert!(is_average(d(text), sum, 1001), "{text}");
        }
        for text in [
            "499.50",
            "499.500999",
            "499.50099900099",
            "499.501",
            "0",
            "-499.500999000999",
        ] {
            assert!(!is_average(d(text), sum, 1001), "{text}");
        }
        // 2^20 values: ends, but only after 25 digits; a double prints 16 of them.
        assert!(is_average(
            d("499.5000000476837"),
            d("523763712.05"),
            1 << 20
        ));
        assert!(!is_average(d("1e40"), sum, 1001));
    }

    #[test]
    fn numbers_are_shown_plainly() {
        for (text, shown) in [
            ("5e8", "500000000"),
            ("0.5", "0.5"),
            ("-0.05", "-0.05"),
            ("12.50", "12.5"),
            ("0", "0"),
        ] {
            assert_eq!(d(text).to_string(), shown);
        }
    }
}
