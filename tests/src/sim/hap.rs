//! What happened in a run, counted: a fault that never comes shows nothing.

use super::seam::Seam;

const EVERYWHERE: &[Seam] = &Seam::ALL;
const READINESS: &[Seam] = &[Seam::Readiness, Seam::Kqueue];
const EPOLL: &[Seam] = &[Seam::Readiness];
const KQUEUE: &[Seam] = &[Seam::Kqueue];
const RING: &[Seam] = &[Seam::Ring];

/// One list, from which the kinds, all of them in a row, and where each can come are made.
macro_rules! haps {
    ($($(#[$doc:meta])* $name:ident: $seams:ident,)*) => {
        /// What may happen to a server.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Hap {
            $($(#[$doc])* $name,)*
        }

        impl Hap {
            /// All of them, in order.
            pub const ALL: [Hap; [$(Hap::$name),*].len()] = [$(Hap::$name),*];

            /// On which seams it can come.
            pub const fn seams(self) -> &'static [Seam] {
                match self {
                    $(Hap::$name => $seams,)*
                }
            }
        }
    };
}

haps! {
    /// A receive brought less than was there.
    ShortRead: EVERYWHERE,
    /// A send took less than was offered.
    ShortWrite: EVERYWHERE,
    /// A receive found nothing although there was something (EAGAIN).
    ReadAgain: EVERYWHERE,
    /// A send found no room although there was some.
    WriteAgain: EVERYWHERE,
    /// An accept found nobody although there was somebody.
    AcceptAgain: EVERYWHERE,
    /// A call was interrupted (EINTR).
    Interrupted: EVERYWHERE,
    /// A call met a reset.
    Reset: EVERYWHERE,
    /// The end of a client that goes on listening was read.
    HalfClosed: EVERYWHERE,
    /// Bytes were read behind which an end or a reset had come already.
    EndBehindData: EVERYWHERE,
    /// An event of a closed socket was reported, and its place was free.
    StaleEvent: EPOLL,
    /// An event of a closed socket was reported, and its place was another connection's.
    StaleEventAtReusedPlace: EPOLL,
    /// An accept found the process out of descriptors (EMFILE).
    ProcessFull: EVERYWHERE,
    /// An accept found the system out of descriptors (ENFILE).
    SystemFull: EVERYWHERE,
    /// An accept found no memory (ENOMEM).
    NoMemory: EVERYWHERE,
    /// An accept failed for a reason that has no name of its own.
    AcceptFailed: EVERYWHERE,
    /// An accept found a connection that was gone already (ECONNABORTED).
    AcceptAborted: EVERYWHERE,
    /// A socket could not be registered.
    Unregistered: READINESS,
    /// All slots of the worker were taken.
    SlotsExhausted: RING,
    /// The clock leapt ahead.
    ClockJumped: EVERYWHERE,
    /// An event was told later than it could have been.
    EventDelayed: READINESS,
    /// An event was told twice.
    EventTwice: READINESS,
    /// The worker was woken by another thread.
    Woken: EVERYWHERE,
    /// Two wake-ups became one.
    WakesCoalesced: EVERYWHERE,
    /// Completions came in another order than they were made.
    OutOfOrder: RING,
    /// What was called back had not begun.
    CancelInTime: RING,
    /// What was called back was done already.
    CancelTooLate: RING,
    /// A completion came for a connection that was closed.
    LateCompletion: RING,
    /// The accept for many ended early and had to be started again.
    AcceptEnded: RING,
    /// A connection was accepted for which there was no place yet.
    AcceptedTooMany: RING,
    /// A request was put off.
    Deferred: EVERYWHERE,
    /// The peer of a request that was put off went away.
    LostWhileDeferred: EVERYWHERE,
    /// A request that was put off came to its deadline.
    DeferredTooLong: EVERYWHERE,
    /// A change of what is registered was interrupted, and its receipt lost.
    ChangeInterrupted: KQUEUE,
    /// A direction could not be registered because the other end was gone already (EPIPE).
    DirectionRefused: KQUEUE,
    /// An end was told with bytes before it, in one record (EV_EOF).
    EndWithData: KQUEUE,
    /// An error of a socket was told (fflags).
    ErrorWithEnd: KQUEUE,
    /// Our own half-close was told as the end of the other direction.
    OwnEnd: KQUEUE,
    /// There was more to tell than the list of events had room for.
    ListTooShort: READINESS,
    /// Something was news, but no longer true when it would have been told.
    NoLongerTrue: KQUEUE,
    /// A close took an event along that was not told yet.
    EventGoneWithClose: KQUEUE,
    /// The number of a closed descriptor was given to the next connection.
    NumberReused: KQUEUE,
    /// A connection came through the ring of an acceptor.
    HandedOver: READINESS,
    /// The ring to the worker was full.
    RingFull: READINESS,
    /// A connection lay in the ring, or in the acceptor's hand, when the server stopped.
    StoppedOnTheWay: READINESS,
    /// A connection was refused because its address had enough of them.
    AddressFull: EVERYWHERE,
}

/// How often each kind happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Haps([u64; Hap::ALL.len()]);

impl Default for Haps {
    /// Nothing yet.
    fn default() -> Haps {
        Haps([0; Hap::ALL.len()])
    }
}

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

    /// It happened so many times.
    pub fn note_all(&mut self, times: u64, hap: Hap) {
        self.0[hap as usize] += times;
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Haps) {
        for (all, more) in self.0.iter_mut().zip(other.0) {
            *all += more;
        }
    }
}
