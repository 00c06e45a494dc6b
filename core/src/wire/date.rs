//! Dates as HTTP writes them (RFC 9110, 5.6.7): 29 bytes, always GMT.

/// A second in the form that is sent: `Sun, 06 Nov 1994 08:49:37 GMT`. Kept as the whole field
/// line, so that an answer takes it with one copy of fixed size.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date([u8; DATE_LINE_BYTES]);

/// Bytes of a date as it is sent: the form is fixed.
pub const DATE_BYTES: usize = 29;

/// Bytes of the field line: the name, a colon and a space before the date, CR LF behind it.
pub(crate) const DATE_LINE_BYTES: usize = 6 + DATE_BYTES + 2;

/// The last second that four digits of a year can tell: 9999-12-31, 23:59:59.
pub const LAST_SECOND: u64 = 253_402_300_799;

/// Seconds of every day: the calendar that is sent knows no leap seconds.
const DAY_SECONDS: u64 = 86_400;
/// Days of 400 years, after which leap years and weekdays repeat.
const CYCLE_DAYS: u32 = 146_097;
/// Days from 1 March of the year 0 to 1 January 1970. Years that begin in March have their leap day
/// at their end, so that the months before it never move.
const MARCH_0_TO_1970: u32 = 719_468;

impl Date {
    /// The date of a second, counted from 1970 without leap seconds. Seconds after
    /// [`LAST_SECOND`] give that one.
    #[must_use]
    pub const fn from_unix(seconds: u64) -> Date {
        let seconds = if seconds > LAST_SECOND {
            LAST_SECOND
        } else {
            seconds
        };
        // Below 2,932,897 days, thus everything fits 32 bits from here on.
        let days = (seconds / DAY_SECONDS) as u32;
        let second = (seconds % DAY_SECONDS) as u32;
        let (year, month, day) = civil(days);

        let [w0, w1, w2] = weekday_name(days);
        let [d1, d0] = two_digits(day);
        let [m0, m1, m2] = month_name(month);
        let [y3, y2] = two_digits(year / 100);
        let [y1, y0] = two_digits(year % 100);
        let [h1, h0] = two_digits(second / 3600);
        let [n1, n0] = two_digits(second / 60 % 60);
        let [s1, s0] = two_digits(second % 60);
        Date([
            b'D', b'a', b't', b'e', b':', b' ', w0, w1, w2, b',', b' ', d1, d0, b' ', m0, m1, m2,
            b' ', y3, y2, y1, y0, b' ', h1, h0, b':', n1, n0, b':', s1, s0, b' ', b'G', b'M', b'T',
            b'\r', b'\n',
        ])
    }

    /// The bytes to send.
    #[must_use]
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; DATE_BYTES] {
        let [_, _, _, _, _, _, date @ .., _, _] = &self.0;
        date
    }

    /// `Date: ` before it and CR LF behind it.
    #[inline]
    pub(crate) const fn line(&self) -> &[u8; DATE_LINE_BYTES] {
        &self.0
    }
}

impl core::fmt::Debug for Date {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Date({self})")
    }
}

