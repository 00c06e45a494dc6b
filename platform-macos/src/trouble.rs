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
        | Errno::NETRESET
        // What macOS says to a send while it takes the connection down.
        | Errno::PROTOTYPE => Trouble::Lost,
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Trouble::Exhausted,
        other => Trouble::Other(other.raw_os_error()),
    }
}

/// What went wrong with accepting: a trouble that the *new* connection has already, or a firewall's
/// veto, says nothing about the queue behind it.
pub(crate) fn accept_trouble(errno: Errno) -> Trouble {
    match errno {
        Errno::PROTO | Errno::PERM => Trouble::Aborted,
        other => match trouble(other) {
            Trouble::Lost => Trouble::Aborted,
            same => same,
        },
    }
}

/// What went wrong with an option of a connection that was accepted just now. macOS hands out
/// connections whose peer is gone already, and refuses every option of them (`EINVAL`).
pub(crate) fn option_trouble(errno: Errno) -> Trouble {
    match errno {
        Errno::INVAL => Trouble::Aborted,
        other => accept_trouble(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_meaning() {
        use Trouble::*;
        for (errno, expected, accepting, option) in [
            (Errno::AGAIN, WouldBlock, WouldBlock, WouldBlock),
            (Errno::INTR, Interrupted, Interrupted, Interrupted),
            (Errno::CONNRESET, Lost, Aborted, Aborted),
            (Errno::PIPE, Lost, Aborted, Aborted),
            (Errno::TIMEDOUT, Lost, Aborted, Aborted),
            (Errno::CONNABORTED, Lost, Aborted, Aborted),
            (Errno::PROTOTYPE, Lost, Aborted, Aborted),
            (Errno::PROTO, Other(libc::EPROTO), Aborted, Aborted),
            (Errno::PERM, Other(libc::EPERM), Aborted, Aborted),
            (Errno::MFILE, Exhausted, Exhausted, Exhausted),
            (Errno::NFILE, Exhausted, Exhausted, Exhausted),
            (Errno::NOBUFS, Exhausted, Exhausted, Exhausted),
            (Errno::NOMEM, Exhausted, Exhausted, Exhausted),
            (
                Errno::INVAL,
                Other(libc::EINVAL),
                Other(libc::EINVAL),
                Aborted,
            ),
            (
                Errno::BADF,
                Other(libc::EBADF),
                Other(libc::EBADF),
                Other(libc::EBADF),
            ),
        ] {
            assert_eq!(trouble(errno), expected, "{errno:?}");
            assert_eq!(accept_trouble(errno), accepting, "{errno:?}");
            assert_eq!(option_trouble(errno), option, "{errno:?}");
        }
    }
}
