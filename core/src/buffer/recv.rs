//! What came in: a window that slides over the owner's bytes.

use core::fmt;
use core::hint::cold_path;
use core::ops::{Deref, DerefMut, Range};

use super::{slide, within};
use crate::wire::HeadState;

/// The bytes of the requests, the index of the current head, and how far the work on them is.
///
/// ```text
///  | served | head |  gap  | decoded body |  gap  | raw bytes | space | head index |
///           start  head    body           ready   raw         end     capacity
/// ```
///
/// Consumed bytes are left behind by moving an offset; the rest moves to the front at most once
/// per read, and only when there is no space left behind it. Positions are 16 bits wide: at most
/// 65,535 bytes are used.
///
/// ```
/// use barewire_core::buffer::RecvBuffer;
/// let mut rx = RecvBuffer::<[u8; 1024]>::new();
/// let view: &mut RecvBuffer = &mut rx;      // the size is erased from here on
/// view.space()[..3].copy_from_slice(b"GET");
/// view.filled(3);
/// assert_eq!(view.unread(), b"GET");
/// ```
#[repr(C)]
pub struct RecvBuffer<B: ?Sized = [u8]> {
    /// First byte of the request at hand.
    start: u16,
    /// First byte behind its head.
    head: u16,
    /// First decoded byte of the body that nobody took yet.
    body: u16,
    /// End of the decoded bytes.
    ready: u16,
    /// First byte that is not decoded.
    raw: u16,
    /// End of the bytes received.
    end: u16,
    /// Received bytes, wrapping: the measure of a sender's pace.
    total: u32,
    /// The peer sends no more.
    ended: bool,
    /// `filled` was told more than there was space.
    misuse: bool,
    /// What [`capacity`](RecvBuffer::capacity) says, from the first reset on: it takes a division.
    capacity: u16,
    /// How far the head is parsed.
    pub(crate) state: HeadState,
    bytes: B,
}

/// Bytes of one row of the head index.
const ROW_BYTES: usize = 8;

impl<const N: usize> RecvBuffer<[u8; N]> {
    /// An empty buffer over `N` bytes of its own.
    pub const fn new() -> Self {
        const { assert!(N <= u16::MAX as usize, "positions are 16 bits wide") };
        RecvBuffer {
            start: 0,
            head: 0,
            body: 0,
            ready: 0,
            raw: 0,
            end: 0,
            total: 0,
            ended: false,
            misuse: false,
            capacity: RecvBuffer::capacity_of(N),
            state: HeadState::new(),
            bytes: [0; N],
        }
    }
}

impl<const N: usize> Deref for RecvBuffer<[u8; N]> {
    type Target = RecvBuffer;

    fn deref(&self) -> &RecvBuffer {
        self
    }
}

impl<const N: usize> DerefMut for RecvBuffer<[u8; N]> {
    fn deref_mut(&mut self) -> &mut RecvBuffer {
        self
    }
}

impl<const N: usize> Default for RecvBuffer<[u8; N]> {
    fn default() -> Self {
        Self::new()
    }
}

/// The parts of a buffer while a field section is parsed: its bytes so far, state, index rows.
pub(crate) struct SectionParts<'a> {
    /// The bytes so far are the first `len`. What is behind them may be looked at and means
    /// nothing.
    pub(crate) room: &'a [u8],
    pub(crate) len: usize,
    pub(crate) state: &'a mut HeadState,
    pub(crate) rows: &'a mut [[u8; ROW_BYTES]],
}

impl<'a> SectionParts<'a> {
    /// The bytes so far.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.room.get(..self.len).unwrap_or_default()
    }
}

impl RecvBuffer {
    /// Rows of the head index of a buffer of `len` bytes: one for 80 bytes, at most
    /// [`FIELDS_MAX`](crate::limits::FIELDS_MAX). That is a tenth of the buffer; the 100 rows of a
    /// buffer of 8,000 bytes are three times what browsers send.
    const fn rows_of(len: usize) -> usize {
        let rows = len / 80;
        if rows > crate::limits::FIELDS_MAX {
            crate::limits::FIELDS_MAX
        } else {
            rows
        }
    }

