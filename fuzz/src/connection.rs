//! A whole connection: the same answers however the input is cut.

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Bodies, Connection, Fault, Outlet, Site, Step, Wait};
use barewire_core::limits::Limits;
use barewire_core::wire::{Framing, Status};

use super::class::kebab;
use super::cuts::cuts;

/// The first byte says what is done with bodies, the second where the input is cut, the third
/// whether the peer closes; the rest is the input. (As text: a digit, a letter, a digit.)
pub fn connection(data: &[u8]) {
    let [plan, seed, end, input @ ..] = data else {
        return;
    };
    let plan = Plan::of(*plan);
    let end = end % 2 == 1;
    let joined = !matches!(plan, Plan::Gather);
    if joined && input.windows(4).any(|word| word == b"HEAD") {
        return; // where an answer without its content ends cannot be told from the bytes alone
    }
    let whole = play(input, std::iter::empty(), end, plan);
    for seed in [0, u64::from(*seed) + 1] {
        let cut = play(input, cuts(input.len(), seed), end, plan);
        // Whether bytes behind the last request are seen before the close depends on when they
        // come, and so does what is told of it; what is answered does not.
        assert_eq!(
            Text(&cut.answers(joined)),
            Text(&whole.answers(joined)),
            "seed {seed}, {plan:?}"
        );
        assert_eq!(cut.open, whole.open, "seed {seed}, {plan:?}");
        assert_eq!(cut.requests, whole.requests, "seed {seed}, {plan:?}");
    }
}

/// What is done with bodies, how many requests a handler saw, and how the connection ends.
pub(crate) fn class(data: &[u8]) -> String {
    let [plan, _, end, input @ ..] = data else {
        return "no-input".to_owned();
    };
    let plan = Plan::of(*plan);
    let outcome = play(input, std::iter::empty(), end % 2 == 1, plan);
    let name = match plan {
        Plan::Gather => "gather",
        Plan::Echo(0) => "echo",
        Plan::Echo(_) => "echo-held",
        Plan::AnswerFirst => "answer-first",
        Plan::Count => "count",
        Plan::Refuse => "refuse",
    };
    let end = match outcome.fault {
        _ if outcome.open => "open".to_owned(),
        None => "closed".to_owned(),
        Some(Fault::Wire(fault)) => format!("fault-{}", kebab(fault)),
        Some(fault) => format!("fault-{}", kebab(fault)),
    };
    format!("{name}-{}-asked-{end}", outcome.requests)
}

#[derive(Clone, Copy, Debug)]
enum Plan {
    Gather,
    /// Echo while it streams, with so many bytes in hand first.
    Echo(usize),
    /// Begin the answer at the head, then echo.
    AnswerFirst,
    /// Say the number of bytes at the end of the stream.
    Count,
    Refuse,
}

impl Plan {
    fn of(byte: u8) -> Plan {
        match byte % 6 {
            0 => Plan::Gather,
            1 => Plan::Echo(0),
            2 => Plan::Echo(16),
            3 => Plan::AnswerFirst,
            4 => Plan::Count,
            _ => Plan::Refuse,
        }
    }
}

#[derive(Debug)]
struct Outcome {
    bytes: Vec<u8>,
    open: bool,
    requests: u32,
    /// Why it was closed, if a rule was broken.
    fault: Option<Fault>,
}

