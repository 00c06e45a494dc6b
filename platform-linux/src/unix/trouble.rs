//! What the system's error numbers mean to a driver.

use barewire_core::driver::Trouble;
use rustix::io::Errno;

/// What went wrong with a connection.
#[cold]
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
        | Errno::NETRESET
        // What macOS says to a send while it takes the connection down.
        | Errno::PROTOTYPE => Trouble::Lost,
        // The last one: Linux, fs.epoll.max_user_watches.
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC => {
            Trouble::Exhausted
        }
        other => Trouble::Other(other.raw_os_error()),
    }
}

/// What went wrong with accepting: a trouble that the *new* connection has already, or a firewall's
/// veto, says nothing about the queue behind it.
pub(crate) fn accept_trouble(errno: Errno) -> Trouble {
    match errno {
        Errno::PROTO | Errno::PERM => Trouble::Aborted,
        // Linux reports these of the new connection as errors of the call, too.
        #[cfg(target_os = "linux")]
        Errno::NOPROTOOPT
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
        use Trouble::*;
        for (errno, expected, accepting) in [
            (Errno::AGAIN, WouldBlock, WouldBlock),
            (Errno::INTR, Interrupted, Interrupted),
            (Errno::CONNRESET, Lost, Aborted),
            (Errno::PIPE, Lost, Aborted),
            (Errno::TIMEDOUT, Lost, Aborted),
            (Errno::CONNABORTED, Lost, Aborted),
            (Errno::NETDOWN, Lost, Aborted),
            (Errno::HOSTUNREACH, Lost, Aborted),
            (Errno::PROTOTYPE, Lost, Aborted),
            (Errno::PROTO, Other(libc::EPROTO), Aborted),
            (Errno::PERM, Other(libc::EPERM), Aborted),
            (Errno::MFILE, Exhausted, Exhausted),
            (Errno::NFILE, Exhausted, Exhausted),
            (Errno::NOBUFS, Exhausted, Exhausted),
            (Errno::NOMEM, Exhausted, Exhausted),
            (Errno::NOSPC, Exhausted, Exhausted),
            (Errno::BADF, Other(libc::EBADF), Other(libc::EBADF)),
            (Errno::INVAL, Other(libc::EINVAL), Other(libc::EINVAL)),
            #[cfg(target_os = "linux")]
            (Errno::OPNOTSUPP, Other(libc::EOPNOTSUPP), Aborted),
        ] {
            assert_eq!(trouble(errno), expected, "{errno:?}");
            assert_eq!(accept_trouble(errno), accepting, "{errno:?}");
        }
    }
}
