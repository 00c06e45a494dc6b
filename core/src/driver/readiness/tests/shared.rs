//! What connections share: slots, entries, the listener, the batch; and how they end.

use std::boxed::Box;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use super::script::*;
use super::*;

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
fn a_slot_that_one_gives_back_the_next_of_the_same_turn_has() {
    let (mut bench, peers @ [a, b, c]) = Bench::open(1);
    for peer in peers {
        bench.driver.recv(peer, None);
    }
    let all = [Ok(&b"a"[..]), Ok(b"b"), Ok(b"c")];
    bench.script().recvs.extend(all);
    bench.script().polls.push_back(peers.map(readable).to_vec());
    bench.driver.wait(&mut bench.slots, None).unwrap();
    assert_eq!(bench.calls(), [], "a wait reads nothing");
    for expected in [a, b, c] {
        let next = bench.driver.next(&mut bench.slots);
        let Some(Completion::Received {
            peer,
            rx,
            tx: Some(tx),
            ..
        }) = next
        else {
            panic!("{next:?}");
        };
        assert_eq!(peer, expected);
        if peer == b {
            // While it holds the slot the third finds none; then it need not wait for a turn.
            assert!(bench.driver.next(&mut bench.slots).is_none());
        }
        bench.slots.give(Slot { rx, tx });
    }
    assert!(bench.driver.next(&mut bench.slots).is_none());
    assert_eq!(bench.calls(), [Recv(SPACE); 3]);
}

#[test]
fn what_is_left_of_a_turn_comes_in_the_next() {
    let (mut bench, [a, b, c, d]) = Bench::open(0);
    let events = [a, b].map(|peer| {
        bench.driver.recv(peer, Some(rx()));
        readable(peer)
    });
    // This one is on the list of those with something to try.
    bench.driver.recv(c, Some(rx()));
    bench.script().recvs.push_back(Ok(b"01234567"));
    bench.told(&[readable(c)]);
    bench.driver.recv(c, Some(rx()));
    bench
        .script()
        .recvs
        .extend([Ok(&b"a"[..]), Ok(b"b"), Ok(b"c")]);
    let wake = Event {
        token: WAKER,
        ..NOTHING
    };
    let listener = Event {
        token: LISTENER,
        ..NOTHING
    };
    let _ = bench.driver.close(d, false);
    let events = [events[0], events[1], readable(d), wake, listener];
    bench.script().polls.push_back(events.to_vec());
    bench.script().accepts.push_back(Ok(()));
    bench.driver.wait(&mut bench.slots, None).unwrap();
    let first = bench.driver.next(&mut bench.slots);
    assert!(matches!(first, Some(Completion::Received { peer, .. }) if peer == a));
    assert!(bench.driver.is_busy());
    let rest = bench.turn();
    assert_eq!(bench.last_poll(), Some(Instant(0)), "does not block");
    assert!(matches!(
        &rest[..],
        [
            Completion::Notified,
            Completion::Received { peer: second, .. },
            Completion::Received { peer: third, .. },
            Completion::Accepted { .. },
        ] if *second == c && *third == b
    ));
    assert!(!bench.driver.is_busy());
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
    assert!(bench.told(&[broken(c)]).is_empty());
    assert!(bench.driver.is_busy(), "it is taken out of the line");
    let done = bench.turn();
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
    let done = bench.told(&[wake]);
    assert!(matches!(&done[..], [Completion::Notified]));
    assert!(bench.turn().is_empty());
}

#[test]
fn a_close_takes_everything_back_wherever_it_is() {
    let (mut bench, [idle, parked, done, runnable]) = Bench::open(1);
    bench.driver.recv(runnable, Some(rx()));
    bench.script().recvs.extend([Err(Trouble::Interrupted); 8]);
    assert!(bench.told(&[readable(runnable)]).is_empty());
    bench.driver.recv(idle, None);
    bench.driver.recv(parked, Some(rx()));
    bench.driver.send(parked, tx(b"hello"));
    bench.script().polls.push_back(vec![readable(idle)]);
    bench.driver.wait(&mut bench.slots, None).unwrap();
    bench.script().sends.push_back(Ok(5));
    bench.driver.send(done, tx(b"hello"));
    let parts = |bench: &mut Bench, peer| {
        let InFlight { rx, tx } = bench.driver.close(peer, true);
        (rx.is_some(), tx.is_some())
    };
    assert_eq!(parts(&mut bench, idle), (false, false), "not read yet");
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
