//! Status codes (RFC 9110, 15) and their lines, ready to send.

use core::num::NonZeroU16;

/// A status code, 100 to 599.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(NonZeroU16);

/// Bytes of the line of a code without a reason: `HTTP/1.1 299 ` and CR LF.
pub const BARE_LINE_BYTES: usize = 15;

/// The smallest and the largest code there is (RFC 9110, 15: 600 and above mean nothing).
const CODES: core::ops::RangeInclusive<u16> = 100..=599;

impl Status {
    /// The status with this number; None outside of 100 to 599.
    #[must_use]
    pub const fn new(code: u16) -> Option<Status> {
        if code < *CODES.start() || code > *CODES.end() {
            return None;
        }
        match NonZeroU16::new(code) {
            Some(code) => Some(Status(code)),
            None => None,
        }
    }

    /// The number, 100 to 599.
    #[must_use]
    #[inline]
    pub const fn code(self) -> u16 {
        self.0.get()
    }

    /// The registered phrase (`Not Found`); empty where the code is not registered.
    #[must_use]
    pub fn reason(self) -> &'static str {
        REASONS.get(self.row()).copied().unwrap_or_default()
    }

    /// The whole status line, `HTTP/1.1 200 OK` with its CR LF; None where the code is not
    /// registered: see [`Status::line_in`].
    #[must_use]
    #[inline]
    pub fn line(self) -> Option<&'static [u8]> {
        let (line, len) = self.padded_line()?;
        line.get(..len)
    }

    /// The line that stands ready, with bytes of no meaning behind it, and its length: to be copied
    /// at a fixed size.
    #[inline]
    pub(crate) fn padded_line(self) -> Option<(&'static [u8; PADDED_LINE_BYTES], usize)> {
        let Line { bytes, len } = LINES.get(self.row())?;
        Some((bytes, usize::from(*len)))
    }

    /// The whole status line of any code: the one that stands ready, or, where the code is not
    /// registered, one without a reason that is written to `room`.
    ///
    /// The space before the empty reason is not optional (RFC 9112, 4).
    #[must_use]
    pub fn line_in(self, room: &mut [u8; BARE_LINE_BYTES]) -> &[u8] {
        if let Some(line) = self.line() {
            return line;
        }
        let [hundreds, tens, ones] = self.digits();
        *room = [
            b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', b' ', hundreds, tens, ones, b' ',
            b'\r', b'\n',
        ];
        room
    }

    /// The number as three ASCII digits.
    #[must_use]
    pub const fn digits(self) -> [u8; 3] {
        let code = self.code();
        [
            b'0' + (code / 100 % 10) as u8,
            b'0' + (code / 10 % 10) as u8,
            b'0' + (code % 10) as u8,
        ]
    }

    /// 1xx: comes before the answer proper.
    #[must_use]
    #[inline]
    pub const fn is_informational(self) -> bool {
        self.code() < 200
    }

    /// 2xx: understood and done.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.code() / 100 == 2
    }

    /// 3xx: look elsewhere.
    #[must_use]
    pub const fn is_redirection(self) -> bool {
        self.code() / 100 == 3
    }

    /// 4xx: the client's mistake.
    #[must_use]
    pub const fn is_client_error(self) -> bool {
        self.code() / 100 == 4
    }

    /// 5xx: the server's.
    #[must_use]
    pub const fn is_server_error(self) -> bool {
        self.code() / 100 == 5
    }

    /// Says whether an answer with this status has a body on the wire: not 1xx, 204 and 304, which
    /// end with their head whatever their fields say (RFC 9110, 6.4.1; RFC 9112, 6.3).
    ///
    /// True of 205, whose body has to be empty but is framed: see [`Status::allows_content`].
    #[must_use]
    #[inline]
    pub const fn allows_body(self) -> bool {
        self.allows_framing() && self.code() != 304
    }

    /// Says whether the body may have bytes in it: as [`Status::allows_body`], and not 205
    /// (RFC 9110, 15.3.6).
    #[must_use]
    #[inline]
    pub const fn allows_content(self) -> bool {
        self.allows_body() && self.code() != 205
    }

    /// Says whether Content-Length or Transfer-Encoding may be sent: not with 1xx and 204
    /// (RFC 9110, 8.6; RFC 9112, 6.1). With 304 they speak of the answer that 200 would have been.
    #[must_use]
    #[inline]
    pub const fn allows_framing(self) -> bool {
        self.code() >= 200 && self.code() != 204
    }

    /// The row of this code in the tables; one past their end where it is not registered.
    #[inline]
    fn row(self) -> usize {
        let at = usize::from(self.code().wrapping_sub(*CODES.start()));
        ROWS.get(at).copied().map_or(REGISTERED, usize::from)
    }
}

