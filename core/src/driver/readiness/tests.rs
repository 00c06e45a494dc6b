//! Each rule of the driver, against a kernel that answers from a script.

extern crate std;

use core::num::NonZeroU32;
use std::boxed::Box;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use super::*;

/// A socket by its number; numbers are used again at once, as descriptors are.
#[derive(Debug, PartialEq, Eq)]
struct Fd(NonZeroU32);

/// Answers what it is told to, `WouldBlock` where it is told nothing, and notes every call.
#[derive(Default)]
struct Script {
    now: u64,
    polls: VecDeque<Vec<Event>>,
    accepts: VecDeque<Result<(), Trouble>>,
    registers: VecDeque<Result<(), Trouble>>,
    recvs: VecDeque<Result<&'static [u8], Trouble>>,
    sends: VecDeque<Result<usize, Trouble>>,
    calls: Vec<Call>,
    open: Vec<u32>,
    tokens: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Poll(Option<Instant>),
    Accept,
    Recv(usize),
    Send(usize),
    Shutdown,
    Close(bool),
    StopListening,
}
use Call::*;

impl Kernel for Script {
    type Socket = Fd;
    type Error = &'static str;

    fn poll(
        &mut self,
        events: &mut [Event],
        until: Option<Instant>,
    ) -> Result<usize, &'static str> {
        self.calls.push(Poll(until));
        let batch = self.polls.pop_front().unwrap_or_default();
        for (into, event) in events.iter_mut().zip(&batch) {
            *into = *event;
        }
        Ok(batch.len())
    }

    fn accept(&mut self) -> Result<(Fd, Address), Trouble> {
        self.calls.push(Accept);
        self.accepts
            .pop_front()
            .unwrap_or(Err(Trouble::WouldBlock))?;
        let fd = (1..).find(|fd| !self.open.contains(fd)).unwrap();
        self.open.push(fd);
        Ok((Fd(NonZeroU32::new(fd).unwrap()), Address::default()))
    }

    fn register(&mut self, _: &Fd, token: u64) -> Result<(), Trouble> {
        self.tokens.push(token);
        self.registers.pop_front().unwrap_or(Ok(()))
    }

    fn recv(&mut self, _: &Fd, into: &mut [u8]) -> Result<usize, Trouble> {
        self.calls.push(Recv(into.len()));
        let bytes = self.recvs.pop_front().unwrap_or(Err(Trouble::WouldBlock))?;
        into[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn send(&mut self, _: &Fd, from: &[u8]) -> Result<usize, Trouble> {
        self.calls.push(Send(from.len()));
        self.sends.pop_front().unwrap_or(Err(Trouble::WouldBlock))
    }

    fn shutdown(&mut self, _: &Fd) {
        self.calls.push(Shutdown);
    }

    fn close(&mut self, socket: Fd, abort: bool) {
        self.calls.push(Close(abort));
        self.open.retain(|fd| *fd != socket.0.get());
    }

    fn stop_listening(&mut self) {
        self.calls.push(StopListening);
    }

    fn local(&self, _: &Fd) -> Option<Address> {
        Some(Address::default())
    }

    fn now(&self) -> Instant {
        Instant(self.now)
    }
}

const NOTHING: Event = Event {
    token: 0,
    readable: false,
    writable: false,
    ended: false,
    broken: false,
};

fn readable(peer: PeerId) -> Event {
    Event {
        token: peer.to_word(),
        readable: true,
        ..NOTHING
    }
}

fn writable(peer: PeerId) -> Event {
    Event {
        token: peer.to_word(),
        writable: true,
        ..NOTHING
    }
}

fn broken(peer: PeerId) -> Event {
    Event {
        token: peer.to_word(),
        broken: true,
        ..NOTHING
    }
}

/// 8 bytes of space: the size of a full read.
const SPACE: usize = 8;

fn rx() -> &'static mut RecvBuffer {
    Box::leak(Box::new(RecvBuffer::<[u8; SPACE]>::new()))
}

