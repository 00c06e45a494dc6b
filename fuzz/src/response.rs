//! What a handler says is what a client reads: an independent reader takes the answers apart again.
//!
//! The input is a script: first how many requests come and of what kind, then, whenever a handler
//! is asked, what it does. Behind its end everything is `\0`.

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{
    Bodies, BodyWriter, Connection, Done, FieldName, FieldValue, Full, Outlet, Refusals, Reply,
    ServerName, Site, Step, Wait,
};
use barewire_core::limits::Limits;
use barewire_core::wire::{Date, Notation, Status};

use super::answer::{Answer, Body};

/// Bytes that an answer in one piece may have here.
const REPLY_BYTES_MAX: u32 = 600;

/// The bytes are a script.
pub fn response(data: &[u8]) {
    played(data);
}

/// How many answers a script gives, what the last one is, and how the connection ends.
pub(crate) fn class(data: &[u8]) -> String {
    let (said, open) = played(data);
    let last = match said.last() {
        None => String::new(),
        Some(last) => match last.framing {
            Framing::Whole => format!("-{}-whole", last.status),
            Framing::Worded => format!("-{}-worded", last.status),
            Framing::Length(_) => format!("-{}-length", last.status),
            Framing::Open => format!("-{}-stream", last.status),
        },
    };
    let end = if open { "open" } else { "closed" };
    format!("{}-said{last}-{end}", said.len())
}

/// Plays a script and reads what was sent. What was said, and whether the connection stays open.
fn played(data: &[u8]) -> (Vec<Said>, bool) {
    let mut script = Script(data);
    let surroundings = script.byte();
    let kinds: Vec<u8> = (0..script.byte() % 4 + 1).map(|_| script.byte()).collect();
    let limits = Limits {
        reply_bytes_max: REPLY_BYTES_MAX,
        ..Limits::DEFAULT
    };
    let date = Date::from_unix(784_111_777);
    let site = Site {
        bodies: Bodies::Ask,
        date: (surroundings & 1 != 0).then_some(&date),
        draining: surroundings & 2 != 0,
        refusals: match surroundings & 4 {
            0 => Refusals::Explain,
            _ => Refusals::Silent,
        },
        server: ServerName::new("fuzz/1").filter(|_| surroundings & 8 != 0),
        ..Site::new(&limits)
    };
    let mut play = Play {
        script,
        requests: kinds.iter().map(|kind| Kind(*kind)).collect(),
        begun: 0,
        said: Vec::new(),
        pending: Vec::new(),
    };
    let (output, open) = play.run(&site);
    play.check(&site, &output, open);
    (play.said, open)
}

struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// So many bytes as the next one says, or what is left.
    fn text(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (text, rest) = self.0.split_at(len);
        self.0 = rest;
        text
    }
}

/// A request, by a letter or any other byte.
#[derive(Clone, Copy)]
struct Kind(u8);

impl Kind {
    fn is_head(self) -> bool {
        self.0 % 4 == 1
    }

    fn has_body(self) -> bool {
        self.0 % 4 == 2
    }

    fn is_old(self) -> bool {
        self.0 & 4 != 0
    }

    fn wants_close(self) -> bool {
        self.0 & 16 != 0
    }

    fn write(self, out: &mut Vec<u8>) {
        let method = ["GET", "HEAD", "POST", "DELETE"][usize::from(self.0 % 4)];
        let version = if self.is_old() { "1.0" } else { "1.1" };
        let option = match (self.is_old(), self.wants_close()) {
            (true, false) => "Connection: keep-alive\r\n",
            (false, true) => "Connection: close\r\n",
            _ => "",
        };
        let length = if self.has_body() { 5 } else { 0 };
        let body = if self.has_body() { "hello" } else { "" };
        let head = format!(
            "{method} / HTTP/{version}\r\nHost: a\r\n{option}Content-Length: {length}\r\n\r\n{body}"
        );
        out.extend_from_slice(head.as_bytes());
    }
}

/// What a handler said in answer to one request.
#[derive(Debug)]
struct Said {
    request: usize,
    status: u16,
    /// In the order they were given; a refusal may add its own.
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    framing: Framing,
}

