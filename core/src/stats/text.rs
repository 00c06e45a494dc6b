//! The text of statistics: exact decimals, and the JSON object of `GET /stats`.

use super::amount::{DECIMAL_PLACES, Sum};
use super::snapshot::Snapshot;

/// Significant digits of the average: enough to tell any two doubles apart, so that a client that
/// reads it into one loses nothing.
pub const AVERAGE_DIGITS: usize = 17;

/// Digits of a sum: nine groups of nine hold the 77 digits of 2^255.
const SUM_DIGITS: usize = 81;
/// Of these, the ones before the point.
const POINT: usize = SUM_DIGITS - DECIMAL_PLACES as usize;
/// Digits of an average with its rounding digit: the smallest one, 10^-36 / 2^64, begins at the
/// 56th place behind the point (20 behind the sum's last), and 17 more follow.
const MEAN_DIGITS: usize = SUM_DIGITS + 20 + AVERAGE_DIGITS;

impl Snapshot {
    /// Bytes that [`Snapshot::write_json`] needs at most: 47 of frame, 20 for each of the two
    /// counts, 79 for a sum and 75 for an average make 241, rounded up.
    pub const JSON_BYTES_MAX: usize = 256;

    /// Writes `{"totalRequests":N,"uniqueUsers":N,"sum":S,"avg":A}` to the front of `out` and says
    /// how many bytes that took; `None` if they do not fit ([`Snapshot::JSON_BYTES_MAX`] always
    /// do). Then `out` holds the beginning of it.
    pub fn write_json(&self, out: &mut [u8]) -> Option<usize> {
        let mut pen = Pen { out, at: 0 };
        pen.bytes(b"{\"totalRequests\":")?;
        pen.count(self.total)?;
        pen.bytes(b",\"uniqueUsers\":")?;
        pen.count(self.users)?;
        pen.bytes(b",\"sum\":")?;
        pen.sum(&self.sum)?;
        pen.bytes(b",\"avg\":")?;
        pen.average(&self.sum, self.total)?;
        pen.bytes(b"}")?;
        Some(pen.at)
    }
}

impl Sum {
    /// Writes the sum in full to the front of `out` and says how many bytes that took (at most
    /// 79); `None` if they do not fit.
    ///
    /// As short as an exact decimal can be, and always a JSON number: `500000000`, `-0.5`. Never an
    /// exponent.
    pub fn write_decimal(self, out: &mut [u8]) -> Option<usize> {
        let mut pen = Pen { out, at: 0 };
        pen.sum(&self)?;
        Some(pen.at)
    }

    /// Writes this sum divided by `count`, rounded to [`AVERAGE_DIGITS`] significant digits (half
    /// to even), to the front of `out` and says how many bytes that took (at most 75); `None` if
    /// they do not fit. Nothing divided by nothing is `0`.
    ///
    /// Plain decimals always: the smallest average that is not zero, 10^-36 / 2^64, still ends at
    /// the 72nd place, so no exponent is needed.
    pub fn write_average(self, count: u64, out: &mut [u8]) -> Option<usize> {
        let mut pen = Pen { out, at: 0 };
        pen.average(&self, count)?;
        Some(pen.at)
    }
}

/// Writes forward into the caller's bytes; `None` once they are full.
struct Pen<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Pen<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at.checked_add(bytes.len())?;
        self.out.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }

    // None of these is inline: the digits of one are off the stack when the next one needs it.
    #[inline(never)]
    fn count(&mut self, count: u64) -> Option<()> {
        let mut digits = [0; SUM_DIGITS];
        digits_of([count, 0, 0, 0], &mut digits);
        self.decimal(false, &digits, SUM_DIGITS)
    }

    #[inline(never)]
    fn sum(&mut self, sum: &Sum) -> Option<()> {
        let mut digits = [0; SUM_DIGITS];
        let negative = digits_of_sum(sum, &mut digits);
        self.decimal(negative, &digits, POINT)
    }

    #[inline(never)]
    fn average(&mut self, sum: &Sum, count: u64) -> Option<()> {
        let mut digits = [0; SUM_DIGITS];
        let negative = digits_of_sum(sum, &mut digits);
        let mut quotient = [0; MEAN_DIGITS];
        mean(&digits, count, &mut quotient);
        self.decimal(negative, &quotient, POINT)
    }

    /// `digits` (0 to 9 each) with the point before the one at `point`, without the zeros that say
    /// nothing.
    fn decimal(&mut self, negative: bool, digits: &[u8], point: usize) -> Option<()> {
        let (mut integer, mut fraction) = digits.split_at_checked(point)?;
        while let [0, rest @ ..] = integer
            && !rest.is_empty()
        {
            integer = rest;
        }
        while let [rest @ .., 0] = fraction {
            fraction = rest;
        }
        if negative {
            self.bytes(b"-")?;
        }
        for digit in integer {
            self.bytes(&[b'0'.wrapping_add(*digit)])?;
        }
        if !fraction.is_empty() {
            self.bytes(b".")?;
        }
        for digit in fraction {
            self.bytes(&[b'0'.wrapping_add(*digit)])?;
        }
        Some(())
    }
}

