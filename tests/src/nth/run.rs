//! One run of a scene, and what is to be said of it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use barewire::challenge::{Board, Challenge, Options};
use barewire::{Addresses, Admission, Memory, Peer, Tally, Waits, Worker};
use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::driver::{Address, Driver, Entry, Readiness, Slots};
use barewire_core::limits::Limits;
use barewire_core::wheel;

use super::app::{Buggy, Fused, Planted};
use super::fault::{Call, Effect, Fault, Fuse};
use super::kernel::{Socket, Tables};
use super::line::{Line, Move, Visit};
use super::scene::Scene;
use crate::conformance::{Observation, State};

/// Slots of a run: more than its clients need, so that none has to give way.
const SLOTS: usize = 96;
/// Bytes of each part of a slot: the least that there may be; bodies and answers are larger.
const PART_BYTES: usize = 1024;
/// Turns of a run at most: ten times what the longest takes. One that does not end is seen so.
const TURNS_MAX: u32 = 20_000;

/// What a run showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What failed. `None`: the run ended before its n-th call.
    pub fault: Option<Fault>,
    /// Calls that were made.
    pub calls: u64,
    tally: Tally,
    registered: u64,
    received: Vec<Vec<u8>>,
    struck: Vec<bool>,
    /// Totals of the statistics: events, users, and events of each client.
    events: u64,
    users: u64,
    of_client: Vec<u64>,
}

/// Runs scenes, one after the other, with the same slots and statistics.
#[derive(Debug)]
pub struct Run {
    app: Challenge,
    other: Challenge,
    slots: Vec<Slot>,
    /// A bug to be found.
    pub bug: Planted,
}

impl Default for Run {
    fn default() -> Self {
        Run::new()
    }
}

impl Run {
    /// Takes the memory.
    ///
    /// # Panics
    /// If there is none.
    pub fn new() -> Run {
        let board = Board::new(Options::default(), 2).expect("there is memory");
        let slot = || Slot {
            rx: Box::leak(Box::new(RecvBuffer::<[u8; PART_BYTES]>::new())),
            tx: Box::leak(Box::new(SendBuffer::<[u8; PART_BYTES]>::new())),
        };
        let (app, mut other) = (board.worker(0), board.worker(1));
        barewire::App::sleep(&mut other);
        Run {
            app,
            other,
            slots: std::iter::repeat_with(slot).take(SLOTS).collect(),
            bug: Planted::Nothing,
        }
    }

    /// Runs a scene; its `n`-th call fails with the error of number `which`, counted from 0. `n` 0:
    /// none does.
    ///
    /// # Errors
    /// What must not be, whatever fails.
    pub fn play(&mut self, scene: &Scene, n: u64, which: usize) -> Result<Outcome, String> {
        let fuse = Fuse::new(n, which);
        let mut outcome = self.work(scene, &fuse)?;
        // Without a fault, and the statistics are empty for the next run.
        let ask = statistics();
        let seen = self.work(&ask, &Fuse::new(0, 0))?;
        let seen = Observation::from_bytes(&seen.received[0], State::Closed, &[]);
        let [state, reset] = &seen.finals[..] else {
            return Err(format!("the statistics: {}", seen.in_short()));
        };
        if (state.status, reset.status) != (200, 200) {
            return Err(format!("the statistics: {}", seen.in_short()));
        }
        let text = String::from_utf8_lossy(&state.body).into_owned();
        outcome.events = number(&text, "totalRequests")? as u64;
        outcome.users = number(&text, "uniqueUsers")? as u64;
        let mut sum = number(&text, "sum")?;
        outcome.of_client = Vec::new();
        for _ in &scene.visits {
            outcome.of_client.push((sum % 1000) as u64);
            sum /= 1000;
        }
        Ok(outcome)
    }

