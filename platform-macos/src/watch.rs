//! What is registered with a [`Queue`], and what its records mean: everything between `kevent(2)`
//! and the driver that makes no call on a socket.
//!
//! [`Kqueue`](crate::kqueue::Kqueue) adds the sockets. The simulation of the tests has sockets of
//! its own, which are no descriptors, and puts the same `Watch` above a simulated queue.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use barewire_core::driver::{Event, LISTENER, Trouble, WAKER};
use rustix::io::Errno;

use crate::event::{Filter, Flags, Record, TRIGGER};
use crate::queue::Queue;
use crate::unix::trouble::trouble;

/// Events taken from the system with one call, at most. The rest comes with the next call, so the
/// number bounds the memory (10 KiB) and how long the first of them waits to be served.
pub const BATCH: usize = 256;

/// Seconds of the longest wait; then the worker looks up for nothing. A day, because the systems
/// refuse times that are too long for them (`EINVAL`), and none says how long that is.
pub(crate) const WAIT_SECONDS: u64 = 86_400;

/// Tries of a registration that signals interrupt. It never waits, so one is usual; more than a
/// few means a storm of signals, and the connection is refused.
const TRIES_MAX: u32 = 8;

/// Our only user event.
const WAKE_IDENT: usize = 0;

/// What one worker is told of by one queue.
pub struct Watch<Q> {
    queue: Arc<Q>,
    records: [Record; BATCH],
}

impl<Q: Queue> Watch<Q> {
    /// Watches a new waker, and nothing else yet.
    ///
    /// # Errors
    /// If the system has no memory for it.
    pub fn over(queue: Q) -> io::Result<(Watch<Q>, Waker<Q>)> {
        let queue = Arc::new(queue);
        let wake = Record::change(WAKE_IDENT, Filter::User, ADD_EDGE, WAKER);
        submit(&*queue, &[wake])?;
        let waker = Waker {
            queue: queue.clone(),
        };
        let watch = Watch {
            queue,
            records: [Record::EMPTY; BATCH],
        };
        Ok((watch, waker))
    }

    /// Watches the listening socket with this number; its edges are told as [`LISTENER`].
    ///
    /// # Errors
    /// If the system has no memory for it.
    pub fn listen(&self, ident: usize) -> io::Result<()> {
        submit(&*self.queue, &[edges(ident, Filter::Read, LISTENER)])?;
        Ok(())
    }

    /// Forgets the listening socket with this number, which is open still.
    pub fn forget_listener(&self, ident: usize) {
        let mut gone = edges(ident, Filter::Read, LISTENER);
        gone.flags = Flags::DELETE | Flags::RECEIPT;
        // Fails only if nothing is registered (`NOENT`), and then there is nothing to do.
        let _ = submit(&*self.queue, &[gone]);
    }

    /// Watches both directions of the socket with this number, once for its whole life. Whoever
    /// closes the number ends that: the system forgets what is registered for it.
    ///
    /// # Errors
    /// If the system has no memory for it, or too many signals came in between.
    pub fn register(&self, ident: usize, token: u64) -> Result<(), Trouble> {
        let changes = [
            edges(ident, Filter::Read, token),
            edges(ident, Filter::Write, token),
        ];
        submit(&*self.queue, &changes).map_err(trouble)
    }

