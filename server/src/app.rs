//! What a server does with requests: the seam between the worker loop and an application.

use std::net::SocketAddr;

use barewire_core::connection::{BodyWriter, Done, Ending, Exchange, Fork, Inflow, Outlet};
use barewire_core::driver::{Address, Instant, PeerId};
use barewire_core::wire::Status;

/// An application, one for each worker: it is never called by two threads, so it may keep what it
/// likes without locks.
///
/// Every call gets the means to answer and returns the proof that it did ([`Done`]). A call that
/// panics is caught, answered 500 and counted. No call may block: the whole worker waits for it.
/// What takes long is put off with [`Reply::defer`](barewire_core::connection::Reply::defer).
pub trait App {
    /// A request with its whole body.
    fn request(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done;

    /// A deferred request, asked again in a later turn of the loop. By default as a new one.
    fn resume(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        self.request(context, exchange)
    }

    /// A head whose body is still to come. By default the body is gathered, as far as the receive
    /// buffer goes.
    fn head(&mut self, context: &mut Context<'_>, fork: Fork<'_>) -> Done {
        let _ = context;
        fork.gather(usize::MAX)
    }

    /// A piece of a body that [`head`](Self::head) chose to stream. By default it is dropped.
    fn chunk(&mut self, context: &mut Context<'_>, inflow: &mut Inflow<'_>) {
        let _ = context;
        let all = inflow.bytes().len();
        inflow.take(all);
    }

    /// The end of a streamed body. By default an answer that was begun is finished.
    fn end(&mut self, context: &mut Context<'_>, ending: Ending<'_>) -> Done {
        let _ = context;
        match ending.outlet {
            Outlet::Reply(reply) => reply.bare(Status::NO_CONTENT),
            Outlet::Writer(writer) => writer.finish(),
        }
    }

    /// A streamed answer has room again. By default it is finished.
    fn room(&mut self, context: &mut Context<'_>, writer: BodyWriter<'_>) -> Done {
        let _ = context;
        writer.finish()
    }

    /// A request of which something was lent, or which was deferred, will not be finished: drop
    /// what is kept for it.
    fn gone(&mut self, context: &mut Context<'_>) {
        let _ = context;
    }

    /// Once in every turn of the loop, before the completions of this turn.
    fn turn(&mut self) {}

    /// The worker is about to wait for the operating system.
    fn sleep(&mut self) {}
}

/// What an application may ask of the connection that a request came by.
pub struct Context<'a> {
    pub(crate) peer: PeerId,
    pub(crate) from: &'a Address,
    pub(crate) now: Instant,
    pub(crate) route: &'a mut u16,
    pub(crate) local: &'a dyn Fn() -> Option<Address>,
}

impl Context<'_> {
    /// Names the connection within its worker, as long as it is open.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Where the connection comes from.
    pub fn peer_addr(&self) -> SocketAddr {
        self.from.socket_addr()
    }

    /// Where it arrived. Costs a system call.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        (self.local)().map(Address::socket_addr)
    }

    /// The time of this turn of the loop, on the monotonic clock.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A word that stays with the request from its head to its end: which route it took, for
    /// example. 0 at first.
    pub fn route(&mut self) -> &mut u16 {
        self.route
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("peer", &self.peer)
            .field("from", &self.peer_addr())
            .finish()
    }
}
