//! Threads that are stopped at any instruction, as by a scheduler that forgets them: what is said
//! to wait for nobody goes on without them.
//!
//! A signal stops its thread: the handler reads from a pipe until somebody writes there. A lock is
//! run through the same, to show that waiting would be seen.
#![cfg(target_os = "linux")]

use std::hint::black_box;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use barewire_core::stats::{
    Amount, Capacity, Key, Outcome, Recorder, Shard, Snapshot, Stats, Ticket,
};

/// Who waits so long waits for the thread that is stopped.
const PATIENCE: Duration = Duration::from_secs(20);
/// Times that a thread is stopped in a test. On two busy processors each costs up to half a second.
const STOPS: u64 = 10;

/// The pipe's end that a stopped thread reads from, and how many are stopped.
static GATE: AtomicI32 = AtomicI32::new(-1);
static STOPPED: AtomicU64 = AtomicU64::new(0);

extern "C" fn stop_here(_: libc::c_int) {
    STOPPED.fetch_add(1, SeqCst);
    let mut byte = 0_u8;
    // SAFETY: reads one byte into a place on this stack; `read` may be called by a handler.
    while unsafe { libc::read(GATE.load(SeqCst), (&raw mut byte).cast(), 1) } != 1 {}
    STOPPED.fetch_sub(1, SeqCst);
}

/// The means to stop a thread; one test at a time has them.
struct Gate {
    _alone: MutexGuard<'static, ()>,
    /// Open as long as somebody may be stopped at it.
    _reader: std::io::PipeReader,
    writer: std::io::PipeWriter,
}

impl Gate {
    fn new() -> Gate {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(|failed| failed.into_inner());
        let (reader, writer) = std::io::pipe().unwrap();
        GATE.store(reader.as_raw_fd(), SeqCst);
        // SAFETY: all zeros is a valid action: no flags, nothing blocked, a handler set next.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = stop_here as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the action lives through the call, and its handler calls only what a handler may.
        let set = unsafe { libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()) };
        assert_eq!(set, 0);
        Gate {
            _alone: alone,
            _reader: reader,
            writer,
        }
    }

    /// Stops a thread wherever it is.
    fn stop(&mut self, thread: libc::pthread_t) -> Stopped<'_> {
        // SAFETY: the thread runs until its scope ends, which is after it was let go.
        assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR2) }, 0);
        let stopped = Stopped(&mut self.writer);
        wait_for("the thread stops", || STOPPED.load(SeqCst) == 1);
        stopped
    }
}

/// A thread that is stopped until this is dropped: also where a claim does not hold, for the scope
/// waits for all of its threads before it tells that.
struct Stopped<'g>(&'g mut std::io::PipeWriter);

impl Stopped<'_> {
    fn let_go(self) {
        drop(self);
        wait_for("the thread goes on", || STOPPED.load(SeqCst) == 0);
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let _ = self.0.write_all(&[1]);
    }
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        thread::yield_now();
    }
}

/// Another moment each time: any instruction is as likely as it takes time.
fn some_time(number: u64) {
    let end = Instant::now() + Duration::from_nanos(number.wrapping_mul(0x9e37_79b9) % 200_000);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// What threads have done so far.
type Counts = [AtomicU64; 3];

/// Runs `work` on three threads (with its number, and how often it was called) until `steer` has
/// stopped the first of them and let it go, again and again.
fn with_threads(work: impl Fn(usize, u64) + Sync, steer: impl FnOnce(libc::pthread_t, &Counts)) {
    let (over, counts) = (AtomicBool::new(false), Counts::default());
    let victim = AtomicU64::new(0);
    thread::scope(|scope| {
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, SeqCst);
            }
        }
        for thread in 0..3 {
            let (over, counts, victim, work) = (&over, &counts, &victim, &work);
            scope.spawn(move || {
                if thread == 0 {
                    // SAFETY: takes nothing, gives this thread's name.
                    victim.store(unsafe { libc::pthread_self() } as u64, SeqCst);
                }
                for number in 0.. {
                    if over.load(Relaxed) {
                        break;
                    }
                    work(thread, number);
                    counts[thread].fetch_add(1, Relaxed);
                }
            });
        }
        let _end = End(&over);
        wait_for("threads start", || {
            counts.iter().all(|count| count.load(Relaxed) > 0)
        });
        steer(victim.load(SeqCst) as libc::pthread_t, &counts);
    });
}

