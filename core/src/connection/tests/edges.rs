//! What a review once found: each mistake stays away. Where the machine could spin inside of one
//! step, a watchdog ends the test.

use std::boxed::Box;
use std::string::ToString;
use std::time::Duration;

use super::*;
use crate::connection::fork::Fork;

mod times;

/// Buffers, connection and deadline of one peer.
struct Peer<const R: usize, const S: usize> {
    rx: Box<RecvBuffer<[u8; R]>>,
    tx: Box<SendBuffer<[u8; S]>>,
    connection: Connection,
    deadline: Deadline,
}

/// Where the embedding has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Read,
    Write,
    Away,
    Cut,
    HalfClose,
    Close,
}

impl<const R: usize, const S: usize> Peer<R, S> {
    fn new() -> Self {
        Peer {
            rx: Box::default(),
            tx: Box::default(),
            connection: Connection::new(),
            deadline: Deadline::new(),
        }
    }

    /// Steps, lends what is lent to `on`, and says where that stops.
    fn go(&mut self, site: &Site<'_>, on: &mut dyn FnMut(Step<'_>)) -> Stop {
        for _ in 0..10_000 {
            match self.connection.step(site, &mut self.rx, &mut self.tx) {
                Step::Read(space) => {
                    assert!(!space.is_empty(), "never asked to read into nothing");
                    return Stop::Read;
                }
                Step::Write(bytes) => {
                    assert!(!bytes.is_empty(), "never asked to write nothing");
                    return Stop::Write;
                }
                Step::Away => return Stop::Away,
                Step::Cut => return Stop::Cut,
                Step::HalfClose => return Stop::HalfClose,
                Step::Close => return Stop::Close,
                lent => on(lent),
            }
        }
        panic!("lends for ever");
    }

    /// Goes on and sends all, until something other than a write is due.
    fn flush(&mut self, site: &Site<'_>, on: &mut dyn FnMut(Step<'_>)) -> (Stop, String) {
        let mut out = vec![];
        loop {
            match self.go(site, on) {
                Stop::Write => {
                    out.extend_from_slice(self.tx.pending());
                    self.took(usize::MAX);
                }
                stop => return (stop, String::from_utf8(out).unwrap()),
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.rx.space_for_test(bytes);
    }

    /// The peer took at most `n` bytes.
    fn took(&mut self, n: usize) {
        let n = n.min(self.tx.pending().len());
        self.tx.sent(n);
    }

    fn watch(&mut self, site: &Site<'_>, now: u32) -> u32 {
        self.deadline
            .watch(&self.connection, &self.rx, site.limits, now)
    }

    fn is_late(&self, now: u32) -> bool {
        self.deadline.check(now) == Check::Passed
    }
}

/// All that came out, with marks for what is no byte, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Played {
    text: String,
    fault: Option<Fault>,
}

/// Plays `input` in reads of `piece` bytes and writes of `take` bytes, then the end of the stream.
fn play_in<const R: usize, const S: usize>(
    site: &Site<'_>,
    input: &[u8],
    (piece, take): (usize, usize),
    on: &mut dyn FnMut(Step<'_>),
) -> Played {
    let mut peer = Peer::<R, S>::new();
    let (mut out, mut rest) = (vec![], input);
    for _ in 0..100_000 {
        match peer.go(site, on) {
            Stop::Read if rest.is_empty() => peer.rx.end(),
            Stop::Read => {
                let n = peer.rx.space().len().min(piece).min(rest.len());
                peer.feed(&rest[..n]);
                rest = &rest[n..];
            }
            Stop::Write => {
                let n = peer.tx.pending().len().min(take);
                out.extend_from_slice(&peer.tx.pending()[..n]);
                peer.tx.sent(n);
            }
            Stop::Away => panic!("nothing is deferred"),
            Stop::Cut => out.extend_from_slice(b"<cut>"),
            Stop::HalfClose => out.extend_from_slice(b"<half>"),
            Stop::Close => {
                return Played {
                    text: String::from_utf8(out).unwrap(),
                    fault: peer.connection.fault(),
                };
            }
        }
    }
    panic!("no end after {} bytes", out.len());
}

/// Whole and byte by byte are the same; says what.
fn both_ways(site: &Site<'_>, input: &[u8], on: &mut dyn FnMut(Step<'_>)) -> Played {
    let whole = play_in::<2048, 1024>(site, input, (usize::MAX, usize::MAX), on);
    let single = play_in::<2048, 1024>(site, input, (1, usize::MAX), on);
    assert_eq!(whole, single, "{}", input.escape_ascii());
    whole
}

