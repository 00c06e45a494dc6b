//! What goes out: append at the end, send from the front.

use core::fmt;
use core::ops::{Deref, DerefMut};

use super::{slide, within};

/// The answers that wait to be sent, in order.
///
/// The bytes in use are one run, so that one system call sends all of them. Capacity is that of
/// the owner's array, at most 65,535 bytes (positions are 16 bits wide).
///
/// ```
/// use barewire_core::buffer::SendBuffer;
/// let mut tx = SendBuffer::<[u8; 64]>::new();
/// assert_eq!(tx.pending(), b"");
/// ```
#[repr(C)]
pub struct SendBuffer<B: ?Sized = [u8]> {
    /// First byte that is not sent yet.
    start: u16,
    /// End of the bytes in use.
    end: u16,
    /// Bytes sent since the last flush.
    taken: u16,
    /// How often all was sent, or as much as the buffer holds, wrapping: tells one flush from the
    /// next.
    flushes: u8,
    /// `sent` was told more than was pending.
    misuse: bool,
    bytes: B,
}

impl<const N: usize> SendBuffer<[u8; N]> {
    /// An empty buffer over `N` bytes of its own.
    pub const fn new() -> Self {
        const { assert!(N <= u16::MAX as usize, "positions are 16 bits wide") };
        SendBuffer {
            start: 0,
            end: 0,
            taken: 0,
            flushes: 0,
            misuse: false,
            bytes: [0; N],
        }
    }
}

impl<const N: usize> Deref for SendBuffer<[u8; N]> {
    type Target = SendBuffer;

    fn deref(&self) -> &SendBuffer {
        self
    }
}

impl<const N: usize> DerefMut for SendBuffer<[u8; N]> {
    fn deref_mut(&mut self) -> &mut SendBuffer {
        self
    }
}

impl<const N: usize> Default for SendBuffer<[u8; N]> {
    fn default() -> Self {
        Self::new()
    }
}

impl SendBuffer {
    /// Bytes in total.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.bytes.len().min(u16::MAX as usize)
    }

    /// The bytes to send next. Empty: nothing waits.
    #[inline]
    pub fn pending(&self) -> &[u8] {
        within(&self.bytes, self.start as usize..self.end as usize)
    }

    /// Notes that the first `n` pending bytes are sent. More than were pending is a mistake of the
    /// embedding: all count as sent, and the connection closes with [`Fault::Misuse`].
    ///
    /// [`Fault::Misuse`]: crate::connection::Fault::Misuse
    #[inline]
    pub fn sent(&mut self, n: usize) {
        // Nearly always all of it.
        if n == usize::from(self.end.wrapping_sub(self.start)) {
            self.clear();
        } else {
            self.sent_other(n);
        }
    }

    #[inline(never)]
    fn sent_other(&mut self, n: usize) {
        let pending = self.end.saturating_sub(self.start);
        match u16::try_from(n) {
            Ok(n) if n < pending => {
                self.start = self.start.saturating_add(n);
                self.taken = self.taken.saturating_add(n);
                // An answer in parts may fill up behind what is taken, so that the buffer is
                // never empty though its peer reads.
                if usize::from(self.taken) >= self.capacity() {
                    self.next_flush();
                }
            }
            _ => {
                self.misuse |= n > usize::from(pending);
                self.clear();
            }
        }
    }

    /// Forgets everything, also an earlier misuse: for the next connection.
    pub fn reset(&mut self) {
        self.clear();
        self.misuse = false;
    }

    /// Bytes that can still be appended without sending first.
    #[inline]
    pub fn room(&self) -> usize {
        let pending = usize::from(self.end.saturating_sub(self.start));
        self.capacity().saturating_sub(pending)
    }

    /// Whether there is room for so many bytes, or as much as there can be.
    #[inline(always)]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let pending = usize::from(self.end.wrapping_sub(self.start));
        pending.saturating_add(bytes) <= self.capacity() || self.is_empty()
    }

    /// Appends all of `bytes`, or nothing.
    #[must_use]
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        let mut draft = self.draft(usize::MAX);
        draft.put(bytes);
        draft.commit()
    }

    /// A draft of at most `limit` bytes behind the pending ones, to write an answer into. What is
    /// written there is not pending until it is committed: an answer that does not fit, or is given
    /// up, leaves no trace.
    #[inline(always)]
    pub(crate) fn draft(&mut self, limit: usize) -> Draft<'_> {
        if self.start > 0 {
            self.compact();
        }
        let at = usize::from(self.end);
        Draft {
            tx: self,
            at,
            most: at.saturating_add(limit),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    #[inline]
    pub(crate) fn misused(&self) -> bool {
        self.misuse
    }

    /// How often all was sent, or as much as the buffer holds, wrapping.
    #[inline]
    pub(crate) fn flushes(&self) -> u8 {
        self.flushes
    }

    #[inline]
    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.next_flush();
    }

    #[inline]
    fn next_flush(&mut self) {
        self.taken = 0;
        self.flushes = self.flushes.wrapping_add(1);
    }

    #[cold]
    fn compact(&mut self) {
        let (start, end) = (self.start as usize, self.end as usize);
        if start > 0 && start <= end && end <= self.bytes.len() {
            slide(&mut self.bytes, start..end, 0);
            self.start = 0;
            self.end = (end - start) as u16;
        }
    }
}