fn tx(bytes: &[u8]) -> &'static mut SendBuffer {
    let tx: &'static mut SendBuffer = Box::leak(Box::new(SendBuffer::<[u8; 32]>::new()));
    assert!(tx.append(bytes));
    tx
}

/// The driver under test with its slots. Memory is leaked: the tests are short.
struct Bench {
    driver: Readiness<'static, Script>,
    slots: Slots<'static>,
}

impl Bench {
    fn new(entries: usize, slots: usize) -> Bench {
        let places = Box::leak((0..slots).map(|_| None).collect());
        let mut slots = Slots::new(places);
        while slots.free() < slots.capacity() {
            let tx = tx(b"");
            slots.give(Slot { rx: rx(), tx });
        }
        let entries: Vec<_> = (0..entries).map(|_| Entry::new()).collect();
        let driver = Readiness::new(Script::default(), entries.leak());
        Bench { driver, slots }
    }

    /// With `N` open connections, nothing in flight, no calls noted.
    fn open<const N: usize>(slots: usize) -> (Bench, [PeerId; N]) {
        let mut bench = Bench::new(N, slots);
        bench.script().accepts = VecDeque::from(vec![Ok(()); N]);
        let peers = bench.turn();
        let peers = core::array::from_fn(|at| match peers[at] {
            Completion::Accepted { peer, .. } => peer,
            _ => panic!("{:?}", peers[at]),
        });
        bench.script().calls.clear();
        (bench, peers)
    }

    fn script(&mut self) -> &mut Script {
        self.driver.kernel_mut()
    }

    /// One turn: a wait, and all completions.
    fn turn(&mut self) -> Vec<Completion> {
        self.driver.wait(&mut self.slots, None).unwrap();
        self.drain()
    }

    fn drain(&mut self) -> Vec<Completion> {
        core::iter::from_fn(|| self.driver.next()).collect()
    }

    /// One turn in which the kernel tells `events`.
    fn told(&mut self, events: &[Event]) -> Vec<Completion> {
        self.script().polls.push_back(events.to_vec());
        self.turn()
    }

    /// The calls since the last look, without the polls.
    fn calls(&mut self) -> Vec<Call> {
        let calls = core::mem::take(&mut self.script().calls);
        calls
            .into_iter()
            .filter(|call| !matches!(call, Poll(_)))
            .collect()
    }

    /// What the last poll was told about waiting.
    fn last_poll(&mut self) -> Option<Instant> {
        let polls = self.script().calls.iter().rev();
        let mut polls = polls.filter_map(|call| match call {
            Poll(until) => Some(*until),
            _ => None,
        });
        polls.next().unwrap()
    }
}

fn received(completions: Vec<Completion>) -> (&'static mut RecvBuffer, Received) {
    let [Completion::Received { rx, what, .. }] = <[_; 1]>::try_from(completions).unwrap() else {
        panic!("no receive");
    };
    (rx, what)
}

#[test]
fn a_receive_is_parked_without_a_call_until_its_edge() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    assert!(!bench.driver.is_busy());
    assert!(bench.turn().is_empty());
    assert_eq!(bench.last_poll(), None);
    assert_eq!(bench.calls(), []);
    bench.script().recvs.push_back(Ok(b"abc"));
    let (rx, what) = received(bench.told(&[readable(peer)]));
    assert_eq!((rx.unread(), what), (&b"abc"[..], Received::Bytes(3)));
    assert_eq!(bench.calls(), [Recv(SPACE)]);
}

#[test]
fn after_a_short_read_the_next_receive_is_parked() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    bench.script().recvs.push_back(Ok(b"abc"));
    bench.told(&[readable(peer)]);
    bench.driver.recv(peer, Some(rx()));
    assert!(!bench.driver.is_busy());
    bench.turn();
    assert_eq!(bench.calls(), [Recv(SPACE)]);
}

