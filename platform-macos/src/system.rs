//! The system's own queue: the only file that knows `struct kevent`.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use rustix::io::Errno;

use crate::event::{Filter, Flags, Record, TRIGGER};
use crate::kqueue::{BATCH, Kqueue, Waker};
use crate::queue::Queue;
use crate::shared::Shared;
use crate::signal::Signals;
use crate::socket::Listener;
use crate::table::{Group, Seat};

/// A descriptor of a kernel event queue.
///
/// The descriptor comes from rustix, the call does not: rustix's event keeps `fflags` of a socket's
/// filter to itself, and that is where a reset is told.
pub struct System {
    queue: OwnedFd,
}

// The words of the driver are 64 bits wide, and travel in a pointer.
const _: () = assert!(size_of::<*mut libc::c_void>() == 8);
// Flags are handed through as they are.
const _: () = assert!(
    Flags::ADD.bits() == libc::EV_ADD as u16
        && Flags::DELETE.bits() == libc::EV_DELETE as u16
        && Flags::ENABLE.bits() == libc::EV_ENABLE as u16
        && Flags::DISABLE.bits() == libc::EV_DISABLE as u16
        && Flags::ONESHOT.bits() == libc::EV_ONESHOT as u16
        && Flags::CLEAR.bits() == libc::EV_CLEAR as u16
        && Flags::RECEIPT.bits() == libc::EV_RECEIPT as u16
        && Flags::DISPATCH.bits() == libc::EV_DISPATCH as u16
        && Flags::ERROR.bits() == libc::EV_ERROR as u16
        && Flags::EOF.bits() == libc::EV_EOF as u16
        && TRIGGER == libc::NOTE_TRIGGER
);

/// How many changes go with one call, at most: a socket has two, and nothing here has more.
const CHANGES_MAX: usize = 2;

impl System {
    /// A new queue. A child that is forked does not inherit it.
    ///
    /// # Errors
    /// If the system has no descriptors or no memory for it.
    pub fn new() -> io::Result<System> {
        let queue = rustix::event::kqueue::kqueue()?;
        rustix::io::fcntl_setfd(&queue, rustix::io::FdFlags::CLOEXEC)?;
        Ok(System { queue })
    }
}

