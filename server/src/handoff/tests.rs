//! Rings, their gates and the acceptor, over kernels that have what they are given.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::*;
use crate::platform::Native;

/// Sockets are numbers; what is closed is noted.
#[derive(Default)]
struct Given {
    backlog: VecDeque<Result<u32, Trouble>>,
    events: VecDeque<Vec<Event>>,
    waits: Vec<Option<Instant>>,
    closed: Vec<(u32, bool)>,
    now: u64,
}

/// A handle on it, so that it can be looked at while an acceptor owns the other.
#[derive(Clone, Default)]
struct Fake(Rc<RefCell<Given>>);

impl Kernel for Fake {
    type Socket = u32;
    type Error = &'static str;

    fn poll(
        &mut self,
        events: &mut [Event],
        until: Option<Instant>,
    ) -> Result<usize, &'static str> {
        let mut given = self.0.borrow_mut();
        given.waits.push(until);
        let batch = given.events.pop_front().ok_or("nothing more is told")?;
        if let (true, Some(until)) = (batch.is_empty(), until) {
            // It waited in vain.
            given.now = given.now.max(until.0);
        }
        for (into, event) in events.iter_mut().zip(&batch) {
            *into = *event;
        }
        Ok(batch.len().min(events.len()))
    }

    fn accept(&mut self) -> Result<(u32, Address), Trouble> {
        let next = self.0.borrow_mut().backlog.pop_front();
        let socket = next.unwrap_or(Err(Trouble::WouldBlock))?;
        Ok((socket, Address::default()))
    }

    fn register(&mut self, _: &u32, _: u64) -> Result<(), Trouble> {
        Ok(())
    }

    fn recv(&mut self, _: &u32, _: &mut [u8]) -> Result<usize, Trouble> {
        Err(Trouble::WouldBlock)
    }

    fn send(&mut self, _: &u32, _: &[u8]) -> Result<usize, Trouble> {
        Err(Trouble::WouldBlock)
    }

    fn shutdown(&mut self, _: &u32) {}

    fn close(&mut self, socket: u32, abort: bool) {
        self.0.borrow_mut().closed.push((socket, abort));
    }

    fn stop_listening(&mut self) {
        self.0.borrow_mut().backlog.clear();
    }

    fn local(&self, _: &u32) -> Option<Address> {
        None
    }

    fn now(&self) -> Instant {
        Instant(self.0.borrow().now)
    }
}

const RUN: u8 = 0;

fn told(token: u64) -> Vec<Event> {
    vec![Event {
        token,
        readable: true,
        ..Event::default()
    }]
}

/// An acceptor with this backlog, the ends of its rings, and the kernels that its wakers wake.
struct Stage {
    given: Fake,
    acceptor: Acceptor<Fake>,
    rings: Vec<Door<u32>>,
    woken: Vec<Native>,
}

fn stage(workers: usize, backlog: impl IntoIterator<Item = Result<u32, Trouble>>) -> Stage {
    let given = Fake::default();
    given.0.borrow_mut().backlog = backlog.into_iter().collect();
    let (mut gates, mut rings, mut woken) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..workers {
        let (kernel, waker) = Native::without_listener().unwrap();
        let (gate, door) = ring(waker);
        gates.push(gate);
        rings.push(door);
        woken.push(kernel);
    }
    let acceptor = Acceptor::new(given.clone(), gates);
    Stage {
        given,
        acceptor,
        rings,
        woken,
    }
}

impl Stage {
    fn taken(&self, worker: usize) -> Vec<u32> {
        self.rings[worker]
            .arrivals
            .try_iter()
            .map(|(socket, _)| socket)
            .collect()
    }

    /// Which workers were woken since the last look.
    fn wakes(&mut self) -> Vec<usize> {
        let mut events = [Event::default(); 4];
        let woken = self.woken.iter_mut().enumerate();
        woken
            .map(|(at, kernel)| (at, kernel.poll(&mut events, Some(Instant(0))).unwrap()))
            .filter(|(_, count)| *count > 0)
            .map(|(at, _)| at)
            .collect()
    }
}

