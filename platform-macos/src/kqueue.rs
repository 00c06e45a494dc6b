//! [`Kernel`] over any [`Queue`]: [`Watch`] and the calls on sockets.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use barewire_core::driver::{Address, Event, Instant, Kernel, Trouble};
use rustix::net::{RecvFlags, Shutdown, sockopt};

use crate::queue::Queue;
use crate::socket::{self, Listener, SEND, address_of};
use crate::unix::trouble::trouble;
use crate::watch::Watch;
pub use crate::watch::{BATCH, Waker};

/// One event queue with its listening socket: the eyes of one worker.
pub struct Kqueue<Q> {
    watch: Watch<Q>,
    /// `None` after `stop_listening`, or if there never was one.
    listener: Option<Listener>,
}

impl<Q: Queue> Kqueue<Q> {
    /// Watches `listener`, if there is one, and a new waker. Without a listener connections come
    /// from elsewhere: whoever accepted them registers them here.
    ///
    /// # Errors
    /// If the system has no memory for it.
    pub fn over(queue: Q, listener: Option<Listener>) -> io::Result<(Kqueue<Q>, Waker<Q>)> {
        let (watch, waker) = Watch::over(queue)?;
        if let Some(listener) = &listener {
            watch.listen(ident(listener))?;
        }
        Ok((Kqueue { watch, listener }, waker))
    }
}

impl<Q: Queue> Kernel for Kqueue<Q> {
    type Socket = OwnedFd;
    type Error = io::Error;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> io::Result<usize> {
        let left = until.map(|until| Duration::from_nanos(until.nanos_since(self.now())));
        self.watch.poll(events, left)
    }

    fn accept(&mut self) -> Result<(OwnedFd, Address), Trouble> {
        let listener = self.listener.as_ref().ok_or(Trouble::WouldBlock)?;
        socket::accept(listener)
    }

    fn register(&mut self, socket: &OwnedFd, token: u64) -> Result<(), Trouble> {
        self.watch.register(ident(socket), token)
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
            self.watch.forget_listener(ident(&listener));
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

/// What the system's records call it.
pub(crate) fn ident(fd: impl AsFd) -> usize {
    // A descriptor is never negative.
    usize::try_from(fd.as_fd().as_raw_fd()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
