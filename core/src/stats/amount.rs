//! Exact numbers: one event's value, and the sum of all of them.
//!
//! A value is kept as a whole number of units of 10^-36, in 256-bit two's complement. Nothing here
//! goes through a float: what the client wrote is what is added.

/// Decimal places of a unit: an amount is a whole number of 10^-36.
///
/// 36 is far finer than the 17 digits of a double near one, and leaves room in 256 bits.
pub const DECIMAL_PLACES: u32 = 36;

/// Digits before the point that an amount may have: its size is below 10^19.
///
/// 19 digits hold every 64-bit integer that JSON clients send, and 10^19 * 10^36 = 10^55 is below
/// 2^183; 2^64 such events sum to less than 2^247, so a [`Sum`] of 2^255 cannot overflow.
pub const INTEGER_DIGITS_MAX: u32 = 19;

/// The value of one event: a multiple of 10^-36 with a size below 10^19, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Units of 10^-36 in two's complement, least significant limb first.
    limbs: [u64; 4],
}

/// Why a number is not an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// Its size is 10^19 or more.
    TooLarge,
    /// It is not a multiple of 10^-36.
    TooFine,
    /// The caller's parts hold something other than ASCII digits.
    NotDigits,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self { limbs: [0; 4] };

    /// The amount of so many units of 10^-`places`: `(true, 1250, 2)` is -12.50.
    ///
    /// Five times as fast as [`from_decimal`](Self::from_decimal), for numbers that are short enough;
    /// the same amount for each.
    ///
    /// # Errors
    ///
    /// [`AmountError::TooLarge`] and [`AmountError::TooFine`] where the value is no amount.
    #[inline]
    pub fn from_small(negative: bool, units: u64, places: u32) -> Result<Self, AmountError> {
        let Some(&unit) = UNITS.get(places as usize) else {
            return Self::from_fine(negative, units, places);
        };
        if places == 0 && units >= power_of_ten(INTEGER_DIGITS_MAX) {
            return Err(AmountError::TooLarge);
        }
        let (low, carry) = (unit as u64).carrying_mul(units, 0);
        let (middle, high) = ((unit >> 64) as u64).carrying_mul(units, carry);
        Ok(Self::signed(negative, [low, middle, high]))
    }

    /// More places than an amount has: zeros at the end may be dropped.
    #[cold]
    fn from_fine(negative: bool, mut units: u64, mut places: u32) -> Result<Self, AmountError> {
        if units == 0 {
            return Ok(Self::ZERO);
        }
        while places > DECIMAL_PLACES {
            if !units.is_multiple_of(10) {
                return Err(AmountError::TooFine);
            }
            units /= 10;
            places = places.saturating_sub(1);
        }
        Self::from_small(negative, units, places)
    }

    #[inline]
    fn signed(negative: bool, size: [u64; 3]) -> Self {
        let [a, b, c] = size;
        let limbs = [a, b, c, 0];
        Self {
            limbs: if negative { negate(limbs) } else { limbs },
        }
    }

    /// The amount that a JSON number says, from its parts: `-12.50e3` is
    /// `(true, b"12", b"50", 3)`.
    ///
    /// Every spelling of a value is taken alike: zeros at either end, `0e999`, `1000e-40`, `-0`
    /// (which is 0). An exponent that does not fit an `i64` may be passed as `i64::MIN` or
    /// `i64::MAX`; no digit string is long enough to bring such a number back into range. The cost
    /// grows with the digits given, never with the exponent.
    ///
    /// # Errors
    ///
    /// [`AmountError::TooLarge`] and [`AmountError::TooFine`] where the value is no amount (both at
    /// once: `TooLarge`); [`AmountError::NotDigits`] where the parts are not a number's.
    pub fn from_decimal(
        negative: bool,
        integer: &[u8],
        fraction: &[u8],
        exponent: i64,
    ) -> Result<Self, AmountError> {
        // Zeros at both ends say nothing about the value: drop them, and remember in `low` the
        // power of ten of the last digit that is left.
        let mut integer = trim_front(integer);
        let mut fraction = trim_back(fraction);
        let mut low = exponent.saturating_sub(length(fraction));
        if fraction.is_empty() {
            let kept = trim_back(integer);
            low = low.saturating_add(length(integer).saturating_sub(length(kept)));
            integer = kept;
        } else if integer.is_empty() {
            fraction = trim_front(fraction);
        }
        let digits = length(integer).saturating_add(length(fraction));
        if digits == 0 {
            return Ok(Self::ZERO);
        }
        // 10^(high - 1) <= size < 10^high, since the first digit is not zero.
        let high = low.saturating_add(digits);
        if high > i64::from(INTEGER_DIGITS_MAX) {
            return Err(AmountError::TooLarge);
        }
        let zeros = low.saturating_add(i64::from(DECIMAL_PLACES));
        let Ok(mut zeros) = u32::try_from(zeros) else {
            return Err(AmountError::TooFine);
        };

        // At most 55 digits are left. Nineteen at a time fit a machine word.
        let mut size = [0; 3];
        let mut group = 0u64;
        let mut grouped = 0;
        for &byte in integer.iter().chain(fraction) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return Err(AmountError::NotDigits);
            }
            group = group.wrapping_mul(10).wrapping_add(u64::from(digit));
            grouped += 1;
            if grouped == 19 {
                size = multiply_add(size, power_of_ten(19), group);
                group = 0;
                grouped = 0;
            }
        }
        size = multiply_add(size, power_of_ten(grouped), group);
        while zeros > 0 {
            let step = zeros.min(19);
            size = multiply_add(size, power_of_ten(step), 0);
            zeros = zeros.saturating_sub(step);
        }

        Ok(Self::signed(negative, size))
    }
}

