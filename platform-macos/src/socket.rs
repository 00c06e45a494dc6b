//! Listening sockets, and the connections that come out of them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use barewire_core::driver::{Address, Trouble};
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SendFlags, SocketType};

use crate::unix::trouble::accept_trouble;

/// Connections that may wait to be accepted. The system cuts it to `kern.ipc.somaxconn`, which is
/// 128 unless somebody has raised it; asking for more costs nothing.
pub const BACKLOG: i32 = 4096;

/// Whether several listeners on one port get their share of the connections each. macOS gives all
/// of them to one; FreeBSD spreads them with an option of its own (`SO_REUSEPORT_LB`).
pub const SPREADS: bool = cfg!(any(target_os = "freebsd", target_os = "linux"));

/// Bytes that the system takes for a connection before the network does: some fillings of the send
/// buffer, so that a fast peer never waits for this process. Without a bound it takes some 2.5 MB
/// for each peer that does not read, out of memory that is not counted as the server's.
#[cfg(not(target_os = "freebsd"))]
const UNSENT_BYTES_MAX: libc::c_int = 1 << 16;

/// A send raises no SIGPIPE. macOS has no such flag but an option of the socket (`set_up`).
#[cfg(not(target_vendor = "apple"))]
pub(crate) const SEND: SendFlags = SendFlags::NOSIGNAL;
/// A send raises no SIGPIPE: an option of the socket sees to it (`set_up`).
#[cfg(target_vendor = "apple")]
pub(crate) const SEND: SendFlags = SendFlags::empty();

/// A listening TCP socket: non-blocking and close-on-exec.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
}

impl Listener {
    /// Binds `addr` (port 0: the system chooses one) and listens. `[::]` takes IPv4 too.
    ///
    /// `share`: such a socket joins all others of the same user on the port that share it too;
    /// [`bind_group`] makes sure that these are its own.
    ///
    /// # Errors
    /// `AddrInUse` if another socket listens on the port (unless both share it),
    /// `AddrNotAvailable`, `PermissionDenied` (ports below 1024), and whatever else the system
    /// says.
    pub fn bind(addr: SocketAddr, backlog: i32, share: bool) -> io::Result<Listener> {
        let family = match addr {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let fd = rustix::net::socket(family, SocketType::STREAM, None)?;
        keep_to_ourselves(&fd)?;
        // Connections of a former process, up to TIME_WAIT, do not hinder a restart.
        sockopt::set_socket_reuseaddr(&fd, true)?;
        if share {
            share_port(&fd)?;
        }
        if addr.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) {
            // Whatever the system's default is; FreeBSD's is to take IPv6 alone.
            sockopt::set_ipv6_v6only(&fd, false)?;
        }
        set_up(&fd)?;
        rustix::net::bind(&fd, &addr)?;
        rustix::net::listen(&fd, backlog)?;
        Ok(Listener { fd })
    }

