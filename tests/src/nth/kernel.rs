//! The kernel: tables, a clock that moves only when nothing else does, and one call that fails.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use barewire_core::driver::{Address, Event, Instant, Kernel, LISTENER, Trouble, WAKER};

use super::fault::{Call, Effect, Fuse};
use super::line::{Line, Stage, Visit};

/// Milliseconds of a leap of the clock: longer than any deadline.
const LEAP_MS: u64 = 3_600_000;

/// A descriptor. Who drops it without closing it is noticed.
#[derive(Debug)]
pub(super) struct Socket {
    line: usize,
    closed: bool,
    dropped: Rc<Cell<u32>>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.closed {
            self.dropped.set(self.dropped.get() + 1);
        }
    }
}

#[derive(Debug)]
pub(super) struct Tables {
    fuse: Fuse,
    now: Cell<Instant>,
    pub(super) lines: Vec<Line>,
    backlog: VecDeque<usize>,
    listens: bool,
    listener_edge: bool,
    /// Points in time when a wake-up comes from outside, and when another worker goes to sleep.
    wake: Option<Instant>,
    pub(super) other_sleeps: Option<Instant>,
    /// A wait without an end in which nothing can happen any more.
    pub(super) stuck: bool,
    /// Sockets that were dropped and not closed.
    pub(super) dropped: Rc<Cell<u32>>,
}

impl Tables {
    pub(super) fn new(
        fuse: Fuse,
        visits: &[Visit],
        wake_ms: Option<u64>,
        other_ms: Option<u64>,
    ) -> Tables {
        Tables {
            fuse,
            // The start of the clock is nobody's business, and 0 is an edge case of its own.
            now: Cell::new(Instant(0)),
            lines: visits.iter().map(Line::new).collect(),
            backlog: VecDeque::new(),
            listens: true,
            listener_edge: false,
            wake: wake_ms.map(Instant::from_millis),
            other_sleeps: other_ms.map(Instant::from_millis),
            stuck: false,
            dropped: Rc::default(),
        }
    }

    pub(super) fn time(&self) -> Instant {
        self.now.get()
    }

    /// Whether everybody has come and gone.
    pub(super) fn is_over(&self) -> bool {
        self.lines.iter().all(Line::is_over)
    }

    pub(super) fn strike_all(&mut self) {
        self.lines.iter_mut().for_each(|line| line.struck = true);
    }

    pub(super) fn strike(&mut self, token: u64) {
        for line in &mut self.lines {
            line.struck |= line.token == Some(token);
        }
    }

    fn advance(&mut self) {
        let now = self.now.get();
        for (at, line) in self.lines.iter_mut().enumerate() {
            if line.advance(now) {
                match self.listens {
                    true => {
                        self.backlog.push_back(at);
                        self.listener_edge = true;
                    }
                    false => line.leave(),
                }
            }
        }
    }

    fn collect(&mut self, events: &mut [Event]) -> usize {
        let mut count = 0;
        let mut put = |event| match events.get_mut(count) {
            Some(place) => {
                *place = event;
                count += 1;
            }
            None => panic!("more events than a poll has room for: use fewer clients"),
        };
        let plain = |token| Event {
            token,
            readable: true,
            ..Event::default()
        };
        if std::mem::take(&mut self.listener_edge) {
            put(plain(LISTENER));
        }
        if self.wake.is_some_and(|at| at <= self.now.get()) {
            self.wake = None;
            put(plain(WAKER));
        }
        self.lines
            .iter_mut()
            .filter_map(Line::take_event)
            .for_each(put);
        count
    }

    /// The next point in time at which anything happens by itself.
    fn due(&self) -> Option<Instant> {
        let now = self.now.get();
        let lines = self.lines.iter().filter_map(Line::due);
        let all = lines.chain(self.wake).chain(self.other_sleeps);
        all.filter(|at| *at > now).min()
    }

    fn line(&mut self, socket: &Socket) -> &mut Line {
        &mut self.lines[socket.line]
    }

    /// A receive or a send that fails so.
    fn break_off(&mut self, socket: &Socket, effect: Effect, writing: bool) -> Trouble {
        let line = self.line(socket);
        match effect {
            Effect::Later => {
                line.put_off(writing);
                Trouble::WouldBlock
            }
            Effect::Fail(Trouble::Interrupted) => Trouble::Interrupted,
            Effect::Fail(trouble) => {
                line.struck = true;
                line.reset |= trouble == Trouble::Lost;
                trouble
            }
            other => panic!("no such failure of a transfer: {other:?}"),
        }
    }
}

