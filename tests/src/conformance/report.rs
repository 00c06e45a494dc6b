//! Plays the whole corpus against a server, in the right order, and tells what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::judge::{Verdict, judge};
use super::lint::lint;
use super::response::Observation;
use super::socket::{Mode, Pace, answers, play, unix_seconds};
use super::vector::{Corpus, Run, Strength, Vector};
use super::vector_reader::ReadError;

/// How many cases wait for deadlines at the same time: they cost nothing but a connection.
const SLOW_JOBS: usize = 32;

/// Which vectors are played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these categories; all if there are none.
    pub categories: Vec<String>,
    /// Only ids that begin with one of these; all if there are none.
    pub ids: Vec<String>,
    /// The cases too that wait for deadlines.
    pub slow: bool,
    /// The cases too that reset and read the application's statistics.
    pub app: bool,
}

impl Filter {
    /// Plays every vector.
    pub fn everything() -> Self {
        Self {
            slow: true,
            app: true,
            ..Self::default()
        }
    }

    /// Whether the vector is played.
    pub fn takes(&self, vector: &Vector) -> bool {
        let category = self.categories.is_empty() || self.categories.contains(&vector.category);
        let id = self.ids.is_empty() || self.ids.iter().any(|id| vector.id.starts_with(id));
        let run = match vector.run {
            Run::Slow => self.slow,
            Run::App => self.app,
            Run::Parallel | Run::Alone => true,
        };
        category && id && run
    }
}

/// What one case came to in one mode.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// The vector's id.
    pub id: String,
    /// Its category.
    pub category: String,
    /// Its title.
    pub title: String,
    /// Its strength.
    pub strength: Strength,
    /// Its references, in one line.
    pub references: String,
    /// How it was played.
    pub mode: Mode,
    /// The verdict; for split cases, the worst of all places to cut.
    pub verdict: Verdict,
    /// Why it is no pass.
    pub why: String,
    /// What was seen, in short.
    pub got: String,
}

/// What a run over the corpus came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// One entry for each case and mode.
    pub results: Vec<CaseResult>,
    /// Findings about single responses, with the ids of the cases that showed them.
    pub lints: BTreeMap<String, Vec<String>>,
}

impl Report {
    /// How many cases came to this.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.results
            .iter()
            .filter(|result| result.verdict == verdict)
            .count()
    }

    /// The failed cases of MUST and SHOULD. (A failed MAY is worth a look, not a fault.)
    pub fn faults(&self) -> impl Iterator<Item = &CaseResult> {
        self.results
            .iter()
            .filter(|result| result.verdict == Verdict::Fail && result.strength != Strength::May)
    }

    /// Something was played, no MUST and no SHOULD failed, and every response was well-formed.
    pub fn is_clean(&self) -> bool {
        !self.results.is_empty() && self.faults().next().is_none() && self.lints.is_empty()
    }
}

impl fmt::Display for Report {
    /// Every case that did not pass, every finding, and the counts of each category.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut categories: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        for result in &self.results {
            let counts = categories.entry(&result.category).or_default();
            let place = match result.verdict {
                Verdict::Pass => 0,
                Verdict::Warn => 1,
                Verdict::Fail => 2,
            };
            counts[place] += 1;
            if result.verdict != Verdict::Pass {
                let CaseResult {
                    verdict,
                    strength,
                    id,
                    mode,
                    title,
                    ..
                } = result;
                writeln!(f, "{verdict:?} {strength:?} {id} {mode:?}: {title}")?;
                let CaseResult {
                    references,
                    why,
                    got,
                    ..
                } = result;
                writeln!(f, "     [{references}] {why} -> got: {got}")?;
            }
        }
        for (what, ids) in &self.lints {
            let some = ids
                .iter()
                .take(4)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            writeln!(f, "LINT {what}: in {} responses, such as {some}", ids.len())?;
        }
        writeln!(
            f,
            "{:<22} {:>5} {:>5} {:>5}",
            "category", "pass", "warn", "fail"
        )?;
        for (name, [pass, warn, fail]) in &categories {
            writeln!(f, "{name:<22} {pass:>5} {warn:>5} {fail:>5}")?;
        }
        let all = [Verdict::Pass, Verdict::Warn, Verdict::Fail].map(|verdict| self.count(verdict));
        write!(
            f,
            "{:<22} {:>5} {:>5} {:>5}",
            "total", all[0], all[1], all[2]
        )
    }
}

/// Plays the vectors of this repository against a running server.
///
/// The server must offer the routes that `tests/vectors/README.md` lists. `limit` is the time
/// within which a slow client has to be dropped (15 s are usual); it matters only where the
/// filter takes slow cases. Cases play beside each other first, then those that want to be
/// alone, in order, then the slow ones.
///
/// # Errors
/// The vectors cannot be read. A server that cannot be reached fails every case instead.
pub fn run_socket(
    addr: SocketAddr,
    filter: &Filter,
    modes: &[Mode],
    limit: Duration,
) -> Result<Report, ReadError> {
    let pace = Pace {
        slow_limit: limit,
        ..Pace::default()
    };
    Ok(run_socket_paced(
        addr,
        &Corpus::load()?,
        filter,
        modes,
        &pace,
    ))
}