impl core::fmt::Display for Date {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // All bytes are ASCII; the default is for the type checker.
        f.write_str(core::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

/// Reads a date in any of the three forms that a recipient has to know (RFC 9110, 5.6.7), as
/// seconds since 1970, negative before.
///
/// The second form has two digits for the year; `now_unix` (seconds since 1970) says which century
/// is meant: the last such year that is not more than 50 years ahead. Names are case-sensitive; the
/// day of the week must be one, but is not held against the date. Second 60 is the next one.
///
/// None where `text` has none of the forms or names no day or time that exists.
#[must_use]
pub fn parse(text: &[u8], now_unix: u64) -> Option<i64> {
    let comma = text.iter().position(|&byte| byte == b',');
    match comma {
        Some(3) => parse_fixed(text),
        Some(at) => parse_rfc850(text, at, now_unix),
        None => parse_asctime(text),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn parse_fixed(text: &[u8]) -> Option<i64> {
    let (weekday, rest) = text.split_first_chunk::<3>()?;
    is_weekday(weekday)?;
    let [
        b',',
        b' ',
        d1,
        d0,
        b' ',
        m0,
        m1,
        m2,
        b' ',
        y3,
        y2,
        y1,
        y0,
        b' ',
        time @ ..,
        b' ',
        b'G',
        b'M',
        b'T',
    ] = rest
    else {
        return None;
    };
    let year = number(*y3, *y2)? * 100 + number(*y1, *y0)?;
    seconds(
        year,
        month_number(&[*m0, *m1, *m2])?,
        number(*d1, *d0)?,
        time,
    )
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn parse_rfc850(text: &[u8], comma: usize, now_unix: u64) -> Option<i64> {
    let (weekday, rest) = text.split_at_checked(comma)?;
    WEEKDAYS.iter().find(|&&name| name == weekday)?;
    let [
        b',',
        b' ',
        d1,
        d0,
        b'-',
        m0,
        m1,
        m2,
        b'-',
        y1,
        y0,
        b' ',
        time @ ..,
        b' ',
        b'G',
        b'M',
        b'T',
    ] = rest
    else {
        return None;
    };
    let month = month_number(&[*m0, *m1, *m2])?;
    let day = number(*d1, *d0)?;
    let digits = number(*y1, *y0)?;
    // 50 years of 365.2425 days from now; the latest year with those digits on or before that day.
    let now_days = (now_unix.min(LAST_SECOND) / DAY_SECONDS) as u32;
    let last_days = now_days.saturating_add(18_262);
    let (last_year, _, _) = civil(last_days);
    let mut year = last_year / 100 * 100 + digits;
    if unix_days(year, month, day) > i64::from(last_days) {
        year = year.saturating_sub(100);
    }
    seconds(year, month, day, time)
}

/// `Sun Nov  6 08:49:37 1994`
fn parse_asctime(text: &[u8]) -> Option<i64> {
    let (weekday, rest) = text.split_first_chunk::<3>()?;
    is_weekday(weekday)?;
    let [
        b' ',
        m0,
        m1,
        m2,
        b' ',
        d1,
        d0,
        b' ',
        time @ ..,
        b' ',
        y3,
        y2,
        y1,
        y0,
    ] = rest
    else {
        return None;
    };
    let tens = if *d1 == b' ' { b'0' } else { *d1 };
    let year = number(*y3, *y2)? * 100 + number(*y1, *y0)?;
    seconds(
        year,
        month_number(&[*m0, *m1, *m2])?,
        number(tens, *d0)?,
        time,
    )
}

/// Seconds since 1970 of a day and `08:49:37`; None where there is no such day or time.
fn seconds(year: u32, month: u32, day: u32, time: &[u8]) -> Option<i64> {
    let [h1, h0, b':', n1, n0, b':', s1, s0] = *time else {
        return None;
    };
    let (hour, minute, second) = (number(h1, h0)?, number(n1, n0)?, number(s1, s0)?);
    let exists =
        day >= 1 && day <= month_days(year, month) && hour < 24 && minute < 60 && second <= 60;
    let of_day = i64::from(hour * 3600 + minute * 60 + second);
    exists.then(|| unix_days(year, month, day) * 86_400 + of_day)
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 1970. Days below 4,000,000.
const fn civil(days: u32) -> (u32, u32, u32) {
    let days = days.wrapping_add(MARCH_0_TO_1970);
    let cycle = days / CYCLE_DAYS;
    let day_of_cycle = days % CYCLE_DAYS;
    // Without the leap days (one each 4 years, none each 100, one each 400) every year has 365.
    let leap_days = day_of_cycle / 1460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let day_of_year = day_of_cycle - (year_of_cycle * 365 + leaps(year_of_cycle));
    // From March on, five months have 153 days in all, and again, and the rest.
    let month_from_march = (day_of_year * 5 + 2) / 153;
    let day = day_of_year - days_before(month_from_march) + 1;
    let (month, year_more) = if month_from_march < 10 {
        (month_from_march + 3, 0)
    } else {
        (month_from_march - 9, 1)
    };
    (cycle * 400 + year_of_cycle + year_more, month, day)
}

/// Days from 1970 to a day; the inverse of [`civil`], also before 1970.
const fn unix_days(year: u32, month: u32, day: u32) -> i64 {
    let (month_from_march, year_less) = if month > 2 {
        (month - 3, 0)
    } else {
        (month + 9, 1)
    };
    // 400 years more, so that January of the year 0 does not go below it.
    let year = year + 400 - year_less;
    let days = year * 365 + leaps(year) + days_before(month_from_march) + day;
    days as i64 - 1 - CYCLE_DAYS as i64 - MARCH_0_TO_1970 as i64
}

/// Leap days in the years before `year`, years beginning in March.
const fn leaps(year: u32) -> u32 {
    year / 4 - year / 100 + year / 400
}

/// Days before a month, counted from March, which is 0.
const fn days_before(month_from_march: u32) -> u32 {
    (month_from_march * 153 + 2) / 5
}

const fn month_days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

fn number(tens: u8, ones: u8) -> Option<u32> {
    let digit = |byte: u8| char::from(byte).to_digit(10);
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// The weekday of a day counted from 1970, which began on a Thursday.
const fn weekday_name(days: u32) -> [u8; 3] {
    let names = [
        *b"Thu", *b"Fri", *b"Sat", *b"Sun", *b"Mon", *b"Tue", *b"Wed",
    ];
    names[(days % 7) as usize] // always inside: the compiler leaves no check
}

const WEEKDAYS: [&[u8]; 7] = [
    b"Monday",
    b"Tuesday",
    b"Wednesday",
    b"Thursday",
    b"Friday",
    b"Saturday",
    b"Sunday",
];

fn is_weekday(short: &[u8; 3]) -> Option<()> {
    WEEKDAYS
        .iter()
        .any(|name| name.starts_with(short))
        .then_some(())
}

const fn month_name(month: u32) -> [u8; 3] {
    match month {
        1 => *b"Jan",
        2 => *b"Feb",
        3 => *b"Mar",
        4 => *b"Apr",
        5 => *b"May",
        6 => *b"Jun",
        7 => *b"Jul",
        8 => *b"Aug",
        9 => *b"Sep",
        10 => *b"Oct",
        11 => *b"Nov",
        _ => *b"Dec",
    }
}

fn month_number(name: &[u8; 3]) -> Option<u32> {
    (1..=12).find(|&month| month_name(month) == *name)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    /// Some second of 2026: where two-digit years are read from.
    const NOW: u64 = 1_790_000_000;

    const FORMS: [&str; 3] = [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ];

    fn text(seconds: u64) -> String {
        Date::from_unix(seconds).to_string()
    }

    #[test]
    fn known_seconds_have_their_known_dates() {
        let table = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LAST_SECOND + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        for (seconds, date) in table {
            assert_eq!(text(seconds), date);
            assert_eq!(
                parse(date.as_bytes(), NOW),
                Some(seconds.min(LAST_SECOND) as i64)
            );
        }
        assert_eq!(
            Date::from_unix(784_111_777).line(),
            b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        );
        let shown = format!("{:?}", Date::from_unix(0));
        assert_eq!(shown, "Date(Thu, 01 Jan 1970 00:00:00 GMT)");
    }

    #[test]
    fn every_day_of_four_hundred_years_is_what_counting_gives() {
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut weekday = weekdays.iter().cycle();
        let mut days = 0u64;
        // 400 years to the day, then a year now and then, and the last.
        for year in 1970..=9999u32 {
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            for (name, length) in months.iter().zip(lengths) {
                let length = if leap && length == 28 { 29 } else { length };
                for day in 1..=length {
                    let short = weekday.next().unwrap();
                    if year < 2400 || year % 97 == 0 || year == 9999 {
                        let expected = format!("{short}, {day:02} {name} {year:04} 00:00:00 GMT");
                        assert_eq!(text(days * 86_400), expected);
                        let last = format!("{short}, {day:02} {name} {year:04} 23:59:59 GMT");
                        assert_eq!(text(days * 86_400 + 86_399), last);
                        assert_eq!(parse(expected.as_bytes(), NOW), Some(days as i64 * 86_400));
                    }
                    days += 1;
                }
            }
        }
        assert_eq!(days * 86_400 - 1, LAST_SECOND);
    }

    #[test]
    fn days_before_1970_count_down_without_a_gap() {
        let mut expected = 0;
        for year in (0..1970u32).rev() {
            for month in (1..=12).rev() {
                for day in (1..=month_days(year, month)).rev() {
                    expected -= 1;
                    assert_eq!(unix_days(year, month, day), expected);
                }
            }
        }
        assert_eq!(parse(b"Wed, 31 Dec 1969 23:59:59 GMT", NOW), Some(-1));
    }

    #[test]
    fn every_second_of_a_day_is_told() {
        for second in 0..86_400 {
            let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
            let expected = format!("Sun, 06 Nov 1994 {h:02}:{m:02}:{s:02} GMT");
            assert_eq!(text(784_080_000 + second), expected);
        }
    }

    #[test]
    fn all_three_forms_name_the_same_second() {
        for text in FORMS.into_iter().chain(["Sun Nov 06 08:49:37 1994"]) {
            assert_eq!(parse(text.as_bytes(), NOW), Some(784_111_777), "{text}");
        }
        assert_eq!(parse(b"Wed Nov 16 08:49:37 1994", NOW), Some(784_975_777));
    }

    #[test]
    fn two_digits_of_a_year_reach_fifty_years_ahead() {
        // Now is September 2026: 76 is ahead in its first months, past in its last.
        let year = |text: &str| {
            let seconds = parse(text.as_bytes(), NOW).unwrap();
            (0..3000u32)
                .rfind(|&year| unix_days(year, 1, 1) * 86_400 <= seconds)
                .unwrap()
        };
        assert_eq!(year("Sunday, 06-Nov-25 08:49:37 GMT"), 2025);
        assert_eq!(year("Sunday, 06-Nov-00 08:49:37 GMT"), 2000);
        assert_eq!(year("Sunday, 06-Nov-75 08:49:37 GMT"), 2075);
        assert_eq!(year("Sunday, 06-Jan-76 08:49:37 GMT"), 2076);
        assert_eq!(year("Sunday, 06-Nov-76 08:49:37 GMT"), 1976);
        assert_eq!(year("Sunday, 06-Nov-99 08:49:37 GMT"), 1999);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let faults = [
            ("Sun, ", "sun, |Sun,  |Sun,|Sun |Sundays, |Mond, | Sun, "),
            (
                "06 Nov",
                "6 Nov|00 Nov|31 Nov|30 Feb|06 Nvo|06 nov|+6 Nov|06-Nov",
            ),
            ("1994", "94|01994|199x|-994"),
            (
                "08:49:37",
                "24:00:00|08:60:37|08:49:61|8:49:37|08:49|08.49.37",
            ),
            (" GMT", " UTC| gmt|GMT| GMT | |"),
        ];
        for (part, replacements) in faults {
            for other in replacements.split('|') {
                let text = FORMS[0].replace(part, other);
                assert_eq!(parse(text.as_bytes(), NOW), None, "{text}");
            }
        }
        for text in [
            "",
            ",",
            "Thu, 29 Feb 1900 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  6 08:49:37 1994 GMT",
            "Xyz Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), None, "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_next_second() {
        let last_of_2016 = parse(b"Sat, 31 Dec 2016 23:59:60 GMT", NOW);
        assert_eq!(last_of_2016, Some(1_483_228_800));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in 0..=LAST_SECOND, now: u64) {
            let date = Date::from_unix(seconds);
            prop_assert_eq!(parse(date.as_bytes(), now), Some(seconds as i64));
        }

        #[test]
        fn no_bytes_panic(noise: Vec<u8>, at in 0usize..40, byte: u8, form in 0usize..3, now: u64) {
            let _ = parse(&noise, now);
            let mut near = FORMS[form].as_bytes().to_vec();
            if let Some(place) = near.get_mut(at) {
                *place = byte;
            }
            let _ = parse(&near, now);
        }
    }
}
