//! Drills: the real server, built as for a release, in a process of its own, against peers that mean
//! it no good. Each drill says its figures in a line on standard output, whatever becomes of it.
//!
//! They run one after the other, for they measure processor time and count descriptors. Larger ones
//! are switched on by a variable or by `--ignored`; each says how.
//!
//! `BAREWIRE_BIN=path` runs them against another binary.
//!
//! They watch the server through `/proc`, `prlimit` and `strace`, so they are for one system.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use barewire_tests::client::{Client, request};
use barewire_tests::drill::{Barewire, Manner, News, Swarm, proc};

#[path = "../bounded/mod.rs"]
#[allow(dead_code)] // each test uses a part of it
mod bounded;
mod calls;
mod churn;
mod crowds;
mod cycles;
mod descriptors;
mod floods;
mod injected;
mod million;
mod namespace;
mod resting;
mod soak;
mod storms;

/// A drill that takes longer for one thing has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nobody else drills meanwhile. The descriptors of this process are as many as there may be.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A drill that failed leaves nothing behind that the next one could stumble over.
    let guard = ALONE.lock().unwrap_or_else(|failed| failed.into_inner());
    proc::raise_descriptors();
    guard
}

/// The server's program, built first if it has to be.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("BAREWIRE_BIN") {
            return path.into();
        }
        let (target, _) = bounded::built_in();
        let mut build = bounded::cargo();
        build.args(["build", "--release", "--locked", "-p", "barewire"]);
        build.arg("--target-dir").arg(&target);
        bounded::run(&mut build, Duration::from_secs(900));
        target.join("release/barewire")
    })
}

fn serve(args: &str) -> Barewire {
    Barewire::start(program(), args)
}

/// What a drill has to say, past the test harness, which keeps the output of what passes.
fn say(text: impl fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "drill: {text}");
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

/// Waits until the server has so many descriptors open: it takes its time to close the last ones.
/// Says how long.
fn settle(server: &Barewire, due: usize) -> Duration {
    let began = Instant::now();
    loop {
        let open = proc::descriptors(server.pid());
        if open == due {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{open} open, {due} are due");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Takes so many slots, by requests that are not whole, and then finishes each: nothing is lost of
/// them. (As long as no more are taken than the server gives without pressure.)
fn hold_slots(addr: SocketAddr, count: usize) {
    let whole = request("POST", "/echo", b"0123456789");
    let (first, second) = whole.split_at(whole.len() - 5);
    let mut half: Vec<Client> = (0..count).map(|_| Client::new(addr)).collect();
    half.iter_mut().for_each(|client| client.send(first));
    thread::sleep(Duration::from_millis(100));
    for client in half.iter_mut().rev() {
        assert_eq!(client.ask(second).body, b"0123456789", "a slot is lost");
    }
}

fn ping() -> std::sync::Arc<[u8]> {
    request("GET", "/ping", b"").into()
}

/// Opens so many connections.
fn open(swarm: &mut Swarm, count: usize, manner: impl Fn(usize) -> Manner) -> Vec<usize> {
    let one = |at| swarm.open(manner(at)).expect("a connection");
    (0..count).map(one).collect()
}

/// Lets each of `peers` ask for a pong, `at_once` at a time, until they have their answers or the
/// time is over. Who has been answered 200, in order; whoever was not was silent or is gone.
fn ask(swarm: &mut Swarm, peers: &[usize], at_once: usize, longest: Duration) -> Vec<usize> {
    let ping = ping();
    let mut rest = peers.iter().copied();
    let mut waiting = HashSet::new();
    for peer in rest.by_ref().take(at_once) {
        swarm.send(peer, &ping, 1);
        waiting.insert(peer);
    }
    let mut served = Vec::new();
    swarm.run(longest, |swarm, news| {
        let (News::Answer { peer, .. } | News::Closed { peer, .. }) = news;
        if waiting.remove(&peer) {
            if let News::Answer { status: 200, .. } = news {
                served.push(peer);
            }
            if let Some(peer) = rest.next() {
                swarm.send(peer, &ping, 1);
                waiting.insert(peer);
            }
        }
        waiting.is_empty()
    });
    served
}
