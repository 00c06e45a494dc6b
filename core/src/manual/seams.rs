//! Driver and kernel.
//!
//! A worker sees a [`Driver`](crate::driver::Driver): buffers move in with `recv` and `send` and
//! come home in completions, because that is the only way to say who owns memory that the kernel
//! may write to. io_uring works like that by itself. For epoll and kqueue
//! [`Readiness`](crate::driver::Readiness) makes completions of readiness, once, in safe code;
//! a platform then is a [`Kernel`](crate::driver::Kernel) of about ten system calls, and so is the
//! simulation.
//!
//! What `Readiness` knows, so that no platform has to:
//!
//! * Sockets are registered once, edge-triggered, for both directions. An edge is remembered until
//!   it is used up by EAGAIN or by a short read.
//! * After a short read nothing more is read, unless the event said that the peer has ended or
//!   broken the connection: data and end share one edge, and no second one will come.
//! * One read for each connection and turn, so that nobody starves. It is made when its turn comes,
//!   so that the slot of one is there for the next ([`hot_path`](super::hot_path)).
//! * An accept loop that stops early (budget, no descriptors) has used up its edge and is kept
//!   runnable; without descriptors it rests for 100 ms.
//! * Names carry a generation: an event of a closed connection hits nobody.
//! * A slot is taken when bytes are there to be read, not before.
