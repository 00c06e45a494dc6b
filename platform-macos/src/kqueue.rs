//! [`Kernel`] over any [`Queue`]: what the records mean.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use barewire_core::driver::{Address, Event, Instant, Kernel, LISTENER, Trouble, WAKER};
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown, sockopt};

use crate::event::{Filter, Flags, Record, TRIGGER};
use crate::queue::Queue;
use crate::socket::{self, Listener, SEND, address_of};
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

/// One event queue with its listening socket: the eyes of one worker.
pub struct Kqueue<Q> {
    queue: Arc<Q>,
    /// `None` after `stop_listening`, or if there never was one.
    listener: Option<Listener>,
    records: [Record; BATCH],
}

/// Wakes the worker of one [`Kqueue`] from any thread. Wake-ups that come before the worker looks
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

impl<Q: Queue> Kqueue<Q> {
    /// Watches `listener`, if there is one, and a new waker. Without a listener connections come
    /// from elsewhere: whoever accepted them registers them here.
    ///
    /// # Errors
    /// If the system has no memory for it.
    pub fn over(queue: Q, listener: Option<Listener>) -> io::Result<(Kqueue<Q>, Waker<Q>)> {
        let queue = Arc::new(queue);
        let wake = Record::change(WAKE_IDENT, Filter::User, ADD_EDGE, WAKER);
        submit(&*queue, &[wake])?;
        if let Some(listener) = &listener {
            submit(&*queue, &[watch(listener.as_fd(), Filter::Read, LISTENER)])?;
        }
        let waker = Waker {
            queue: queue.clone(),
        };
        let kqueue = Kqueue {
            queue,
            listener,
            records: [Record::EMPTY; BATCH],
        };
        Ok((kqueue, waker))
    }
}

impl<Q: Queue> Kernel for Kqueue<Q> {
    type Socket = OwnedFd;
    type Error = io::Error;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> io::Result<usize> {
        let wait = until.map(|until| {
            let left = Duration::from_nanos(until.nanos_since(self.now()));
            left.min(Duration::from_secs(WAIT_SECONDS))
        });
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

    fn accept(&mut self) -> Result<(OwnedFd, Address), Trouble> {
        let listener = self.listener.as_ref().ok_or(Trouble::WouldBlock)?;
        socket::accept(listener)
    }

    fn register(&mut self, socket: &OwnedFd, token: u64) -> Result<(), Trouble> {
        let fd = socket.as_fd();
        let changes = [
            watch(fd, Filter::Read, token),
            watch(fd, Filter::Write, token),
        ];
        submit(&*self.queue, &changes).map_err(trouble)
    }

    fn recv(&mut self, socket: &OwnedFd, into: &mut [u8]) -> Result<usize, Trouble> {
        let (n, _) = rustix::net::recv(socket, into, RecvFlags::empty()).map_err(trouble)?;
        Ok(n)
    }

    fn send(&mut self, socket: &OwnedFd, from: &[u8]) -> Result<usize, Trouble> {
        rustix::net::send(socket, from, SEND).map_err(trouble)
    }

    fn shutdown(&mut self, socket: &OwnedFd) {
        // Fails only if the connection is gone, which the next event tells.
        let _ = rustix::net::shutdown(socket, Shutdown::Write);
    }

    fn close(&mut self, socket: OwnedFd, abort: bool) {
        if abort {
            // Lingering for no time at all: pending bytes are dropped and a reset is sent.
            let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
        }
        // The last descriptor of the socket: what is registered for it ends with it.
        drop(socket);
    }

    /// Connections that the system completed but nobody accepted are reset: accept until
    /// `WouldBlock` first.
    fn stop_listening(&mut self) {
        if let Some(listener) = self.listener.take() {
            // A listener that was handed down may be open in another process too, and the manuals
            // differ in whether closing it here would take its registration along.
            let mut gone = watch(listener.as_fd(), Filter::Read, LISTENER);
            gone.flags = Flags::DELETE | Flags::RECEIPT;
            // Fails only if nothing is registered (`NOENT`), and then there is nothing to do.
            let _ = submit(&*self.queue, &[gone]);
        }
    }

    fn local(&self, socket: &OwnedFd) -> Option<Address> {
        address_of(socket).map(Address::new)
    }

    fn now(&self) -> Instant {
        crate::clock::now()
    }
}

impl<Q> fmt::Debug for Kqueue<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kqueue")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// Registered for edges, and answered with a receipt: a plain change with room for its answer
/// would take pending events out of the queue, and nobody would ever hear of them.
const ADD_EDGE: Flags =
    Flags::from_bits(Flags::ADD.bits() | Flags::CLEAR.bits() | Flags::RECEIPT.bits());

fn watch(fd: BorrowedFd<'_>, filter: Filter, token: u64) -> Record {
    change(fd, filter, ADD_EDGE, token)
}

pub(crate) fn change(fd: BorrowedFd<'_>, filter: Filter, flags: Flags, token: u64) -> Record {
    // A descriptor is never negative.
    let ident = usize::try_from(fd.as_raw_fd()).unwrap_or(usize::MAX);
    Record::change(ident, filter, flags, token)
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
fn translate(record: &Record) -> Option<Event> {
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

#[cfg(test)]
mod tests;
