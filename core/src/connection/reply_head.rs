//! The answer whose status is said: fields, and the body, whole or begun.

use core::fmt;

use super::digits::{digits, short_length};
use super::field::{FieldName, FieldValue};
use super::phase::{Outbound, Phase};
use super::reply::{Done, Full, Reply};
use super::writer::{BodyWriter, LAST_CHUNK};
use super::{BodyKind, Connection, Flags, Site};
use crate::buffer::{Draft, slide};
use crate::wire::{BARE_LINE_BYTES, DATE_LINE_BYTES, PADDED_LINE_BYTES, Status};

/// An answer whose status is said; fields may follow, then the body.
#[derive(Debug)]
#[must_use = "an answer that is dropped half-way is answered 500"]
pub struct ReplyHead<'s> {
    connection: &'s mut Connection,
    pub(super) site: &'s Site<'s>,
    pub(super) draft: Draft<'s>,
    /// As of the [`Reply`].
    limit: usize,
    pub(super) status: Status,
}

/// The beginning of an answer, `Server` too, piece by piece and as far as there is room.
// By value: what a reference leads to has to be in memory, also where this is not called.
#[inline(never)]
fn begin_anyhow<'s>(mut draft: Draft<'s>, site: &Site<'_>, status: Status) -> Draft<'s> {
    match crate::VECTORS && crate::EXPLAIN {
        true => draft.put(status.line_in(&mut [0; BARE_LINE_BYTES])),
        // Half the bytes of the lines that stand ready.
        false => {
            let reason = match crate::EXPLAIN {
                true => status.reason().as_bytes(),
                false => b"",
            };
            draft.put_all([b"HTTP/1.1 ", &status.digits(), b" ", reason, b"\r\n"]);
        }
    }
    if let Some(date) = site.date {
        draft.put(date.line());
    }
    if let Some(server) = site.server {
        draft.put_all([b"Server: ", server.0, b"\r\n"]);
    }
    draft
}

/// Bytes of the room that an answer begins in at once: the status line as it is copied, and the
/// date.
const BEGINNING_BYTES: usize = PADDED_LINE_BYTES + DATE_LINE_BYTES;

impl<'s> ReplyHead<'s> {
    #[inline(always)]
    pub(super) fn new(reply: Reply<'s>, status: Status) -> Self {
        let status = match status.is_informational() {
            true => Status::INTERNAL_SERVER_ERROR,
            false => status,
        };
        let mut head = ReplyHead {
            connection: reply.connection,
            site: reply.site,
            draft: reply.tx.draft(reply.limit),
            limit: reply.limit,
            status,
        };
        if !head.begin() {
            let draft = begin_anyhow(head.draft, head.site, status);
            head = ReplyHead { draft, ..head };
        }
        head
    }

    /// The status line and the date by copies of fixed size, as nearly always. False: nothing is
    /// written.
    #[inline(always)]
    fn begin(&mut self) -> bool {
        if !crate::VECTORS || !crate::EXPLAIN {
            return false;
        }
        let (Some(date), None) = (self.site.date, self.site.server) else {
            return false;
        };
        let Some((line, len)) = self.status.padded_line() else {
            return false;
        };
        let Some(window) = self.draft.window::<BEGINNING_BYTES>() else {
            return false;
        };
        let Some(place) = window.first_chunk_mut() else {
            return false;
        };
        *place = *line;
        let len = len.min(PADDED_LINE_BYTES);
        let behind = window.get_mut(len..).unwrap_or_default();
        let Some(place) = behind.first_chunk_mut() else {
            return false;
        };
        *place = *date.line();
        self.draft.wrote(len.wrapping_add(DATE_LINE_BYTES));
        true
    }

