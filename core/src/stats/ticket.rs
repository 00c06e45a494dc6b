//! A snapshot or a reset that was asked for, and its answer.

use super::recorder::Recorder;
use super::shared::Stats;
use super::snapshot::Snapshot;

/// A snapshot or a reset under way. Plain data: it may wait anywhere, and may be dropped.
///
/// Polling never blocks. It makes progress for everybody: whoever polls may finish what another
/// one has begun and then left, so a ticket that is dropped stops nobody. A ticket belongs to the
/// statistics that gave it out; polled elsewhere it gives an answer about that other place.
#[derive(Debug)]
#[must_use = "nothing happens until the ticket is polled"]
pub struct Ticket {
    /// The phase when it was asked for. Its moment must come later than that phase began.
    pub(crate) asked_in: u64,
    pub(crate) work: Work,
}

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Snapshot,
    /// A reset; `ended` is the phase that this ticket ended with it, once it has.
    Reset {
        ended: Option<u64>,
    },
}

/// The answer to a [`Ticket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The state at one moment since the snapshot was asked for.
    State(Snapshot),
    /// Everything was set to zero at one moment since the reset was asked for.
    ///
    /// With what this reset removed: `None` if another reset came first and this one found nothing
    /// left to do, or if a later one was carried out before this ticket was polled again.
    Cleared(Option<Snapshot>),
}

impl Ticket {
    pub(crate) fn snapshot(asked_in: u64) -> Self {
        Self {
            asked_in,
            work: Work::Snapshot,
        }
    }

    pub(crate) fn reset(asked_in: u64) -> Self {
        Self {
            asked_in,
            work: Work::Reset { ended: None },
        }
    }

    /// Whether this is a reset.
    pub fn is_reset(&self) -> bool {
        self.work != Work::Snapshot
    }

    /// Looks whether the answer is there, and does what can be done for it now: a look at each
    /// worker at most twice. `None`: not yet, ask again; a worker has still to pass its
    /// [`turn`](Recorder::turn), or another thread is at this very work.
    ///
    /// For a worker, with its own recorder: the ticket waits for that one too, so it is moved on
    /// (and brought online).
    pub fn poll(&mut self, recorder: &mut Recorder<'_>) -> Option<Outcome> {
        let stats = recorder.stats;
        stats.poll(self, || recorder.turn())
    }

    /// The same for a thread that is no worker. A thread that holds a recorder would wait for
    /// itself here.
    pub fn poll_from_outside(&mut self, stats: &Stats<'_>) -> Option<Outcome> {
        stats.poll(self, || {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_knows_that_it_is_one_and_a_snapshot_that_it_is_none() {
        assert!(Ticket::reset(1).is_reset());
        assert!(!Ticket::snapshot(1).is_reset());
    }
}
