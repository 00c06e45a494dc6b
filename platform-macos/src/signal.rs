//! The signals that end the server, waited for instead of handled: no code of ours ever runs
//! inside a signal handler.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::event::{Filter, Flags, Record};
use crate::queue::Queue;

/// Who asked the server to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: a person at the terminal.
    Interrupt,
    /// SIGTERM: a service manager.
    Terminate,
}

/// How many signals of each kind are remembered until somebody asks: the second one ends
/// everything, so more are not needed.
const TOLD_MAX: u32 = 16;

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
        let set = set_of(&[libc::SIGTERM, libc::SIGINT]);
        // SAFETY: `set` is an initialised set and lives through the call; the old mask is not
        // asked for.
        let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
        if failed != 0 {
            return Err(io::Error::from_raw_os_error(failed));
        }
        // Rust's start-up code does it for programs whose `main` is Rust's; not for others.
        // SAFETY: SIG_IGN is a valid disposition for SIGPIPE and runs no code.
        let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        if before == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
        for signal in [libc::SIGTERM, libc::SIGINT] {
            let change = Record::change(signal as usize, Filter::Signal, Flags::ADD, 0);
            queue.exchange(&[change], &mut [], Some(Duration::ZERO))?;
        }
        // One that was sent between the block and the watch is pending, and is not told.
        let mut told = Told::default();
        for signal in [libc::SIGTERM, libc::SIGINT] {
            told.note(signal, i64::from(discard(signal)));
        }
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
                for record in records.iter().take(count) {
                    if record.filter == Filter::Signal {
                        let signal = record.ident as libc::c_int;
                        told.note(signal, record.data);
                        discard(signal);
                    }
                }
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

/// A set of these signals.
fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is room for one set, which the call fills in full.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the call above cannot fail and has initialised it.
    let mut set = unsafe { set.assume_init() };
    for &signal in signals {
        // SAFETY: `set` is initialised; an unknown number would only be refused.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
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

    /// Sends `signal` to the calling thread alone: the harness's other threads do not block it.
    fn raise(signal: libc::c_int) {
        // SAFETY: takes no arguments, cannot fail.
        let me = unsafe { libc::pthread_self() };
        // SAFETY: the calling thread is alive, and so its handle is valid.
        assert_eq!(unsafe { libc::pthread_kill(me, signal) }, 0);
    }

    /// In a thread of its own, as the mask of the thread is changed.
    fn blocked(
        answers: Vec<Result<Vec<Record>, Errno>>,
        run: impl FnOnce(&Signals<Answers>) + Send + 'static,
    ) {
        let queue = Answers {
            answers: Mutex::new(answers.into()),
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
            let set = set_of(&[libc::SIGTERM]);
            // SAFETY: the set is initialised; the old mask is not asked for.
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
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
