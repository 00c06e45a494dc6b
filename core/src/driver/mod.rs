//! The two seams to an operating system: [`Driver`] above, [`Kernel`] below.
//!
//! A server's worker sees a [`Driver`]: it hands buffers in and gets them back with
//! [`Completion`]s, because ownership of memory can only be told that way. A platform that works
//! by completions (io_uring) implements `Driver` itself. One that works by readiness (epoll,
//! kqueue) implements [`Kernel`], about ten system calls, and [`Readiness`] turns those into a
//! `Driver`, once, in safe code; the simulated kernel of the tests takes the same way.

mod attempt;
mod entry;
mod readiness;
mod relay;
mod slots;
mod turn;

pub use entry::Entry;
pub use readiness::Readiness;
pub use relay::relay;
pub use slots::Slots;
pub use turn::Turn;

use crate::buffer::{RecvBuffer, SendBuffer};

/// A point on a monotonic clock, in nanoseconds since an arbitrary start. Core never reads a
/// clock; it is told the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// Whole milliseconds since the start of the clock.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The point `ms` milliseconds after the start of the clock.
    pub const fn from_millis(ms: u64) -> Instant {
        Instant(ms.saturating_mul(1_000_000))
    }

    /// Nanoseconds from `earlier` to this point; 0 if it is the later one.
    pub const fn nanos_since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// An open connection, as the worker names it.
///
/// The index is reused after a close, with another generation: an event or a completion that was
/// meant for the previous connection carries the old generation and hits nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId {
    /// Place in the tables of driver and worker, below the capacity of the driver.
    pub index: u32,
    /// Which connection at that place.
    pub generation: u32,
}

impl PeerId {
    /// Both halves in one word, for the kernel's user data.
    pub const fn to_word(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The inverse of [`to_word`](Self::to_word).
    pub const fn from_word(word: u64) -> PeerId {
        PeerId {
            index: word as u32,
            generation: (word >> 32) as u32,
        }
    }
}

/// The far end of a connection: an IPv6 address (an IPv4 one is mapped, `::ffff:a.b.c.d`) and a
/// port, in 18 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Address {
    /// In network order.
    pub ip: [u8; 16],
    /// In network order.
    pub port: [u8; 2],
}

impl Address {
    /// From the standard library's form.
    pub const fn new(address: core::net::SocketAddr) -> Address {
        let ip = match address.ip() {
            core::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            core::net::IpAddr::V6(v6) => v6.octets(),
        };
        Address {
            ip,
            port: address.port().to_be_bytes(),
        }
    }

    /// The standard library's form; a mapped IPv4 address comes out as IPv4.
    pub const fn socket_addr(self) -> core::net::SocketAddr {
        let ip = core::net::Ipv6Addr::from_octets(self.ip);
        core::net::SocketAddr::new(ip.to_canonical(), u16::from_be_bytes(self.port))
    }
}

/// How a receive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes are new in the buffer (at least 1).
    Bytes(usize),
    /// The peer sends no more; the buffer knows ([`RecvBuffer::end`] was called).
    End,
}

/// What a [`Driver`] reports. Buffers come home in it.
#[derive(Debug)]
pub enum Completion {
    /// A new connection. The worker answers with `recv`, or with `close`.
    Accepted {
        /// Its name from now on.
        peer: PeerId,
        /// Where it comes from.
        from: Address,
    },
    /// Bytes, or the end of them.
    Received {
        /// From whom.
        peer: PeerId,
        /// The buffer, with the bytes in it.
        rx: &'static mut RecvBuffer,
        /// The other half of the slot, if the driver took a slot for this receive.
        tx: Option<&'static mut SendBuffer>,
        /// What came.
        what: Received,
    },
    /// The whole buffer is sent (it is empty).
    Sent {
        /// To whom.
        peer: PeerId,
        /// The buffer.
        tx: &'static mut SendBuffer,
    },
    /// The end of the bytes, where the receive had no buffer: no slot was taken for it.
    Ended {
        /// Of whom.
        peer: PeerId,
    },
    /// The connection is broken (reset, hang-up, time-out of the network): it can neither receive
    /// nor send. Buffers that were in flight come home here. Comes also when nothing is in flight,
    /// so that a deferred exchange learns of it; then it comes once, and again for each receive or
    /// send that is started nevertheless. The worker still has to `close` it.
    Lost {
        /// Which.
        peer: PeerId,
        /// The buffer of an unfinished receive.
        rx: Option<&'static mut RecvBuffer>,
        /// The buffer of an unfinished send.
        tx: Option<&'static mut SendBuffer>,
    },
    /// Another thread woke this one.
    Notified,
}

