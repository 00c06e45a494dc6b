//! Plays a vector against a server over TCP. Every wait in here is bounded.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::judge::{Verdict, judge};
use super::response::{Observation, ResponseStream, State};
use super::vector::{Condition, FloodEnd, Run, Step, Vector};

/// How the bytes of a vector are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// As the steps say.
    Whole,
    /// The single step in two parts, once for each place to cut.
    Split,
    /// One byte at a time.
    Bytes,
}

impl Mode {
    /// Whether the vector is played in this mode.
    pub fn plays(self, vector: &Vector) -> bool {
        match self {
            Self::Whole => !vector.splits,
            Self::Split => vector.splits,
            Self::Bytes => {
                let simple =
                    |step: &Step| matches!(step, Step::Send { .. } | Step::Shut | Step::Pause(_));
                !vector.splits
                    && !vector.not_bytewise
                    && vector.run == Run::Parallel
                    && vector.steps.iter().all(simple)
            }
        }
    }
}

/// How long the client waits for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Silence after which a connection counts as open and a server as having said all.
    pub settle: Duration,
    /// For all answers to come.
    pub limit: Duration,
    /// Further wait for a close or a late answer, before a case fails.
    pub grace: Duration,
    /// In which a slow client has to be dropped.
    pub slow_limit: Duration,
    /// Without the server taking a byte, after which the client gives up sending.
    pub stall: Duration,
    /// Between the two parts of a split.
    pub split_gap: Duration,
    /// Between two single bytes.
    pub byte_gap: Duration,
    /// How many cases are played at once.
    pub jobs: usize,
    /// Whether a failed case is played again, and then once more alone: what counts is that the
    /// server is right, not that this machine was busy.
    pub again: bool,
}

impl Default for Pace {
    /// For a server on the same machine: far above its answer time, which is below a
    /// millisecond, and short enough for 472 cases in a few minutes.
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(350),
            limit: Duration::from_secs(4),
            grace: Duration::from_millis(1500),
            slow_limit: Duration::from_secs(15),
            stall: Duration::from_secs(6),
            split_gap: Duration::from_millis(4),
            byte_gap: Duration::from_micros(300),
            jobs: 8,
            again: true,
        }
    }
}

/// Time for a connection to be accepted, and for the `await` step; the same as [`Pace::limit`]
/// by default, but not shortened with it: `await` waits for an answer that has to come.
const PATIENCE: Duration = Duration::from_secs(4);

/// Bytes taken in one read: more than a socket's receive part holds at once, mostly.
const READ_BYTES: usize = 1 << 18;

/// Plays a vector once and tells what was seen. `cut` is the place to cut in [`Mode::Split`].
///
/// # Errors
/// The server could not be reached.
pub fn play(
    addr: SocketAddr,
    vector: &Vector,
    mode: Mode,
    cut: usize,
    pace: &Pace,
) -> io::Result<Observation> {
    let mut client = Client::connect(addr, &vector.methods, pace)?;
    let mut held = Vec::new();
    for step in &vector.steps {
        match step {
            Step::Send { unread, .. } => {
                let data = step.bytes().unwrap_or_default();
                match mode {
                    Mode::Split => {
                        let (first, second) = data.split_at(cut.min(data.len()));
                        client.send(first, true);
                        client.pause(pace.split_gap);
                        client.send(second, true);
                    }
                    Mode::Bytes => {
                        for byte in data.chunks(1) {
                            client.send(byte, !unread);
                            sleep(pace.byte_gap);
                        }
                    }
                    Mode::Whole => client.send(&data, !unread),
                }
            }
            Step::Repeat { unread, .. } | Step::Count { unread, .. } => {
                client.send(&step.bytes().unwrap_or_default(), !unread);
            }
            Step::Chunks { .. } => client.send(&step.bytes().unwrap_or_default(), true),
            Step::Pause(time) => client.pause(*time),
            Step::Await(responses) => client.read_until(PATIENCE, |o| o.finals.len() >= *responses),
            Step::AwaitInterim(time) => {
                client.read_until(*time, |o| !o.interims.is_empty() || !o.finals.is_empty());
            }
            Step::Shut => client.shut(),
            Step::Reset => {
                client.reset();
                return Ok(Observation {
                    state: State::Gone,
                    ..Observation::new()
                });
            }
            Step::Drip { text, every } => {
                let end = Instant::now() + pace.slow_limit;
                for byte in text.bytes().iter().cycle() {
                    if client.state() != State::Open || Instant::now() >= end {
                        break;
                    }
                    client.send(&[*byte], true);
                    client.pause(*every);
                }
            }
            Step::Idle => client.read_until(pace.slow_limit, |_| false),
            Step::Flood {
                connections,
                text,
                end,
            } => {
                held = flood(addr, *connections, &text.bytes(), *end, pace);
            }
        }
    }
    settle(&mut client, vector, mode, pace);
    drop(held);
    Ok(client.stream.into_observation())
}

/// Waits for the answers, then for silence, then (if all is not well) for the grace.
fn settle(client: &mut Client<'_>, vector: &Vector, mode: Mode, pace: &Pace) {
    let alternatives = || vector.pass.iter().chain(&vector.warn);
    let wanted = alternatives()
        .flat_map(|a| &a.conditions)
        .map(|condition| match condition {
            Condition::Status(each) => each.len(),
            Condition::Every(number, _) | Condition::AtLeast(number) => *number,
            _ => 0,
        });
    let wanted = wanted.max().unwrap_or(0).max(1);
    // Nothing may come at all: then there is no sense in a long wait for it.
    let may_stay_silent = alternatives().any(|a| {
        a.conditions.contains(&Condition::Silent) && a.conditions.contains(&Condition::Open)
    });
    let limit = if may_stay_silent {
        2 * pace.settle
    } else {
        vector.limit.unwrap_or(pace.limit)
    };
    client.read_until(limit, |o| o.finals.len() >= wanted);
    let passes = |client: &Client<'_>| {
        judge(vector, client.stream.observation(), unix_seconds()).verdict == Verdict::Pass
    };
    if mode == Mode::Split && passes(client) {
        return; // hundreds of places to cut; what comes late is seen in the other modes
    }
    // Time to close, or to send something that must not come.
    client.read_until(pace.settle, |_| false);
    if !passes(client) {
        client.read_until(vector.grace.unwrap_or(pace.grace), |_| false);
    }
}

