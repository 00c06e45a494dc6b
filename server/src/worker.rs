//! The loop of one thread, the same on every driver: completions come in, connections step,
//! receives and sends go out.

mod pressure;
mod tally;
mod timer;
mod waits;

use std::collections::VecDeque;
use std::hint::cold_path;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use barewire_core::connection::{Bodies, Fault, Refusals, ServerName, Site, Step, Wait};
use barewire_core::driver::{Address, Completion, Driver, InFlight, Instant, PeerId, Slots};
use barewire_core::limits::Limits;
use barewire_core::wheel::Wheel;
use barewire_core::wire::{Date, Framing};

use crate::addresses::Addresses;
use crate::app::{App, Context};
use crate::occupancy::Occupancy;
use crate::peer::{Peer, State};
use pressure::Gauge;
pub use tally::Tally;
use timer::{at, hang};
use waits::Mark;
pub use waits::Waits;

/// Milliseconds of one tick of the timers: a deadline may be that late.
pub const TICK_MS: u32 = 50;

/// So many full send buffers go out in one go of one connection: twice what the answers to one read
/// take; a long answer to a fast reader goes on behind those of the others.
const SENDS_IN_PLACE_MAX: u32 = 4;

/// The memory that a worker works in: all of it is there before the first connection.
pub struct Memory<'m> {
    /// One place for each connection of the driver.
    pub peers: &'m mut [Peer],
    /// As many.
    pub timers: &'m mut [barewire_core::wheel::Entry],
    /// The free slots.
    pub slots: Slots<'m>,
    /// Room for as many indices as there are slots: who is deferred keeps its own.
    pub deferred: VecDeque<u32>,
    /// For as many waits as there are slots.
    pub waits: Waits,
}

/// Which connections are let in. Others are told 503, as far as there are places for that.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Connections of this worker that are served at a time.
    pub open_max: usize,
    /// Connections of one address that are served at a time, by all workers together.
    pub per_address_max: u32,
    /// The count of these, shared by all workers.
    pub addresses: Arc<Addresses>,
}

/// One event loop: a driver, an application, and the connections between them.
pub struct Worker<'m, D: Driver, A: App> {
    driver: D,
    app: A,
    limits: Limits,
    refusals: Refusals,
    server: Option<ServerName<'static>>,
    /// Seconds since 1970, for `Date`.
    unix_time: fn() -> u64,
    date: Date,
    /// When the date is to be renewed.
    date_due: Instant,
    peers: &'m mut [Peer],
    slots: Slots<'m>,
    wheel: Wheel<'m>,
    deferred: VecDeque<u32>,
    waits: Waits,
    gauge: Gauge,
    /// Connections open now, and those of them that were let in.
    open: usize,
    served: usize,
    admission: Admission,
    /// Where it tells who deals out connections how many it refuses.
    occupancy: Option<Arc<Occupancy>>,
    draining: bool,
    /// The application was called and did not come back yet.
    calling: bool,
    tally: Tally,
}

impl<'m, D: Driver, A: App> Worker<'m, D, A> {
    /// A worker with no connections.
    pub fn new(
        driver: D,
        app: A,
        limits: Limits,
        mut memory: Memory<'m>,
        admission: Admission,
        unix_time: fn() -> u64,
    ) -> Self {
        Worker {
            date: Date::from_unix(unix_time()),
            date_due: Instant(driver.now().0.saturating_add(1_000_000_000)),
            driver,
            app,
            limits,
            refusals: Refusals::Explain,
            server: None,
            unix_time,
            peers: memory.peers,
            gauge: Gauge::new(&mut memory.slots),
            slots: memory.slots,
            wheel: Wheel::new(memory.timers, TICK_MS),
            deferred: memory.deferred,
            waits: memory.waits,
            open: 0,
            served: 0,
            admission,
            occupancy: None,
            draining: false,
            calling: false,
            tally: Tally::default(),
        }
    }

    /// What refusals tell (by default which rule broke, and where), and the `Server` field of every
    /// answer (by default none).
    #[must_use]
    pub fn answering(mut self, refusals: Refusals, server: Option<ServerName<'static>>) -> Self {
        self.refusals = refusals;
        self.server = server;
        self
    }

    /// Tells there how many connections it has open that are refused.
    pub(crate) fn telling(mut self, occupancy: Option<Arc<Occupancy>>) -> Self {
        self.occupancy = occupancy;
        self
    }