/// A sum of amounts in units of 10^-36: 256-bit two's complement.
///
/// Adding wraps, which makes the order of additions and of partial sums irrelevant, and cannot be
/// seen: it takes more than 2^72 events of the largest size to leave the range, and the counter
/// beside it has 64 bits (see [`INTEGER_DIGITS_MAX`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sum {
    /// Least significant limb first.
    limbs: [u64; 4],
}

impl Sum {
    /// The sum of no events.
    pub const ZERO: Self = Self { limbs: [0; 4] };

    /// This sum and one event more.
    #[inline]
    #[must_use]
    pub fn plus(self, amount: Amount) -> Self {
        Self {
            limbs: add(self.limbs, amount.limbs),
        }
    }

    /// This sum and all events of another one.
    #[inline]
    #[must_use]
    pub fn plus_sum(self, other: Self) -> Self {
        Self {
            limbs: add(self.limbs, other.limbs),
        }
    }

    /// The limbs, least significant first: how a sum is kept in shared memory.
    #[inline]
    #[cfg(target_has_atomic = "64")]
    pub(crate) fn limbs(self) -> [u64; 4] {
        self.limbs
    }

    /// The sum of these limbs.
    #[inline]
    #[cfg(any(test, target_has_atomic = "64"))]
    pub(crate) fn from_limbs(limbs: [u64; 4]) -> Self {
        Self { limbs }
    }

    /// Sign (true: below zero) and size in units.
    pub(crate) fn sign_and_size(self) -> (bool, [u64; 4]) {
        let negative = self.limbs[3] >> 63 == 1;
        let size = if negative {
            negate(self.limbs)
        } else {
            self.limbs
        };
        (negative, size)
    }
}

