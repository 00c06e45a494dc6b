//! Tests of the machine as a whole: every cut of the input gives the same output.

extern crate std;

use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::*;
use crate::limits::Limits;
use crate::wire::{Date, Method, Status};

mod edges;
mod left;
mod passed;
mod waits;

const DATE: Date = Date::from_unix(784_111_777);

/// What the test's handler does with a request that has a body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plan {
    /// Gather at most so many bytes.
    Gather(usize),
    /// Echo while it streams, after so many bytes in hand; chunked.
    Echo(usize),
    /// Answer first, then echo with the same length or chunked.
    AnswerFirst,
    /// Answer at the end of a streamed body with its number of bytes.
    Count,
    /// Refuse at the head.
    Refuse,
    /// Drop everything.
    Drop,
}

/// All that came out, and how it ended.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Outcome {
    bytes: Vec<u8>,
    cuts: usize,
    half_closed: bool,
    fault: Option<Fault>,
    open: bool,
}

/// Plays `input`, cut at the given places, then (if `end`) the end of the stream.
fn play(input: &[u8], cuts: &[usize], end: bool, plan: Plan) -> Outcome {
    play_with::<2048, 1024>(input, cuts, end, plan, 200)
}

fn play_with<const R: usize, const S: usize>(
    input: &[u8],
    cuts: &[usize],
    end: bool,
    plan: Plan,
    promise: u32,
) -> Outcome {
    let limits = Limits {
        reply_bytes_max: promise,
        ..Limits::DEFAULT
    };
    let bodies = match plan {
        Plan::Gather(max) => Bodies::Gather(max),
        _ => Bodies::Ask,
    };
    let site = Site {
        bodies,
        date: Some(&DATE),
        ..Site::new(&limits)
    };
    let (mut rx, mut tx) = (RecvBuffer::<[u8; R]>::new(), SendBuffer::<[u8; S]>::new());
    let mut connection = Connection::new();
    let mut out = Outcome {
        bytes: vec![],
        cuts: 0,
        half_closed: false,
        fault: None,
        open: false,
    };
    let (mut at, mut cuts, mut count) = (0, cuts.iter().copied(), 0usize);
    let mut piece_end = cuts.next().unwrap_or(input.len());
    for _ in 0..200_000 {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Read(space) => {
                assert!(!space.is_empty(), "never asked to read into nothing");
                if at == piece_end && at < input.len() {
                    piece_end = cuts.next().unwrap_or(input.len()).max(at + 1);
                }
                let n = space.len().min(piece_end - at);
                space[..n].copy_from_slice(&input[at..at + n]);
                at += n;
                match n {
                    0 if end => rx.end(),
                    0 if connection.waiting_for() == Wait::Linger => connection.expire(),
                    0 => {
                        out.open = true;
                        out.fault = connection.fault();
                        return out;
                    }
                    n => rx.filled(n),
                }
            }
            Step::Write(bytes) => {
                assert!(!bytes.is_empty(), "never asked to write nothing");
                out.bytes.extend_from_slice(bytes);
                let n = bytes.len();
                tx.sent(n);
            }
            Step::Request(exchange) => {
                if exchange.head.path() == b"/drop" {
                    continue;
                }
                let text = format!(
                    "{} {} {:?}",
                    exchange.head.target().escape_ascii(),
                    exchange.body.len(),
                    exchange.trailers,
                );
                let head = exchange.reply.status(Status::OK);
                let _ = if exchange.head.path() == b"/with" {
                    head.body_with(|w| w.write_str(&text)).unwrap()
                } else {
                    head.text(&text).unwrap()
                };
            }
            Step::Head(fork) => {
                count = 0;
                let _ = match plan {
                    Plan::Gather(_) => unreachable!("nobody is asked"),
                    Plan::Echo(hold) => fork.stream_after(hold),
                    Plan::Count => fork.stream(),
                    Plan::AnswerFirst => {
                        let length = match fork.head.framing() {
                            crate::wire::Framing::Length(n) => Some(n),
                            _ => None,
                        };
                        fork.answer()
                            .status(Status::OK)
                            .stream(length)
                            .unwrap()
                            .pause()
                    }
                    Plan::Refuse => fork.refuse(Status::FORBIDDEN).reason("no"),
                    Plan::Drop => continue,
                };
            }
            Step::Chunk(mut inflow) => {
                count += inflow.bytes().len();
                match plan {
                    Plan::Count => {
                        let n = inflow.bytes().len();
                        inflow.take(n);
                    }
                    _ => {
                        if let Outlet::Reply(reply) = inflow.outlet() {
                            let _ = reply.status(Status::OK).stream(None).unwrap().pause();
                        }
                        inflow.echo();
                    }
                }
            }
            Step::End(ending) => {
                let _ = match ending.outlet {
                    Outlet::Reply(reply) => {
                        reply.status(Status::OK).text(&format!("{count}")).unwrap()
                    }
                    Outlet::Writer(writer) => writer.finish(),
                };
            }
            Step::Room(writer) => {
                let _ = writer.finish();
            }
            Step::Cut => out.cuts += 1,
            Step::Away => unreachable!("nothing is deferred"),
            Step::HalfClose => out.half_closed = true,
            Step::Close => {
                out.fault = connection.fault();
                return out;
            }
        }
    }
    panic!("it spins: {connection:?} {rx:?} {tx:?}");
}

