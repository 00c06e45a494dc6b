//! Heads beside httparse: where the two parsers differ, a rule says so.
//!
//! | we refuse, they take                            | rule                                      |
//! |--------------------------------------------------|-------------------------------------------|
//! | a line that ends with LF alone                   | RFC 9112 section 2.2: *may* be taken      |
//! | a target in none of the four forms               | RFC 9112 section 3.2                      |
//! | an `https` target without TLS                    | RFC 9110 section 7.4                      |
//! | no `Host` in HTTP/1.1, two, or one that is none  | RFC 9112 section 3.2                      |
//! | lengths that are no number, or several           | RFC 9112 section 6.3, RFC 9110 section 8.6|
//! | a length beyond 64 bits                          | RFC 9112 section 6.2                      |
//! | length and coding, or a coding in HTTP/1.0       | RFC 9112 section 6.1                      |
//! | `chunked` not last, or twice; other codings      | RFC 9112 sections 6.1 and 6.3             |
//! | an expectation other than `100-continue`         | RFC 9110 section 10.1.1                   |
//! | a field name of more than 255 bytes              | RFC 9110 section 5.4: limits are allowed  |
//!
//! | we take, they refuse                             | rule                                      |
//! |--------------------------------------------------|-------------------------------------------|
//! | HTTP/1.2 to HTTP/1.9                             | RFC 9110 section 6.2: as 1.1              |
//!
//! And they judge byte by byte what we judge when the end of the line is there: while a line is not
//! complete, only the lines before it are compared.

use barewire_core::limits::{FIELD_NAME_BYTES_MAX, FIELDS_MAX, Limits};
use barewire_core::wire::{Fault, HeadState, Version, validate_host};
use httparse::{EMPTY_HEADER, Error, Header, Request, Status};

use super::class::kebab;

/// The bytes are a request head and what may follow it.
pub fn httparse(data: &[u8]) {
    let (mut state, mut rows) = (HeadState::new(), [[0; 8]; FIELDS_MAX]);
    let ours = state.advance(data, &mut rows, &Limits::DEFAULT);
    let mut headers = [EMPTY_HEADER; FIELDS_MAX];
    let mut request = Request::new(&mut headers);
    let theirs = request.parse(data);
    match (ours, theirs) {
        (Ok(Some(len)), Ok(Status::Complete(their_len))) => {
            assert_eq!(len, their_len, "the length of the head");
            let head = state.head(&data[..len], &rows);
            let method = request.method.expect("complete").as_bytes();
            assert_eq!(head.method_token(), method);
            assert_eq!(head.target(), request.path.expect("complete").as_bytes());
            let version = match request.version.expect("complete") {
                0 => Version::Http10,
                1 => Version::Http11,
                other => panic!("HTTP/1.{other}"),
            };
            assert_eq!(head.version(), version);
            let fields: Vec<_> = head.fields().iter().collect();
            let headers: Vec<_> = request
                .headers
                .iter()
                .map(|header| (header.name.as_bytes(), header.value))
                .collect();
            assert_eq!(fields, headers);
            let said = Said::of(&request, &data[..len], true);
            for fault in RULES {
                assert!(!said.breaks(fault), "nobody refuses it: {fault:?}");
            }
        }
        (Ok(None), Ok(Status::Partial)) | (Err(_), Err(_)) => {}
        // We take more.
        (Ok(Some(_)), Err(error)) => assert!(is_newer(data, error), "only they refuse: {error}"),
        // They say it before the line ends; what is complete must be fine for both.
        (Ok(None), Err(error)) => {
            let complete = data.iter().rposition(|byte| *byte == b'\n');
            let lines = &data[..complete.map_or(0, |at| at + 1)];
            let mut headers = [EMPTY_HEADER; FIELDS_MAX];
            match Request::new(&mut headers).parse(lines) {
                Ok(Status::Partial) => {}
                Ok(Status::Complete(_)) => panic!("only they see the end of the head"),
                Err(earlier) => assert!(is_newer(lines, earlier), "only they refuse: {error}"),
            }
        }
        // We refuse more: in a complete head, or in its complete lines.
        (Err(fault), Ok(Status::Complete(len))) => {
            let said = Said::of(&request, data, true);
            assert!(said.breaks(fault), "only we refuse {len} bytes: {fault:?}");
        }
        (Err(fault), Ok(Status::Partial)) => {
            let said = Said::of(&request, data, false);
            assert!(said.breaks(fault), "only we refuse these lines: {fault:?}");
        }
        (Ok(ours), Ok(theirs)) => panic!("ours {ours:?}, theirs {theirs:?}"),
    }
}

/// Who takes the head, who refuses it, and by which fault of ours.
pub(crate) fn class(data: &[u8]) -> String {
    let (mut state, mut rows) = (HeadState::new(), [[0; 8]; FIELDS_MAX]);
    let ours = state.advance(data, &mut rows, &Limits::DEFAULT);
    let mut headers = [EMPTY_HEADER; FIELDS_MAX];
    let theirs = Request::new(&mut headers).parse(data);
    match (ours, theirs) {
        (Ok(Some(_)), Ok(_)) => "both-take".to_owned(),
        (Ok(None), Ok(_)) => "both-wait".to_owned(),
        (Ok(Some(_)), Err(error)) => format!("they-refuse-{}", kebab(error)),
        (Ok(None), Err(error)) => format!("they-refuse-early-{}", kebab(error)),
        (Err(fault), Err(_)) => format!("both-refuse-{}", kebab(fault)),
        (Err(fault), Ok(_)) => format!("we-refuse-{}", kebab(fault)),
    }
}

