//! Corners of the machine that no request of the vectors reaches: a send buffer that is nearly
//! full, handlers that do nothing, calls that come too late, and a thousand requests at once.

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Bodies, Connection, Fault, Full, Outlet, Site, Step};
use barewire_core::limits::Limits;
use barewire_core::wire::Status;
use std::fmt::Write;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn receive(rx: &mut RecvBuffer, bytes: &[u8]) {
    rx.space()[..bytes.len()].copy_from_slice(bytes);
    rx.filled(bytes.len());
}

/// Takes what is sent; the connection has to want that.
fn sent(step: Step<'_>) -> String {
    let Step::Write(bytes) = step else {
        panic!("nothing is sent: {step:?}");
    };
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A connection with an answer of 51 bytes that waits in a buffer of 70: an interim response of 25
/// bytes has no room, though what is promised from then on has.
fn interim(bodies: Bodies, choose: fn(barewire_core::connection::Fork<'_>)) -> Vec<String> {
    let promise = |reply_bytes_max| Limits {
        reply_bytes_max,
        ..Limits::DEFAULT
    };
    let (large, small) = (promise(64), promise(8));
    let mut site = Site {
        bodies,
        ..Site::new(&large)
    };
    let mut rx = RecvBuffer::<[u8; 512]>::new();
    let mut tx = SendBuffer::<[u8; 70]>::new();
    let mut connection = Connection::new();
    let mut out = Vec::new();
    receive(&mut rx, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    receive(
        &mut rx,
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n",
    );
    receive(&mut rx, b"Content-Length: 2\r\n\r\nhi");
    for _ in 0..10 {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Request(exchange) if exchange.body.is_empty() => {
                let done = exchange.reply.status(Status::NO_CONTENT).body(b"");
                assert!(done.is_ok());
                site.limits = &small;
            }
            Step::Request(exchange) => {
                assert_eq!(exchange.body, b"hi");
                break;
            }
            Step::Head(fork) => choose(fork),
            Step::Chunk(mut inflow) => {
                assert_eq!(inflow.bytes(), b"hi");
                inflow.take(2);
            }
            Step::End(_) => break,
            step => {
                let text = sent(step);
                tx.sent(text.len());
                out.push(text);
            }
        }
    }
    out.push(String::from_utf8(tx.pending().to_vec()).unwrap());
    out
}

#[test]
fn an_interim_response_waits_for_room_and_is_sent() {
    let ways: [(Bodies, fn(barewire_core::connection::Fork<'_>)); 4] = [
        (Bodies::Gather(64), |_| unreachable!("nobody is asked")),
        (Bodies::Ask, |fork| drop(fork.gather(64))),
        (Bodies::Ask, |fork| drop(fork.stream_after(64))),
        (Bodies::Ask, |fork| drop(fork.stream())),
    ];
    for (way, (bodies, choose)) in ways.into_iter().enumerate() {
        let out = interim(bodies, choose);
        let [first, interim] = &out[..] else {
            panic!("way {way}: {out:?}");
        };
        assert!(
            first.starts_with("HTTP/1.1 204 ") && first.len() == 51,
            "{first}"
        );
        assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n", "way {way}");
    }
}

#[test]
fn a_handler_that_takes_nothing_of_a_stream_is_cut_off() {
    let limits = Limits::DEFAULT;
    let site = Site {
        bodies: Bodies::Ask,
        ..Site::new(&limits)
    };
    let mut rx = RecvBuffer::<[u8; 512]>::new();
    let mut tx = SendBuffer::<[u8; 1024]>::new();
    let mut connection = Connection::new();
    receive(
        &mut rx,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    );
    let mut lent = 0;
    for _ in 0..10 {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Head(fork) => drop(fork.stream()),
            Step::Chunk(mut inflow) => {
                lent += 1;
                // No answer was begun: there is nothing to echo to.
                assert!(matches!(inflow.outlet(), Outlet::Reply(_)));
                assert_eq!(inflow.echo(), 0);
            }
            Step::Cut => {}
            step => {
                let text = sent(step);
                assert!(text.starts_with("HTTP/1.1 500 "), "{text}");
                assert_eq!(lent, 1);
                assert_eq!(connection.fault(), Some(Fault::NotAnswered));
                return;
            }
        }
    }
    panic!("it was lent {lent} times");
}

/// What is done with a request of this method; all that is sent.
fn answered(method: &str, answer: impl FnOnce(barewire_core::connection::Reply<'_>)) -> String {
    let limits = Limits {
        reply_bytes_max: 200,
        ..Limits::DEFAULT
    };
    let site = Site::new(&limits);
    let mut rx = RecvBuffer::<[u8; 512]>::new();
    let mut tx = SendBuffer::<[u8; 256]>::new();
    let mut connection = Connection::new();
    receive(
        &mut rx,
        format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
    );
    let Step::Request(exchange) = connection.step(&site, &mut rx, &mut tx) else {
        panic!("the request is complete");
    };
    answer(exchange.reply);
    sent(connection.step(&site, &mut rx, &mut tx))
}

#[test]
fn an_answer_whose_writing_fails_gives_the_reply_back() {
    for (method, body) in [("GET", "again"), ("HEAD", "")] {
        let text = answered(method, |reply| {
            let failed = reply.status(Status::OK).body_with(|out| {
                out.write_str("half")?;
                Err(std::fmt::Error)
            });
            let Err(Full(reply)) = failed else {
                panic!("{method}: it was written");
            };
            drop(reply.status(Status::NOT_FOUND).body(b"again"));
        });
        assert!(text.starts_with("HTTP/1.1 404 "), "{method}: {text}");
        assert!(
            text.ends_with(&format!("Content-Length: 5\r\n\r\n{body}")),
            "{text}"
        );
        assert!(!text.contains("half"), "{text}");
    }
}

#[test]
fn an_answer_that_is_written_beyond_its_promise_says_so_to_its_writer() {
    let text = answered("GET", |reply| {
        let mut told = false;
        let full = reply.status(Status::OK).body_with(|out| {
            let outcome = out.write_str(&"x".repeat(300));
            told = outcome.is_err();
            outcome
        });
        assert!(told, "the writer could have gone on for nothing");
        let Err(Full(reply)) = full else {
            panic!("300 bytes fit in 200");
        };
        drop(reply.bare(Status::CONTENT_TOO_LARGE));
    });
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
}

#[test]
fn a_page_is_sent_as_html() {
    let text = answered("GET", |reply| {
        drop(reply.status(Status::OK).html("<p>").unwrap());
    });
    let field = "\r\nContent-Type: text/html; charset=utf-8\r\n";
    assert!(
        text.contains(field) && text.ends_with("\r\n\r\n<p>"),
        "{text}"
    );
}

#[test]
fn a_stream_is_written_as_text_until_there_is_no_room() {
    let text = answered("GET", |reply| {
        let mut writer = reply.status(Status::OK).stream(None).unwrap();
        writer.write_str("1-two").unwrap();
        writer.write_str("").unwrap();
        writer.write_str(&"x".repeat(1000)).unwrap_err();
        drop(writer.finish());
    });
    assert!(text.contains("\r\n\r\n5\r\n1-two\r\n"), "{text}");
    assert!(text.ends_with("x\r\n0\r\n\r\n"), "{text}");
}

#[test]
fn a_stream_in_answer_to_head_takes_all_and_sends_nothing() {
    let text = answered("HEAD", |reply| {
        let mut writer = reply.status(Status::OK).stream(Some(5000)).unwrap();
        assert_eq!(writer.room(), usize::MAX);
        assert_eq!(writer.write(&[b'x'; 5000]), 5000);
        drop(writer.finish());
    });
    assert!(text.ends_with("Content-Length: 5000\r\n\r\n"), "{text}");
}

#[test]
fn a_fault_that_comes_after_the_last_answer_changes_nothing() {
    let limits = Limits::DEFAULT;
    let site = Site::new(&limits);
    let mut rx = RecvBuffer::<[u8; 512]>::new();
    let mut tx = SendBuffer::<[u8; 1024]>::new();
    let mut connection = Connection::new();
    receive(&mut rx, b"GET\r\n\r\n");
    let first = sent(connection.step(&site, &mut rx, &mut tx));
    let fault = connection.fault();
    assert!(
        first.starts_with("HTTP/1.1 400 ") && fault.is_some(),
        "{first}"
    );
    connection.refuse_busy();
    assert_eq!(connection.fault(), fault);
    let again = sent(connection.step(&site, &mut rx, &mut tx));
    assert_eq!(again, first);
    tx.sent(again.len());
    let step = connection.step(&site, &mut rx, &mut tx);
    assert!(matches!(step, Step::HalfClose), "{step:?}");
}

#[test]
fn a_trailer_section_that_fills_the_buffer_is_too_large() {
    // Once it is the buffer that ends, once the limit.
    for head_bytes_max in [Limits::DEFAULT.head_bytes_max, 100] {
        let limits = Limits {
            head_bytes_max,
            ..Limits::DEFAULT
        };
        let site = Site {
            bodies: Bodies::Gather(64),
            ..Site::new(&limits)
        };
        let mut rx = RecvBuffer::<[u8; 512]>::new();
        let mut tx = SendBuffer::<[u8; 1024]>::new();
        let mut connection = Connection::new();
        receive(
            &mut rx,
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        );
        let mut answer = None;
        for _ in 0..10 {
            match connection.step(&site, &mut rx, &mut tx) {
                Step::Read(space) => {
                    let n = space.len();
                    space.fill(b'x');
                    rx.filled(n);
                }
                step => {
                    answer = Some(sent(step));
                    break;
                }
            }
        }
        let answer = answer.expect("it reads without an end");
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[test]
fn requests_are_served_one_after_the_other_while_there_is_room() {
    let limits = Limits::DEFAULT;
    let site = Site::new(&limits);
    let mut rx = RecvBuffer::<[u8; 512]>::new();
    let mut tx = SendBuffer::<[u8; 1024]>::new();
    let mut connection = Connection::new();
    receive(&mut rx, &GET.repeat(2));
    for _ in 0..2 {
        let Step::Request(exchange) = connection.step(&site, &mut rx, &mut tx) else {
            panic!("there is room");
        };
        drop(exchange.reply.bare(Status::OK));
    }
    let text = sent(connection.step(&site, &mut rx, &mut tx));
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 2);
}

/// Serves a thousand requests that come as fast as there is space for them; how much space each
/// read had. Each request has to lie right behind the one before it, but for the first of a read.
fn reads_of_a_thousand(rx: &mut RecvBuffer) -> Vec<usize> {
    let limits = Limits::DEFAULT;
    let site = Site::new(&limits);
    let mut tx = SendBuffer::<[u8; 1024]>::new();
    let mut connection = Connection::new();
    let all = GET.repeat(1000);
    let (mut sent, mut served) = (0, 0);
    let mut reads = Vec::new();
    let mut place = None;
    for _ in 0..10_000 {
        match connection.step(&site, rx, &mut tx) {
            Step::Request(exchange) => {
                let here = exchange.head.path().as_ptr().addr();
                assert!(
                    place.is_none_or(|before| here == before + GET.len()),
                    "request {served} was moved within a read"
                );
                place = Some(here);
                served += 1;
                drop(exchange.reply.bare(Status::NO_CONTENT));
            }
            Step::Write(bytes) => {
                let n = bytes.len();
                tx.sent(n);
            }
            Step::Read(_) if sent == all.len() => {
                assert_eq!(served, 1000);
                return reads;
            }
            Step::Read(space) => {
                reads.push(space.len());
                let n = space.len().min(all.len() - sent);
                space[..n].copy_from_slice(&all[sent..sent + n]);
                rx.filled(n);
                sent += n;
                place = None;
            }
            step => panic!("{step:?}"),
        }
    }
    panic!("{served} of {} bytes", all.len());
}

/// Requests are taken off by an offset. What is left of one is moved to the front before a read, so
/// that each read has all the space but for less than a request: what is moved grows as the input.
#[test]
fn a_thousand_requests_at_once_are_moved_at_most_once_for_each_read() {
    let large = reads_of_a_thousand(&mut RecvBuffer::<[u8; 32_768]>::new());
    assert_eq!(large.len(), 1);
    let small = reads_of_a_thousand(&mut RecvBuffer::<[u8; 1024]>::new());
    assert!(small.len() > 25, "{small:?}");
    let least = small[0] - (GET.len() - 1);
    assert!(small.iter().all(|space| *space >= least), "{small:?}");
}