/// What was in flight when a peer was closed or an operation cancelled.
#[derive(Debug, Default)]
#[must_use = "these buffers belong to a slot"]
pub struct InFlight {
    /// The buffer of a receive.
    pub rx: Option<&'static mut RecvBuffer>,
    /// The buffer of a send.
    pub tx: Option<&'static mut SendBuffer>,
}

/// What a worker sees of the operating system: it submits, completions come back.
///
/// At most one receive and one send are in flight for a peer; a second one replaces nothing and
/// is a mistake of the worker (debug assertion). Nothing blocks but [`wait`](Driver::wait).
pub trait Driver {
    /// Why the driver as a whole cannot go on (never one peer's trouble).
    type Error;

    /// Starts a receive into the space of `rx`, which must not be empty. `None`: the driver takes a
    /// slot when bytes arrive, so that an idle peer holds none; while no slot is free, the peer
    /// waits in line. Such a receive does not begin while a send is in flight.
    fn recv(&mut self, peer: PeerId, rx: Option<&'static mut RecvBuffer>);

    /// Starts to send all that is pending in `tx`; nothing pending is sent at once.
    fn send(&mut self, peer: PeerId, tx: &'static mut SendBuffer);

    /// Says to the peer that nothing more will be sent (FIN).
    fn shutdown(&mut self, peer: PeerId);

    /// Takes back what is in flight. Its completion does not come any more, but what it did so far
    /// is done: bytes may have been received (also into a new slot, both halves of which come back)
    /// or sent.
    fn cancel(&mut self, peer: PeerId) -> InFlight;

    /// Ends the connection and frees its name. `abort`: with a reset, pending data is dropped. A
    /// connection that is closed already is left alone.
    fn close(&mut self, peer: PeerId, abort: bool) -> InFlight;

    /// `false`: stops accepting connections for good; the system refuses them from now on. `true`
    /// is the state at the start, and does nothing later.
    fn accepting(&mut self, yes: bool);

    /// As [`send`](Self::send), but the buffer comes back if all of it could be sent in place: then
    /// no completion follows, and there is no way round through `next`. `None`: one will come. By
    /// default nothing is sent in place.
    fn send_now(
        &mut self,
        peer: PeerId,
        tx: &'static mut SendBuffer,
    ) -> Option<&'static mut SendBuffer> {
        self.send(peer, tx);
        None
    }

    /// As [`send`](Self::send), but nothing of it goes out before the next `wait`: for a connection
    /// that had its share of this turn. Without it a peer that takes all of a long answer as fast
    /// as it is made would keep every other one waiting. A driver whose sends complete only in
    /// `wait` need not know of it.
    fn send_later(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        self.send(peer, tx);
    }

    /// Waits for the first completion, at most until `until` (`None`: for ever). May return early
    /// without one.
    ///
    /// # Errors
    /// Only what makes every further call useless.
    fn wait(&mut self, slots: &mut Slots<'_>, until: Option<Instant>) -> Result<(), Self::Error>;

    /// The next completion that is ready. `None`: call `wait`. Takes a slot for a receive that has
    /// none; those that found none free are tried again first, in their order.
    fn next(&mut self, slots: &mut Slots<'_>) -> Option<Completion>;

    /// The time of the last `wait` or `tick`: read once a turn, not per call.
    fn now(&self) -> Instant;

    /// Reads the clock anew, for a worker that works long within one turn.
    fn tick(&mut self) -> Instant;

    /// The address of this end of the connection (one system call: ask only when needed).
    fn local(&self, peer: PeerId) -> Option<Address>;

    /// Whether a [`wait`](Self::wait) would return at once because work is left over. (Receives
    /// that wait for a slot do not count: only `wait` sees whether one is free.)
    fn is_busy(&self) -> bool;
}

/// Why a system call on one socket did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing to do now; an event will tell (EAGAIN).
    WouldBlock,
    /// A signal came in between; try again (EINTR).
    Interrupted,
    /// The connection is gone (ECONNRESET, EPIPE, ETIMEDOUT and their kin).
    Lost,
    /// Out of descriptors, in the process or in the system (EMFILE, ENFILE), or out of kernel
    /// memory (ENOBUFS, ENOMEM). Accepting rests before the next try. A receive or a send that
    /// ends so counts the connection as gone: no edge would tell when to try again.
    Exhausted,
    /// The connection was gone before it was accepted (ECONNABORTED, EPROTO): take the next one.
    Aborted,
    /// Anything else, with the platform's number. The connection counts as gone.
    Other(i32),
}

/// One event of a readiness-based kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The word that was given to `register`, or [`LISTENER`], or [`WAKER`].
    pub token: u64,
    /// Bytes, a connection or an end of stream can be read.
    pub readable: bool,
    /// There is room to send again.
    pub writable: bool,
    /// The peer has shut down its sending side: after the bytes that are there comes the end. No
    /// further edge will tell, so a short read must not stop the reading.
    pub ended: bool,
    /// Hang-up or error: the next call on the socket tells.
    pub broken: bool,
}

/// The token of the listening socket's events.
pub const LISTENER: u64 = u64::MAX;
/// The token of a wake-up from another thread.
pub const WAKER: u64 = u64::MAX - 1;

/// The system calls of a readiness-based platform, and nothing else.
///
/// Every socket is registered once, edge-triggered, for both directions: an edge that was not
/// used up is not repeated. No call blocks but [`poll`](Kernel::poll). The kernel keeps the
/// listening socket and the waker registered under [`LISTENER`] and [`WAKER`].
pub trait Kernel {
    /// An open, non-blocking socket. Dropping it closes it.
    type Socket;
    /// Why polling failed for good.
    type Error;