#[test]
fn after_a_full_read_the_next_receive_tries_at_once() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    bench.script().recvs.push_back(Ok(b"abcdefgh"));
    bench.told(&[readable(peer)]);
    assert!(!bench.driver.is_busy(), "nobody asked yet");
    bench.driver.recv(peer, Some(rx()));
    assert!(bench.driver.is_busy());
    assert!(bench.turn().is_empty());
    assert_eq!(bench.last_poll(), Some(Instant(0)), "does not block");
    assert_eq!(bench.calls(), [Recv(SPACE), Recv(SPACE)]);
    assert!(!bench.driver.is_busy(), "EAGAIN parked it");
}

#[test]
fn bytes_and_end_of_one_edge_are_both_seen() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    bench.script().recvs.extend([Ok(&b"abc"[..]), Ok(b"")]);
    let edge = Event {
        ended: true,
        ..readable(peer)
    };
    let (rx, what) = received(bench.told(&[edge]));
    assert_eq!(what, Received::Bytes(3));
    bench.driver.recv(peer, Some(rx));
    let (rx, what) = received(bench.turn());
    assert_eq!(what, Received::End);
    assert!(rx.has_ended());
    bench.driver.recv(peer, Some(rx));
    bench.script().recvs.push_back(Ok(b""));
    assert_eq!(received(bench.turn()).1, Received::End, "and again");
}

#[test]
fn each_peer_is_read_once_per_turn() {
    let (mut bench, [a, b]) = Bench::open(0);
    bench.driver.recv(a, Some(rx()));
    bench.driver.recv(b, Some(rx()));
    for _ in 0..4 {
        bench.script().recvs.push_back(Ok(b"abcdefgh"));
    }
    let events = [readable(a), readable(b), readable(a), readable(b)];
    let completions = bench.told(&events);
    assert!(matches!(
        completions[..],
        [
            Completion::Received { peer: first, .. },
            Completion::Received { peer: second, .. }
        ] if first == a && second == b
    ));
    assert_eq!(bench.calls().len(), 2);
}

#[test]
fn a_send_goes_out_in_the_call() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.script().sends.push_back(Ok(5));
    bench.driver.send(peer, tx(b"hello"));
    assert_eq!(bench.calls(), [Send(5)]);
    assert!(bench.driver.is_busy());
    let done = bench.drain();
    assert!(matches!(&done[..], [Completion::Sent { tx, .. }] if tx.pending().is_empty()));
    assert!(!bench.driver.is_busy());
}

#[test]
fn a_send_of_nothing_needs_no_call() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.send(peer, tx(b""));
    assert!(matches!(&bench.drain()[..], [Completion::Sent { .. }]));
    assert_eq!(bench.calls(), []);
}

#[test]
fn a_send_without_room_goes_on_by_itself_after_the_edge() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.send(peer, tx(b"hello"));
    assert!(!bench.driver.is_busy());
    bench.script().sends.extend([Ok(2), Ok(3)]);
    assert!(bench.told(&[writable(peer)]).is_empty());
    assert!(!bench.driver.is_busy(), "a short send waits for an edge");
    let done = bench.told(&[writable(peer)]);
    assert!(matches!(&done[..], [Completion::Sent { .. }]));
    assert_eq!(bench.calls(), [Send(5), Send(5), Send(3)]);
}

#[test]
fn without_the_hint_a_send_is_parked_without_a_call() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.send(peer, tx(b"hello"));
    let _ = bench.driver.cancel(peer);
    bench.driver.send(peer, tx(b"hello"));
    assert_eq!(bench.calls(), [Send(5)]);
}

#[test]
fn a_lost_connection_gives_both_buffers_back() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    bench.script().sends.push_back(Err(Trouble::Lost));
    bench.driver.send(peer, tx(b"hello"));
    let done = bench.drain();
    assert!(matches!(
        &done[..],
        [Completion::Lost {
            rx: Some(_),
            tx: Some(_),
            ..
        }]
    ));
    bench.driver.send(peer, tx(b"again"));
    let done = bench.drain();
    assert!(matches!(
        &done[..],
        [Completion::Lost {
            rx: None,
            tx: Some(_),
            ..
        }]
    ));
    assert_eq!(bench.calls(), [Send(5)], "no call on a lost connection");
}

