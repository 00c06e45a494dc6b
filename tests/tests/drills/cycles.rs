//! Ten million connections in seconds: the real worker, driver and slots over a kernel that is
//! nothing but a table of what the next call returns.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use barewire::{Addresses, Admission, App, Context, Memory, Peer, Waits, Worker};
use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::connection::{Done, Exchange};
use barewire_core::driver::{
    Address, Entry, Event, Instant, Kernel, LISTENER, Readiness, Slots, Trouble,
};
use barewire_core::limits::Limits;
use barewire_core::wheel;
use barewire_core::wire::Status;

use super::{number, say};

/// Connections; `BAREWIRE_CYCLES=n` makes it another number.
const CONNECTIONS: u64 = 10_000_000;
/// Connections at a time, places beyond them, and slots: the first and the last run out.
const OPEN_MAX: usize = 400;
const RESERVE: usize = 64;
const SLOTS: usize = 48;

/// Connections that a turn accepts at most, however many come: those inside come first.
const ACCEPTS_MAX: u64 = 64;

/// What a peer does: what it sends, and how it goes on.
const LIVES: [(&[u8], After); 10] = [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", After::End),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", After::Reset),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", After::NoAnswer),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT", After::End),
    (b"GET / HTTP/1.1\r\nHo", After::Reset),
    (b"GET / HTTP/1.1\r\nHo", After::Silence),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        After::End,
    ),
    (b"nonsense\r\n\r\n", After::End),
    (b"", After::End),
    (b"", After::Reset),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// It closes in good order.
    End,
    /// It resets.
    Reset,
    /// It has reset before the answer is sent.
    NoAnswer,
    /// Nothing, until a deadline passes.
    Silence,
}

/// A socket: the number of its connection is what makes its life. Counts itself.
struct Socket {
    place: NonZeroU32,
    open: Rc<Cell<u64>>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}

#[derive(Clone, Copy, Default)]
struct State {
    life: usize,
    said: bool,
    token: u64,
}

/// Accepts as many connections as it is asked for, and lets each live.
struct Table {
    accepted: u64,
    most: u64,
    open: Rc<Cell<u64>>,
    states: Vec<State>,
    free: Vec<NonZeroU32>,
    /// Who has something to tell at the next poll.
    due: VecDeque<(NonZeroU32, u64)>,
    now: Instant,
    /// Connections that come before the next poll.
    coming: u64,
}

impl Table {
    fn new(most: u64) -> Table {
        let places = (OPEN_MAX + RESERVE) as u32;
        Table {
            accepted: 0,
            most,
            open: Rc::default(),
            states: vec![State::default(); places as usize + 1],
            free: (1..=places).filter_map(NonZeroU32::new).collect(),
            due: VecDeque::new(),
            now: Instant(0),
            coming: 0,
        }
    }

    fn state(&mut self, socket: &Socket) -> &mut State {
        &mut self.states[socket.place.get() as usize]
    }
}

impl Kernel for Table {
    type Socket = Socket;
    type Error = Infallible;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Infallible> {
        // A millisecond a turn; if nothing happens, the next deadline.
        self.now.0 += 1_000_000;
        // Mostly as many as can be served, at times a storm.
        self.coming = match self.now.millis() % 1000 {
            0..20 => 300,
            at => at * 7 % 16,
        };
        let mut count = 0;
        while count < events.len()
            && let Some((place, token)) = self.due.pop_front()
        {
            let state = self.states[place.get() as usize];
            // Of a connection that was closed meanwhile.
            if state.token != token {
                continue;
            }
            let (bytes, after) = LIVES[state.life];
            let last = state.said || bytes.is_empty();
            events[count] = Event {
                token,
                readable: true,
                writable: true,
                ended: last && after != After::Silence,
                broken: last && after == After::Reset,
            };
            count += 1;
        }
        if count == 0 && self.accepted == self.most {
            self.now = until.unwrap_or(self.now).max(self.now);
        }
        if count < events.len() && self.accepted < self.most {
            events[count] = Event {
                token: LISTENER,
                readable: true,
                ..Event::default()
            };
            count += 1;
        }
        Ok(count)
    }

