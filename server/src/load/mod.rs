//! The load client: plays the reference client of the 1 Million Request Challenge, checks every answer, then the
//! statistics, exactly. It works against any server of the challenge.
//!
//! `plan` says what is sent, `worker` sends it (an event loop over `client`s, which read with `answer`), `side` does what
//! goes on beside it, `check` (with `decimal`) judges the statistics, `report` (with `histogram`) tells.

mod answer;
mod check;
mod client;
mod control;
mod decimal;
mod descriptors;
mod histogram;
mod idle;
mod job;
mod plan;
mod report;
mod side;
mod worker;

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use descriptors::open_descriptors;
pub use idle::{Growth, IdleReport};
pub use plan::Values;
pub use report::{Latency, LoadReport};

use check::{Stats, final_differences};
use client::Tally;
use control::{Control, ControlError, connect};
use idle::Idle;
use job::{Job, Ledger, Outcome, SetupError, out_of_descriptors};
use plan::{Plan, Target};
use report::Progress;
use side::Polled;

/// Requests on their way per connection: beyond, a batch no longer fits the buffers of either side.
const PIPELINE_MAX: u32 = 4096;
/// Descriptors beside the connections: standard streams, the event loops', one for questions, some in reserve.
const DESCRIPTORS_BESIDE: u64 = 16;

/// What to send, how, and what goes on meanwhile. The default is the challenge.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// `http://host:port`, with a path in front of the routes if wanted.
    pub url: String,
    /// Events to send. 0: none, and nothing is asked of the server: there are idle connections.
    pub requests: u64,
    /// Connections that carry them, all opened before the first event; at least 1.
    pub connections: u32,
    /// Requests on their way per connection, 1 to 4096.
    pub pipeline: u32,
    /// Distinct users, at least 1: request `i` is from `user_{i mod ids}`.
    pub ids: u64,
    /// The values sent.
    pub values: Values,
    /// Threads that send, each with its share of the connections; at least 1.
    pub threads: u32,
    /// Requests per second in all; `None`: as fast as answers come.
    pub pace: Option<u64>,
    /// Milliseconds between two looks at `/stats` during the run, each held against a model; `None`: no looks.
    pub poll_stats_ms: Option<u64>,
    /// Extra connections that all the while send a part of an event and go away. None of them may be counted.
    pub abort: u32,
    /// Extra connections that are held open and do nothing, as long as events are sent. To a server
    /// at a loopback address they come from many addresses, so that ports do not run out.
    pub idle: u32,
    /// Seconds that they are held if no events are sent.
    pub hold_s: u32,
    /// The server's process, if it is one of this machine: then its memory is looked at.
    pub server_pid: Option<u32>,
    /// Milliseconds until a missing answer is a failure; at least 1.
    pub timeout_ms: u64,
    /// One line of JSON in place of the text.
    pub json: bool,
    /// Show the progress once a second when standard error is a terminal.
    pub progress: bool,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            url: "http://127.0.0.1:8080".to_owned(),
            requests: 1_000_000,
            connections: 1_000,
            pipeline: 1,
            ids: 75_000,
            values: Values::Half,
            threads: 1,
            pace: None,
            poll_stats_ms: None,
            abort: 0,
            idle: 0,
            hold_s: 5,
            server_pid: None,
            timeout_ms: 30_000,
            json: false,
            progress: true,
        }
    }
}