#[test]
fn connections_are_dealt_out_in_turn_and_their_workers_are_woken() {
    let mut stage = stage(3, (0..7).map(Ok));
    assert_eq!(stage.acceptor.round(), Round::Idle);
    assert_eq!(stage.wakes(), [0, 1, 2]);
    assert_eq!(stage.taken(0), [0, 3, 6]);
    assert_eq!(stage.taken(1), [1, 4]);
    assert_eq!(stage.taken(2), [2, 5]);

    // The next one goes on where this one stopped, and only an edge makes it look.
    stage.given.0.borrow_mut().backlog.push_back(Ok(7));
    assert_eq!(stage.acceptor.round(), Round::Idle);
    assert_eq!(stage.taken(1), []);
    stage.acceptor.is_acceptable = true;
    assert_eq!(stage.acceptor.round(), Round::Idle);
    assert_eq!(stage.taken(1), [7]);
    assert_eq!(stage.wakes(), [1], "nobody else");
}

#[test]
fn whoever_has_the_fewest_connections_gets_the_next() {
    let mut stage = stage(3, (0..9).map(Ok));
    assert_eq!(stage.acceptor.round(), Round::Idle);
    for worker in 0..3 {
        assert_eq!(stage.taken(worker).len(), 3);
    }
    let mut next = 9;
    let mut deal = |stage: &mut Stage, count: u32| {
        let new = (next..next + count).map(Ok);
        next += count;
        stage.given.0.borrow_mut().backlog = new.collect();
        stage.acceptor.is_acceptable = true;
        assert_eq!(stage.acceptor.round(), Round::Idle);
        [0, 1, 2].map(|worker| stage.taken(worker).len())
    };
    // 3, 3 and 0.
    (0..3).for_each(|_| stage.rings[2].occupancy.closes());
    assert_eq!(deal(&mut stage, 3), [0, 0, 3]);
    // 3, 1 and 3: the second two of four go in turn again.
    (0..2).for_each(|_| stage.rings[1].occupancy.closes());
    assert_eq!(deal(&mut stage, 4), [1, 2, 1]);
    // Who is refused takes nobody's place: 4, 2 and 4.
    stage.rings[1].occupancy.refuses(1);
    assert_eq!(deal(&mut stage, 1), [0, 1, 0]);
    stage.rings[1].occupancy.refuses(0);
    assert_eq!(deal(&mut stage, 2), [1, 0, 1]);
}

#[test]
fn a_worker_tells_what_it_closes() {
    let (fake, mut kernel, gate) = handed();
    assert_eq!(gate.occupancy.load(2), 2);
    kernel.close(5, false);
    assert_eq!(gate.occupancy.load(2), 1);
    assert_eq!(fake.0.borrow().closed, [(5, false)]);
}

#[test]
fn a_full_ring_is_passed_over_and_full_rings_make_it_wait() {
    let places = RING_PLACES as u32;
    let mut stage = stage(2, (0..1000).map(Ok));
    let mut rounds = Vec::new();
    while rounds.last() != Some(&Round::Full) && rounds.len() < 10 {
        rounds.push(stage.acceptor.round());
    }
    assert_eq!(rounds.last(), Some(&Round::Full));
    assert!(
        rounds.len() >= 2
            && rounds[..rounds.len() - 1]
                .iter()
                .all(|one| *one == Round::More)
    );
    assert_eq!(
        stage.given.0.borrow().backlog.len() as u32,
        1000 - 2 * places - 1
    );
    // One worker goes on, and gets all of them.
    let first = stage.taken(0);
    assert_eq!(first, (0..places).map(|n| 2 * n).collect::<Vec<_>>());
    stage.wakes();
    assert_eq!(stage.acceptor.round(), Round::More);
    assert_eq!(stage.acceptor.round(), Round::Full);
    assert_eq!(stage.wakes(), [0]);
    let second: Vec<u32> = (2 * places..3 * places).collect();
    assert_eq!(stage.taken(0), second, "in their order, none is lost");
    assert_eq!(stage.taken(1).len() as u32, places);
}

#[test]
fn troubles_of_accepting_are_those_of_a_worker() {
    let backlog = [
        Err(Trouble::Aborted),
        Err(Trouble::Interrupted),
        Ok(1),
        Err(Trouble::Exhausted),
        Ok(2),
    ];
    let mut stage = stage(1, backlog);
    assert_eq!(stage.acceptor.round(), Round::Short);
    assert_eq!(stage.taken(0), [1]);
    // An edge says that more wait, and not that there is something for them.
    stage.given.0.borrow_mut().now = BACK_OFF_NANOS - 1;
    stage.acceptor.is_acceptable = true;
    assert_eq!(stage.acceptor.round(), Round::Short);
    assert_eq!(stage.given.0.borrow().backlog, [Ok(2)]);
    // It tries again without an edge, for no edge would come.
    stage.given.0.borrow_mut().now = BACK_OFF_NANOS;
    assert_eq!(stage.acceptor.round(), Round::Idle);
    assert_eq!(stage.taken(0), [2]);
}

