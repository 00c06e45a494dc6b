//! The real worker and the real application of the challenge on the simulated kernel: random
//! clients, random faults, and a model that knows every answer.

use barewire::{App, TICK_MS};
use barewire_core::driver::{Driver, Instant};
use barewire_core::limits::Limits;

use super::bounds::Bounds;
use super::client::{Ending, Step, Transcript};
use super::faults::Faults;
use super::kernel::SimKernel;
use super::rng::Rng;
use super::script::{self, Body, Counted, Expected, Fate, Script, Stall, Terms};
use super::stage::{Props, SHAPES, STAGE, Stage};
use crate::conformance::{Observation, Response, State};

/// What a seed makes: the clients, and the server that they meet.
#[derive(Clone, Debug)]
pub struct Scenario {
    seed: u64,
    faults: Faults,
    /// Deadlines are those of the product; else a thousand times as long, so that none passes
    /// although everybody waits for the only slot.
    punctual: bool,
    shape: usize,
    slots: usize,
    /// Connections that are served, and further ones that are told 503.
    open_max: usize,
    reserve: usize,
    /// Milliseconds after which the server is told to stop.
    drain_ms: Option<u64>,
    /// Milliseconds between the turns of another worker, which statistics have to wait for.
    other_ms: Option<u64>,
    scripts: Vec<Script>,
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
    /// Clients that were told 503 or turned away.
    pub refused: usize,
    /// Clients that ran into a deadline.
    pub stalled: usize,
    /// Clients that gave way when there were no slots.
    pub gave_way: usize,
}