fn asking(limits: &Limits) -> Site<'_> {
    Site {
        bodies: Bodies::Ask,
        ..Site::new(limits)
    }
}

/// What becomes of a request with a body.
type Choice = fn(Fork<'_>) -> Done;

/// Answers requests with their path; every fork as `choose` does; takes all of a stream.
fn serving(choose: Choice) -> impl FnMut(Step<'_>) {
    move |step| match step {
        Step::Request(exchange) => {
            let path = exchange.head.path();
            let _ = exchange.reply.status(Status::OK).body(path).unwrap();
        }
        Step::Head(fork) => {
            let _ = choose(fork);
        }
        Step::Chunk(mut inflow) => {
            let n = inflow.bytes().len();
            inflow.take(n);
        }
        Step::End(ending) => match ending.outlet {
            Outlet::Reply(reply) => {
                let _ = reply.status(Status::OK).body(b"end").unwrap();
            }
            Outlet::Writer(writer) => {
                let _ = writer.finish();
            }
        },
        step => panic!("{step:?}"),
    }
}

fn refuse(fork: Fork<'_>) -> Done {
    fork.refuse(Status::NOT_FOUND).body(b"").unwrap()
}

/// Runs `work` on its own thread; panics if it is not over in half a minute.
fn in_time(work: impl FnOnce() + Send + 'static) {
    let worker = std::thread::spawn(work);
    for _ in 0..3_000 {
        if worker.is_finished() {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("spins");
}

#[test]
fn heads_about_as_large_as_the_buffer_come_to_an_end() {
    let choices: [(&str, Choice); 6] = [
        ("refuse", refuse),
        ("gather", |fork| fork.gather(usize::MAX)),
        ("gather little", |fork| fork.gather(5)),
        ("stream", |fork| fork.stream()),
        ("stream after", |fork| fork.stream_after(3)),
        ("stream after all", |fork| fork.stream_after(usize::MAX)),
    ];
    in_time(move || {
        let site = asking(&Limits::DEFAULT);
        let capacity = RecvBuffer::<[u8; 2048]>::new().capacity();
        for (framing, body) in [
            ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
            ("Content-Length: 5\r\n", "hello"),
        ] {
            for len in capacity - 150..=capacity {
                let bare = post(&format!("{framing}X: \r\n"), "").len();
                let pad = "a".repeat(len - bare);
                let input = post(&format!("{framing}X: {pad}\r\n"), body);
                for (name, choose) in choices {
                    let got = both_ways(&site, input.as_bytes(), &mut serving(choose));
                    let statuses = match name {
                        "refuse" => &["404"][..],
                        _ => &["200", "413", "431"],
                    };
                    let case = format!("{name}, {framing:?}, head of {len}: {got:?}");
                    let at = got.text.find("HTTP/1.1 ").expect(&case) + 9;
                    let status = &got.text[at..at + 3];
                    assert!(statuses.contains(&status), "{case}");
                    // With room for all of it, it is simply served.
                    let fits = len + 5 <= capacity && framing.starts_with("Content");
                    assert!(!fits || status != "413", "{case}");
                }
            }
        }
    });
}

/// Takes each piece and answers at once.
fn early(step: Step<'_>) {
    if let Step::Chunk(mut inflow) = step {
        let n = inflow.bytes().len();
        inflow.take(n);
        if let Outlet::Reply(reply) = inflow.outlet() {
            let _ = reply.status(Status::OK).body(b"early").unwrap();
        }
        return;
    }
    serving(|fork| fork.stream())(step);
}

#[test]
fn a_fault_behind_good_bytes_is_not_forgotten_by_an_early_answer() {
    let site = asking(&Limits::DEFAULT);
    let bodies = [
        "3\r\nabc\r\ndXyyyyyyyyyyy\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nbad line\r\n\r\n",
        "3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n",
        "3\r\nabc\r\n1;a=\"\r\nX\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
    ];
    for body in bodies {
        let input = post("Transfer-Encoding: chunked\r\n", body)
            + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
        let got = both_ways(&site, input.as_bytes(), &mut early);
        assert!(got.text.contains("early"), "{got:?}");
        assert!(!got.text.contains("/second"), "{got:?}");
        assert!(matches!(got.fault, Some(Fault::Wire(_))), "{got:?}");
    }
    // Without a fault it is served.
    let good = post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n") + GET;
    let got = both_ways(&site, good.as_bytes(), &mut early);
    assert!(got.text.contains("early") && got.text.contains("/a"));
}

#[test]
fn a_chunked_answer_never_lacks_its_last_chunk() {
    const S: usize = 120;
    let input = GET.repeat(3);
    for promise in [80, 100, 120] {
        let limits = Limits {
            reply_bytes_max: promise,
            ..Limits::DEFAULT
        };
        let site = asking(&limits);
        for pad in 0..80 {
            let value = vec![b'x'; pad];
            let (name, value) = (FieldName::new("A"), FieldValue::new(&value));
            let mut on = |step: Step<'_>| {
                let Step::Request(exchange) = step else {
                    panic!("{step:?}");
                };
                let head = exchange.reply.status(Status::OK);
                let _ = match head.field(name.unwrap(), value.unwrap()).stream(None) {
                    Ok(writer) => writer.finish(),
                    Err(Full(reply)) => reply.bare(Status::NOT_FOUND),
                };
            };
            let whole = play_in::<2048, S>(&site, input.as_bytes(), (9999, 9999), &mut on);
            let chunked = whole.text.matches("chunked").count();
            let ends = whole.text.matches("\r\n\r\n0\r\n\r\n").count();
            let full = whole.text.matches("404").count();
            assert_eq!(chunked, ends, "{pad}: {whole:?}");
            assert_eq!(chunked + full, 3, "{pad}: {whole:?}");
            assert!(full == 0 || full == 3, "{promise} {pad}: {whole:?}");
            for (piece, take) in [(1, 9999), (9999, 1), (9999, 50), (31, 7)] {
                let got = play_in::<2048, S>(&site, input.as_bytes(), (piece, take), &mut on);
                assert_eq!(got, whole, "{promise} {pad}: {piece} {take}");
            }
        }
    }
}

#[test]
fn an_unwanted_body_about_as_large_as_it_is_worth_ends_the_same_in_pieces() {
    let limits = Limits {
        drain_bytes_max: 50,
        ..Limits::DEFAULT
    };
    let site = asking(&limits);
    for size in 40..60 {
        let body = format!("{size:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(size));
        let halves = format!(
            "19\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            "x".repeat(25),
            size - 25,
            "x".repeat(size - 25)
        );
        for body in [body, halves] {
            let input = post("Transfer-Encoding: chunked\r\n", &body) + GET;
            let got = both_ways(&site, input.as_bytes(), &mut serving(refuse));
            assert!(got.text.starts_with("HTTP/1.1 404 "), "{got:?}");
            assert_eq!(got.text.contains("/a"), size <= 50, "{size}: {got:?}");
        }
    }
}

#[test]
fn a_faulty_head_request_is_answered_without_content() {
    let site = asking(&Limits::DEFAULT);
    let long = "a".repeat(4000);
    for (input, status) in [
        (format!("HEAD / HTTP/1.1\r\nHost: a\r\nX: {long}"), "431"),
        (format!("HEAD /{long}"), "414"),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n".to_string(), "400"),
        ("HEAD / HT".to_string(), "400"),
        ("HEAD ".to_string(), "400"),
        ("HEAD / HTTP/1.1\nHost: a\r\n\r\n".to_string(), "400"),
        ("HEAD / HTTP/1.1\r\nHost: a\n\r\n".to_string(), "400"),
        ("HEAD /\r\n\r\n".to_string(), "400"),
        ("HEAD / HTTP/1.1\r\n\r\n".to_string(), "400"),
        ("HEAD / HTTP/2.0\r\n\r\n".to_string(), "505"),
        ("\r\nHEAD / HTTP/1.1\r\nHost : a\r\n\r\n".to_string(), "400"),
        (format!("{GET}HEAD / HT"), "400"),
    ] {
        let got = both_ways(&site, input.as_bytes(), &mut serving(refuse));
        let last = got.text.rfind("HTTP/1.1 ").unwrap();
        let (head, content) = got.text[last..].split_once("\r\n\r\n").unwrap();
        assert_eq!(&head[9..12], status, "{got:?}");
        assert!(head.contains("Connection: close"), "{got:?}");
        assert!(matches!(content, "" | "<half>"), "{got:?}");
        assert!(got.fault.is_some());
    }
    // Any other method does get the reason.
    let got = both_ways(&site, b"HEADS / HT", &mut serving(refuse));
    assert!(!got.text.ends_with("\r\n\r\n"), "{got:?}");
    let mut peer = Peer::<2048, 1024>::new();
    peer.feed(b"HEAD / HTTP/1.1\r\nHo");
    assert_eq!(peer.go(&site, &mut |_| ()), Stop::Read);
    assert_eq!(peer.connection.waiting_for(), Wait::Head);
    peer.connection.expire();
    let (stop, text) = peer.flush(&site, &mut |_| ());
    assert_eq!(stop, Stop::HalfClose);
    assert!(text.starts_with("HTTP/1.1 408 ") && text.ends_with("\r\n\r\n"));
}

#[test]
fn only_a_peer_that_said_close_is_closed_at_once() {
    let bye = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let old = "GET /a HTTP/1.0\r\n\r\n";
    let more = format!("{bye}{GET}");
    for (input, draining, close, at_once) in [
        (GET, false, true, false),
        (GET, true, false, false),
        (GET, true, true, false),
        (bye, false, false, true),
        (bye, true, true, true),
        (old, false, false, true),
        // It said close, and sends on.
        (&more, false, false, false),
    ] {
        let site = Site {
            draining,
            ..asking(&Limits::DEFAULT)
        };
        let mut on = |step: Step<'_>| {
            let Step::Request(exchange) = step else {
                panic!("{step:?}");
            };
            let head = exchange.reply.status(Status::OK);
            let head = if close { head.close() } else { head };
            let _ = head.body(b"x").unwrap();
        };
        let mut peer = Peer::<2048, 1024>::new();
        if !draining {
            assert_eq!(peer.go(&site, &mut on), Stop::Read);
        }
        peer.feed(input.as_bytes());
        let (stop, text) = peer.flush(&site, &mut on);
        assert!(text.contains("Connection: close\r\n"), "{text}");
        assert_eq!(text.matches("HTTP/1.1 200").count(), 1, "{text}");
        if !at_once {
            assert_eq!(stop, Stop::HalfClose, "{input:?}");
            assert_eq!(peer.go(&site, &mut on), Stop::Read);
            assert_eq!(peer.connection.waiting_for(), Wait::Linger);
            peer.rx.end();
            assert_eq!(peer.go(&site, &mut on), Stop::Close);
        } else {
            assert_eq!(stop, Stop::Close, "{input:?}");
        }
        assert_eq!(peer.connection.fault(), None);
    }
}

/// Bytes of the plainest answer with a body of `n` bytes.
fn answer_len(n: usize) -> usize {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n").len() + n
}

#[test]
fn what_fits_an_answer_does_not_depend_on_what_is_pending() {
    let limits = Limits {
        reply_bytes_max: 100,
        ..Limits::DEFAULT
    };
    let site = asking(&limits);
    let input = GET.repeat(6);
    for n in 50..75 {
        let body = vec![b'x'; n];
        let mut on = |step: Step<'_>| {
            let Step::Request(exchange) = step else {
                panic!("{step:?}");
            };
            let _ = match exchange.reply.status(Status::OK).body(&body) {
                Ok(done) => done,
                Err(Full(reply)) => reply.bare(Status::NOT_FOUND),
            };
        };
        let fits = if answer_len(n) <= 100 { 6 } else { 0 };
        for (piece, take) in [(9999, 9999), (1, 9999), (40, 9999), (9999, 1), (9999, 77)] {
            let got = play_in::<2048, 1024>(&site, input.as_bytes(), (piece, take), &mut on);
            assert_eq!(got.text.matches("200").count(), fits, "{n} {got:?}");
            assert_eq!(got.text.matches("404").count(), 6 - fits, "{n} {got:?}");
        }
    }
}

#[test]
fn a_resumed_exchange_may_fill_the_whole_buffer() {
    let limits = Limits {
        reply_bytes_max: 100,
        ..Limits::DEFAULT
    };
    let site = asking(&limits);
    for n in 950..1024 {
        let mut peer = Peer::<2048, 1024>::new();
        peer.feed(GET.repeat(2).as_bytes());
        let mut requests = 0;
        let (stop, _) = peer.flush(&site, &mut |step| {
            let Step::Request(exchange) = step else {
                panic!("{step:?}");
            };
            requests += 1;
            let _ = match requests {
                1 => exchange.reply.status(Status::OK).body(b"now").unwrap(),
                _ => exchange.reply.defer(),
            };
        });
        assert_eq!(stop, Stop::Away);
        let exchange = peer.connection.resume(&site, &mut peer.rx, &mut peer.tx);
        let reply = exchange.unwrap().reply.status(Status::OK);
        let done = reply.body(&vec![b'x'; n]).is_ok();
        assert_eq!(done, answer_len(n) <= 1024, "{n}");
    }
}

#[test]
fn empty_lines_before_a_request_count_towards_nothing() {
    let site = asking(&Limits::DEFAULT);
    let lines = "\r\n".repeat(700);
    let fields = format!("X: {}\r\n\r\n", "v".repeat(1000));
    for (request, status) in [
        (format!("GET /a HTTP/1.1\r\nHost: a\r\n{fields}"), "200"),
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(1900)), "414"),
        ("\rGET /a HTTP/1.1\r\nHost: a\r\n\r\n".to_string(), "400"),
    ] {
        for before in ["", GET] {
            let input = format!("{before}{lines}{request}");
            let got = both_ways(&site, input.as_bytes(), &mut serving(refuse));
            for piece in [2, 3, 100, 1399, 1401] {
                let cut = (piece, usize::MAX);
                let on = &mut serving(refuse);
                let again = play_in::<2048, 1024>(&site, input.as_bytes(), cut, on);
                assert_eq!(again, got, "pieces of {piece}");
            }
            let last = got.text.rfind("HTTP/1.1 ").unwrap();
            assert_eq!(&got.text[last + 9..last + 12], status, "{got:?}");
        }
    }
}

