//! Connections to a server, from an address of one's own choice.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};

/// Connects to `to` within `timeout`, from the address `from` if one is given. The stream does not
/// block.
///
/// std connects within a time too, but always from the address that the system chooses, and from
/// one address to one server there are no more connections than ports (28,232 on Linux by default).
///
/// # Errors
/// Whatever the system says. `AddrNotAvailable`: `from` is no address of this machine, or all its
/// ports are in use; `AddrInUse` means the latter too. `TimedOut`: the server took none in time.
pub fn dial(from: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let family = match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    // In three calls, as not every system has the flags that make it one.
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    if let Some(from) = from {
        // Ports of former connections, which rest for a minute, do not hinder.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &SocketAddr::new(from, 0))?;
    }
    match rustix::net::connect(&socket, &to) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => finish(&socket, timeout)?,
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from(socket))
}

/// Waits until a connection is made or has failed.
fn finish(socket: impl AsFd, timeout: Duration) -> io::Result<()> {
    let until = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let mut wait = [PollFd::new(&socket, PollFlags::OUT)];
    // A signal only shortens the wait of one connection: whoever dials tells what it was.
    match poll(&mut wait, Some(&until))? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(sockopt::socket_error(&socket)??),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn a_connection_comes_from_the_address_that_was_chosen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let from = IpAddr::from(Ipv4Addr::LOCALHOST);
        for chosen in [None, Some(from)] {
            let stream = dial(chosen, to, Duration::from_secs(5)).unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer, stream.local_addr().unwrap());
            assert_eq!(peer.ip(), from);
        }
    }

    #[test]
    fn who_is_not_there_and_who_does_not_answer_is_told_apart() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = gone.local_addr().unwrap();
        drop(gone);
        let refused = dial(None, to, Duration::from_secs(5)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        // Documentation addresses belong to nobody (RFC 5737).
        let foreign = IpAddr::from(Ipv4Addr::new(192, 0, 2, 1));
        let error = dial(Some(foreign), to, Duration::from_secs(5)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