#[test]
fn what_was_received_is_reported_before_the_loss() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    bench.driver.send(peer, tx(b"hello"));
    bench.script().recvs.push_back(Ok(b"abc"));
    bench.script().sends.push_back(Err(Trouble::Lost));
    let done = bench.told(&[Event {
        readable: true,
        ..writable(peer)
    }]);
    assert!(matches!(
        &done[..],
        [Completion::Lost {
            rx: Some(_),
            tx: Some(_),
            ..
        }]
    ));
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    bench.script().recvs.push_back(Ok(b"abc"));
    bench.script().polls.push_back(vec![readable(peer)]);
    bench.driver.wait(&mut bench.slots, None).unwrap();
    bench.script().sends.push_back(Err(Trouble::Lost));
    bench.driver.send(peer, tx(b"hello"));
    let done = bench.drain();
    assert!(matches!(
        &done[..],
        [
            Completion::Received { .. },
            Completion::Lost {
                rx: None,
                tx: Some(_),
                ..
            }
        ]
    ));
}

#[test]
fn interruptions_are_retried_but_not_for_ever() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.script().sends.extend([Err(Trouble::Interrupted); 3]);
    bench.script().sends.push_back(Ok(5));
    bench.driver.send(peer, tx(b"hello"));
    assert_eq!(bench.drain().len(), 1);
    assert_eq!(bench.calls().len(), 4);
    bench.driver.recv(peer, Some(rx()));
    bench.script().recvs.extend([Err(Trouble::Interrupted); 20]);
    bench.script().recvs.push_back(Ok(b"abc"));
    assert!(bench.told(&[readable(peer)]).is_empty());
    assert_eq!(bench.calls().len(), INTERRUPTS_MAX as usize);
    assert!(bench.driver.is_busy(), "it goes on in the next turn");
    assert!(bench.turn().is_empty());
    assert_eq!(received(bench.turn()).1, Received::Bytes(3));
    bench.script().sends.extend([Err(Trouble::Interrupted); 8]);
    bench.script().sends.push_back(Ok(5));
    bench.driver.send(peer, tx(b"hello"));
    assert!(bench.drain().is_empty() && bench.driver.is_busy());
    assert!(matches!(&bench.turn()[..], [Completion::Sent { .. }]));
}

#[test]
fn events_of_a_closed_connection_hit_nobody() {
    let (mut bench, [old]) = Bench::open(0);
    assert!(bench.driver.close(old, false).rx.is_none());
    assert_eq!(bench.calls(), [Close(false)]);
    bench.script().accepts.push_back(Ok(()));
    let events = [Event {
        token: LISTENER,
        readable: true,
        ..NOTHING
    }];
    let accepted = bench.told(&events);
    let [Completion::Accepted { peer: new, .. }] = accepted[..] else {
        panic!("{accepted:?}");
    };
    assert_eq!(new.index, old.index);
    assert_ne!(new, old);
    assert_eq!(bench.script().tokens, [old.to_word(), new.to_word()]);
    bench.driver.recv(new, Some(rx()));
    bench.calls();
    assert!(bench.told(&[readable(old), broken(old)]).is_empty());
    assert_eq!(bench.calls(), []);
    // Nor does a late call of the worker.
    assert!(bench.driver.close(old, true).rx.is_none());
    assert!(bench.driver.cancel(old).rx.is_none());
    bench.driver.shutdown(old);
    assert_eq!(bench.driver.local(old), None);
    assert_eq!(bench.calls(), []);
    assert!(bench.driver.cancel(new).rx.is_some());
}

#[test]
fn an_idle_peer_takes_a_slot_when_bytes_come() {
    let (mut bench, [peer]) = Bench::open(1);
    bench.driver.recv(peer, None);
    bench.turn();
    assert_eq!(bench.slots.free(), 1);
    bench.script().recvs.push_back(Ok(b"abc"));
    let done = bench.told(&[readable(peer)]);
    assert!(matches!(
        &done[..],
        [Completion::Received {
            tx: Some(_),
            what: Received::Bytes(3),
            ..
        }]
    ));
    assert_eq!(bench.slots.free(), 0);
}

