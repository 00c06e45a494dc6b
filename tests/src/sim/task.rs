//! What a ring is given to do, and what it gives back.

use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::driver::{Completion, PeerId, Received, Trouble};

/// What the ring is to do, with the buffers that it needs.
#[derive(Debug)]
pub(super) enum Task {
    /// Tells once that there is something to read.
    Poll,
    /// Tells once that the connection is broken.
    Watch,
    Receive(&'static mut RecvBuffer),
    /// Does not wait for bytes: its slot is another connection's as soon as there are none.
    ReceiveOnce(Slot),
    Send(&'static mut SendBuffer),
}

/// A task of a connection, which is in the kernel's table under this number.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) peer: PeerId,
    pub(super) socket: usize,
    pub(super) task: Task,
}

/// A task that is done, or was called back.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) peer: PeerId,
    pub(super) task: Task,
    pub(super) result: Result<usize, Trouble>,
    /// Counts completions as the ring makes them.
    pub(super) number: u64,
}

/// What came into the buffer.
pub(super) fn filled(rx: &mut RecvBuffer, n: usize) -> Received {
    match n {
        0 => {
            rx.end();
            Received::End
        }
        n => {
            rx.filled(n);
            Received::Bytes(n)
        }
    }
}

/// Whom a completion is about.
pub(super) fn of(completion: &Completion) -> Option<PeerId> {
    match completion {
        Completion::Accepted { peer, .. }
        | Completion::Received { peer, .. }
        | Completion::Sent { peer, .. }
        | Completion::Ended { peer }
        | Completion::Lost { peer, .. } => Some(*peer),
        Completion::Notified => None,
    }
}