/// Whether both of the others get on by so much within `longest`.
fn others_get_on(counts: &Counts, by: u64, longest: Duration) -> bool {
    let begun = Instant::now();
    let [_, one, two] = counts.each_ref().map(|count| count.load(Relaxed));
    while begun.elapsed() < longest {
        if counts[1].load(Relaxed) >= one + by && counts[2].load(Relaxed) >= two + by {
            return true;
        }
        thread::yield_now();
    }
    false
}

struct Memory {
    shards: Vec<Shard>,
    table: Vec<AtomicU64>,
    arena: Vec<AtomicU64>,
}

/// Room for all users of the time between two resets.
const CAPACITY: Capacity = Capacity {
    users_max: 1 << 20,
    id_bytes_max: 8 << 20,
};

impl Memory {
    fn new() -> Memory {
        let zeros = |words| (0..words).map(|_| AtomicU64::new(0)).collect();
        Memory {
            shards: (0..3).map(|_| Shard::new()).collect(),
            table: zeros(CAPACITY.table_words()),
            arena: zeros(CAPACITY.arena_words(3)),
        }
    }

    fn stats(&self) -> Stats<'_> {
        let key = Key::new(9, 10);
        Stats::new(&self.shards, &self.table, &self.arena, CAPACITY, key).unwrap()
    }
}

/// A recorder for each thread; only its own thread takes it, so the lock is never waited for.
fn recorders<'s>(stats: &'s Stats<'s>) -> [Mutex<Recorder<'s>>; 3] {
    [0, 1, 2].map(|index| Mutex::new(stats.recorder(index).unwrap()))
}

/// One event of a user that all threads have at about the same time, mostly a new one. No memory is
/// allocated: the allocator has locks.
fn event(recorder: &Mutex<Recorder<'_>>, number: u64) {
    let id = (number % (CAPACITY.users_max as u64 / 2)).to_le_bytes();
    let mut recorder = recorder.try_lock().expect("nobody else's");
    let amount = Amount::from_small(false, 1, 0).unwrap();
    recorder.record(&id, amount).unwrap();
}

/// Polls to the end.
fn finish(mut ticket: Ticket, stats: &Stats<'_>) -> Snapshot {
    let mut outcome = None;
    wait_for("an answer", || {
        outcome = ticket.poll_from_outside(stats);
        outcome.is_some()
    });
    match outcome {
        Some(Outcome::State(state) | Outcome::Cleared(Some(state))) => state,
        _ => panic!("nobody else resets"),
    }
}

#[test]
fn recorders_go_on_wherever_one_of_them_is_stopped() {
    let mut gate = Gate::new();
    let memory = Memory::new();
    let stats = memory.stats();
    let recorders = recorders(&stats);
    let (mut removed, mut unanswered) = (0, 0);
    let counts = Counts::default();
    let work = |thread: usize, number| {
        event(&recorders[thread], number);
        counts[thread].fetch_add(1, Relaxed);
    };
    let begun = Instant::now();
    with_threads(work, |victim, counts| {
        for number in 0..STOPS {
            some_time(number);
            let stopped = gate.stop(victim);
            let goes_on = others_get_on(counts, 500, PATIENCE);
            assert!(
                goes_on,
                "recorders wait for one that is stopped, at stop {number}"
            );
            // An answer may have to wait for it, and no call does.
            let mut ticket = stats.snapshot();
            let answered = (0..100).any(|_| {
                let outcome = ticket.poll_from_outside(&stats);
                thread::yield_now();
                outcome.is_some()
            });
            unanswered += u64::from(!answered);
            stopped.let_go();
            // Users are new again.
            removed += finish(stats.reset(), &stats).total;
        }
    });
    drop(recorders);
    let total = removed + finish(stats.snapshot(), &stats).total;
    let recorded: u64 = counts.iter().map(|count| count.load(Relaxed)).sum();
    assert_eq!(total, recorded, "each event once");
    assert!(
        unanswered > 0,
        "no snapshot had to wait: was anybody stopped?"
    );
    println!(
        "a recorder stopped {STOPS} times: the others went on each time, {unanswered} snapshots \
         had to wait; {recorded} events within {:?}, each counted once",
        begun.elapsed()
    );
}

