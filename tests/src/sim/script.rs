//! Random clients of the challenge server, and what each of them must be answered.
//!
//! The model is the generator itself: who makes a request up knows its answer. Nothing here shares
//! code with the product.

use super::client::{Plan, Step};
use super::later;
use super::request::CONTINUE_BYTES;
use super::rng::Rng;

/// What an answer's body must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// These bytes.
    Exactly(Vec<u8>),
    /// Some words for a person.
    Words,
    /// Statistics that fit what was sent.
    Stats,
}

/// One event: a user and thousandths of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The user's id, decoded.
    pub user: Vec<u8>,
    /// The value, times a thousand.
    pub thousandths: i64,
}

/// One request, as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its method.
    pub method: &'static str,
    /// The status of its answer.
    pub status: u16,
    /// The body of its answer.
    pub body: Body,
    /// Bytes of its answer, at least; those of an interim one too.
    pub answer_bytes: usize,
    /// The answer says `Connection: close`, and nothing follows.
    pub closes: bool,
    /// `100 Continue` comes before.
    pub invited: bool,
    /// What it adds to the statistics.
    pub event: Option<Counted>,
    /// Bytes of the client up to the end of this request.
    pub end: usize,
}

/// How a client's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// In order: every answer comes, whatever the kernel does.
    Orderly,
    /// It says more after a request that closes: a reset may eat the last answers.
    Chatters,
    /// It goes away in the middle.
    Leaves,
    /// It stalls for ever and is cut at a deadline.
    Stalls(Stall),
}

/// Where a client stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// Before the first byte.
    FirstByte,
    /// In a head.
    Head,
    /// In a body.
    Body,
    /// Not it, but the handler of its last request.
    Handler,
    /// Between two requests.
    Idle,
    /// It takes no answers.
    Send,
}

/// What a client does and what it must see.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// What it does.
    pub plan: Plan,
    /// What comes back, answer by answer.
    pub expected: Vec<Expected>,
    /// How it ends.
    pub fate: Fate,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let within = self.plan.connect_within_ms;
        let window = self.plan.window;
        writeln!(f, "{:?}, window {window}, within {within} ms", self.fate)?;
        for step in &self.plan.steps {
            match step {
                // The beginning shows which request it is; the seed has the rest.
                Step::Send(bytes) => {
                    let shown = bytes[..bytes.len().min(300)].escape_ascii();
                    writeln!(f, "    Send({} bytes: {shown})", bytes.len())?;
                }
                other => writeln!(f, "    {other:?}")?,
            }
        }
        let answers = self.expected.iter().map(|e| (e.method, e.status, e.end));
        writeln!(f, "    -> {:?}", answers.collect::<Vec<_>>())
    }
}

/// What of a server the clients must know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Bytes of a head, or of a gathered request, that surely fit.
    pub(crate) recv_bytes: usize,
    /// Bytes of an answer that surely fit.
    pub(crate) send_bytes: usize,
    /// A handler may come to its deadline.
    pub(crate) handler_stalls: bool,
    /// Clients may stall.
    pub(crate) stalls: bool,
    /// Bytes of an echo at most.
    pub(crate) echo_bytes_max: usize,
    /// Addresses that they come from.
    pub(crate) addresses: u8,
}

/// A client in the making.
pub(crate) struct Draft<'r> {
    pub(crate) rng: &'r mut Rng,
    pub(crate) terms: Terms,
    pub(crate) steps: Vec<Step>,
    pub(crate) sent: usize,
    /// Bytes of answers so far, at least.
    pub(crate) answers: usize,
    pub(crate) expected: Vec<Expected>,
    /// It cuts its requests and waits there for the answers to earlier ones.
    pub(crate) awaits: bool,
}

/// Bytes of the least answer of 200: status line, date and the empty line.
const ANSWER_BYTES_MIN: usize = 17 + 37 + 2;

/// What a request says besides its line and body.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    pub(crate) old: bool,
    pub(crate) closes: bool,
    pub(crate) keeps: bool,
    pub(crate) expects: bool,
}

pub(crate) fn script(rng: &mut Rng, terms: Terms) -> Script {
    let fate = match rng.below(16) {
        0..=1 => Fate::Leaves,
        2 => Fate::Chatters,
        3..=6 if terms.stalls => Fate::Stalls(
            [
                Stall::FirstByte,
                Stall::Head,
                Stall::Body,
                Stall::Idle,
                Stall::Send,
                Stall::Handler,
            ][rng.below(if terms.handler_stalls { 6 } else { 5 })],
        ),
        _ => Fate::Orderly,
    };
    let mut plan = Plan::new([]);
    plan.from = [10, 0, 0, rng.one_to(terms.addresses.into()) as u8];
    plan.connect_within_ms = [0, 10, 50][rng.below(3)];
    plan.window = 32 + [rng.below(64), rng.below(4096), 65_536][rng.below(3)];
    if fate == Fate::Stalls(Stall::Send) {
        // So that its answer cannot hide in the network.
        plan.window = 1024;
    }
    let mut draft = Draft {
        rng,
        terms,
        steps: Vec::new(),
        sent: 0,
        answers: 0,
        expected: Vec::new(),
        awaits: false,
    };
    draft.live(fate);
    let Draft {
        steps, expected, ..
    } = draft;
    plan.steps = steps;
    Script {
        plan,
        expected,
        fate,
    }
}

