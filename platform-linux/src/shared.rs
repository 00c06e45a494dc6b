//! One queue at which several threads wait.
//!
//! A socket is registered for one event (`EPOLLONESHOT`). The system tells it to one of the
//! threads, and nothing more of that socket to anybody until the thread arms it again: the
//! connection belongs to who holds its [`Turn`]. No thread is woken in vain, and no lock is held
//! while it serves.
//!
//! It costs a system call for each event that [`Epoll`](crate::Epoll) does not need, so the
//! server's workers, each of which keeps its connections, do without. It is for programs in which
//! any thread may serve any connection: handlers that block, or few connections with much work
//! each.

use std::io;
use std::os::fd::OwnedFd;

use barewire_core::driver::{Instant, Trouble, Turn};
use rustix::event::epoll;
use rustix::io::Errno;

use crate::epoll::{timespec, wait};
use crate::unix::trouble::trouble;

/// One epoll instance for all threads.
///
/// Progress: no call waits for another thread but [`next`](Self::next), which waits for an event.
#[derive(Debug)]
pub struct Shared {
    epoll: OwnedFd,
}

impl Shared {
    /// An empty queue.
    ///
    /// # Errors
    /// If the system has no descriptors or no memory for it.
    pub fn new() -> io::Result<Shared> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Shared { epoll })
    }

    /// Watches `socket` for bytes, an end or a break, and tells one of them once, under `word`.
    /// What is there already counts.
    ///
    /// # Errors
    /// `Exhausted` or `Other`; it is not watched then.
    pub fn watch(&self, socket: &OwnedFd, word: u64) -> Result<(), Trouble> {
        epoll::add(&self.epoll, socket, epoll::EventData::new_u64(word), ONCE).map_err(trouble)
    }

    /// Waits for the turn of any socket until `until` (`None`: for ever; a point in the past: not
    /// at all). `None` if none came, or if a signal came first.
    ///
    /// # Errors
    /// Only if waiting has become impossible.
    pub fn next(&self, until: Option<Instant>) -> io::Result<Option<Turn>> {
        let timeout = until.map(|until| timespec(until.nanos_since(crate::clock::now())));
        let mut event = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }];
        match wait(&self.epoll, &mut event, timeout.as_ref(), &mut false) {
            Ok(0) | Err(Errno::INTR) => Ok(None),
            Ok(_) => Ok(Some(Turn::of(event[0].data.u64()))),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a turn back: `socket`, which it is of, is told once more, to any thread. What was not
    /// read counts, so nothing can be missed. Whoever does not want that closes the socket instead.
    ///
    /// # Errors
    /// `Exhausted` or `Other`: nobody will hear of the socket any more, and it is to be closed.
    pub fn again(&self, socket: &OwnedFd, turn: Turn) -> Result<(), Trouble> {
        let data = epoll::EventData::new_u64(turn.word());
        epoll::modify(&self.epoll, socket, data, ONCE).map_err(trouble)
    }
}

const ONCE: epoll::EventFlags = epoll::EventFlags::IN
    .union(epoll::EventFlags::RDHUP)
    .union(epoll::EventFlags::ONESHOT);

#[cfg(test)]
mod tests {
    #[path = "contract.rs"]
    mod contract;

    type Platform = super::Shared;

    fn open() -> Platform {
        super::Shared::new().unwrap()
    }
}
