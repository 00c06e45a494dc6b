//! The records of `kevent(2)` as plain values, the same on every system.
//!
//! `struct kevent` has another layout on macOS than on FreeBSD, and other systems have none. What
//! a record means does not depend on that, so whatever reads or writes one works with this type;
//! `system.rs` alone turns it into the system's own.

use std::ops::BitOr;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// `EVFILT_READ`: bytes, a connection or an end of stream can be read. `ident` is a descriptor.
    Read,
    /// `EVFILT_WRITE`: there is room to send. `ident` is a descriptor.
    Write,
    /// `EVFILT_USER`: somebody has triggered it. `ident` is a number of our own.
    User,
    /// `EVFILT_SIGNAL`: the process was sent a signal. `ident` is the signal's number.
    Signal,
    /// Any other, with the system's number; never asked for.
    Other(i16),
}

/// A set of `EV_` flags, with the values of `sys/event.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// To the system: registers the filter, or changes one that is registered.
    pub const ADD: Flags = Flags(0x0001);
    /// To the system: removes the filter. `ENOENT` if there is none.
    pub const DELETE: Flags = Flags(0x0002);
    /// To the system: tells it again, after `DISABLE` or `DISPATCH`.
    pub const ENABLE: Flags = Flags(0x0004);
    /// To the system: keeps it, but does not tell.
    pub const DISABLE: Flags = Flags(0x0008);
    /// To the system: removes the filter when it has been told once.
    pub const ONESHOT: Flags = Flags(0x0010);
    /// To the system: what was told is not told again, until something new comes (an edge).
    pub const CLEAR: Flags = Flags(0x0020);
    /// To the system: answers the change with an `ERROR` record (`data` is 0 if it succeeded), and
    /// takes no pending event out of the queue meanwhile.
    pub const RECEIPT: Flags = Flags(0x0040);
    /// To the system: disables the filter when it has been told once, so that one thread owns what
    /// it is about until it enables it again ([`shared`](crate::shared)).
    pub const DISPATCH: Flags = Flags(0x0080);
    /// From the system: `data` is the error of a change (0 in a receipt of success).
    pub const ERROR: Flags = Flags(0x4000);
    /// From the system: this direction of the socket is over. Bytes may still be there (`data`);
    /// `fflags` is the socket's error, 0 if it ended in good order.
    pub const EOF: Flags = Flags(0x8000);

    /// From the system's number.
    pub const fn from_bits(bits: u16) -> Flags {
        Flags(bits)
    }

    /// The system's number.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of `others` are in it.
    pub const fn has(self, others: Flags) -> bool {
        self.0 & others.0 == others.0
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// In `fflags` of a change to [`Filter::User`]: `NOTE_TRIGGER`, the event happens now.
pub const TRIGGER: u32 = 0x0100_0000;

/// A change on the way to the system, or an event on the way back: `struct kevent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of what the filter speaks; together they name what is registered.
    pub ident: usize,
    /// What is watched.
    pub filter: Filter,
    /// What to do, or what happened.
    pub flags: Flags,
    /// Of the filter: an error of the socket, or [`TRIGGER`].
    pub fflags: u32,
    /// Of the filter: bytes to read, connections in the backlog, bytes of room, how many signals;
    /// or the error of a change.
    pub data: i64,
    /// The word that was given with the change. Every change sets it anew.
    pub udata: u64,
}

impl Record {
    /// About nothing: to fill an array with.
    pub const EMPTY: Record = Record {
        ident: 0,
        filter: Filter::Other(0),
        flags: Flags::NONE,
        fflags: 0,
        data: 0,
        udata: 0,
    };

    /// A change without flags of its filter.
    pub const fn change(ident: usize, filter: Filter, flags: Flags, udata: u64) -> Record {
        Record {
            ident,
            filter,
            flags,
            fflags: 0,
            data: 0,
            udata,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_a_set() {
        let both = Flags::ADD | Flags::CLEAR;
        assert!(both.has(Flags::ADD) && both.has(Flags::CLEAR) && both.has(both));
        assert!(!both.has(Flags::DISPATCH) && !both.has(Flags::ADD | Flags::EOF));
        assert!(Flags::NONE.has(Flags::NONE) && !Flags::NONE.has(Flags::ADD));
        assert_eq!(Flags::from_bits(both.bits()), both);
    }
}
