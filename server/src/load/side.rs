//! What goes on beside the load: clients that never finish a request, and a reader of the
//! statistics. They block on threads of their own, so the load's event loop stays lean.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::check::{Events, Look, Stats, look_fits};
use super::control::{Control, connect};
use super::job::Ledger;
use super::plan::{Plan, Target};

/// Pause between two aborted connections: at most 500 a second, so that local ports last.
const ABORT_EVERY: Duration = Duration::from_millis(2);
/// A thread that rests looks this often whether the run is over.
const NAP: Duration = Duration::from_millis(20);
/// Contradictions told in words; the rest is counted, for a torn server has thousands.
const TOLD_MAX: usize = 5;

/// What the reader of the statistics has seen.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    pub(crate) looks: u64,
    pub(crate) contradictions: u64,
    /// The first contradictions, in words.
    pub(crate) told: Vec<String>,
}

/// Reads the statistics every `every` until `done`, and holds every answer against the model.
pub(crate) fn poll_stats(
    target: &Target,
    plan: &Plan,
    base: &Stats,
    ledgers: &[Mutex<Ledger>],
    every: Duration,
    timeout: Duration,
    done: &AtomicBool,
) -> Polled {
    let mut control = Control::new(target, timeout);
    let (mut polled, mut before) = (Polled::default(), None);
    let all = |pick: fn(&Ledger) -> Events| {
        let mut sum = Events::default();
        for ledger in ledgers {
            sum.add(pick(&ledger.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        sum
    };
    while !done.load(Ordering::SeqCst) {
        let answered = all(|ledger| ledger.answered);
        let looked = match control.ask("GET", "/stats") {
            Ok((200, body)) => Stats::parse(&body).and_then(|stats| {
                let look = Look {
                    answered,
                    sent: all(|ledger| ledger.sent),
                    stats,
                };
                let fits = look_fits(&look, before.as_ref(), base, plan);
                before = Some(stats);
                fits
            }),
            Ok((status, _)) => Err(format!("GET /stats while running: answered {status}")),
            Err(error) => Err(format!("GET /stats while running: {error}")),
        };
        polled.looks += 1;
        if let Err(what) = looked {
            polled.contradictions += 1;
            if polled.told.len() < TOLD_MAX {
                polled.told.push(what);
            }
        }
        rest(every, done);
    }
    polled
}

fn rest(pause: Duration, done: &AtomicBool) {
    let until = Instant::now() + pause;
    while !done.load(Ordering::SeqCst) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(NAP));
    }
}

/// Keeps `clients` connections that send a random beginning of a valid event, never the whole, and then go away: every
/// other one by a reset. Gives the number of connections that were cut off.
///
/// std cannot ask for a reset; but closing a socket with unread bytes makes one, so those ask for `/health` first and
/// never read the answer.
pub(crate) fn abort_requests(
    target: &Target,
    plan: &Plan,
    clients: usize,
    timeout: Duration,
    done: &AtomicBool,
) -> u64 {
    let health = format!(
        "GET {}/health HTTP/1.1\r\nHost: {}\r\n\r\n",
        target.base, target.authority
    );
    let mut held: Vec<Option<TcpStream>> = (0..clients).map(|_| None).collect();
    let (mut aborted, mut random, mut bytes) = (0, Random(0x9E37_79B9_7F4A_7C15), Vec::new());
    while !done.load(Ordering::SeqCst) {
        for slot in &mut held {
            if done.load(Ordering::SeqCst) {
                break;
            }
            aborted += u64::from(slot.take().is_some());
            if let Ok(mut stream) = connect(target, timeout) {
                bytes.clear();
                if random.below(2) == 0 {
                    bytes.extend_from_slice(health.as_bytes());
                }
                let begin = bytes.len();
                plan.render(random.below(plan.requests), &mut bytes);
                let whole = (bytes.len() - begin) as u64;
                bytes.truncate(begin + random.below(whole) as usize);
                // The server may have gone, or refuse: nobody waits for an answer here.
                let _ = stream.write_all(&bytes);
                *slot = Some(stream);
            }
            rest(ABORT_EVERY, done);
        }
    }
    aborted + held.iter().flatten().count() as u64
}

/// xorshift64*: the same cuts in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % end.max(1)
    }
}
