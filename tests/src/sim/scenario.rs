//! The real worker and the real application of the challenge on the simulated network: random
//! clients, random faults, and a model that knows every answer.

use barewire::App;
use barewire_core::driver::{Driver, Instant};
use barewire_core::limits::Limits;

use super::client::{Ending, Step, Transcript};
use super::faults::Faults;
use super::hap::{Hap, Haps};
use super::later::Lent;
use super::net::Net;
use super::rng::Rng;
use super::script::{self, Body, Script, Terms};
use super::seam::Seam;
use super::stage::{Entrance, Props, SHAPES, STAGE, Stage};
use super::strict::strict;

/// What a seed makes: the clients, and the server that they meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What the network does by chance.
    pub seed: u64,
    /// How the server asks it.
    pub seam: Seam,
    /// What it does besides.
    pub faults: Faults,
    /// Milliseconds that the clock shows at the start.
    pub clock_ms: u64,
    /// Deadlines are those of the product (but for a short one of handlers); else a thousand times
    /// as long, so that none passes although everybody waits for the only slot.
    pub punctual: bool,
    /// Which of three sizes the slots have.
    pub shape: usize,
    /// Slots of the worker.
    pub slots: usize,
    /// Places of the ring from a thread that accepts for the worker; else the worker does.
    pub ring_places: Option<usize>,
    /// Connections that are served at a time.
    pub open_max: usize,
    /// Those of one address, if that is limited.
    pub per_address_max: Option<u32>,
    /// Further ones that are told 503.
    pub reserve: usize,
    /// Milliseconds after which the server is told to stop.
    pub drain_ms: Option<u64>,
    /// Milliseconds between the turns of another worker, which statistics have to wait for.
    pub other_ms: Option<u64>,
    /// Milliseconds after which another thread wakes the worker, for nothing.
    pub wakes_ms: Vec<u64>,
    /// The clients.
    pub clients: Vec<Script>,
}

/// What a run came to, for the tests' own statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Everything that the clients received, and how it ended for them.
    pub transcripts: Vec<(Vec<u8>, Ending)>,
    /// Turns of the loop.
    pub polls: u64,
    /// Answers that were compared.
    pub answers: usize,
    /// Events of which an answer came.
    pub events: usize,
    /// Statistics in the middle of a run that were compared.
    pub snapshots: usize,
    /// Clients that were told 503 or turned away.
    pub refused: usize,
    /// Clients that ran into a deadline.
    pub stalled: usize,
    /// Clients that gave way when there were no slots.
    pub gave_way: usize,
    /// What the network did.
    pub haps: Haps,
}

/// What another thread orders.
const DRAIN: u8 = 1;
const ABORT: u8 = 2;

/// Milliseconds from the order to drain to that to abort: as long as an idle connection is kept.
const DRAIN_MS_MAX: u64 = 30_000;

/// Milliseconds that a deferred exchange may take where clients are to be punctual: few, because
/// the worker asks for it ten times in each.
const HANDLER_MS: u32 = 100;

/// What is left of a run.
pub(super) struct Play {
    pub(super) transcripts: Vec<Transcript>,
    pub(super) jumped_ms: u64,
    /// Connections that the worker let go because slots were scarce.
    pub(super) gave_way: u64,
    polls: u64,
    haps: Haps,
}