/// All digits of a sum's size, and whether it is negative.
#[inline(never)]
fn digits_of_sum(sum: &Sum, digits: &mut [u8; SUM_DIGITS]) -> bool {
    let (negative, size) = sum.sign_and_size();
    digits_of(size, digits);
    negative
}

/// All digits of a size, most significant first.
///
/// Divides by 10^9 in halves of limbs, so that 64-bit arithmetic is enough: a 128-bit division
/// would be a call into the compiler's run-time library, and slow.
#[inline(never)]
fn digits_of(size: [u64; 4], digits: &mut [u8; SUM_DIGITS]) {
    const GROUP: u64 = 1_000_000_000;
    let [a, b, c, d] = size;
    let high = |limb: u64| (limb >> 32) as u32;
    let low = |limb: u64| limb as u32;
    let mut halves = [
        high(d),
        low(d),
        high(c),
        low(c),
        high(b),
        low(b),
        high(a),
        low(a),
    ];
    for group in digits.rchunks_exact_mut(9) {
        let mut rest = 0;
        for half in &mut halves {
            let value = (rest << 32) | u64::from(*half);
            // The rest is below the divisor, so this is below 2^32.
            *half = (value / GROUP) as u32;
            rest = value % GROUP;
        }
        for digit in group.iter_mut().rev() {
            *digit = (rest % 10) as u8;
            rest /= 10;
        }
    }
}