impl Scenario {
    /// The scenario of this seed.
    pub fn new(seed: u64) -> Scenario {
        let rng = &mut Rng::new(seed ^ 0x5ce7_a210);
        let clients = rng.one_to(12);
        let punctual = rng.chance(80);
        let pressed = !punctual && rng.chance(128);
        let limited = !punctual && !pressed && rng.chance(60);
        let shape = rng.below(SHAPES.len());
        let (recv_bytes, send_bytes) = SHAPES[shape];
        let terms = Terms {
            recv_bytes: recv_bytes - recv_bytes / 10 - 64,
            send_bytes: send_bytes - 300,
            stalls: punctual || pressed,
            echo_bytes_max: [40_000, 10_000][rng.below(2)],
        };
        let (open_max, reserve) = match limited {
            true => (rng.one_to(clients), 1 + rng.below(4)),
            false => (rng.one_to(clients) + if punctual { clients } else { 0 }, 0),
        };
        Scenario {
            seed,
            faults: match rng.below(6) {
                0 => Faults::NONE,
                _ => Faults::any(rng),
            },
            punctual,
            shape,
            // With one more than clients nobody ever has to give way.
            slots: if punctual {
                clients + 1
            } else {
                rng.one_to(clients)
            },
            open_max,
            reserve,
            drain_ms: rng.chance(20).then(|| rng.below(60) as u64),
            other_ms: rng.chance(80).then(|| rng.one_to(3) as u64),
            scripts: (0..clients).map(|_| script::script(rng, terms)).collect(),
        }
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::DEFAULT;
        if !self.punctual {
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
            let stage = stage.get_or_insert_with(Stage::new);
            stage.reset()?;
            let play = self.play(stage);
            stage.other.sleep();
            let play = play?;
            // A ticket that stays would answer the next connection of the same name.
            if !format!("{:?}", stage.app).contains("waiting: Waiting([])") {
                return Err(format!("somebody still waits: {:?}", stage.app));
            }
            let statistics = stage.statistics()?;
            self.judge(play, &statistics)
        })
    }

    fn play(&self, stage: &mut Stage) -> Result<Play, String> {
        let plans = self.scripts.iter().map(|s| s.plan.clone()).collect();
        let kernel = SimKernel::with_faults(self.seed, plans, self.faults);
        let mut props = Props::new(self.open_max + self.reserve, self.slots, self.shape, stage);
        let (app, limits) = (&mut stage.app, self.limits());
        let mut worker = props.worker(kernel, app, limits, self.open_max, u32::MAX);
        let mut rng = Rng::new(self.seed ^ 0x07e2);
        let mut other_at = self.other_ms.map(|_| Instant(0));
        let mut draining = self.drain_ms.map(Instant::from_millis);
        let mut aborting = None;
        let bytes: usize = self.scripts.iter().map(Script::bytes).sum();
        let polls_max = 3_000 + 2_000 * self.scripts.len() + bytes;
        loop {
            let until = [draining, aborting].into_iter().flatten().min();
            let Ok(_) = worker.turn(until);
            let kernel = worker.driver().inner().kernel();
            if kernel.is_idle() {
                break;
            }
            if kernel.polls() > polls_max as u64 {
                return Err(format!("spins: {} polls", kernel.polls()));
            }
            let now = worker.driver().now();
            if let (Some(at), Some(ms)) = (&mut other_at, self.other_ms)
                && *at <= now
            {
                stage.other.turn();
                *at = Instant(now.0 + 1 + rng.below(ms as usize * 1_000_000) as u64);
            }
            if draining.take_if(|at| *at <= now).is_some() {
                worker.drain();
                aborting = Some(Instant(now.0 + 30_000_000_000));
            }
            if aborting.take_if(|at| *at <= now).is_some() {
                worker.abort();
            }
        }
        let (open, free, tally) = (worker.open(), worker.free_slots(), worker.tally());
        let kernel = worker.driver().inner().kernel();
        let play = Play {
            transcripts: kernel.transcripts().cloned().collect(),
            polls: kernel.polls(),
        };
        let sockets = kernel.sockets();
        let listens = draining.is_some() || self.drain_ms.is_none();
        if open > 0 || sockets > 0 {
            return Err(format!("{open} connections, {sockets} sockets are open"));
        }
        if free != self.slots {
            return Err(format!("{free} of {} slots are free", self.slots));
        }
        if tally.panics > 0 {
            return Err(format!("{tally:?}"));
        }
        drop(worker);
        props.strike(stage);
        for (at, transcript) in play.transcripts.iter().enumerate() {
            if transcript.ending == Ending::Open && (listens || transcript.sent > 0) {
                return Err(format!("client {at} waits in vain: {transcript:?}"));
            }
        }
        Ok(play)
    }

    fn judge(&self, play: Play, statistics: &Response) -> Result<Outcome, String> {
        let mut outcome = Outcome {
            polls: play.polls,
            ..Outcome::default()
        };
        let (mut answered, mut perhaps) = (Vec::new(), Vec::new());
        for (at, (script, transcript)) in self.scripts.iter().zip(&play.transcripts).enumerate() {
            let n = self
                .client(script, transcript, &mut outcome)
                .map_err(|what| format!("client {at}: {what}; {}", in_short(transcript)))?;
            let event = |expected: &Expected| expected.event.clone();
            let sure = script.expected.iter().take(n.answered);
            answered.extend(sure.filter_map(event));
            let rest = script.expected.iter().skip(n.answered);
            let sent = rest.take_while(|expected| expected.end <= n.heard);
            perhaps.extend(sent.filter_map(event));
        }
        outcome.events = answered.len();
        let bounds = Bounds::new(&answered, &perhaps);
        bounds
            .hold(statistics)
            .map_err(|what| format!("statistics: {what}"))?;
        let seen = play.transcripts.into_iter();
        outcome.transcripts = seen.map(|t| (t.received, t.ending)).collect();
        Ok(outcome)
    }

    /// Judges what one client saw.
    fn client(
        &self,
        script: &Script,
        transcript: &Transcript,
        outcome: &mut Outcome,
    ) -> Result<Counts, String> {
        let drained = self.drain_ms.is_some();
        let unheard = Counts {
            answered: 0,
            heard: 0,
        };
        let ending = transcript.ending;
        if ending == Ending::Refused || (ending == Ending::Open && drained) {
            if !transcript.received.is_empty() {
                return Err("was refused and got something".into());
            }
            return Ok(unheard);
        }
        let state = match ending {
            Ending::Finished => State::Closed,
            _ => State::Open,
        };
        let crowded = self.reserve > 0 && self.open_max < self.scripts.len();
        // This one answer comes whatever was asked, and before it is read.
        let busy = crowded && transcript.received.starts_with(b"HTTP/1.1 503");
        let methods = script.expected.iter().map(|e| e.method.to_owned());
        let methods: Vec<String> = methods.filter(|_| !busy).collect();
        let seen = Observation::from_bytes(&transcript.received, state, &methods);
        if let Some(bad) = &seen.bad {
            return Err(bad.clone());
        }
        let first = seen.finals.first();
        if busy && first.is_some() {
            outcome.refused += 1;
            let alone = seen.finals.len() == 1 && seen.interims.is_empty();
            let closes = first.is_some_and(says_close);
            let said = alone && closes && ending != Ending::Open;
            return said.then_some(unheard).ok_or("503, but not only".into());
        }
        let unread = transcript.times.first_read.is_none();
        if crowded && ending == Ending::Reset && unread && transcript.received.is_empty() {
            // There was no slot to say 503 with.
            outcome.refused += 1;
            return Ok(unheard);
        }
        if self.gave_way(transcript, &seen) {
            outcome.gave_way += 1;
            let told = seen.finals.last().is_some_and(|last| last.status == 408);
            let before = seen.finals.len() - usize::from(told);
            let pairs = seen.finals.iter().zip(&script.expected).take(before);
            for (at, (response, expected)) in pairs.enumerate() {
                answer(response, expected, drained)
                    .map_err(|what| format!("answer {at}: {what}"))?;
            }
            return Ok(Counts {
                answered: before,
                heard: transcript.sent,
            });
        }
        let mut before = None;
        for (at, (response, expected)) in seen.finals.iter().zip(&script.expected).enumerate() {
            let own = script.expected.iter().take(at);
            answer(response, expected, drained).map_err(|what| format!("answer {at}: {what}"))?;
            if expected.body == Body::Stats {
                let own: Vec<Counted> = own.filter_map(|e| e.event.clone()).collect();
                before = Some(self.statistics(response, &own, before)?);
            }
        }
        let n = seen.finals.len();
        outcome.answers += n;
        if n > script.expected.len() {
            return Err(format!("{n} answers to {} requests", script.expected.len()));
        }
        let invited = |n: usize| script.expected.iter().take(n).filter(|e| e.invited).count();
        if !(invited(n)..=invited(n + 1)).contains(&seen.interims.len())
            || seen.interims.iter().any(|interim| interim.status != 100)
        {
            return Err(format!("{} interim answers", seen.interims.len()));
        }
        let counts = Counts {
            answered: n,
            heard: transcript.sent,
        };
        let whole = n == script.expected.len() && ending == Ending::Finished;
        let lost = ending == Ending::Left || ending == Ending::Reset;
        match script.fate {
            _ if drained => Ok(counts),
            Fate::Orderly if !whole => Err(format!("{n} answers, {ending:?}")),
            // Not even where others would hold all slots until their deadlines, an hour later.
            Fate::Orderly if transcript.times.lasted_ms() > ORDERLY_MS_MAX => {
                Err(format!("served late: {:?}", transcript.times))
            }
            Fate::Chatters if !whole && !lost => Err(format!("{n} answers, {ending:?}")),
            Fate::Stalls(stall) => {
                outcome.stalled += 1;
                match stall {
                    Stall::Send if ending != Ending::Reset => return Err(format!("{ending:?}")),
                    Stall::Send => {}
                    _ if !whole => return Err(format!("{n} answers, {ending:?}")),
                    _ => {}
                }
                self.in_time(script, stall, transcript)?;
                Ok(counts)
            }
            _ => Ok(counts),
        }
    }

    /// Whether a client lost its slot to others, as only one may that was there for a second.
    fn gave_way(&self, transcript: &Transcript, seen: &Observation) -> bool {
        let told = seen.finals.last().is_some_and(|last| {
            last.status == 408 && last.body.windows(11).any(|part| part == b"busy server")
        });
        let crowded = self.slots <= self.scripts.len();
        let patient = transcript.times.lasted_ms() >= PATIENCE_MS;
        crowded && patient && (told || transcript.ending == Ending::Reset)
    }

    /// Whether a client that stalled was cut at its deadline, and within one tick.
    fn in_time(&self, script: &Script, stall: Stall, seen: &Transcript) -> Result<(), String> {
        let limits = self.limits();
        let times = seen.times;
        let (Some(accepted), Some(ended)) = (times.accepted, times.ended) else {
            return Err(format!("{times:?}"));
        };
        let first = times.first_read.unwrap_or(accepted).millis();
        let touched = times.touched.unwrap_or(accepted).millis();
        let (after, from, to) = match stall {
            Stall::FirstByte => (limits.first_byte_ms, accepted.millis(), accepted.millis()),
            // The clock of a head begins with its first byte.
            Stall::Head if script.expected.len() == 1 => (limits.head_ms, first, first),
            Stall::Head => (limits.head_ms, first, touched),
            Stall::Body => (limits.pace_ms, first, touched),
            Stall::Idle => (limits.idle_ms, touched, touched),
            Stall::Send => (limits.send_ms, first, touched),
        };
        // The last word before the end, and what the kernel puts off.
        let slack = match stall {
            Stall::FirstByte | Stall::Idle | Stall::Send => 4,
            _ if self.faults == Faults::NONE && script.plan.window > 600 => 4,
            _ => 200,
        };
        let late = match stall {
            // The answer of 408 was touching it last.
            Stall::Head if script.expected.len() > 1 => from.max(touched),
            Stall::Body => from.max(touched),
            _ => to,
        };
        let least = (from + u64::from(after)).saturating_sub(4);
        let most = late + u64::from(after) + u64::from(TICK_MS) + slack;
        match (least..=most).contains(&ended.millis()) {
            true => Ok(()),
            false => Err(format!(
                "{stall:?}: ended at {} ms, not in {least}..={most}; {times:?}",
                ended.millis()
            )),
        }
    }

    /// Statistics in the middle: they count this client's own events, and no more than there are.
    fn statistics(
        &self,
        response: &Response,
        own: &[Counted],
        before: Option<u64>,
    ) -> Result<u64, String> {
        let all = self.scripts.iter().flat_map(|script| &script.expected);
        let all: Vec<Counted> = all.filter_map(|expected| expected.event.clone()).collect();
        let mut others = all;
        for one in own {
            if let Some(at) = others.iter().position(|other| other == one) {
                others.swap_remove(at);
            }
        }
        let total = Bounds::new(own, &others).hold(response)?;
        match before {
            Some(before) if before > total => Err(format!("{total} after {before}")),
            _ => Ok(total),
        }
    }
}

