//! Requests by httparse, as a careful user of it takes them: a second pass over its list of headers
//! decides framing, with one switch on the length of the name and then words compared in either
//! case.
//!
//! What this user does not do, although our parser does: check the grammar of the target, of the
//! value of `Host`, and of chunk extensions, and refuse lines that end with LF alone. httparse does
//! not say whether one did.

use std::hint::black_box;
use std::mem::MaybeUninit;

use barewire_core::limits::FIELDS_MAX;
use httparse::{EMPTY_HEADER, Header, Request, Status};

use crate::{Said, Taken};

/// Takes one head from the front and asks for nothing more: its length.
#[inline(always)]
pub fn tokens(bytes: &[u8]) -> Option<usize> {
    head(bytes, |request| {
        black_box(request);
        Some(())
    })
    .map(|(len, ())| len)
}

/// Takes one request from the front, its body included. `None`: incomplete or wrong.
#[inline(always)]
pub fn request(bytes: &[u8]) -> Option<Taken> {
    request_with(bytes, |request| {
        black_box(request);
    })
}

/// Headers are not initialised: to clear a hundred of them costs more than most requests.
#[inline(always)]
fn head<'b, T>(
    bytes: &'b [u8],
    see: impl FnOnce(&Request<'_, 'b>) -> Option<T>,
) -> Option<(usize, T)> {
    let mut headers = [const { MaybeUninit::<Header<'b>>::uninit() }; FIELDS_MAX];
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Complete(len)) => Some((len, see(&request)?)),
        Ok(Status::Partial) | Err(_) => None,
    }
}

#[inline(always)]
fn request_with(bytes: &[u8], see: impl FnOnce(&Request<'_, '_>)) -> Option<Taken> {
    let (len, framing) = head(bytes, |request| {
        see(request);
        Framing::of(request)
    })?;
    let mut taken = Taken {
        len,
        body: 0,
        keep_alive: framing.keep_alive,
        expects: framing.expects,
    };
    let rest = bytes.get(len..)?;
    match framing.body {
        Body::Length(body) => {
            let len = usize::try_from(body).ok()?;
            rest.get(..len)?;
            taken.len += len;
            taken.body = body;
        }
        Body::Chunked => {
            let (len, body) = chunks(rest)?;
            taken.len += len;
            taken.body = body;
        }
    }
    Some(taken)
}

enum Body {
    Length(u64),
    Chunked,
}

struct Framing {
    body: Body,
    keep_alive: bool,
    expects: bool,
}

impl Framing {
    /// The decisions of RFC 9112 sections 3.2, 6 and 9.3. `None`: refused.
    #[inline(always)]
    fn of(request: &Request<'_, '_>) -> Option<Self> {
        let is_new = request.version? == 1;
        let (mut hosts, mut length, mut chunked) = (0, None, false);
        let (mut close, mut keep, mut expects) = (false, false, false);
        for header in request.headers.iter() {
            let name = header.name.as_bytes();
            match name.len() {
                4 if is(name, b"host") => hosts += 1,
                6 if is(name, b"expect") => {
                    if !header.value.eq_ignore_ascii_case(b"100-continue") && is_new {
                        return None;
                    }
                    expects = is_new;
                }
                10 if is(name, b"connection") => {
                    if header.value.len() == 10 && is(header.value, b"keep-alive") {
                        keep = true;
                        continue;
                    }
                    for option in header.value.split(|byte| *byte == b',') {
                        let option = option.trim_ascii();
                        close |= option.eq_ignore_ascii_case(b"close");
                        keep |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                14 if is(name, b"content-length") => {
                    if length.is_some() {
                        return None;
                    }
                    length = Some(number(header.value)?);
                }
                17 if is(name, b"transfer-encoding") => {
                    if chunked || !is_new || !header.value.eq_ignore_ascii_case(b"chunked") {
                        return None;
                    }
                    chunked = true;
                }
                _ => {}
            }
        }
        if hosts > 1 || hosts == 0 && is_new || chunked && length.is_some() {
            return None;
        }
        Some(Framing {
            body: match chunked {
                true => Body::Chunked,
                false => Body::Length(length.unwrap_or(0)),
            },
            keep_alive: !close && (is_new || keep),
            expects,
        })
    }
}

/// Whether a token of the same length is this one, of small letters and `-`, in either case: its
/// first and its last bytes in one word each. (No other byte of a token becomes a letter or `-` by
/// that bit.)
#[inline(always)]
fn is<const N: usize>(name: &[u8], want: &[u8; N]) -> bool {
    const CASE: u64 = 0x2020_2020_2020_2020;
    let Some(name) = name.first_chunk::<N>() else {
        return false;
    };
    let word = |text: &[u8; N], at: usize| match text.get(at..).and_then(<[u8]>::first_chunk) {
        Some(word) => u64::from_le_bytes(*word) | CASE,
        None => 0,
    };
    let half = |text: &[u8; N], at: usize| match text.get(at..).and_then(<[u8]>::first_chunk) {
        Some(half) => u32::from_le_bytes(*half) | CASE as u32,
        None => 0,
    };
    match N {
        4..8 => half(name, 0) == half(want, 0) && half(name, N - 4) == half(want, N - 4),
        8..=16 => word(name, 0) == word(want, 0) && word(name, N - 8) == word(want, N - 8),
        _ => name.eq_ignore_ascii_case(want),
    }
}

/// A `Content-Length`: digits, and nothing else.
#[inline(always)]
fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then_some(())?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Takes a chunked body with its trailers from the front: its length on the wire, and of its data.
#[inline(always)]
fn chunks(raw: &[u8]) -> Option<(usize, u64)> {
    let (mut at, mut body) = (0usize, 0);
    loop {
        let rest = raw.get(at..)?;
        // It would take no digit at all for a zero.
        if !rest.first()?.is_ascii_hexdigit() {
            return None;
        }
        let Ok(Status::Complete((line, size))) = httparse::parse_chunk_size(rest) else {
            return None;
        };
        at += line;
        if size == 0 {
            break;
        }
        at = at.checked_add(usize::try_from(size).ok()?)?;
        if raw.get(at..at.checked_add(2)?)? != b"\r\n" {
            return None;
        }
        at += 2;
        body += size;
    }
    let rest = raw.get(at..)?;
    if rest.starts_with(b"\r\n") {
        return Some((at + 2, body));
    }
    match httparse::parse_headers(rest, &mut [EMPTY_HEADER; FIELDS_MAX]) {
        Ok(Status::Complete((len, _))) => Some((at + len, body)),
        Ok(Status::Partial) | Err(_) => None,
    }
}

/// What the first request says, or `None` if it is not taken.
pub fn said(bytes: &[u8]) -> Option<Said> {
    let mut said = None;
    let taken = request_with(bytes, |request| {
        let fields = request.headers.iter();
        said = Some(Said {
            method: request.method.unwrap().to_owned(),
            target: request.path.unwrap().to_owned(),
            minor: request.version.unwrap(),
            fields: fields
                .map(|header| (header.name.to_owned(), header.value.to_vec()))
                .collect(),
            taken: Taken {
                len: 0,
                body: 0,
                keep_alive: false,
                expects: false,
            },
        });
    })?;
    said.map(|said| Said { taken, ..said })
}
