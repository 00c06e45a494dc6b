//! One try at a send or a receive, and what its outcome says about the next edge.

use core::hint::cold_path;

use super::entry::{Entry, flag::*};
use super::{Kernel, Slots, Trouble};
use crate::buffer::{RecvBuffer, SendBuffer, Slot};

/// Tries of a call that signals interrupt, per turn. One is usual; more than a few means a storm
/// of signals, and then the other peers come first.
pub(super) const INTERRUPTS_MAX: u32 = 8;

/// What came of one try to send.
pub(super) enum Tried {
    /// All is sent.
    All,
    /// Not all: the room is used up, and an edge comes when there is more.
    Short,
    /// A signal came in between; the hint stays, so the next turn tries again.
    Again,
    /// The connection is gone.
    Gone,
}

/// Tries once to send all that is pending.
#[inline(always)]
pub(super) fn write_from<K: Kernel>(
    kernel: &mut K,
    socket: &K::Socket,
    tx: &mut SendBuffer,
) -> Tried {
    let mut tries = 0;
    let result = loop {
        let result = kernel.send(socket, tx.pending());
        tries += 1;
        if result != Err(Trouble::Interrupted) || tries >= INTERRUPTS_MAX {
            break result;
        }
        cold_path();
    };
    match result {
        Ok(n) if n > 0 => {
            tx.sent(n.min(tx.pending().len()));
            match tx.pending().is_empty() {
                true => Tried::All,
                false => Tried::Short,
            }
        }
        other => {
            cold_path();
            match other {
                Err(Trouble::WouldBlock) => Tried::Short,
                Err(Trouble::Interrupted) => Tried::Again,
                // Out of kernel memory counts as well: no edge would tell when there is some again.
                Ok(_) | Err(_) => Tried::Gone,
            }
        }
    }
}

/// Goes on with a send, as far as the kernel takes it.
pub(super) fn write<K: Kernel>(kernel: &mut K, entry: &mut Entry<K::Socket>) {
    let (Some(socket), Some(tx)) = (&entry.socket, &mut entry.tx) else {
        return;
    };
    match write_from(kernel, socket, tx) {
        Tried::All => entry.set(SENT),
        Tried::Short => entry.clear(WRITABLE),
        Tried::Again => {}
        Tried::Gone => entry.lose(),
    }
}

/// What came of one read.
pub(super) enum Got {
    /// So many bytes, in the buffer of the receive, or in that of a new slot, whose other half
    /// comes with it.
    Bytes(
        usize,
        &'static mut RecvBuffer,
        Option<&'static mut SendBuffer>,
    ),
    /// The end of the stream, and the buffer of the receive, if that had one.
    End(Option<&'static mut RecvBuffer>),
    /// Neither. What else there is to report, the entry knows.
    Nothing,
    /// There is no slot to read into.
    Starved,
}

/// Reads once, into the buffer of the receive or into that of a new slot.
#[inline(always)]
pub(super) fn read<K: Kernel>(
    kernel: &mut K,
    entry: &mut Entry<K::Socket>,
    slots: &mut Slots<'_>,
) -> Got {
    let (rx, of_slot) = if let Some(rx) = entry.rx.take() {
        cold_path();
        (rx, None)
    } else if let Some(Slot { rx, tx }) = slots.take() {
        (rx, Some(tx))
    } else {
        cold_path();
        if entry.has(BROKEN) {
            // What it may have sent before cannot be answered any more.
            entry.lose();
        }
        return Got::Starved;
    };
    let space = rx.space();
    let room = space.len();
    debug_assert!(room > 0, "a receive into a full buffer");
    let result = match &entry.socket {
        Some(socket) if room > 0 => receive(kernel, socket, space),
        // A read of nothing would look like the end of the stream.
        _ => Err(Trouble::Lost),
    };
    if let Ok(n) = result
        && n > 0
    {
        let n = n.min(room);
        entry.clear(WANTS);
        // Short: all is read, and an edge comes with more. But not after the edge that bytes and
        // end of stream share.
        if n < room && !entry.has(ENDED | BROKEN) {
            entry.clear(READABLE);
        }
        rx.filled(n);
        return Got::Bytes(n, rx, of_slot);
    }
    cold_path();
    match result {
        Ok(_) => {
            entry.clear(WANTS);
            return Got::End(match of_slot {
                Some(tx) => {
                    slots.give(Slot { rx, tx });
                    None
                }
                None => {
                    rx.end();
                    Some(rx)
                }
            });
        }
        Err(Trouble::WouldBlock) => entry.clear(READABLE),
        // The hint stays, so the next turn tries again.
        Err(Trouble::Interrupted) => {}
        Err(_) => entry.lose(),
    }
    match of_slot {
        Some(tx) => slots.give(Slot { rx, tx }),
        None => entry.rx = Some(rx),
    }
    Got::Nothing
}

/// Receives; again after a signal, as often as [`INTERRUPTS_MAX`].
#[inline(always)]
fn receive<K: Kernel>(
    kernel: &mut K,
    socket: &K::Socket,
    space: &mut [u8],
) -> Result<usize, Trouble> {
    let mut tries = 0;
    loop {
        let result = kernel.recv(socket, space);
        tries += 1;
        if result != Err(Trouble::Interrupted) || tries >= INTERRUPTS_MAX {
            return result;
        }
        cold_path();
    }
}