/// Every cut into two, and one byte at a time. Chunked answers are compared decoded, as pieces of
/// a stream follow the pieces of the input.
fn every_cut(input: &[u8], plan: Plan) -> String {
    let mut last = None;
    for end in [true, false] {
        let whole = play(input, &[], end, plan);
        let decoded = decode_chunks(&whole.bytes);
        for cut in 1..input.len() {
            let two = play(input, &[cut], end, plan);
            assert_eq!(decode_chunks(&two.bytes), decoded, "cut at {cut}, {plan:?}");
            // Whether bytes behind a last request are seen before the close depends on when they
            // come; what is answered does not.
            let same = Outcome {
                bytes: whole.bytes.clone(),
                half_closed: whole.half_closed,
                ..two
            };
            assert_eq!(same, whole, "cut at {cut}, {plan:?}");
        }
        let bytes: Vec<usize> = (1..input.len()).collect();
        let single = play(input, &bytes, end, plan);
        assert_eq!(
            decode_chunks(&single.bytes),
            decoded,
            "byte by byte, {plan:?}"
        );
        last = Some(decoded);
    }
    String::from_utf8(last.unwrap()).unwrap()
}

/// Joins the chunks of every chunked answer; leaves the rest as it is.
fn decode_chunks(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    let find = |hay: &[u8], needle: &[u8]| hay.windows(needle.len()).position(|w| w == needle);
    while let Some(end) = find(bytes, b"\r\n\r\n") {
        let (head, rest) = bytes.split_at(end + 4);
        out.extend_from_slice(head);
        bytes = rest;
        if find(head, b"Transfer-Encoding: chunked").is_none() {
            let text = String::from_utf8_lossy(head);
            let length = text.split("Content-Length: ").nth(1);
            let length = length.map_or(0, |t| t.split("\r\n").next().unwrap().parse().unwrap());
            let length = rest.len().min(length);
            out.extend_from_slice(&rest[..length]);
            bytes = &rest[length..];
            continue;
        }
        while let Some(line) = find(bytes, b"\r\n") {
            let size = usize::from_str_radix(core::str::from_utf8(&bytes[..line]).unwrap(), 16);
            let size = size.unwrap();
            let data = &bytes[line + 2..];
            out.extend_from_slice(&data[..size.min(data.len())]);
            bytes = data.get(size + 2..).unwrap_or(&[]);
            if size == 0 {
                out.extend_from_slice(b"|end|");
                break;
            }
        }
    }
    out.extend_from_slice(bytes);
    out
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

fn post(fields: &str, body: &str) -> String {
    format!("POST /p HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

#[test]
fn a_request_is_answered_the_same_however_it_is_cut() {
    let text = every_cut(GET.as_bytes(), Plan::Gather(100));
    let expected = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 7\r\n\r\n/a 0 []";
    assert_eq!(text, expected);
    let with = every_cut(b"GET /with HTTP/1.1\r\nHost: a\r\n\r\n", Plan::Gather(100));
    assert!(
        with.ends_with("Content-Length: 10\r\n\r\n/with 0 []"),
        "{with}"
    );
}

#[test]
fn every_kind_of_request_is_indifferent_to_cuts() {
    let inputs = [
        format!("\r\n\r\n{GET}{GET}\r\n{GET}"),
        post("Content-Length: 5\r\n", "hello") + GET,
        post("Content-Length: 5\r\nExpect: 100-continue\r\n", "hello") + GET,
        post(
            "Transfer-Encoding: chunked\r\n",
            "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n",
        ) + GET,
        post(
            "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n",
            "1\r\nx\r\n0\r\n\r\n",
        ) + GET,
        post("Transfer-Encoding: chunked\r\n", "5\r\nhello\n0\r\n\r\n") + GET,
        post(
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        ) + GET,
        post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
        post("Content-Length: 10\r\n", "hello"),
        post("Content-Length: 0\r\n", "") + GET,
        format!("{GET}GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n{GET}"),
        format!("{GET}HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n{GET}"),
        format!("{GET}HEAD /b HTTP/1.1\r\n\r\n{GET}"),
        format!("{GET}GET /drop HTTP/1.1\r\nHost: a\r\n\r\n{GET}"),
        format!("{GET}GET /b HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n{GET}"),
        format!("{GET}GET /b HTTP/3.0\r\nHost: a\r\n\r\n"),
        format!("{GET}GET /b HTTP/1.0\r\n\r\n{GET}"),
        format!("GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n{GET}"),
        format!("{GET}\x16\x03\x01\x02"),
        format!("{GET}GE"),
        "GET /b HTTP/1.1\nHost: a\n\n".into(),
        post("Expect: magic\r\nContent-Length: 1\r\n", "x"),
    ];
    for input in inputs {
        for plan in [
            Plan::Gather(100),
            Plan::Gather(4),
            Plan::Echo(0),
            Plan::Echo(7),
            Plan::Echo(100),
            Plan::AnswerFirst,
            Plan::Count,
            Plan::Refuse,
            Plan::Drop,
        ] {
            every_cut(input.as_bytes(), plan);
        }
    }
}

#[test]
fn answers_come_in_order_and_survive_a_later_fault() {
    let input = format!("{}bad\r\n\r\n", GET.repeat(20));
    let out = play(input.as_bytes(), &[], true, Plan::Gather(0));
    let text = String::from_utf8(out.bytes).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200").count(), 20);
    assert_eq!(text.matches("HTTP/1.1 400").count(), 1);
    assert_eq!(out.fault, Some(Fault::Wire(crate::wire::Fault::Method)));
}

#[test]
fn a_pipeline_is_never_answered_500_for_lack_of_room() {
    // The promise is nearly the whole buffer: each answer waits until the one before is sent.
    let input = GET.repeat(8);
    for promise in [200, 500, 1000, 5000] {
        let out = play_with::<2048, 1024>(input.as_bytes(), &[], true, Plan::Gather(0), promise);
        let text = String::from_utf8(out.bytes).unwrap();
        assert_eq!(text.matches("HTTP/1.1 200").count(), 8, "promise {promise}");
    }
}

#[test]
fn a_body_of_any_size_flows_through_a_small_buffer() {
    let body: String = (0..50_000)
        .map(|i| char::from(b'a' + (i % 26) as u8))
        .collect();
    let length = post(&format!("Content-Length: {}\r\n", body.len()), &body);
    let mut chunks = String::new();
    for piece in body.as_bytes().chunks(333) {
        chunks += &format!(
            "{:x}\r\n{}\r\n",
            piece.len(),
            core::str::from_utf8(piece).unwrap()
        );
    }
    let chunked = post("Transfer-Encoding: chunked\r\n", &(chunks + "0\r\n\r\n"));
    for (input, plan) in [
        (&length, Plan::AnswerFirst),
        (&length, Plan::Echo(500)),
        (&chunked, Plan::AnswerFirst),
        (&chunked, Plan::Echo(500)),
    ] {
        for step in [1usize, 7, 1000, usize::MAX] {
            let cuts: Vec<usize> = (0..input.len()).step_by(step).skip(1).collect();
            let out = play(format!("{input}{GET}").as_bytes(), &cuts, true, plan);
            let text = String::from_utf8(decode_chunks(&out.bytes)).unwrap();
            assert!(text.contains(&body), "{plan:?} in pieces of {step}");
            assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{plan:?}");
            assert_eq!((out.cuts, out.fault), (0, None));
        }
    }
    let text = String::from_utf8(play(length.as_bytes(), &[], true, Plan::Count).bytes).unwrap();
    assert!(text.ends_with("\r\n\r\n50000"), "{text}");
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_comes() {
    let input = post("Content-Length: 101\r\n", "");
    let out = play(input.as_bytes(), &[], false, Plan::Gather(100));
    assert!(out.bytes.starts_with(b"HTTP/1.1 413 "));
    let fits = post("Content-Length: 100\r\n", &"x".repeat(100));
    assert!(
        play(fits.as_bytes(), &[], false, Plan::Gather(100))
            .bytes
            .starts_with(b"HTTP/1.1 200")
    );
    let chunked = |n: usize| {
        let body = format!("{n:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(n));
        play(
            post("Transfer-Encoding: chunked\r\n", &body).as_bytes(),
            &[],
            true,
            Plan::Gather(100),
        )
    };
    assert!(chunked(100).bytes.starts_with(b"HTTP/1.1 200 "));
    assert!(chunked(101).bytes.starts_with(b"HTTP/1.1 413 "));
}

#[test]
fn a_head_that_fills_the_buffer_is_refused_with_the_right_status() {
    let fields = format!(
        "GET /a HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "v".repeat(4000)
    );
    assert!(every_cut_sample(&fields).starts_with("HTTP/1.1 431 "));
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "v".repeat(4000));
    assert!(every_cut_sample(&target).starts_with("HTTP/1.1 414 "));
    let many = format!("GET /a HTTP/1.1\r\nHost: a\r\n{}\r\n", "a:\r\n".repeat(50));
    assert!(every_cut_sample(&many).starts_with("HTTP/1.1 431 "));
}

fn every_cut_sample(input: &str) -> String {
    let whole = play(input.as_bytes(), &[], true, Plan::Gather(10));
    for cut in (1..input.len()).step_by(97) {
        assert_eq!(
            play(input.as_bytes(), &[cut], true, Plan::Gather(10)),
            whole,
            "cut at {cut}"
        );
    }
    String::from_utf8(whole.bytes).unwrap()
}

#[test]
fn a_small_unwanted_body_keeps_the_connection_and_a_large_one_ends_it() {
    let small = post("Content-Length: 5\r\n", "hello") + GET;
    let out = play(small.as_bytes(), &[], true, Plan::Refuse);
    let text = String::from_utf8(out.bytes).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 403 ") && text.contains("HTTP/1.1 200"),
        "{text}"
    );
    let large = post("Content-Length: 100000\r\n", &"x".repeat(100_000)) + GET;
    let out = play(large.as_bytes(), &[], true, Plan::Refuse);
    let text = String::from_utf8(out.bytes).unwrap();
    assert!(
        text.contains("403") && text.contains("Connection: close"),
        "{text}"
    );
    assert!(!text.contains("200") && out.half_closed);
    // Nobody knows whether the body of a refused expectation comes.
    let expecting = post("Content-Length: 5\r\nExpect: 100-continue\r\n", "hello") + GET;
    let out = play(expecting.as_bytes(), &[], true, Plan::Refuse);
    let text = String::from_utf8(out.bytes).unwrap();
    assert!(
        text.contains("Connection: close") && !text.contains("100 Continue"),
        "{text}"
    );
}

#[test]
fn a_cut_stream_is_told_once_and_closes() {
    for plan in [Plan::Echo(0), Plan::Count, Plan::AnswerFirst] {
        let out = play(
            post("Content-Length: 10\r\n", "hello").as_bytes(),
            &[],
            true,
            plan,
        );
        assert_eq!(
            (out.cuts, out.fault),
            (1, Some(Fault::Truncated)),
            "{plan:?}"
        );
    }
}

#[test]
fn misreported_bytes_end_the_connection_and_harm_nothing() {
    let site = Site::new(&Limits::DEFAULT);
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 1024]>::new(),
        SendBuffer::<[u8; 1024]>::new(),
    );
    let mut connection = Connection::new();
    assert!(matches!(
        connection.step(&site, &mut rx, &mut tx),
        Step::Read(_)
    ));
    rx.filled(usize::MAX);
    assert!(matches!(
        connection.step(&site, &mut rx, &mut tx),
        Step::Write(_)
    ));
    assert_eq!(connection.fault(), Some(Fault::Misuse));
}

#[test]
fn a_million_requests_on_one_connection_are_all_answered() {
    let limits = Limits::DEFAULT;
    let site = Site::new(&limits);
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 2048]>::new(),
        SendBuffer::<[u8; 2048]>::new(),
    );
    let mut connection = Connection::new();
    let mut answered = 0u32;
    while answered < 1_000_000 {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Read(_) => rx.space_for_test(GET.repeat(8).as_bytes()),
            Step::Write(bytes) => {
                let n = bytes.len();
                tx.sent(n);
            }
            Step::Request(exchange) => {
                answered += 1;
                let _ = exchange.reply.status(Status::OK).body(b"").unwrap();
            }
            step => panic!("{step:?} after {answered}"),
        }
    }
}

impl RecvBuffer {
    /// Puts `bytes` in, as a read would.
    fn space_for_test(&mut self, bytes: &[u8]) {
        self.space()[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
    }
}
