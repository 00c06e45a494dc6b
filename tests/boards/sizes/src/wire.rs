//! A transport without a network: requests that lie in flash come in pieces, answers are looked at
//! and dropped. The same for all servers.

use core::sync::atomic::{AtomicU32, Ordering};

/// Milliseconds; a turn of the loop each. Deadlines of all servers are kept by it.
pub static NOW_MS: AtomicU32 = AtomicU32::new(0);

/// The time now.
pub fn now_ms() -> u32 {
    NOW_MS.load(Ordering::Relaxed)
}

/// Bytes that come at a time at most.
const PIECE: usize = 24;

/// Bytes of the transport's own buffer for what goes: one packet.
const SEND_BYTES: usize = 256;

/// What each client says, one request after the other.
const REQUESTS: [&[u8]; 5] = [
    b"GET / HTTP/1.1\r\nHost: board\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
    b"POST /event HTTP/1.1\r\nHost: board\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
      Content-Type: application/json\r\nContent-Length: 28\r\n\r\n\
      {\"userId\":\"ann\",\"value\":1.5}",
    b"GET /stats HTTP/1.1\r\nHost: board\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
    b"GET /none HTTP/1.1\r\nHost: board\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: board\r\nConnection: close\r\n\r\n",
];

/// One connection.
pub struct Wire {
    nth: usize,
    at: usize,
    is_ready: bool,
    send: [u8; SEND_BYTES],
    judge: Judge,
}

/// Counts answers by their status lines, and bytes.
struct Judge {
    matched: usize,
    good: u32,
    bad: u32,
    bytes: u32,
}

const BEGIN: &[u8] = b"HTTP/1.1 ";

impl Judge {
    fn look(&mut self, byte: u8) {
        self.bytes += 1;
        if self.matched == BEGIN.len() {
            self.good += u32::from(byte == b'2');
            self.bad += u32::from(byte == b'4');
            self.matched = 0;
        } else if BEGIN.get(self.matched) == Some(&byte) {
            self.matched += 1;
        } else {
            self.matched = 0;
        }
    }
}

impl Wire {
    /// A connection on which nothing was said yet.
    pub const fn new() -> Self {
        Wire {
            nth: 0,
            at: 0,
            is_ready: false,
            send: [0; SEND_BYTES],
            judge: Judge {
                matched: 0,
                good: 0,
                bad: 0,
                bytes: 0,
            },
        }
    }

    /// Takes bytes that have come: how many, or 0 at their end. `None`, every other time: not yet.
    #[inline(never)]
    pub fn recv(&mut self, space: &mut [u8]) -> Option<usize> {
        self.is_ready = !self.is_ready;
        if self.is_ready {
            return None;
        }
        let Some(rest) = REQUESTS.get(self.nth).and_then(|all| all.get(self.at..)) else {
            return Some(0);
        };
        let n = rest.len().min(space.len()).min(PIECE);
        for (to, from) in space.iter_mut().zip(rest).take(n) {
            *to = *from;
        }
        self.at += n;
        if n == rest.len() {
            (self.nth, self.at) = (self.nth + 1, 0);
        }
        Some(n)
    }

    /// Takes some of `bytes` to be sent.
    #[inline(never)]
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(SEND_BYTES);
        for (to, from) in self.send.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.sent(n);
        n
    }

    /// The transport's own buffer, to be written into; then say [`sent`](Self::sent).
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.send
    }

    /// The first `n` bytes of it are to be sent.
    #[inline(never)]
    pub fn sent(&mut self, n: usize) {
        for byte in self.send.iter().take(n) {
            self.judge.look(*byte);
        }
    }

    /// Answers with a status of 2xx, of 4xx, and bytes of all answers.
    pub fn answers(&self) -> (u32, u32, u32) {
        (self.judge.good, self.judge.bad, self.judge.bytes)
    }
}

impl Default for Wire {
    fn default() -> Self {
        Self::new()
    }
}
