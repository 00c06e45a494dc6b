//! Receives and sends of one connection.

use super::script::*;
use super::*;

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
fn an_edge_that_came_before_the_receive_is_remembered() {
    let (mut bench, [peer]) = Bench::open(0);
    assert!(bench.told(&[readable(peer)]).is_empty());
    bench.driver.send(peer, tx(b"hello"));
    assert_eq!(bench.calls(), [Send(5)]);
    bench.script().recvs.push_back(Ok(b"abc"));
    bench.driver.recv(peer, Some(rx()));
    assert_eq!(received(bench.turn()).1, Received::Bytes(3));
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
    let mut done = bench.told(&[readable(peer)]);
    bench.script().sends.push_back(Err(Trouble::Lost));
    bench.driver.send(peer, tx(b"hello"));
    done.extend(bench.drain());
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
fn what_is_sent_later_waits_for_the_next_turn() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.calls();
    bench.script().sends.push_back(Ok(5));
    bench.driver.send_later(peer, tx(b"hello"));
    assert!(bench.driver.is_busy(), "the next wait is none");
    assert!(bench.drain().is_empty() && bench.calls().is_empty());
    assert!(matches!(&bench.turn()[..], [Completion::Sent { .. }]));
    assert_eq!(bench.calls(), [Send(5)]);
    // Nothing to send is sent already, and who is lost is told so.
    bench.driver.send_later(peer, tx(b""));
    assert!(matches!(&bench.drain()[..], [Completion::Sent { .. }]));
    bench.script().sends.push_back(Err(Trouble::Lost));
    assert!(bench.driver.send_now(peer, tx(b"hello")).is_none());
    bench.drain();
    bench.driver.send_later(peer, tx(b"again"));
    let lost = |done: &[Completion]| matches!(done, [Completion::Lost { tx: Some(_), .. }]);
    assert!(lost(&bench.drain()));
}

#[test]
fn what_is_sent_in_place_comes_back_at_once() {
    let (mut bench, [peer]) = Bench::open(0);
    bench.script().sends.push_back(Ok(5));
    let buffer = tx(b"hello");
    let buffer = bench.driver.send_now(peer, buffer).unwrap();
    assert!(buffer.pending().is_empty());
    assert!(!bench.driver.is_busy() && bench.drain().is_empty());
    // A part of it, and the rest goes by itself.
    assert!(buffer.append(b"hello"));
    bench.script().sends.push_back(Ok(2));
    assert!(bench.driver.send_now(peer, buffer).is_none());
    assert!(bench.turn().is_empty());
    bench.script().sends.push_back(Ok(3));
    let done = bench.told(&[writable(peer)]);
    assert!(matches!(&done[..], [Completion::Sent { .. }]));
    // A signal storm: again in the next turn.
    bench.script().sends.extend([Err(Trouble::Interrupted); 8]);
    assert!(bench.driver.send_now(peer, tx(b"hello")).is_none());
    bench.script().sends.push_back(Ok(5));
    assert!(matches!(&bench.turn()[..], [Completion::Sent { .. }]));
    assert!(bench.driver.send_now(peer, tx(b"")).is_none());
    assert!(matches!(&bench.drain()[..], [Completion::Sent { .. }]));
    bench.calls();
    bench.script().sends.push_back(Err(Trouble::Lost));
    assert!(bench.driver.send_now(peer, tx(b"hello")).is_none());
    let lost = |done: &[Completion]| matches!(done, [Completion::Lost { tx: Some(_), .. }]);
    assert!(lost(&bench.drain()));
    assert!(bench.driver.send_now(peer, tx(b"again")).is_none());
    assert!(lost(&bench.drain()));
    assert_eq!(bench.calls(), [Send(5)], "no call on a lost connection");
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
fn the_clock_stands_still_until_it_is_read() {
    let (mut bench, []) = Bench::open(0);
    bench.script().now = 5;
    assert_eq!(bench.driver.now(), Instant(0));
    assert_eq!(
        (bench.driver.tick(), bench.driver.now()),
        (Instant(5), Instant(5))
    );
    let shown = std::format!("{:?}", bench.driver);
    assert!(
        shown.starts_with("Readiness { now: Instant(5), acceptable: true, accepting: true"),
        "{shown}"
    );
}
