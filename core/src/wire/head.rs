//! The request head: request line and fields, parsed line by line.

use core::hint::cold_path;

use super::class;
use super::field::{FieldId, Fields, is, parse_line};
use super::length::Evidence;
use super::value::list_items;
use super::{Fault, Framing, Head, Method, Target, TargetFault, scan, validate_host};
use crate::VECTORS;
use crate::limits::Limits;

/// The versions that there are: 1.0, and 1.1 with everything above it (RFC 9110 section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1 to HTTP/1.9
    Http11,
}

/// How far a head is parsed, and what it said so far.
///
/// Works on any bytes and any rows: the connection keeps both in its receive buffer, a user who
/// wants only a parser brings them along.
///
/// ```
/// use barewire_core::limits::Limits;
/// use barewire_core::wire::{Framing, HeadState};
///
/// let bytes = b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
/// let mut rows = [[0; 8]; 16];
/// let mut state = HeadState::new();
/// let len = state.advance(bytes, &mut rows, &Limits::DEFAULT).unwrap().unwrap();
/// assert_eq!(&bytes[len..], b"{}");
/// assert_eq!(state.framing(), Framing::Length(2));
/// assert_eq!(state.head(&bytes[..len], &rows).path(), b"/event");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HeadState {
    pub(super) evidence: Evidence,
    pub(super) target: Target,
    /// First byte behind the last complete line.
    pub(super) next: u16,
    /// First byte that was not searched for a line end.
    pub(super) scanned: u16,
    /// Rows in use: those of the head, then those of the trailers.
    pub(super) rows: u16,
    /// Rows of the head.
    pub(super) head_rows: u16,
    /// Where the request line begins (behind empty lines).
    pub(super) line: u16,
    pub(super) target_at: u16,
    pub(super) target_len: u16,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) stage: Stage,
    pub(super) framing: Framing,
    pub(super) hosts: u8,
    pub(super) says: Says,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    RequestLine,
    Fields,
    Complete,
    Trailers,
}

/// What `Connection` and `Expect` said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Says {
    close: bool,
    pub(super) keep_alive: bool,
    expects_100: bool,
    expects_other: bool,
}

impl HeadState {
    /// Nothing seen yet.
    pub const fn new() -> Self {
        HeadState {
            evidence: Evidence::new(),
            target: Target::NOT_YET,
            next: 0,
            scanned: 0,
            rows: 0,
            head_rows: 0,
            line: 0,
            target_at: 0,
            target_len: 0,
            method: Method::Other,
            version: Version::Http11,
            stage: Stage::RequestLine,
            framing: Framing::None,
            hosts: 0,
            says: Says {
                close: false,
                keep_alive: false,
                expects_100: false,
                expects_other: false,
            },
        }
    }

