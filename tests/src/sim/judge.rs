//! What a run must have shown: every answer, every count and every deadline.
//!
//! An orderly client gets every answer, byte for byte and in order, and is closed behind the last.
//! Of one that leaves, or is cut at a deadline, whatever came must be a prefix of that.

use barewire::TICK_MS;
use barewire_core::driver::Instant;

use super::bounds::Bounds;
use super::client::{Ending, Transcript};
use super::faults::Faults;
use super::scenario::{Outcome, Play, Scenario};
use super::script::{Body, Counted, Expected, Fate, Script, Stall};
use crate::conformance::{Observation, Response, ResponseStream, State};

impl Scenario {
    pub(super) fn judge(
        &self,
        play: &Play,
        statistics: &Response,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let mut all = Vec::new();
        for (at, (script, transcript)) in self.clients.iter().zip(&play.transcripts).enumerate() {
            let told = self
                .client(script, transcript, play, outcome)
                .map_err(|what| format!("client {at}: {what}; {}", in_short(transcript)))?;
            all.push(Client {
                script,
                transcript,
                told,
            });
        }
        let may_be_lost = play
            .transcripts
            .iter()
            .filter(|seen| seen.ending != Ending::Finished);
        if outcome.gave_way > play.gave_way as usize + may_be_lost.count() {
            return Err(format!(
                "{} gave way, {} were to",
                outcome.gave_way, play.gave_way
            ));
        }
        let (mut sure, mut perhaps) = (Vec::new(), Vec::new());
        for one in &all {
            for (at, event) in one.events() {
                if at < one.told.answered {
                    sure.push(event);
                } else if one.script.expected[at].end <= one.told.heard {
                    perhaps.push(event);
                }
            }
        }
        outcome.events = sure.len();
        let bounds = Bounds::new(sure, perhaps);
        let total = bounds.hold(statistics);
        total.map_err(|what| format!("statistics: {what}"))?;
        outcome.snapshots = snapshots(&all)?;
        Ok(())
    }

    /// Judges what one client saw.
    fn client(
        &self,
        script: &Script,
        transcript: &Transcript,
        play: &Play,
        outcome: &mut Outcome,
    ) -> Result<Told, String> {
        let drained = self.drain_ms.is_some();
        let unheard = Told::default();
        let ending = transcript.ending;
        if ending == Ending::Refused || (ending == Ending::Open && drained) {
            if !transcript.received.is_empty() {
                return Err("was refused and got something".into());
            }
            return Ok(unheard);
        }
        let out_of_time = self.punctual && play.jumped_ms > 0;
        // Who is let go in the middle of an answer may be closed in order all the same.
        let may_be_cut = out_of_time || self.may_give_way(transcript);
        let state = match ending {
            Ending::Finished if !may_be_cut => State::Closed,
            _ => State::Open,
        };
        let crowded = self.per_address_max.is_some()
            || self.reserve > 0 && self.open_max < self.clients.len();
        // This one answer comes whatever was asked, and before it is read.
        let busy = crowded && transcript.received.starts_with(b"HTTP/1.1 503");
        let methods = script.expected.iter().map(|e| e.method.to_owned());
        let mut methods: Vec<String> = methods.filter(|_| !busy).collect();
        let (mut seen, mut times) = observe(transcript, state, &methods);
        let last = seen.finals.len().saturating_sub(1);
        if may_be_cut && seen.bad.is_some() && methods.get(last).is_some_and(|m| m == "HEAD") {
            // Whoever is cut before the method is read is answered as if it were another one.
            methods[last] = "GET".to_owned();
            (seen, times) = observe(transcript, state, &methods);
        }
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
        if out_of_time || self.gave_way(script, transcript, &seen) {
            let told = seen.finals.last().is_some_and(|last| {
                says_busy(last) || out_of_time && [408, 503].contains(&last.status)
            });
            outcome.gave_way += usize::from(!out_of_time);
            let before = seen.finals.len() - usize::from(told);
            let answered = self.prefix(script, &seen, before)?;
            if out_of_time {
                self.bounded(transcript, play)?;
            }
            return Ok(Told {
                answered,
                heard: transcript.sent,
                times,
                snapshots: snapshots_of(script, &seen, before),
            });
        }
        self.prefix(script, &seen, seen.finals.len())?;
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
        let counts = Told {
            answered: n,
            heard: transcript.sent,
            times,
            snapshots: snapshots_of(script, &seen, n),
        };
        let whole = n == script.expected.len() && ending == Ending::Finished;
        let lost = ending == Ending::Left || ending == Ending::Reset;
        match script.fate {
            _ if drained => Ok(counts),
            Fate::Orderly if !whole => Err(format!("{n} answers, {ending:?}")),
            // Not even where others would hold all slots until their deadlines, an hour later.
            Fate::Orderly if transcript.times.lasted_ms() > ORDERLY_MS_MAX + play.jumped_ms => {
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
                let before = n.checked_sub(2).and_then(|at| counts.times.get(at));
                self.in_time(script, stall, transcript, before.copied(), play.jumped_ms)?;
                Ok(counts)
            }
            _ => Ok(counts),
        }
    }

