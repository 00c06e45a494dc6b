//! What is asked for, and what comes back.

use super::amount::Sum;

/// The statistics at one moment: all fields are of the same set of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Events counted.
    pub total: u64,
    /// Different users among them.
    pub users: u64,
    /// Events refused; not among `total`.
    pub refused: u64,
    /// Sum of the amounts of the events counted.
    pub sum: Sum,
}

impl Snapshot {
    /// No events.
    pub const EMPTY: Self = Self {
        total: 0,
        users: 0,
        refused: 0,
        sum: Sum::ZERO,
    };

    /// Both together. Wraps, since parts may hold negative corrections; whole phases do not.
    #[cfg(target_has_atomic = "64")]
    #[must_use]
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            total: self.total.wrapping_add(other.total),
            users: self.users.wrapping_add(other.users),
            refused: self.refused.wrapping_add(other.refused),
            sum: self.sum.plus_sum(other.sum),
        }
    }
}

/// Why an event was not counted. Nothing of it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The user id has more than [`ID_BYTES_MAX`](super::ID_BYTES_MAX) bytes (422).
    IdTooLong,
    /// The user is new, and there is no room for another one (507).
    Full,
}