    /// Goes on with the head. `bytes` are all bytes of the request so far, from its first on, and
    /// `rows` the same rows as before; both may have moved in between. `Some(len)`: the head is
    /// complete and `len` bytes long. `None`: more bytes are needed.
    ///
    /// The cost is linear in the bytes, however they come: complete lines are not looked at
    /// again, and of the last one only the search for its end is remembered. At most 65,535 bytes
    /// are looked at.
    ///
    /// # Errors
    /// The first fault in the order of the bytes; which one does not depend on how they were cut.
    /// The state is useless then.
    // One call (of the walk) and not two.
    #[inline(always)]
    pub fn advance(
        &mut self,
        bytes: &[u8],
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<Option<usize>, Fault> {
        self.advance_within(bytes, bytes.len(), rows, limits)
    }

    /// The same, where the bytes of the request so far are the first `len` of `room`. What is
    /// behind them is looked at in vectors and counts for nothing: 64 readable bytes spare a copy
    /// of the last bytes of the head. At most the whole `room` is taken.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    #[inline(always)]
    pub fn advance_within(
        &mut self,
        room: &[u8],
        len: usize,
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<Option<usize>, Fault> {
        match self.advance_fast(room, len, rows, limits) {
            Some(outcome) => outcome,
            None => self.advance_slowly(room, len, rows, limits),
        }
    }

    /// As [`advance_within`](Self::advance_within), as far as the fast way leads. `None`: that is
    /// not to the end of the head, and [`advance_slowly`](Self::advance_slowly) has to follow.
    #[inline(always)]
    pub(crate) fn advance_fast(
        &mut self,
        room: &[u8],
        len: usize,
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Option<Result<Option<usize>, Fault>> {
        // (In this order, for a `len` of 16 bits: the second comparison is none then.)
        let len = len.min(room.len()).min(limits.head_bytes_max as usize);
        let len = len.min(usize::from(u16::MAX));
        if self.scanned == self.next && self.leap(room, len, rows, limits) {
            return Some(self.complete());
        }
        None
    }

    /// As far as the fast way leads, where there are vectors for it. Says whether the head is
    /// complete.
    #[inline(always)]
    fn leap(&mut self, room: &[u8], len: usize, rows: &mut [[u8; 8]], limits: &Limits) -> bool {
        match VECTORS {
            true => self.walk(room, len, rows, limits),
            false => self.stage == Stage::Complete,
        }
    }

    /// The rest of [`advance_within`](Self::advance_within).
    #[inline(always)]
    pub(crate) fn advance_slowly(
        &mut self,
        room: &[u8],
        len: usize,
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<Option<usize>, Fault> {
        let len = len.min(room.len()).min(bytes_max(limits));
        self.go_on(room, len, rows, limits)
    }

    /// Where the fast way stopped, or within a line.
    #[inline(never)]
    fn go_on(
        &mut self,
        room: &[u8],
        len: usize,
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<Option<usize>, Fault> {
        let Some(bytes) = room.get(..len) else {
            return Ok(None);
        };
        // Peers that send byte by byte: one that ends no line is not worth more than this look.
        if let [.., last] = bytes
            && *last != b'\n'
            && self.next < self.scanned
            && len <= (self.scanned as usize).wrapping_add(1)
            && len < bytes_max(limits)
        {
            self.scanned = len as u16;
            return Ok(None);
        }
        self.go_on_from(room, bytes, rows, limits)
    }

    #[inline(never)]
    fn go_on_from(
        &mut self,
        room: &[u8],
        bytes: &[u8],
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<Option<usize>, Fault> {
        loop {
            // Within a line, before its end is here, nothing more can be said of it.
            let more = if self.scanned != self.next {
                scan::line_feed(bytes, self.scanned as usize).is_some()
            } else {
                bytes.len() > self.next as usize && self.slow(bytes, rows, limits)?
            };
            if !more {
                self.scanned = bytes.len() as u16;
                return match bytes.len() >= bytes_max(limits) {
                    true => Err(self.overflow()),
                    false => Ok(None),
                };
            }
            self.scanned = self.next;
            if self.leap(room, bytes.len(), rows, limits) {
                return self.complete();
            }
        }
    }

    /// The slow way: one line, whatever it is, or `false` if its end is not here.
    #[inline(never)]
    pub(super) fn slow(
        &mut self,
        bytes: &[u8],
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<bool, Fault> {
        self.first_byte(bytes)?;
        let Some(at) = self.line(bytes)? else {
            return Ok(false);
        };
        let end = (self.next as usize).saturating_sub(2);
        self.unusual(bytes.get(at..end).unwrap_or(&[]), at, rows, limits)?;
        Ok(true)
    }

    /// Something that is no HTTP at all is not waited for.
    fn first_byte(&self, bytes: &[u8]) -> Result<(), Fault> {
        match bytes.get(self.next as usize) {
            _ if self.stage != Stage::RequestLine => Ok(()),
            Some(b'\r') | None => Ok(()),
            Some(byte) if class::is(*byte, class::TOKEN) => Ok(()),
            Some(b'\n') => Err(Fault::LineEnd),
            Some(_) => Err(Fault::Method),
        }
    }

    /// One complete line, whatever it is.
    fn unusual(
        &mut self,
        line: &[u8],
        at: usize,
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<(), Fault> {
        match self.stage {
            Stage::RequestLine if line.is_empty() => {}
            Stage::RequestLine => {
                self.request_line(line, at, limits)?;
                self.stage = Stage::Fields;
            }
            _ if line.is_empty() => self.stage = Stage::Complete,
            _ => {
                let (id, value) = parse_line(line, at, rows.get_mut(self.rows as usize))?;
                self.rows = self.rows.saturating_add(1);
                self.field(id, value);
            }
        }
        Ok(())
    }

    /// Goes on with a trailer section (RFC 9112 section 7.1.2), after the head is complete.
    /// `bytes` begin with its first byte. Its fields change nothing that the head said.
    ///
    /// # Errors
    /// As [`advance`](Self::advance); [`Fault::TrailerTooLarge`] beyond `trailer_bytes_max`.
    pub fn advance_trailers(
        &mut self,
        bytes: &[u8],
        rows: &mut [[u8; 8]],
        limits: &Limits,
    ) -> Result<Option<usize>, Fault> {
        if self.stage != Stage::Trailers {
            self.stage = Stage::Trailers;
            self.next = 0;
            self.scanned = 0;
            if bytes.starts_with(b"\r\n") {
                // No trailers, as nearly always.
                self.next = 2;
                return Ok(Some(2));
            }
        }
        let max = (limits.trailer_bytes_max as usize).min(u16::MAX as usize);
        let clipped = bytes.get(..max).unwrap_or(bytes);
        loop {
            let Some(at) = self.line(clipped)? else {
                return if bytes.len() >= max {
                    Err(Fault::TrailerTooLarge)
                } else {
                    Ok(None)
                };
            };
            let line = clipped.get(at..).unwrap_or(&[]);
            let line = line.get(..(self.next as usize).saturating_sub(at).saturating_sub(2));
            match line {
                Some([]) | None => return Ok(Some(self.next as usize)),
                Some(line) => {
                    parse_line(line, at, rows.get_mut(self.rows as usize))?;
                    self.rows = self.rows.saturating_add(1);
                }
            }
        }
    }

    /// The fault of a head that fills all there is without an end.
    pub(crate) fn overflow(&self) -> Fault {
        match self.stage {
            Stage::RequestLine => Fault::TargetTooLong,
            Stage::Fields | Stage::Complete => Fault::HeadTooLarge,
            Stage::Trailers => Fault::TrailerTooLarge,
        }
    }

    /// Where the body ends. Valid once the head is complete.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The request asks for `100 Continue` before it sends its body. HTTP/1.0 cannot ask.
    pub fn expects_continue(&self) -> bool {
        self.says.expects_100 && self.version == Version::Http11
    }

    /// Whether the connection may be used again after this request, as far as the peer says
    /// (RFC 9112 section 9.3).
    pub fn is_persistent(&self) -> bool {
        match self.version {
            _ if self.says.close => false,
            Version::Http11 => true,
            Version::Http10 => self.says.keep_alive,
        }
    }

    /// Not as nearly always: HTTP/1.0, or `Connection: close`, or an answer without content.
    // One value and one test, so no `||`.
    #[inline(always)]
    pub(crate) fn is_unusual(&self) -> bool {
        self.says.close | (self.version == Version::Http10) | (self.method == Method::Head)
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn method(&self) -> Method {
        self.method
    }

    /// Whether the bytes so far hold more than empty lines. Half of one begins nothing either: it
    /// would buy a peer a new deadline.
    pub(crate) fn has_begun(&self, bytes: &[u8]) -> bool {
        let rest = bytes.get(self.next as usize..).unwrap_or(&[]);
        self.stage != Stage::RequestLine || !matches!(rest, [] | [b'\r'])
    }

    /// Still before the request line, or in it.
    pub(crate) fn is_fresh(&self) -> bool {
        self.stage == Stage::RequestLine && self.next == 0
    }

    /// The trailer section is begun.
    pub(crate) fn is_in_trailers(&self) -> bool {
        self.stage == Stage::Trailers
    }

    /// Bytes of the trailer section, its empty line included; 0 without one.
    pub(crate) fn trailer_len(&self) -> usize {
        if self.stage == Stage::Trailers {
            self.next as usize
        } else {
            0
        }
    }

    /// The view on a complete head: `bytes` and `rows` as they were given to
    /// [`advance`](Self::advance), wherever they are now.
    pub fn head<'a>(&'a self, bytes: &'a [u8], rows: &'a [[u8; 8]]) -> Head<'a> {
        Head {
            bytes,
            rows: rows.get(..self.head_rows as usize).unwrap_or(&[]),
            state: self,
        }
    }

    /// The view on a complete trailer section.
    pub fn trailers<'a>(&self, bytes: &'a [u8], rows: &'a [[u8; 8]]) -> Fields<'a> {
        let rows = rows
            .get(self.head_rows as usize..self.rows as usize)
            .unwrap_or(&[]);
        Fields::new(bytes, rows)
    }

    /// Finds the end of the next line and says where it begins; `next` is behind it then.
    fn line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let at = self.next as usize;
        let Some(line_feed) = scan::line_feed(bytes, self.scanned as usize) else {
            self.scanned = bytes.len() as u16;
            return Ok(None);
        };
        let before = line_feed.checked_sub(1).filter(|before| *before >= at);
        if before.and_then(|before| bytes.get(before)) != Some(&b'\r') {
            return Err(Fault::LineEnd);
        }
        self.next = line_feed.saturating_add(1) as u16;
        self.scanned = self.next;
        Ok(Some(at))
    }

    fn request_line(&mut self, line: &[u8], at: usize, limits: &Limits) -> Result<(), Fault> {
        let method_len = scan::token_len(line);
        let (method, rest) = line.split_at_checked(method_len).ok_or(Fault::Method)?;
        let Some((b' ', rest)) = rest.split_first() else {
            return Err(Fault::Method);
        };
        let last = scan::last(b' ', rest).ok_or(Fault::RequestLine)?;
        let (target, version) = rest.split_at_checked(last).ok_or(Fault::RequestLine)?;
        self.method = Method::from_token(method);
        // The version first: the preface of HTTP/2 has a target that no HTTP/1.1 method takes.
        self.version = match version {
            b" HTTP/1.0" => Version::Http10,
            [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Version::Http11,
            [
                b' ',
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'0'..=b'9',
                b'.',
                b'0'..=b'9',
            ] => {
                return Err(Fault::VersionUnsupported);
            }
            _ => return Err(Fault::Version),
        };
        if target.len() > limits.target_bytes_max as usize {
            return Err(Fault::TargetTooLong);
        }
        self.target = Target::parse(self.method, target).map_err(|fault| match fault {
            TargetFault::TooLong => Fault::TargetTooLong,
            _ => Fault::Target,
        })?;
        if self.target.is_https() {
            return Err(Fault::Misdirected);
        }
        self.line = at as u16;
        self.target_at = at.saturating_add(method_len).saturating_add(1) as u16;
        self.target_len = target.len() as u16;
        Ok(())
    }

    #[inline(never)]
    pub(super) fn field(&mut self, id: FieldId, value: &[u8]) {
        match id {
            FieldId::Host => {
                let fine = validate_host(value).is_ok();
                self.hosts = match self.hosts {
                    0 if fine => 1,
                    0 => HOST_INVALID,
                    _ => HOST_TWICE,
                };
            }
            FieldId::ContentLength => self.evidence.content_length(value),
            FieldId::TransferEncoding => self.evidence.transfer_encoding(value),
            FieldId::Connection if value.len() == 10 && is(value, b"keep-alive") => {
                self.says.keep_alive = true;
            }
            FieldId::Connection => {
                for option in list_items(value) {
                    self.says.close |= option.eq_ignore_ascii_case(b"close");
                    self.says.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            FieldId::Expect => {
                for expectation in list_items(value) {
                    let known = expectation.eq_ignore_ascii_case(b"100-continue");
                    self.says.expects_100 |= known;
                    self.says.expects_other |= !known;
                }
            }
            _ => {}
        }
    }

    /// What can only be said at the end of the head, in a fixed order; then its length.
    #[inline]
    pub(super) fn complete(&mut self) -> Result<Option<usize>, Fault> {
        self.head_rows = self.rows;
        if self.hosts != 1 {
            cold_path();
            self.other_hosts()?;
        }
        // (There is no framing until now.)
        if !self.evidence.is_none() {
            self.framing = self.evidence.decide(self.version)?;
        }
        if self.says.expects_other && self.version == Version::Http11 {
            cold_path();
            return Err(Fault::Expectation);
        }
        Ok(Some(self.next as usize))
    }

    /// Not one valid `Host`.
    #[cold]
    fn other_hosts(&self) -> Result<(), Fault> {
        match (self.hosts, self.version) {
            (0, Version::Http10) => Ok(()),
            (0, _) => Err(Fault::HostMissing),
            (HOST_INVALID, _) => Err(Fault::Host),
            _ => Err(Fault::HostTwice),
        }
    }
}

/// Bytes of a head at most: positions are of 16 bits.
#[inline]
fn bytes_max(limits: &Limits) -> usize {
    limits.head_bytes_max.min(u32::from(u16::MAX)) as usize
}

const HOST_INVALID: u8 = 2;
const HOST_TWICE: u8 = 3;

impl Default for HeadState {
    fn default() -> Self {
        Self::new()
    }
}
