//! Deadlines: each row of the table, and what once got round them.

use super::*;

/// Each allowance another number; a pace window asks for 30 bytes.
const TIMES: Limits = Limits {
    first_byte_ms: 1_000,
    head_ms: 2_000,
    request_ms: 7_000,
    pace_ms: 3_000,
    body_rate_min: 10,
    send_ms: 4_000,
    idle_ms: 5_000,
    handler_ms: 6_000,
    linger_ms: 900,
    ..Limits::DEFAULT
};

/// Steps up to a wait, which has to be `wait`, and says when it is due.
fn due_in(
    peer: &mut Peer<2048, 1024>,
    site: &Site<'_>,
    on: &mut dyn FnMut(Step<'_>),
    wait: Wait,
    now: u32,
) -> u32 {
    peer.go(site, on);
    assert_eq!(peer.connection.waiting_for(), wait);
    let due = peer.watch(site, now);
    assert!(!peer.is_late(due.wrapping_sub(1)) && peer.is_late(due));
    due.wrapping_sub(now)
}

#[test]
fn each_row_of_the_table_of_deadlines_holds() {
    let site = asking(&TIMES);
    // The last one wraps within the waits.
    for t in [0, 12_345, u32::MAX - 1_500] {
        let at = |ms: u32| t.wrapping_add(ms);
        let on = &mut serving(|fork| fork.gather(usize::MAX));
        let p = &mut Peer::new();

        // The first byte; then a head, in pieces; the peer's reads; the next request.
        assert_eq!(p.deadline.first_byte(&TIMES, t), at(1_000));
        assert_eq!(due_in(p, &site, on, Wait::FirstByte, at(10)), 990);
        p.feed(b"GET /a HT");
        assert_eq!(due_in(p, &site, on, Wait::Head, at(500)), 2_000);
        p.feed(b"TP/1.1\r\n");
        assert_eq!(due_in(p, &site, on, Wait::Head, at(1_500)), 1_000);
        p.feed(b"Host: a\r\n\r\n");
        assert_eq!(due_in(p, &site, on, Wait::Send, at(2_000)), 4_000);
        p.took(1);
        assert_eq!(due_in(p, &site, on, Wait::Send, at(2_500)), 3_500);
        p.took(usize::MAX);
        assert_eq!(due_in(p, &site, on, Wait::Idle, at(3_000)), 5_000);
        p.feed(b"\r\n");
        assert_eq!(due_in(p, &site, on, Wait::Idle, at(4_000)), 4_000);

        // A gathered body: the pace, and the request as a whole since the head's first byte.
        p.feed(b"P");
        assert_eq!(due_in(p, &site, on, Wait::Head, at(5_000)), 2_000);
        p.feed(&post("Content-Length: 500\r\n", "").as_bytes()[1..]);
        assert_eq!(due_in(p, &site, on, Wait::Body, at(6_000)), 3_000);
        p.feed(&[b'x'; 29]);
        assert_eq!(due_in(p, &site, on, Wait::Body, at(7_000)), 2_000);
        p.feed(b"x");
        assert_eq!(due_in(p, &site, on, Wait::Body, at(8_000)), 3_000);
        p.feed(&[b'x'; 400]);
        assert_eq!(due_in(p, &site, on, Wait::Body, at(10_000)), 2_000);
        p.feed(&[b'x'; 70]);
        assert_eq!(due_in(p, &site, on, Wait::Send, at(11_900)), 4_000);
        p.took(usize::MAX);
        assert_eq!(due_in(p, &site, on, Wait::Idle, at(12_000)), 5_000);

        // The peer's end.
        p.feed(b"bad\r\n\r\n");
        assert_eq!(due_in(p, &site, on, Wait::Send, at(13_000)), 4_000);
        p.took(usize::MAX);
        assert_eq!(p.go(&site, on), Stop::HalfClose);
        assert_eq!(due_in(p, &site, on, Wait::Linger, at(13_500)), 900);
        p.feed(b"more");
        assert_eq!(due_in(p, &site, on, Wait::Linger, at(14_000)), 400);
    }
}

#[test]
fn a_head_is_due_with_its_request() {
    let limits = Limits {
        request_ms: 1_500,
        ..TIMES
    };
    let site = asking(&limits);
    let p = &mut Peer::new();
    let on = &mut serving(refuse);
    p.feed(b"GET");
    assert_eq!(due_in(p, &site, on, Wait::Head, 100), 1_500);
}

#[test]
fn the_next_body_has_a_window_of_its_own() {
    let site = asking(&TIMES);
    let on = &mut serving(|fork| fork.stream());
    let p = &mut Peer::new();
    p.feed(post("Content-Length: 40\r\n", "").as_bytes());
    assert_eq!(due_in(p, &site, on, Wait::Body, 100), 3_000);
    p.feed(&[b'x'; 40]);
    assert_eq!(due_in(p, &site, on, Wait::Send, 200), 4_000);
    p.took(usize::MAX);
    assert_eq!(due_in(p, &site, on, Wait::Idle, 300), 5_000);
    p.feed(b"P");
    assert_eq!(due_in(p, &site, on, Wait::Head, 400), 2_000);
    p.feed(&post("Content-Length: 40\r\n", "").as_bytes()[1..]);
    // Once it was that of its request, with what the first body had brought.
    assert_eq!(due_in(p, &site, on, Wait::Body, 500), 3_000);
    assert!(!p.deadline.is_behind(&p.rx, &TIMES, 500, 0));
    assert!(p.deadline.is_behind(&p.rx, &TIMES, 700, 200));
    assert!(!p.deadline.is_behind(&p.rx, &TIMES, 700, 201));
    p.feed(&[b'x'; 2]);
    assert_eq!(due_in(p, &site, on, Wait::Body, 700), 2_800);
    assert!(!p.deadline.is_behind(&p.rx, &TIMES, 700, 0));
    assert!(p.deadline.is_behind(&p.rx, &TIMES, 701, 0));
}

#[test]
fn a_streamed_body_knows_the_pace_alone() {
    let site = asking(&TIMES);
    for t in [0, u32::MAX - 5_000] {
        let at = |ms: u32| t.wrapping_add(ms);
        for unwanted in [false, true] {
            let on = &mut serving(if unwanted {
                refuse
            } else {
                |fork| fork.stream()
            });
            let p = &mut Peer::new();
            p.feed(post("Content-Length: 50000\r\n", "").as_bytes());
            if unwanted {
                assert_eq!(due_in(p, &site, on, Wait::Send, t), 4_000);
                p.took(usize::MAX);
            }
            assert_eq!(due_in(p, &site, on, Wait::Body, t), 3_000);
            // Far beyond what a request may take.
            for turn in 0..20 {
                p.feed(&[b'x'; 29]);
                let now = at(turn * 2_900 + 1_000);
                assert_eq!(due_in(p, &site, on, Wait::Body, now), 2_000);
                p.feed(b"x");
                let now = at((turn + 1) * 2_900);
                assert_eq!(due_in(p, &site, on, Wait::Body, now), 3_000);
            }
            // No credit for what came faster.
            p.feed(&[b'x'; 1_000]);
            assert_eq!(due_in(p, &site, on, Wait::Body, at(58_000)), 3_000);
            assert!(p.is_late(at(61_000)));
        }
    }
}

#[test]
fn a_handler_has_its_own_time() {
    let site = asking(&TIMES);
    let p = &mut Peer::new();
    p.feed(GET.as_bytes());
    let on = &mut |step: Step<'_>| {
        let Step::Request(exchange) = step else {
            panic!("{step:?}");
        };
        let _ = exchange.reply.defer();
    };
    assert_eq!(due_in(p, &site, on, Wait::Handler, 70), 6_000);
    assert_eq!(due_in(p, &site, on, Wait::Handler, 1_070), 5_000);
}

