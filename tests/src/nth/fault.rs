//! Every call that a run makes, and every way in which it can fail.

use std::cell::Cell;
use std::rc::Rc;

use barewire_core::driver::Trouble;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the methods of `Kernel` and `App`")]
pub enum Call {
    Poll,
    Accept,
    Register,
    Recv,
    Send,
    Shutdown,
    Close,
    StopListening,
    Local,
    Now,
    /// The application is lent a request, in whole or in part, and has to answer.
    Handler,
    /// The application is told something, and answers nothing.
    Notice,
}

/// What the failure does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call says this.
    Fail(Trouble),
    /// It says `WouldBlock`, as what it is about comes a moment later, with an edge.
    Later,
    /// One byte goes, the rest a moment later, with an edge.
    OneByte,
    /// No event, those that are due come with the next call.
    NoEvents,
    /// An event for everybody, with nothing behind it.
    Spurious,
    /// Polling is over for good.
    Fatal,
    /// The call does nothing, and cannot say so.
    Undone,
    /// The call did what it should all the same.
    Done,
    /// The clock is an hour ahead from now on.
    Leap,
    /// The application panics before it has answered, or behind that.
    Panic {
        /// Behind.
        answered: bool,
    },
}

impl Call {
    /// In how many ways it can fail.
    pub fn errors(self) -> usize {
        FAULTS.iter().filter(|fault| fault.call == self).count()
    }
}

/// One way in which one call can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which call.
    pub call: Call,
    /// How the system calls it.
    pub name: &'static str,
    /// Where that is written: a page of the Linux manual, or what else.
    pub page: &'static str,
    /// What it does.
    pub effect: Effect,
}

/// What `epoll.rs` makes of an error number (`platform-linux/src/unix/trouble.rs` and its test).
const EXHAUSTED: Effect = Effect::Fail(Trouble::Exhausted);
const LOST: Effect = Effect::Fail(Trouble::Lost);
const ABORTED: Effect = Effect::Fail(Trouble::Aborted);
const INTERRUPTED: Effect = Effect::Fail(Trouble::Interrupted);
const fn other(number: i32) -> Effect {
    Effect::Fail(Trouble::Other(number))
}

const fn fault(call: Call, name: &'static str, page: &'static str, effect: Effect) -> Fault {
    Fault {
        call,
        name,
        page,
        effect,
    }
}