/// Bytes that are readable when two of them differ.
#[derive(PartialEq)]
struct Text<'a>(&'a [u8]);

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// Small buffers, so that short inputs fill them.
fn play(input: &[u8], cuts: impl Iterator<Item = usize>, end: bool, plan: Plan) -> Outcome {
    let limits = Limits {
        reply_bytes_max: 256,
        drain_bytes_max: 64,
        linger_bytes_max: 512,
        body_bytes_max: 4096,
        ..Limits::DEFAULT
    };
    let site = Site {
        bodies: match plan {
            Plan::Gather => Bodies::Gather(256),
            _ => Bodies::Ask,
        },
        ..Site::new(&limits)
    };
    let mut rx = RecvBuffer::<[u8; 1024]>::new();
    let mut tx = SendBuffer::<[u8; 1024]>::new();
    let mut connection = Connection::new();
    let mut cuts = cuts.chain([input.len()]);
    let mut out = Outcome {
        bytes: Vec::new(),
        open: false,
        requests: 0,
        fault: None,
    };
    let (mut at, mut until, mut count) = (0, 0, 0);
    // Every step reads, writes, lends or ends something: so many are always enough.
    for _ in 0..1000 + 64 * input.len() {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Read(space) => {
                assert!(!space.is_empty(), "nobody reads into nothing");
                if at == until {
                    until = cuts.next().unwrap_or(input.len());
                }
                let n = space.len().min(until - at);
                // What an earlier connection left behind the bytes is not believed: other parts of
                // the input, which go on with a head or end it, at each cut.
                let left = input.iter().cycle().skip(at / 2);
                for (to, from) in space.iter_mut().zip(left) {
                    *to = *from;
                }
                space[..n].copy_from_slice(&input[at..at + n]);
                at += n;
                match n {
                    0 if end => rx.end(),
                    0 if connection.waiting_for() == Wait::Linger => connection.expire(),
                    0 => {
                        out.open = true;
                        return out;
                    }
                    n => rx.filled(n),
                }
            }
            Step::Write(bytes) => {
                assert!(!bytes.is_empty(), "nobody sends nothing");
                out.bytes.extend_from_slice(bytes);
                let n = bytes.len();
                tx.sent(n);
            }
            Step::Request(exchange) => {
                out.requests += 1;
                let head = exchange.head;
                let fields = head.fields().iter().count();
                let (target, body) = (head.target().len(), exchange.body.len());
                let trailers = exchange.trailers.iter().count();
                let answered = exchange
                    .reply
                    .status(Status::OK)
                    .body_with(|text| write!(text, "{target} {fields} {body} {trailers}"));
                let _ = answered.expect("the room was promised");
            }
            Step::Head(fork) => {
                count = 0;
                let _ = match plan {
                    Plan::Gather => unreachable!("nobody is asked"),
                    Plan::Echo(hold) => fork.stream_after(hold),
                    Plan::Count => fork.stream(),
                    Plan::AnswerFirst => {
                        let length = match fork.head.framing() {
                            Framing::Length(length) => Some(length),
                            _ => None,
                        };
                        let head = fork.answer().status(Status::OK);
                        head.stream(length).expect("the room was promised").pause()
                    }
                    Plan::Refuse => fork.refuse(Status::FORBIDDEN).reason("no"),
                };
            }
            Step::Chunk(mut inflow) => {
                let n = inflow.bytes().len();
                assert!(n > 0, "nobody is lent nothing");
                if let Plan::Count = plan {
                    count += n;
                    inflow.take(n);
                } else {
                    if let Outlet::Reply(reply) = inflow.outlet() {
                        let head = reply.status(Status::OK);
                        let _ = head.stream(None).expect("the room was promised").pause();
                    }
                    inflow.echo();
                }
            }
            Step::End(ending) => {
                out.requests += 1;
                let _ = match ending.outlet {
                    Outlet::Reply(reply) => {
                        let text = count.to_string();
                        reply.status(Status::OK).text(&text).expect("promised")
                    }
                    Outlet::Writer(writer) => writer.finish(),
                };
            }
            Step::Room(writer) => {
                let _ = writer.finish();
            }
            Step::Away => unreachable!("nothing is deferred"),
            Step::Cut | Step::HalfClose => {}
            Step::Close => {
                // The handler above answers all it is asked, so none of these can be.
                let fault = connection.fault();
                out.fault = fault;
                let ours = [Fault::NotAnswered, Fault::AnswerShort, Fault::Misuse];
                let ours = fault.is_some_and(|fault| ours.contains(&fault));
                assert!(!ours || matches!(plan, Plan::AnswerFirst), "{fault:?}");
                return out;
            }
        }
    }
    panic!("it spins: {connection:?} {rx:?} {tx:?}");
}

impl Outcome {
    /// The answers with their chunks joined: pieces of a stream follow those of the input.
    fn answers(&self, joined: bool) -> Vec<u8> {
        if !joined {
            return self.bytes.clone();
        }
        let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what);
        let mut out = Vec::new();
        let mut rest = &self.bytes[..];
        while let Some(end) = find(rest, b"\r\n\r\n") {
            let (head, behind) = rest.split_at(end + 4);
            out.extend_from_slice(head);
            rest = behind;
            if find(head, b"\r\nTransfer-Encoding: chunked\r\n").is_none() {
                let length = find(head, b"Content-Length: ").map_or(0, |at| {
                    let digits = head[at + 16..].iter().take_while(|b| b.is_ascii_digit());
                    digits.fold(0, |n: usize, b| {
                        n.saturating_mul(10).saturating_add(usize::from(b - b'0'))
                    })
                });
                // What is missing was cut.
                let length = length.min(rest.len());
                out.extend_from_slice(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            while let Some(line) = find(rest, b"\r\n") {
                let size = std::str::from_utf8(&rest[..line]).ok();
                let Some(size) = size.and_then(|hex| usize::from_str_radix(hex, 16).ok()) else {
                    break; // cut
                };
                let data = &rest[line + 2..];
                out.extend_from_slice(&data[..size.min(data.len())]);
                rest = data.get(size + 2..).unwrap_or(&[]);
                if size == 0 {
                    out.extend_from_slice(b"|end|");
                    break;
                }
            }
        }
        out.extend_from_slice(rest);
        out
    }
}