    fn tell(&self) {
        if let Some(occupancy) = &self.occupancy {
            occupancy.refuses(self.open - self.served);
        }
    }

    /// One turn: waits for work, at most until `until` (`None`: for ever), and does it. Says
    /// whether another thread has called in between.
    ///
    /// # Errors
    /// What the driver's `wait` fails with.
    pub fn turn(&mut self, until: Option<Instant>) -> Result<bool, D::Error> {
        let until = self.wake_up_at(until);
        if !self.driver.is_busy() {
            guard(&mut self.tally, || self.app.sleep());
        }
        self.driver.wait(&mut self.slots, until)?;
        let now = self.driver.now();
        if now >= self.date_due {
            self.date = Date::from_unix((self.unix_time)());
            // Twice a second: it is half a second late at most.
            self.date_due = Instant(now.0.saturating_add(500_000_000));
        }
        guard(&mut self.tally, || self.app.turn());
        let mut notified = false;
        while let Some(completion) = self.driver.next(&mut self.slots) {
            notified |= matches!(completion, Completion::Notified);
            self.complete(completion);
        }
        self.expire(now);
        self.retry();
        self.relieve();
        Ok(notified)
    }

    /// Stops accepting, closes idle connections, and lets requests under way finish with
    /// `Connection: close`.
    pub fn drain(&mut self) {
        self.draining = true;
        self.driver.accepting(false);
        for index in 0..self.peers.len() as u32 {
            let peer = &self.peers[index as usize];
            // Without a slot nothing is under way.
            if peer.state != State::Vacant && self.is_idle(peer) {
                self.close(index, false);
            }
        }
    }

    /// Closes every connection at once, whatever is under way.
    pub fn abort(&mut self) {
        self.driver.accepting(false);
        self.draining = true;
        for index in 0..self.peers.len() as u32 {
            let peer = &mut self.peers[index as usize];
            if peer.state == State::Vacant {
                continue;
            }
            let in_flight = self.driver.cancel(peer.id(index));
            peer.land(in_flight);
            if peer.connection.is_active() && peer.rx.is_some() && peer.tx.is_some() {
                // It is stepped once more, so that the application drops what it keeps.
                peer.connection.lose();
                self.run(index);
            } else {
                self.close(index, true);
            }
        }
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Slots that are free; all of them, when no connection is active.
    pub fn free_slots(&self) -> usize {
        self.slots.free()
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The driver, to look at.
    pub fn driver(&self) -> &D {
        &self.driver
    }

    /// The driver, to steer.
    pub fn driver_mut(&mut self) -> &mut D {
        &mut self.driver
    }

    fn is_idle(&self, peer: &Peer) -> bool {
        peer.rx.is_none() && peer.tx.is_none() && !peer.connection.is_active()
    }

    fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Accepted { peer, from } => {
                cold_path();
                self.accept(peer, from);
            }
            // Bytes or the end of them: the buffer knows which.
            Completion::Received { peer, rx, tx, .. } => {
                let entry = &mut self.peers[peer.index as usize];
                entry.rx = Some(rx);
                if let Some(tx) = tx {
                    entry.tx = Some(tx);
                }
                self.run(peer.index);
            }
            Completion::Sent { peer, tx } => {
                cold_path();
                self.peers[peer.index as usize].tx = Some(tx);
                self.run(peer.index);
            }
            // It held no buffers, so nothing was under way: the end is in good order.
            Completion::Ended { peer } => {
                cold_path();
                self.close(peer.index, false);
            }
            Completion::Lost { peer, rx, tx } => {
                cold_path();
                let entry = &mut self.peers[peer.index as usize];
                if entry.is(peer) {
                    entry.land(InFlight { rx, tx });
                    entry.connection.lose();
                    self.run(peer.index);
                }
            }
            Completion::Notified => cold_path(),
        }
    }

    fn accept(&mut self, id: PeerId, from: Address) {
        self.tally.connections += 1;
        self.open += 1;
        self.peers[id.index as usize].open(id, from);
        let now_ms = self.driver.now().millis();
        let peer = &mut self.peers[id.index as usize];
        // From here on a timer hangs as long as it is open, and never later than its deadline.
        let due = peer.deadline.first_byte(&self.limits, now_ms as u32);
        self.wheel.arm(id.index, at(now_ms, due));
        let of_address = self.admission.addresses.enter(from);
        if self.served < self.admission.open_max
            && of_address <= self.admission.per_address_max
            && !self.draining
        {
            self.served += 1;
            // It holds no slot; its first step would say `Read`.
            self.driver.recv(id, None);
            return;
        }
        self.admission.addresses.leave(from);
        self.tally.refused += 1;
        self.tell();
        let peer = &mut self.peers[id.index as usize];
        peer.state = State::Refused;
        match self.slots.take_reserved() {
            Some(slot) => {
                peer.put(slot);
                peer.connection.refuse_busy();
                self.run(id.index);
            }
            None => self.close(id.index, true),
        }
    }