    /// Compares the first `count` answers with those that were to come.
    fn prefix(&self, script: &Script, seen: &Observation, count: usize) -> Result<usize, String> {
        let pairs = seen.finals.iter().zip(&script.expected).take(count);
        let mut compared = 0;
        for (at, (response, expected)) in pairs.enumerate() {
            answer(response, expected, self.drain_ms.is_some())
                .map_err(|what| format!("answer {at}: {what}"))?;
            compared += 1;
        }
        Ok(compared)
    }

    /// Whether a client was let go in any case: the clock leapt over deadlines.
    fn bounded(&self, seen: &Transcript, play: &Play) -> Result<(), String> {
        let times = seen.times;
        let (Some(accepted), Some(ended)) = (times.accepted, times.ended) else {
            return Ok(());
        };
        let last = times.touched.unwrap_or(accepted).millis();
        let most = last + u64::from(self.limits().idle_ms + TICK_MS) + play.jumped_ms + 200;
        match ended.millis() <= most {
            true => Ok(()),
            false => Err(format!("ended after {most} ms: {times:?}")),
        }
    }

    /// Whether a client may lose its slot to others, as only one may that was there for a second.
    fn may_give_way(&self, transcript: &Transcript) -> bool {
        let crowded = self.slots <= self.clients.len();
        crowded && transcript.times.held_ms() >= PATIENCE_MS
    }

    /// Whether it did: it was told so, reset, or closed before an answer was out. Or after it, where
    /// the answer did not wait for the body: then nothing is left to be told.
    fn gave_way(&self, script: &Script, transcript: &Transcript, seen: &Observation) -> bool {
        let told = seen.finals.last().is_some_and(says_busy);
        let let_go = match transcript.ending {
            Ending::Reset => true,
            Ending::Finished if self.drain_ms.is_none() => {
                let was_to_stay = script.fate == Fate::Stalls(Stall::Idle);
                told || seen.finals.len() < script.expected.len()
                    || was_to_stay && self.ended_before_idle(transcript)
            }
            _ => told,
        };
        let_go && self.may_give_way(transcript)
    }

    /// Whether the end came while the deadline of an idle connection was still ahead.
    fn ended_before_idle(&self, transcript: &Transcript) -> bool {
        let times = transcript.times;
        let idle_ms = u64::from(self.limits().idle_ms);
        match (times.touched, times.ended) {
            (Some(touched), Some(ended)) => ended.millis() + 4 < touched.millis() + idle_ms,
            _ => false,
        }
    }

    /// Whether a client that stalled was cut at its deadline, and within one tick. The answer before
    /// the last was there in whole at `before`.
    fn in_time(
        &self,
        script: &Script,
        stall: Stall,
        seen: &Transcript,
        before: Option<Instant>,
        jumped_ms: u64,
    ) -> Result<(), String> {
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
            // Its answer is not what the clock of the handler begins with; the one before may be, as
            // requests are answered one after the other.
            Stall::Handler => {
                let read = times.last_read.max(before).unwrap_or(accepted).millis();
                (limits.handler_ms, first, read)
            }
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
        let most = late + u64::from(after) + u64::from(TICK_MS) + slack + jumped_ms;
        match (least..=most).contains(&ended.millis()) {
            true => Ok(()),
            false => Err(format!(
                "{stall:?}: ended at {} ms, not in {least}..={most}; {times:?}",
                ended.millis()
            )),
        }
    }
}

/// Milliseconds that an orderly client takes at most, its own pauses and the waits for slots
/// included.
const ORDERLY_MS_MAX: u64 = 100_000;

/// Milliseconds for which nobody has to give way.
const PATIENCE_MS: u64 = 1_000;

