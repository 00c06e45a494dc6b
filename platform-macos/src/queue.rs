//! The seam: `kevent(2)`, and nothing above it.

use std::time::Duration;

use rustix::io::Errno;

use crate::event::Record;

/// A kernel event queue: changes in, events out.
///
/// The system's own is one implementation; the tests have one that follows a script, and one that
/// answers from another system's readiness. Any thread may use it, as the system allows it to.
pub trait Queue: Send + Sync {
    /// Applies all `changes`, then waits for events, at most `wait` (`None`: for ever; zero: not at
    /// all), writes them to `events` and says how many. With an empty `events` it never waits.
    ///
    /// A change that fails takes a place in `events` with [`ERROR`](crate::event::Flags::ERROR);
    /// with [`RECEIPT`](crate::event::Flags::RECEIPT) so does every change, and no event is taken
    /// out of the queue.
    ///
    /// # Errors
    /// `INTR` if a signal came first (all changes are applied then), the error of a change for
    /// which there was no place, or what makes the whole call impossible.
    fn exchange(
        &self,
        changes: &[Record],
        events: &mut [Record],
        wait: Option<Duration>,
    ) -> Result<usize, Errno>;
}
