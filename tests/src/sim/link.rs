//! One simulated connection: a queue of bytes each way, and what a kernel would know of it.

use std::collections::VecDeque;

use barewire_core::driver::Event;

/// In which direction something is new: from the client, or to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// In none.
    #[default]
    None,
    /// Bytes or their end have come.
    In,
    /// There is room, or no use in it.
    Out,
    /// Both.
    Both,
}

impl Way {
    pub(crate) fn is_none(self) -> bool {
        self == Way::None
    }

    pub(crate) fn is_in(self) -> bool {
        matches!(self, Way::In | Way::Both)
    }

    pub(crate) fn is_out(self) -> bool {
        matches!(self, Way::Out | Way::Both)
    }

    /// This and the other.
    pub(crate) fn and(self, other: Way) -> Way {
        match (self, other) {
            (Way::None, one) | (one, Way::None) => one,
            (one, other) if one == other => one,
            _ => Way::Both,
        }
    }
}

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
    /// Its number among the descriptors, where that matters.
    pub(crate) number: Option<usize>,
    /// What is new; with that it stands on the ready list.
    pub(crate) news: Way,
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
            number: None,
            news: Way::None,
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
