//! What happened in a run, counted: a fault that never comes shows nothing.

/// What may happen to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hap {
    /// A receive brought less than was there.
    ShortRead,
    /// A send took less than was offered.
    ShortWrite,
    /// A receive found nothing although there was something (EAGAIN).
    ReadAgain,
    /// A send found no room although there was some.
    WriteAgain,
    /// An accept found nobody although there was somebody.
    AcceptAgain,
    /// A call was interrupted (EINTR).
    Interrupted,
    /// A call met a reset.
    Reset,
    /// The end of a client that goes on listening was read.
    HalfClosed,
    /// Bytes were read behind which an end or a reset had come already.
    EndBehindData,
    /// An event of a closed socket was reported, and its place was free.
    StaleEvent,
    /// An event of a closed socket was reported, and its place was another connection's.
    StaleEventAtReusedPlace,
    /// An accept found the process out of descriptors (EMFILE).
    ProcessFull,
    /// An accept found the system out of descriptors (ENFILE).
    SystemFull,
    /// An accept found no memory (ENOMEM).
    NoMemory,
    /// An accept failed for a reason that has no name of its own.
    AcceptFailed,
    /// An accept found a connection that was gone already (ECONNABORTED).
    AcceptAborted,
    /// A socket could not be registered.
    Unregistered,
    /// All slots of the worker were taken.
    SlotsExhausted,
    /// The clock leapt ahead.
    ClockJumped,
    /// An event was told later than it could have been.
    EventDelayed,
    /// An event was told twice.
    EventTwice,
    /// The worker was woken by another thread.
    Woken,
    /// Two wake-ups became one.
    WakesCoalesced,
    /// Completions came in another order than they were made.
    OutOfOrder,
    /// What was called back had not begun.
    CancelInTime,
    /// What was called back was done already.
    CancelTooLate,
    /// A completion came for a connection that was closed.
    LateCompletion,
    /// The accept for many ended early and had to be started again.
    AcceptEnded,
    /// A connection was accepted for which there was no place yet.
    AcceptedTooMany,
    /// A request was put off.
    Deferred,
    /// The peer of a request that was put off went away.
    LostWhileDeferred,
    /// A request that was put off came to its deadline.
    DeferredTooLong,
}

impl Hap {
    /// All of them, in order.
    pub const ALL: [Hap; 32] = {
        use Hap::*;
        [
            ShortRead,
            ShortWrite,
            ReadAgain,
            WriteAgain,
            AcceptAgain,
            Interrupted,
            Reset,
            HalfClosed,
            EndBehindData,
            StaleEvent,
            StaleEventAtReusedPlace,
            ProcessFull,
            SystemFull,
            NoMemory,
            AcceptFailed,
            AcceptAborted,
            Unregistered,
            SlotsExhausted,
            ClockJumped,
            EventDelayed,
            EventTwice,
            Woken,
            WakesCoalesced,
            OutOfOrder,
            CancelInTime,
            CancelTooLate,
            LateCompletion,
            AcceptEnded,
            AcceptedTooMany,
            Deferred,
            LostWhileDeferred,
            DeferredTooLong,
        ]
    };
}

// A kind that is missing above would be counted and never asked for.
const _: () = assert!(Hap::DeferredTooLong as usize + 1 == Hap::ALL.len());

/// How often each kind happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Haps([u64; Hap::ALL.len()]);

impl Haps {
    /// How often it happened.
    pub fn count(&self, hap: Hap) -> u64 {
        self.0[hap as usize]
    }

    /// It happened.
    pub fn note(&mut self, hap: Hap) {
        self.0[hap as usize] += 1;
    }

    /// It happened, if so.
    pub fn note_if(&mut self, so: bool, hap: Hap) {
        self.0[hap as usize] += u64::from(so);
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Haps) {
        for (all, more) in self.0.iter_mut().zip(other.0) {
            *all += more;
        }
    }
}

impl std::fmt::Display for Haps {
    /// One line for each kind.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for hap in Hap::ALL {
            writeln!(f, "{:>12} {hap:?}", self.count(hap))?;
        }
        Ok(())
    }
}