#[test]
fn recorders_and_polls_go_on_wherever_a_coordinator_is_stopped() {
    let mut gate = Gate::new();
    let memory = Memory::new();
    let stats = memory.stats();
    let recorders = recorders(&stats);
    let (mut at_the_desk, answers) = (0, AtomicU64::new(0));
    let work = |thread: usize, number| match thread {
        0 => {
            let mut ticket = match number % 8 {
                0 => stats.reset(),
                _ => stats.snapshot(),
            };
            let answered = (0..100).any(|_| ticket.poll_from_outside(&stats).is_some());
            answers.fetch_add(u64::from(answered), Relaxed);
        }
        _ => {
            event(&recorders[thread], number);
            recorders[thread].try_lock().unwrap().turn();
        }
    };
    // Nobody waits for a third one.
    recorders[0].try_lock().unwrap().offline();
    let begun = Instant::now();
    with_threads(work, |victim, counts| {
        for number in 0..STOPS {
            some_time(number);
            let stopped = gate.stop(victim);
            let goes_on = others_get_on(counts, 500, PATIENCE);
            assert!(
                goes_on,
                "recorders wait for a coordinator, at stop {number}"
            );
            // Each call is answered; where all workers had their turns, only a taken desk says no.
            let mut ticket = stats.snapshot();
            let answered = (0..4).any(|_| {
                let outcome = ticket.poll_from_outside(&stats);
                outcome.is_some() || !others_get_on(counts, 2, PATIENCE)
            });
            at_the_desk += u64::from(!answered);
            stopped.let_go();
            let _ = finish(stats.snapshot(), &stats);
        }
    });
    let answers = answers.into_inner();
    println!(
        "a coordinator stopped {STOPS} times, {at_the_desk} of them at the desk: recorders went on \
         each time; {answers} answers within {:?}",
        begun.elapsed()
    );
    assert!(answers > 0);
}

#[test]
fn waiting_for_a_lock_would_be_seen() {
    let mut gate = Gate::new();
    let counter = Mutex::new(0_u64);
    let mut waits = 0;
    with_threads(
        |thread, number| {
            // The one that is stopped has it most of the time.
            let steps = if thread == 0 { 20_000 } else { 50 };
            let mut counter = counter.lock().unwrap();
            for _ in 0..steps {
                *counter = black_box(counter.wrapping_add(number));
            }
        },
        |victim, counts| {
            for number in 0..50 * STOPS {
                some_time(number);
                let stopped = gate.stop(victim);
                waits += u64::from(!others_get_on(counts, 100, Duration::from_millis(100)));
                stopped.let_go();
                if waits >= 3 {
                    break;
                }
            }
        },
    );
    assert!(waits > 0, "nobody was ever stopped within the lock");
}

#[test]
fn a_wake_up_waits_for_no_worker() {
    use barewire_core::driver::{Event, Instant as Point, Kernel, WAKER};
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = barewire_linux::Listener::bind(any, barewire_linux::BACKLOG, false).unwrap();
    let (mut epoll, waker) = barewire_linux::Epoll::new(listener).unwrap();
    // Its worker looks at nothing.
    for _ in 0..100_000 {
        waker.wake();
    }
    let mut events = [Event::default(); 4];
    let until = Point(epoll.now().0 + 5_000_000_000);
    assert_eq!(epoll.poll(&mut events, Some(until)).unwrap(), 1);
    assert_eq!(events[0].token, WAKER);
}