impl LoadOptions {
    fn validate(&self) -> Result<(), LoadError> {
        let wrong = [
            (
                self.requests == 0 && self.idle == 0,
                "--requests must be at least 1, or --idle",
            ),
            (
                self.requests == 0 && (self.abort > 0 || self.poll_stats_ms.is_some()),
                "--abort and --poll-stats go with --requests",
            ),
            (
                self.server_pid.is_some() && self.idle == 0,
                "--server-pid goes with --idle",
            ),
            (self.connections == 0, "--connections must be at least 1"),
            (self.ids == 0, "--ids must be at least 1"),
            (self.threads == 0, "--threads must be at least 1"),
            (
                self.threads > self.connections,
                "--threads must not exceed --connections",
            ),
            (
                self.pipeline == 0 || self.pipeline > PIPELINE_MAX,
                "--pipeline must be 1 to 4096",
            ),
            (self.pace == Some(0), "--pace must be at least 1"),
            (self.timeout_ms == 0, "--timeout-ms must be at least 1"),
            // Sums of halves below 2^64, with room.
            (self.requests > 1 << 50, "--requests must be at most 2^50"),
        ];
        match wrong.iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, what)) => Err(LoadError::Usage((*what).to_owned())),
            None => Ok(()),
        }
    }

    /// Descriptors that a run needs at most.
    fn descriptors(&self) -> u64 {
        let connections = [self.connections, self.abort, self.idle].map(u64::from);
        connections.iter().sum::<u64>() + 3 * u64::from(self.threads) + DESCRIPTORS_BESIDE
    }
}

/// Why a run is no success. Displays as one line.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// An option makes no sense.
    Usage(String),
    /// The server is not there, or is none of the challenge's.
    Unreachable(String),
    /// The process may not open as many files as the run needs.
    Descriptors {
        /// How many it needs.
        needed: u64,
    },
    /// The report could not be written.
    Output(io::Error),
    /// The run is over and something was wrong. The report has been written and lists all of it.
    Failed(Box<LoadReport>),
}

