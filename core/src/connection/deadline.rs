//! Which deadline runs, and has it passed: the arithmetic, shared by the worker and by whoever
//! embeds the core. Time is an argument.
//!
//! | waiting for      | due                                                               |
//! |------------------|-------------------------------------------------------------------|
//! | the first byte   | `first_byte_ms` after the accept                                  |
//! | the next request | `idle_ms` after the last answer was sent                          |
//! | a head           | `head_ms` and `request_ms` after its first byte                   |
//! | a gathered body  | `request_ms` after the first byte of the head; or below the pace  |
//! | a streamed body  | below the pace                                                    |
//! | a handler        | `handler_ms` after it deferred                                    |
//! | the peer's reads | `send_ms` for each filling of the send buffer                     |
//! | the peer's end   | `linger_ms` after ours                                            |
//!
//! The pace: `body_rate_min * pace_ms / 1000` bytes in each window of `pace_ms`. A window begins
//! with the wait for a body, and anew whenever so much has come: an average since the start would
//! let a sender bank a fast beginning and then hold its slot for hours. Answers that are sent in
//! between (an echo) put a window off by the time they take, and do not begin another one: one byte
//! now and then keeps nobody alive.

use core::hint::cold_path;

use super::{Connection, Wait};
use crate::buffer::RecvBuffer;
use crate::limits::Limits;

/// The deadline of one connection, in milliseconds of the embedding's clock (wrapping at 32 bits:
/// 49 days; no deadline is longer than half of that).
///
/// Call [`watch`](Self::watch) after every step that waits. It stores only when something else is
/// waited for, so that a timer needs one store per request: let it hang where it hangs, and when
/// it fires ask [`check`](Self::check), which says when to come back.
// Every peer of a server has one, in a table that shall stay small: packed, as four bytes more
// would be eight with those that go before alignment.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(2))]
pub struct Deadline {
    due_ms: u32,
    /// When the request must be complete; of a streamed body the end of the pace window; between
    /// requests nothing.
    limit_ms: u32,
    /// Bytes received at the start of the pace window.
    mark: u32,
    wait: WaitCode,
    /// Which request of the connection.
    request: u8,
}

/// What is waited for, in one byte: the wait (3 bits), whether a pace window has begun (1 bit), and
/// which flush of the send buffer (4 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WaitCode(u8);

impl WaitCode {
    const NOTHING: WaitCode = WaitCode(0);
    const PACED: u8 = 1 << 3;

    fn new(wait: Wait, flush: u8) -> WaitCode {
        let flush = if wait == Wait::Send { flush } else { 0 };
        WaitCode((wait as u8).wrapping_add(1) | flush << 4)
    }

    fn is(self, wait: Wait) -> bool {
        self.0 & 7 == (wait as u8).wrapping_add(1)
    }

    fn is_paced(self) -> bool {
        self.0 & Self::PACED != 0
    }

    fn paced(self, yes: bool) -> WaitCode {
        WaitCode(self.0 & !Self::PACED | if yes { Self::PACED } else { 0 })
    }
}

/// The outcome of [`Deadline::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Not yet: ask again at this time.
    Later(u32),
    /// It has passed: call [`Connection::expire`] and step.
    Passed,
}

impl Deadline {
    /// Of a connection that was not stepped yet.
    pub const fn new() -> Self {
        Deadline {
            due_ms: 0,
            limit_ms: 0,
            mark: 0,
            wait: WaitCode::NOTHING,
            request: 0,
        }
    }

    /// Notes that a new connection waits for its first byte, and says when that is due: for an
    /// embedding that gives it no buffers before.
    pub fn first_byte(&mut self, limits: &Limits, now_ms: u32) -> u32 {
        self.due_ms = now_ms.wrapping_add(limits.first_byte_ms);
        self.wait = WaitCode::new(Wait::FirstByte, 0);
        self.due_ms
    }

