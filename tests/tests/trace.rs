//! One connection's way through the real worker, call by call: from the accept to the next wait, and
//! round again for the second request.
//!
//! ```text
//!  accept (non-blocking, without delay) -> a place -> register -> wait
//!    -> a slot -> recv -> parse -> route -> update -> build -> send -> reset -> wait
//! ```
//!
//! That an accepted socket is non-blocking and sends without delay is the platform's business, done
//! within its `accept`; its tests see it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use barewire::challenge::{Board, Challenge, Options};
use barewire::{Addresses, Admission, App, Context, Memory, Peer, Waits, Worker};
use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::connection::{Done, Exchange, Fork};
use barewire_core::driver::{
    Address, Entry, Event, Instant, Kernel, LISTENER, Readiness, Slots, Trouble,
};
use barewire_core::limits::Limits;
use barewire_core::wheel;
use barewire_tests::sim::{Ending, Faults, Plan, SimKernel, SimSocket, Step, Transcript};

/// What happened, in order.
#[derive(Clone, Default)]
struct Tape(Rc<RefCell<Vec<String>>>);

impl Tape {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }
}

/// A kernel that notes its calls.
struct Taped {
    sim: SimKernel,
    tape: Tape,
}

impl Kernel for Taped {
    type Socket = SimSocket;
    type Error = Infallible;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Infallible> {
        let count = self.sim.poll(events, until)?;
        let told = events[..count].iter().map(|event| match event.token {
            LISTENER => " listener",
            _ if event.ended => " end",
            _ if event.readable => " bytes",
            _ => " room",
        });
        self.tape.note(format!("wait:{}", told.collect::<String>()));
        Ok(count)
    }

    fn accept(&mut self) -> Result<(SimSocket, Address), Trouble> {
        let result = self.sim.accept();
        self.tape.note(match &result {
            Ok(_) => "accept",
            Err(_) => "accept: nobody",
        });
        result
    }

    fn register(&mut self, socket: &SimSocket, token: u64) -> Result<(), Trouble> {
        self.tape.note("register");
        self.sim.register(socket, token)
    }

    fn recv(&mut self, socket: &SimSocket, into: &mut [u8]) -> Result<usize, Trouble> {
        let result = self.sim.recv(socket, into);
        self.tape.note(match result {
            Ok(0) => "recv: end".to_owned(),
            Ok(_) => "recv".to_owned(),
            Err(trouble) => format!("recv: {trouble:?}"),
        });
        result
    }

    fn send(&mut self, socket: &SimSocket, from: &[u8]) -> Result<usize, Trouble> {
        let result = self.sim.send(socket, from);
        let line = from.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let whole = result == Ok(from.len());
        self.tape
            .note(format!("send {}: {whole}", line.escape_ascii()));
        result
    }

    fn shutdown(&mut self, socket: &SimSocket) {
        self.tape.note("shutdown");
        self.sim.shutdown(socket);
    }

    fn close(&mut self, socket: SimSocket, abort: bool) {
        self.tape.note(format!("close, abort: {abort}"));
        self.sim.close(socket, abort);
    }

    fn stop_listening(&mut self) {
        self.sim.stop_listening();
    }

    fn local(&self, socket: &SimSocket) -> Option<Address> {
        self.sim.local(socket)
    }

    fn now(&self) -> Instant {
        self.sim.now()
    }
}

/// The application, which notes when it is asked and when it has answered.
struct Noted {
    app: Challenge,
    tape: Tape,
}

fn target(head: &barewire_core::wire::Head<'_>) -> String {
    head.path().escape_ascii().to_string()
}

impl App for Noted {
    fn head(&mut self, context: &mut Context<'_>, fork: Fork<'_>) -> Done {
        self.tape.note(format!("parsed: {}", target(&fork.head)));
        let done = self.app.head(context, fork);
        self.tape.note("routed: the body is gathered");
        done
    }

    fn request(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        self.tape
            .note(format!("update of {} bytes", exchange.body.len()));
        let done = self.app.request(context, exchange);
        self.tape.note("built");
        done
    }

    fn turn(&mut self) {
        self.app.turn();
    }

    fn sleep(&mut self) {
        self.app.sleep();
    }
}

/// Runs one client to its end. `seed` cuts what it sends.
fn run(seed: u64, plan: &Plan) -> (Vec<String>, Transcript) {
    let tape = Tape::default();
    let kernel = Taped {
        sim: SimKernel::with_faults(seed, vec![plan.clone()], Faults::NONE),
        tape: tape.clone(),
    };
    let mut entries = [const { Entry::new() }; 2];
    let mut places = [const { None }; 2];
    let mut slots = Slots::new(&mut places);
    for _ in 0..2 {
        slots.give(Slot {
            rx: Box::leak(Box::new(RecvBuffer::<[u8; 1024]>::new())),
            tx: Box::leak(Box::new(SendBuffer::<[u8; 1024]>::new())),
        });
    }
    let memory = Memory {
        peers: &mut [const { Peer::vacant() }; 2],
        timers: &mut [wheel::Entry::EMPTY; 2],
        slots,
        deferred: std::collections::VecDeque::with_capacity(2),
        waits: Waits::new(2),
    };
    let admission = Admission {
        open_max: 2,
        per_address_max: 2,
        addresses: Arc::new(Addresses::new(2)),
    };
    let board = Board::new(Options::default(), 1).unwrap();
    let app = Noted {
        app: board.worker(0),
        tape: tape.clone(),
    };
    let driver = Readiness::new(kernel, &mut entries);
    let mut worker = Worker::new(driver, app, Limits::DEFAULT, memory, admission, || 0);
    let mut free = worker.free_slots();
    while !worker.driver().kernel().sim.is_idle() {
        let Ok(_) = worker.turn(None);
        if worker.free_slots() != free {
            free = worker.free_slots();
            tape.note(format!("{free} slots are free"));
        }
    }
    let seen = worker.driver().kernel().sim.transcripts().next().cloned();
    (tape.0.take(), seen.unwrap())
}

/// An event, and its answer awaited.
fn event(answers: usize) -> [Step; 2] {
    let request = "POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\n\
                   {\"userId\":\"a\",\"value\":1}";
    [Step::Send(request.into()), Step::Await(answers)]
}

#[test]
fn the_way_of_a_connection_is_the_same_call_by_call() {
    let steps = [event(60), event(150)].concat();
    let plan = Plan::new([steps, vec![Step::HalfClose]].concat());
    // The first seed with which each request arrives in one piece, with nothing beside it.
    let mut runs = (0..500).map(|seed| run(seed, &plan));
    let reads = |tape: &[String]| tape.iter().filter(|call| *call == "recv").count();
    let (tape, seen) = runs.find(|(tape, _)| reads(tape) == 2).unwrap();
    assert_eq!(seen.ending, Ending::Finished);
    let begin = ["wait:", "accept: nobody"];
    let arrival = ["wait: listener", "accept", "register", "accept: nobody"];
    let room = ["wait: room"];
    let served = [
        "wait: bytes",
        "recv",
        "parsed: /event",
        "routed: the body is gathered",
        "update of 24 bytes",
        "built",
        "send HTTP/1.1 200 OK: true",
    ];
    let end = ["wait: end", "recv: end", "close, abort: false", "wait:"];
    let way = [&begin[..], &arrival, &room, &served, &served, &end].concat();
    assert_eq!(tape, way);
}
