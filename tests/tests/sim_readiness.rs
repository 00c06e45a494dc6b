//! The real readiness driver on the simulated kernel, under a worker that only echoes; and the
//! simulated ring, which has to keep the same contract.

use std::collections::HashMap;

use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::driver::{
    Address, Completion, Driver, Entry, Event, InFlight, Instant, Kernel, LISTENER, PeerId,
    Readiness, Received, Slots, Trouble, WAKER, relay,
};
use barewire_tests::sim::{Ending, Faults, Net, Plan, Ring, Rng, SimKernel, SimSocket, Step};

/// Turns after which a run counts as spinning: a thousand for each client is plenty.
const TURNS_MAX: u64 = 20_000;

/// Where the two halves of a peer's slot are, and what is known of its stream.
#[derive(Default)]
struct Peer {
    rx: Option<&'static mut RecvBuffer>,
    tx: Option<&'static mut SendBuffer>,
    receiving: bool,
    ended: bool,
    /// Deferred until then: nothing is in flight.
    away: Option<Instant>,
    /// Was reported lost while it was away.
    gone: bool,
    /// The write side is shut; the end is awaited once more before the close.
    lingers: bool,
}

/// Echoes each peer's bytes until their end, then closes.
struct Echo<'m, D> {
    driver: D,
    slots: Slots<'m>,
    peers: HashMap<PeerId, Peer>,
    rng: Rng,
    accepted: usize,
    closed: usize,
    /// Peers reported lost while nothing was in flight.
    lost_away: usize,
}

impl<D: Driver> Echo<'_, D> {
    fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Accepted { peer, .. } => {
                self.accepted += 1;
                let news = self.peers.insert(peer, Peer::default());
                assert!(news.is_none(), "a name in use was given again");
                self.pump(peer);
            }
            Completion::Received { peer, rx, tx, what } => {
                let state = self.peers.get_mut(&peer).expect("unknown peer");
                assert!(state.receiving, "nobody asked");
                state.receiving = false;
                state.rx = Some(rx);
                if tx.is_some() {
                    state.tx = tx;
                }
                match what {
                    Received::Bytes(n) => assert!(n > 0),
                    Received::End => state.ended = true,
                }
                self.pump(peer);
            }
            Completion::Ended { peer } => {
                assert!(self.peers[&peer].receiving && self.peers[&peer].rx.is_none());
                self.close(peer);
            }
            Completion::Sent { peer, tx } => {
                assert!(tx.pending().is_empty());
                self.peers.get_mut(&peer).expect("unknown peer").tx = Some(tx);
                self.pump(peer);
            }
            Completion::Lost { peer, rx, tx } => {
                let state = self.peers.get_mut(&peer).expect("unknown peer");
                if state.away.is_some() {
                    assert!(rx.is_none() && tx.is_none());
                    assert!(!state.gone, "told twice");
                    state.gone = true;
                    self.lost_away += 1;
                    return;
                }
                self.home(peer, InFlight { rx, tx });
                self.close(peer);
            }
            Completion::Notified => panic!("nobody did"),
        }
    }

    /// Takes buffers back that were in flight.
    fn home(&mut self, peer: PeerId, InFlight { rx, tx }: InFlight) {
        let state = self.peers.get_mut(&peer).expect("unknown peer");
        assert!(rx.is_none() || state.rx.is_none(), "a buffer came twice");
        assert!(tx.is_none() || state.tx.is_none(), "a buffer came twice");
        state.rx = rx.or(state.rx.take());
        state.tx = tx.or(state.tx.take());
        state.receiving = false;
    }

    fn close(&mut self, peer: PeerId) {
        let in_flight = self.driver.close(peer, false);
        self.home(peer, in_flight);
        let state = self.peers.remove(&peer).expect("unknown peer");
        match (state.rx, state.tx) {
            (Some(rx), Some(tx)) => self.slots.give(Slot { rx, tx }),
            (None, None) => {}
            _ => panic!("half a slot"),
        }
        self.closed += 1;
    }

    /// Ends the absence of those whose time has come; says when the next one's does.
    fn come_back(&mut self) -> Option<Instant> {
        let now = self.driver.now();
        let due = |state: &Peer| state.away.is_some_and(|until| until <= now);
        let back: Vec<_> = self.peers.iter().filter(|(_, state)| due(state)).collect();
        let mut back: Vec<PeerId> = back.into_iter().map(|(peer, _)| *peer).collect();
        back.sort_by_key(|peer| peer.index);
        for peer in back {
            let state = self.peers.get_mut(&peer).expect("unknown peer");
            state.away = None;
            // Who is gone is closed, or hears of it again from the next call.
            if state.gone && self.rng.chance(128) {
                self.close(peer);
            } else {
                self.pump(peer);
            }
        }
        self.peers.values().filter_map(|state| state.away).min()
    }

    /// Moves bytes on, and starts what can be started.
    fn pump(&mut self, peer: PeerId) {
        // Now and then everything is taken back and started again.
        if self.rng.chance(10) {
            let in_flight = self.driver.cancel(peer);
            self.home(peer, in_flight);
        }
        let state = self.peers.get_mut(&peer).expect("unknown peer");
        if state.rx.is_some() && state.tx.is_some() && self.rng.chance(20) {
            let nanos = self.rng.below(5_000_000) as u64;
            state.away = Some(Instant(self.driver.now().0 + nanos));
            return;
        }
        if let (Some(rx), Some(tx)) = (&mut state.rx, &mut state.tx) {
            relay(rx, tx);
        }
        let rest = state.rx.as_ref().is_some_and(|rx| !rx.unread().is_empty());
        if let Some(tx) = state.tx.take_if(|tx| !tx.pending().is_empty()) {
            self.driver.send(peer, tx);
        } else if state.ended && !rest && state.tx.is_some() {
            if state.lingers || self.rng.chance(128) {
                return self.close(peer);
            }
            self.driver.shutdown(peer);
            state.lingers = true;
            state.ended = false;
        }
        if state.receiving || state.ended {
            return;
        }
        // Both halves home and nothing in them: mostly the slot goes back.
        let idle = state.tx.is_some() && !rest;
        if idle
            && self.rng.chance(200)
            && let (Some(rx), Some(tx)) = (state.rx.take(), state.tx.take())
        {
            self.slots.give(Slot { rx, tx });
        }
        // With a send in flight: sometimes both ways at once. But what is not relayed yet must not
        // leave with a receive: the send's end would find nothing to go on with.
        let duplex = state.tx.is_some() || state.rx.is_none() || self.rng.chance(128);
        if duplex && !rest {
            state.receiving = true;
            let rx = state.rx.take();
            self.driver.recv(peer, rx);
        }
    }
}

