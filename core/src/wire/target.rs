//! Request targets in their four forms (RFC 9112, 3.2).
//!
//! ```text
//! origin     /path?query                any method but CONNECT
//! absolute   http://host:port/path?q    any method but CONNECT; wins over Host
//! authority  host:port                  CONNECT, and nothing else
//! asterisk   *                          OPTIONS, and nothing else
//! ```

use super::class::{self, ALPHA, DIGIT, PATH, QUERY};
use super::host::{HostFault, HostKind, validate_host};
use super::method::Method;
use super::percent;

/// Where the parts of a request target lie, in bytes from its start. Holds no reference, so that
/// the bytes may move; every method that cuts a part out wants the bytes that were parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    path: Range16,
    /// [`NONE`] where there is no query.
    query: Range16,
    /// [`NONE`] where there is no authority.
    authority: Range16,
    form: Form,
    flags: u8,
}

/// The form in which a target was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    /// A path.
    Origin,
    /// A whole URI.
    Absolute,
    /// Only host and port, of CONNECT.
    Authority,
    /// `*`, of OPTIONS.
    Asterisk,
}

/// A part of a target: the bytes from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range16 {
    start: u16,
    end: u16,
}

/// Why bytes are no request target for this method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetFault {
    /// No bytes.
    Empty,
    /// More than [`TARGET_BYTES_MAX`]: 414. All other faults are 400.
    TooLong,
    /// A byte that may not stand in a path or a query.
    Byte,
    /// A percent sign without two hexadecimal digits.
    Percent,
    /// A fragment: those never leave the client (RFC 9110, 4.2.5).
    Fragment,
    /// None of the four forms, or one that this method does not take.
    Form,
    /// A URI of a scheme other than `http` and `https`.
    Scheme,
    /// A URI without a host (RFC 9110, 4.2.1), or CONNECT to one.
    NoHost,
    /// The host or its port is malformed, or there is a user before it.
    Host(HostFault),
    /// CONNECT without a port that one can connect to (RFC 9110, 9.3.6).
    NoPort,
}

/// Bytes of the longest target that positions of 16 bits can tell. What a server accepts is bounded
/// long before, by its limit for a request line.
pub const TARGET_BYTES_MAX: usize = u16::MAX as usize;

/// No part: a query begins behind its question mark, and an authority is never empty.
const NONE: Range16 = Range16 { start: 0, end: 0 };

const HTTPS: u8 = 1 << 0;
const PATH_ENCODED: u8 = 1 << 1;
const QUERY_ENCODED: u8 = 1 << 2;
const SERVER_WIDE: u8 = 1 << 3;

// It lies in the head of every request.
const _: () = assert!(size_of::<Target>() <= 16);

impl Target {
    /// Reads a request target that `method` came with.
    ///
    /// An `https` URI is read like any other: whether the connection may serve it is not known
    /// here, see [`Target::is_https`].
    ///
    /// # Errors
    ///
    /// [`TargetFault`] where the bytes are in none of the forms that `method` takes.
    pub fn parse(method: Method, target: &[u8]) -> Result<Target, TargetFault> {
        if target.len() > TARGET_BYTES_MAX {
            return Err(TargetFault::TooLong);
        }
        match target {
            [] => Err(TargetFault::Empty),
            _ if method == Method::Connect => authority_form(target),
            [b'/', ..] => path_and_query(Form::Origin, target, target),
            [b'*'] if method == Method::Options => Ok(Target {
                path: between(target, target, &[]),
                query: NONE,
                authority: NONE,
                form: Form::Asterisk,
                flags: SERVER_WIDE,
            }),
            _ => absolute_form(method, target),
        }
    }

    /// No target yet.
    pub(crate) const NOT_YET: Target = Target {
        path: NONE,
        query: NONE,
        authority: NONE,
        form: Form::Origin,
        flags: 0,
    };

    /// Where the path begins and ends in the target; no byte where it has none there.
    #[inline(always)]
    pub(super) const fn path_range(&self) -> (u16, u16) {
        (self.path.start, self.path.end)
    }