    /// Waits for events until `until` (`None`: for ever; a point in the past: not at all), writes
    /// at most `events.len()` of them and says how many. An interruption counts as no event.
    ///
    /// # Errors
    /// Only if waiting has become impossible.
    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Self::Error>;

    /// Takes the next connection from the listening socket, non-blocking and close-on-exec, with
    /// Nagle's algorithm off.
    ///
    /// # Errors
    /// See [`Trouble`].
    fn accept(&mut self) -> Result<(Self::Socket, Address), Trouble>;

    /// Registers `socket` for edges in both directions under `token`.
    ///
    /// # Errors
    /// `Exhausted` or `Other`; the socket is then closed by the caller.
    fn register(&mut self, socket: &Self::Socket, token: u64) -> Result<(), Trouble>;

    /// Reads into `into` (never empty). `Ok(0)` is the end of the stream.
    ///
    /// # Errors
    /// See [`Trouble`].
    fn recv(&mut self, socket: &Self::Socket, into: &mut [u8]) -> Result<usize, Trouble>;

    /// Sends from `from` (never empty) as much as fits; at least 1 byte. Never raises a signal.
    ///
    /// # Errors
    /// See [`Trouble`].
    fn send(&mut self, socket: &Self::Socket, from: &[u8]) -> Result<usize, Trouble>;

    /// Shuts down the sending side.
    fn shutdown(&mut self, socket: &Self::Socket);

    /// Closes the socket; `abort`: with a reset.
    fn close(&mut self, socket: Self::Socket, abort: bool);

    /// Stops listening for good: further connections are refused by the system.
    fn stop_listening(&mut self);

    /// The address of this end.
    fn local(&self, socket: &Self::Socket) -> Option<Address>;

    /// Reads the monotonic clock.
    fn now(&self) -> Instant;
}
