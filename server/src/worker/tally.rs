//! What a worker counts.

/// What a worker has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that were refused because there were too many, in all or of their address.
    pub refused: u64,
    /// Connections that were slow while slots were scarce, and gave theirs back.
    pub gave_way: u64,
    /// Requests lent to the application, in whole or by their head.
    pub requests: u64,
    /// Connections that ended with a fault of any kind.
    pub faults: u64,
    /// Calls to the application that panicked.
    pub panics: u64,
}

impl Tally {
    /// Adds another worker's.
    pub fn add(&mut self, other: &Tally) {
        self.connections += other.connections;
        self.refused += other.refused;
        self.gave_way += other.gave_way;
        self.requests += other.requests;
        self.faults += other.faults;
        self.panics += other.panics;
    }
}
