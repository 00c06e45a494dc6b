//! One thread of the load client: many connections, one event loop, one read and one write per batch.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events as Ready, Interest, Poll, Token};

use super::check::Events;
use super::client::{Client, Fault, Sent, Tally};
use super::control::plain;
use super::job::{Job, Outcome, SetupError};

/// Bytes of one read: 400 answers of the usual size, and it stays in the second-level cache.
const READ_BYTES: usize = 64 * 1024;
/// Connections being opened at once, and between two pauses: half the listen backlog of 128 that many servers ask for.
/// The system completes a connection before the server accepts it, so waiting for completion alone overran backlogs;
/// what is overrun tries again only a second later.
const OPENING_MAX: usize = 64;
/// The pause in which a server accepts what it was given.
const OPENING_PAUSE: Duration = Duration::from_millis(1);
/// Broken connections per thread before the run is given up: enough to show a pattern.
const BROKEN_MAX: u64 = 100;
/// Different faults that are told in words, per thread.
const FAULTS_TOLD_MAX: usize = 5;
/// How long a finished connection listens for answers too many, after the last one of the run.
const LISTEN_ON: Duration = Duration::from_millis(250);
/// How long a server that announced the close may take to close.
const LEAVE: Duration = Duration::from_secs(1);
/// Deadlines are looked at this often.
const SCAN: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No socket; opened when there is work.
    Down,
    Connecting,
    Open,
    /// The server announced the close and may still take a moment.
    Leaving,
    /// All of ours is answered: our side is shut, nothing more may come.
    Finishing,
    Finished,
}

struct Seat {
    client: Client,
    state: State,
    stream: Option<TcpStream>,
    /// What a short write left over.
    pending: Vec<u8>,
    /// When something last happened, ns of the run's clock.
    since_ns: u64,
    /// Stands in the queue for the pace.
    waiting: bool,
}

struct Worker<'a> {
    job: &'a Job<'a>,
    poll: Poll,
    seats: Vec<Seat>,
    /// Seats that would send if the pace let them.
    waiting: VecDeque<usize>,
    /// Requests that the pace allows now.
    budget: u64,
    paced: u64,
    started: bool,
    given_up: bool,
    connecting: usize,
    read_buffer: Box<[u8]>,
    write_buffer: Vec<u8>,
    outcome: Outcome,
}

/// Connects, waits for the others, then sends and checks until all requests are answered or `stop` is set.
pub(crate) fn work(job: &Job<'_>) -> Result<Outcome, SetupError> {
    let ready = Worker::new(job).and_then(|mut worker| {
        worker.connect_all()?;
        Ok(worker)
    });
    if ready.is_err() {
        job.stop.store(true, Ordering::SeqCst);
    }
    job.gate.wait();
    let mut worker = ready?;
    worker.run()?;
    Ok(worker.outcome)
}

impl<'a> Worker<'a> {
    fn new(job: &'a Job<'a>) -> Result<Worker<'a>, SetupError> {
        let seat = || Seat {
            client: Client::new(job.pipeline),
            state: State::Down,
            stream: None,
            pending: Vec::new(),
            since_ns: 0,
            waiting: false,
        };
        Ok(Worker {
            job,
            poll: Poll::new()?,
            seats: (0..job.connections).map(|_| seat()).collect(),
            waiting: VecDeque::with_capacity(job.connections),
            budget: if job.pace.is_some() { 0 } else { u64::MAX },
            paced: 0,
            started: false,
            given_up: false,
            connecting: 0,
            read_buffer: vec![0; READ_BYTES].into_boxed_slice(),
            write_buffer: Vec::with_capacity(job.pipeline * job.plan.request_bytes_max()),
            outcome: Outcome {
                tally: Tally::new(),
                begun_ns: 0,
                connects: 0,
                reconnects: 0,
                resent: 0,
                lost: 0,
                broken: 0,
                faults: Vec::new(),
            },
        })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.job.clock.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn stopped(&self) -> bool {
        self.job.stop.load(Ordering::Relaxed)
    }