    /// Makes of [`NOT_YET`](Self::NOT_YET) a target in origin form, validated elsewhere.
    #[inline(always)]
    pub(super) fn set_path(&mut self, len: u16, encoded: bool) {
        self.path.end = len;
        if encoded {
            self.flags |= PATH_ENCODED;
        }
    }

    /// The same for its query, which lies behind a question mark.
    #[inline(always)]
    pub(super) fn set_query(&mut self, start: u16, end: u16, encoded: bool) {
        self.query = Range16 { start, end };
        if encoded {
            self.flags |= QUERY_ENCODED;
        }
    }

    /// The form in which it was sent.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Says whether it is an `https` URI. A connection without TLS must refuse those, unless a
    /// gateway that it trusts ended TLS for it (RFC 9110, 7.4).
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.flags & HTTPS != 0
    }

    /// Says whether it is the server as a whole: `OPTIONS *`, and OPTIONS of a URI without path
    /// and query, which means the same (RFC 9112, 3.2.4).
    #[must_use]
    pub const fn is_server_wide(&self) -> bool {
        self.flags & SERVER_WIDE != 0
    }

    /// Says whether the path has percent signs; otherwise decoding it changes nothing.
    #[must_use]
    pub const fn path_is_encoded(&self) -> bool {
        self.flags & PATH_ENCODED != 0
    }

    /// Says whether the query has percent signs; `+` is not one.
    #[must_use]
    pub const fn query_is_encoded(&self) -> bool {
        self.flags & QUERY_ENCODED != 0
    }

    /// The path, as it was sent (nothing decoded, no dot segments removed). Of a URI without one
    /// `/` (RFC 9110, 4.2.3), of the whole server `*`, of CONNECT nothing.
    #[must_use]
    pub fn path<'a>(&self, target: &'a [u8]) -> &'a [u8] {
        if self.path.start < self.path.end {
            self.path.of(target)
        } else if self.is_server_wide() {
            b"*"
        } else if self.form == Form::Absolute {
            b"/"
        } else {
            b""
        }
    }

    /// The query without its question mark; None where there is no question mark.
    #[must_use]
    pub fn query<'a>(&self, target: &'a [u8]) -> Option<&'a [u8]> {
        self.query.of_if_any(target)
    }

    /// Host and port of the absolute and the authority form. Where it is there, it replaces the
    /// Host field (RFC 9112, 3.2.2). [`validate_host`] takes it apart.
    #[must_use]
    pub fn authority<'a>(&self, target: &'a [u8]) -> Option<&'a [u8]> {
        self.authority.of_if_any(target)
    }
}

impl Range16 {
    /// The part of `target`; nothing where `target` is too short to have it.
    fn of(self, target: &[u8]) -> &[u8] {
        target
            .get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }

    fn of_if_any(self, target: &[u8]) -> Option<&[u8]> {
        (self != NONE).then(|| self.of(target))
    }
}

/// `host:port`: both have to be there (RFC 9110, 9.3.6).
fn authority_form(target: &[u8]) -> Result<Target, TargetFault> {
    let host = validate_host(target).map_err(TargetFault::Host)?;
    if host.kind() == HostKind::Empty {
        return Err(TargetFault::NoHost);
    }
    // No TCP connection leads to port 0.
    if host.port().is_none_or(|port| port == 0) {
        return Err(TargetFault::NoPort);
    }
    Ok(Target {
        path: between(target, &[], &[]),
        query: NONE,
        authority: between(target, target, &[]),
        form: Form::Authority,
        flags: 0,
    })
}