#[test]
fn a_flood_of_empty_lines_holds_no_bytes() {
    let site = asking(&Limits::DEFAULT);
    for (before, wait) in [("", Wait::FirstByte), (GET, Wait::Idle)] {
        for piece in ["\r\n".to_string(), "\r\n".repeat(900)] {
            let mut peer = Peer::<2048, 1024>::new();
            peer.feed(before.as_bytes());
            let due = {
                peer.flush(&site, &mut serving(refuse));
                peer.watch(&site, 5)
            };
            for now in 6..1_000 {
                peer.feed(piece.as_bytes());
                assert_eq!(peer.go(&site, &mut serving(refuse)), Stop::Read);
                assert!(peer.rx.is_empty());
                assert_eq!(peer.connection.waiting_for(), wait);
                assert_eq!(peer.watch(&site, now), due, "the flood buys no time");
            }
            // Also where CR and LF come apart.
            for _ in 0..1_000 {
                for byte in [b"\r", b"\n"] {
                    peer.feed(byte);
                    assert_eq!(peer.go(&site, &mut serving(refuse)), Stop::Read);
                    assert_eq!(peer.connection.waiting_for(), wait);
                }
                assert!(peer.rx.is_empty());
            }
        }
    }
}

#[test]
fn an_informational_status_is_no_answer() {
    let site = asking(&Limits::DEFAULT);
    let answers: [fn(Reply<'_>, Status) -> Done; 4] = [
        |reply, status| reply.bare(status),
        |reply, status| reply.status(status).body(b"x").unwrap(),
        |reply, status| {
            reply
                .status(status)
                .body_with(|w| w.write_str("x"))
                .unwrap()
        },
        |reply, status| reply.status(status).stream(None).unwrap().finish(),
    ];
    for status in [100, 101, 103, 199] {
        let status = Status::new(status).unwrap();
        for answer in answers {
            let mut on = |step: Step<'_>| {
                let Step::Request(exchange) = step else {
                    panic!("{step:?}");
                };
                let _ = answer(exchange.reply, status);
            };
            let got = both_ways(&site, GET.as_bytes(), &mut on);
            assert!(got.text.starts_with("HTTP/1.1 500 "), "{got:?}");
            assert!(!got.text.contains("HTTP/1.1 1"), "{got:?}");
        }
    }
}

#[test]
fn answers_are_the_same_bytes_however_few_are_sent_at_once() {
    let limits = Limits {
        reply_bytes_max: 100,
        ..Limits::DEFAULT
    };
    let site = asking(&limits);
    let input: String = (0..12)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    let on = &mut serving(refuse);
    let whole = play_in::<2048, 200>(&site, input.as_bytes(), (9999, 9999), on);
    assert_eq!(whole.text.matches("HTTP/1.1 200 OK").count(), 12);
    assert!(whole.text.contains("\r\n\r\n/11"), "{whole:?}");
    for take in 1..=120 {
        let part = play_in::<2048, 200>(&site, input.as_bytes(), (9999, take), on);
        assert_eq!(part, whole, "{take} at once");
    }
}