/// All of them. Numbers are those of Linux on x86-64; to the driver each is as good as another.
pub const FAULTS: &[Fault] = {
    use Call::*;
    use Effect::*;
    &[
        fault(Poll, "EINTR", "epoll_wait(2)", NoEvents),
        fault(Poll, "spurious", "epoll(7), select(2) BUGS", Spurious),
        fault(Poll, "EBADF", "epoll_wait(2)", Fatal),
        fault(Poll, "EINVAL", "epoll_wait(2)", Fatal),
        fault(Poll, "EFAULT", "epoll_wait(2)", Fatal),
        fault(Accept, "EAGAIN", "accept(2)", Later),
        fault(Accept, "EINTR", "accept(2)", INTERRUPTED),
        fault(Accept, "EMFILE", "accept(2)", EXHAUSTED),
        fault(Accept, "ENFILE", "accept(2)", EXHAUSTED),
        fault(Accept, "ENOBUFS", "accept(2)", EXHAUSTED),
        fault(Accept, "ENOMEM", "accept(2)", EXHAUSTED),
        fault(Accept, "ECONNABORTED", "accept(2)", ABORTED),
        fault(Accept, "EPROTO", "accept(2)", ABORTED),
        fault(Accept, "EPERM", "accept(2)", ABORTED),
        fault(Accept, "ENETDOWN", "accept(2), Linux", ABORTED),
        fault(Accept, "EHOSTUNREACH", "accept(2), Linux", ABORTED),
        fault(Accept, "EINVAL", "accept(2)", other(22)),
        fault(Accept, "ENOTSOCK", "accept(2)", other(88)),
        fault(Register, "ENOMEM", "epoll_ctl(2)", EXHAUSTED),
        fault(Register, "ENOSPC", "epoll_ctl(2)", EXHAUSTED),
        fault(Register, "EEXIST", "epoll_ctl(2)", other(17)),
        fault(Register, "EPERM", "epoll_ctl(2)", other(1)),
        fault(Register, "ELOOP", "epoll_ctl(2)", other(40)),
        fault(Recv, "EAGAIN", "recv(2)", Later),
        fault(Recv, "short", "recv(2), DESCRIPTION", OneByte),
        fault(Recv, "EINTR", "recv(2)", INTERRUPTED),
        fault(Recv, "ECONNRESET", "tcp(7), read(2)", LOST),
        fault(Recv, "ETIMEDOUT", "tcp(7)", LOST),
        fault(Recv, "EHOSTUNREACH", "ip(7)", LOST),
        fault(Recv, "ENOTCONN", "recv(2)", LOST),
        fault(Recv, "ECONNREFUSED", "recv(2)", LOST),
        fault(Recv, "ENOMEM", "recv(2)", EXHAUSTED),
        fault(Recv, "EFAULT", "recv(2)", other(14)),
        fault(Recv, "EIO", "read(2)", other(5)),
        fault(Send, "EAGAIN", "send(2)", Later),
        fault(Send, "short", "send(2), write(2)", OneByte),
        fault(Send, "EINTR", "send(2)", INTERRUPTED),
        fault(Send, "EPIPE", "send(2)", LOST),
        fault(Send, "ECONNRESET", "send(2)", LOST),
        fault(Send, "ETIMEDOUT", "tcp(7)", LOST),
        fault(Send, "ENETUNREACH", "ip(7)", LOST),
        fault(Send, "ENOBUFS", "send(2)", EXHAUSTED),
        fault(Send, "ENOMEM", "send(2)", EXHAUSTED),
        fault(Send, "EPERM", "netfilter's veto", other(1)),
        fault(Send, "EIO", "write(2)", other(5)),
        fault(Shutdown, "ENOTCONN", "shutdown(2)", Undone),
        fault(Close, "EINTR", "close(2): closed all the same", Done),
        fault(Close, "EIO", "close(2): closed all the same", Done),
        fault(
            StopListening,
            "ENOENT",
            "epoll_ctl(2): it is closed anyhow",
            Done,
        ),
        fault(Local, "ENOBUFS", "getsockname(2)", Undone),
        fault(Now, "leap", "a machine that was stopped", Leap),
        fault(
            Handler,
            "panic before the answer",
            "`App`",
            Panic { answered: false },
        ),
        fault(
            Handler,
            "panic behind the answer",
            "`App`",
            Panic { answered: true },
        ),
        fault(Notice, "panic", "`App`", Panic { answered: true }),
    ]
};

/// Counts the calls of a run, and lets one of them fail.
#[derive(Clone, Debug)]
pub(super) struct Fuse(Rc<State>);

#[derive(Debug)]
struct State {
    at: u64,
    which: usize,
    seen: Cell<u64>,
    blown: Cell<Option<Fault>>,
}

impl Fuse {
    /// The `at`-th call fails with the error of number `which` (from 0). `at` 0: none does.
    pub(super) fn new(at: u64, which: usize) -> Fuse {
        Fuse(Rc::new(State {
            at,
            which,
            seen: Cell::new(0),
            blown: Cell::new(None),
        }))
    }

    /// A call is made. How it is to fail, if it is.
    pub(super) fn pass(&self, call: Call) -> Option<Effect> {
        let State {
            at,
            which,
            seen,
            blown,
        } = &*self.0;
        seen.set(seen.get() + 1);
        if seen.get() != *at {
            return None;
        }
        let mut errors = FAULTS.iter().filter(|fault| fault.call == call);
        let fault = errors.nth(*which).expect("one of its errors");
        blown.set(Some(*fault));
        Some(fault.effect)
    }

    /// What has failed so far.
    pub(super) fn blown(&self) -> Option<Fault> {
        self.0.blown.get()
    }

    /// Calls so far.
    pub(super) fn seen(&self) -> u64 {
        self.0.seen.get()
    }
}