/// A peer with an endless answer on the way, at its first write.
fn endless(site: &Site<'_>, on: &mut dyn FnMut(Step<'_>)) -> Peer<2048, 1024> {
    let mut peer = Peer::new();
    peer.feed(GET.as_bytes());
    assert_eq!(peer.go(site, on), Stop::Write);
    peer
}

fn write_for_ever(step: Step<'_>) {
    let mut writer = match step {
        Step::Request(exchange) => exchange.reply.status(Status::OK).stream(None).unwrap(),
        Step::Room(writer) => writer,
        step => panic!("{step:?}"),
    };
    writer.write(&[b'z'; 2000]);
    let _ = writer.pause();
}

#[test]
fn a_streamed_answer_lives_as_long_as_its_peer_reads() {
    let limits = Limits::DEFAULT;
    let site = asking(&limits);
    let mut peer = endless(&site, &mut write_for_ever);
    let mut now = u32::MAX - 20_000;
    for turn in 0..100 {
        peer.watch(&site, now);
        now = now.wrapping_add(limits.send_ms - 1);
        assert!(!peer.is_late(now), "turn {turn}");
        peer.took(usize::MAX);
        assert_eq!(peer.go(&site, &mut write_for_ever), Stop::Write);
    }
}

#[test]
fn a_streamed_answer_lives_though_its_buffer_is_never_empty() {
    let limits = Limits::DEFAULT;
    let site = asking(&limits);
    let mut peer = endless(&site, &mut write_for_ever);
    let mut now = u32::MAX - 20_000;
    for turn in 0..200 {
        peer.watch(&site, now);
        // What the buffer holds is taken within five sevenths of a window.
        now = now.wrapping_add(limits.send_ms / 7);
        assert!(!peer.is_late(now), "turn {turn}");
        peer.took(205);
        assert_eq!(peer.go(&site, &mut write_for_ever), Stop::Write);
    }
}