impl Scenario {
    /// The scenario of this seed.
    pub fn new(seed: u64) -> Scenario {
        let rng = &mut Rng::new(seed ^ 0x5ce7_a210);
        let clients = rng.one_to(12);
        let punctual = rng.chance(80);
        let pressed = !punctual && rng.chance(128);
        let limited = !punctual && !pressed && rng.chance(60);
        let shared = !punctual && !pressed && rng.chance(60);
        let shape = rng.below(SHAPES.len());
        let (recv_bytes, send_bytes) = SHAPES[shape];
        let terms = Terms {
            recv_bytes: recv_bytes - recv_bytes / 10 - 64,
            send_bytes: send_bytes - 300,
            stalls: punctual || pressed,
            handler_stalls: punctual,
            echo_bytes_max: [40_000, 10_000][rng.below(2)],
            addresses: rng.one_to(3) as u8,
        };
        let (open_max, mut reserve) = match limited {
            true => (rng.one_to(clients), 1 + rng.below(4)),
            false => (rng.one_to(clients) + if punctual { clients } else { 0 }, 0),
        };
        let per_address_max = shared.then(|| rng.one_to(4) as u32);
        if shared && reserve == 0 {
            reserve = 1 + rng.below(4);
        }
        let seam = Seam::ALL[(seed % 3) as usize];
        // A driver by completions accepts by itself.
        let handed = seam != Seam::Ring && rng.chance(60);
        let ring_places = handed.then(|| rng.one_to(3));
        let mut faults = match rng.below(6) {
            0 => Faults::NONE,
            _ => Faults::any(rng),
        };
        // Who stalls or lingers for hours would hold the descriptors that others wait for.
        if punctual && rng.chance(100) {
            faults.descriptors = rng.one_to(6) as u8;
        }
        if rng.chance(40) {
            faults.jump = [4, 100][rng.below(2)];
        }
        Scenario {
            seed,
            seam,
            faults,
            // Deadlines are kept in 32 bits of milliseconds, which wrap after 49 days.
            clock_ms: match rng.below(4) {
                0 => 0,
                1 => (1 << 32) - rng.one_to(60_000) as u64,
                _ => rng.any() >> 24,
            },
            punctual,
            shape,
            // With one more than clients nobody ever has to give way.
            slots: if punctual {
                clients + 1
            } else {
                rng.one_to(clients)
            },
            ring_places,
            open_max,
            per_address_max,
            reserve,
            drain_ms: rng.chance(20).then(|| rng.below(60) as u64),
            other_ms: rng.chance(80).then(|| rng.one_to(3) as u64),
            wakes_ms: match rng.below(4) {
                0 => (0..rng.one_to(6)).map(|_| rng.below(20) as u64).collect(),
                _ => Vec::new(),
            },
            clients: (0..clients).map(|_| script::script(rng, terms)).collect(),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let mut limits = Limits::DEFAULT;
        if self.punctual {
            limits.handler_ms = HANDLER_MS;
        } else {
            for ms in [
                &mut limits.first_byte_ms,
                &mut limits.head_ms,
                &mut limits.request_ms,
                &mut limits.pace_ms,
                &mut limits.send_ms,
                &mut limits.idle_ms,
                &mut limits.handler_ms,
                &mut limits.linger_ms,
            ] {
                *ms *= 1000;
            }
        }
        limits
    }

    /// Runs it and judges it.
    ///
    /// # Errors
    /// What went wrong. What the debug assertions of the product find panics.
    pub fn run(&self) -> Result<Outcome, String> {
        STAGE.with_borrow_mut(|stage| {
            let mut staged = stage.take().unwrap_or_else(Stage::new);
            let outcome = self.run_on(&mut staged);
            // After a failure, or a panic, nobody knows what is left of it.
            if outcome.is_ok() {
                *stage = Some(staged);
            }
            outcome
        })
    }

    fn run_on(&self, stage: &mut Stage) -> Result<Outcome, String> {
        stage.reset()?;
        stage.later.clear();
        stage.later.handler_ms = self.limits().handler_ms.into();
        let play = self.play(stage);
        stage.other.sleep();
        let mut play = play?;
        // A ticket that stays would answer the next connection of the same name.
        if !format!("{:?}", stage.app).contains("waiting: Waiting([])") {
            return Err(format!("somebody still waits: {:?}", stage.app));
        }
        if !stage.later.is_empty() {
            return Err(format!("somebody still waits: {:?}", stage.later));
        }
        play.haps.add(&stage.later.haps);
        let statistics = stage.statistics()?;
        let mut outcome = Outcome {
            polls: play.polls,
            haps: play.haps,
            ..Outcome::default()
        };
        self.judge(&play, &statistics, &mut outcome)?;
        let seen = play.transcripts.into_iter();
        outcome.transcripts = seen.map(|t| (t.received, t.ending)).collect();
        Ok(outcome)
    }

    fn net(&self) -> Net {
        let plans = self.clients.iter().map(|one| one.plan.clone()).collect();
        let mut net = Net::new(self.seed, plans, self.faults, self.clock_ms);
        for ms in &self.wakes_ms {
            net.order_after(*ms, 0);
        }
        if let Some(ms) = self.drain_ms {
            net.order_after(ms, DRAIN);
            net.order_after(ms + DRAIN_MS_MAX, ABORT);
        }
        net
    }

    fn play(&self, stage: &mut Stage) -> Result<Play, String> {
        let mut props = Props::new(self.open_max + self.reserve, self.slots, self.shape, stage);
        let app = Lent {
            app: &mut stage.app,
            later: &mut stage.later,
        };
        let entrance = Entrance {
            seam: self.seam,
            ring_places: self.ring_places,
            open_max: self.open_max,
            per_address_max: self.per_address_max.unwrap_or(u32::MAX),
        };
        let mut worker = props.worker(entrance, self.net(), app, self.limits());
        let mut rng = Rng::new(self.seed ^ 0x07e2);
        let mut other_at = self.other_ms.map(|_| Instant(0));
        let (mut heard, mut woken) = (0, 0);
        let turns_max = self.turns_max();
        loop {
            let product = strict();
            let Ok(notified) = worker.turn(None);
            drop(product);
            woken += u64::from(notified);
            let net = worker.driver().inner().net();
            if net.is_idle() {
                break;
            }
            if net.polls() > turns_max {
                let open = net.transcripts().filter(|t| t.ending == Ending::Open);
                let open: Vec<_> = open.map(|t| (t.sent, t.times)).collect();
                return Err(format!("spins: {} polls, {open:?}", net.polls()));
            }
            let (now, order) = (worker.driver().now(), net.order());
            if let (Some(at), Some(ms)) = (&mut other_at, self.other_ms)
                && *at <= now
            {
                stage.other.turn();
                *at = Instant(now.0 + 1 + rng.below(ms as usize * 1_000_000) as u64);
            }
            if heard < order {
                heard = order;
                match order {
                    DRAIN => worker.drain(),
                    _ => worker.abort(),
                }
            }
        }
        let (open, free, tally) = (worker.open(), worker.free_slots(), worker.tally());
        let (refused, crowded) = worker.driver().refused();
        let net = worker.driver().inner().net();
        let (sockets, order) = (net.sockets(), net.order());
        let mut play = Play {
            transcripts: net.transcripts().cloned().collect(),
            jumped_ms: net.jumped_ms(),
            gave_way: tally.gave_way,
            polls: net.polls(),
            haps: *net.haps(),
        };
        play.haps.note_all(crowded, Hap::AddressFull);
        if tally.refused != refused {
            return Err(format!("{} refused, {refused} were to", tally.refused));
        }
        if heard < order || woken != play.haps.count(Hap::Woken) {
            return Err(format!("sleeps: {heard} of order {order}, woken {woken}"));
        }
        for (at, transcript) in play.transcripts.iter().enumerate() {
            if transcript.ending == Ending::Open && (heard == 0 || transcript.sent > 0) {
                return Err(format!("client {at} waits in vain: {transcript:?}"));
            }
        }
        if open > 0 || sockets > 0 {
            return Err(format!("{open} connections, {sockets} sockets are open"));
        }
        if free != self.slots {
            return Err(format!("{free} of {} slots are free", self.slots));
        }
        if tally.panics > 0 {
            return Err(format!("panicked: {tally:?}"));
        }
        drop(worker);
        props.strike(stage);
        Ok(play)
    }

    /// Turns after which a run counts as spinning: far more than any has needed.
    fn turns_max(&self) -> u64 {
        let bytes: usize = self.clients.iter().map(Script::bytes).sum();
        let clients = self.clients.len();
        let put_off = self.clients.iter().flat_map(|one| &one.expected).count();
        // While a handler is asked ten times in a millisecond, nothing else is to be done.
        let asked = match self.punctual {
            true => 12 * HANDLER_MS as usize * clients,
            false => 0,
        };
        (3_000 + 2_000 * clients + bytes + 200 * put_off + asked) as u64
    }
}

impl Script {
    fn bytes(&self) -> usize {
        let echoed = self.expected.iter().map(|expected| match &expected.body {
            Body::Exactly(bytes) => bytes.len(),
            _ => 0,
        });
        let sent = self.plan.steps.iter().map(|step| match step {
            Step::Send(bytes) => bytes.len(),
            _ => 0,
        });
        echoed.sum::<usize>() + sent.sum::<usize>()
    }
}