/// `http://host:port/path?query`, or the reason why not.
fn absolute_form(method: Method, target: &[u8]) -> Result<Target, TargetFault> {
    let (scheme, rest) = split_scheme(target).ok_or(TargetFault::Form)?;
    let https = scheme.eq_ignore_ascii_case(b"https");
    if !https && !scheme.eq_ignore_ascii_case(b"http") {
        return Err(TargetFault::Scheme);
    }
    let [b'/', b'/', rest @ ..] = rest else {
        return Err(TargetFault::NoHost);
    };
    let authority_bytes = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let (authority, after) = rest
        .split_at_checked(authority_bytes)
        .unwrap_or((rest, &[]));
    let host = validate_host(authority).map_err(TargetFault::Host)?;
    if host.kind() == HostKind::Empty {
        return Err(TargetFault::NoHost);
    }

    let mut parsed = path_and_query(Form::Absolute, target, after)?;
    parsed.authority = between(target, rest, after);
    if https {
        parsed.flags |= HTTPS;
    }
    if method == Method::Options && after.is_empty() {
        parsed.flags |= SERVER_WIDE;
    }
    Ok(parsed)
}

/// A scheme (RFC 3986, 3.1) and what follows its colon.
fn split_scheme(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = target.iter().position(|&byte| {
        !(class::is(byte, ALPHA | DIGIT) || matches!(byte, b'+' | b'-' | b'.'))
    })?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    match (scheme, rest) {
        ([first, ..], [b':', rest @ ..]) if class::is(*first, ALPHA) => Some((scheme, rest)),
        _ => None,
    }
}

/// Reads `after`, the end of `target` that begins with its path or, where that is empty, with the
/// question mark.
fn path_and_query(form: Form, target: &[u8], after: &[u8]) -> Result<Target, TargetFault> {
    let (path_end, path_encoded) = percent::skip(after, PATH).ok_or(TargetFault::Percent)?;
    let mut flags = if path_encoded { PATH_ENCODED } else { 0 };
    let (query, end) = match path_end {
        [b'?', query @ ..] => {
            let (end, encoded) = percent::skip(query, QUERY).ok_or(TargetFault::Percent)?;
            flags |= if encoded { QUERY_ENCODED } else { 0 };
            (between(target, query, end), end)
        }
        _ => (NONE, path_end),
    };
    match end {
        [] => Ok(Target {
            path: between(target, after, path_end),
            query,
            authority: NONE,
            form,
            flags,
        }),
        [b'#', ..] => Err(TargetFault::Fragment),
        _ => Err(TargetFault::Byte),
    }
}