    /// Bytes in front of the index in a buffer of `len` bytes.
    const fn capacity_of(len: usize) -> u16 {
        let len = if len > u16::MAX as usize {
            u16::MAX as usize
        } else {
            len
        };
        len.saturating_sub(Self::rows_of(len).saturating_mul(ROW_BYTES)) as u16
    }

    /// Bytes that a request's head, body in hand and raw bytes can take together.
    #[inline]
    pub fn capacity(&self) -> usize {
        usize::from(self.capacity)
    }

    /// Where to receive the next bytes; then say [`filled`](Self::filled). May be empty only if
    /// the buffer is full, which [`Connection::step`](crate::connection::Connection::step) never
    /// lets happen before it asks to read.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        let capacity = self.capacity();
        self.bytes
            .get_mut(self.end as usize..capacity)
            .unwrap_or(&mut [])
    }

    /// Notes that the first `n` bytes of [`space`](Self::space) were filled. More than there was
    /// space is a mistake of the embedding: the connection closes with
    /// [`Fault::Misuse`](crate::connection::Fault::Misuse).
    #[inline]
    pub fn filled(&mut self, n: usize) {
        match usize::from(self.end).checked_add(n) {
            Some(end) if end <= self.capacity() => {
                self.end = end as u16;
                self.total = self.total.wrapping_add(n as u32);
            }
            _ => self.overfilled(),
        }
    }

    #[cold]
    fn overfilled(&mut self) {
        self.misuse = true;
        let space = self.capacity.saturating_sub(self.end);
        self.end = self.end.wrapping_add(space);
        self.total = self.total.wrapping_add(u32::from(space));
    }

    /// Notes that the peer sends no more (a read of 0 bytes).
    #[inline]
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Received and not yet decoded. After an upgrade these begin the new protocol.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        self.bytes
            .get(self.raw as usize..self.end as usize)
            .unwrap_or(&[])
    }

    /// Nothing is held: the slot may be given back.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start >= self.end && !self.ended
    }

    /// Forgets everything: for the next connection. The bytes stay as they are; no position leads
    /// to them.
    pub fn reset(&mut self) {
        self.raw = 0;
        self.end = 0;
        self.next_request();
        self.total = 0;
        self.ended = false;
        self.misuse = false;
        self.capacity = Self::capacity_of(self.bytes.len());
    }

    /// Bytes received since the last reset, wrapping.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    #[inline]
    pub(crate) fn misused(&self) -> bool {
        self.misuse
    }

    /// Any byte behind the last request is there.
    #[inline(always)]
    pub(crate) fn has_begun(&self) -> bool {
        self.start < self.end
    }

    /// What the head parser works on: the bytes from the request's first on.
    #[inline]
    pub(crate) fn head_parts(&mut self) -> SectionParts<'_> {
        self.parts(self.start)
    }

    /// As [`head_parts`](Self::head_parts), where a request has begun. `None` where positions are
    /// out of order, which never is: three branches cost less than to select nothing in their
    /// place.
    #[inline(always)]
    pub(crate) fn usual_head_parts(&mut self) -> Option<SectionParts<'_>> {
        let start = usize::from(self.start);
        let (front, tail) = self
            .bytes
            .split_at_mut_checked(usize::from(self.capacity))?;
        let room = front.get(start..)?;
        let len = usize::from(self.end.wrapping_sub(self.start));
        if len > room.len() {
            return None;
        }
        Some(SectionParts {
            room,
            len,
            state: &mut self.state,
            rows: tail.as_chunks_mut().0,
        })
    }

    /// What the trailer parser works on: the raw bytes, for the section begins with the first.
    pub(crate) fn trailer_parts(&mut self) -> SectionParts<'_> {
        self.parts(self.raw)
    }

    #[inline]
    fn parts(&mut self, from: u16) -> SectionParts<'_> {
        let (capacity, end) = (self.capacity(), self.end as usize);
        let (front, tail) = self
            .bytes
            .split_at_mut_checked(capacity)
            .unwrap_or_default();
        let room = front.get(from as usize..).unwrap_or_default();
        SectionParts {
            len: end.saturating_sub(from as usize).min(room.len()),
            room,
            state: &mut self.state,
            rows: tail.as_chunks_mut().0,
        }
    }

    /// The bytes of the head and the rows of the index.
    #[inline]
    pub(crate) fn head_view(&self) -> (&[u8], &[[u8; ROW_BYTES]]) {
        self.view(self.start as usize..self.head as usize)
    }

    /// The bytes of the trailer section, `len` of them, and the rows of the index.
    pub(crate) fn trailer_view(&self, len: usize) -> (&[u8], &[[u8; ROW_BYTES]]) {
        let raw = self.raw as usize;
        self.view(raw..raw.saturating_add(len).min(self.end as usize))
    }

    #[inline]
    fn view(&self, range: Range<usize>) -> (&[u8], &[[u8; ROW_BYTES]]) {
        let tail = self.bytes.get(self.capacity()..).unwrap_or_default();
        (within(&self.bytes, range), tail.as_chunks().0)
    }

    /// The head is complete and `len` bytes long, which is as many as there are at most; behind it
    /// come the raw bytes of a body.
    #[inline]
    pub(crate) fn head_is(&mut self, len: usize) {
        self.body_at(self.start.wrapping_add(len as u16));
    }

    /// No byte behind `at` is decoded.
    #[inline(always)]
    fn body_at(&mut self, at: u16) {
        self.head = at;
        self.body = at;
        self.ready = at;
        self.raw = at;
    }

    /// Bytes of the head at hand.
    pub(crate) fn head_len(&self) -> usize {
        self.head.saturating_sub(self.start) as usize
    }

    /// Decoded bytes that nobody took yet.
    #[inline]
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes
            .get(self.body as usize..self.ready as usize)
            .unwrap_or(&[])
    }

    /// Bytes received and not decoded.
    #[inline]
    pub(crate) fn raw_len(&self) -> usize {
        self.end.saturating_sub(self.raw) as usize
    }

    /// Appends the next `n` raw bytes to the decoded ones. A byte moves only if framing lies
    /// between it and decoded bytes that nobody took yet, so it moves at most once.
    pub(crate) fn decode(&mut self, n: usize) {
        if self.body == self.ready {
            self.body = self.raw;
            self.ready = self.raw;
        }
        let n = n.min(self.raw_len());
        let (raw, ready) = (self.raw as usize, self.ready as usize);
        if ready < raw {
            slide(&mut self.bytes, raw..raw.saturating_add(n), ready);
        }
        self.raw = self.raw.saturating_add(n as u16);
        self.ready = self.ready.saturating_add(n as u16);
    }

    /// As [`decode`](Self::decode), where so many raw bytes are there and no decoded one.
    #[inline(always)]
    pub(crate) fn decode_all(&mut self, n: u16) {
        self.body = self.raw;
        self.raw = self.raw.saturating_add(n);
        self.ready = self.raw;
    }

    /// Leaves `n` raw bytes behind: framing, or a body that nobody wants.
    #[inline]
    pub(crate) fn skip(&mut self, n: usize) {
        self.raw = self.raw.saturating_add(n.min(self.raw_len()) as u16);
    }

    /// Takes the first `n` decoded bytes.
    pub(crate) fn take(&mut self, n: usize) {
        let held = self.ready.saturating_sub(self.body);
        self.body = self.body.saturating_add(n.min(held as usize) as u16);
    }

    /// Drops empty lines in front of a request line (RFC 9112 section 2.2): they count towards no
    /// limit, and hold no slot.
    #[cold]
    pub(crate) fn skip_empty_lines(&mut self) {
        let (lines, _) = self.unread().as_chunks::<2>();
        let empty = lines.iter().take_while(|line| *line == b"\r\n").count();
        if empty > 0 {
            self.skip(empty.saturating_mul(2));
            self.next_request();
        }
    }

    /// The request is served, with its body and its trailers. The raw bytes are the next request.
    #[inline]
    pub(crate) fn next_request(&mut self) {
        let mut at = self.raw;
        if at == self.end {
            at = 0;
            self.end = 0;
        }
        self.start = at;
        self.body_at(at);
        self.state = HeadState::new();
    }

    /// Drops all that is received and not decoded; the answer says how many bytes.
    pub(crate) fn drop_raw(&mut self) -> usize {
        let n = self.raw_len();
        self.skip(n);
        self.next_request();
        n
    }

    /// Makes space behind the bytes if little is left, by moving them to the front: at most once
    /// per read, and never for nothing. Says whether there is space now.
    #[inline]
    pub(crate) fn make_space(&mut self) -> bool {
        // An eighth: below it a read may cut a segment in two, above it moving costs more.
        if self.end > 0 && self.capacity.saturating_sub(self.end) <= self.capacity / 8 {
            cold_path();
            self.compact();
        }
        self.end < self.capacity
    }

    /// Moves head, decoded bytes and raw bytes to the front, in this order. The head moves only
    /// the first time, as it is at the front then.
    #[inline(never)]
    fn compact(&mut self) {
        let head = self.start as usize..self.head as usize;
        let body = self.body as usize..self.ready as usize;
        let raw = self.raw as usize..self.end as usize;
        let head_len = self.slide(head, 0);
        let body_len = self.slide(body, head_len);
        let raw_at = head_len.saturating_add(body_len);
        let raw_len = self.slide(raw, raw_at);
        self.start = 0;
        self.head = head_len as u16;
        self.body = head_len as u16;
        self.ready = raw_at as u16;
        self.raw = raw_at as u16;
        self.end = raw_at.saturating_add(raw_len) as u16;
    }

    fn slide(&mut self, from: Range<usize>, to: usize) -> usize {
        let len = from.len();
        slide(&mut self.bytes, from, to);
        len
    }
}