#[test]
fn a_peer_that_takes_a_byte_now_and_then_is_late() {
    let limits = Limits::DEFAULT;
    let site = asking(&limits);
    for take in [1, 20] {
        let mut peer = endless(&site, &mut write_for_ever);
        let mut now = 7;
        while !peer.is_late(now) || now == 7 {
            peer.watch(&site, now);
            now += 900;
            peer.took(take);
            assert_eq!(peer.go(&site, &mut write_for_ever), Stop::Write);
            assert!(now <= 7 + limits.send_ms + 900, "{take} bytes");
        }
    }
}

fn echo(step: Step<'_>) {
    match step {
        Step::Head(fork) => {
            let head = fork.answer().status(Status::OK);
            let _ = head.stream(Some(100_000)).unwrap().pause();
        }
        Step::Chunk(mut inflow) => {
            inflow.echo();
        }
        step => panic!("{step:?}"),
    }
}

#[test]
fn an_echo_byte_by_byte_does_not_hold_its_exchange() {
    let limits = Limits::DEFAULT;
    let site = asking(&limits);
    let head = post("Content-Length: 100000\r\n", "");
    for (every_ms, send_ms) in [(4_900, 0), (4_900, 50), (1_000, 0), (1_000, 300)] {
        let mut peer = Peer::<2048, 1024>::new();
        peer.feed(head.as_bytes());
        let (mut now, mut sending) = (u32::MAX - 3_000, 0);
        let began = now;
        loop {
            let stop = peer.go(&site, &mut echo);
            peer.watch(&site, now);
            if stop == Stop::Write {
                now = now.wrapping_add(send_ms);
                sending += send_ms;
                assert!(!peer.is_late(now));
                peer.took(usize::MAX);
                continue;
            }
            let waited = now.wrapping_sub(began);
            assert!(waited <= limits.pace_ms + sending, "held {waited} ms");
            now = now.wrapping_add(every_ms);
            if peer.is_late(now) {
                assert!(now.wrapping_sub(began) >= limits.pace_ms + sending);
                break;
            }
            peer.feed(b"q");
        }
    }
}

#[test]
fn the_time_that_answers_take_is_not_held_against_a_body() {
    let limits = Limits::DEFAULT;
    let site = asking(&limits);
    let mut peer = Peer::<2048, 1024>::new();
    peer.feed(post("Content-Length: 100000\r\n", "").as_bytes());
    let (stop, _) = peer.flush(&site, &mut echo);
    assert_eq!(stop, Stop::Read);
    let due = peer.watch(&site, 0);
    assert_eq!(due, limits.pace_ms);
    // Less than a window asks for, and more than the send buffer holds: two fillings.
    peer.feed(&[b'q'; 1500]);
    let (mut now, mut fillings) = (0, 0);
    while peer.go(&site, &mut echo) == Stop::Write {
        peer.watch(&site, now);
        now += 4_000;
        fillings += 1;
        peer.took(usize::MAX);
    }
    assert_eq!(fillings, 2);
    assert_eq!(peer.watch(&site, now), due + now);
}

#[test]
fn an_answer_within_a_window_begins_no_other_wait() {
    let site = asking(&TIMES);
    let mut peer = Peer::<2048, 1024>::new();
    peer.feed(post("Content-Length: 100000\r\n", "").as_bytes());
    let (stop, _) = peer.flush(&site, &mut echo);
    assert_eq!(stop, Stop::Read);
    peer.watch(&site, 0);
    let first = peer.deadline.stamp();
    let echo_one = |peer: &mut Peer<2048, 1024>, now, took_ms| {
        peer.feed(b"q");
        assert_eq!(peer.go(&site, &mut echo), Stop::Write);
        peer.watch(&site, now);
        let sending = peer.deadline.stamp();
        peer.took(usize::MAX);
        assert_eq!(peer.go(&site, &mut echo), Stop::Read);
        peer.watch(&site, now + took_ms);
        (sending, peer.deadline.stamp())
    };
    for now in 1..20 {
        assert_eq!(echo_one(&mut peer, now, 0), (first, first));
    }
    // One that puts the window off moves the deadline, and that is another wait.
    let (sending, later) = echo_one(&mut peer, 20, 7);
    assert!(sending == first && later != first);
}
