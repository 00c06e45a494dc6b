//! Rules that hold for every final response, whatever was asked.

use super::response::{Framing, Response};

/// Fields that may stand in a response at most once.
const SINGLETONS: [&str; 10] = [
    "age",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "server",
];

/// What is wrong with a final response, besides its being the wrong one. `to_http_1_0` says that
/// only HTTP/1.0 was spoken to the server ([`super::Vector::speaks_only_http_1_0`]).
///
/// Date (RFC 9110 6.6.1, 5.6.7), Allow in a 405 (15.5.6), Upgrade in a 426 (15.5.22), singleton
/// fields (5.3), framing (RFC 9112 6.1, 6.2), the status line (4); and the parser's notes.
pub fn lint(response: &Response, to_http_1_0: bool) -> Vec<String> {
    let mut found = response.notes.clone();
    let times = |name: &str| response.values(name).count();
    for name in SINGLETONS {
        if times(name) > 1 {
            found.push(format!("field sent twice: {name}"));
        }
    }
    match response.values("date").next() {
        Some(date) if imf_seconds(date).is_none() => {
            found.push(format!("Date is not an IMF-fixdate: {date:?}"));
        }
        None if response.status < 500 && response.status != 101 => {
            found.push(format!("no Date in a {}xx response", response.status / 100));
        }
        _ => {}
    }
    if response.status == 405 && times("allow") == 0 {
        found.push("405 without Allow".to_owned());
    }
    if response.status == 426 && times("upgrade") == 0 {
        found.push("426 without Upgrade".to_owned());
    }
    if to_http_1_0 && response.framing == Framing::Chunked {
        found.push("chunked response to an HTTP/1.0 request".to_owned());
    }
    if !matches!(response.version, (1, 0 | 1)) {
        let (major, minor) = response.version;
        found.push(format!("odd response version HTTP/{major}.{minor}"));
    }
    found
}

/// Seconds since 1970 of an IMF-fixdate such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
/// None where the form, a range or the day of the week is wrong, and before 1970.
pub fn imf_seconds(date: &str) -> Option<u64> {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = date.get(from..to)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let fixed = [
        (3, ", "),
        (7, " "),
        (11, " "),
        (16, " "),
        (19, ":"),
        (22, ":"),
        (25, " GMT"),
    ];
    if date.len() != 29
        || !fixed
            .iter()
            .all(|(at, what)| date.get(*at..at + what.len()) == Some(what))
    {
        return None;
    }
    let (day, year) = (number(5, 7)?, number(12, 16)?);
    let (hour, minute, second) = (number(17, 19)?, number(20, 22)?, number(23, 25)?);
    let month = MONTHS
        .iter()
        .position(|month| date.get(8..11) == Some(month))?;
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let length = |month: usize| match month {
        1 => 28 + u64::from(leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    if year < 1970 || day == 0 || day > length(month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = (1970..year)
        .map(|year| 365 + u64::from(leap(year)))
        .sum::<u64>()
        + (0..month).map(length).sum::<u64>()
        + day
        - 1;
    let name = DAYS[usize::try_from(days % 7).ok()?];
    (date.get(..3) == Some(name)).then_some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::response::{Observation, State};

    const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

    fn found(head: &str, to_http_1_0: bool) -> Vec<String> {
        let seen = Observation::from_bytes(head.as_bytes(), State::Closed, &[]);
        lint(&seen.finals[0], to_http_1_0)
    }

    #[test]
    fn a_good_response_is_clean() {
        assert!(found(&format!("HTTP/1.1 200 OK\r\n{DATE}\r\n"), false).is_empty());
        assert!(
            found("HTTP/1.1 503 -\r\n\r\n", false).is_empty(),
            "5xx may go without Date"
        );
    }

    #[test]
    fn each_rule_is_seen() {
        assert_eq!(
            found("HTTP/1.1 404 -\r\n\r\n", false),
            ["no Date in a 4xx response"]
        );
        let said = |line: &str, fields: &str| found(&format!("{line}\r\n{DATE}{fields}\r\n"), true);
        assert_eq!(said("HTTP/1.1 405 -", ""), ["405 without Allow"]);
        assert_eq!(said("HTTP/1.1 426 -", ""), ["426 without Upgrade"]);
        assert_eq!(
            said("HTTP/2.0 200 -", ""),
            ["odd response version HTTP/2.0"]
        );
        assert_eq!(
            said("HTTP/1.1 200 -", "Server: a\r\nserver: b\r\n"),
            ["field sent twice: server"]
        );
        assert_eq!(found("HTTP/1.1 200 -\r\nDate: now\r\n\r\n", false).len(), 1);
        let chunked =
            format!("HTTP/1.1 200 -\r\n{DATE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        assert_eq!(
            found(&chunked, true),
            ["chunked response to an HTTP/1.0 request"]
        );
        assert!(found(&chunked, false).is_empty());
    }

    #[test]
    fn dates_are_read_exactly() {
        assert_eq!(imf_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            imf_seconds("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        assert_eq!(
            imf_seconds("Thu, 29 Feb 2024 12:00:00 GMT"),
            Some(1_709_208_000)
        );
        for wrong in [
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Wed, 29 Feb 2023 12:00:00 GMT",
            "",
        ] {
            assert_eq!(imf_seconds(wrong), None, "{wrong}");
        }
    }
}