impl<B: ?Sized> fmt::Debug for RecvBuffer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBuffer")
            .field("start", &self.start)
            .field("raw", &self.raw)
            .field("end", &self.end)
            .field("ended", &self.ended)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_bytes_than_positions_can_count_are_not_used() {
        let most = RecvBuffer::capacity_of(usize::from(u16::MAX));
        assert!(most > 60_000);
        assert_eq!(RecvBuffer::capacity_of(usize::from(u16::MAX) + 1), most);
        assert_eq!(RecvBuffer::capacity_of(usize::MAX), most);
    }

    /// Bytes of a body: the first is `a` and was served, so that positions are not all 0.
    fn received() -> RecvBuffer<[u8; 256]> {
        let mut rx = RecvBuffer::<[u8; 256]>::new();
        rx.space()[..4].copy_from_slice(b"abcd");
        rx.filled(4);
        rx.skip(1);
        rx.next_request();
        rx
    }

    #[test]
    fn positions_out_of_order_lend_no_head() {
        let mut whole = received();
        let parts = whole.usual_head_parts().unwrap();
        assert_eq!(parts.bytes(), b"bcd");
        let broken: [fn(&mut RecvBuffer<[u8; 256]>); 4] = [
            |rx| rx.end = rx.capacity + 1,
            |rx| rx.end = 0,
            |rx| rx.start = rx.capacity + 1,
            |rx| rx.capacity = 257,
        ];
        for break_it in broken {
            let mut rx = received();
            break_it(&mut rx);
            assert!(rx.usual_head_parts().is_none());
            // The other way gives what there is, and does not panic either.
            let parts = rx.head_parts();
            assert!(parts.bytes().len() <= parts.room.len());
        }
    }
}