/// `sum / count` to [`AVERAGE_DIGITS`] significant digits, half to even, into a quotient of zeros;
/// it stays so if `count` is zero.
///
/// Long division as on paper: one digit of the quotient at a time by repeated subtraction, which
/// needs no division instruction and no 128-bit library call.
#[inline(never)]
fn mean(sum: &[u8; SUM_DIGITS], count: u64, quotient: &mut [u8; MEAN_DIGITS]) {
    if count == 0 {
        return;
    }
    let divisor = u128::from(count);
    // Below `count` after each step, so ten times it and a digit fit 128 bits by far.
    let mut rest = 0u128;
    let mut significant = 0usize;
    let mut last = 0u8;
    let mut kept = 0usize;
    let mut round_up = false;
    let mut places = sum.iter();
    for slot in &mut *quotient {
        let place = places.next().copied().unwrap_or(0);
        rest = rest.wrapping_mul(10).wrapping_add(u128::from(place));
        let mut digit = 0u8;
        while rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            digit = digit.wrapping_add(1);
        }
        if significant == AVERAGE_DIGITS {
            // The first digit that is not kept: below, above, or exactly half?
            let more = rest > 0 || places.any(|&place| place > 0);
            round_up = digit > 5 || (digit == 5 && (more || last & 1 == 1));
            break;
        }
        if significant > 0 || digit > 0 {
            significant = significant.wrapping_add(1);
        }
        *slot = digit;
        last = digit;
        kept = kept.wrapping_add(1);
    }
    if round_up {
        // Zeros stand before the first significant digit (an average has 19 places before the
        // point, and 45 are there), so a carry always finds its place.
        for digit in quotient.iter_mut().take(kept).rev() {
            if *digit < 9 {
                *digit = digit.wrapping_add(1);
                break;
            }
            *digit = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::amount::Amount;
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::{String, ToString};
    use std::vec;
    use std::vec::Vec;

    fn amount(text: &str) -> Amount {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
        Amount::from_decimal(negative, integer.as_bytes(), fraction.as_bytes(), 0).unwrap()
    }

    fn sum_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Sum {
        texts
            .into_iter()
            .fold(Sum::ZERO, |sum, text| sum.plus(amount(text)))
    }

    fn decimal(sum: Sum) -> String {
        let mut out = [0; 79];
        let length = sum.write_decimal(&mut out).unwrap();
        String::from_utf8(out[..length].to_vec()).unwrap()
    }

    fn average(sum: Sum, count: u64) -> String {
        let mut out = [0; 75];
        let length = sum.write_average(count, &mut out).unwrap();
        String::from_utf8(out[..length].to_vec()).unwrap()
    }

    #[test]
    fn sums_are_printed_in_full_and_as_short_as_possible() {
        for text in [
            "0",
            "500000000",
            "499500000",
            "-0.5",
            "0.1",
            "-1000000000000000",
            "0.000000000000000000000000000000000001",
            "-9999999999999999999.999999999999999999999999999999999999",
        ] {
            assert_eq!(decimal(sum_of([text])), text);
        }
        assert_eq!(decimal(sum_of(["0.1", "0.2"])), "0.3");
        assert_eq!(decimal(sum_of(["0.5", "-0.5"])), "0");
        assert_eq!(decimal(sum_of(["-0.25", "0.5", "-1"])), "-0.75");
    }

    #[test]
    fn the_challenge_s_figures_come_out_as_it_expects_them() {
        let sum = (0..1000).fold(Sum::ZERO, |sum, i| sum.plus(amount(&format!("{i}.5"))));
        let thousandfold = (0..1000).fold(Sum::ZERO, |total, _| total.plus_sum(sum));
        let snapshot = Snapshot {
            total: 1_000_000,
            users: 75_000,
            refused: 3,
            sum: thousandfold,
        };
        let mut out = [0; Snapshot::JSON_BYTES_MAX];
        let length = snapshot.write_json(&mut out).unwrap();
        assert_eq!(
            &out[..length],
            br#"{"totalRequests":1000000,"uniqueUsers":75000,"sum":500000000,"avg":500}"#
        );
        let length = Snapshot::EMPTY.write_json(&mut out).unwrap();
        assert_eq!(
            &out[..length],
            br#"{"totalRequests":0,"uniqueUsers":0,"sum":0,"avg":0}"#
        );
    }

    #[test]
    fn averages_round_half_to_even_at_the_seventeenth_digit() {
        for (sum, count, expected) in [
            ("0", 0, "0"),
            ("5", 0, "0"),
            ("999", 2, "499.5"),
            ("1", 3, "0.33333333333333333"),
            ("2", 3, "0.66666666666666667"),
            ("-2", 3, "-0.66666666666666667"),
            ("1.00000000000000005", 1, "1"),
            ("1.00000000000000015", 1, "1.0000000000000002"),
            ("1.00000000000000025", 1, "1.0000000000000002"),
            ("-1.00000000000000025", 1, "-1.0000000000000002"),
            (
                "1.00000000000000025000000000000000001",
                1,
                "1.0000000000000003",
            ),
            ("0.99999999999999999", 1, "0.99999999999999999"),
            ("0.999999999999999999", 1, "1"),
            ("9999999999999999999", 1, "10000000000000000000"),
            ("1234567890123456789", 1, "1234567890123456800"),
            ("2.0000000000000003", 2, "1.0000000000000002"),
            ("2.0000000000000005", 2, "1.0000000000000002"),
            ("2.0000000000000007", 2, "1.0000000000000004"),
        ] {
            assert_eq!(average(sum_of([sum]), count), expected, "{sum} / {count}");
        }
    }

    #[test]
    fn the_smallest_and_the_largest_figures_fit_their_room() {
        let tiny = sum_of(["-0.000000000000000000000000000000000001"]);
        let text = average(tiny, u64::MAX);
        assert_eq!(text, format!("-0.{}54210108624275222", "0".repeat(55)));
        let mut largest = sum_of(["-9999999999999999999.999999999999999999999999999999999999"]);
        for _ in 0..64 {
            largest = largest.plus_sum(largest);
        }
        let snapshot = Snapshot {
            total: u64::MAX,
            users: u64::MAX,
            refused: 0,
            sum: largest,
        };
        let mut out = [0; Snapshot::JSON_BYTES_MAX];
        let length = snapshot.write_json(&mut out).unwrap();
        for short in 0..length {
            assert_eq!(snapshot.write_json(&mut out[..short]), None);
        }
        assert_eq!(decimal(largest).len(), 77);
        // Beyond what events can reach, and still right: -(2^255).
        let lowest = Sum::from_limbs([0, 0, 0, 1 << 63]);
        assert_eq!(decimal(lowest).len(), 79);
    }

    /// Schoolbook decimals: sign and digits (most significant first), the last 36 behind the point.
    fn oracle(texts: &[String]) -> (bool, Vec<u8>) {
        let mut positive = vec![0u8; 90];
        let mut negative = vec![0u8; 90];
        for text in texts {
            let (side, text) = match text.strip_prefix('-') {
                Some(rest) => (&mut negative, rest),
                None => (&mut positive, text.as_str()),
            };
            let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
            let digits = format!("{integer:0>54}{fraction:0<36}");
            let mut carry = 0;
            for (place, digit) in side.iter_mut().zip(digits.bytes()).rev() {
                let value = *place + digit - b'0' + carry;
                *place = value % 10;
                carry = value / 10;
            }
        }
        let below = negative > positive;
        let (mut large, small) = if below {
            (negative, positive)
        } else {
            (positive, negative)
        };
        let mut borrow = 0;
        for (place, digit) in large.iter_mut().zip(small).rev() {
            let value = *place + 10 - digit - borrow;
            *place = value % 10;
            borrow = 1 - value / 10;
        }
        (below, large)
    }

    fn print(below: bool, digits: &[u8], point: usize) -> String {
        let text: String = digits
            .iter()
            .map(|digit| char::from(b'0' + digit))
            .collect();
        let integer = text[..point].trim_start_matches('0');
        let fraction = text[point..].trim_end_matches('0');
        let integer = if integer.is_empty() { "0" } else { integer };
        let dot = if fraction.is_empty() { "" } else { "." };
        let sign = if below { "-" } else { "" };
        format!("{sign}{integer}{dot}{fraction}")
    }

    /// Divides far beyond the 17th digit, then rounds the text.
    fn oracle_average(below: bool, digits: &[u8], count: u64) -> String {
        let mut rest = 0u128;
        let mut quotient = Vec::new();
        for digit in digits.iter().chain([0; 60].iter()) {
            rest = rest * 10 + u128::from(*digit);
            quotient.push((rest / u128::from(count)) as u8);
            rest %= u128::from(count);
        }
        let Some(first) = quotient.iter().position(|&digit| digit > 0) else {
            return "0".to_string();
        };
        let tail = quotient.split_off((first + 17).min(quotient.len()));
        let half = {
            let mut half = vec![0; tail.len()];
            if let Some(place) = half.first_mut() {
                *place = 5;
            }
            half
        };
        let odd = quotient.last().unwrap() % 2 == 1;
        let up = match tail.cmp(&half) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => !tail.is_empty() && (rest > 0 || odd),
            std::cmp::Ordering::Greater => true,
        };
        if up {
            for place in quotient.iter_mut().rev() {
                *place = (*place + 1) % 10;
                if *place > 0 {
                    break;
                }
            }
        }
        quotient.extend(vec![0; tail.len()]);
        print(below, &quotient, 54)
    }

    proptest! {
        #[test]
        fn sums_and_averages_agree_with_schoolbook_decimals(
            texts in prop::collection::vec("-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,36})?", 0..40),
            count in prop_oneof![1u64..1000, any::<u64>().prop_map(|count| count | 1)],
        ) {
            let sum = sum_of(texts.iter().map(String::as_str));
            let (below, digits) = oracle(&texts);
            prop_assert_eq!(decimal(sum), print(below, &digits, 54));
            prop_assert_eq!(average(sum, count), oracle_average(below, &digits, count));
        }
    }
}
