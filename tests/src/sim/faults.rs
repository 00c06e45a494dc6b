//! What a kernel may do to its callers.

use super::rng::Rng;

/// How often the kernel does what it may do but mostly does not: each so many times of 256 calls,
/// where nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A receive or send finds nothing although there was something; an edge follows.
    pub again: u8,
    /// A receive or send does less than it could; an edge follows, unless one has told the end.
    pub short: u8,
    /// A call is interrupted.
    pub interrupt: u8,
    /// An accept finds no descriptor in the system, no memory, or fails in a way that nobody knows;
    /// the connection stays in the backlog, no edge follows.
    pub exhausted: u8,
    /// Descriptors that the process may have for connections; with more an accept fails as before.
    /// 0: as many as it likes.
    pub descriptors: u8,
    /// An accept finds a connection that is gone already.
    pub aborted: u8,
    /// A registration fails.
    pub unregistered: u8,
    /// An event of a closed socket is reported once more.
    pub stale: u8,
    /// A reset leaves the bytes before it readable.
    pub reset_keeps_bytes: u8,
    /// An event comes some milliseconds late.
    pub delay: u8,
    /// An event is reported twice.
    pub twice: u8,
    /// The clock leaps ahead, so many times of 2048 polls: each leap is seconds long.
    pub jump: u8,
    /// An edge is lost. No kernel does this: it is planted, to see that it is found out.
    pub lost_edge: u8,
    /// A wake-up from another thread is lost. Planted as well.
    pub lost_wake: u8,
}

impl Faults {
    /// None at all: a kernel as in a text book.
    pub const NONE: Faults = Faults {
        again: 0,
        short: 0,
        interrupt: 0,
        exhausted: 0,
        descriptors: 0,
        aborted: 0,
        unregistered: 0,
        stale: 0,
        reset_keeps_bytes: 0,
        delay: 0,
        twice: 0,
        jump: 0,
        lost_edge: 0,
        lost_wake: 0,
    };

    /// Each kind never, rarely or often. Nothing is planted.
    pub fn any(rng: &mut Rng) -> Faults {
        let mut some = |often| [0, 4, often][rng.below(3)];
        Faults {
            again: some(100),
            short: some(150),
            interrupt: some(100),
            exhausted: some(40),
            descriptors: 0,
            aborted: some(80),
            unregistered: some(20),
            stale: some(200),
            reset_keeps_bytes: some(128),
            delay: some(60),
            twice: some(60),
            jump: 0,
            lost_edge: 0,
            lost_wake: 0,
        }
    }

    /// Each kind with its name, for whoever goes through them.
    pub fn kinds(&mut self) -> [(&'static str, &mut u8); 14] {
        [
            ("again", &mut self.again),
            ("short", &mut self.short),
            ("interrupt", &mut self.interrupt),
            ("exhausted", &mut self.exhausted),
            ("descriptors", &mut self.descriptors),
            ("aborted", &mut self.aborted),
            ("unregistered", &mut self.unregistered),
            ("stale", &mut self.stale),
            ("reset_keeps_bytes", &mut self.reset_keeps_bytes),
            ("delay", &mut self.delay),
            ("twice", &mut self.twice),
            ("jump", &mut self.jump),
            ("lost_edge", &mut self.lost_edge),
            ("lost_wake", &mut self.lost_wake),
        ]
    }
}