#[test]
fn an_idle_peer_ends_without_a_slot() {
    let (mut bench, [a, b]) = Bench::open(1);
    bench.driver.recv(a, None);
    bench.driver.recv(b, None);
    bench
        .script()
        .recvs
        .extend([Ok(&b""[..]), Err(Trouble::Lost)]);
    let done = bench.told(&[readable(a), broken(b)]);
    assert!(matches!(
        &done[..],
        [
            Completion::Ended { .. },
            Completion::Lost {
                rx: None,
                tx: None,
                ..
            }
        ]
    ));
    assert_eq!(bench.slots.free(), 1);
}

#[test]
fn an_idle_peer_that_finds_nothing_keeps_no_slot() {
    let (mut bench, [peer]) = Bench::open(1);
    bench.driver.recv(peer, None);
    assert!(bench.told(&[readable(peer)]).is_empty());
    assert_eq!(bench.slots.free(), 1);
    assert!(!bench.driver.is_busy());
}

#[test]
fn an_idle_receive_waits_for_the_send_before_it() {
    let (mut bench, [peer]) = Bench::open(1);
    bench.driver.send(peer, tx(b"hello"));
    bench.driver.recv(peer, None);
    bench.script().recvs.push_back(Ok(b"abc"));
    assert!(bench.told(&[readable(peer)]).is_empty());
    bench.script().sends.push_back(Ok(5));
    let done = bench.told(&[writable(peer)]);
    assert!(matches!(&done[..], [Completion::Sent { .. }]));
    assert_eq!(received(bench.turn()).1, Received::Bytes(3));
}

#[test]
fn who_finds_no_slot_waits_in_line_without_spinning() {
    let (mut bench, peers @ [a, b, c]) = Bench::open(1);
    for peer in peers {
        bench.driver.recv(peer, None);
    }
    bench
        .script()
        .recvs
        .extend([Ok(&b"a"[..]), Ok(b"b"), Ok(b"c")]);
    let mut done = bench.told(&peers.map(readable));
    for expected in [a, b, c] {
        let Some(Completion::Received {
            peer,
            rx,
            tx: Some(tx),
            ..
        }) = done.pop()
        else {
            panic!("{done:?}");
        };
        assert_eq!((peer, done.len()), (expected, 0));
        assert!(bench.turn().is_empty());
        assert_eq!(bench.last_poll(), None, "blocks while no slot is free");
        bench.slots.give(Slot { rx, tx });
        done = bench.turn();
        assert_eq!(bench.last_poll(), (expected != c).then_some(Instant(0)));
    }
    assert_eq!(bench.calls(), [Recv(SPACE); 3]);
}

#[test]
fn who_waits_for_a_slot_may_close_or_break() {
    let (mut bench, peers @ [a, b, c, d]) = Bench::open(0);
    for peer in peers {
        bench.driver.recv(peer, None);
    }
    assert!(bench.told(&peers.map(readable)).is_empty());
    let _ = bench.driver.close(a, false);
    assert!(bench.driver.is_busy(), "the closed one is to be freed");
    let done = bench.told(&[broken(c)]);
    assert!(matches!(&done[..], [Completion::Lost { peer, .. }] if *peer == c));
    let _ = bench.driver.cancel(d);
    bench.script().sends.push_back(Ok(5));
    bench.driver.send(d, tx(b"hello"));
    let done = bench.turn();
    assert!(matches!(&done[..], [Completion::Sent { peer, .. }] if *peer == d));
    assert!(!bench.driver.is_busy());
    bench.script().accepts.push_back(Ok(()));
    let listener = Event {
        token: LISTENER,
        ..NOTHING
    };
    let done = bench.told(&[listener]);
    assert!(matches!(&done[..], [Completion::Accepted { .. }]));
    // Still in line: only b.
    let slot = Slot {
        rx: rx(),
        tx: tx(b""),
    };
    bench.slots = Slots::new(Box::leak(Box::new([None])));
    bench.slots.give(slot);
    bench.script().recvs.push_back(Ok(b"b"));
    let done = bench.turn();
    assert!(matches!(&done[..], [Completion::Received { peer, .. }] if *peer == b));
}