impl Kernel for Tables {
    type Socket = Socket;
    type Error = &'static str;

    fn poll(
        &mut self,
        events: &mut [Event],
        until: Option<Instant>,
    ) -> Result<usize, &'static str> {
        match self.fuse.pass(Call::Poll) {
            Some(Effect::NoEvents) => return Ok(0),
            Some(Effect::Fatal) => {
                self.strike_all();
                return Err("polling is over");
            }
            Some(_) => {
                self.listener_edge = self.listens;
                for line in &mut self.lines {
                    line.readable = true;
                    line.writable = true;
                }
            }
            None => {}
        }
        self.advance();
        let mut count = self.collect(events);
        if count == 0 && until.is_none_or(|until| until > self.now.get()) {
            match until.into_iter().chain(self.due()).min() {
                Some(next) => self.now.set(next),
                None => self.stuck = true,
            }
            self.advance();
            count = self.collect(events);
        }
        Ok(count)
    }

    fn accept(&mut self) -> Result<(Socket, Address), Trouble> {
        match self.fuse.pass(Call::Accept) {
            Some(Effect::Later) => {
                self.listener_edge = true;
                return Err(Trouble::WouldBlock);
            }
            Some(Effect::Fail(trouble)) => {
                // That connection is gone; of any other error the backlog knows nothing.
                if trouble == Trouble::Aborted
                    && let Some(at) = self.backlog.pop_front()
                {
                    self.lines[at].struck = true;
                    self.lines[at].leave();
                }
                return Err(trouble);
            }
            Some(other) => panic!("no such failure of an accept: {other:?}"),
            None => {}
        }
        if !self.listens {
            return Err(Trouble::WouldBlock);
        }
        let at = self.backlog.pop_front().ok_or(Trouble::WouldBlock)?;
        self.lines[at].stage = Stage::Open;
        self.lines[at].accepted = true;
        let socket = Socket {
            line: at,
            closed: false,
            dropped: self.dropped.clone(),
        };
        Ok((socket, Address::default()))
    }

    fn register(&mut self, socket: &Socket, token: u64) -> Result<(), Trouble> {
        if let Some(Effect::Fail(trouble)) = self.fuse.pass(Call::Register) {
            self.line(socket).struck = true;
            return Err(trouble);
        }
        self.line(socket).watch(token);
        Ok(())
    }

    fn recv(&mut self, socket: &Socket, into: &mut [u8]) -> Result<usize, Trouble> {
        assert!(!into.is_empty(), "a receive of nothing");
        let most = match self.fuse.pass(Call::Recv) {
            None => usize::MAX,
            Some(Effect::OneByte) => 1,
            Some(effect) => return Err(self.break_off(socket, effect, false)),
        };
        let line = self.line(socket);
        match line.reset {
            true => Err(Trouble::Lost),
            false => line.recv(into, most).ok_or(Trouble::WouldBlock),
        }
    }

    fn send(&mut self, socket: &Socket, from: &[u8]) -> Result<usize, Trouble> {
        assert!(!from.is_empty(), "a send of nothing");
        let most = match self.fuse.pass(Call::Send) {
            None => usize::MAX,
            Some(Effect::OneByte) => 1,
            Some(effect) => return Err(self.break_off(socket, effect, true)),
        };
        let line = self.line(socket);
        match line.reset {
            true => Err(Trouble::Lost),
            false => line.send(from, most).ok_or(Trouble::WouldBlock),
        }
    }

    fn shutdown(&mut self, socket: &Socket) {
        if self.fuse.pass(Call::Shutdown).is_none() {
            self.line(socket).shut();
        }
    }

    fn close(&mut self, mut socket: Socket, _: bool) {
        let _ = self.fuse.pass(Call::Close);
        socket.closed = true;
        let line = self.line(&socket);
        line.closes += 1;
        line.leave();
    }

    fn stop_listening(&mut self) {
        let _ = self.fuse.pass(Call::StopListening);
        self.listens = false;
        for at in self.backlog.drain(..) {
            self.lines[at].leave();
        }
    }

    fn local(&self, _: &Socket) -> Option<Address> {
        match self.fuse.pass(Call::Local) {
            None => Some(Address::default()),
            Some(_) => None,
        }
    }

    fn now(&self) -> Instant {
        if self.fuse.pass(Call::Now).is_some() {
            let nanos = Instant::from_millis(LEAP_MS).0;
            self.now.set(Instant(self.now.get().0 + nanos));
        }
        self.now.get()
    }
}