/// The free end of a send buffer, while something is written into it.
pub(crate) struct Draft<'a> {
    tx: &'a mut SendBuffer,
    /// End of what is written; [`FULL`] once something did not fit, and nothing more is written
    /// until the draft is over.
    at: usize,
    /// Where what is written has to end.
    most: usize,
}

/// No buffer has a place there, so that what comes after the first piece that did not fit is
/// refused by the same comparison as that one.
const FULL: usize = usize::MAX;

impl<'a> Draft<'a> {
    /// Appends to the draft.
    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        match crate::VECTORS {
            true => self.put_here(bytes),
            false => self.put_apart(bytes),
        }
    }

    /// Small, where calls cost less than what is spared by none.
    #[inline(never)]
    fn put_apart(&mut self, bytes: &[u8]) {
        self.put_here(bytes);
    }

    #[inline(always)]
    fn put_here(&mut self, bytes: &[u8]) {
        match self.place(bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at = self.at.wrapping_add(bytes.len());
            }
            None => self.at = FULL,
        }
    }

    /// Appends several pieces that are one, with one look at the room.
    #[inline(always)]
    pub(crate) fn put_all<const N: usize>(&mut self, pieces: [&[u8]; N]) {
        if !crate::VECTORS {
            // One that does not fit spoils those behind it.
            return pieces.iter().for_each(|piece| self.put(piece));
        }
        let total = pieces
            .iter()
            .fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
        let Some(mut place) = self.place(total) else {
            self.at = FULL;
            return;
        };
        for piece in pieces {
            let Some((here, rest)) = place.split_at_mut_checked(piece.len()) else {
                return;
            };
            here.copy_from_slice(piece);
            place = rest;
        }
        self.at = self.at.wrapping_add(total);
    }

    /// The next `N` bytes of the draft, if so many fit: for a piece that is copied with what lies
    /// behind it, as a copy of fixed size costs a few instructions and one of any size a call. Then
    /// [`wrote`](Self::wrote) says how many of them count.
    #[inline(always)]
    pub(crate) fn window<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.place(N)?.first_chunk_mut()
    }

    /// The first `n` bytes of the last window are part of the draft.
    #[inline(always)]
    pub(crate) fn wrote(&mut self, n: usize) {
        // A window was lent, so it is not full, and ends where the buffer does at most.
        self.at = self.at.wrapping_add(n);
    }

    /// The next `n` bytes of the draft, if so many fit.
    #[inline(always)]
    pub(crate) fn place(&mut self, n: usize) -> Option<&mut [u8]> {
        let end = self.at.wrapping_add(n);
        match self.tx.bytes.get_mut(self.at..end) {
            Some(place) if end <= self.most => Some(place),
            _ => None,
        }
    }

    /// Takes the draft into use with the first `n` bytes of the last place, which are written:
    /// there is no need to ask whether they fitted.
    #[inline(always)]
    pub(crate) fn commit_place(self, n: usize) {
        self.tx.end = self.at.wrapping_add(n) as u16;
    }

    /// The buffer; what is not committed is gone.
    #[inline]
    pub(crate) fn into_buffer(self) -> &'a mut SendBuffer {
        self.tx
    }

    /// What is committed at a time may have any length from now on.
    pub(crate) fn lift_limit(&mut self) {
        self.most = usize::MAX;
    }

    /// Bytes of the draft.
    pub(crate) fn len(&self) -> usize {
        match self.fits() {
            true => self.at.saturating_sub(usize::from(self.tx.end)),
            false => 0,
        }
    }

    /// Whether all of it fitted so far.
    #[inline]
    pub(crate) fn fits(&self) -> bool {
        self.at != FULL
    }

    /// Bytes that still fit behind the draft.
    pub(crate) fn free(&self) -> usize {
        self.tx.capacity().saturating_sub(self.at)
    }

    /// Bytes that can still be written before the draft is committed.
    pub(crate) fn left(&self) -> usize {
        self.tx.capacity().min(self.most).saturating_sub(self.at)
    }

    /// What is written so far, to be changed.
    pub(crate) fn written(&mut self) -> &mut [u8] {
        self.tx
            .bytes
            .get_mut(usize::from(self.tx.end)..self.at)
            .unwrap_or_default()
    }

    /// Drops the last `n` bytes.
    pub(crate) fn cut(&mut self, n: usize) {
        if self.fits() {
            self.at = self.at.saturating_sub(n);
        }
    }

    /// Counts as not fitting from now on.
    pub(crate) fn spoil(&mut self) {
        self.at = FULL;
    }

    /// Takes the draft into use and begins the next one behind it; if it did not fit, drops it.
    /// Says whether it fitted.
    #[inline]
    pub(crate) fn commit(&mut self) -> bool {
        let fits = self.fits();
        if fits {
            // What is longer than 16 bits can say has no place: see `place`.
            self.tx.end = self.at as u16;
        }
        self.at = usize::from(self.tx.end);
        fits
    }
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("len", &self.len())
            .field("fits", &self.fits())
            .finish()
    }
}

