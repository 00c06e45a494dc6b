//! [`Kernel`] over epoll.

use std::fmt;
use std::io;
use std::mem::offset_of;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use barewire_core::driver::{Address, Event, Instant, Kernel, LISTENER, Trouble, WAKER};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketFlags, sockopt};

use crate::socket::{Listener, address_of};
use crate::unix::trouble::{accept_trouble, trouble};

/// Events taken from the system with one call, at most. The rest comes with the next call, so the
/// number bounds the memory (3 KiB) and how long the first of them waits to be served.
pub const BATCH: usize = 256;

/// One epoll instance with its listening socket: the eyes of one worker.
pub struct Epoll {
    epoll: OwnedFd,
    /// `None` after `stop_listening`, or if there never was one.
    listener: Option<Listener>,
    wake: Arc<OwnedFd>,
    events: [epoll::Event; BATCH],
    /// The system does not know `epoll_pwait2`: it is older than Linux 5.11 (ENOSYS), or a sandbox
    /// that is, and forbids what it does not know (EPERM, which is no error of the call itself).
    in_millis: bool,
}

// SAFETY: only the events' data is not `Send`, because the system's word for the user may be a
// pointer. Here it never is: `Epoll::with` and `register` put integers there, and nobody else can.
unsafe impl Send for Epoll {}

/// Wakes the worker of one [`Epoll`] from any thread. Wake-ups that come before the worker looks
/// become one.
///
/// Progress: one system call that never waits for the worker, not even for one that is stopped.
#[derive(Clone, Debug)]
pub struct Waker {
    wake: Arc<OwnedFd>,
}

impl Waker {
    /// Wakes nobody yet.
    pub(crate) fn new() -> io::Result<Waker> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Waker::of(wake))
    }

    /// The same with a descriptor of its own, in the table of the calling thread.
    pub(crate) fn duplicate(&self) -> io::Result<Waker> {
        self.wake.try_clone().map(Waker::of)
    }

    fn of(wake: OwnedFd) -> Waker {
        let wake = Arc::new(wake);
        Waker { wake }
    }

    /// Makes the worker's current or next `poll` return with [`WAKER`]. Never blocks.
    pub fn wake(&self) {
        // The only way to fail is a full counter (EAGAIN): then a wake-up is pending anyway.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl Epoll {
    /// Watches `listener` and a new waker.
    ///
    /// # Errors
    /// If the system has no descriptors or no memory for it.
    pub fn new(listener: Listener) -> io::Result<(Epoll, Waker)> {
        Epoll::watch(Some(listener))
    }

    /// Watches a new waker, and listens to nobody: connections come from elsewhere.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn without_listener() -> io::Result<(Epoll, Waker)> {
        Epoll::watch(None)
    }

    fn watch(listener: Option<Listener>) -> io::Result<(Epoll, Waker)> {
        let waker = Waker::new()?;
        Ok((Epoll::with(listener, waker.clone())?, waker))
    }

    /// Watches `listener`, if there is one, and `waker`.
    pub(crate) fn with(listener: Option<Listener>, waker: Waker) -> io::Result<Epoll> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let Waker { wake } = waker;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        if let Some(listener) = &listener {
            let data = epoll::EventData::new_u64(LISTENER);
            epoll::add(&epoll, listener, data, flags)?;
        }
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKER), flags)?;
        let nothing = epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        };
        Ok(Epoll {
            epoll,
            listener,
            wake,
            events: [nothing; BATCH],
            in_millis: false,
        })
    }
}

/// Waits at an epoll instance. `in_millis` as in [`Epoll`]; set if it is found out now.
pub(crate) fn wait(
    epoll: &OwnedFd,
    events: &mut [epoll::Event],
    timeout: Option<&Timespec>,
    in_millis: &mut bool,
) -> Result<usize, Errno> {
    if !*in_millis {
        match epoll::wait(epoll, &mut *events, timeout) {
            Err(Errno::NOSYS | Errno::PERM) => *in_millis = true,
            outcome => return outcome,
        }
    }
    let millis = timeout.map_or(-1, millis);
    let (fd, count) = (epoll.as_raw_fd(), events.len() as libc::c_int);
    let first = events.as_mut_ptr().cast::<libc::epoll_event>();
    // SAFETY: `events` is borrowed alone for the call, which writes at most `count` of them;
    // rustix lays its event out as the system's `epoll_event` (asserted below).
    let n = unsafe { libc::epoll_wait(fd, first, count, millis) };
    usize::try_from(n)
        .map_err(|_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
}

pub(crate) fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: (nanos / 1_000_000_000) as _,
        tv_nsec: (nanos % 1_000_000_000) as _,
    }
}