/// What a client's transcript says of its requests.
#[derive(Debug, Default)]
struct Told {
    /// Of so many the answer came.
    answered: usize,
    /// So many bytes may have been read.
    heard: usize,
    /// When each answer was there in whole.
    times: Vec<Instant>,
    /// The answers that are statistics, and to which request each is.
    snapshots: Vec<(usize, Response)>,
}

/// One client, and what it was told.
struct Client<'a> {
    script: &'a Script,
    transcript: &'a Transcript,
    told: Told,
}

impl<'a> Client<'a> {
    /// Its events, and which request each is.
    fn events(&self) -> impl Iterator<Item = (usize, &'a Counted)> {
        let all = self.script.expected.iter().enumerate();
        all.filter_map(|(at, expected)| Some((at, expected.event.as_ref()?)))
    }

    /// When it knew that a request was answered.
    fn answered_at(&self, at: usize) -> Option<Instant> {
        let answered = at < self.told.answered;
        self.told.times.get(at).copied().filter(|_| answered)
    }

    /// When the first byte of a request left, and the last.
    fn sent_at(&self, at: usize) -> Option<(Instant, Instant)> {
        let expected = &self.script.expected;
        let begin = at.checked_sub(1).map_or(0, |before| expected[before].end);
        let last = expected[at].end.saturating_sub(1);
        let sent = |byte| self.transcript.sent_beyond(byte);
        Some((sent(begin)?, sent(last)?))
    }
}

/// Statistics in the middle of a run are a moment between the question and the answer: all events
/// are in them whose answers had come before anybody asked, and none that was sent after the
/// answer. Of two, one of which was answered before the other was asked for, the later counts no
/// less. Says how many there were.
fn snapshots(all: &[Client<'_>]) -> Result<usize, String> {
    let mut seen: Vec<(Instant, Instant, u64)> = Vec::new();
    for (number, one) in all.iter().enumerate() {
        for (place, response) in &one.told.snapshots {
            let (Some((asked, _)), Some(at)) = (one.sent_at(*place), one.answered_at(*place))
            else {
                continue;
            };
            let (mut sure, mut perhaps) = (Vec::new(), Vec::new());
            for (other_number, other) in all.iter().enumerate() {
                for (event_at, event) in other.events() {
                    let (before, sent) = if other_number == number {
                        (event_at < *place, false)
                    } else {
                        let answered = other.answered_at(event_at);
                        let sent = other.sent_at(event_at);
                        (
                            answered.is_some_and(|when| when < asked),
                            sent.is_some_and(|(_, last)| last <= at),
                        )
                    };
                    if before {
                        sure.push(event);
                    } else if sent {
                        perhaps.push(event);
                    }
                }
            }
            let total = Bounds::new(sure, perhaps)
                .hold(response)
                .map_err(|what| format!("client {number}: statistics at {place}: {what}"))?;
            for (other_asked, other_at, other_total) in &seen {
                let less = *other_at < asked && *other_total > total;
                let more = at < *other_asked && *other_total < total;
                if less || more {
                    return Err(format!("statistics go back: {total}, {other_total}"));
                }
            }
            seen.push((asked, at, total));
        }
    }
    Ok(seen.len())
}

fn snapshots_of(script: &Script, seen: &Observation, count: usize) -> Vec<(usize, Response)> {
    let pairs = seen.finals.iter().zip(&script.expected).take(count);
    let pairs = pairs.enumerate();
    pairs
        .filter(|(_, (_, expected))| expected.body == Body::Stats)
        .map(|(at, (response, _))| (at, response.clone()))
        .collect()
}

/// The answers in what a client received, and when each was there.
fn observe(
    transcript: &Transcript,
    state: State,
    methods: &[String],
) -> (Observation, Vec<Instant>) {
    let mut stream = ResponseStream::new(methods);
    let (mut times, mut from) = (Vec::new(), 0);
    for (to, when) in &transcript.arrivals {
        stream.push(&transcript.received[from..*to]);
        from = *to;
        times.resize(stream.observation().finals.len(), *when);
    }
    stream.end(state);
    let seen = stream.into_observation();
    let last = transcript.arrivals.last().map(|(_, when)| *when);
    times.resize(seen.finals.len(), last.unwrap_or_default());
    (seen, times)
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

/// Whether this tells a client that its slot is needed.
fn says_busy(response: &Response) -> bool {
    let text = response.body.windows(11).any(|part| part == b"busy server");
    // The answer to HEAD has no words.
    response.status == 408 && (text || response.method == "HEAD")
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