/// The part of `target` that `from` begins with and `to` follows, both being ends of `target`.
fn between(target: &[u8], from: &[u8], to: &[u8]) -> Range16 {
    // Below TARGET_BYTES_MAX, thus within 16 bits.
    let place = |end: &[u8]| target.len().saturating_sub(end.len()) as u16;
    Range16 {
        start: place(from),
        end: place(to),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use Method::{Connect, Get, Options, Other};
    use proptest::prelude::*;
    use std::format;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    /// Method, target, form, path, query, authority; `-` is none, `""` is an empty one.
    const ACCEPTED: &str = r#"
        GET / Origin / - -
        GET /a? Origin /a "" -
        GET /users/7?b=c Origin /users/7 b=c -
        GET /?a?b/c Origin / a?b/c -
        GET //a// Origin //a// - -
        GET /../a/./b Origin /../a/./b - -
        GET /* Origin /* - -
        GET /%41?%fF Origin /%41 %fF -
        GET /-._~!$&'()*+,;=:@?/?-._~!$&'()*+,;=:@ Origin /-._~!$&'()*+,;=:@ /?-._~!$&'()*+,;=:@ -
        OPTIONS / Origin / - -
        OPTIONS * Asterisk * - -
        OPTIONS http://h Absolute * - h
        OPTIONS http://h/ Absolute / - h
        OPTIONS http://h? Absolute / "" h
        OPTIONS http://h?a Absolute / a h
        GET http://h Absolute / - h
        GET http://h/ Absolute / - h
        GET HtTp://H/p Absolute /p - H
        POST http://h:80/a/b?c Absolute /a/b c h:80
        GET http://h:/a Absolute /a - h:
        GET http://[::1]:8080//a Absolute //a - [::1]:8080
        PURGE http://h/@ Absolute /@ - h
        GET http://h/?@: Absolute / @: h
        GET https://h/a Absolute /a - h
        CONNECT example.com:443 Authority "" - example.com:443
        CONNECT [::1]:1 Authority "" - [::1]:1
        CONNECT *:80 Authority "" - *:80
    "#;

    #[test]
    fn targets_fall_into_their_parts() {
        for row in ACCEPTED.lines().filter(|row| !row.trim().is_empty()) {
            let columns: Vec<&str> = row.split_whitespace().collect();
            let [method, text, form, parts @ ..] = &columns[..] else {
                panic!("{row}");
            };
            let bytes = text.as_bytes();
            let target = Target::parse(Method::from_token(method.as_bytes()), bytes).expect(row);
            assert_eq!(format!("{:?}", target.form()), *form, "{row}");
            let found = [
                Some(target.path(bytes)),
                target.query(bytes),
                target.authority(bytes),
            ];
            let expected: Vec<Option<&[u8]>> = parts
                .iter()
                .map(|part| (*part != "-").then(|| part.trim_matches('"').as_bytes()))
                .collect();
            assert_eq!(expected, found, "{row}");
        }
    }

    /// Method, fault, and the targets that have it.
    const REFUSED: [&str; 21] = [
        "GET Form * || ?x=1 || users || users/7 || # || : || a/b:c || 1http://h/",
        "GET Form example.com || 1.2.3.4:80 || [::1]:80",
        "PURGE Form *",
        "OPTIONS Form ** || */ || *?a || *#",
        "GET Scheme example.com:80 || ftp://h/ || httpx://h/ || htt://h || urn:a:b || file:///etc",
        "GET NoHost http: || http:/ || http:/a || http:a || http://",
        "GET NoHost http:///a || http://:80/a || http://?a || https://",
        "GET Host(User) http://u@h/ || http://u:p@h/",
        "GET Host(Port) http://h:8x/a || http://h:65536/a",
        "GET Host(Literal) http://[::1/a || http://[]/",
        "GET Host(Byte) http://h\\a/ || http://[::1]x/",
        "GET Host(Percent) http://h%4/",
        "GET Fragment /# || /a#b || /a?b#c || http://h#a || http://h/?#",
        "GET Percent /% || /%4 || /%zz || /a?%4g || http://h/%",
        "GET Byte /a b || /a\0 || /a\u{e9} || http://h/a b || /a?b|c",
        "CONNECT Host(Byte) / || /a:80",
        "CONNECT Host(Port) http://h:80 || h:80/ || h:80?",
        "CONNECT Host(User) u@h:80",
        "CONNECT NoPort * || example.com || example.com: || h:0",
        "CONNECT NoHost :443 || :",
        "CONNECT Empty ",
    ];

    #[test]
    fn all_else_is_refused() {
        for row in REFUSED {
            let columns: Vec<&str> = row.splitn(3, ' ').collect();
            for text in columns[2].split(" || ") {
                let method = Method::from_token(columns[0].as_bytes());
                let fault = Target::parse(method, text.as_bytes()).expect_err(text);
                assert_eq!(format!("{fault:?}"), columns[1], "{method:?} {text:?}");
            }
        }
        assert_eq!(Target::parse(Get, b""), Err(TargetFault::Empty));
    }

    #[test]
    fn each_byte_is_allowed_exactly_where_the_grammar_has_it() {
        for byte in 0..=255u8 {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte);
            for before in ["/a", "/a?b", "http://h/a"] {
                let target = [before.as_bytes(), &[byte], b"c"].concat();
                let parsed = Target::parse(Get, &target);
                assert_eq!(parsed.is_ok(), allowed, "{before} {byte:#04x}");
            }
        }
    }

    #[test]
    fn flags_tell_scheme_server_and_encoding() {
        let flags = |method, text: &str| {
            let target = Target::parse(method, text.as_bytes()).unwrap();
            [
                target.is_https(),
                target.is_server_wide(),
                target.path_is_encoded(),
                target.query_is_encoded(),
            ]
        };
        assert_eq!(flags(Get, "/a?b+c"), [false; 4]);
        assert_eq!(flags(Get, "/%41?b"), [false, false, true, false]);
        assert_eq!(flags(Get, "/a?%41"), [false, false, false, true]);
        assert_eq!(flags(Get, "HTTPS://h/%41"), [true, false, true, false]);
        assert_eq!(flags(Get, "http://h%41"), [false; 4]);
        assert_eq!(flags(Get, "http://h"), [false; 4]);
        assert_eq!(flags(Options, "*"), [false, true, false, false]);
        assert_eq!(flags(Options, "https://h"), [true, true, false, false]);
        assert_eq!(flags(Options, "http://h/"), [false; 4]);
        assert_eq!(flags(Options, "http://h?"), [false; 4]);
        assert_eq!(flags(Options, "/*"), [false; 4]);
    }

    #[test]
    fn the_longest_target_still_has_its_parts() {
        let mut target = vec![b'a'; TARGET_BYTES_MAX];
        target[0] = b'/';
        let parsed = Target::parse(Get, &target).unwrap();
        assert_eq!(parsed.path(&target), target);
        *target.last_mut().unwrap() = b'?';
        let parsed = Target::parse(Get, &target).unwrap();
        assert_eq!(parsed.query(&target), Some(&b""[..]));
        target.push(b'a');
        assert_eq!(Target::parse(Get, &target), Err(TargetFault::TooLong));
    }

    #[test]
    fn parts_of_other_bytes_are_empty_and_do_not_panic() {
        let target = Target::parse(Get, b"http://host/path?query").unwrap();
        assert_eq!(target.path(b"/"), b"");
        assert_eq!(target.query(b"/"), Some(&b""[..]));
        assert_eq!(target.authority(b"/"), Some(&b""[..]));
    }

    fn any_method() -> impl Strategy<Value = Method> {
        prop_oneof![Just(Get), Just(Options), Just(Connect), Just(Other)]
    }

    proptest! {
        #[test]
        fn parts_put_together_are_the_target(
            scheme in prop_oneof![Just(""), Just("http://"), Just("https://")],
            host in "[a-z0-9.-]{1,9}(:[0-9]{0,4})?",
            path in "(/([a-z:@,]|%[0-9a-fA-F]{2}){0,9}){1,4}",
            query in proptest::option::of("([a-z/?&=]|%[0-9a-fA-F]{2}){0,9}"),
        ) {
            let authority = (!scheme.is_empty()).then_some(host);
            let text = format!(
                "{scheme}{}{path}{}",
                authority.as_deref().unwrap_or(""),
                query.as_ref().map(|query| format!("?{query}")).unwrap_or_default(),
            );
            let bytes = text.as_bytes();
            let target = Target::parse(Get, bytes).unwrap();
            prop_assert_eq!(target.path(bytes), path.as_bytes());
            prop_assert_eq!(target.path_is_encoded(), path.contains('%'));
            prop_assert_eq!(target.query(bytes), query.as_deref().map(str::as_bytes));
            prop_assert_eq!(target.authority(bytes), authority.as_deref().map(str::as_bytes));
            prop_assert_eq!(target.is_https(), scheme == "https://");
        }

        #[test]
        fn no_bytes_panic_and_what_is_accepted_is_clean(
            method in any_method(),
            noise: Vec<u8>,
            near in "(https?://)?[a:@\\[\\]]{0,5}[/?#*%4a:{\u{e9} ]{0,12}",
        ) {
            for bytes in [&noise[..], near.as_bytes()] {
                let Ok(target) = Target::parse(method, bytes) else { continue };
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
                let refused = text.contains(['#', '"', '<', '>', '\\', '^', '`', '{', '|', '}']);
                prop_assert!(!refused);
                prop_assert_eq!(target.form() == Form::Authority, method == Connect);
                let path = target.path(bytes);
                prop_assert!(path.starts_with(b"/") || path == b"*" || method == Connect);
                prop_assert!(!target.is_server_wide() || method == Options);
            }
        }
    }
}
