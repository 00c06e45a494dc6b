//! One queue at which several threads wait.
//!
//! A socket is registered so that its filter is disabled when it has been told (`EV_DISPATCH`). The
//! system tells it to one of the threads, and nothing more of that socket to anybody until the
//! thread enables it again: the connection belongs to who holds its [`Turn`].
//!
//! It costs a system call for each event that [`Kqueue`](crate::kqueue::Kqueue) does not need, so
//! the server's workers, each of which keeps its connections, do without. It is for programs in
//! which any thread may serve any connection: handlers that block, or few connections with much
//! work each.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use barewire_core::driver::{Instant, Trouble, Turn};
use rustix::io::Errno;

use crate::event::{Filter, Flags, Record};
use crate::kqueue::ident;
use crate::queue::Queue;
use crate::unix::trouble::trouble;
use crate::watch::{WAIT_SECONDS, submit};

/// One event queue for all threads.
#[derive(Debug)]
pub struct Shared<Q> {
    queue: Q,
}

impl<Q: Queue> Shared<Q> {
    /// An empty queue.
    pub fn over(queue: Q) -> Shared<Q> {
        Shared { queue }
    }

    /// Watches `socket` for bytes, an end or a break, and tells one of them once, under `word`.
    /// What is there already counts.
    ///
    /// # Errors
    /// `Exhausted` or `Other`; it is not watched then.
    pub fn watch(&self, socket: &OwnedFd, word: u64) -> Result<(), Trouble> {
        self.arm(socket, word, ONCE)
    }

    /// Waits for the turn of any socket until `until` (`None`: for ever; a point in the past: not
    /// at all). `None` if none came, or if a signal came first, or after a day.
    ///
    /// # Errors
    /// Only if waiting has become impossible.
    pub fn next(&self, until: Option<Instant>) -> io::Result<Option<Turn>> {
        let wait = until.map(|until| {
            let left = Duration::from_nanos(until.nanos_since(crate::clock::now()));
            left.min(Duration::from_secs(WAIT_SECONDS))
        });
        // One: what another thread could serve meanwhile shall not wait here.
        let mut told = [Record::EMPTY];
        match self.queue.exchange(&[], &mut told, wait) {
            Ok(0) | Err(Errno::INTR) => Ok(None),
            Ok(_) => Ok((told[0].filter == Filter::Read).then(|| Turn::of(told[0].udata))),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a turn back: `socket`, which it is of, is told once more, to any thread. What was not
    /// read counts, so nothing can be missed. Whoever does not want that closes the socket instead.
    ///
    /// # Errors
    /// `Exhausted` or `Other`: nobody will hear of the socket any more, and it is to be closed.
    pub fn again(&self, socket: &OwnedFd, turn: Turn) -> Result<(), Trouble> {
        self.arm(socket, turn.word(), ONCE | Flags::ENABLE)
    }

    fn arm(&self, socket: &OwnedFd, word: u64, flags: Flags) -> Result<(), Trouble> {
        let change = Record::change(ident(socket), Filter::Read, flags, word);
        submit(&self.queue, &[change]).map_err(trouble)
    }
}

/// No edge (`CLEAR`): what is there when it is enabled again is told again.
const ONCE: Flags =
    Flags::from_bits(Flags::ADD.bits() | Flags::DISPATCH.bits() | Flags::RECEIPT.bits());