/// What a run came to.
struct Outcome {
    fault: Option<String>,
    lost_away: usize,
}

/// Runs `kernel` to its end under an echo worker; `seed` chooses sizes and the worker's whims.
fn run<K: Kernel<Socket = SimSocket>>(
    seed: u64,
    kernel: K,
    plans: &[Plan],
    net: fn(&K) -> &SimKernel,
) -> Outcome {
    let mut entries: Vec<_> = (0..places(seed)).map(|_| Entry::new()).collect();
    let driver = Readiness::new(kernel, &mut entries);
    drive(seed, driver, plans, |driver| net(driver.kernel()))
}

/// Connections that are open at a time.
fn places(seed: u64) -> usize {
    Rng::new(seed ^ 0x91ac).one_to(6)
}

/// The same with any driver.
fn drive<D: Driver>(seed: u64, driver: D, plans: &[Plan], net: impl Fn(&D) -> &Net) -> Outcome {
    let mut rng = Rng::new(seed ^ 0x5eed);
    let mut places: Vec<Option<Slot>> = (0..rng.one_to(4)).map(|_| None).collect();
    let mut slots = Slots::new(&mut places);
    // Leaked, a few hundred bytes for each run: a slot lives as long as its process.
    while slots.free() < slots.capacity() {
        slots.give(Slot {
            rx: Box::leak(Box::new(RecvBuffer::<[u8; 48]>::new())),
            tx: Box::leak(Box::new(SendBuffer::<[u8; 32]>::new())),
        });
    }
    let mut echo = Echo {
        driver,
        slots,
        peers: HashMap::new(),
        rng,
        accepted: 0,
        closed: 0,
        lost_away: 0,
    };
    while !net(&echo.driver).is_idle() {
        let until = echo.come_back();
        if echo.driver.wait(&mut echo.slots, until).is_err() {
            return fault("the kernel gave up");
        }
        while let Some(completion) = echo.driver.next(&mut echo.slots) {
            echo.complete(completion);
        }
        if net(&echo.driver).polls() > TURNS_MAX {
            return fault("spins");
        }
    }
    let kernel = net(&echo.driver);
    for (at, (transcript, plan)) in kernel.transcripts().zip(plans).enumerate() {
        let sent = bytes_of(plan);
        let refused = transcript.ending == Ending::Refused;
        let left = transcript.ending == Ending::Left;
        if transcript.ending == Ending::Open {
            return fault(format!("client {at} waits in vain: {transcript:?}"));
        }
        if transcript.ending == Ending::Reset {
            return fault(format!("client {at} was reset"));
        }
        if !sent.starts_with(&transcript.received) {
            return fault(format!("client {at} got other bytes: {transcript:?}"));
        }
        if !left && !refused && sent != transcript.received {
            return fault(format!("client {at} got too little: {transcript:?}"));
        }
    }
    if kernel.sockets() > 0 || echo.accepted != echo.closed || !echo.peers.is_empty() {
        return fault(format!(
            "{} accepted, {} closed, {} sockets open",
            echo.accepted,
            echo.closed,
            kernel.sockets()
        ));
    }
    if echo.slots.free() != echo.slots.capacity() {
        return fault("a slot did not come home");
    }
    Outcome {
        fault: None,
        lost_away: echo.lost_away,
    }
}