    /// Waits for events, at most `left` (`None`: for ever) and never longer than a day, and writes
    /// them to `events`. 0: the time is over, or a signal came.
    ///
    /// # Errors
    /// What makes waiting impossible.
    pub fn poll(&mut self, events: &mut [Event], left: Option<Duration>) -> io::Result<usize> {
        let wait = left.map(|left| left.min(Duration::from_secs(WAIT_SECONDS)));
        let room = events.len().min(BATCH);
        let records = &mut self.records[..room];
        let told = match self.queue.exchange(&[], records, wait) {
            Ok(told) => told,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for event in self.records[..told.min(room)].iter().filter_map(translate) {
            events[count] = event;
            count += 1;
        }
        Ok(count)
    }
}

impl<Q> fmt::Debug for Watch<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// Wakes the worker of one [`Watch`] from any thread. Wake-ups that come before the worker looks
/// become one.
pub struct Waker<Q> {
    queue: Arc<Q>,
}

impl<Q: Queue> Waker<Q> {
    /// Makes the worker's current or next `poll` return with [`WAKER`]. Never blocks.
    pub fn wake(&self) {
        // A change overwrites the word, so it is told again.
        let trigger = Record {
            fflags: TRIGGER,
            ..Record::change(WAKE_IDENT, Filter::User, Flags::NONE, WAKER)
        };
        // Cannot fail, as it is registered; after an interruption it is applied nevertheless.
        let done = self
            .queue
            .exchange(&[trigger], &mut [], Some(Duration::ZERO));
        debug_assert!(matches!(done, Ok(0) | Err(Errno::INTR)), "{done:?}");
    }
}

impl<Q> Clone for Waker<Q> {
    fn clone(&self) -> Self {
        Waker {
            queue: self.queue.clone(),
        }
    }
}

impl<Q> fmt::Debug for Waker<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// Registered for edges, and answered with a receipt: a plain change with room for its answer
/// would take pending events out of the queue, and nobody would ever hear of them.
const ADD_EDGE: Flags =
    Flags::from_bits(Flags::ADD.bits() | Flags::CLEAR.bits() | Flags::RECEIPT.bits());

fn edges(ident: usize, filter: Filter, token: u64) -> Record {
    Record::change(ident, filter, ADD_EDGE, token)
}

/// Applies changes that ask for a receipt, two at most, and gives the first error among them.
pub(crate) fn submit<Q: Queue>(queue: &Q, changes: &[Record]) -> Result<(), Errno> {
    let mut receipts = [Record::EMPTY; 2];
    let room = changes.len().min(receipts.len());
    let receipts = &mut receipts[..room];
    let mut tries = 0;
    let count = loop {
        tries += 1;
        match queue.exchange(changes, receipts, Some(Duration::ZERO)) {
            // They are applied, but their receipts are lost; twice does no harm.
            Err(Errno::INTR) if tries < TRIES_MAX => {}
            result => break result?,
        }
    };
    for receipt in &receipts[..count.min(room)] {
        let error = i32::try_from(receipt.data).unwrap_or(i32::MAX);
        let failed = receipt.flags.has(Flags::ERROR) && error != 0;
        // A peer that is gone already cannot be written to. What it sent before can still be read,
        // and the other filter tells of it.
        let gone = receipt.filter == Filter::Write && error == Errno::PIPE.raw_os_error();
        if failed && !gone {
            return Err(Errno::from_raw_os_error(error));
        }
    }
    Ok(())
}

/// What a record means to the driver; `None` if nothing.
///
/// ```text
///  filter   flags, fflags     readable  writable  ended  broken
///  READ     -                    x                                  bytes, or connections
///  READ     EOF                  x                  x               bytes are read before the end
///  READ     EOF, an error        x         x        x       x       and before the error
///  WRITE    -                              x                        room
///  WRITE    EOF                            x                        our own end; or a send tells
///  WRITE    EOF, an error        x         x                x       both directions are over
///  USER                          x                                  a wake-up
///  any      ERROR                x         x                x       the next call tells
/// ```
pub(crate) fn translate(record: &Record) -> Option<Event> {
    let eof = record.flags.has(Flags::EOF);
    let error = record.flags.has(Flags::ERROR);
    let broken = error || eof && record.fflags != 0;
    let nothing = Event::default();
    let event = match record.filter {
        Filter::Read => Event {
            readable: true,
            writable: broken,
            ended: eof,
            ..nothing
        },
        // After our own `shutdown` the system says EOF here, and nothing is wrong.
        Filter::Write => Event {
            readable: broken,
            writable: true,
            ..nothing
        },
        Filter::User => Event {
            readable: true,
            ..nothing
        },
        Filter::Signal | Filter::Other(_) => return None,
    };
    Some(Event {
        token: record.udata,
        broken,
        ..event
    })
}