    /// Takes over a socket that somebody else made and handed down (a service manager), and gives
    /// it the properties above.
    ///
    /// # Errors
    /// `InvalidInput` if it is no listening TCP socket. (macOS does not say whether a socket
    /// listens; there the first `accept` fails.)
    pub fn from_fd(fd: OwnedFd) -> io::Result<Listener> {
        if address_of(&fd).is_none() || !listens(&fd)? {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        keep_to_ourselves(&fd)?;
        set_up(&fd)?;
        Ok(Listener { fd })
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// None in practice.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        address_of(&self.fd).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Binds `count` listeners to one port (0: the system chooses it); the system spreads new
/// connections over them. A port on which anybody listens already is refused, although sharing
/// it would succeed without a word if the other one shares it too.
///
/// How: a first listener claims the port without sharing, which succeeds only if nobody listens
/// there. For a group of one that is all. For more it is closed again, as FreeBSD decides when a
/// socket is bound who belongs to a group; so unlike on Linux there is a moment in which another
/// program can take the port or join.
///
/// A program that listens on the unspecified address does not keep one out that listens on
/// `127.0.0.1`, and the other way round: with SO_REUSEADDR these systems count them as two.
///
/// # Errors
/// As for [`Listener::bind`]; `InvalidInput` for a count of 0, `Unsupported` for more than 1 where
/// the system does not spread connections ([`SPREADS`]).
pub fn bind_group(addr: SocketAddr, backlog: i32, count: usize) -> io::Result<Vec<Listener>> {
    if count == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if count > 1 && !SPREADS {
        let why = "this system gives all connections of a port to one of its listeners";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let first = Listener::bind(addr, backlog, false)?;
    if count == 1 {
        return Ok(vec![first]);
    }
    let addr = first.local_addr()?;
    drop(first);
    (0..count)
        .map(|_| Listener::bind(addr, backlog, true))
        .collect()
}

/// Takes the next connection, and gives it all that a connection has: non-blocking, close-on-exec,
/// without Nagle's algorithm, without SIGPIPE, with a bound on what is unsent.
///
/// macOS has no `accept4`: until the second call is done a child that another thread starts in
/// this moment inherits the descriptor. What the listener passes on to its connections is not
/// the same everywhere, so nothing is left to that.
pub(crate) fn accept(listener: &Listener) -> Result<(OwnedFd, Address), Trouble> {
    let (socket, from) = rustix::net::acceptfrom(listener).map_err(accept_trouble)?;
    keep_to_ourselves(&socket).map_err(option_trouble)?;
    set_up(&socket).map_err(option_trouble)?;
    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
    Ok((socket, from.map(Address::new).unwrap_or_default()))
}

/// What went wrong with an option of a connection that was accepted just now. macOS hands out
/// connections whose peer is gone already, and refuses every option of them (`EINVAL`).
fn option_trouble(errno: Errno) -> Trouble {
    match errno {
        Errno::INVAL => Trouble::Aborted,
        other => accept_trouble(other),
    }
}

/// Non-blocking and close-on-exec: two calls where Linux has two flags.
fn keep_to_ourselves(fd: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(fd, true)
}

fn set_up(fd: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_tcp_nodelay(fd, true)?;
    #[cfg(target_vendor = "apple")]
    sockopt::set_socket_nosigpipe(fd, true)?;
    #[cfg(not(target_os = "freebsd"))]
    bound_unsent(fd, UNSENT_BYTES_MAX)?;
    Ok(())
}

/// Sets the bytes that may be unsent (`TCP_NOTSENT_LOWAT`, which rustix lacks, and so does
/// FreeBSD).
#[cfg(not(target_os = "freebsd"))]
fn bound_unsent(fd: &OwnedFd, bytes: libc::c_int) -> rustix::io::Result<()> {
    use std::os::fd::AsRawFd;

    /// As in macOS's `netinet/tcp.h`; libc has it for Linux alone.
    #[cfg(target_vendor = "apple")]
    const TCP_NOTSENT_LOWAT: libc::c_int = 0x201;
    #[cfg(not(target_vendor = "apple"))]
    use libc::TCP_NOTSENT_LOWAT;

    // SAFETY: the descriptor is open, as `fd` is borrowed; the pointer is to a live value of the
    // size that is given with it, which the call only reads.
    let failed = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            TCP_NOTSENT_LOWAT,
            std::ptr::from_ref(&bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
    match failed {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// What the last call of the C library failed with.
#[cfg(not(target_os = "freebsd"))]
fn last_error() -> rustix::io::Errno {
    let error = io::Error::last_os_error().raw_os_error();
    rustix::io::Errno::from_raw_os_error(error.unwrap_or(libc::EINVAL))
}

#[cfg(target_os = "freebsd")]
fn share_port(fd: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_socket_reuseport_lb(fd, true)
}

#[cfg(not(target_os = "freebsd"))]
fn share_port(fd: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_socket_reuseport(fd, true)
}

#[cfg(not(target_vendor = "apple"))]
fn listens(fd: &OwnedFd) -> rustix::io::Result<bool> {
    sockopt::socket_acceptconn(fd)
}

#[cfg(target_vendor = "apple")]
fn listens(fd: &OwnedFd) -> rustix::io::Result<bool> {
    // The option is declared there, but not implemented. Who is connected does not listen.
    Ok(rustix::net::getpeername(fd).is_err())
}

/// The address of this end of a TCP socket.
pub(crate) fn address_of(fd: impl AsFd) -> Option<SocketAddr> {
    let address = rustix::net::getsockname(fd).ok()?;
    SocketAddr::try_from(address).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read};
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
        result.unwrap_err().kind()
    }

    /// Accepts one connection, which is surely on its way.
    fn accept_one(listener: &Listener) -> (OwnedFd, Address) {
        let started = Instant::now();
        loop {
            match accept(listener) {
                Ok(accepted) => return accepted,
                Err(trouble) => assert_eq!(trouble, Trouble::WouldBlock),
            }
            assert!(started.elapsed() < Duration::from_secs(5));
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_second_group_on_the_same_port_is_refused() {
        let most = if SPREADS { 3 } else { 1 };
        for count in [1, most] {
            let group = bind_group(ANY_PORT, BACKLOG, count).unwrap();
            assert_eq!(group.len(), count);
            let addr = group[0].local_addr().unwrap();
            for second in [1, most] {
                let again = bind_group(addr, BACKLOG, second);
                assert_eq!(kind(again), ErrorKind::AddrInUse);
            }
            drop(group);
            bind_group(addr, BACKLOG, most).unwrap();
        }
        assert_eq!(
            kind(bind_group(ANY_PORT, BACKLOG, 0)),
            ErrorKind::InvalidInput
        );
        if !SPREADS {
            let two = bind_group(ANY_PORT, BACKLOG, 2);
            assert_eq!(kind(two), ErrorKind::Unsupported);
        }
    }

    #[test]
    fn connections_are_spread_over_the_group() {
        if !SPREADS {
            return;
        }
        let group = bind_group(ANY_PORT, BACKLOG, 2).unwrap();
        let addr = group[0].local_addr().unwrap();
        let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let mut counts = [0; 2];
        let started = Instant::now();
        while counts.iter().sum::<usize>() < clients.len() {
            for (count, listener) in counts.iter_mut().zip(&group) {
                *count += usize::from(accept(listener).is_ok());
            }
            assert!(started.elapsed() < Duration::from_secs(5), "{counts:?}");
        }
        // By chance one of them gets nothing in one of 2^63 runs.
        assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
    }

    #[test]
    fn a_restart_does_not_wait_for_old_connections() {
        let group = bind_group(ANY_PORT, BACKLOG, 1).unwrap();
        let addr = group[0].local_addr().unwrap();
        let mut closed = TcpStream::connect(addr).unwrap();
        // The end that closes first keeps the port in TIME_WAIT.
        drop(accept_one(&group[0]));
        assert_eq!(closed.read(&mut [0; 8]).unwrap(), 0);
        drop(closed);
        drop(group);
        bind_group(addr, BACKLOG, 1).unwrap();
    }

    #[test]
    fn the_unspecified_ipv6_address_takes_both_families() {
        let any = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
        let listener = match Listener::bind(any, BACKLOG, false) {
            Ok(listener) => listener,
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return,
            Err(error) => panic!("{error}"),
        };
        let port = listener.local_addr().unwrap().port();
        let v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (_socket, from) = accept_one(&listener);
        assert_eq!(from.socket_addr(), v4.local_addr().unwrap());
        let v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        let (_socket, from) = accept_one(&listener);
        assert_eq!(from.socket_addr(), v6.local_addr().unwrap());
    }

    #[test]
    fn a_connection_that_refuses_options_is_gone_already() {
        for (errno, expected) in [
            (Errno::INVAL, Trouble::Aborted),
            (Errno::CONNRESET, Trouble::Aborted),
            (Errno::NOBUFS, Trouble::Exhausted),
            (Errno::BADF, Trouble::Other(libc::EBADF)),
        ] {
            assert_eq!(option_trouble(errno), expected, "{errno:?}");
        }
    }

    #[test]
    fn a_socket_handed_down_is_checked_and_set_up() {
        let listener = TcpListener::bind(ANY_PORT).unwrap();
        let addr = listener.local_addr().unwrap();
        let listener = Listener::from_fd(listener.into()).unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
        let nothing = accept(&listener).unwrap_err();
        assert_eq!(nothing, Trouble::WouldBlock, "it does not block");
        let client = TcpStream::connect(addr).unwrap();
        let (socket, _) = accept_one(&listener);
        assert!(sockopt::tcp_nodelay(&socket).unwrap());
        let flags = rustix::io::fcntl_getfd(&socket).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        assert_eq!(
            kind(Listener::from_fd(client.into())),
            ErrorKind::InvalidInput
        );
        let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(
            kind(Listener::from_fd(unix.into())),
            ErrorKind::InvalidInput
        );
    }
}