fn fault(what: impl Into<String>) -> Outcome {
    Outcome {
        fault: Some(what.into()),
        lost_away: 0,
    }
}

fn bytes_of(plan: &Plan) -> Vec<u8> {
    let bytes = plan.steps.iter().filter_map(|step| match step {
        Step::Send(bytes) => Some(&bytes[..]),
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

/// A few clients, each with a life of its own.
fn plans(rng: &mut Rng) -> Vec<Plan> {
    (0..rng.one_to(10)).map(|_| plan(rng)).collect()
}

fn plan(rng: &mut Rng) -> Plan {
    let mut plan = Plan::new([]);
    let mut sent = 0;
    let window = [4, 64, 4096][rng.below(3)];
    plan.window = rng.one_to(window);
    for _ in 0..rng.below(5) {
        let most = [8, 48, 300][rng.below(3)];
        let bytes: Vec<u8> = (0..rng.one_to(most)).map(|_| rng.any() as u8).collect();
        sent += bytes.len();
        plan.steps.push(Step::Send(bytes));
        match rng.below(4) {
            0 => plan.steps.push(Step::Await(sent)),
            1 => plan.steps.push(Step::Pause(rng.below(20) as u64)),
            _ => {}
        }
    }
    plan.steps.push(match rng.below(6) {
        0 => Step::Abort,
        1 => Step::Close,
        _ => Step::HalfClose,
    });
    plan
}

#[test]
fn every_byte_comes_back_whatever_the_kernel_does() {
    let (mut clients, mut lost_away) = (0, 0);
    for seed in 0..10_000 {
        let plans = plans(&mut Rng::new(seed));
        let kernel = SimKernel::new(seed, plans.clone());
        let outcome = run(seed, kernel, &plans, |kernel| kernel);
        assert_eq!(outcome.fault, None, "seed {seed}");
        clients += plans.len();
        lost_away += outcome.lost_away;
    }
    assert!(
        clients > 30_000 && lost_away > 100,
        "{clients}, {lost_away}"
    );
}

#[test]
fn every_byte_comes_back_through_a_ring_too() {
    let (mut clients, mut lost_away) = (0, 0);
    for seed in 0..10_000 {
        let plans = plans(&mut Rng::new(seed));
        let faults = Faults::any(&mut Rng::new(!seed));
        let ring = Ring::with_faults(seed, plans.clone(), faults, places(seed));
        let outcome = drive(seed, ring, &plans, Ring::net);
        assert_eq!(outcome.fault, None, "seed {seed}");
        clients += plans.len();
        lost_away += outcome.lost_away;
    }
    assert!(
        clients > 30_000 && lost_away > 100,
        "{clients}, {lost_away}"
    );
}

#[test]
fn an_edge_that_was_not_used_is_never_repeated() {
    let plan = Plan::new([
        Step::Send(b"a".to_vec()),
        Step::Pause(50),
        Step::Send(b"b".to_vec()),
    ]);
    let mut kernel = SimKernel::with_faults(1, vec![plan], Faults::NONE);
    let mut events = [Event::default(); 8];
    let mut told = Vec::new();
    let mut socket = None;
    while !kernel.is_idle() {
        let count = kernel.poll(&mut events, None).unwrap();
        for event in &events[..count] {
            if event.token == LISTENER {
                let (new, _) = kernel.accept().unwrap();
                kernel.register(&new, 7).unwrap();
                socket = Some(new);
            } else {
                assert_eq!(event.token, 7);
                told.push((kernel.now().millis(), event.readable));
            }
        }
    }
    // Registered, the first byte, the second: nothing in between, though nobody reads.
    let readable = told.iter().filter(|(_, readable)| *readable);
    assert!(told.len() <= 3 && readable.count() <= 2, "{told:?}");
    let pause = told.windows(2).map(|two| two[1].0 - two[0].0).max();
    assert!(pause.is_some_and(|ms| ms >= 45), "{told:?}");
    let read = kernel.recv(socket.as_ref().unwrap(), &mut [0; 8]);
    assert_eq!(read, Ok(2));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let transcripts = |seed| {
        let plans = plans(&mut Rng::new(seed));
        let log = Log::new(SimKernel::new(seed, plans.clone()));
        let calls = log.calls.clone();
        run(seed, log, &plans, |log| &log.sim);
        calls.take()
    };
    for seed in 0..50 {
        assert_eq!(transcripts(seed), transcripts(seed), "seed {seed}");
    }
    assert_ne!(transcripts(1), transcripts(2));
}

/// What a [`Log`] spoils.
#[derive(Clone, Copy, Default)]
struct Sabotage {
    /// Swallows the event of this number.
    swallow: Option<usize>,
    /// Hides that a peer sends no more.
    hide_end: bool,
    /// Reports no room to send.
    hide_room: bool,
}

/// A kernel that notes what is called and may spoil its events.
struct Log {
    sim: SimKernel,
    calls: std::rc::Rc<std::cell::RefCell<Vec<String>>>,
    sabotage: Sabotage,
    events: usize,
}

impl Log {
    fn new(sim: SimKernel) -> Log {
        Log {
            sim,
            calls: Default::default(),
            sabotage: Sabotage::default(),
            events: 0,
        }
    }

    fn note<T: std::fmt::Debug>(&self, result: T) -> T {
        self.calls.borrow_mut().push(format!("{result:?}"));
        result
    }
}

impl Kernel for Log {
    type Socket = SimSocket;
    type Error = std::convert::Infallible;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Self::Error> {
        let count = self.sim.poll(events, until)?;
        for event in &mut events[..count] {
            self.events += 1;
            if self.sabotage.swallow == Some(self.events) {
                *event = Event::default();
                event.token = WAKER - 1;
            }
            event.ended &= !self.sabotage.hide_end;
            event.writable &= !self.sabotage.hide_room;
        }
        self.note(&events[..count]);
        Ok(count)
    }
    fn accept(&mut self) -> Result<(SimSocket, Address), Trouble> {
        let result = self.sim.accept();
        self.note(result)
    }
    fn register(&mut self, socket: &SimSocket, token: u64) -> Result<(), Trouble> {
        let result = self.sim.register(socket, token);
        self.note(result)
    }
    fn recv(&mut self, socket: &SimSocket, into: &mut [u8]) -> Result<usize, Trouble> {
        let result = self.sim.recv(socket, into);
        self.note(result)
    }
    fn send(&mut self, socket: &SimSocket, from: &[u8]) -> Result<usize, Trouble> {
        let result = self.sim.send(socket, from);
        self.note(result)
    }
    fn shutdown(&mut self, socket: &SimSocket) {
        self.sim.shutdown(socket);
    }
    fn close(&mut self, socket: SimSocket, abort: bool) {
        self.note(&socket);
        self.sim.close(socket, abort);
    }
    fn stop_listening(&mut self) {
        self.sim.stop_listening();
    }
    fn local(&self, socket: &SimSocket) -> Option<Address> {
        self.sim.local(socket)
    }
    fn now(&self) -> Instant {
        self.sim.now()
    }
}

/// How many of 200 seeds come to a fault.
fn faults_of(sabotage: Sabotage) -> usize {
    let fails = |seed: &u64| {
        let plans = plans(&mut Rng::new(*seed));
        let mut log = Log::new(SimKernel::with_faults(*seed, plans.clone(), Faults::NONE));
        log.sabotage = sabotage;
        run(*seed, log, &plans, |log| &log.sim).fault.is_some()
    };
    (0..200).filter(fails).count()
}

#[test]
fn a_spoilt_kernel_is_found_out() {
    assert_eq!(faults_of(Sabotage::default()), 0);
    let swallow = |nth| Sabotage {
        swallow: Some(nth),
        ..Sabotage::default()
    };
    for nth in 1..10 {
        let faults = faults_of(swallow(nth));
        assert!(faults > 0, "event {nth} was swallowed unnoticed");
    }
    let hide_end = Sabotage {
        hide_end: true,
        ..Sabotage::default()
    };
    assert!(faults_of(hide_end) > 0);
    let hide_room = Sabotage {
        hide_room: true,
        ..Sabotage::default()
    };
    assert!(faults_of(hide_room) > 0);
}