impl Queue for System {
    fn exchange(
        &self,
        changes: &[Record],
        events: &mut [Record],
        wait: Option<Duration>,
    ) -> Result<usize, Errno> {
        let mut given = [MaybeUninit::uninit(); CHANGES_MAX];
        let Some(given) = given.get_mut(..changes.len()) else {
            return Err(Errno::INVAL);
        };
        for (into, change) in given.iter_mut().zip(changes) {
            into.write(to_system(change));
        }
        // 8 KiB of the stack on macOS, 16 on FreeBSD.
        let mut told = [MaybeUninit::<libc::kevent>::uninit(); BATCH];
        let room = events.len().min(BATCH);
        let wait = wait.map(|wait| libc::timespec {
            tv_sec: libc::time_t::try_from(wait.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        });
        // SAFETY: the queue is open, as it is owned; the changes are initialised by the loop above
        // and as many as is said; `told` has room for `room` records; the time is null or points
        // to a local that lives through the call. Descriptors in the changes may be anybody's: the
        // system only looks at them, and a closed one is refused.
        let count = unsafe {
            libc::kevent(
                self.queue.as_raw_fd(),
                given.as_ptr().cast(),
                given.len() as libc::c_int,
                told.as_mut_ptr().cast(),
                room as libc::c_int,
                wait.as_ref().map_or(ptr::null(), ptr::from_ref),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error().raw_os_error();
            return Err(Errno::from_raw_os_error(error.unwrap_or(libc::EINVAL)));
        };
        for (into, told) in events.iter_mut().zip(&told[..count.min(room)]) {
            // SAFETY: the call has said that it filled the first `count`.
            *into = from_system(unsafe { told.assume_init_ref() });
        }
        Ok(count.min(room))
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("System").field(&self.queue).finish()
    }
}

impl Kqueue<System> {
    /// Watches `listener` and a new waker.
    ///
    /// # Errors
    /// If the system has no descriptors or no memory for it.
    pub fn new(listener: Listener) -> io::Result<(Kqueue<System>, Waker<System>)> {
        Kqueue::over(System::new()?, Some(listener))
    }

    /// Watches a new waker, and listens to nobody: connections come from elsewhere.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn without_listener() -> io::Result<(Kqueue<System>, Waker<System>)> {
        Kqueue::over(System::new()?, None)
    }
}

impl Group<System> {
    /// A waker for each of the `listeners`, and their seats, in this order.
    ///
    /// # Errors
    /// If the system has no descriptors or no memory for it.
    pub fn new(listeners: Vec<Listener>) -> io::Result<(Group<System>, Vec<Seat<System>>)> {
        Group::over(listeners, System::new)
    }
}

impl Shared<System> {
    /// An empty queue.
    ///
    /// # Errors
    /// If the system has no descriptors or no memory for it.
    pub fn new() -> io::Result<Shared<System>> {
        System::new().map(Shared::over)
    }
}

impl Signals<System> {
    /// Blocks SIGTERM and SIGINT for the calling thread and all threads that it starts from now
    /// on, and ignores SIGPIPE for the process.
    ///
    /// Call it in the main thread before any other is started: a thread that does not block a
    /// signal is killed by it, and the process with it. Programs started with
    /// `std::process::Command` get an empty mask again.
    ///
    /// # Errors
    /// If the system has no descriptors or no memory for a queue.
    pub fn block() -> io::Result<Signals<System>> {
        Signals::block_with(System::new()?)
    }
}

fn to_system(record: &Record) -> libc::kevent {
    // SAFETY: all-zero is a valid record: integers, and a pointer that nobody follows. (FreeBSD's
    // has words at its end that are for other filters.)
    let mut change: libc::kevent = unsafe { std::mem::zeroed() };
    change.ident = record.ident;
    change.filter = match record.filter {
        Filter::Read => libc::EVFILT_READ,
        Filter::Write => libc::EVFILT_WRITE,
        Filter::User => libc::EVFILT_USER,
        Filter::Signal => libc::EVFILT_SIGNAL,
        Filter::Other(number) => number,
    };
    change.flags = record.flags.bits();
    change.fflags = record.fflags;
    change.data = record.data as _;
    change.udata = ptr::without_provenance_mut(record.udata as usize);
    change
}

fn from_system(event: &libc::kevent) -> Record {
    Record {
        ident: event.ident,
        filter: match event.filter {
            libc::EVFILT_READ => Filter::Read,
            libc::EVFILT_WRITE => Filter::Write,
            libc::EVFILT_USER => Filter::User,
            libc::EVFILT_SIGNAL => Filter::Signal,
            number => Filter::Other(number),
        },
        flags: Flags::from_bits(event.flags),
        fflags: event.fflags,
        data: event.data as i64,
        udata: event.udata.addr() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_went() {
        for filter in [
            Filter::Read,
            Filter::Write,
            Filter::User,
            Filter::Signal,
            Filter::Other(-99),
        ] {
            let record = Record {
                fflags: 7,
                data: -3,
                ..Record::change(5, filter, Flags::ADD | Flags::EOF, u64::MAX - 1)
            };
            assert_eq!(from_system(&to_system(&record)), record);
        }
    }

    #[test]
    fn a_change_of_nothing_is_an_error_in_the_list() {
        let queue = System::new().unwrap();
        let gone = Record::change(0, Filter::User, Flags::DELETE | Flags::RECEIPT, 0);
        let mut receipt = [Record::EMPTY];
        let wait = Some(Duration::ZERO);
        assert_eq!(queue.exchange(&[gone], &mut receipt, wait), Ok(1));
        assert!(receipt[0].flags.has(Flags::ERROR));
        assert_eq!(receipt[0].data, i64::from(libc::ENOENT));
    }
}