    fn work(&mut self, scene: &Scene, fuse: &Fuse) -> Result<Outcome, String> {
        let places = scene.visits.len() + 8;
        let mut entries: Vec<Entry<Socket>> = (0..places).map(|_| Entry::new()).collect();
        let mut peers: Vec<Peer> = (0..places).map(|_| Peer::vacant()).collect();
        let mut timers = vec![wheel::Entry::EMPTY; places];
        let mut free: Vec<Option<Slot>> = (0..SLOTS).map(|_| None).collect();
        let mut slots = Slots::new(&mut free);
        self.slots.drain(..).for_each(|slot| slots.give(slot));
        let addresses = Arc::new(Addresses::new(places));
        let memory = Memory {
            peers: &mut peers,
            timers: &mut timers,
            slots,
            deferred: VecDeque::with_capacity(places),
            waits: Waits::new(SLOTS),
        };
        let admission = Admission {
            open_max: scene.open_max,
            per_address_max: u32::MAX,
            addresses: addresses.clone(),
        };
        let tables = Tables::new(fuse.clone(), &scene.visits, scene.stop_ms, scene.other_ms);
        let driver = Buggy::new(Readiness::new(tables, &mut entries), self.bug);
        let struck = Cell::new(None);
        let app = Fused::new(&mut self.app, fuse.clone(), &struck);
        let limits = Limits::DEFAULT;
        let mut worker = Worker::new(driver, app, limits, memory, admission, || 1_800_000_000);
        if scene.other_ms.is_some() {
            barewire::App::turn(&mut self.other);
        }
        let mut turns = 0;
        let mut wrong = None;
        loop {
            let outcome = worker.turn(None);
            turns += 1;
            if let Some(peer) = struck.take() {
                worker
                    .driver_mut()
                    .inner_mut()
                    .kernel_mut()
                    .strike(peer.to_word());
            }
            let stopped = match outcome {
                Ok(true) => {
                    worker.drain();
                    false
                }
                Ok(false) => false,
                // As the server does it: nothing can go on.
                Err(_) => {
                    worker.abort();
                    true
                }
            };
            let now = worker.driver().now();
            let open = worker.open();
            let tables = worker.driver_mut().inner_mut().kernel_mut();
            if tables
                .other_sleeps
                .is_some_and(|at| at <= tables.time().max(now))
            {
                tables.other_sleeps = None;
                barewire::App::sleep(&mut self.other);
            }
            if stopped || open == 0 && tables.is_over() {
                break;
            }
            if std::mem::take(&mut tables.stuck) {
                wrong = Some("everybody waits, and nothing will ever happen".to_owned());
            } else if turns > TURNS_MAX {
                wrong = Some(format!("it does not end within {turns} turns"));
            }
            if wrong.is_some() {
                worker.abort();
                break;
            }
        }
        barewire::App::sleep(&mut self.other);
        let tally = worker.tally();
        let (open, free_slots) = (worker.open(), worker.free_slots());
        let tables = worker.driver().inner().kernel();
        let (dropped, lines) = (tables.dropped.get(), &tables.lines);
        let mut wrong: Vec<String> = wrong.into_iter().collect();
        let mut claim = |holds: bool, text: &dyn Fn() -> String| {
            if !holds {
                wrong.push(text());
            }
        };
        claim(open == 0, &|| format!("{open} connections are open"));
        claim(free_slots == SLOTS, &|| {
            format!("{free_slots} of {SLOTS} slots came home")
        });
        claim(dropped == 0, &|| format!("{dropped} sockets were dropped"));
        for (at, line) in lines.iter().enumerate() {
            let (accepted, closes) = (line.accepted, line.closes);
            claim(closes == u32::from(accepted), &|| {
                format!("client {at}: accepted {accepted}, closed {closes} times")
            });
        }
        let at_address = addresses.of(Address::default());
        claim(at_address == 0, &|| {
            format!("{at_address} are counted for the address")
        });
        let received = lines.iter().map(|line| decoded(&line.received)).collect();
        let struck = lines.iter().map(|line: &Line| line.struck).collect();
        let registered = lines.iter().filter(|line| line.closes > 0).count() as u64;
        let outcome = Outcome {
            fault: fuse.blown(),
            calls: fuse.seen(),
            tally,
            registered,
            received,
            struck,
            events: 0,
            users: 0,
            of_client: Vec::new(),
        };
        drop(worker);
        self.slots.extend(free.into_iter().flatten());
        let waiting = format!("{:?}", self.app);
        if !waiting.contains("Waiting([])") {
            wrong.push("a ticket for the statistics was left behind".to_owned());
        }
        match wrong.is_empty() {
            true => Ok(outcome),
            false => Err(wrong.join("; ")),
        }
    }
}