impl core::fmt::Debug for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Status({})", self.code())
    }
}

impl core::fmt::Display for Status {
    /// `404 Not Found`; only the number where the code is not registered.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.code()),
            reason => write!(f, "{} {reason}", self.code()),
        }
    }
}

/// Makes a constant, a line and a reason of each row, so that they cannot disagree.
macro_rules! registered {
    ($($name:ident $code:literal $reason:literal,)*) => {
        impl Status {
            $(
                #[doc = concat!($code, " ", $reason)]
                pub const $name: Status = match Status::new($code) {
                    Some(status) => status,
                    None => panic!("the code of a row is out of range"),
                };
            )*
        }

        /// How many codes are registered.
        const REGISTERED: usize = [$($code,)*].len();
        const REGISTERED_CODES: [u16; REGISTERED] = [$($code,)*];
        static REASONS: [&str; REGISTERED] = [$($reason,)*];
        static LINES: [Line; REGISTERED] = [
            $(Line::new(concat!("HTTP/1.1 ", $code, " ", $reason, "\r\n").as_bytes()),)*
        ];
    };
}

// The registry of IANA without what it holds for others: 306 and 418 ("Unused") and the temporary
// 104, which has to be renewed every year.
registered! {
    CONTINUE 100 "Continue",
    SWITCHING_PROTOCOLS 101 "Switching Protocols",
    PROCESSING 102 "Processing",
    EARLY_HINTS 103 "Early Hints",
    OK 200 "OK",
    CREATED 201 "Created",
    ACCEPTED 202 "Accepted",
    NON_AUTHORITATIVE_INFORMATION 203 "Non-Authoritative Information",
    NO_CONTENT 204 "No Content",
    RESET_CONTENT 205 "Reset Content",
    PARTIAL_CONTENT 206 "Partial Content",
    MULTI_STATUS 207 "Multi-Status",
    ALREADY_REPORTED 208 "Already Reported",
    IM_USED 226 "IM Used",
    MULTIPLE_CHOICES 300 "Multiple Choices",
    MOVED_PERMANENTLY 301 "Moved Permanently",
    FOUND 302 "Found",
    SEE_OTHER 303 "See Other",
    NOT_MODIFIED 304 "Not Modified",
    USE_PROXY 305 "Use Proxy",
    TEMPORARY_REDIRECT 307 "Temporary Redirect",
    PERMANENT_REDIRECT 308 "Permanent Redirect",
    BAD_REQUEST 400 "Bad Request",
    UNAUTHORIZED 401 "Unauthorized",
    PAYMENT_REQUIRED 402 "Payment Required",
    FORBIDDEN 403 "Forbidden",
    NOT_FOUND 404 "Not Found",
    METHOD_NOT_ALLOWED 405 "Method Not Allowed",
    NOT_ACCEPTABLE 406 "Not Acceptable",
    PROXY_AUTHENTICATION_REQUIRED 407 "Proxy Authentication Required",
    REQUEST_TIMEOUT 408 "Request Timeout",
    CONFLICT 409 "Conflict",
    GONE 410 "Gone",
    LENGTH_REQUIRED 411 "Length Required",
    PRECONDITION_FAILED 412 "Precondition Failed",
    CONTENT_TOO_LARGE 413 "Content Too Large",
    URI_TOO_LONG 414 "URI Too Long",
    UNSUPPORTED_MEDIA_TYPE 415 "Unsupported Media Type",
    RANGE_NOT_SATISFIABLE 416 "Range Not Satisfiable",
    EXPECTATION_FAILED 417 "Expectation Failed",
    MISDIRECTED_REQUEST 421 "Misdirected Request",
    UNPROCESSABLE_CONTENT 422 "Unprocessable Content",
    LOCKED 423 "Locked",
    FAILED_DEPENDENCY 424 "Failed Dependency",
    TOO_EARLY 425 "Too Early",
    UPGRADE_REQUIRED 426 "Upgrade Required",
    PRECONDITION_REQUIRED 428 "Precondition Required",
    TOO_MANY_REQUESTS 429 "Too Many Requests",
    REQUEST_HEADER_FIELDS_TOO_LARGE 431 "Request Header Fields Too Large",
    UNAVAILABLE_FOR_LEGAL_REASONS 451 "Unavailable For Legal Reasons",
    INTERNAL_SERVER_ERROR 500 "Internal Server Error",
    NOT_IMPLEMENTED 501 "Not Implemented",
    BAD_GATEWAY 502 "Bad Gateway",
    SERVICE_UNAVAILABLE 503 "Service Unavailable",
    GATEWAY_TIMEOUT 504 "Gateway Timeout",
    HTTP_VERSION_NOT_SUPPORTED 505 "HTTP Version Not Supported",
    VARIANT_ALSO_NEGOTIATES 506 "Variant Also Negotiates",
    INSUFFICIENT_STORAGE 507 "Insufficient Storage",
    LOOP_DETECTED 508 "Loop Detected",
    NOT_EXTENDED 510 "Not Extended",
    NETWORK_AUTHENTICATION_REQUIRED 511 "Network Authentication Required",
}