#[test]
fn a_broken_deferred_exchange_is_reported_once() {
    let (mut bench, [peer]) = Bench::open(0);
    let half = Event {
        ended: true,
        ..readable(peer)
    };
    assert!(
        bench.told(&[half]).is_empty(),
        "a half-closed peer still reads"
    );
    let done = bench.told(&[broken(peer)]);
    assert!(matches!(
        &done[..],
        [Completion::Lost {
            rx: None,
            tx: None,
            ..
        }]
    ));
    assert!(bench.told(&[broken(peer)]).is_empty());
    assert!(!bench.driver.is_busy());
    bench.driver.send(peer, tx(b"late"));
    assert!(matches!(
        &bench.drain()[..],
        [Completion::Lost { tx: Some(_), .. }]
    ));
}

#[test]
fn a_hang_up_that_came_with_the_request_is_reported_when_it_is_deferred() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    bench.script().recvs.push_back(Ok(b"abc"));
    let (_rx, what) = received(bench.told(&[broken(peer)]));
    assert_eq!(what, Received::Bytes(3));
    let done = bench.turn();
    assert!(matches!(&done[..], [Completion::Lost { rx: None, .. }]));
}

#[test]
fn a_hang_up_lets_what_came_before_be_read() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.driver.recv(peer, Some(rx()));
    bench
        .script()
        .recvs
        .extend([Ok(&b"abc"[..]), Err(Trouble::Lost)]);
    let (rx, what) = received(bench.told(&[broken(peer)]));
    assert_eq!(what, Received::Bytes(3));
    bench.driver.recv(peer, Some(rx));
    let done = bench.turn();
    assert!(matches!(&done[..], [Completion::Lost { rx: Some(_), .. }]));
}

#[test]
fn a_budget_bounds_the_accepts_of_a_turn() {
    let mut bench = Bench::new(100, 0);
    bench.script().accepts = VecDeque::from(vec![Ok(()); 100]);
    assert_eq!(bench.turn().len(), ACCEPT_BUDGET as usize);
    assert!(bench.driver.is_busy(), "its edge is used up");
    assert_eq!(bench.turn().len(), 100 - ACCEPT_BUDGET as usize);
    assert_eq!(bench.calls().len(), 100, "no place for another: no call");
}

#[test]
fn an_aborted_connection_is_passed_over() {
    let mut bench = Bench::new(2, 0);
    bench
        .script()
        .accepts
        .extend([Err(Trouble::Aborted), Err(Trouble::Interrupted), Ok(())]);
    assert_eq!(bench.turn().len(), 1);
    assert_eq!(bench.calls(), [Accept; 4]);
    assert!(!bench.driver.is_busy());
}

#[test]
fn without_descriptors_accepting_rests_and_goes_on() {
    let mut bench = Bench::new(2, 0);
    bench
        .script()
        .accepts
        .extend([Err(Trouble::Exhausted), Ok(())]);
    assert!(bench.turn().is_empty());
    assert!(!bench.driver.is_busy(), "it does not spin");
    let after = Instant::from_millis(ACCEPT_BACKOFF_MS);
    assert!(bench.turn().is_empty());
    assert_eq!(bench.last_poll(), Some(after));
    let sooner = Some(Instant(7));
    bench.driver.wait(&mut bench.slots, sooner).unwrap();
    assert_eq!(bench.last_poll(), sooner);
    assert_eq!(bench.calls(), [Accept]);
    bench.script().now = after.0;
    assert_eq!(bench.turn().len(), 1);
}

#[test]
fn without_a_free_entry_connections_stay_in_the_backlog() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.script().accepts.push_back(Ok(()));
    let listener = Event {
        token: LISTENER,
        ..NOTHING
    };
    assert!(bench.told(&[listener]).is_empty());
    assert!(bench.calls().is_empty() && !bench.driver.is_busy());
    let _ = bench.driver.close(peer, false);
    assert!(bench.driver.is_busy());
    assert!(matches!(&bench.turn()[..], [Completion::Accepted { .. }]));
}

