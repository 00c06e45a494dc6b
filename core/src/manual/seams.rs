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
//!
//! # How connections come to the workers
//!
//! Each worker is a loop of its own, and nothing is shared between them on the way of a request.
//! What decides which loop a connection belongs to is `--accept`:
//!
//! | | `reuseport` | `handoff` |
//! |---|---|---|
//! | who accepts | each worker, from a listener of its own on the port | one thread, which deals them out |
//! | who spreads | the system, by a hash of the addresses | the thread: to whoever has the fewest, in turn among equals |
//! | a worker that is busy | gets its share all the same | its ring of 64 fills up, and it is passed over |
//! | 503 | of a worker at its share, whatever room others have | when all are at their share |
//! | few connections | may be uneven by chance | even |
//! | costs | nothing | a thread, and a wake-up of each worker for each burst |
//! | default on | Linux, FreeBSD (`SO_REUSEPORT_LB`) | macOS, where all connections of a port come to one listener |
//!
//! The acceptor needs no lock for that: a worker publishes how many connections it has closed and
//! how many it refuses, the acceptor knows how many it gave, and the difference is what the worker
//! has. A connection stays with its worker to the end, so no socket is ever registered in two
//! queues, and nobody has to be kept apart.
//!
//! Where any thread shall serve any connection that is the queue's work: `Shared` of both platforms
//! tells an event to one thread (`EPOLLONESHOT`, `EV_DISPATCH`) as a
//! [`Turn`](crate::driver::Turn), which cannot be copied and is given back to hear more. It costs a
//! system call for each event. The server does not use it: its place is a pool of threads whose
//! handlers block.
//!
//! # Other systems
//!
//! The table of what is not as on Linux (`accept4`, `MSG_NOSIGNAL`, the end of a stream in
//! `kevent`, `sendfile`, timers, listeners on one port, and more), each with its source, stands in
//! the documentation of `barewire-macos`. What was run is said there and in the README: on Linux all
//! above `kevent(2)`; on ARM, by an emulator, the server for Linux; on macOS and FreeBSD nothing.