impl Said {
    /// Whether it is surely not larger than what was promised.
    fn fits(&self) -> bool {
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4);
        // The engine's own lines take less than this.
        fields.sum::<usize>() + self.body.len() + 220 <= REPLY_BYTES_MAX as usize
    }

    fn is_silent(&self, kind: Kind) -> bool {
        kind.is_head() || matches!(self.status, 204 | 205 | 304)
    }

    /// It ended before its length: the connection has to be cut.
    fn is_short(&self, kind: Kind) -> bool {
        let here = self.body.len() as u64;
        matches!(self.framing, Framing::Length(length) if length > here) && !self.is_silent(kind)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    /// In one piece.
    Whole,
    /// In one piece, which the engine may word.
    Worded,
    Length(u64),
    /// No length was named.
    Open,
}

struct Play<'a> {
    script: Script<'a>,
    requests: Vec<Kind>,
    /// Requests that handlers were asked about.
    begun: usize,
    said: Vec<Said>,
    /// Of the streamed answer at hand, what had no room yet.
    pending: Vec<u8>,
}

impl Play<'_> {
    /// All that is sent, and whether the connection stays open at the end.
    fn run(&mut self, site: &Site<'_>) -> (Vec<u8>, bool) {
        let mut input = Vec::new();
        self.requests.iter().for_each(|kind| kind.write(&mut input));
        let mut input = &input[..];
        let mut rx = RecvBuffer::<[u8; 1024]>::new();
        let mut tx = SendBuffer::<[u8; 1024]>::new();
        let mut connection = Connection::new();
        let mut output = Vec::new();
        // A server that goes down reads nothing more from a new connection.
        let before = Site {
            draining: false,
            ..*site
        };
        let mut now = &before;
        for _ in 0..100_000 {
            match connection.step(now, &mut rx, &mut tx) {
                Step::Read(space) => {
                    now = site;
                    let n = space.len().min(input.len());
                    space[..n].copy_from_slice(&input[..n]);
                    input = &input[n..];
                    match n {
                        0 if connection.waiting_for() == Wait::Linger => rx.end(),
                        0 => return (output, true),
                        n => rx.filled(n),
                    }
                }
                Step::Write(bytes) => {
                    let n = bytes.len() - usize::from(self.script.byte()) * 4 % bytes.len();
                    output.extend_from_slice(&bytes[..n]);
                    tx.sent(n);
                }
                Step::Request(exchange) => {
                    self.begun += 1;
                    let _ = self.answer(exchange.reply);
                }
                Step::Head(fork) => {
                    let how = self.script.byte() % 5;
                    self.begun += usize::from(how > 1);
                    let _ = match how {
                        0 => fork.gather(16),
                        1 => fork.stream(),
                        2 => self.whole(fork.answer()),
                        3 => self.stream(fork.answer()),
                        _ => {
                            self.say(Status::FORBIDDEN, Framing::Worded, &[]);
                            fork.refuse(Status::FORBIDDEN).reason("no")
                        }
                    };
                }
                Step::Chunk(mut inflow) => inflow.take(1),
                Step::End(ending) => match ending.outlet {
                    Outlet::Reply(reply) => {
                        self.begun += 1;
                        let _ = self.answer(reply);
                    }
                    Outlet::Writer(writer) => self.go_on(writer),
                },
                Step::Room(writer) => self.go_on(writer),
                Step::Away => {
                    let exchange = connection.resume(now, &mut rx, &mut tx);
                    let _ = self.whole(exchange.expect("it was deferred").reply);
                }
                Step::Cut | Step::HalfClose => {}
                Step::Close => return (output, false),
            }
        }
        panic!("it spins: {connection:?}");
    }

    fn say(&mut self, status: Status, framing: Framing, body: &[u8]) {
        self.said.push(Said {
            request: self.begun - 1,
            status: status.code(),
            fields: Vec::new(),
            body: body.to_vec(),
            framing,
        });
    }

    /// Dropped, put off, in one piece or in parts.
    fn answer(&mut self, reply: Reply<'_>) -> Option<Done> {
        match self.script.byte() % 8 {
            0 => {
                self.say(Status::INTERNAL_SERVER_ERROR, Framing::Worded, &[]);
                None
            }
            1 => Some(reply.defer()),
            2..=4 => Some(self.stream(reply)),
            _ => Some(self.whole(reply)),
        }
    }

    fn status(&mut self) -> Status {
        let number = u16::from_be_bytes([self.script.byte(), self.script.byte()]);
        let codes = [200, 204, 205, 206, 304, 404, 500, 100, 101, 199, 299, 599];
        let code = codes.get(usize::from(number >> 8)).copied();
        Status::new(code.unwrap_or(number % 500 + 100)).expect("three digits")
    }

    /// What is sent for it: 1xx answers nothing.
    fn sent(status: Status) -> Status {
        match status.code() {
            100..200 => Status::INTERNAL_SERVER_ERROR,
            _ => status,
        }
    }

    /// Names and values from the script, as far as they are taken.
    fn fields<'t>(script: &mut Script<'t>) -> Vec<(FieldName<'t>, FieldValue<'t>, Pair<'t>)> {
        let mut fields = Vec::new();
        for _ in 0..script.byte() % 4 {
            let (name, value) = (script.text(), script.text());
            let text = std::str::from_utf8(name).ok();
            let known = text.and_then(FieldName::new);
            if let (Some(known), Some(taken)) = (known, FieldValue::new(value)) {
                fields.push((known, taken, (name, value)));
            }
        }
        fields
    }

    fn whole(&mut self, reply: Reply<'_>) -> Done {
        let status = self.status();
        let sent = Self::sent(status);
        let how = self.script.byte() % 8;
        if how == 0 {
            self.say(sent, Framing::Whole, &[]);
            return reply.bare(status);
        }
        let fields = Self::fields(&mut self.script);
        let body = self.script.text();
        let repeated = body.repeat(usize::from(self.script.byte() % 4 + 1));
        let text = String::from_utf8_lossy(&repeated).into_owned();
        let mut head = reply.status(status);
        for (name, value, _) in &fields {
            head = head.field(*name, *value);
        }
        if how == 7 {
            head = head.close();
        }
        let mut own = Vec::new();
        let (framing, bytes) = match how {
            1 | 2 | 7 => (Framing::Whole, &repeated[..]),
            3 | 4 => (Framing::Whole, text.as_bytes()),
            5 => (Framing::Whole, &repeated[..]),
            _ => (Framing::Worded, &[][..]),
        };
        match how {
            3 => own.push((&b"Content-Type"[..], &b"text/plain; charset=utf-8"[..])),
            5 => own.push((b"Content-Type", b"application/json")),
            _ => {}
        }
        self.say(sent, framing, bytes);
        let said = self.said.last_mut().expect("just said");
        let given = fields.iter().map(|field| field.2).chain(own);
        said.fields = given
            .map(|(name, value)| (name.to_vec(), trimmed(value)))
            .collect();
        let answered = match how {
            1 | 2 | 7 => head.body(&repeated),
            3 => head.text(&text),
            4 => head.body_with(|out| {
                let mut pieces = text.split_inclusive('a');
                pieces.try_for_each(|piece| out.write_str(piece))
            }),
            5 => head.json(&repeated),
            _ => return head.refusal("it \"must\" not\r\nbe", Notation::Json),
        };
        answered.unwrap_or_else(|full| self.too_large(full))
    }

    /// Nothing of it was written, and it really was too large.
    fn too_large(&mut self, Full(reply): Full<'_>) -> Done {
        let said = self.said.pop().expect("just said");
        assert!(!said.fits(), "{said:?}");
        self.say(Status::CONTENT_TOO_LARGE, Framing::Whole, &[]);
        reply.bare(Status::CONTENT_TOO_LARGE)
    }

    fn stream(&mut self, reply: Reply<'_>) -> Done {
        let status = self.status();
        let how = self.script.byte();
        let length = how
            .is_multiple_of(2)
            .then(|| u64::from(self.script.byte()) * u64::from(how % 32));
        let fields = Self::fields(&mut self.script);
        let mut head = reply.status(status);
        for (name, value, _) in &fields {
            head = head.field(*name, *value);
        }
        let framing = length.map_or(Framing::Open, Framing::Length);
        self.say(Self::sent(status), framing, &[]);
        let said = self.said.last_mut().expect("just said");
        let given = fields.iter().map(|field| field.2);
        said.fields = given
            .map(|(name, value)| (name.to_vec(), trimmed(value)))
            .collect();
        let writer = match head.stream(length) {
            Ok(writer) => writer,
            Err(full) => return self.too_large(full),
        };
        let mut body = Vec::new();
        for _ in 0..self.script.byte() % 8 {
            body.extend_from_slice(&self.script.text().repeat(usize::from(how / 32 + 1)));
        }
        // More than was named goes nowhere: the writer is not asked to.
        if let Some(length) = length {
            body.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        }
        self.said
            .last_mut()
            .expect("just said")
            .body
            .clone_from(&body);
        self.write(writer, body)
    }

    /// There is room again.
    fn go_on(&mut self, writer: BodyWriter<'_>) {
        let pending = std::mem::take(&mut self.pending);
        let _ = match pending.is_empty() {
            true => writer.finish(), // a second pause for nothing would be a handler that is stuck
            false => self.write(writer, pending),
        };
    }

    /// As much as there is room for, in pieces; the rest later.
    fn write(&mut self, mut writer: BodyWriter<'_>, mut body: Vec<u8>) -> Done {
        while !body.is_empty() {
            let piece = match self.script.byte() {
                0 => body.len(),
                n => usize::from(n).min(body.len()),
            };
            let room = writer.room();
            let n = writer.write(&body[..piece]);
            assert_eq!(n, piece.min(room), "as much as there is room for");
            if n == 0 {
                self.pending = body;
                return writer.pause();
            }
            body.drain(..n);
        }
        match self.script.byte() % 4 {
            0 if writer.room() > 0 => writer.pause(),
            _ => writer.finish(),
        }
    }

    /// Every answer is what was said, and says where it ends.
    fn check(&self, site: &Site<'_>, output: &[u8], open: bool) {
        let mut rest = output;
        let mut persistent = true;
        for said in &self.said {
            assert!(persistent, "an answer behind the last");
            let kind = self.requests[said.request];
            let mut answer = Answer::read(&mut rest, kind.is_head());
            persistent = answer.is_persistent(kind.is_old()) && !said.is_short(kind);
            self.check_one(said, kind, &mut answer, site, persistent);
        }
        assert!(rest.is_empty(), "nobody said {}", rest.escape_ascii());
        assert_eq!(open, persistent, "it closes after the answer that says so");
        let answered = self.said.last().map_or(0, |said| said.request + 1);
        assert!(!open || answered == self.requests.len(), "all are answered");
    }

    fn check_one(
        &self,
        said: &Said,
        kind: Kind,
        answer: &mut Answer<'_>,
        site: &Site<'_>,
        persistent: bool,
    ) {
        let fallback = said.framing == Framing::Worded && !said.fits() && answer.status == 500;
        assert!(answer.status == said.status || fallback, "{answer:?}");
        let dates = answer.take("Date").len();
        assert_eq!(dates, usize::from(site.date.is_some()));
        let given = |name: &str| {
            let fields = said.fields.iter();
            let named = fields.filter(|field| field.0.eq_ignore_ascii_case(name.as_bytes()));
            named.count()
        };
        if site.server.is_some() && given("server") == 0 {
            assert_eq!(answer.take("Server"), [b"fuzz/1"]);
        } else if site.server.is_some() {
            assert_eq!(answer.fields.remove(0), (&b"Server"[..], &b"fuzz/1"[..]));
        }
        assert!(!(kind.wants_close() || site.draining) || !persistent);
        answer.take("Connection");
        answer.take("Content-Length");
        answer.take("Transfer-Encoding");
        if said.framing == Framing::Worded {
            answer.take("Vary");
            answer.take("Content-Type");
            assert!(matches!(answer.body, Body::Length(_, _) | Body::None));
            return;
        }
        let fields: Vec<_> = said.fields.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(answer.fields, fields);
        let silent = said.is_silent(kind);
        let sent = if silent { &[][..] } else { &said.body[..] };
        match (said.framing, &answer.body) {
            (_, Body::None) => assert!(matches!(said.status, 204 | 304)),
            (Framing::Whole, Body::Length(length, body)) => {
                let named = if said.status == 205 {
                    0
                } else {
                    said.body.len()
                };
                assert_eq!((*length, *body), (named as u64, sent));
            }
            (Framing::Length(promised), Body::Length(length, body)) => {
                assert_eq!(*length, if said.status == 205 { 0 } else { promised });
                assert_eq!(*body, sent);
            }
            (Framing::Open, Body::Length(0, _)) if said.status == 205 => {}
            (Framing::Open, Body::Chunked(body)) => {
                assert!(!kind.is_old(), "HTTP/1.0 has no chunks");
                assert_eq!(body, sent);
            }
            (Framing::Open, Body::UntilClose(body)) => {
                assert!(kind.is_old() && (silent || !persistent));
                assert_eq!(*body, sent);
            }
            (framing, body) => panic!("{framing:?} became {body:?}"),
        }
    }
}

type Pair<'t> = (&'t [u8], &'t [u8]);

fn trimmed(mut value: &[u8]) -> Vec<u8> {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value.to_vec()
}