#[test]
fn it_waits_as_long_as_there_is_a_reason() {
    let stage = stage(1, [Err(Trouble::Exhausted)]);
    stage.given.0.borrow_mut().now = 5;
    let events = [told(WAKER), told(LISTENER), Vec::new(), told(WAKER)];
    stage.given.0.borrow_mut().events = events.into();
    let given = stage.given.clone();
    let order = Order::new(RUN);
    assert_eq!(
        stage.acceptor.work(&order, RUN),
        Err("nothing more is told")
    );
    let waits = given.0.borrow().waits.clone();
    // Whatever comes meanwhile, the rest is as long.
    let rest = Some(Instant(5 + BACK_OFF_NANOS));
    assert_eq!(waits, [rest, rest, rest, None, None]);
}

#[test]
fn a_worker_that_is_gone_gets_nothing_and_the_last_one_ends_it() {
    let mut stage = stage(3, (0..6).map(Ok));
    stage.rings.remove(1);
    assert_eq!(stage.acceptor.round(), Round::Idle);
    assert_eq!(stage.taken(0), [0, 2, 4]);
    assert_eq!(stage.taken(1), [1, 3, 5]);
    stage.rings.clear();
    stage.given.0.borrow_mut().backlog.push_back(Ok(6));
    stage.acceptor.is_acceptable = true;
    let given = stage.given.clone();
    let order = Order::new(RUN);
    assert_eq!(stage.acceptor.work(&order, RUN), Ok(()));
    assert_eq!(given.0.borrow().closed, [(6, true)]);
}

#[test]
fn an_order_ends_it_and_what_it_has_in_hand_is_reset() {
    let mut stage = stage(1, (0..100).map(Ok));
    assert_eq!(stage.acceptor.round(), Round::More);
    assert_eq!(stage.acceptor.round(), Round::Full);
    let given = stage.given.clone();
    let order = Order::new(RUN + 1);
    assert_eq!(stage.acceptor.work(&order, RUN), Ok(()));
    assert_eq!(given.0.borrow().closed, [(RING_PLACES as u32, true)]);
    assert!(given.0.borrow().backlog.is_empty(), "it listens no more");
}

/// A worker's kernel with a ring, and the gate to it.
fn handed() -> (Fake, Handed<Fake>, Gate<u32>) {
    let (_, waker) = Native::without_listener().unwrap();
    let (gate, door) = ring(waker);
    let fake = Fake::default();
    (fake.clone(), Handed::new(fake, door), gate)
}

#[test]
fn a_wake_is_an_edge_of_the_listener_too() {
    let (fake, mut kernel, gate) = handed();
    gate.ring.try_send((9, Address::default())).unwrap();
    fake.0.borrow_mut().events = [told(7), told(WAKER), Vec::new()].into();
    let mut events = [Event::default(); 4];
    let mut tokens = |kernel: &mut Handed<Fake>, room: usize| -> Vec<u64> {
        let n = kernel.poll(&mut events[..room], None).unwrap();
        events[..n].iter().map(|event| event.token).collect()
    };
    assert_eq!(tokens(&mut kernel, 4), [7]);
    // Without room for both, the second comes with the next poll, which does not wait.
    assert_eq!(tokens(&mut kernel, 1), [WAKER]);
    assert_eq!(tokens(&mut kernel, 4), [LISTENER]);
    assert_eq!(fake.0.borrow().waits, [None, None, Some(Instant(0))]);
    assert_eq!(kernel.accept().unwrap().0, 9);
    assert_eq!(kernel.accept().unwrap_err(), Trouble::WouldBlock);
}

#[test]
fn who_lies_in_a_ring_when_the_listening_stops_is_reset() {
    let (fake, mut kernel, gate) = handed();
    for socket in [1, 2, 3] {
        gate.ring.try_send((socket, Address::default())).unwrap();
    }
    assert_eq!(kernel.accept().unwrap().0, 1);
    kernel.stop_listening();
    kernel.stop_listening();
    assert_eq!(fake.0.borrow().closed, [(2, true), (3, true)]);
    assert_eq!(kernel.accept().unwrap_err(), Trouble::WouldBlock);
    let late = gate.ring.try_send((4, Address::default()));
    assert!(matches!(late, Err(TrySendError::Disconnected((4, _)))));
    fake.0.borrow_mut().events.push_back(told(WAKER));
    assert_eq!(kernel.poll(&mut [Event::default(); 4], None), Ok(1));
}
