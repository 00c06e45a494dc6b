//! A failing scenario, made smaller while it still fails.
//!
//! Every step takes something away that a scenario need not have, so whatever is left is one that a
//! right server passes: clients, requests that are not a client's last, pauses, cuts, kinds of
//! faults, wake-ups. What fails in another way than before is not taken: it might be another bug,
//! and is certainly another story.

use super::client::{Plan, Step};
use super::faults::Faults;
use super::scenario::Scenario;
use super::script::{Fate, Script, Stall};
use super::seeds::attempt;

/// A scenario that fails and of which nothing more could be taken away.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest that was found.
    pub scenario: Scenario,
    /// How it fails.
    pub fault: String,
    /// Scenarios that were tried.
    pub tries: usize,
}

/// Tries at most: each costs about a millisecond, and one that fails a little memory, which the
/// statistics never give back.
const TRIES_MAX: usize = 3_000;

/// How many other seeds of the network a smaller scenario is tried with: what is taken away changes
/// the chances of all that is left, and with one seed alone the bug hides from most of the steps.
const SEEDS: u64 = 6;

/// Makes `scenario` smaller. `None`: it does not fail.
pub fn shrink(scenario: &Scenario) -> Option<Shrunk> {
    // What is tried may panic a thousand times, and only the last panic is of interest.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let shrunk = shrink_quietly(scenario);
    std::panic::set_hook(hook);
    shrunk
}

fn shrink_quietly(scenario: &Scenario) -> Option<Shrunk> {
    let fault = attempt(scenario).err()?;
    let mut best = Shrunk {
        scenario: scenario.clone(),
        fault,
        tries: 1,
    };
    // Large things first: while one helps, all of them are tried again.
    while best.tries < TRIES_MAX {
        let smaller = candidates(&best.scenario)
            .into_iter()
            .find_map(|candidate| best.adopt(candidate));
        match smaller {
            Some((scenario, fault)) => {
                best.scenario = scenario;
                best.fault = fault;
            }
            None => break,
        }
    }
    Some(best)
}

impl Shrunk {
    /// Tries a candidate, with a few seeds.
    fn adopt(&mut self, candidate: Scenario) -> Option<(Scenario, String)> {
        let seeds = std::iter::once(candidate.seed).chain(0..SEEDS);
        for seed in seeds {
            if self.tries >= TRIES_MAX {
                return None;
            }
            self.tries += 1;
            let candidate = Scenario {
                seed,
                ..candidate.clone()
            };
            if let Err(fault) = attempt(&candidate)
                && kind(&fault) == kind(&self.fault)
            {
                return Some((candidate, fault));
            }
        }
        None
    }
}

/// The first words, without numbers: which client it is, and at which byte, changes.
pub(crate) fn kind(fault: &str) -> String {
    let words = fault.split(|c: char| !c.is_alphabetic());
    let mut words = words.filter(|word| !word.is_empty());
    match words.next() {
        // `client 3: what it saw`
        Some("client") => words.next().unwrap_or_default().to_owned(),
        first => first.unwrap_or_default().to_owned(),
    }
}

/// Everything that is one step smaller.
fn candidates(from: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut next = from.clone();
        change(&mut next);
        if next != *from {
            all.push(next);
        }
    };
    let clients = from.clients.len();
    // Halves, then one by one.
    if clients > 2 {
        with(&|next| drop(next.clients.drain(..clients / 2)));
        with(&|next| next.clients.truncate(clients / 2));
    }
    for at in (0..clients).filter(|_| clients > 1) {
        with(&|next| drop(next.clients.remove(at)));
    }
    with(&|next| {
        let planted = (next.faults.lost_edge, next.faults.lost_wake);
        next.faults = Faults::NONE;
        (next.faults.lost_edge, next.faults.lost_wake) = planted;
    });
    for at in 0..from.faults.clone().kinds().len() {
        with(&|next| *next.faults.kinds()[at].1 = 0);
    }
    with(&|next| next.ring_places = None);
    with(&|next| next.per_address_max = None);
    with(&|next| next.wakes_ms.clear());
    with(&|next| next.other_ms = None);
    with(&|next| next.drain_ms = None);
    with(&|next| next.clock_ms = 0);
    for client in 0..clients {
        for request in 0..from.clients[client].expected.len() {
            with(&|next| next.clients[client].forget(request));
        }
    }
    for client in 0..clients {
        with(&|next| next.clients[client].plan.hurry());
        with(&|next| next.clients[client].plan.join());
        for step in 0..from.clients[client].plan.steps.len() {
            with(&|next| {
                let steps = &mut next.clients[client].plan.steps;
                if matches!(steps[step], Step::Pause(_) | Step::Await(_)) {
                    steps.remove(step);
                }
            });
        }
    }
    all
}

impl Plan {
    /// Connects at once; from the default address.
    fn hurry(&mut self) {
        let Plan {
            connect_after_ms,
            connect_within_ms,
            ..
        } = self;
        (*connect_after_ms, *connect_within_ms) = (0, 0);
    }

    /// Sends at once what is sent one piece after the other.
    fn join(&mut self) {
        let mut joined: Vec<Step> = Vec::new();
        for step in self.steps.drain(..) {
            match (joined.last_mut(), step) {
                (Some(Step::Send(before)), Step::Send(bytes)) => before.extend(bytes),
                (_, step) => joined.push(step),
            }
        }
        self.steps = joined;
    }
}

impl Script {
    /// Whether the client says itself that it sends no more; otherwise its last request does.
    fn says_end(&self) -> bool {
        let last = self.plan.steps.last();
        matches!(last, Some(Step::HalfClose | Step::Close | Step::Abort))
    }

    /// Takes a request away, and its answer, if the client's fate does not hang on it.
    fn forget(&mut self, at: usize) {
        let is_last = at + 1 == self.expected.len();
        let closes = self.expected[at].closes;
        let may = match self.fate {
            Fate::Orderly => !is_last || self.says_end() && !closes,
            Fate::Leaves => true,
            Fate::Stalls(Stall::Idle) => !is_last,
            Fate::Stalls(Stall::Send) | Fate::Chatters => false,
            Fate::Stalls(_) => !is_last,
        };
        if !may {
            return;
        }
        let begin = at
            .checked_sub(1)
            .map_or(0, |before| self.expected[before].end);
        let gone = self.expected.remove(at);
        let bytes = gone.end - begin;
        for later in &mut self.expected[at..] {
            later.end -= bytes;
        }
        let mut from = 0;
        for step in &mut self.plan.steps {
            match step {
                Step::Send(sent) => {
                    let (first, last) = (from, from + sent.len());
                    from = last;
                    let cut = |byte: usize| byte.clamp(first, last) - first;
                    sent.drain(cut(begin)..cut(gone.end));
                }
                // It waited for this answer too; those before came to less than this.
                Step::Await(count) if from >= begin => {
                    *count = count.saturating_sub(gone.answer_bytes);
                }
                _ => {}
            }
        }
        let empty = |step: &Step| matches!(step, Step::Send(bytes) if bytes.is_empty());
        self.plan.steps.retain(|step| !empty(step));
    }
}