/// Opens connections until the number is reached or the server takes no more.
fn flood<'p>(
    addr: SocketAddr,
    connections: usize,
    text: &[u8],
    end: FloodEnd,
    pace: &'p Pace,
) -> Vec<Client<'p>> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let Ok(mut client) = Client::connect(addr, &[], pace) else {
            break;
        };
        client.send(text, true);
        clients.push(client);
    }
    match end {
        FloodEnd::Close => clients.clear(),
        FloodEnd::Reset => clients.drain(..).for_each(Client::reset_away),
        // So that the server has seen them before the case goes on.
        FloodEnd::Hold => sleep(Duration::from_millis(300)),
    }
    clients
}

/// Whether the server answers `GET /health` with HTTP.
pub fn answers(addr: SocketAddr, pace: &Pace) -> bool {
    let Ok(mut client) = Client::connect(addr, &[], pace) else {
        return false;
    };
    client.send(
        b"GET /health HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n",
        true,
    );
    client.read_until(Duration::from_secs(5), |o| !o.finals.is_empty());
    let seen = client.stream.observation();
    !seen.finals.is_empty() && seen.bad.is_none()
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// One connection. It reads while it sends, so that an early answer is not lost to a reset.
#[derive(Debug)]
struct Client<'p> {
    socket: TcpStream,
    stream: ResponseStream,
    shut: bool,
    pace: &'p Pace,
    scratch: Vec<u8>,
}

impl<'p> Client<'p> {
    fn connect(addr: SocketAddr, methods: &[String], pace: &'p Pace) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&addr, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let stream = ResponseStream::new(methods);
        Ok(Self {
            socket,
            stream,
            shut: false,
            pace,
            scratch: Vec::new(),
        })
    }

    fn state(&self) -> State {
        self.stream.observation().state
    }

    /// Waits for any of the events, at most so long; none if nothing happened.
    fn ready(&self, events: PollFlags, wait: Duration) -> PollFlags {
        let fd = self.socket.as_fd();
        let mut fds = [PollFd::new(&fd, events)];
        let timeout = Timespec::try_from(wait).ok();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => fds[0].revents(),
            Err(_) => PollFlags::empty(), // interrupted: the caller looks at the clock
        }
    }

    /// One attempt to read; true when bytes came.
    fn read(&mut self, wait: Duration) -> bool {
        if self.state() != State::Open || self.ready(PollFlags::IN, wait).is_empty() {
            return false;
        }
        self.scratch.resize(READ_BYTES, 0);
        match self.socket.read(&mut self.scratch) {
            Ok(0) => self.stream.end(State::Closed),
            Ok(read) => {
                self.stream.push(&self.scratch[..read]);
                return true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.stream.end(State::Reset),
        }
        false
    }

    /// Reads until the condition holds, the connection ends, the bytes are no HTTP, or the time
    /// is over.
    fn read_until(&mut self, time: Duration, done: impl Fn(&Observation) -> bool) {
        let end = Instant::now() + time;
        loop {
            let seen = self.stream.observation();
            let left = end.saturating_duration_since(Instant::now());
            if seen.state != State::Open || left.is_zero() || done(seen) {
                return;
            }
            if seen.bad.is_some() {
                // Nothing more will be understood, but a close may still be seen.
                self.pause(left.min(self.pace.settle));
                return;
            }
            self.read(left);
        }
    }

    /// Lets time pass, reading.
    fn pause(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            if self.state() == State::Open {
                self.read(left);
            } else {
                sleep(left);
            }
        }
    }

    fn send(&mut self, data: &[u8], reading: bool) {
        let mut rest = data;
        let mut progress = Instant::now();
        while !rest.is_empty() && self.state() == State::Open && !self.shut {
            let events = if reading {
                PollFlags::IN | PollFlags::OUT
            } else {
                PollFlags::OUT
            };
            let ready = self.ready(events, Duration::from_millis(200));
            if reading && ready.contains(PollFlags::IN) {
                self.read(Duration::ZERO);
                if self.state() != State::Open {
                    return;
                }
            }
            if ready.intersects(PollFlags::OUT | PollFlags::ERR | PollFlags::HUP) {
                match self.socket.write(rest) {
                    Ok(sent) if sent > 0 => {
                        rest = &rest[sent..];
                        progress = Instant::now();
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => {
                        // Refused bytes do not make the answer unreadable that came before.
                        while self.read(Duration::from_millis(200)) {}
                        if self.state() == State::Open {
                            self.stream.end(State::Reset);
                        }
                        return;
                    }
                }
            }
            if progress.elapsed() > self.pace.stall {
                return;
            }
        }
    }

    fn shut(&mut self) {
        self.shut = true;
        // An error says that the server was faster, which the next read tells better.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Makes the coming close a reset.
    fn reset(&mut self) {
        // Without the option the close is an orderly one: the case is then weaker, but not wrong.
        let _ = rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    fn reset_away(mut self) {
        self.reset();
    }
}
