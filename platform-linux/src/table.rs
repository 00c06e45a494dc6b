//! Tables of descriptors: one for the whole process, or one for each worker alone.
//!
//! In a table that several threads use, each system call with a descriptor takes a reference to the
//! open file and gives it back, two atomic changes of a line; each accept and each close takes the
//! lock of the table; and a table that grows waits for all processors. A table of one thread does
//! without (`__fdget` and `expand_files` of the kernel look at the count of its users).
//!
//! The trap: a copied table holds a copy of everything. A listener whose copy stays open in the
//! table of another worker would still be in its group after its own worker has closed it, and get
//! connections that nobody accepts. So a worker *takes a seat*: it copies the table, duplicates its
//! own listener, and closes the copies of all that were bound for the group; who bound them closes
//! his own when the last worker has its seat.
//!
//! ```text
//! who starts          bind ------------ seats ---------------------------- drop(group)
//! each worker                            \-- copy the table, dup(own listener), close the copies
//! ```
//!
//! What else is open at that moment stays open in the copies until their threads end.
//! `/proc/PID/fd` shows the table of the main thread alone; others are in `/proc/PID/task/TID/fd`.

use std::fmt;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Arc, Weak};

use rustix::thread::{Pid, gettid};

use crate::epoll::{Epoll, Waker};
use crate::socket::Listener;

/// Whether a thread can have a table of its own on this system, if it is new enough (Linux 5.9) and
/// nobody forbids it.
pub const OWN_TABLES: bool = true;

/// The listeners and wakers of a group of workers, in the table of the thread that starts them. It
/// must not be dropped before each worker has its seat, and stays in its thread: while it lives,
/// the table has a user who is not the worker.
pub struct Group {
    held: Arc<Held>,
    /// Not `Send`.
    here: PhantomData<*const ()>,
}

struct Held {
    places: Vec<(Listener, Waker)>,
    /// The thread of the group.
    by: Pid,
}

/// What one worker of a [`Group`] needs to listen, until it takes it, in its own thread.
pub struct Seat {
    held: Weak<Held>,
    number: usize,
}

impl Group {
    /// A waker for each of the `listeners`, and their seats, in this order.
    ///
    /// # Errors
    /// If the system has no descriptors for the wakers.
    pub fn new(listeners: Vec<Listener>) -> io::Result<(Group, Vec<Seat>)> {
        let places = listeners
            .into_iter()
            .map(|listener| Ok((listener, Waker::new()?)))
            .collect::<io::Result<Vec<_>>>()?;
        let count = places.len();
        let held = Arc::new(Held {
            places,
            by: gettid(),
        });
        let seat = |number| Seat {
            held: Arc::downgrade(&held),
            number,
        };
        let seats = (0..count).map(seat).collect();
        let here = PhantomData;
        Ok((Group { held, here }, seats))
    }

    /// What wakes the workers, in the order of their seats. They work in the thread of the group,
    /// in all that share its table, and in the workers themselves.
    pub fn wakers(&self) -> impl Iterator<Item = &Waker> {
        self.held.places.iter().map(|(_, waker)| waker)
    }
}

impl Seat {
    /// Takes the listener and the waker into the calling thread. With `own` that thread gets a
    /// table of its own first, if the system lets it (and has `/proc` to see it by); says whether
    /// it has one now.
    ///
    /// A thread that uses a table of its own knows no descriptor that another thread makes from now
    /// on, nor another thread one of its own: a number that comes over from there is some other
    /// file here, or none. So nothing that holds a descriptor may go from one to the other. What
    /// was open before is open in both, each with its own copy to close.
    ///
    /// For threads that share their table with that of the [`Group`], while it lives: in the thread
    /// of the group itself there is no table of its own. If one thread has to go without, those
    /// that come after it should too: a table that is copied later holds its connections as well.
    ///
    /// # Errors
    /// `NotConnected` if the group was dropped; otherwise as [`Epoll::new`].
    pub fn take(self, own: bool) -> io::Result<(Epoll, bool)> {
        let held = self.held.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        let (listener, waker) = held
            .places
            .get(self.number)
            .ok_or(io::ErrorKind::NotConnected)?;
        // Not tried where it could not be seen afterwards.
        let has_left =
            own && held.by != gettid() && held.is_there(listener).unwrap_or(false) && leave_table();
        let (listener, waker) = (listener.duplicate()?, waker.duplicate()?);
        // Some say yes and do nothing: valgrind.
        let is_own = has_left && !held.is_there(&listener)?;
        let numbers = held.places.iter().map(|(one, _)| one.as_fd().as_raw_fd());
        let strays: Vec<RawFd> = numbers.collect();
        // Before they are closed: if the group was dropped meanwhile, this closes them, and no
        // descriptor is made in between that could get one of their numbers.
        drop(held);
        if is_own {
            strays.into_iter().for_each(close_copy);
        }
        Ok((Epoll::with(Some(listener), waker)?, is_own))
    }
}

impl Held {
    /// Whether the thread of the group has this listener of the calling thread too, under the same
    /// number.
    fn is_there(&self, listener: &Listener) -> io::Result<bool> {
        let number = listener.as_fd().as_raw_fd();
        let here = fs::read_link(format!("/proc/thread-self/fd/{number}"))?;
        let there = format!("/proc/self/task/{}/fd/{number}", self.by.as_raw_nonzero());
        match fs::read_link(there) {
            Ok(there) => Ok(there == here),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Gives the calling thread a copy of the table for itself. Says whether the system says so; if
/// not, all is as before: it is older than Linux 5.9 (ENOSYS), a sandbox forbids it, no memory.
///
/// By `close_range` over a range without descriptors, as sandboxes that know it let it pass;
/// `unshare` is among the calls that they forbid first. (Musl has no wrapper of it.)
fn leave_table() -> bool {
    let (none, flags) = (libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE);
    // SAFETY: takes numbers alone. No descriptor has this number, so none is closed; and what the
    // thread has open is open under the same number in the copy.
    let failed = unsafe { libc::syscall(libc::SYS_close_range, none, none, flags) };
    failed == 0
}

/// Closes the calling thread's copy of a descriptor that is owned in another table.
fn close_copy(number: RawFd) {
    // SAFETY: only `Seat::take` calls it, after it has seen that this thread's table is not that of
    // the group's thread, and was before. So the number is one of a private copy, where nobody owns
    // it: its owner is the group, which cannot leave its thread, in the other table; and all that
    // was made here since has another number. If it fails there is no such descriptor: the group
    // was dropped meanwhile, and the last hold on it was this thread's.
    unsafe { libc::close(number) };
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("places", &self.held.places.len())
            .finish()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seat").field(&self.number).finish()
    }
}
