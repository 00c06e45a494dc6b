//! Deadlines and deferral: what a connection does while it waits.

use super::*;

#[test]
fn deadlines_answer_what_was_begun_and_are_silent_else() {
    let site = Site::new(&Limits::DEFAULT);
    for (input, wait, answer) in [
        ("", Wait::FirstByte, ""),
        ("\r\n", Wait::FirstByte, ""),
        ("GET", Wait::Head, "HTTP/1.1 408 "),
        (GET, Wait::Idle, ""),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
            Wait::Body,
            "HTTP/1.1 408 ",
        ),
    ] {
        let mut rx = RecvBuffer::<[u8; 1024]>::new();
        let mut tx = SendBuffer::<[u8; 1024]>::new();
        let mut connection = Connection::new();
        let mut given = false;
        let mut out = vec![];
        loop {
            match connection.step(&site, &mut rx, &mut tx) {
                Step::Read(space) if !given && !input.is_empty() => {
                    given = true;
                    space[..input.len()].copy_from_slice(input.as_bytes());
                    rx.filled(input.len());
                }
                Step::Read(_) => {
                    if connection.waiting_for() != Wait::Linger {
                        assert_eq!(connection.waiting_for(), wait, "{input:?}");
                        out.clear();
                    }
                    connection.expire();
                }
                Step::Write(bytes) => {
                    out.extend_from_slice(bytes);
                    let n = bytes.len();
                    tx.sent(n);
                }
                Step::Request(exchange) => {
                    let _ = exchange.reply.status(Status::OK).body(b"").unwrap();
                }
                Step::HalfClose => {}
                Step::Close => break,
                step => panic!("{step:?}"),
            }
        }
        assert!(out.starts_with(answer.as_bytes()), "{input:?}");
        assert_eq!(out.is_empty(), answer.is_empty(), "{input:?}");
    }
}

/// A request is told from the next by a count of eight bits.
#[test]
fn as_many_requests_at_once_as_the_count_has_do_not_bring_back_an_old_limit() {
    let limits = &Limits::DEFAULT;
    let mut site = Site::new(limits);
    site.bodies = Bodies::Gather(100);
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 16_384]>::new(),
        SendBuffer::<[u8; 65_535]>::new(),
    );
    let (mut connection, mut deadline) = (Connection::new(), Deadline::new());
    let mut step = |rx: &mut RecvBuffer, input: &str, now_ms| {
        rx.space_for_test(input.as_bytes());
        loop {
            match connection.step(&site, rx, &mut tx) {
                Step::Request(exchange) => {
                    let _ = exchange.reply.status(Status::OK).body(b"").unwrap();
                }
                // All is taken at once: nothing is waited for.
                Step::Write(bytes) => {
                    let n = bytes.len();
                    tx.sent(n);
                }
                Step::Read(_) => {
                    let due = deadline.watch(&connection, rx, limits, now_ms);
                    return (connection.waiting_for(), due);
                }
                step => panic!("{step:?}"),
            }
        }
    };
    let (head, rest) = GET.split_at(10);
    assert_eq!(step(&mut rx, head, 0).0, Wait::Head);
    assert_eq!(step(&mut rx, rest, 1), (Wait::Idle, 1 + limits.idle_ms));
    let now = 1 + limits.request_ms * 2;
    let body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel";
    let (wait, due) = step(&mut rx, &(GET.repeat(255) + body), now);
    assert_eq!(wait, Wait::Body);
    assert_eq!(due, now + limits.pace_ms.min(limits.request_ms));
}

