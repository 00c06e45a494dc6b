//! Tables of descriptors: one for the whole process.
//!
//! On Linux a worker can have one of its own, which spares references and locks. macOS has no call
//! that gives a thread one, and FreeBSD's `rfork` only one that starts a process. So a seat is a
//! kernel that was made in the thread that starts the server, and whoever asks for more is told no.

use std::fmt;
use std::io;

use crate::kqueue::Kqueue;
use crate::queue::Queue;
use crate::socket::Listener;
use crate::watch::Waker;

/// Whether a thread can have a table of its own on this system.
pub const OWN_TABLES: bool = false;

/// The wakers of a group of workers.
pub struct Group<Q> {
    wakers: Vec<Waker<Q>>,
}

/// What one worker of a [`Group`] needs to listen, until it takes it, in its own thread.
pub struct Seat<Q> {
    kernel: Kqueue<Q>,
}

impl<Q: Queue> Group<Q> {
    /// A waker for each of the `listeners`, and their seats, in this order.
    ///
    /// # Errors
    /// If the system has no memory for it, or what `queue` says.
    pub fn over(
        listeners: Vec<Listener>,
        mut queue: impl FnMut() -> io::Result<Q>,
    ) -> io::Result<(Group<Q>, Vec<Seat<Q>>)> {
        let (mut wakers, mut seats) = (Vec::new(), Vec::new());
        for listener in listeners {
            let (kernel, waker) = Kqueue::over(queue()?, Some(listener))?;
            wakers.push(waker);
            seats.push(Seat { kernel });
        }
        Ok((Group { wakers }, seats))
    }

    /// What wakes the workers, in the order of their seats.
    pub fn wakers(&self) -> impl Iterator<Item = &Waker<Q>> {
        self.wakers.iter()
    }
}

impl<Q: Queue> Seat<Q> {
    /// Takes the listener and the waker. There is no table of its own, whatever `own` says.
    ///
    /// # Errors
    /// None.
    pub fn take(self, own: bool) -> io::Result<(Kqueue<Q>, bool)> {
        Ok((self.kernel, own && OWN_TABLES))
    }
}

impl<Q> fmt::Debug for Group<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("wakers", &self.wakers.len())
            .finish()
    }
}

impl<Q> fmt::Debug for Seat<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}
