//! Listening sockets: one for each worker, all on the same port, and on nobody else's.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Connections that may wait to be accepted, per listener. The system cuts it to
/// `net.core.somaxconn`, whose default is this number since Linux 5.4.
pub const BACKLOG: i32 = 4096;

/// Bytes that the system takes for a connection before the network does: some fillings of the send
/// buffer, so that a fast peer never waits for this process. Without a bound it takes some 2.5 MB
/// for each peer that does not read, out of memory that is not counted as the server's. (What is
/// on the way to the peer does not count, so long ways are as fast as before.)
const UNSENT_BYTES_MAX: libc::c_int = 1 << 16;

/// A listening TCP socket: non-blocking, close-on-exec, with Nagle's algorithm off and a bound on
/// what is unsent (connections inherit both, so they cost no call for each of them).
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
}

impl Listener {
    /// Binds `addr` (port 0: the system chooses one) and listens. `[::]` takes IPv4 too.
    ///
    /// `share`: with SO_REUSEPORT. Such a socket silently joins all others of the same user on
    /// the port that have it too, and takes part of their connections; [`bind_group`] makes sure
    /// that these are its own.
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
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        // Connections of a former process, up to TIME_WAIT, do not hinder a restart. On Linux
        // this never shares the port with a socket that listens.
        sockopt::set_socket_reuseaddr(&fd, true)?;
        if share {
            sockopt::set_socket_reuseport(&fd, true)?;
        }
        if addr.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) {
            // Whatever net.ipv6.bindv6only says.
            sockopt::set_ipv6_v6only(&fd, false)?;
        }
        sockopt::set_tcp_nodelay(&fd, true)?;
        bound_unsent(&fd, UNSENT_BYTES_MAX)?;
        rustix::net::bind(&fd, &addr)?;
        rustix::net::listen(&fd, backlog)?;
        Ok(Listener { fd })
    }

    /// Takes over a socket that somebody else made and handed down (a service manager), and gives
    /// it the properties above.
    ///
    /// # Errors
    /// `InvalidInput` if it is no listening TCP socket.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Listener> {
        let address = address_of(&fd);
        if address.is_none() || !sockopt::socket_acceptconn(&fd)? {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        rustix::io::ioctl_fionbio(&fd, true)?;
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        sockopt::set_tcp_nodelay(&fd, true)?;
        bound_unsent(&fd, UNSENT_BYTES_MAX)?;
        Ok(Listener { fd })
    }

    /// The same socket with a descriptor of its own, in the table of the calling thread. It listens
    /// until the last of them is closed.
    pub(crate) fn duplicate(&self) -> io::Result<Listener> {
        let fd = self.fd.try_clone()?;
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

/// Sets the bytes that may be unsent (`TCP_NOTSENT_LOWAT`, which rustix lacks).
fn bound_unsent(fd: &OwnedFd, bytes: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open, as `fd` is borrowed; the pointer is to a live value of the
    // size that is given with it, which the call only reads.
    let failed = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NOTSENT_LOWAT,
            std::ptr::from_ref(&bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
    match failed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Binds `count` listeners to one port (0: the system chooses it); the system spreads new
/// connections over them. A port on which anybody listens already is refused, although
/// SO_REUSEPORT would share it without a word if the other one has it too.
///
/// How: the first listener claims the port *without* SO_REUSEPORT, which succeeds only if nobody
/// listens there and keeps everybody else out from then on; then it gets SO_REUSEPORT after the
/// fact, and the others join it. So of two servers that start at the same time at most one gets
/// the port (none, if both claim it in the same microsecond), for there is no moment in between at
/// which it is free again. (A probe that is bound, closed and replaced by the group was the first
/// idea: it has such a moment.) Until the others have joined, some microseconds, all connections
/// go to the first.
///
/// Afterwards a socket with SO_REUSEPORT of the same user can still push itself into the group,
/// as is the nature of that option; another Barewire does not, as it claims first. A group of one
/// never gets the option and lets nobody in.
///
/// # Errors
/// As for [`Listener::bind`], which is all or nothing here; `InvalidInput` for a count of 0.
pub fn bind_group(addr: SocketAddr, backlog: i32, count: usize) -> io::Result<Vec<Listener>> {
    if count == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let first = Listener::bind(addr, backlog, false)?;
    let addr = first.local_addr()?;
    if count > 1 {
        sockopt::set_socket_reuseport(&first, true)?;
    }
    let mut group = vec![first];
    while group.len() < count {
        group.push(Listener::bind(addr, backlog, true)?);
    }
    Ok(group)
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

    /// Accepts what waits in `listener`.
    fn accept_all(listener: &Listener) -> Vec<OwnedFd> {
        std::iter::from_fn(|| rustix::net::accept_with(listener, SocketFlags::CLOEXEC).ok())
            .collect()
    }

    /// Accepts one connection, which is surely on its way.
    fn accept_one(listener: &Listener) -> OwnedFd {
        let started = Instant::now();
        loop {
            if let Some(socket) = accept_all(listener).pop() {
                return socket;
            }
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "nothing to accept"
            );
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_second_group_on_the_same_port_is_refused() {
        for count in [1, 3] {
            let group = bind_group(ANY_PORT, BACKLOG, count).unwrap();
            assert_eq!(group.len(), count);
            let addr = group[0].local_addr().unwrap();
            for second in [1, 2] {
                assert_eq!(
                    kind(bind_group(addr, BACKLOG, second)),
                    ErrorKind::AddrInUse
                );
                let all = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), addr.port());
                assert_eq!(kind(bind_group(all, BACKLOG, second)), ErrorKind::AddrInUse);
                let all = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), addr.port());
                assert_eq!(kind(bind_group(all, BACKLOG, second)), ErrorKind::AddrInUse);
            }
            drop(group);
            bind_group(addr, BACKLOG, 2).unwrap();
        }
    }

    #[test]
    fn a_port_that_somebody_shares_or_holds_is_refused() {
        let sharing = Listener::bind(ANY_PORT, BACKLOG, true).unwrap();
        let addr = sharing.local_addr().unwrap();
        Listener::bind(addr, BACKLOG, true).expect("this is what SO_REUSEPORT lets happen");
        assert_eq!(kind(bind_group(addr, BACKLOG, 2)), ErrorKind::AddrInUse);

        let holding = TcpListener::bind(ANY_PORT).unwrap();
        let addr = holding.local_addr().unwrap();
        assert_eq!(kind(bind_group(addr, BACKLOG, 2)), ErrorKind::AddrInUse);
    }

    #[test]
    fn of_many_groups_that_start_at_once_at_most_one_gets_the_port() {
        let mut won = 0;
        for _ in 0..20 {
            let port = bind_group(ANY_PORT, BACKLOG, 1).unwrap()[0]
                .local_addr()
                .unwrap();
            let start = std::sync::Barrier::new(4);
            let start = &start;
            let groups: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(move || {
                            start.wait();
                            bind_group(port, BACKLOG, 3)
                        })
                    })
                    .collect();
                threads.into_iter().map(|t| t.join().unwrap()).collect()
            });
            let winners = groups.iter().filter(|group| group.is_ok()).count();
            assert!(winners <= 1, "{winners} groups share the port");
            won += winners;
            for group in groups.into_iter().filter(|group| group.is_err()) {
                assert_eq!(kind(group), ErrorKind::AddrInUse);
            }
        }
        assert!(won > 0, "the port is free, and each time nobody gets it");
    }

    #[test]
    fn connections_are_spread_over_the_group() {
        let group = bind_group(ANY_PORT, BACKLOG, 2).unwrap();
        let addr = group[0].local_addr().unwrap();
        assert_eq!(group[1].local_addr().unwrap(), addr);
        let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let (mut first, mut second) = (0, 0);
        let started = Instant::now();
        while first + second < clients.len() && started.elapsed() < Duration::from_secs(5) {
            first += accept_all(&group[0]).len();
            second += accept_all(&group[1]).len();
        }
        // By chance one of them gets nothing in one of 2^63 runs.
        assert_eq!(first + second, clients.len());
        assert!(first > 0 && second > 0, "{first} and {second}");
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
        let open = TcpStream::connect(addr).unwrap();
        let still_open = accept_one(&group[0]);
        drop(group);
        bind_group(addr, BACKLOG, 2).unwrap();
        drop((open, still_open));
        // Also where the options of the old ones differ: they came from a group now.
        let group = bind_group(addr, BACKLOG, 2).unwrap();
        let client = TcpStream::connect(addr).unwrap();
        let started = Instant::now();
        while group.iter().all(|listener| accept_all(listener).is_empty()) {
            assert!(started.elapsed() < Duration::from_secs(5));
        }
        drop((client, group));
        bind_group(addr, BACKLOG, 1).unwrap();
    }

    #[test]
    fn the_unspecified_ipv6_address_takes_both_families() {
        let any = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
        let group = match bind_group(any, BACKLOG, 2) {
            Ok(group) => group,
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return,
            Err(error) => panic!("{error}"),
        };
        let port = group[0].local_addr().unwrap().port();
        let _v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let _v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        let mut accepted = 0;
        let started = Instant::now();
        while accepted < 2 && started.elapsed() < Duration::from_secs(5) {
            accepted += group.iter().map(|one| accept_all(one).len()).sum::<usize>();
        }
        assert_eq!(accepted, 2);
        let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
        assert_eq!(kind(bind_group(v4, BACKLOG, 2)), ErrorKind::AddrInUse);
    }

    #[test]
    fn a_socket_handed_down_is_checked_and_set_up() {
        let listener = TcpListener::bind(ANY_PORT).unwrap();
        let addr = listener.local_addr().unwrap();
        let listener = Listener::from_fd(listener.into()).unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
        assert!(accept_all(&listener).is_empty(), "it does not block");
        let client = TcpStream::connect(addr).unwrap();
        assert!(sockopt::tcp_nodelay(accept_one(&listener)).unwrap());
        assert_eq!(
            kind(Listener::from_fd(client.into())),
            ErrorKind::InvalidInput
        );
        let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(
            kind(Listener::from_fd(unix.into())),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            kind(bind_group(ANY_PORT, BACKLOG, 0)),
            ErrorKind::InvalidInput
        );
    }
}
