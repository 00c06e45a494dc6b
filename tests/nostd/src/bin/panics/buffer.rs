//! What came in and what goes out.

use core::ops::{Deref, DerefMut};

use barewire_core::buffer::{RecvBuffer, SendBuffer};

use super::entry;

/// Buffers with a size, as an embedding names them.
type Rx = RecvBuffer<[u8; 1024]>;
type Tx = SendBuffer<[u8; 1024]>;

pub(crate) fn entries() {
    entries!(0: Rx::new, Rx::default, Tx::new, Tx::default);
    entries!(1: <Rx as Deref>::deref, <Rx as DerefMut>::deref_mut);
    entries!(1: <Tx as Deref>::deref, <Tx as DerefMut>::deref_mut);
    entries!(1: RecvBuffer::capacity, RecvBuffer::space, RecvBuffer::end, RecvBuffer::unread);
    entries!(1: RecvBuffer::is_empty, RecvBuffer::reset);
    entries!(2: RecvBuffer::filled);
    entries!(1: SendBuffer::capacity, SendBuffer::pending, SendBuffer::reset, SendBuffer::room);
    entries!(2: SendBuffer::sent);
}