/// A status line in a place of fixed size.
struct Line {
    bytes: [u8; PADDED_LINE_BYTES],
    len: u8,
}

/// Bytes of the place of a line: the longest in whole vectors of 16.
pub(crate) const PADDED_LINE_BYTES: usize = 48;

impl Line {
    const fn new(line: &[u8]) -> Line {
        let mut bytes = [0; PADDED_LINE_BYTES];
        let (place, _) = bytes.split_at_mut(line.len());
        place.copy_from_slice(line);
        Line {
            bytes,
            len: line.len() as u8,
        }
    }
}

/// The row of each code. 500 bytes for the codes and 65 per row, instead of 32,000 for a line and a
/// reason at every number.
static ROWS: [u8; 500] = rows();

const fn rows() -> [u8; 500] {
    assert!(REGISTERED < u8::MAX as usize);
    let mut rows = [REGISTERED as u8; 500];
    let mut row = 0;
    while row < REGISTERED {
        rows[(REGISTERED_CODES[row] - *CODES.start()) as usize] = row as u8;
        row += 1;
    }
    rows
}

/// Bytes of the longest line that stands ready: what a reply has to have room for.
pub const LINE_BYTES_MAX: usize = longest();

const fn longest() -> usize {
    let mut longest = BARE_LINE_BYTES;
    let mut row = 0;
    while row < REGISTERED {
        if LINES[row].len as usize > longest {
            longest = LINES[row].len as usize;
        }
        row += 1;
    }
    longest
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    fn every_status() -> impl Iterator<Item = Status> {
        CODES.map(|code| Status::new(code).unwrap())
    }

    #[test]
    fn codes_outside_of_100_to_599_do_not_exist() {
        for code in 0..=u16::MAX {
            let status = Status::new(code);
            assert_eq!(status.is_some(), (100..600).contains(&code));
            assert!(status.is_none_or(|status| status.code() == code));
        }
        assert_eq!(size_of::<Option<Status>>(), 2);
    }

    #[test]
    fn the_line_of_every_code_is_its_number_and_its_reason() {
        for status in every_status() {
            let golden = format!("HTTP/1.1 {} {}\r\n", status.code(), status.reason());
            let mut room = [0; BARE_LINE_BYTES];
            assert_eq!(status.line_in(&mut room), golden.as_bytes());
            assert_eq!(status.line().is_some(), !status.reason().is_empty());
            assert!(golden.len() <= LINE_BYTES_MAX);
            assert_eq!(
                status.digits().as_slice(),
                status.code().to_string().as_bytes()
            );
        }
    }

    #[test]
    fn lines_of_chosen_codes_are_spelled_out_here() {
        let table: [(Status, &str); 12] = [
            (Status::CONTINUE, "HTTP/1.1 100 Continue\r\n"),
            (Status::EARLY_HINTS, "HTTP/1.1 103 Early Hints\r\n"),
            (Status::OK, "HTTP/1.1 200 OK\r\n"),
            (Status::NO_CONTENT, "HTTP/1.1 204 No Content\r\n"),
            (Status::NOT_MODIFIED, "HTTP/1.1 304 Not Modified\r\n"),
            (Status::NOT_FOUND, "HTTP/1.1 404 Not Found\r\n"),
            (
                Status::CONTENT_TOO_LARGE,
                "HTTP/1.1 413 Content Too Large\r\n",
            ),
            (
                Status::MISDIRECTED_REQUEST,
                "HTTP/1.1 421 Misdirected Request\r\n",
            ),
            (
                Status::UNPROCESSABLE_CONTENT,
                "HTTP/1.1 422 Unprocessable Content\r\n",
            ),
            (
                Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "HTTP/1.1 431 Request Header Fields Too Large\r\n",
            ),
            (
                Status::HTTP_VERSION_NOT_SUPPORTED,
                "HTTP/1.1 505 HTTP Version Not Supported\r\n",
            ),
            (
                Status::NETWORK_AUTHENTICATION_REQUIRED,
                "HTTP/1.1 511 Network Authentication Required\r\n",
            ),
        ];
        for (status, line) in table {
            assert_eq!(status.line(), Some(line.as_bytes()));
        }
        assert_eq!(LINE_BYTES_MAX, 46);
    }

    #[test]
    fn sixty_one_codes_are_registered() {
        let registered: Vec<u16> = every_status()
            .filter(|status| status.line().is_some())
            .map(Status::code)
            .collect();
        let expected: Vec<u16> = (100..=103)
            .chain(200..=208)
            .chain([226])
            .chain(300..=305)
            .chain(307..=308)
            .chain(400..=417)
            .chain(421..=426)
            .chain([428, 429, 431, 451])
            .chain(500..=508)
            .chain([510, 511])
            .collect();
        assert_eq!(registered, expected);
        assert_eq!(registered.len(), 61);
    }

    #[test]
    fn bodies_follow_the_rules_of_framing() {
        for status in every_status() {
            let code = status.code();
            assert_eq!(
                status.allows_body(),
                !matches!(code, 100..=199 | 204 | 304),
                "{code}"
            );
            assert_eq!(
                status.allows_content(),
                !matches!(code, 100..=199 | 204 | 205 | 304)
            );
            assert_eq!(status.allows_framing(), !matches!(code, 100..=199 | 204));
        }
    }

    #[test]
    fn every_code_is_of_one_class() {
        for status in every_status() {
            let classes = [
                status.is_informational(),
                status.is_success(),
                status.is_redirection(),
                status.is_client_error(),
                status.is_server_error(),
            ];
            for (class, is) in (1..).zip(classes) {
                assert_eq!(is, status.code() / 100 == class);
            }
        }
    }

    #[test]
    fn a_status_is_shown_as_people_write_it() {
        assert_eq!(Status::NOT_FOUND.to_string(), "404 Not Found");
        assert_eq!(Status::new(299).unwrap().to_string(), "299");
        assert_eq!(format!("{:?}", Status::OK), "Status(200)");
    }

    #[test]
    fn the_tables_are_what_is_built_at_run_time() {
        assert_eq!(rows(), ROWS);
        assert_eq!(longest(), LINE_BYTES_MAX);
    }

    #[test]
    fn every_line_stands_at_the_front_of_its_place() {
        for code in REGISTERED_CODES {
            let status = Status::new(code).unwrap();
            let line = status.line().unwrap();
            let Line { bytes, len } = Line::new(line);
            assert_eq!(status.padded_line(), Some((&bytes, line.len())));
            assert_eq!((&bytes[..line.len()], usize::from(len)), (line, line.len()));
            assert!(bytes[line.len()..].iter().all(|byte| *byte == 0));
        }
    }
}
