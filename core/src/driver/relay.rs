//! Bytes from one buffer to the other, without a protocol.

use crate::buffer::{RecvBuffer, SendBuffer};

/// Moves received bytes to those that are to be sent, as they are and as many as there is room
/// for; says how many. What stays behind stays in order, and there is space for the next receive
/// unless nothing could move at all.
///
/// For what comes after an upgrade, and for tests of a driver that need no HTTP.
///
/// ```
/// use barewire_core::buffer::{RecvBuffer, SendBuffer};
/// use barewire_core::driver::relay;
/// let (mut rx, mut tx) = (RecvBuffer::<[u8; 64]>::new(), SendBuffer::<[u8; 4]>::new());
/// let (rx, tx): (&mut RecvBuffer, &mut SendBuffer) = (&mut rx, &mut tx);
/// rx.space()[..6].copy_from_slice(b"abcdef");
/// rx.filled(6);
/// assert_eq!(relay(rx, tx), 4);
/// assert_eq!((rx.unread(), tx.pending()), (&b"ef"[..], &b"abcd"[..]));
/// ```
pub fn relay(rx: &mut RecvBuffer, tx: &mut SendBuffer) -> usize {
    let n = rx.unread().len().min(tx.room());
    let moved = match rx.unread().get(..n) {
        Some(bytes) if tx.append(bytes) => n,
        _ => 0,
    };
    rx.skip(moved);
    rx.next_request();
    rx.make_space();
    moved
}