const _: () = assert!(size_of::<epoll::Event>() == size_of::<libc::epoll_event>());
const _: () = assert!(align_of::<epoll::Event>() == align_of::<libc::epoll_event>());
const _: () = assert!(offset_of!(epoll::Event, flags) == offset_of!(libc::epoll_event, events));
const _: () = assert!(offset_of!(epoll::Event, data) == offset_of!(libc::epoll_event, u64));

/// Rounded up: a wait that ends early would be repeated with nothing left to wait for.
fn millis(timeout: &Timespec) -> libc::c_int {
    let millis = timeout.tv_sec.saturating_mul(1000);
    let millis = millis.saturating_add(((timeout.tv_nsec + 999_999) / 1_000_000) as _);
    libc::c_int::try_from(millis).unwrap_or(libc::c_int::MAX)
}

impl Kernel for Epoll {
    type Socket = OwnedFd;
    type Error = io::Error;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> io::Result<usize> {
        let timeout = until.map(|until| timespec(until.nanos_since(self.now())));
        let room = events.len().min(BATCH);
        let (timeout, seen) = (timeout.as_ref(), &mut self.events[..room]);
        let n = match wait(&self.epoll, seen, timeout, &mut self.in_millis) {
            Ok(n) => n,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for (event, seen) in events.iter_mut().zip(&self.events[..n]) {
            *event = translate(seen.data.u64(), seen.flags);
            if event.token == WAKER {
                // Before it is told, so that no wake-up is lost: one that comes after this read
                // makes a new edge. (Undrained it would too, until the counter is full.)
                let _ = rustix::io::read(&self.wake, &mut [0; 8]);
            }
        }
        Ok(n)
    }

    fn accept(&mut self) -> Result<(OwnedFd, Address), Trouble> {
        let listener = self.listener.as_ref().ok_or(Trouble::WouldBlock)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (socket, from) =
            rustix::net::acceptfrom_with(listener, flags).map_err(accept_trouble)?;
        // Nagle's algorithm is off: inherited from the listener.
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        Ok((socket, from.map(Address::new).unwrap_or_default()))
    }

    fn register(&mut self, socket: &OwnedFd, token: u64) -> Result<(), Trouble> {
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), flags).map_err(trouble)
    }

    #[inline]
    fn recv(&mut self, socket: &OwnedFd, into: &mut [u8]) -> Result<usize, Trouble> {
        let (n, _) = rustix::net::recv(socket, into, RecvFlags::empty()).map_err(trouble)?;
        Ok(n)
    }

    #[inline]
    fn send(&mut self, socket: &OwnedFd, from: &[u8]) -> Result<usize, Trouble> {
        rustix::net::send(socket, from, SendFlags::NOSIGNAL).map_err(trouble)
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
        // The last descriptor of the socket: its registration ends with it.
        drop(socket);
    }

    /// Connections that the system completed but nobody accepted are reset: accept until
    /// `WouldBlock` first.
    fn stop_listening(&mut self) {
        if let Some(listener) = self.listener.take() {
            // A listener that was handed down may be open in another process too, and closing it
            // here would leave its registration behind.
            let _ = epoll::delete(&self.epoll, &listener);
        }
    }

    fn local(&self, socket: &OwnedFd) -> Option<Address> {
        address_of(socket).map(Address::new)
    }

    fn now(&self) -> Instant {
        crate::clock::now()
    }
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoll")
            .field("epoll", &self.epoll)
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// After an end or a break the next read tells, so both are readable; a break also frees who
/// waits to send.
fn translate(token: u64, flags: epoll::EventFlags) -> Event {
    use epoll::EventFlags as F;
    let broken = flags.intersects(F::HUP | F::ERR);
    Event {
        token,
        readable: broken || flags.intersects(F::IN | F::RDHUP),
        writable: broken || flags.contains(F::OUT),
        ended: flags.contains(F::RDHUP),
        broken,
    }
}

#[cfg(test)]
mod tests;