impl LoadError {
    /// What the process should exit with: 1 when the server failed a check, 2 when there was nothing to check.
    pub fn exit_code(&self) -> u8 {
        match self {
            LoadError::Failed(_) => 1,
            _ => 2,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Usage(what) | LoadError::Unreachable(what) => f.write_str(what),
            LoadError::Descriptors { needed } => write!(
                f,
                "too few file descriptors: this run needs {needed}; allow more (ulimit -n {needed}) or open fewer connections"
            ),
            LoadError::Output(error) => write!(f, "cannot write the report: {error}"),
            LoadError::Failed(report) => {
                let first = report
                    .failures
                    .first()
                    .map_or("unknown", |line| line.as_str());
                match report.failures.len() {
                    0 | 1 => write!(f, "the check failed: {first}"),
                    n => write!(f, "{n} checks failed; first: {first}"),
                }
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// Sends the load, checks everything, and writes the report to `out`. Blocks until it is over; every wait is bounded by
/// `timeout_ms`.
///
/// # Errors
///
/// [`LoadError::Failed`] after a run that showed anything wrong; the others when there was no run.
pub fn run(options: &LoadOptions, out: &mut dyn Write) -> Result<LoadReport, LoadError> {
    options.validate()?;
    let timeout = Duration::from_millis(options.timeout_ms);
    let mut target = Target::parse(&options.url).map_err(LoadError::Usage)?;
    // Of several addresses (localhost has two), the one that answers is the one to load.
    let probe = connect(&target, timeout)
        .map_err(|error| unreachable(options, ControlError::Connect(error)))?;
    target.addresses = probe.peer_addr().into_iter().collect();
    drop(probe);
    if let (0, Some(&address)) = (options.requests, target.addresses.first()) {
        return rest(options, address, out);
    }
    let plan = Plan::new(&target, options.requests, options.ids, options.values);
    let mut control = Control::new(&target, timeout);
    let (base, reset) = match begin(options, &mut control) {
        Err(LoadError::Failed(report)) => return conclude(options, *report, out),
        begun => begun?,
    };

    let mut report = send(options, &target, &plan, &base)?;

    report.reset = reset;
    match read_stats(&mut control) {
        Ok(stats) => {
            report
                .failures
                .extend(final_differences(&stats, &base, &plan));
            report.stats = Some((
                stats.total,
                stats.users,
                stats.sum.to_string(),
                stats.avg.to_string(),
            ));
        }
        Err(what) => report.failures.push(what),
    }
    conclude(options, report, out)
}

/// Opens idle connections, holds them, closes them.
fn rest(
    options: &LoadOptions,
    address: SocketAddr,
    out: &mut dyn Write,
) -> Result<LoadReport, LoadError> {
    let idle = Idle::open(address, options)?;
    idle.hold(Duration::from_secs(options.hold_s.into()));
    let mut report = LoadReport::default();
    report.rested(idle.close());
    conclude(options, report, out)
}

/// Writes the report and judges it.
fn conclude(
    options: &LoadOptions,
    report: LoadReport,
    out: &mut dyn Write,
) -> Result<LoadReport, LoadError> {
    let text = if options.json {
        report.json(options)
    } else {
        report.text(options)
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader that has seen enough changes nothing about the verdict.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(LoadError::Output(error));
        }
        _ => {}
    }
    match report.passed() {
        true => Ok(report),
        false => Err(LoadError::Failed(Box::new(report))),
    }
}

fn unreachable(options: &LoadOptions, error: ControlError) -> LoadError {
    match &error {
        ControlError::Connect(cause) if out_of_descriptors(cause) => LoadError::Descriptors {
            needed: options.descriptors(),
        },
        ControlError::Connect(cause) => {
            let cause = control::plain(cause);
            LoadError::Unreachable(format!(
                "cannot reach {}: {cause}; is the server running?",
                options.url
            ))
        }
        other => LoadError::Unreachable(format!("{}: {other}", options.url)),
    }
}

/// Asks for health, resets, and reads the numbers from which the run starts. The flag: they were reset.
fn begin(options: &LoadOptions, control: &mut Control<'_>) -> Result<(Stats, bool), LoadError> {
    let mut ask = |method: &str, path: &str| {
        let (status, _) = control
            .ask(method, path)
            .map_err(|error| unreachable(options, error))?;
        Ok(status)
    };
    let status = ask("GET", "/health")?;
    if status != 200 {
        return Err(LoadError::Unreachable(format!(
            "{}/health answered {status}, expected 200",
            options.url
        )));
    }
    let reset = match ask("POST", "/reset")? {
        200..=299 => true,
        404 | 405 => false,
        status => {
            let what = format!("POST {}/reset answered {status}", options.url);
            return Err(LoadError::Unreachable(what));
        }
    };
    let base = read_stats(control).map_err(LoadError::Unreachable)?;
    if reset && !base.is_zero() {
        let what = format!(
            "after POST /reset, /stats is not zero (totalRequests {}, uniqueUsers {}, sum {}, avg {}); is another client at work?",
            base.total, base.users, base.sum, base.avg
        );
        let failures = vec![what];
        return Err(LoadError::Failed(Box::new(LoadReport {
            reset,
            failures,
            ..LoadReport::default()
        })));
    }
    Ok((base, reset))
}

fn read_stats(control: &mut Control<'_>) -> Result<Stats, String> {
    match control.ask("GET", "/stats") {
        Ok((200, body)) => Stats::parse(&body),
        Ok((status, _)) => Err(format!("GET /stats answered {status}")),
        Err(error) => Err(format!("GET /stats: {error}")),
    }
}

/// Runs the workers and what goes on beside them.
fn send(
    options: &LoadOptions,
    target: &Target,
    plan: &Plan,
    base: &Stats,
) -> Result<LoadReport, LoadError> {
    let Some(&address) = target.addresses.first() else {
        return Err(LoadError::Unreachable(format!(
            "{}: no address",
            options.url
        )));
    };
    let timeout = Duration::from_millis(options.timeout_ms);
    let idle = (options.idle > 0)
        .then(|| Idle::open(address, options))
        .transpose()?;
    let threads = options.threads as usize;
    let ledgers: Vec<Mutex<Ledger>> = (0..threads).map(|_| Mutex::default()).collect();
    let (next, stop, done) = (
        AtomicU64::new(0),
        AtomicBool::new(false),
        AtomicBool::new(false),
    );
    let (gate, clock) = (Barrier::new(threads), Instant::now());

    let (outcomes, polled, aborted) = thread::scope(|scope| {
        let (running, over) = channel::<()>();
        let workers: Vec<_> = (0..threads)
            .map(|t| {
                let connections = options.connections as usize;
                let job = Job {
                    plan,
                    address,
                    // The first ones take what does not divide.
                    connections: connections / threads + usize::from(t < connections % threads),
                    pipeline: options.pipeline as usize,
                    pace: options.pace.map(|pace| pace as f64 / threads as f64),
                    timeout,
                    next: &next,
                    stop: &stop,
                    gate: &gate,
                    ledger: &ledgers[t],
                    clock,
                };
                let running = running.clone();
                scope.spawn(move || {
                    let _running = running; // dropped at the end: that is the message
                    worker::work(&job)
                })
            })
            .collect();
        drop(running);
        let (done, ledgers) = (&done, &ledgers);
        let poller = options.poll_stats_ms.map(|every_ms| {
            let every = Duration::from_millis(every_ms);
            scope.spawn(move || side::poll_stats(target, plan, base, ledgers, every, timeout, done))
        });
        let aborter = (options.abort > 0).then(|| {
            scope
                .spawn(|| side::abort_requests(target, plan, options.abort as usize, timeout, done))
        });
        show_progress(options, ledgers, &over);
        let outcomes: Vec<_> = workers.into_iter().map(join).collect();
        done.store(true, Ordering::SeqCst);
        (
            outcomes,
            poller.map(join).unwrap_or_default(),
            aborter.map_or(0, join),
        )
    });
    let idle = idle.map(Idle::close);

    let outcomes: Result<Vec<Outcome>, SetupError> = outcomes.into_iter().collect();
    let outcomes = outcomes.map_err(|error| match error {
        SetupError::Descriptors => LoadError::Descriptors {
            needed: options.descriptors(),
        },
        SetupError::Other(what) => LoadError::Unreachable(format!(
            "{}: cannot open {} connections: {what}",
            options.url, options.connections
        )),
    })?;
    let mut report = summed(outcomes, polled, aborted);
    if let Some(idle) = idle {
        report.rested(idle);
    }
    Ok(report)
}

/// A panic of a thread goes on in ours.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn show_progress(
    options: &LoadOptions,
    ledgers: &[Mutex<Ledger>],
    over: &std::sync::mpsc::Receiver<()>,
) {
    let mut progress = Progress::new(options.progress, options.requests);
    let mut last = Instant::now();
    while over.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        let answered = |ledger: &Mutex<Ledger>| {
            ledger
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .answered
                .count
        };
        progress.show(ledgers.iter().map(answered).sum(), last.elapsed());
        last = Instant::now();
    }
    progress.end();
}

fn summed(outcomes: Vec<Outcome>, polled: Polled, aborted: u64) -> LoadReport {
    let mut all = Tally::new();
    let mut report = LoadReport {
        aborted,
        looks: polled.looks,
        ..LoadReport::default()
    };
    let (mut begun_ns, mut faults) = (u64::MAX, Vec::new());
    for outcome in outcomes {
        let tally = outcome.tally;
        all.ok.add(tally.ok);
        all.refused += tally.refused;
        all.latency.merge(&tally.latency);
        all.last_ns = all.last_ns.max(tally.last_ns);
        for (sum, count) in all.by_status.iter_mut().zip(&tally.by_status) {
            *sum += count;
        }
        begun_ns = begun_ns.min(outcome.begun_ns);
        report.connects += outcome.connects;
        report.reconnects += outcome.reconnects;
        report.resent += outcome.resent;
        report.lost += outcome.lost;
        report.broken += outcome.broken;
        faults.extend(outcome.faults);
    }
    report.ok = all.ok.count;
    report.refused = all.refused;
    report.elapsed = Duration::from_nanos(all.last_ns.saturating_sub(begun_ns));
    report.latency = Latency::of(&all.latency);
    let by_status = (0u16..)
        .zip(&all.by_status)
        .filter(|(_, count)| **count > 0);
    report.by_status = by_status.map(|(status, count)| (status, *count)).collect();
    if report.refused > 0 {
        let bad = report
            .by_status
            .iter()
            .filter(|(status, _)| !matches!(status, 200 | 201));
        let bad: Vec<String> = bad
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        report.failures.push(format!(
            "{} requests were not answered 200 or 201 ({})",
            report.refused,
            bad.join(", ")
        ));
    }
    report.failures.extend(faults);
    if report.lost > 0 {
        report
            .failures
            .push(format!("{} requests got no answer", report.lost));
    }
    report.failures.extend(polled.told);
    report
}

#[cfg(test)]
mod tests;