impl Draft<'_> {
    fn live(&mut self, fate: Fate) {
        if fate == Fate::Stalls(Stall::FirstByte) {
            return;
        }
        if self.rng.chance(30) {
            let ms = self.rng.below(1000) as u64;
            self.steps.push(Step::Pause(ms));
        }
        if fate == Fate::Stalls(Stall::Send) {
            self.steps.push(Step::Deaf);
            let bytes: Vec<u8> = (0..40_000).map(|_| self.rng.any() as u8).collect();
            return self.echo(bytes, false, Manner::default());
        }
        let single = matches!(
            fate,
            Fate::Stalls(Stall::Head | Stall::Body | Stall::Handler)
        ) && self.rng.chance(128);
        let most = [1, 5, 20][self.rng.below(3)];
        let count = if single { 0 } else { self.rng.one_to(most) };
        // Pipelined, or each after the answer before.
        let awaits = self.rng.chance(100);
        self.awaits = awaits && self.rng.chance(128);
        for _ in 0..count {
            self.request(Manner::default());
            if (awaits && !self.awaits) || self.rng.chance(20) {
                self.steps.push(Step::Await(self.answers));
            }
        }
        match fate {
            Fate::Orderly => self.end(),
            Fate::Chatters => {
                self.request(Manner {
                    closes: true,
                    ..Manner::default()
                });
                let more = self.rng.one_to(300);
                self.send(&b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n".repeat(9)[..more.min(270)]);
                self.steps.push(Step::HalfClose);
            }
            Fate::Leaves => self.leave(),
            Fate::Stalls(Stall::Head) => {
                let head = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX-More: and more\r\n\r\n";
                let cut = self.rng.one_to(head.len() - 1);
                self.send(&head[..cut]);
                self.refused("GET", 408);
            }
            Fate::Stalls(Stall::Body) => {
                let cut = self.rng.below(100);
                self.send(b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n");
                self.send(&[b' '; 100][..cut]);
                self.refused("POST", 408);
            }
            Fate::Stalls(Stall::Handler) => {
                let head = format!("GET {}never HTTP/1.1\r\nHost: a\r\n\r\n", later::PATH);
                self.send(head.as_bytes());
                self.refused("GET", 503);
            }
            Fate::Stalls(_) => {}
        }
    }

    /// The last of an orderly client.
    fn end(&mut self) {
        match self.rng.below(4) {
            0 => {
                self.request(Manner {
                    closes: true,
                    ..Manner::default()
                });
                return;
            }
            1 => self.bad(),
            _ => {}
        }
        if self.rng.chance(50) {
            let ms = self.rng.below(500) as u64;
            self.steps.push(Step::Pause(ms));
        }
        self.steps.push(Step::HalfClose);
    }

    /// Forgets what comes behind some byte, and goes away there.
    fn leave(&mut self) {
        let mut left = self.rng.below(self.sent + 1);
        let mut kept = Vec::new();
        for step in self.steps.drain(..) {
            match step {
                Step::Send(mut bytes) => {
                    let n = bytes.len().min(left);
                    left -= n;
                    bytes.truncate(n);
                    if n > 0 {
                        kept.push(Step::Send(bytes));
                    }
                    if left == 0 {
                        break;
                    }
                }
                other => kept.push(other),
            }
        }
        if self.rng.chance(100) {
            kept.push(Step::Pause(self.rng.below(20) as u64));
        }
        kept.push([Step::Abort, Step::Close][self.rng.below(2)].clone());
        self.steps = kept;
    }

    /// Sends in some steps, so that no two cuts are alike, seldom with a rest in between.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.sent += bytes.len();
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = match self.rng.below(3) {
                0 => self.rng.one_to(rest.len()),
                _ => rest.len(),
            };
            let (now, later) = rest.split_at(n.min(rest.len()));
            rest = later;
            // In the middle of a request it waits for the answers to those before.
            if !later.is_empty() && self.awaits {
                self.steps.push(Step::Send(now.to_vec()));
                self.steps.push(Step::Await(self.answers));
                continue;
            }
            match self.steps.last_mut() {
                // What is pipelined mostly comes together.
                Some(Step::Send(before)) if self.rng.chance(160) => before.extend_from_slice(now),
                _ => self.steps.push(Step::Send(now.to_vec())),
            }
            if self.rng.chance(4) {
                let ms = self.rng.below(300) as u64;
                self.steps.push(Step::Pause(ms));
            }
        }
    }

    pub(crate) fn expect(&mut self, method: &'static str, status: u16, body: Body, manner: Manner) {
        let content = match &body {
            Body::Exactly(bytes) if method != "HEAD" && status != 204 => bytes.len(),
            _ => 0,
        };
        let answer_bytes = content + if status == 200 { ANSWER_BYTES_MIN } else { 60 };
        self.answers += answer_bytes;
        let closes = match (manner.old, manner.closes, manner.keeps) {
            (_, true, _) => true,
            (true, _, keeps) => !keeps,
            _ => false,
        };
        self.expected.push(Expected {
            method,
            status,
            body,
            answer_bytes: answer_bytes + if manner.expects { CONTINUE_BYTES } else { 0 },
            closes,
            invited: manner.expects,
            event: None,
            end: self.sent,
        });
    }

    pub(crate) fn refused(&mut self, method: &'static str, status: u16) {
        let closes = Manner {
            closes: true,
            ..Manner::default()
        };
        self.expect(method, status, Body::Words, closes);
    }
}
