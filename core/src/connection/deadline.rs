//! Which deadline runs, and has it passed: the arithmetic, shared by the worker and by whoever
//! embeds the core. Time is an argument.

use super::{Connection, Wait};
use crate::buffer::RecvBuffer;
use crate::limits::Limits;

/// The deadline of one connection, in milliseconds of the embedding's clock (wrapping at 32 bits:
/// 49 days; no deadline is longer than half of that).
///
/// Call [`watch`](Self::watch) after every step that waits. It stores only when something else is
/// waited for, so that a timer needs one store per request: let it hang where it hangs, and when
/// it fires ask [`check`](Self::check), which says when to come back.
// Packed to its 14 bytes: the two that alignment would add cost each idle peer of the server eight.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(2))]
pub struct Deadline {
    due_ms: u32,
    /// When the request at hand must be complete.
    request_ms: u32,
    /// Bytes received at the start of the pace window.
    mark: u32,
    wait: Option<Wait>,
    /// Which request of the connection.
    request: u8,
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
            request_ms: 0,
            mark: 0,
            wait: None,
            request: 0,
        }
    }

    /// Notes that a new connection waits for its first byte, and says when that is due: for an
    /// embedding that gives it no buffers before.
    pub fn first_byte(&mut self, limits: &Limits, now_ms: u32) -> u32 {
        self.due_ms = now_ms.wrapping_add(limits.first_byte_ms);
        self.wait = Some(Wait::FirstByte);
        self.due_ms
    }

    /// Notes what `connection` waits for now, and says when it is due.
    pub fn watch(
        &mut self,
        connection: &Connection,
        rx: &RecvBuffer,
        limits: &Limits,
        now_ms: u32,
    ) -> u32 {
        let wait = connection.waiting_for();
        let request = connection.requests();
        if self.wait == Some(wait) && self.request == request {
            if wait == Wait::Body {
                self.pace(connection, rx, limits, now_ms);
            }
            return self.due_ms;
        }
        let began = self.wait != Some(Wait::Head) && wait == Wait::Head;
        if began || self.request != request {
            self.request_ms = match self.wait {
                // The head that was waited for is complete: its clock runs on.
                Some(Wait::Head) if !began => self.request_ms,
                _ => now_ms.wrapping_add(limits.request_ms),
            };
        }
        let allowed = match wait {
            Wait::FirstByte => limits.first_byte_ms,
            Wait::Head => limits.head_ms,
            Wait::Body => limits.pace_ms,
            Wait::Handler => limits.handler_ms,
            Wait::Send => limits.send_ms,
            Wait::Idle => limits.idle_ms,
            Wait::Linger => limits.linger_ms,
        };
        self.due_ms = now_ms.wrapping_add(allowed);
        if wait == Wait::Head || (wait == Wait::Body && !connection.is_streaming()) {
            self.due_ms = earlier(self.due_ms, self.request_ms);
        }
        self.mark = rx.total();
        self.wait = Some(wait);
        self.request = request;
        self.due_ms
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
    fn pace(&mut self, connection: &Connection, rx: &RecvBuffer, limits: &Limits, now_ms: u32) {
        let came = u64::from(rx.total().wrapping_sub(self.mark)).saturating_mul(1000);
        let least = u64::from(limits.body_rate_min).saturating_mul(u64::from(limits.pace_ms));
        if came >= least {
            self.mark = rx.total();
            self.due_ms = now_ms.wrapping_add(limits.pace_ms);
            if !connection.is_streaming() {
                self.due_ms = earlier(self.due_ms, self.request_ms);
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

fn earlier(a: u32, b: u32) -> u32 {
    if is_before(a, b) { a } else { b }
}
