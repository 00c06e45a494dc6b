//! What the system's error numbers mean to a driver.

use barewire_core::driver::Trouble;
use rustix::io::Errno;

/// What went wrong with a connection.
pub(crate) fn trouble(errno: Errno) -> Trouble {
    match errno {
        Errno::AGAIN => Trouble::WouldBlock,
        Errno::INTR => Trouble::Interrupted,
        Errno::CONNRESET
        | Errno::PIPE
        | Errno::TIMEDOUT
        | Errno::CONNABORTED
        | Errno::CONNREFUSED
        | Errno::NOTCONN
        | Errno::SHUTDOWN
        | Errno::HOSTUNREACH
        | Errno::HOSTDOWN
        | Errno::NETUNREACH
        | Errno::NETDOWN
        | Errno::NETRESET => Trouble::Lost,
        // The last one: fs.epoll.max_user_watches.
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC => {
            Trouble::Exhausted
        }
        other => Trouble::Other(other.raw_os_error()),
    }
}

/// What went wrong with accepting. Linux reports a trouble that the *new* connection has already,
/// or a firewall's veto, as one of the call; the queue behind it is in order.
pub(crate) fn accept_trouble(errno: Errno) -> Trouble {
    match errno {
        Errno::PROTO
        | Errno::PERM
        | Errno::NOPROTOOPT
        | Errno::OPNOTSUPP
        | Errno::NONET
        | Errno::PROTONOSUPPORT
        | Errno::SOCKTNOSUPPORT => Trouble::Aborted,
        other => match trouble(other) {
            Trouble::Lost => Trouble::Aborted,
            same => same,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_meaning() {
        for (errno, expected, accepting) in [
            (Errno::AGAIN, Trouble::WouldBlock, Trouble::WouldBlock),
            (Errno::INTR, Trouble::Interrupted, Trouble::Interrupted),
            (Errno::CONNRESET, Trouble::Lost, Trouble::Aborted),
            (Errno::PIPE, Trouble::Lost, Trouble::Aborted),
            (Errno::TIMEDOUT, Trouble::Lost, Trouble::Aborted),
            (Errno::CONNABORTED, Trouble::Lost, Trouble::Aborted),
            (Errno::NETDOWN, Trouble::Lost, Trouble::Aborted),
            (Errno::HOSTUNREACH, Trouble::Lost, Trouble::Aborted),
            (Errno::PROTO, Trouble::Other(libc::EPROTO), Trouble::Aborted),
            (Errno::PERM, Trouble::Other(libc::EPERM), Trouble::Aborted),
            (
                Errno::OPNOTSUPP,
                Trouble::Other(libc::EOPNOTSUPP),
                Trouble::Aborted,
            ),
            (Errno::MFILE, Trouble::Exhausted, Trouble::Exhausted),
            (Errno::NFILE, Trouble::Exhausted, Trouble::Exhausted),
            (Errno::NOBUFS, Trouble::Exhausted, Trouble::Exhausted),
            (Errno::NOMEM, Trouble::Exhausted, Trouble::Exhausted),
            (
                Errno::BADF,
                Trouble::Other(libc::EBADF),
                Trouble::Other(libc::EBADF),
            ),
            (
                Errno::INVAL,
                Trouble::Other(libc::EINVAL),
                Trouble::Other(libc::EINVAL),
            ),
        ] {
            assert_eq!(trouble(errno), expected, "{errno:?}");
            assert_eq!(accept_trouble(errno), accepting, "{errno:?}");
        }
    }
}
