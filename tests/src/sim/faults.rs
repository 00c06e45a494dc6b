//! What a kernel may do to its callers.

use super::rng::Rng;

/// How often the kernel does what it may do but mostly does not: each so many times of 256 calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A receive or send finds nothing although there was something; an edge follows.
    pub again: u8,
    /// A receive or send does less than it could; an edge follows, unless one has told the end.
    pub short: u8,
    /// A call is interrupted.
    pub interrupt: u8,
    /// An accept finds no descriptor; the connection stays in the backlog, no edge follows.
    pub exhausted: u8,
    /// An accept finds a connection that is gone already.
    pub aborted: u8,
    /// A registration fails.
    pub unregistered: u8,
    /// An event of a closed socket is reported once more.
    pub stale: u8,
    /// A reset leaves the bytes before it readable.
    pub reset_keeps_bytes: u8,
}

impl Faults {
    /// None at all: a kernel as in a text book.
    pub const NONE: Faults = Faults {
        again: 0,
        short: 0,
        interrupt: 0,
        exhausted: 0,
        aborted: 0,
        unregistered: 0,
        stale: 0,
        reset_keeps_bytes: 0,
    };

    /// Each kind never, rarely or often.
    pub fn any(rng: &mut Rng) -> Faults {
        let mut some = |often| [0, 4, often][rng.below(3)];
        Faults {
            again: some(100),
            short: some(150),
            interrupt: some(100),
            exhausted: some(40),
            aborted: some(80),
            unregistered: some(20),
            stale: some(200),
            reset_keeps_bytes: some(128),
        }
    }
}