/// Rules of ours that a head which is taken must keep.
const RULES: [Fault; 12] = [
    Fault::LineEnd,
    Fault::Misdirected,
    Fault::HostMissing,
    Fault::HostTwice,
    Fault::Host,
    Fault::Length,
    Fault::LengthTwice,
    Fault::LengthAndCoding,
    Fault::CodingInOldVersion,
    Fault::CodingNotChunked,
    Fault::CodingUnknown,
    Fault::Expectation,
];

/// A minor version that they do not know, which we take for 1.1.
fn is_newer(data: &[u8], error: Error) -> bool {
    let newer = |line: &[u8]| {
        let version = line.strip_suffix(b"\r").unwrap_or(line).split_last_chunk();
        matches!(
            version,
            Some((
                _,
                [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9']
            ))
        )
    };
    let mut lines = data.split(|byte| *byte == b'\n');
    error == Error::Version && lines.find(|line| *line != b"\r").is_some_and(newer)
}

/// What their parser read.
struct Said<'a> {
    data: &'a [u8],
    method: &'a str,
    target: &'a [u8],
    version: Option<u8>,
    headers: &'a [Header<'a>],
    /// The head is complete: rules about the whole of it count.
    complete: bool,
}

impl<'a> Said<'a> {
    fn of(request: &'a Request<'_, 'a>, data: &'a [u8], complete: bool) -> Self {
        Said {
            data,
            method: request.method.unwrap_or_default(),
            target: request.path.unwrap_or_default().as_bytes(),
            version: request.version,
            headers: request.headers,
            complete,
        }
    }

    /// Whether the rule that the fault names is really broken by what they read.
    fn breaks(&self, fault: Fault) -> bool {
        let hosts = self.values("host");
        let lengths = self.values("content-length");
        let codings = self.list("transfer-encoding");
        let coded = !self.values("transfer-encoding").is_empty();
        let digits = |value: &&[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let last = codings.last().is_some_and(|last| *last == "chunked");
        let chunks = codings.iter().filter(|coding| *coding == "chunked").count();
        match fault {
            Fault::LineEnd => has_bare_line_feed(self.data),
            Fault::Target => !is_plain(self.method, self.target),
            Fault::Misdirected => {
                let scheme = self.target.get(..6).unwrap_or_default();
                scheme.eq_ignore_ascii_case(b"https:")
            }
            Fault::FieldNameTooLong => {
                let long = |line: &[u8]| {
                    let name = line.iter().position(|byte| *byte == b':');
                    name.is_some_and(|len| len > FIELD_NAME_BYTES_MAX)
                };
                self.data.split(|byte| *byte == b'\n').any(long)
            }
            // From here on they have to have seen all of it.
            _ if !self.complete => false,
            Fault::HostMissing => hosts.is_empty() && self.version == Some(1),
            Fault::HostTwice => hosts.len() > 1,
            Fault::Host => hosts.len() == 1 && validate_host(hosts[0]).is_err(),
            Fault::Length => !coded && !lengths.iter().all(digits),
            Fault::LengthTwice => !coded && lengths.len() > 1 && lengths.iter().all(digits),
            Fault::LengthTooLarge => match &lengths[..] {
                [one] => !coded && digits(one) && one.len() >= u64::MAX.to_string().len(),
                _ => false,
            },
            Fault::LengthAndCoding => coded && !lengths.is_empty(),
            Fault::CodingInOldVersion => coded && self.version == Some(0),
            Fault::CodingNotChunked => coded && !(last && chunks == 1),
            Fault::CodingUnknown => last && chunks == 1 && codings.len() > 1,
            Fault::Expectation => {
                let expectations = self.list("expect");
                // HTTP/1.0 cannot expect anything (RFC 9110 section 10.1.1).
                self.version == Some(1) && expectations.iter().any(|item| item != "100-continue")
            }
            _ => false,
        }
    }

    fn values(&self, name: &str) -> Vec<&'a [u8]> {
        let named = self.headers.iter();
        let named = named.filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    }

    /// The elements of the list that all lines of that name make up, in lower case.
    fn list(&self, name: &str) -> Vec<String> {
        let values = self.values(name);
        let items = values
            .iter()
            .flat_map(|value| value.split(|byte| *byte == b','));
        let items = items.map(|item| item.escape_ascii().to_string().to_ascii_lowercase());
        let items = items.map(|item| item.replace("\\t", " ").trim().to_owned());
        items.filter(|item| !item.is_empty()).collect()
    }
}

fn has_bare_line_feed(data: &[u8]) -> bool {
    let mut before = 0;
    data.iter().any(|byte| {
        let bare = *byte == b'\n' && before != b'\r';
        before = *byte;
        bare
    })
}

/// A path and a query perhaps, of which nobody could think that they are none (RFC 3986 sections
/// 3.3 and 3.4).
fn is_plain(method: &str, target: &[u8]) -> bool {
    let mut rest = target;
    while let Some((first, behind)) = rest.split_first() {
        rest = match (first, behind) {
            (b'%', [high, low, behind @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                behind
            }
            (byte, _) if byte.is_ascii_alphanumeric() => behind,
            (byte, _) if b"-._~!$&'()*+,;=:@/?".contains(byte) => behind,
            _ => return false,
        };
    }
    target.starts_with(b"/") && method != "CONNECT"
}