    fn accept(&mut self) -> Result<(Socket, Address), Trouble> {
        if self.accepted == self.most || self.coming == 0 {
            return Err(Trouble::WouldBlock);
        }
        self.coming -= 1;
        let place = self.free.pop().ok_or(Trouble::WouldBlock)?;
        self.states[place.get() as usize] = State {
            // In another order each time, so that any two lives follow each other.
            life: (self.accepted.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % LIVES.len(),
            said: false,
            token: 0,
        };
        self.accepted += 1;
        self.open.set(self.open.get() + 1);
        let open = self.open.clone();
        Ok((Socket { place, open }, Address::default()))
    }

    fn register(&mut self, socket: &Socket, token: u64) -> Result<(), Trouble> {
        self.state(socket).token = token;
        self.due.push_back((socket.place, token));
        Ok(())
    }

    fn recv(&mut self, socket: &Socket, into: &mut [u8]) -> Result<usize, Trouble> {
        let state = self.state(socket);
        let (bytes, after) = LIVES[state.life];
        if !state.said && !bytes.is_empty() {
            state.said = true;
            let token = state.token;
            self.due.push_back((socket.place, token));
            into[..bytes.len()].copy_from_slice(bytes);
            return Ok(bytes.len());
        }
        match after {
            After::End => Ok(0),
            After::Reset | After::NoAnswer => Err(Trouble::Lost),
            After::Silence => Err(Trouble::WouldBlock),
        }
    }

    fn send(&mut self, socket: &Socket, from: &[u8]) -> Result<usize, Trouble> {
        match LIVES[self.state(socket).life].1 {
            After::NoAnswer => Err(Trouble::Lost),
            _ => Ok(from.len()),
        }
    }

    fn shutdown(&mut self, _: &Socket) {}

    fn close(&mut self, socket: Socket, _: bool) {
        self.state(&socket).token = 0;
        self.free.push(socket.place);
    }

    fn stop_listening(&mut self) {}

    fn local(&self, _: &Socket) -> Option<Address> {
        None
    }

    fn now(&self) -> Instant {
        self.now
    }
}

struct Nothing;

impl App for Nothing {
    fn request(&mut self, _: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        exchange.reply.bare(Status::NO_CONTENT)
    }
}

fn slot() -> Slot {
    Slot {
        rx: Box::leak(Box::new(RecvBuffer::<[u8; 1024]>::new())),
        tx: Box::leak(Box::new(SendBuffer::<[u8; 1024]>::new())),
    }
}

#[test]
fn ten_million_lives_of_every_kind_lose_no_slot_and_no_socket() {
    let most = number("BAREWIRE_CYCLES").unwrap_or(CONNECTIONS);
    let began = std::time::Instant::now();
    let places = OPEN_MAX + RESERVE;
    let mut entries: Vec<Entry<Socket>> = (0..places).map(|_| Entry::new()).collect();
    let mut peers: Vec<Peer> = (0..places).map(|_| Peer::vacant()).collect();
    let mut timers = vec![wheel::Entry::EMPTY; places];
    let mut free: Vec<Option<Slot>> = (0..SLOTS).map(|_| None).collect();
    let mut slots = Slots::new(&mut free);
    (0..SLOTS).for_each(|_| slots.give(slot()));
    let memory = Memory {
        peers: &mut peers,
        timers: &mut timers,
        slots,
        deferred: VecDeque::with_capacity(places),
        waits: Waits::new(SLOTS),
    };
    let admission = Admission {
        open_max: OPEN_MAX,
        per_address_max: u32::MAX,
        addresses: Arc::new(Addresses::new(OPEN_MAX)),
    };
    let table = Table::new(most);
    let open = table.open.clone();
    let limits = Limits {
        // A turn is a millisecond: who says nothing holds its slot for some turns.
        head_ms: 20,
        linger_ms: 20,
        ..Limits::DEFAULT
    };
    let driver = Readiness::new(table, &mut entries);
    let mut worker = Worker::new(driver, Nothing, limits, memory, admission, || 1_800_000_000);
    let (mut turns, mut fullest, mut least_free) = (0_u64, 0, SLOTS);
    while worker.tally().connections < most || worker.open() > 0 {
        let before = worker.tally().connections;
        let Ok(_) = worker.turn(None);
        turns += 1;
        let accepted = worker.tally().connections - before;
        assert!(accepted <= ACCEPTS_MAX, "{accepted} in a turn");
        fullest = fullest.max(worker.open());
        least_free = least_free.min(worker.free_slots());
        assert_eq!(open.get(), worker.open() as u64, "a socket is lost");
        assert!(turns < 10 * most + 1000, "it does not end");
    }
    let tally = worker.tally();
    let took = began.elapsed();
    say(format_args!(
        "cycles: {most} connections within {took:?} ({:?} each), {turns} turns, all {SLOTS} slots \
         and {places} places free at the end, {fullest} open at most; {tally:?}",
        Duration::from_nanos((took.as_nanos() / u128::from(most)) as u64)
    ));
    assert_eq!(worker.free_slots(), SLOTS, "a slot is lost");
    assert_eq!(tally.connections, most);
    assert_eq!((open.get(), tally.panics), (0, 0));
    // All slots were needed, and more than the places that are served, so all of it came back.
    assert!(least_free == 0 && fullest > OPEN_MAX, "too little");
    assert!(tally.refused > 0 && tally.requests > most / 5 && tally.faults > most / 5);
}