impl<B: ?Sized> fmt::Debug for SendBuffer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuffer")
            .field("start", &self.start)
            .field("end", &self.end)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_sent_in_order() {
        let mut tx = SendBuffer::<[u8; 8]>::new();
        let tx: &mut SendBuffer = &mut tx;
        assert!(tx.append(b"abcdef"));
        tx.sent(4);
        assert!(tx.append(b"ghijkl"));
        assert_eq!(tx.pending(), b"efghijkl");
        assert!(!tx.append(b"m"), "it is full");
        tx.sent(8);
        assert!(tx.is_empty() && !tx.misused());
        assert_eq!(tx.room(), 8);
    }

    #[test]
    fn a_draft_that_is_not_grown_was_never_there() {
        let mut tx = SendBuffer::<[u8; 16]>::new();
        let tx: &mut SendBuffer = &mut tx;
        assert!(tx.append(b"first"));
        let mut draft = tx.draft(usize::MAX);
        draft.put(b"second");
        assert_eq!(tx.pending(), b"first");
        let mut draft = tx.draft(usize::MAX);
        draft.put(b"second");
        draft.put(b"too long");
        assert!(!draft.commit(), "all of it or nothing");
        draft.put(b"third");
        assert!(draft.commit());
        draft.put(b"!");
        assert!(draft.commit());
        assert_eq!(tx.pending(), b"firstthird!");
    }

    #[test]
    fn sending_more_than_was_pending_is_a_sticky_misuse() {
        let mut tx = SendBuffer::<[u8; 16]>::new();
        let tx: &mut SendBuffer = &mut tx;
        assert!(tx.append(b"first"));
        tx.sent(6);
        assert!(tx.misused());
        tx.sent(usize::MAX);
        assert!(tx.misused() && tx.is_empty());
        tx.reset();
        assert!(!tx.misused());
    }

    #[test]
    fn a_draft_is_shown_by_its_length_and_whether_it_fits() {
        extern crate std;
        let mut tx = SendBuffer::<[u8; 8]>::new();
        let mut draft = tx.draft(usize::MAX);
        draft.put(b"abc");
        assert_eq!(std::format!("{draft:?}"), "Draft { len: 3, fits: true }");
        draft.put(b"too long");
        assert_eq!(std::format!("{draft:?}"), "Draft { len: 0, fits: false }");
    }
}