#[test]
fn a_deferred_exchange_comes_back_after_everything_before_it_is_sent() {
    let site = Site::new(&Limits::DEFAULT);
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 1024]>::new(),
        SendBuffer::<[u8; 1024]>::new(),
    );
    let mut connection = Connection::new();
    let input = format!("{GET}{GET}");
    rx.space_for_test(input.as_bytes());
    let (mut requests, mut out, mut sent_before) = (0, vec![], 0);
    loop {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Request(exchange) => {
                requests += 1;
                let _ = match requests {
                    2 => exchange.reply.defer(),
                    _ => exchange.reply.status(Status::OK).text("now").unwrap(),
                };
            }
            Step::Write(bytes) => {
                out.extend_from_slice(bytes);
                let n = bytes.len();
                tx.sent(n);
            }
            Step::Away => {
                sent_before = out.len();
                assert_eq!(connection.waiting_for(), Wait::Handler);
                let exchange = connection.resume(&site, &mut rx, &mut tx).unwrap();
                assert_eq!(exchange.head.method(), Method::Get);
                let _ = exchange.reply.status(Status::OK).text("later").unwrap();
            }
            Step::Read(_) => break,
            step => panic!("{step:?}"),
        }
    }
    assert!(connection.resume(&site, &mut rx, &mut tx).is_none());
    assert!(out[..sent_before].ends_with(b"now") && out.ends_with(b"later"));
}

#[test]
fn a_deferred_exchange_hears_that_it_will_not_be_answered() {
    // Lost before everything in front of it was sent; lost when it was away; too late.
    for (away, expires) in [(false, false), (false, true), (true, false), (true, true)] {
        let site = Site::new(&Limits::DEFAULT);
        let (mut rx, mut tx) = (
            RecvBuffer::<[u8; 1024]>::new(),
            SendBuffer::<[u8; 1024]>::new(),
        );
        let mut connection = Connection::new();
        rx.space_for_test(format!("{GET}{GET}").as_bytes());
        let (mut requests, mut cuts, mut ended) = (0, 0, false);
        loop {
            let step = connection.step(&site, &mut rx, &mut tx);
            match step {
                Step::Request(exchange) => {
                    requests += 1;
                    let _ = match requests {
                        2 => exchange.reply.defer(),
                        _ => exchange.reply.status(Status::OK).text("now").unwrap(),
                    };
                }
                Step::Write(_) | Step::Away if !ended => {
                    if away && matches!(step, Step::Write(_)) {
                        let n = tx.pending().len();
                        tx.sent(n);
                        continue;
                    }
                    ended = true;
                    match expires {
                        true => connection.expire(),
                        false => connection.lose(),
                    }
                }
                Step::Write(bytes) => {
                    let n = bytes.len();
                    tx.sent(n);
                }
                Step::Cut => cuts += 1,
                Step::Read(_) => rx.end(),
                Step::HalfClose => {}
                Step::Close => break,
                step => panic!("{step:?}"),
            }
        }
        assert_eq!((requests, cuts), (2, 1), "{away} {expires}");
    }
}

/// Found by the fuzz target `response`: the writer of an ending kept the promise as its bound.
#[test]
fn a_writer_at_the_end_of_a_body_takes_as_much_as_it_says() {
    let limits = Limits {
        reply_bytes_max: 200,
        ..Limits::DEFAULT
    };
    let site = Site {
        bodies: Bodies::Ask,
        ..Site::new(&limits)
    };
    let mut rx = RecvBuffer::<[u8; 1024]>::new();
    let mut tx = SendBuffer::<[u8; 1024]>::new();
    let mut connection = Connection::new();
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    let mut wrote = None;
    while wrote.is_none() {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Read(space) => {
                space[..input.len()].copy_from_slice(input);
                rx.filled(input.len());
            }
            Step::Head(fork) => {
                let head = fork.answer().status(Status::OK);
                let _ = head.stream(None).unwrap().pause();
            }
            Step::Chunk(mut inflow) => inflow.take(1),
            Step::End(ending) => {
                let Outlet::Writer(mut writer) = ending.outlet else {
                    panic!("the answer was begun");
                };
                let room = writer.room();
                assert!(room > 500, "{room}");
                wrote = Some((room, writer.write(&[b'x'; 1024])));
                let _ = writer.finish();
            }
            other => panic!("{other:?}"),
        }
    }
    let (room, n) = wrote.unwrap();
    assert_eq!(n, room);
}