    /// Notes what `connection` waits for now, and says when it is due.
    #[inline(always)]
    pub fn watch(
        &mut self,
        connection: &Connection,
        rx: &RecvBuffer,
        limits: &Limits,
        now_ms: u32,
    ) -> u32 {
        let wait = connection.waiting_for();
        let code = WaitCode::new(wait, connection.flush());
        let (before, same_request) = (self.wait, self.request == connection.requests());
        if before.paced(false) == code && same_request {
            if wait == Wait::Body {
                self.keep_pace(connection, rx, limits, now_ms);
            }
            return self.due_ms;
        }
        if wait == Wait::Idle {
            // No limit runs, and no window; whatever comes next begins its own.
            self.wait = code;
            self.request = connection.requests();
            self.due_ms = now_ms.wrapping_add(allowance_ms(limits, Wait::Idle));
            return self.due_ms;
        }
        // The head that was waited for is complete, and its request goes on.
        let next = self.request.wrapping_add(1) == connection.requests();
        // Who waited for a request is at another one now, whatever the eight bits say: as many as
        // they count may have come at once.
        let waited = before.is(Wait::Idle) || before.is(Wait::FirstByte);
        let same_request = (same_request && !waited) || (before.is(Wait::Head) && next);
        if !same_request || wait == Wait::Head {
            self.limit_ms = now_ms.wrapping_add(limits.request_ms);
        }
        // At a head the counter still shows the request before, whose window is over.
        let paced = same_request && before.is_paced() && wait != Wait::Head;
        if paced && before.is(Wait::Send) && connection.is_streaming() {
            cold_path();
            // Each filling of the send buffer: several may lie between two waits for the body.
            let began = self.due_ms.wrapping_sub(limits.send_ms);
            let took = now_ms.wrapping_sub(began);
            self.limit_ms = self.limit_ms.wrapping_add(took);
        }
        self.wait = code.paced(paced || wait == Wait::Body);
        self.request = connection.requests();
        let due_ms = now_ms.wrapping_add(allowance_ms(limits, wait));
        self.due_ms = match wait {
            Wait::Head => earlier(due_ms, self.limit_ms),
            Wait::Body if !connection.is_streaming() => {
                self.mark = rx.total();
                earlier(due_ms, self.limit_ms)
            }
            Wait::Body => {
                if !paced {
                    self.mark = rx.total();
                    self.limit_ms = due_ms;
                }
                self.limit_ms
            }
            _ => due_ms,
        };
        if wait == Wait::Body {
            self.keep_pace(connection, rx, limits, now_ms);
        }
        self.due_ms
    }

    /// When it is due, as it was said last.
    pub fn due(&self) -> u32 {
        self.due_ms
    }

    /// A word that changes whenever something else begins to be waited for, and with every new pace
    /// window. Answers that are sent within a window, and do not put it off, change nothing.
    pub fn stamp(&self) -> u64 {
        let (wait, due_ms) = match self.wait.is_paced() && self.wait.is(Wait::Send) {
            true => (WaitCode::new(Wait::Body, 0).paced(true), self.limit_ms),
            false => (self.wait, self.due_ms),
        };
        u64::from(self.request) << 40 | u64::from(wait.0) << 32 | u64::from(due_ms)
    }

    /// Milliseconds that have gone by of `allowed_ms`, which began to run when this deadline was
    /// set.
    pub fn elapsed(&self, allowed_ms: u32, now_ms: u32) -> u32 {
        now_ms
            .wrapping_add(allowed_ms)
            .wrapping_sub(self.due_ms)
            .min(allowed_ms)
    }

    /// Whether a body that is waited for has brought less than `limits.body_rate_min` since its
    /// pace window began, if that was at least `patience_ms` ago. (A gathered body whose request
    /// is due before its window ends is taken for one whose window is about to end.)
    pub fn is_behind(
        &self,
        rx: &RecvBuffer,
        limits: &Limits,
        now_ms: u32,
        patience_ms: u32,
    ) -> bool {
        let elapsed = self.elapsed(limits.pace_ms, now_ms);
        let came = u64::from(rx.total().wrapping_sub(self.mark)).saturating_mul(1000);
        let least = u64::from(limits.body_rate_min).saturating_mul(u64::from(elapsed));
        elapsed >= patience_ms && came < least
    }

    /// Has it passed?
    pub fn check(&self, now_ms: u32) -> Check {
        if is_before(now_ms, self.due_ms) {
            Check::Later(self.due_ms)
        } else {
            Check::Passed
        }
    }

    /// A body that has brought what a window asks for gets another one, from now on.
    fn keep_pace(
        &mut self,
        connection: &Connection,
        rx: &RecvBuffer,
        limits: &Limits,
        now_ms: u32,
    ) {
        let came = u64::from(rx.total().wrapping_sub(self.mark)).saturating_mul(1000);
        let least = u64::from(limits.body_rate_min).saturating_mul(u64::from(limits.pace_ms));
        if came >= least {
            self.mark = rx.total();
            self.due_ms = now_ms.wrapping_add(limits.pace_ms);
            if connection.is_streaming() {
                self.limit_ms = self.due_ms;
            } else {
                self.due_ms = earlier(self.due_ms, self.limit_ms);
            }
        }
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Self::new()
    }
}

fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

/// Milliseconds that a wait of this kind has, of itself; a body for each window of its pace.
#[inline(always)]
fn allowance_ms(limits: &Limits, wait: Wait) -> u32 {
    match wait {
        Wait::FirstByte => limits.first_byte_ms,
        Wait::Head => limits.head_ms,
        Wait::Body => limits.pace_ms,
        Wait::Handler => limits.handler_ms,
        Wait::Send => limits.send_ms,
        Wait::Idle => limits.idle_ms,
        Wait::Linger => limits.linger_ms,
    }
}

fn earlier(a: u32, b: u32) -> u32 {
    if is_before(a, b) { a } else { b }
}
