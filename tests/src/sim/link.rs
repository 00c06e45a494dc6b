//! One simulated connection: a queue of bytes each way, and what epoll would know of it.

use std::collections::VecDeque;

use barewire_core::driver::Event;

/// A connection as the server's kernel sees it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Arrived, not read.
    pub(crate) inbox: VecDeque<u8>,
    /// The client's end of stream has arrived (behind what is in `inbox`).
    pub(crate) fin: bool,
    /// The client's reset has arrived, or an answer met one.
    pub(crate) reset: bool,
    /// Sent by the server, not taken by the client.
    pub(crate) outbox: VecDeque<u8>,
    /// Bytes that `outbox` holds at most.
    pub(crate) window: usize,
    /// The server sends no more.
    pub(crate) server_fin: bool,
    /// The client is gone: bytes to it are answered with a reset.
    pub(crate) deserted: bool,
    /// The server holds the socket.
    pub(crate) held: bool,
    /// Registered under this.
    pub(crate) token: Option<u64>,
    /// Stands on the ready list.
    pub(crate) ready: bool,
    /// A send came back short: an edge is due once there is room.
    pub(crate) no_space: bool,
    /// An event has said that the client sends no more: no further edge for what is in `inbox`.
    pub(crate) told_end: bool,
    /// The client's taking of answers is on the agenda.
    pub(crate) draining: bool,
}

impl Link {
    pub(crate) fn new(window: usize) -> Link {
        Link {
            inbox: VecDeque::new(),
            fin: false,
            reset: false,
            outbox: VecDeque::new(),
            window: window.max(1),
            server_fin: false,
            deserted: false,
            held: false,
            token: None,
            ready: false,
            no_space: false,
            told_end: false,
            draining: false,
        }
    }

    /// Bytes that a send could place now.
    pub(crate) fn room(&self) -> usize {
        self.window.saturating_sub(self.outbox.len())
    }

    /// Room enough to be worth an edge: a third of the window.
    pub(crate) fn has_room(&self) -> bool {
        self.room() > 0 && self.room() >= self.window / 3
    }

    /// All that is true now; None: nothing worth an event.
    pub(crate) fn event(&mut self) -> Option<Event> {
        let event = Event {
            token: self.token?,
            readable: !self.inbox.is_empty() || self.fin || self.reset,
            writable: self.has_room() || self.reset,
            ended: self.fin || self.reset,
            broken: self.reset || (self.fin && self.server_fin),
        };
        // Who asks and hears "no room" is told later, as with a send that came back short.
        self.no_space |= !event.writable;
        self.told_end |= event.ended;
        (event.readable || event.writable || event.ended || event.broken).then_some(event)
    }
}