/// A length as a signed number; slices are never longer than `isize::MAX`.
fn length(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

fn trim_front(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

fn trim_back(mut digits: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    digits
}

/// 10^0 to 10^19: all powers of ten that fit 64 bits.
const POWERS_OF_TEN: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < 20 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// One in the n-th decimal place, as units of 10^-36: 10^36, 10^35, and so on down to 1. All are
/// below 2^120.
const UNITS: [u128; DECIMAL_PLACES as usize + 1] = {
    let mut units = [1; DECIMAL_PLACES as usize + 1];
    let mut at = DECIMAL_PLACES as usize;
    while at > 0 {
        units[at - 1] = units[at] * 10;
        at -= 1;
    }
    units
};

/// 10^`exponent`; callers ask for 0 to 19.
#[inline]
fn power_of_ten(exponent: u32) -> u64 {
    POWERS_OF_TEN.get(exponent as usize).copied().unwrap_or(1)
}

/// `size * by + plus`; callers keep it below 10^55, so nothing is carried out at the top.
#[inline]
fn multiply_add(size: [u64; 3], by: u64, plus: u64) -> [u64; 3] {
    let [a, b, c] = size;
    let (a, carry) = a.carrying_mul(by, plus);
    let (b, carry) = b.carrying_mul(by, carry);
    let (c, _) = c.carrying_mul(by, carry);
    [a, b, c]
}

#[inline]
fn add(left: [u64; 4], right: [u64; 4]) -> [u64; 4] {
    let (a, carry) = left[0].carrying_add(right[0], false);
    let (b, carry) = left[1].carrying_add(right[1], carry);
    let (c, carry) = left[2].carrying_add(right[2], carry);
    let (d, _) = left[3].carrying_add(right[3], carry);
    [a, b, c, d]
}

#[inline]
fn negate(limbs: [u64; 4]) -> [u64; 4] {
    add(limbs.map(|limb| !limb), [1, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// Reads a JSON number into an amount, plainly.
    fn amount(text: &str) -> Result<Amount, AmountError> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        });
        Amount::from_decimal(negative, integer.as_bytes(), fraction.as_bytes(), exponent)
    }

    fn units(text: &str) -> [u64; 4] {
        amount(text).unwrap().limbs
    }

    #[test]
    fn every_spelling_of_a_value_is_the_same_amount() {
        let table: [&[&str]; 8] = [
            &[
                "1", "1.0", "1e0", "10e-1", "0.1e1", "1000e-3", "0.001E+3", "1.000000",
            ],
            &[
                "0",
                "-0",
                "0.0",
                "-0.0e5",
                "0e999",
                "0e-999",
                "0.000e99999999999999999999",
            ],
            &[
                "1e18",
                "1000000000000000000",
                "0.000001e24",
                "1000000e12",
                "1e+18",
            ],
            &[
                "1e-36",
                "100000e-41",
                "0.000000000000000000000000000000000001",
                "0.1e-35",
            ],
            &[
                "-12.5",
                "-125e-1",
                "-0.125e2",
                "-12.50000000000000000000000000000000000000000000",
            ],
            &[
                "9999999999999999999",
                "9.999999999999999999e18",
                "99999999999999999990e-1",
            ],
            &["0.5", "5e-1", "0.50", "00.5", "500e-3"],
            &["1e-10", "100000e-15", "0.0000000001"],
        ];
        for spellings in table {
            for spelling in spellings {
                assert_eq!(units(spelling), units(spellings[0]), "{spelling}");
            }
        }
        let zeros = String::from_utf8(std::vec![b'0'; 5000]).unwrap();
        assert_eq!(units(&std::format!("1{zeros}e-5000")), units("1"));
        assert_eq!(units(&std::format!("0.{zeros}1e5001")), units("1"));
        assert_eq!(units(&std::format!("2.{zeros}")), units("2"));
    }

    #[test]
    fn the_short_way_gives_the_same_amount() {
        let sizes = [
            0,
            1,
            10,
            4995,
            1_000_000_007,
            9_999_999_999_999_999_999,
            10_000_000_000_000_000_000,
            u64::MAX,
        ];
        for size in sizes {
            for places in 0..60 {
                for negative in [false, true] {
                    let sign = if negative { "-" } else { "" };
                    assert_eq!(
                        Amount::from_small(negative, size, places),
                        amount(&std::format!("{sign}{size}e-{places}")),
                        "{sign}{size}e-{places}"
                    );
                }
            }
        }
        let far = Amount::from_small(false, 10, u32::MAX);
        assert_eq!(far, Err(AmountError::TooFine));
    }

    #[test]
    fn what_is_no_amount_is_refused_for_the_right_reason() {
        let table = [
            ("1e19", AmountError::TooLarge),
            ("-1e19", AmountError::TooLarge),
            ("10000000000000000000", AmountError::TooLarge),
            ("0.00001e24", AmountError::TooLarge),
            ("1e999", AmountError::TooLarge),
            ("1e99999999999999999999", AmountError::TooLarge),
            ("1e-37", AmountError::TooFine),
            (
                "-1.00000000000000000000000000000000000000000001",
                AmountError::TooFine,
            ),
            ("1e-99999999999999999999", AmountError::TooFine),
            ("1e9223372036854775807", AmountError::TooLarge),
            ("0.1e-9223372036854775808", AmountError::TooFine),
            ("1x", AmountError::NotDigits),
        ];
        for (text, why) in table {
            assert_eq!(amount(text), Err(why), "{text}");
        }
    }

    #[test]
    fn units_are_two_s_complement_of_ten_to_the_minus_thirty_six() {
        assert_eq!(units("1e-36"), [1, 0, 0, 0]);
        assert_eq!(units("-1e-36"), [u64::MAX; 4]);
        assert_eq!(units("18446744073709551616e-36"), [0, 1, 0, 0]);
        assert_eq!(
            units("-18446744073709551616e-36"),
            [0, u64::MAX, u64::MAX, u64::MAX]
        );
    }

    #[test]
    fn two_to_the_sixty_four_events_of_the_largest_size_do_not_overflow() {
        for (text, sign) in [
            (
                "9999999999999999999.999999999999999999999999999999999999",
                false,
            ),
            (
                "-9999999999999999999.999999999999999999999999999999999999",
                true,
            ),
        ] {
            // Doubling 64 times stands for 2^64 events.
            let mut sum = Sum::ZERO.plus(amount(text).unwrap());
            let mut sizes = Vec::new();
            for _ in 0..64 {
                sum = sum.plus_sum(sum);
                let (negative, size) = sum.sign_and_size();
                assert_eq!(negative, sign);
                sizes.push(size[3]);
            }
            assert!(sizes.is_sorted());
            // And stays below 2^247, with eight bits to spare.
            assert!(sizes.last().unwrap() >> (247 - 192) == 0);
        }
    }
}