    fn connect_all(&mut self) -> Result<(), SetupError> {
        let mut ready = Ready::with_capacity(1024);
        let mut opened = 0;
        while (opened < self.seats.len() || self.connecting > 0) && !self.stopped() {
            while opened < self.seats.len() && self.connecting < OPENING_MAX {
                self.connect(opened)?;
                opened += 1;
            }
            self.turn(&mut ready, SCAN)?;
            self.scan()?;
            if opened < self.seats.len() {
                std::thread::sleep(OPENING_PAUSE);
            }
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), SetupError> {
        self.started = true;
        self.outcome.begun_ns = self.now_ns();
        for i in 0..self.seats.len() {
            self.go_on(i);
        }
        let mut ready = Ready::with_capacity(1024);
        let (mut scanned, mut listen_until) = (Instant::now(), None);
        while !self.stopped() {
            self.keep_pace();
            let mut working = false;
            let mut listening = false;
            // The states change only in events and scans; a thousand of them are looked at in a microsecond or two,
            // so not on every turn.
            if scanned.elapsed() >= SCAN
                || self.job.next.load(Ordering::Relaxed) >= self.job.plan.requests
            {
                for seat in &self.seats {
                    listening |= seat.state == State::Finishing;
                    working |= !matches!(seat.state, State::Finishing | State::Finished);
                }
                if !working {
                    let until = *listen_until.get_or_insert_with(|| Instant::now() + LISTEN_ON);
                    if !listening || Instant::now() >= until {
                        break;
                    }
                }
            }
            let wait = match (self.waiting.is_empty(), working || !listening) {
                (false, _) => Duration::from_millis(1),
                (true, true) => SCAN,
                (true, false) => Duration::from_millis(10),
            };
            let turned = self.turn(&mut ready, wait);
            let scan = scanned.elapsed() >= SCAN;
            let scanned_well = if scan { self.scan() } else { Ok(()) };
            if scan {
                scanned = Instant::now();
            }
            if let Err(error) = turned.and(scanned_well) {
                self.give_up_run(format!("cannot reconnect: {error}"));
            }
        }
        for seat in &mut self.seats {
            self.outcome.lost += seat.client.give_up();
            while seat.client.take_again().is_some() {
                self.outcome.lost += 1;
            }
        }
        self.publish(Events::default());
        Ok(())
    }

    /// Ends the run for all workers. Told once: what follows is of the same cause.
    fn give_up_run(&mut self, what: String) {
        if !std::mem::replace(&mut self.given_up, true) {
            self.outcome.faults.push(what);
        }
        self.job.stop.store(true, Ordering::SeqCst);
    }

    /// Waits for events once and follows them. Errors: a connection that could not be opened.
    fn turn(&mut self, ready: &mut Ready, wait: Duration) -> Result<(), SetupError> {
        match self.poll.poll(ready, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in ready.iter() {
            if self.stopped() {
                break;
            }
            self.follow(event.token().0, event)?;
        }
        Ok(())
    }

    fn follow(&mut self, i: usize, event: &Event) -> Result<(), SetupError> {
        let Some(seat) = self.seats.get_mut(i) else {
            return Ok(());
        };
        let Some(stream) = &mut seat.stream else {
            return Ok(());
        };
        if seat.state == State::Connecting {
            if let Some(error) = stream.take_error()? {
                return Err(error.into());
            }
            match stream.peer_addr() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            stream.set_nodelay(true)?;
            seat.state = State::Open;
            self.connecting -= 1;
        } else if event.is_writable() && !seat.pending.is_empty() {
            // An error shows again in the read below.
            if let Ok(written) = stream.write(&seat.pending) {
                seat.pending.drain(..written);
            }
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            // Data and the end share an edge; and only Unix lets a short read stand for "empty".
            self.read(
                i,
                event.is_read_closed() || event.is_error() || cfg!(not(unix)),
            );
        }
        self.go_on(i);
        Ok(())
    }

    /// Reads until the socket is empty. Unless `to_the_end`, a short read is taken to have emptied it.
    fn read(&mut self, i: usize, to_the_end: bool) {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        while let Some(stream) = self.seats[i].stream.as_mut() {
            match stream.read(&mut buffer) {
                Ok(0) => self.ended(i, None),
                Ok(got) => {
                    let now = self.now_ns();
                    let seat = &mut self.seats[i];
                    seat.since_ns = now;
                    let read = seat.client.received(
                        &buffer[..got],
                        now,
                        self.job.plan,
                        &mut self.outcome.tally,
                    );
                    if let Err(fault) = read {
                        self.broken(i, &fault);
                    } else if seat.client.closing() && seat.state == State::Open {
                        seat.state = State::Leaving;
                        seat.pending.clear();
                    }
                    if got < buffer.len() && !to_the_end {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.ended(i, Some(plain(&error))),
            }
        }
        self.read_buffer = buffer;
    }

    /// The server has closed, or had long enough to.
    fn ended(&mut self, i: usize, error: Option<String>) {
        let now = self.now_ns();
        let seat = &mut self.seats[i];
        match seat
            .client
            .ended(error, now, self.job.plan, &mut self.outcome.tally)
        {
            Ok(again) => {
                self.outcome.resent += again as u64;
                let done = matches!(seat.state, State::Finishing);
                Self::drop_socket(seat, &mut self.connecting);
                if done {
                    seat.state = State::Finished;
                }
            }
            Err(fault) => self.broken(i, &fault),
        }
    }

    fn broken(&mut self, i: usize, fault: &Fault) {
        let seat = &mut self.seats[i];
        let done = matches!(seat.state, State::Finishing);
        self.outcome.lost += seat.client.give_up();
        Self::drop_socket(seat, &mut self.connecting);
        if done {
            seat.state = State::Finished;
        }
        self.outcome.broken += 1;
        let told = fault.to_string();
        if self.outcome.faults.len() < FAULTS_TOLD_MAX && !self.outcome.faults.contains(&told) {
            self.outcome.faults.push(told);
        }
        if self.outcome.broken >= BROKEN_MAX {
            self.give_up_run(format!("gave up after {BROKEN_MAX} broken connections"));
        }
    }

    /// Dropping the stream closes it, and with it goes its registration.
    fn drop_socket(seat: &mut Seat, connecting: &mut usize) {
        *connecting -= usize::from(seat.state == State::Connecting);
        seat.stream = None;
        seat.pending.clear();
        seat.state = State::Down;
    }

    fn connect(&mut self, i: usize) -> Result<(), SetupError> {
        let mut stream = TcpStream::connect(self.job.address)?;
        // Both at once and for good: edges cost nothing while nothing changes.
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(i), both)?;
        let now = self.now_ns();
        let seat = &mut self.seats[i];
        seat.stream = Some(stream);
        seat.state = State::Connecting;
        seat.since_ns = now;
        self.connecting += 1;
        self.outcome.connects += 1;
        self.outcome.reconnects += u64::from(self.started);
        Ok(())
    }

    /// Does what the seat can do now: sends, reconnects to send, or finishes.
    fn go_on(&mut self, i: usize) {
        let seat = &mut self.seats[i];
        if !self.started || !matches!(seat.state, State::Open | State::Down) {
            return;
        }
        let room = self.job.pipeline - seat.client.unanswered();
        if room == 0 || !seat.pending.is_empty() {
            return;
        }
        let none_left = self.job.next.load(Ordering::Relaxed) >= self.job.plan.requests;
        if none_left && !seat.client.has_again() {
            if seat.client.unanswered() == 0 {
                self.finish(i);
            }
        } else if self.budget == 0 {
            if !seat.waiting {
                seat.waiting = true;
                self.waiting.push_back(i);
            }
        } else if seat.state == State::Open {
            self.send(i, room);
        } else if let Err(error) = self.connect(i) {
            self.give_up_run(format!("cannot reconnect: {error}"));
        }
    }

    /// Renders up to `room` requests and offers them to the socket in one write.
    fn send(&mut self, i: usize, room: usize) {
        let now = self.now_ns();
        let Job { plan, next, .. } = self.job;
        let seat = &mut self.seats[i];
        let wanted = (room as u64).min(self.budget);
        self.write_buffer.clear();
        let mut taken = 0;
        while taken < wanted
            && let Some(index) = seat.client.take_again()
        {
            plan.render(index, &mut self.write_buffer);
            seat.client.sent(Sent { index, at_ns: now });
            taken += 1;
        }
        let mut new = Events::default();
        if taken < wanted {
            let from = next
                .fetch_add(wanted - taken, Ordering::Relaxed)
                .min(plan.requests);
            let to = (from + (wanted - taken)).min(plan.requests);
            for index in from..to {
                plan.render(index, &mut self.write_buffer);
                seat.client.sent(Sent { index, at_ns: now });
                new.add(Events {
                    count: 1,
                    halves: plan.halves(index),
                });
            }
            taken += to - from;
        }
        if self.job.pace.is_some() {
            self.budget -= taken;
        }
        if self.write_buffer.is_empty() {
            return self.go_on(i); // another thread took the last request
        }
        self.publish(new);
        let seat = &mut self.seats[i];
        seat.since_ns = now;
        let Some(stream) = seat.stream.as_mut() else {
            return;
        };
        // A failed write needs no answer here: the read side tells what happened, with whatever was answered before.
        let written = match stream.write(&self.write_buffer) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => self.write_buffer.len(),
        };
        seat.pending
            .extend_from_slice(&self.write_buffer[written..]);
    }

    fn publish(&self, sent: Events) {
        let mut ledger = self
            .job
            .ledger
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ledger.sent.add(sent);
        ledger.answered = self.outcome.tally.ok;
    }

    /// Everything is answered. The write side is shut, so that the server closes, and answers too many are still heard.
    fn finish(&mut self, i: usize) {
        let seat = &mut self.seats[i];
        let shut = seat
            .stream
            .as_ref()
            .map(|stream| stream.shutdown(Shutdown::Write));
        seat.state = match shut {
            Some(Ok(())) => State::Finishing,
            _ => State::Finished,
        };
    }

    /// Hands out what the pace allows by now.
    fn keep_pace(&mut self) {
        let Some(pace) = self.job.pace else { return };
        let seconds = self.now_ns().saturating_sub(self.outcome.begun_ns) as f64 / 1e9;
        let due = (pace * seconds) as u64;
        self.budget += due.saturating_sub(self.paced);
        self.paced = self.paced.max(due);
        while self.budget > 0
            && let Some(i) = self.waiting.pop_front()
        {
            self.seats[i].waiting = false;
            self.go_on(i);
        }
        if self.job.next.load(Ordering::Relaxed) >= self.job.plan.requests {
            // Nothing is left to wait for: let them finish.
            for i in std::mem::take(&mut self.waiting) {
                self.seats[i].waiting = false;
                self.go_on(i);
            }
        }
    }

    fn scan(&mut self) -> Result<(), SetupError> {
        let now = self.now_ns();
        for i in 0..self.seats.len() {
            let seat = &self.seats[i];
            let quiet = Duration::from_nanos(now.saturating_sub(seat.since_ns));
            let unanswered = seat.client.unanswered();
            match seat.state {
                State::Connecting if quiet > self.job.timeout => {
                    return Err(SetupError::Other(
                        "a connection was not accepted in time".to_owned(),
                    ));
                }
                State::Open if unanswered > 0 && quiet > self.job.timeout => {
                    self.broken(i, &Fault::Silence { unanswered });
                    self.go_on(i);
                }
                State::Leaving if quiet > LEAVE => {
                    self.ended(i, None);
                    self.go_on(i);
                }
                // Another connection may have taken the last request since this one looked.
                State::Open | State::Down => self.go_on(i),
                _ => {}
            }
        }
        Ok(())
    }
}