    /// Nothing is said: for another try.
    #[inline(always)]
    fn full(self) -> Full<'s> {
        Full(Reply {
            connection: self.connection,
            site: self.site,
            tx: self.draft.into_buffer(),
            limit: self.limit,
        })
    }

    /// Adds a field line. `Content-Length`, `Transfer-Encoding`, `Connection` and `Date` are the
    /// engine's and have no [`FieldName`].
    #[inline]
    pub fn field(mut self, name: FieldName<'_>, value: FieldValue<'_>) -> Self {
        self.draft.put_all([name.0, b": ", value.0, b"\r\n"]);
        self
    }

    /// Ends the connection after this answer, and says so.
    pub fn close(self) -> Self {
        self.connection.flags.clear(Flags::PERSISTENT);
        self
    }

    /// Answers with this body and its length. A status that allows no content (204, 304) and the
    /// answer to HEAD send none.
    ///
    /// # Errors
    /// [`Full`] if it is larger than what was promised.
    #[inline]
    pub fn body(mut self, body: &[u8]) -> Result<Done, Full<'s>> {
        if crate::VECTORS
            && self.is_plain()
            && let Ok(length @ ..10_000) = u16::try_from(body.len())
            && self.plain_length(length)
        {
            self.put(body);
            return self.commit();
        }
        self.body_anyhow(body)
    }

    /// Whether the rest of the head is `Content-Length` and nothing else, and content follows.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.connection.is_plain(self.site) && self.status.allows_content()
    }

    /// `Content-Length` and the end of the head by one copy of fixed size. False: nothing is
    /// written.
    #[inline(always)]
    fn plain_length(&mut self, length: u16) -> bool {
        let Some(window) = self.draft.window::<24>() else {
            return false;
        };
        let (digits, len) = short_length(length);
        let [a, b, c, d, e, f, g, h] = digits;
        *window = [
            b'C', b'o', b'n', b't', b'e', b'n', b't', b'-', b'L', b'e', b'n', b'g', b't', b'h',
            b':', b' ', a, b, c, d, e, f, g, h,
        ];
        self.draft.wrote(len.wrapping_add(16));
        true
    }

    /// Field lines that were checked before.
    #[inline(always)]
    pub(super) fn lines(mut self, bytes: &[u8]) -> Self {
        self.put(bytes);
        self
    }

    /// As `body`, whatever the head needs.
    #[inline(never)]
    pub(super) fn body_anyhow(mut self, body: &[u8]) -> Result<Done, Full<'s>> {
        self.head_of_whole(body.len() as u64);
        if !self.is_silent() {
            self.put(body);
        }
        self.commit()
    }

    /// Answers with `text/plain; charset=utf-8`.
    ///
    /// # Errors
    /// As [`body`](Self::body).
    #[inline]
    pub fn text(self, text: &str) -> Result<Done, Full<'s>> {
        self.field(FieldName::CONTENT_TYPE, FieldValue::TEXT)
            .body(text.as_bytes())
    }

    /// Answers with `text/html; charset=utf-8`.
    ///
    /// # Errors
    /// As [`body`](Self::body).
    #[inline]
    pub fn html(self, text: &str) -> Result<Done, Full<'s>> {
        self.field(FieldName::CONTENT_TYPE, FieldValue::HTML)
            .body(text.as_bytes())
    }

    /// Answers with `application/json`.
    ///
    /// # Errors
    /// As [`body`](Self::body).
    #[inline]
    pub fn json(self, json: &[u8]) -> Result<Done, Full<'s>> {
        self.field(FieldName::CONTENT_TYPE, FieldValue::JSON)
            .body(json)
    }

    /// Answers with what `write` writes, straight into the send buffer.
    ///
    /// # Errors
    /// [`Full`] if it is larger than what was promised, or if `write` fails.
    pub fn body_with(
        mut self,
        write: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    ) -> Result<Done, Full<'s>> {
        if self.is_silent() {
            // Written for its length only.
            let mut counted = Counter(0);
            let wrote = write(&mut counted).is_ok();
            self.head_of_whole(counted.0);
            return if wrote {
                self.commit()
            } else {
                Err(self.full())
            };
        }
        self.settle_persistence();
        self.connection_field();
        self.put(b"Content-Length: ");
        // The length is known only afterwards: five digits are kept free for it, as the buffer
        // holds at most 65,535 bytes, and the body closes up to them.
        let digits_at = self.draft.len();
        self.put(b"00000\r\n\r\n");
        let body_at = self.draft.len();
        if write(&mut self).is_err() {
            self.draft.spoil();
        }
        let body_len = self.draft.len().saturating_sub(body_at);
        let mut room = [0; 20];
        let digits = digits::<10>(body_len as u64, &mut room);
        let spare = 5usize.saturating_sub(digits.len());
        let from_digits = self.draft.written().get_mut(digits_at..);
        let parts = from_digits.and_then(|bytes| bytes.split_at_mut_checked(digits.len()));
        if let Some((place, rest)) = parts {
            place.copy_from_slice(digits);
            let len = rest.len();
            slide(rest, spare..len, 0);
        }
        self.draft.cut(spare);
        self.commit()
    }

    /// Answers in parts, of `length` bytes in total, or of unknown length (`None`: chunked, or up
    /// to the close for HTTP/1.0).
    ///
    /// # Errors
    /// [`Full`] if the head, of a chunked answer with its last chunk, is larger than what was
    /// promised.
    pub fn stream(mut self, length: Option<u64>) -> Result<BodyWriter<'s>, Full<'s>> {
        let flags = self.connection.flags;
        let silent = self.is_silent();
        let outbound = match length {
            Some(_) => Outbound::Length,
            None if flags.has(Flags::OLD) => {
                if !silent {
                    self.connection.flags.clear(Flags::PERSISTENT);
                }
                Outbound::UntilClose
            }
            None => Outbound::Chunked,
        };
        self.connection_field();
        match (outbound, length) {
            _ if !self.status.allows_content() => self.no_content(),
            (_, Some(length)) => self.content_length(length),
            (Outbound::Chunked, _) => self.put(b"Transfer-Encoding: chunked\r\n"),
            _ => {}
        }
        self.put(b"\r\n");
        if outbound == Outbound::Chunked {
            // So that the answer can be finished even if there is no room for one byte of it. It
            // counts towards the promise: whether it fits must not depend on what is pending.
            self.put(LAST_CHUNK);
            self.draft.cut(LAST_CHUNK.len());
        }
        if !self.draft.commit() {
            return Err(self.full());
        }
        self.draft.lift_limit();
        let ReplyHead {
            connection, draft, ..
        } = self;
        connection.outbound = if silent { Outbound::Silent } else { outbound };
        connection.owed = length.unwrap_or(0);
        connection.flags.clear(Flags::STUCK);
        // The body of the request is still to come: this is where the handler gets it.
        if connection.phase == Phase::Choosing {
            connection.phase = Phase::Stream;
        }
        Ok(BodyWriter { connection, draft })
    }

    /// The rest of the head of an answer of `length` bytes.
    fn head_of_whole(&mut self, length: u64) {
        self.settle_persistence();
        self.connection_field();
        match self.status.allows_content() {
            true => self.content_length(length),
            false => self.no_content(),
        }
        self.put(b"\r\n");
    }

    /// What is written goes nowhere: an answer to HEAD, or a status without content.
    fn is_silent(&self) -> bool {
        self.connection.flags.has(Flags::HEAD_ONLY) || !self.status.allows_content()
    }

    #[inline(always)]
    fn commit(mut self) -> Result<Done, Full<'s>> {
        if !self.draft.commit() {
            return Err(self.full());
        }
        self.connection.answered();
        Ok(Done::new())
    }

    /// A whole answer while the body of the request is still to come: can the connection be kept?
    fn settle_persistence(&mut self) {
        let connection = &mut *self.connection;
        if connection.body != BodyKind::Over {
            // Who waits for `100 Continue` may send the body or not: nobody knows what comes next.
            let most = u64::from(self.site.limits.drain_bytes_max);
            let worth = connection.body != BodyKind::Length || connection.left <= most;
            if !worth || connection.flags.has(Flags::EXPECTS) {
                connection.flags.clear(Flags::PERSISTENT);
            }
        }
    }

    /// RFC 9112 section 9.3: 1.1 stays open and 1.0 closes unless said otherwise.
    ///
    /// A stop that came after the head of the request is told here, too.
    fn connection_field(&mut self) {
        if self.site.draining {
            self.connection.flags.clear(Flags::PERSISTENT);
        }
        let flags = self.connection.flags;
        match (flags.has(Flags::PERSISTENT), flags.has(Flags::OLD)) {
            (false, _) => self.put(b"Connection: close\r\n"),
            (true, true) => self.put(b"Connection: keep-alive\r\n"),
            (true, false) => {}
        }
    }

    fn content_length(&mut self, length: u64) {
        let mut room = [0; 20];
        self.put(b"Content-Length: ");
        self.put(digits::<10>(length, &mut room));
        self.put(b"\r\n");
    }

    /// 204, 304 and 1xx have no framing at all (RFC 9110 section 8.6); 205 is empty and says so.
    fn no_content(&mut self) {
        if self.status.allows_body() {
            self.put(b"Content-Length: 0\r\n");
        }
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.draft.put(bytes);
    }
}

/// Counts what is written, and keeps none of it.
struct Counter(u64);

impl fmt::Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len() as u64);
        Ok(())
    }
}

impl fmt::Write for ReplyHead<'_> {
    /// Used by [`ReplyHead::body_with`] only: the type is not lent while fields can follow.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        if self.draft.fits() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
