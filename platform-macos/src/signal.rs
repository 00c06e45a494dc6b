//! The signals that end the server, waited for instead of handled: no code of ours ever runs
//! inside a signal handler.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::event::{Filter, Flags, Record};
use crate::queue::Queue;
pub use crate::unix::mask::Signal;
use crate::unix::mask::{self, set_of};

/// How many signals of each kind are remembered until somebody asks: the second one ends
/// everything, so more are not needed.
const TOLD_MAX: u32 = 16;

/// Tries of the first look, which signals may interrupt. It never waits, so one is usual.
const TRIES_MAX: u32 = 8;

/// What is watched.
const BOTH: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// SIGTERM and SIGINT, blocked so that they end nothing, and watched by `EVFILT_SIGNAL`: there is
/// no `sigtimedwait` here. The filter records each attempt to send one, blocked or not.
pub struct Signals<Q> {
    queue: Q,
    told: Mutex<Told>,
}

/// What was sent and nobody has asked for yet.
#[derive(Debug, Default)]
struct Told {
    interrupts: u32,
    terminations: u32,
}

impl Told {
    fn note(&mut self, signal: libc::c_int, times: i64) {
        let count = match signal {
            libc::SIGINT => &mut self.interrupts,
            libc::SIGTERM => &mut self.terminations,
            _ => return,
        };
        let times = u32::try_from(times).unwrap_or(TOLD_MAX);
        *count = count.saturating_add(times).min(TOLD_MAX);
    }

    /// What the filters have told, which is pending no more then.
    fn note_all(&mut self, records: &[Record]) {
        for record in records {
            if record.filter == Filter::Signal {
                let signal = record.ident as libc::c_int;
                self.note(signal, record.data);
                discard(signal);
            }
        }
    }

    fn take(&mut self) -> Option<Signal> {
        let (count, signal) = match (self.terminations, self.interrupts) {
            (1.., _) => (&mut self.terminations, Signal::Terminate),
            (_, 1..) => (&mut self.interrupts, Signal::Interrupt),
            _ => return None,
        };
        *count -= 1;
        Some(signal)
    }
}

impl<Q: Queue> Signals<Q> {
    /// As `block`, over any queue.
    ///
    /// # Errors
    /// If the queue refuses the filters.
    pub fn block_with(queue: Q) -> io::Result<Signals<Q>> {
        mask::block()?;
        for signal in BOTH {
            let change = Record::change(signal as usize, Filter::Signal, Flags::ADD, 0);
            queue.exchange(&[change], &mut [], Some(Duration::ZERO))?;
        }
        // One that was sent between the block and the watch is pending, and is not told. One that
        // came behind the watch is pending and is told as well, and must not count for two: the
        // second ends everything. So whatever is told by now is taken, and the greater number
        // counts.
        let pending = BOTH.map(discard);
        let mut seen = Told::default();
        let mut records = [Record::EMPTY; 2];
        for _ in 0..TRIES_MAX {
            match queue.exchange(&[], &mut records, Some(Duration::ZERO)) {
                Ok(count) => {
                    seen.note_all(&records[..count.min(2)]);
                    break;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let [terminate, interrupt] = pending.map(u32::from);
        let told = Told {
            terminations: seen.terminations.max(terminate),
            interrupts: seen.interrupts.max(interrupt),
        };
        Ok(Signals {
            queue,
            told: Mutex::new(told),
        })
    }

    /// Waits for the next of the two signals. A second call waits for a second signal: a person
    /// who does not want to wait for a graceful end.
    pub fn wait(&self) -> Signal {
        loop {
            if let Some(signal) = self.take(None) {
                return signal;
            }
        }
    }

    /// Waits for the next of the two signals, at most `timeout`.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Signal> {
        let started = Instant::now();
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            if let Some(signal) = self.take(Some(left)) {
                return Some(signal);
            }
            if left.is_zero() {
                return None;
            }
        }
    }

    /// One wait; `None` if the time is over or another signal's handler interrupted it.
    fn take(&self, timeout: Option<Duration>) -> Option<Signal> {
        if let Some(signal) = self.told().take() {
            return Some(signal);
        }
        // Systems refuse times that are too long for them.
        let timeout = timeout.map(|timeout| timeout.min(Duration::from_secs(86_400)));
        let mut records = [Record::EMPTY; 2];
        match self.queue.exchange(&[], &mut records, timeout) {
            Ok(count) => {
                let mut told = self.told();
                told.note_all(&records[..count.min(2)]);
                told.take()
            }
            Err(Errno::INTR) => None,
            // Nothing else can be, and it must not spin.
            Err(_) => {
                std::thread::sleep(Duration::from_millis(50));
                None
            }
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(|error| error.into_inner())
    }
}

impl<Q> std::fmt::Debug for Signals<Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signals(SIGTERM, SIGINT)")
    }
}