/// As [`run_socket`], with a corpus and waits of the caller's.
pub fn run_socket_paced(
    addr: SocketAddr,
    corpus: &Corpus,
    filter: &Filter,
    modes: &[Mode],
    pace: &Pace,
) -> Report {
    let mut parallel = Vec::new();
    let mut alone = Vec::new();
    let mut slow = Vec::new();
    for vector in corpus.vectors.iter().filter(|vector| filter.takes(vector)) {
        for mode in modes.iter().copied().filter(|mode| mode.plays(vector)) {
            match vector.run {
                Run::Parallel => parallel.push((vector, mode)),
                Run::Alone | Run::App => alone.push((vector, mode)),
                Run::Slow => slow.push((vector, mode)),
            }
        }
    }
    let runner = Runner {
        addr,
        pace,
        lints: Mutex::default(),
    };
    let mut results = runner.all(&parallel, pace.jobs);
    if pace.again && pace.jobs > 1 {
        for (result, (vector, mode)) in results.iter_mut().zip(&parallel) {
            if result.verdict == Verdict::Fail {
                *result = runner.case(vector, *mode);
            }
        }
    }
    results.extend(runner.all(&alone, 1));
    results.extend(runner.all(&slow, SLOW_JOBS));
    let lints = runner
        .lints
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    Report { results, lints }
}

struct Runner<'r> {
    addr: SocketAddr,
    pace: &'r Pace,
    lints: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Runner<'_> {
    /// Plays the cases, so many at a time; results are in the order of the cases.
    fn all(&self, cases: &[(&Vector, Mode)], jobs: usize) -> Vec<CaseResult> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, cases.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some((vector, mode)) = cases.get(at) else {
                            return;
                        };
                        let result = self.case(vector, *mode);
                        done.lock()
                            .unwrap_or_else(|e| e.into_inner())
                            .push((at, result));
                    }
                });
            }
        });
        let mut done = done
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        done.sort_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    }

    /// Plays one case, twice if it fails, and asks whether the server lives.
    fn case(&self, vector: &Vector, mode: Mode) -> CaseResult {
        let twice = self.pace.again && vector.run != Run::Slow;
        let mut played = self.attempt(vector, mode);
        if twice && played.verdict == Verdict::Fail {
            played = self.attempt(vector, mode);
        }
        if !answers(self.addr, self.pace) {
            played.verdict = Verdict::Fail;
            played.why = format!(
                "the server does not answer /health afterwards; {}",
                played.why
            );
        }
        if mode == Mode::Whole {
            self.collect_lints(vector, &played.seen);
        }
        CaseResult {
            id: vector.id.clone(),
            category: vector.category.clone(),
            title: vector.title.clone(),
            strength: vector.strength,
            references: vector.references.join("; "),
            mode,
            verdict: played.verdict,
            why: played.why,
            got: played.seen.in_short(),
        }
    }

    fn attempt(&self, vector: &Vector, mode: Mode) -> Played {
        let cuts = match mode {
            Mode::Split => 1..vector.requests_as_bytes().len(),
            Mode::Whole | Mode::Bytes => 0..1,
        };
        let mut worst = Played::default();
        for cut in cuts {
            let seen = match play(self.addr, vector, mode, cut, self.pace) {
                Ok(seen) => seen,
                Err(error) => {
                    let why = format!("cannot connect: {error}");
                    return Played {
                        verdict: Verdict::Fail,
                        why,
                        seen: Observation::new(),
                    };
                }
            };
            let judgement = judge(vector, &seen, unix_seconds());
            if cut <= 1 || judgement.verdict > worst.verdict {
                let place = match (mode, judgement.verdict) {
                    (Mode::Split, Verdict::Warn | Verdict::Fail) => format!("cut at byte {cut}: "),
                    _ => String::new(),
                };
                let why = place + &judgement.why;
                worst = Played {
                    verdict: judgement.verdict,
                    why,
                    seen,
                };
            }
            if worst.verdict == Verdict::Fail {
                break;
            }
        }
        worst
    }

    fn collect_lints(&self, vector: &Vector, seen: &Observation) {
        let to_http_1_0 = vector.speaks_only_http_1_0();
        let found = seen
            .finals
            .iter()
            .flat_map(|response| lint(response, to_http_1_0));
        let mut lints = self
            .lints
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        for what in found {
            lints.entry(what).or_default().push(vector.id.clone());
        }
    }
}

struct Played {
    verdict: Verdict,
    why: String,
    seen: Observation,
}

impl Default for Played {
    fn default() -> Self {
        Self {
            verdict: Verdict::Pass,
            why: String::new(),
            seen: Observation::new(),
        }
    }
}