    /// Steps a connection until it waits for something.
    fn run(&mut self, index: u32) {
        self.go_on(index, false);
    }

    /// As `run`, but begins with the exchange that was deferred, if there is one to `resume`.
    ///
    /// A panic of the application costs its peer an answer, not the process: what was lent is
    /// dropped then, and the next step answers 500. Caught here and not around each call, so that
    /// a request need not be put into memory for a call through a pointer.
    fn go_on(&mut self, index: u32, mut resume: bool) {
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.go_on_once(index, resume))) {
            if !std::mem::take(&mut self.calling) {
                // Not the application's.
                resume_unwind(panic);
            }
            self.tally.panics += 1;
            resume = false;
        }
    }

    fn go_on_once(&mut self, index: u32, mut resume: bool) {
        let Worker {
            driver,
            app,
            limits,
            peers,
            slots,
            wheel,
            deferred,
            waits,
            calling,
            tally,
            ..
        } = self;
        let peer = &mut peers[index as usize];
        let id = peer.id(index);
        let now = driver.now();
        let mut sends_left = SENDS_IN_PLACE_MAX;
        let began = tally.requests;
        let site = Site {
            limits,
            date: Some(&self.date),
            draining: self.draining,
            bodies: Bodies::Ask,
            refusals: self.refusals,
            server: self.server,
        };
        loop {
            let Peer {
                connection,
                rx: Some(rx),
                tx: Some(tx),
                route,
                from,
                ..
            } = &mut *peer
            else {
                cold_path();
                if peer.connection.fault().is_some() {
                    // Half of the slot is in flight; the close brings it home.
                    break;
                }
                return;
            };
            // The context is made where it is needed: in every pass it costs 46 instructions more.
            macro_rules! ask {
                ($call:ident $(, $lent:expr)?) => {{
                    let local = || driver.local(id);
                    let mut context = Context {
                        peer: id,
                        from,
                        now,
                        route,
                        local: &local,
                    };
                    *calling = true;
                    let _ = app.$call(&mut context $(, $lent)?);
                    *calling = false;
                }};
            }
            if std::mem::take(&mut resume) {
                cold_path();
                if let Some(exchange) = connection.resume(&site, rx, tx) {
                    ask!(resume, exchange);
                    continue;
                }
            }
            let step = connection.step(&site, rx, tx);
            match step {
                Step::Request(exchange) => {
                    // One with a body was counted at its head, and the application knows it.
                    if exchange.head.framing() == Framing::None {
                        tally.requests += 1;
                        *route = 0;
                    }
                    ask!(request, exchange);
                }
                Step::Head(fork) => {
                    tally.requests += 1;
                    *route = 0;
                    ask!(head, fork);
                }
                Step::Chunk(mut inflow) => {
                    ask!(chunk, &mut inflow);
                }
                Step::End(ending) => {
                    ask!(end, ending);
                }
                Step::Room(writer) => {
                    cold_path();
                    ask!(room, writer);
                }
                Step::Cut => {
                    cold_path();
                    ask!(gone);
                }
                Step::HalfClose => {
                    cold_path();
                    driver.shutdown(id);
                }
                Step::Close => {
                    cold_path();
                    break;
                }
                waiting @ (Step::Read(_) | Step::Write(_) | Step::Away) => {
                    let what = match waiting {
                        Step::Read(_) => Waiting::Read,
                        Step::Write(_) => Waiting::Write,
                        _ => Waiting::Away,
                    };
                    // Not after so many requests that their count of eight bits could look as it
                    // did: the deadline would take the next wait for the one before.
                    if matches!(what, Waiting::Write)
                        && sends_left > 0
                        && tally.requests.wrapping_sub(began) < 255
                        && let Some(tx) = peer.tx.take()
                    {
                        sends_left -= 1;
                        // Mostly all of it goes, and nothing was waited for: no deadline changes.
                        peer.tx = driver.send_now(id, tx);
                        if peer.tx.is_some() {
                            continue;
                        }
                        cold_path();
                    }
                    let Peer {
                        connection,
                        rx: Some(rx),
                        deadline,
                        ..
                    } = &mut *peer
                    else {
                        return;
                    };
                    let now_ms = now.millis();
                    let lingers = connection.waiting_for() == Wait::Linger;
                    let (stamp, before) = (deadline.stamp(), deadline.due());
                    let due = deadline.watch(connection, rx, limits, now_ms as u32);
                    let is_new = deadline.stamp() != stamp;
                    // A timer hangs, and no later than what was due before: what is due later needs
                    // no look at it.
                    if (due.wrapping_sub(before) as i32) < 0 {
                        cold_path();
                        hang(wheel, index, at(now_ms, due));
                    }
                    match what {
                        // Who lingers keeps its slot: if none were free later, a close with
                        // unread bytes would reset, and the answer be lost at the peer.
                        Waiting::Read if rx.is_empty() && !lingers => {
                            if let Some(slot) = peer.slot() {
                                slots.give(slot);
                            }
                            driver.recv(id, None);
                        }
                        Waiting::Read => {
                            cold_path();
                            driver.recv(id, peer.rx.take());
                            if is_new {
                                let mark = Mark { index, due_ms: due };
                                waits.push(mark, |mark| {
                                    pressure::holds(&peers[mark.index as usize], *mark)
                                });
                            }
                        }
                        Waiting::Write => {
                            cold_path();
                            // It had its share of this turn.
                            if let Some(tx) = peer.tx.take() {
                                driver.send_later(id, tx);
                            }
                        }
                        Waiting::Away if peer.state == State::Deferred => {}
                        Waiting::Away => {
                            peer.state = State::Deferred;
                            deferred.push_back(index);
                        }
                    }
                    return;
                }
            }
        }
        let broken = matches!(
            peer.connection.fault(),
            Some(Fault::Lost | Fault::SendTimeout | Fault::Misuse)
        );
        // An answer that was cut is no answer, and an end in good order behind it could be taken
        // for its own; nor shall the system keep for long what the peer does not take. (The
        // lingering close of RFC 9112, 9.6 is for answers that were sent in full.)
        let cut = peer.tx.as_ref().is_some_and(|tx| !tx.pending().is_empty());
        self.close(index, broken || cut);
    }

    fn close(&mut self, index: u32, abort: bool) {
        let peer = &mut self.peers[index as usize];
        let id = peer.id(index);
        self.tally.faults += u64::from(peer.connection.fault().is_some());
        if peer.state == State::Deferred {
            self.forget(index);
        }
        let peer = &mut self.peers[index as usize];
        let in_flight = self.driver.close(id, abort);
        peer.land(in_flight);
        let was_refused = std::mem::replace(&mut peer.state, State::Vacant) == State::Refused;
        if !was_refused {
            self.admission.addresses.leave(peer.from);
            self.served -= 1;
        }
        self.wheel.disarm(index);
        if let Some(slot) = peer.slot() {
            self.slots.give(slot);
        }
        debug_assert!(
            peer.rx.is_none() && peer.tx.is_none(),
            "half a slot was lost"
        );
        self.open -= 1;
        if was_refused {
            self.tell();
        }
    }

    /// A deferred exchange will not be resumed. The application hears of it by `Step::Cut`.
    fn forget(&mut self, index: u32) {
        self.peers[index as usize].state = State::Open;
        self.deferred.retain(|other| *other != index);
    }

    /// Asks again for the deferred exchanges, each once.
    fn retry(&mut self) {
        for _ in 0..self.deferred.len() {
            let Some(index) = self.deferred.pop_front() else {
                break;
            };
            let peer = &mut self.peers[index as usize];
            if peer.state == State::Deferred {
                peer.state = State::Open;
                self.go_on(index, true);
            }
        }
    }
}

impl<D: Driver, A: App> std::fmt::Debug for Worker<'_, D, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("open", &self.open)
            .field("tally", &self.tally)
            .finish()
    }
}

impl std::fmt::Debug for Memory<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("peers", &self.peers.len())
            .finish()
    }
}

enum Waiting {
    Read,
    Write,
    Away,
}

/// Tells the application something that concerns no peer; a panic is counted.
fn guard(tally: &mut Tally, call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        tally.panics += 1;
    }
}

#[cfg(test)]
mod tests;
