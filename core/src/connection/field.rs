//! The fields that a handler may send: names and values that cannot break a head.

use crate::limits::SERVER_BYTES_MAX;
use crate::wire::{self, value};

/// The name of a field that a handler may send: a token, and none of the engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldName<'a>(pub(super) &'a [u8]);

impl<'a> FieldName<'a> {
    /// `Allow` (RFC 9110 section 10.2.1)
    pub const ALLOW: FieldName<'static> = FieldName(b"Allow");
    /// `Cache-Control` (RFC 9111 section 5.2)
    pub const CACHE_CONTROL: FieldName<'static> = FieldName(b"Cache-Control");
    /// `Content-Type` (RFC 9110 section 8.3)
    pub const CONTENT_TYPE: FieldName<'static> = FieldName(b"Content-Type");
    /// `Location` (RFC 9110 section 10.2.2)
    pub const LOCATION: FieldName<'static> = FieldName(b"Location");
    /// `Retry-After` (RFC 9110 section 10.2.3)
    pub const RETRY_AFTER: FieldName<'static> = FieldName(b"Retry-After");
    /// `Server` (RFC 9110 section 10.2.4)
    pub const SERVER: FieldName<'static> = FieldName(b"Server");

    /// `None` if `name` is no token, or is one of `Connection`, `Content-Length`, `Date` and
    /// `Transfer-Encoding`, which the engine writes itself.
    pub fn new(name: &'a str) -> Option<FieldName<'a>> {
        let name = name.as_bytes();
        const OWN: [&[u8]; 4] = [
            b"connection",
            b"content-length",
            b"date",
            b"transfer-encoding",
        ];
        let own = OWN.iter().any(|own| name.eq_ignore_ascii_case(own));
        (value::is_token(name) && !own).then_some(FieldName(name))
    }
}

/// The value of a field that a handler may send: no control characters, so that no line can be
/// smuggled into the head (RFC 9110 section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldValue<'a>(pub(super) &'a [u8]);

impl<'a> FieldValue<'a> {
    /// `text/plain; charset=utf-8`
    pub const TEXT: FieldValue<'static> = FieldValue(b"text/plain; charset=utf-8");
    /// `text/html; charset=utf-8`
    pub const HTML: FieldValue<'static> = FieldValue(b"text/html; charset=utf-8");
    /// `application/json`
    pub const JSON: FieldValue<'static> = FieldValue(b"application/json");
    /// `application/problem+json` (RFC 9457)
    pub const PROBLEM: FieldValue<'static> = FieldValue(b"application/problem+json");
    /// `application/octet-stream`
    pub const BYTES: FieldValue<'static> = FieldValue(b"application/octet-stream");

    /// `None` if `value` holds a control character other than a tab. White space at the ends is
    /// cut off.
    pub fn new(value: &'a [u8]) -> Option<FieldValue<'a>> {
        wire::is_field_value(value).then_some(FieldValue(value::trim_ows(value)))
    }
}

/// The value of the `Server` field (RFC 9110 section 10.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerName<'a>(pub(super) &'a [u8]);

impl<'a> ServerName<'a> {
    /// `None` if it is empty, longer than [`SERVER_BYTES_MAX`], or holds anything but visible ASCII
    /// and spaces between.
    pub fn new(name: &'a str) -> Option<ServerName<'a>> {
        let name = value::trim_ows(name.as_bytes());
        let fits = (1..=SERVER_BYTES_MAX).contains(&name.len());
        let visible = name.iter().all(|byte| matches!(byte, b' '..=b'~'));
        (fits && visible).then_some(ServerName(name))
    }

    /// The name.
    pub fn as_str(&self) -> &'a str {
        str::from_utf8(self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_server_name_is_one_short_visible_line() {
        let long = "x".repeat(SERVER_BYTES_MAX);
        assert_eq!(ServerName::new(&long).unwrap().as_str(), long);
        assert_eq!(ServerName::new(" a/1 (b) ").unwrap().as_str(), "a/1 (b)");
        let longer = long.clone() + "x";
        for bad in ["", " ", "a\tb", "a\r\nX: y", "a\0", "\u{e9}", &longer] {
            assert_eq!(ServerName::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn no_line_can_be_smuggled_into_a_head() {
        for bad in [&b"a\r\nb"[..], b"a\n", b"\r", b"\0", b"\x7f", b"\x1b"] {
            assert_eq!(FieldValue::new(bad), None);
        }
        assert_eq!(FieldValue::new(b" a\tb "), Some(FieldValue(b"a\tb")));
        for bad in [
            "",
            "a b",
            "a:",
            "a\r",
            "Content-length",
            "connection",
            "DATE",
            "Transfer-Encoding",
        ] {
            assert_eq!(FieldName::new(bad), None, "{bad:?}");
        }
        assert_eq!(FieldName::new("X-A"), Some(FieldName(b"X-A")));
    }
}
