//! The right to serve a connection, where several threads wait at one queue.
//!
//! It cannot be given back twice:
//!
//! ```compile_fail,E0382
//! # use barewire_core::driver::Turn;
//! # fn again(_: Turn) {}
//! let turn = Turn::of(7);
//! again(turn);
//! again(turn);
//! ```
//!
//! And it cannot be copied, so there is one owner at a time:
//!
//! ```compile_fail,E0599
//! # use barewire_core::driver::Turn;
//! let turn = Turn::of(7);
//! let _second = turn.clone();
//! ```

/// A connection's turn: whoever holds it owns the connection until it gives the turn back.
///
/// A platform's `Shared` queue makes one when the system tells of a socket that was registered for
/// one event (`EPOLLONESHOT`, `EV_DISPATCH`), and takes it back to arm the socket again. One that is
/// dropped leaves its connection alone for ever: it has to be closed by whoever drops it.
#[must_use = "nobody hears of the connection until its turn is given back"]
#[derive(Debug, PartialEq, Eq)]
pub struct Turn(u64);

impl Turn {
    /// Of the connection that was registered under `word`. For platforms, and for tests.
    pub const fn of(word: u64) -> Turn {
        Turn(word)
    }

    /// The word that the connection was registered under.
    pub const fn word(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_keeps_its_word() {
        assert_eq!(Turn::of(u64::MAX).word(), u64::MAX);
        assert_ne!(Turn::of(1), Turn::of(2));
    }
}