/// The scene that asks for the statistics and empties them.
fn statistics() -> Scene {
    use Move::{Connect, Fin, Send};
    let text = "GET /stats HTTP/1.1\r\nHost: a\r\n\r\nPOST /reset HTTP/1.1\r\nHost: a\r\n\r\n";
    Scene {
        name: "the statistics",
        visits: vec![Visit {
            moves: vec![Connect, Send(text.into()), Fin],
            window: 1 << 20,
            events: vec![false, false],
        }],
        open_max: 1,
        stop_ms: None,
        other_ms: None,
    }
}

fn number(json: &str, name: &str) -> Result<u128, String> {
    let wanted = format!("\"{name}\":");
    let rest = json.split_once(&wanted).map(|(_, rest)| rest);
    let digits = rest.and_then(|rest| rest.split([',', '}']).next());
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| format!("no {name} in {json}"))
}

/// Knows what has to come of a scene.
#[derive(Debug)]
pub struct Judge<'s> {
    scene: &'s Scene,
    /// Without a fault.
    right: Outcome,
    /// The same, if all that come are let in.
    open: Outcome,
}

impl<'s> Judge<'s> {
    /// Runs the scene without a fault.
    ///
    /// # Errors
    /// If that goes wrong.
    pub fn new(run: &mut Run, scene: &'s Scene) -> Result<Judge<'s>, String> {
        let right = run.play(scene, 0, 0)?;
        let everybody = Scene {
            open_max: scene.visits.len(),
            ..scene.clone()
        };
        let open = run.play(&everybody, 0, 0)?;
        let judge = Judge { scene, right, open };
        judge.judge(&judge.right)?;
        Ok(judge)
    }

    /// Calls of a run without a fault.
    pub fn calls(&self) -> u64 {
        self.right.calls
    }

    /// Answers of a run without a fault.
    pub fn answers(&self) -> usize {
        let all = self.right.received.iter();
        all.map(|bytes| finals(bytes).finals.len()).sum()
    }

    /// Whether a run is as it should be.
    ///
    /// # Errors
    /// What is not.
    pub fn judge(&self, seen: &Outcome) -> Result<(), String> {
        let effect = seen.fault.map(|fault| fault.effect);
        let all_struck = matches!(effect, Some(Effect::Leap));
        let mut posted = 0;
        for client in 0..self.scene.visits.len() {
            let struck = all_struck || seen.struck[client] || self.breaks_off(client);
            self.judge_client(client, struck, seen, effect)
                .map_err(|text| format!("client {client}: {text}"))?;
            posted += self.scene.visits[client]
                .events
                .iter()
                .filter(|e| **e)
                .count() as u64;
        }
        let Outcome { events, users, .. } = *seen;
        let sum: u64 = seen.of_client.iter().sum();
        if events != sum || users != events || events > posted {
            return Err(format!(
                "{events} events of {users} users, {sum} in the sum"
            ));
        }
        let (tally, right) = (seen.tally, self.right.tally);
        let panics = u64::from(matches!(effect, Some(Effect::Panic { .. })));
        if tally.panics != panics {
            return Err(format!("{} panics, and {panics} planned", tally.panics));
        }
        let lost = u64::from(seen.fault.is_some_and(|fault| fault.call == Call::Register));
        if tally.connections != seen.registered - lost {
            return Err(format!(
                "{} connections of {}",
                tally.connections, seen.registered
            ));
        }
        let undisturbed = panics == 0 && !all_struck && !seen.struck.contains(&true);
        let resets = (0..self.scene.visits.len()).any(|client| self.breaks_off(client));
        if undisturbed && self.is_strict() && !resets && tally != right {
            return Err(format!("{tally:?} instead of {right:?}"));
        }
        Ok(())
    }

    /// Whether it is the same for everybody whoever comes first.
    fn is_strict(&self) -> bool {
        self.scene.open_max == self.scene.visits.len()
    }

    /// Whether a client breaks off at a time of its own: how far it comes depends on the others.
    fn breaks_off(&self, client: usize) -> bool {
        let mut moves = self.scene.visits[client].moves.iter();
        moves.any(|one| matches!(one, Move::Reset))
    }

    fn judge_client(
        &self,
        client: usize,
        struck: bool,
        seen: &Outcome,
        effect: Option<Effect>,
    ) -> Result<(), String> {
        let received = &seen.received[client];
        let (right, open) = (&self.right.received[client], &self.open.received[client]);
        let visit = &self.scene.visits[client];
        let show = || {
            let (got, due) = (received.escape_ascii(), right.escape_ascii());
            format!("received {got}\n    instead of {due}")
        };
        // Whose answer is whose: position for position. A refusal answers no event.
        let refused = received.starts_with(b"HTTP/1.1 503");
        let all = finals(received).finals;
        let counted = all.iter().zip(&visit.events);
        let answered = counted
            .filter(|(answer, event)| **event && answer.status == 200)
            .count();
        let posted = visit.events.iter().filter(|event| **event).count();
        let booked = seen.of_client.get(client).copied().unwrap_or_default() as usize;
        // All scenes but the burst give each client digits of its own.
        if self.scene.visits.len() <= 6 {
            let least = if refused { 0 } else { answered };
            let most = if struck { posted } else { least };
            if !(least..=most).contains(&booked) {
                return Err(format!(
                    "{booked} events counted, {answered} answered; {}",
                    show()
                ));
            }
        }
        if !struck {
            let fits =
                received == right || !self.is_strict() && (received == open || is_503(received));
            return if fits { Ok(()) } else { Err(show()) };
        }
        if right.starts_with(received) || open.starts_with(received) || is_503(received) {
            return Ok(());
        }
        // Some right answers, then an error that ends it, or an answer of 500 in the place of one.
        let due = finals(right).finals;
        let same = all
            .iter()
            .zip(&due)
            .take_while(|(a, b)| a.status == b.status && a.body == b.body);
        let same = same.count();
        let error = all.get(same).map(|answer| answer.status);
        let rest = all.get(same + 1..).unwrap_or_default();
        let fits = match effect {
            Some(Effect::Leap) => matches!(error, None | Some(408 | 500 | 503)) && rest.is_empty(),
            Some(Effect::Panic { .. }) => {
                let due = due.get(same + 1..).unwrap_or_default();
                let goes_on = rest
                    .iter()
                    .zip(due)
                    .all(|(a, b)| a.status == b.status && a.body == b.body);
                // One in the middle of a body is cut short; its head was out already.
                error == Some(500) && goes_on && rest.len() <= due.len()
            }
            _ => false,
        };
        match fits {
            true => Ok(()),
            false => Err(show()),
        }
    }
}

/// The bytes of a connection, with bodies in chunks decoded up to where they go: how they are cut
/// is the server's affair.
fn decoded(mut bytes: &[u8]) -> Vec<u8> {
    const CHUNKED: &[u8] = b"Transfer-Encoding: chunked";
    let mut out = Vec::new();
    while let Some(at) = find(bytes, CHUNKED) {
        let Some(end) = find(&bytes[at..], b"\r\n\r\n") else {
            break;
        };
        let (head, mut rest) = bytes.split_at(at + end + 4);
        // Said otherwise, so that nobody looks for chunks again.
        out.extend(&head[..at]);
        out.extend(b"Transfer-Encoding: identity");
        out.extend(&head[at + CHUNKED.len()..]);
        bytes = loop {
            let Some(end) = find(rest, b"\r\n") else {
                return out;
            };
            let size = str::from_utf8(&rest[..end]).ok();
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.expect("a size of a chunk");
            let data = &rest[end + 2..];
            out.extend(&data[..size.min(data.len())]);
            let Some(next) = data.get(size + 2..) else {
                return out;
            };
            if size == 0 {
                out.extend(b"\r\n[the end]\r\n");
                break next;
            }
            rest = next;
        };
    }
    out.extend(bytes);
    out
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn finals(received: &[u8]) -> Observation {
    Observation::from_bytes(received, State::Closed, &[])
}

fn is_503(received: &[u8]) -> bool {
    let seen = finals(received);
    seen.finals.len() == 1 && seen.finals[0].status == 503 && seen.bad.is_none()
}
