//! The values of flags: numbers, sizes, addresses. Their errors say what is expected.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

/// A whole number in decimal digits.
pub(crate) fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    within(digits(text), &range).ok_or_else(|| format!("a number {}", span(&range)))
}

/// Bytes, in units of 1024 if a letter says so: `1500`, `64k`, `1m`, `2g`, `64KiB`.
pub(crate) fn bytes(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let unit = lower.strip_suffix("ib").unwrap_or(&lower);
    let (number, shift) = match unit.chars().next_back() {
        Some('k') => (&unit[..unit.len() - 1], 10),
        Some('m') => (&unit[..unit.len() - 1], 20),
        Some('g') => (&unit[..unit.len() - 1], 30),
        // `64ib` has no letter.
        _ => (lower.as_str(), 0),
    };
    let count = digits(number).and_then(|n| n.checked_mul(1 << shift));
    within(count, &range).ok_or_else(|| format!("bytes (or k, m, g) {}", span(&range)))
}

/// The other way round: the largest unit that says it exactly.
pub(crate) fn size(bytes: u64) -> String {
    let fitting = [(30, 'g'), (20, 'm'), (10, 'k')]
        .into_iter()
        .find(|(shift, _)| bytes != 0 && bytes.is_multiple_of(1 << shift));
    match fitting {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

/// An address alone keeps the port.
pub(crate) fn bind(bind: &mut SocketAddr, text: &str) -> Result<(), String> {
    let before = *bind;
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Ok(whole) = text.parse::<SocketAddr>() {
        *bind = whole;
    } else if let Ok(ip) = bare.unwrap_or(text).parse::<IpAddr>() {
        *bind = SocketAddr::new(ip, bind.port());
    } else if text == "localhost" {
        *bind = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bind.port());
    } else {
        return Err("an IP address, with :PORT if wanted".to_owned());
    }
    // Systems let a socket listen there, but no connection can ever come.
    if bind.ip().is_multicast() || bind.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) {
        *bind = before;
        return Err("the address of one machine".to_owned());
    }
    Ok(())
}

fn digits(text: &str) -> Option<u64> {
    // `parse` would take a plus sign.
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn within(value: Option<u64>, range: &RangeInclusive<u64>) -> Option<u64> {
    value.filter(|value| range.contains(value))
}

fn span(range: &RangeInclusive<u64>) -> String {
    format!("from {} to {}", range.start(), range.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_what_they_write() {
        for (text, count) in [
            ("0", 0),
            ("1", 1),
            ("1k", 1 << 10),
            ("1025", 1025),
            ("3m", 3 << 20),
        ] {
            assert_eq!(bytes(text, 0..=u64::MAX), Ok(count));
            assert_eq!(size(count), text);
        }
        for text in ["64k", "64K", "64kib", "64KiB", "65536"] {
            assert_eq!(bytes(text, 0..=u64::MAX), Ok(65_536), "{text}");
        }
        assert_eq!(size(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "k",
            "ib",
            "64ib",
            "64kb",
            "64kk",
            "-1",
            "+1",
            "1.5k",
            "1 k",
            "0x10",
            "é",
            "1é",
            "18446744073709551616",
            "17179869184g",
        ] {
            assert!(bytes(text, 0..=u64::MAX).is_err(), "{text}");
        }
        assert_eq!(number("7", 8..=9), Err("a number from 8 to 9".to_owned()));
        assert_eq!(number("10", 8..=9), Err("a number from 8 to 9".to_owned()));
    }
}