#[test]
fn a_socket_that_cannot_be_registered_is_closed() {
    let mut bench = Bench::new(1, 0);
    bench.script().accepts.extend([Ok(()), Ok(())]);
    bench.script().registers.push_back(Err(Trouble::Exhausted));
    assert!(bench.turn().is_empty());
    assert_eq!(bench.calls(), [Accept, Close(true)]);
    assert!(!bench.driver.is_busy());
    bench.script().now = u64::MAX;
    assert_eq!(bench.turn().len(), 1);
}

#[test]
fn accepting_stops_for_good() {
    let mut bench = Bench::new(1, 0);
    bench.script().accepts.push_back(Ok(()));
    bench.driver.accepting(false);
    bench.driver.accepting(false);
    bench.driver.accepting(true);
    assert!(bench.turn().is_empty());
    assert_eq!(bench.calls(), [StopListening]);
}

#[test]
fn a_wake_up_is_reported_once_per_wait() {
    let mut bench = Bench::new(1, 0);
    let wake = Event {
        token: WAKER,
        readable: true,
        ..NOTHING
    };
    let done = bench.told(&[wake, wake]);
    assert!(matches!(&done[..], [Completion::Notified]));
    assert!(bench.turn().is_empty());
}

#[test]
fn a_close_takes_everything_back_wherever_it_is() {
    let (mut bench, [idle, parked, done, runnable]) = Bench::open(1);
    bench.driver.recv(idle, None);
    bench.driver.recv(parked, Some(rx()));
    bench.driver.send(parked, tx(b"hello"));
    bench.script().sends.push_back(Ok(5));
    bench.driver.send(done, tx(b"hello"));
    bench.driver.recv(runnable, Some(rx()));
    bench
        .script()
        .recvs
        .extend([Ok(&b"abc"[..]), Err(Trouble::Interrupted)]);
    bench.script().recvs.extend([Err(Trouble::Interrupted); 9]);
    bench
        .script()
        .polls
        .push_back(vec![readable(idle), readable(runnable)]);
    bench.driver.wait(&mut bench.slots, None).unwrap();
    let parts = |bench: &mut Bench, peer| {
        let InFlight { rx, tx } = bench.driver.close(peer, true);
        (rx.is_some(), tx.is_some())
    };
    assert_eq!(parts(&mut bench, idle), (true, true), "the new slot");
    assert_eq!(parts(&mut bench, parked), (true, true));
    assert_eq!(parts(&mut bench, done), (false, true));
    assert_eq!(parts(&mut bench, runnable), (true, false));
    assert!(bench.script().open.is_empty());
    bench.script().accepts = VecDeque::from(vec![Ok(()); 5]);
    let listener = Event {
        token: LISTENER,
        ..NOTHING
    };
    let mut accepted = bench.told(&[listener]);
    accepted.extend(bench.turn());
    assert_eq!(accepted.len(), 4, "all entries are free again");
    assert!(!bench.driver.is_busy());
}

#[test]
fn more_events_than_one_batch_holds_are_all_served() {
    let count = EVENT_BATCH + 50;
    let mut bench = Bench::new(count, 0);
    bench.script().accepts = VecDeque::from(vec![Ok(()); count]);
    let mut peers = Vec::new();
    while peers.len() < count {
        for done in bench.turn() {
            let Completion::Accepted { peer, .. } = done else {
                panic!("{done:?}");
            };
            bench.driver.recv(peer, Some(rx()));
            peers.push(readable(peer));
        }
    }
    bench.script().recvs = VecDeque::from(vec![Ok(&b"abc"[..]); count]);
    let (first, second) = peers.split_at(EVENT_BATCH);
    assert_eq!(bench.told(first).len(), EVENT_BATCH);
    assert_eq!(bench.told(second).len(), 50);
}