/// Takes back a signal that is pending, as it is blocked: it was told, and nobody shall take it for
/// a new one. Says whether it was. (Only who holds the lock of `told` comes here, or nobody else
/// knows the queue yet; so it is still pending when it is waited for.)
fn discard(signal: libc::c_int) -> bool {
    let mut pending = set_of(&[]);
    // SAFETY: the set is initialised; the call overwrites it.
    unsafe { libc::sigpending(&mut pending) };
    // SAFETY: the set is initialised, and the number is a signal's.
    if unsafe { libc::sigismember(&pending, signal) } != 1 {
        return false;
    }
    let mut number = 0;
    // SAFETY: the set is initialised, and the number lives through the call.
    unsafe { libc::sigwait(&set_of(&[signal]), &mut number) };
    number == signal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unix::mask::raise;
    use std::collections::VecDeque;

    /// Answers what it is told to, and notes what was asked.
    #[derive(Default)]
    struct Answers {
        answers: Mutex<VecDeque<Result<Vec<Record>, Errno>>>,
        changes: Mutex<Vec<Record>>,
    }

    impl Queue for Answers {
        fn exchange(
            &self,
            changes: &[Record],
            events: &mut [Record],
            _: Option<Duration>,
        ) -> Result<usize, Errno> {
            self.changes.lock().unwrap().extend_from_slice(changes);
            if events.is_empty() {
                return Ok(0);
            }
            let answer = self.answers.lock().unwrap().pop_front();
            let records = answer.unwrap_or(Ok(Vec::new()))?;
            events[..records.len()].copy_from_slice(&records);
            Ok(records.len())
        }
    }

    fn sent(signal: libc::c_int, times: i64) -> Record {
        Record {
            data: times,
            ..Record::change(signal as usize, Filter::Signal, Flags::CLEAR, 0)
        }
    }

    /// In a thread of its own, as the mask of the thread is changed.
    fn blocked(
        answers: Vec<Result<Vec<Record>, Errno>>,
        run: impl FnOnce(&Signals<Answers>) + Send + 'static,
    ) {
        // At first nothing is told.
        let answers = [Ok(Vec::new())].into_iter().chain(answers).collect();
        let queue = Answers {
            answers: Mutex::new(answers),
            ..Answers::default()
        };
        let work = move || run(&Signals::block_with(queue).unwrap());
        std::thread::spawn(work).join().unwrap();
    }

    #[test]
    fn both_signals_are_watched() {
        blocked(Vec::new(), |signals| {
            let changes = signals.queue.changes.lock().unwrap();
            let watched: Vec<_> = changes.iter().map(|one| (one.ident, one.filter)).collect();
            let both = [libc::SIGTERM, libc::SIGINT].map(|one| (one as usize, Filter::Signal));
            assert_eq!(watched, both);
            assert!(changes.iter().all(|one| one.flags.has(Flags::ADD)));
        });
    }

    #[test]
    fn signals_are_told_as_often_as_they_were_sent() {
        let answers = vec![
            Ok(vec![sent(libc::SIGINT, 2)]),
            Err(Errno::INTR),
            Ok(vec![sent(libc::SIGINT, 1), sent(libc::SIGTERM, 1)]),
        ];
        blocked(answers, |signals| {
            let none = Duration::ZERO;
            assert_eq!(signals.wait(), Signal::Interrupt);
            assert_eq!(signals.wait(), Signal::Interrupt);
            assert_eq!(signals.wait_timeout(none), None, "interrupted");
            assert_eq!(signals.wait(), Signal::Terminate);
            assert_eq!(signals.wait_timeout(none), Some(Signal::Interrupt));
            assert_eq!(signals.wait_timeout(none), None);
        });
    }

    #[test]
    fn one_that_came_before_the_watch_is_told_once() {
        let run = || {
            mask::block().unwrap();
            raise(libc::SIGTERM);
            let signals = Signals::block_with(Answers::default()).unwrap();
            let none = Duration::ZERO;
            assert_eq!(signals.wait_timeout(none), Some(Signal::Terminate));
            assert_eq!(signals.wait_timeout(none), None);
            let again = Signals::block_with(Answers::default()).unwrap();
            assert_eq!(again.wait_timeout(none), None, "it was taken back");
        };
        std::thread::spawn(run).join().unwrap();
    }

    #[test]
    fn one_that_comes_while_the_watch_is_set_up_is_told_once() {
        let run = || {
            mask::block().unwrap();
            // Behind the watch: it is pending, and the filter tells it, perhaps after a while.
            raise(libc::SIGTERM);
            let told = Ok(vec![sent(libc::SIGTERM, 1)]);
            let answers = [Err(Errno::INTR), told, Ok(Vec::new())];
            let queue = Answers {
                answers: Mutex::new(answers.into_iter().collect()),
                ..Answers::default()
            };
            let signals = Signals::block_with(queue).unwrap();
            let none = Duration::ZERO;
            assert_eq!(signals.wait_timeout(none), Some(Signal::Terminate));
            assert_eq!(signals.wait_timeout(none), None);
        };
        std::thread::spawn(run).join().unwrap();
    }

    #[test]
    fn one_that_was_told_is_not_told_to_the_next_watch() {
        let answers = vec![Ok(vec![sent(libc::SIGTERM, 1)])];
        blocked(answers, |signals| {
            raise(libc::SIGTERM);
            assert_eq!(signals.wait(), Signal::Terminate);
            let again = Signals::block_with(Answers::default()).unwrap();
            assert_eq!(again.wait_timeout(Duration::ZERO), None);
        });
    }

    #[cfg(any(target_os = "macos", target_os = "freebsd"))]
    #[test]
    fn a_blocked_signal_waits_until_it_is_asked_for() {
        let run = || {
            let signals = Signals::block().unwrap();
            assert_eq!(signals.wait_timeout(Duration::ZERO), None);
            raise(libc::SIGTERM);
            assert_eq!(signals.wait(), Signal::Terminate);
            raise(libc::SIGINT);
            assert_eq!(signals.wait_timeout(Duration::MAX), Some(Signal::Interrupt));
            let started = Instant::now();
            assert_eq!(signals.wait_timeout(Duration::from_millis(20)), None);
            assert!(started.elapsed() >= Duration::from_millis(20));
        };
        std::thread::spawn(run).join().unwrap();
    }
}
