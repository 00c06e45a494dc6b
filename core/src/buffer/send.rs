//! What goes out: append at the end, send from the front.

use core::fmt;
use core::ops::{Deref, DerefMut};

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
    pub fn capacity(&self) -> usize {
        self.bytes.len().min(u16::MAX as usize)
    }

    /// The bytes to send next. Empty: nothing waits.
    pub fn pending(&self) -> &[u8] {
        self.bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or(&[])
    }

    /// Notes that the first `n` pending bytes are sent. More than were pending is a mistake of the
    /// embedding: all count as sent, and the connection closes with [`Fault::Misuse`].
    ///
    /// [`Fault::Misuse`]: crate::connection::Fault::Misuse
    pub fn sent(&mut self, n: usize) {
        let pending = self.end.saturating_sub(self.start);
        match u16::try_from(n) {
            Ok(n) if n < pending => self.start = self.start.saturating_add(n),
            Ok(n) => {
                self.misuse |= n > pending;
                self.clear();
            }
            Err(_) => {
                self.misuse = true;
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
    pub fn room(&self) -> usize {
        self.capacity()
            .saturating_sub(self.end.saturating_sub(self.start) as usize)
    }

    /// Appends all of `bytes`, or nothing.
    #[must_use]
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        match self
            .tail(bytes.len())
            .and_then(|tail| tail.get_mut(..bytes.len()))
        {
            Some(into) => {
                into.copy_from_slice(bytes);
                // In range: the tail was that long.
                self.end = self.end.saturating_add(bytes.len() as u16);
                true
            }
            None => false,
        }
    }

    /// The free bytes behind the pending ones, at least `least` of them. What is written there is
    /// a draft until [`grow`](Self::grow) takes it into use: an answer that does not fit, or is
    /// given up, leaves no trace.
    pub(crate) fn tail(&mut self, least: usize) -> Option<&mut [u8]> {
        let capacity = self.capacity();
        if capacity.saturating_sub(self.end as usize) < least {
            if self.room() < least {
                return None;
            }
            self.compact();
        }
        self.bytes.get_mut(self.end as usize..capacity)
    }

    /// Takes the first `n` bytes of [`tail`](Self::tail) into use.
    pub(crate) fn grow(&mut self, n: usize) {
        let end = (self.end as usize).saturating_add(n).min(self.capacity());
        self.end = end as u16;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    pub(crate) fn misused(&self) -> bool {
        self.misuse
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    fn compact(&mut self) {
        let (start, end) = (self.start as usize, self.end as usize);
        if start > 0 && start <= end && end <= self.bytes.len() {
            self.bytes.copy_within(start..end, 0);
            self.start = 0;
            self.end = (end - start) as u16;
        }
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
        tx.tail(8).unwrap()[..6].copy_from_slice(b"second");
        assert_eq!(tx.pending(), b"first");
        tx.grow(6);
        assert_eq!(tx.pending(), b"firstsecond");
        assert!(tx.tail(6).is_none());
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
}