/// Milliseconds that an orderly client takes at most, its own pauses and the waits for slots
/// included.
const ORDERLY_MS_MAX: u64 = 100_000;

/// Milliseconds for which nobody has to give way.
const PATIENCE_MS: u64 = 1_000;

/// What a client's transcript says of its requests.
struct Counts {
    /// Of so many the answer came.
    answered: usize,
    /// So many bytes may have been read.
    heard: usize,
}

/// What is left of a run.
struct Play {
    transcripts: Vec<Transcript>,
    polls: u64,
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

fn in_short(transcript: &Transcript) -> String {
    let from = transcript.received.len().saturating_sub(600);
    format!(
        "{:?}, sent {}, {:?}, received {}: ..{}",
        transcript.ending,
        transcript.sent,
        transcript.times,
        transcript.received.len(),
        transcript.received[from..].escape_ascii()
    )
}

fn says_close(response: &Response) -> bool {
    response
        .values("connection")
        .any(|value| value.eq_ignore_ascii_case("close"))
}

/// Whether this is the answer that was to come.
fn answer(response: &Response, expected: &Expected, drained: bool) -> Result<(), String> {
    if response.status != expected.status {
        return Err(format!("{} for {}", response.status, expected.status));
    }
    if says_close(response) != expected.closes && !(drained && says_close(response)) {
        return Err(format!("close: {}", says_close(response)));
    }
    if response.version != (1, 1) || !response.notes.is_empty() {
        return Err(format!("{:?} {:?}", response.version, response.notes));
    }
    if response.values("date").count() != 1 {
        return Err("no date".into());
    }
    let Body::Exactly(bytes) = &expected.body else {
        return Ok(());
    };
    if expected.method == "HEAD" {
        let length = bytes.len().to_string();
        return match response.values("content-length").eq([length]) {
            true => Ok(()),
            false => Err(format!("{:?}", response.fields)),
        };
    }
    if response.body != *bytes {
        return Err(format!("{} bytes for {}", response.body.len(), bytes.len()));
    }
    Ok(())
}
