//! Healthy clients: each asks, waits for its answer, rests, asks again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::swarm::{Manner, News, Swarm};

/// Clients that do nothing wrong, in one thread.
#[derive(Debug)]
pub struct Patrol {
    swarm: Swarm,
    request: Arc<[u8]>,
    rest: Duration,
    /// Who asks when, the next one first.
    next: VecDeque<(Instant, usize)>,
    /// Who waits for an answer, since when.
    waiting: Vec<Option<Instant>>,
}

/// What became of the requests of a patrol.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests answered 200.
    pub good: u64,
    /// Requests answered with anything else.
    pub bad: u64,
    /// Connections that the server has ended.
    pub closed: u64,
    /// How long it ran.
    pub took: Duration,
    /// What each answer took, in microseconds.
    latencies_us: Vec<u32>,
    /// The longest that anybody has waited, answered or not.
    pub slowest: Duration,
}

impl Report {
    /// Good answers per second.
    pub fn rate(&self) -> f64 {
        self.good as f64 / self.took.as_secs_f64()
    }

    /// What so many of a thousand answers took at most.
    pub fn permille(&self, of_thousand: usize) -> Duration {
        let mut all = self.latencies_us.clone();
        all.sort_unstable();
        let at = (all.len() * of_thousand / 1000).min(all.len().saturating_sub(1));
        Duration::from_micros(all.get(at).copied().unwrap_or(0).into())
    }

    /// Adds another report of the same patrol.
    pub fn add(&mut self, other: &Report) {
        self.good += other.good;
        self.bad += other.bad;
        self.closed += other.closed;
        self.took += other.took;
        self.latencies_us.extend(&other.latencies_us);
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Whether every request was answered 200.
    pub fn is_clean(&self) -> bool {
        self.good > 0 && self.bad == 0 && self.closed == 0
    }
}

impl Patrol {
    /// Connects `count` clients at `manner(number)`, each of which rests so long between an answer
    /// and its next request.
    ///
    /// # Panics
    /// If this side cannot open so many.
    pub fn new(
        server: SocketAddr,
        count: usize,
        rest: Duration,
        request: &[u8],
        manner: impl Fn(usize) -> Manner,
    ) -> Patrol {
        let mut swarm = Swarm::new(server);
        let now = Instant::now();
        let next = (0..count)
            .map(|at| {
                let peer = swarm.open(manner(at)).expect("a connection");
                // Not all at once, but spread over the rest.
                (now + rest.mul_f64(at as f64 / count as f64), peer)
            })
            .collect();
        Patrol {
            swarm,
            request: request.into(),
            rest,
            next,
            waiting: vec![None; count],
        }
    }

    /// Goes its rounds for so long, then waits for the answers that are still due (at most
    /// `patience`; an answer that has not come then counts as bad).
    pub fn run(&mut self, longest: Duration, patience: Duration) -> Report {
        let mut report = Report::default();
        let began = Instant::now();
        let end = began + longest;
        while Instant::now() < end {
            self.turn(end, true, &mut report);
        }
        report.took = began.elapsed();
        let end = Instant::now() + patience;
        while self.waiting.iter().any(Option::is_some) && Instant::now() < end {
            self.turn(end, false, &mut report);
        }
        for since in self.waiting.iter_mut().filter_map(Option::take) {
            report.bad += 1;
            report.slowest = report.slowest.max(since.elapsed());
        }
        report
    }

    fn turn(&mut self, end: Instant, asks: bool, report: &mut Report) {
        let mut until = end;
        while asks && let Some(&(when, peer)) = self.next.front() {
            if when > Instant::now() {
                until = until.min(when);
                break;
            }
            self.next.pop_front();
            self.waiting[peer] = Some(Instant::now());
            // Of one that is gone the news tell.
            let _ = self.swarm.send(peer, &self.request, 1);
        }
        let left = until.saturating_duration_since(Instant::now());
        for news in self.swarm.turn(left) {
            match news {
                News::Answer { peer, status, .. } => {
                    let took = self.waiting[peer].take().map(|since| since.elapsed());
                    let took = took.unwrap_or_default();
                    match status {
                        200 => report.good += 1,
                        _ => report.bad += 1,
                    }
                    report.slowest = report.slowest.max(took);
                    report.latencies_us.push(took.as_micros() as u32);
                    self.next.push_back((Instant::now() + self.rest, peer));
                }
                News::Closed { peer, .. } => {
                    self.waiting[peer] = None;
                    self.next.retain(|(_, other)| *other != peer);
                    report.closed += 1;
                }
            }
        }
    }
}
