//! What a worker is given, what it hands back, and why it may not begin.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use super::check::Events;
use super::client::Tally;
use super::control::plain;
use super::plan::Plan;

/// What other threads may know of a worker's progress.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ledger {
    /// Written before the first byte is offered to a socket. Requests sent again count once.
    pub(crate) sent: Events,
    /// Answered with 200 or 201; may lag behind.
    pub(crate) answered: Events,
}

/// What a worker has to do, and what it shares with the others.
pub(crate) struct Job<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) pipeline: usize,
    /// Requests per second of this worker; None: as fast as answers come.
    pub(crate) pace: Option<f64>,
    pub(crate) timeout: Duration,
    /// The next request that nobody has taken.
    pub(crate) next: &'a AtomicU64,
    pub(crate) stop: &'a AtomicBool,
    /// All workers begin to send when all are connected.
    pub(crate) gate: &'a Barrier,
    pub(crate) ledger: &'a Mutex<Ledger>,
    /// Zero of the run's clock.
    pub(crate) clock: Instant,
}

/// What a worker has seen.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// When sending began, ns of the run's clock.
    pub(crate) begun_ns: u64,
    pub(crate) connects: u64,
    pub(crate) reconnects: u64,
    /// Requests sent again after an announced close.
    pub(crate) resent: u64,
    /// Requests that were never answered.
    pub(crate) lost: u64,
    /// Connections that ended in a fault.
    pub(crate) broken: u64,
    /// The first faults, in words.
    pub(crate) faults: Vec<String>,
}

/// Why a worker could not begin.
#[derive(Debug)]
pub(crate) enum SetupError {
    /// The process or the system has no descriptor left.
    Descriptors,
    Other(String),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Descriptors => f.write_str("no file descriptor is left"),
            SetupError::Other(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for SetupError {
    fn from(error: io::Error) -> SetupError {
        match out_of_descriptors(&error) {
            true => SetupError::Descriptors,
            false if error.kind() == io::ErrorKind::AddrNotAvailable => SetupError::Other(
                "no local port is left (too many connections closed lately)".to_owned(),
            ),
            false => SetupError::Other(plain(&error)),
        }
    }
}

/// EMFILE and ENFILE have no `ErrorKind`; their numbers are the same on every Unix.
pub(crate) fn out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
