//! Which cache lines two workers share while they serve: none, seen on every single store.
//!
//! The server runs under valgrind's `lackey`, which writes down each load and each store of the
//! process with its address, and, as threads take turns there, whose turn it is. What the kernel
//! writes for a thread (received bytes, events) is taken from the list of system calls beside it: a
//! call that is not known here fails the test. So the claim is about all stores of a run, not about
//! those that somebody thought of; it holds for the requests that were sent, after the first few.
//!
//! ```text
//! cargo test --release -p barewire-tests --test lines -- --ignored --nocapture
//! ```

#[allow(dead_code)] // each test uses a part of it
mod bounded;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use barewire_tests::client::{Client, event, request};
use barewire_tests::drill::Barewire;

/// Bytes of a cache line.
const LINE_BYTES: u64 = 64;

/// Who touched the lines of a part of the trace.
#[derive(Debug, Default)]
struct Touched {
    /// Threads that wrote to a line, and those that read it, as one bit each.
    lines: BTreeMap<u64, [u64; 2]>,
    /// Threads that waited for events.
    workers: BTreeSet<u32>,
    stores: BTreeMap<u32, u64>,
}

impl Touched {
    fn write(&mut self, thread: u32, address: u64, bytes: u64) {
        self.touch(thread, address, bytes, 0);
    }

    fn touch(&mut self, thread: u32, address: u64, bytes: u64, kind: usize) {
        let last = address + bytes.max(1) - 1;
        for line in address / LINE_BYTES..=last / LINE_BYTES {
            self.lines.entry(line).or_default()[kind] |= 1 << thread;
        }
    }

    /// Lines that two threads wrote to, and those that one wrote to and another read.
    fn shared(&self) -> [Vec<u64>; 2] {
        let twice = |by: u64| by.count_ones() > 1;
        let all = || self.lines.iter();
        let written = all().filter(|(_, by)| twice(by[0]));
        let read = all().filter(|(_, by)| by[0] != 0 && !twice(by[0]) && by[1] & !by[0] != 0);
        let addresses = |(line, _): (&u64, _)| line * LINE_BYTES;
        [
            written.map(addresses).collect(),
            read.map(addresses).collect(),
        ]
    }
}

/// What a system call writes: nothing, or so many bytes at an address, both among its arguments.
enum Writes {
    Nothing,
    Bytes { at: usize, count: Count },
}

enum Count {
    /// So many.
    Of(u64),
    /// As many as an argument says, times so many.
    Argument(usize, u64),
}

/// Bytes of a `struct epoll_event` on x86-64, where it is packed; no more elsewhere than 16.
const EVENT_BYTES: u64 = if cfg!(target_arch = "x86_64") { 12 } else { 16 };

/// The calls of a server, without those of its start.
fn writes(name: &str) -> Option<Writes> {
    Some(match name {
        "sys_epoll_wait" | "sys_epoll_pwait" | "sys_epoll_pwait2" => Writes::Bytes {
            at: 1,
            count: Count::Argument(2, EVENT_BYTES),
        },
        "sys_recvfrom" | "sys_read" => Writes::Bytes {
            at: 1,
            count: Count::Argument(2, 1),
        },
        // A `struct timespec`; a `siginfo_t`.
        "sys_clock_gettime" => Writes::Bytes {
            at: 1,
            count: Count::Of(16),
        },
        "sys_rt_sigtimedwait" => Writes::Bytes {
            at: 1,
            count: Count::Of(128),
        },
        // An address, and its length beside it.
        "sys_accept4" | "sys_getsockname" | "sys_getpeername" => Writes::Bytes {
            at: 1,
            count: Count::Of(128),
        },
        "sys_sendto" | "sys_write" | "sys_epoll_ctl" | "sys_close" | "sys_shutdown"
        | "sys_setsockopt" | "sys_ioctl" => Writes::Nothing,
        _ => return None,
    })
}

/// Reads a part of a trace; `thread` is whose turn it is, there and afterwards.
fn read(lines: impl Iterator<Item = String>, thread: &mut u32) -> Touched {
    let mut touched = Touched::default();
    for line in lines {
        if let Some((_, rest)) = line.split_once("SCHED[") {
            let (number, what) = rest.split_once(']').expect("a thread");
            if what.contains("acquired lock") {
                *thread = number.parse().expect("a number");
            }
        } else if line.starts_with("SYSCALL[") {
            call(&line, &mut touched);
        } else if let Some(access) = line.strip_prefix(' ') {
            let (kind, place) = access.split_at(2);
            let (address, bytes) = place.split_once(',').expect("an access");
            let address = u64::from_str_radix(address, 16).expect("an address");
            let bytes = bytes.parse().expect("a size");
            match kind {
                "L " => touched.touch(*thread, address, bytes, 1),
                "S " | "M " => {
                    *touched.stores.entry(*thread).or_default() += 1;
                    touched.write(*thread, address, bytes);
                }
                _ => panic!("{line}"),
            }
        }
    }
    touched
}

/// `SYSCALL[pid,thread](number) name ( arguments ) --> ...`; some say it in two lines.
fn call(line: &str, touched: &mut Touched) {
    let (head, rest) = line.split_once(") ").expect("a number");
    // The end of a call that was told before.
    if !rest.trim_start().starts_with("sys_") {
        return;
    }
    let thread = head.split([',', ']']).nth(1).expect("a thread");
    let thread = thread.parse().expect("a number");
    let (name, rest) = rest.trim_start().split_once([' ', '(']).expect("a name");
    let arguments = rest.trim_start_matches([' ', '(']);
    let arguments = arguments.split(')').next().unwrap_or_default();
    let argument = |at: usize| {
        let text = arguments.split(',').nth(at).expect("an argument").trim();
        let (digits, radix) = match text.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        u64::from_str_radix(digits, radix).unwrap_or_else(|_| panic!("{line}"))
    };
    if name.starts_with("sys_epoll_") && name != "sys_epoll_ctl" {
        touched.workers.insert(thread);
    }
    match writes(name).unwrap_or_else(|| panic!("what does this call write? {line}")) {
        Writes::Nothing => {}
        Writes::Bytes { at, count } => {
            let bytes = match count {
                Count::Of(bytes) => bytes,
                Count::Argument(at, each) => argument(at) * each,
            };
            // Nowhere, if the caller does not want to know.
            if argument(at) != 0 && bytes > 0 {
                touched.write(thread, argument(at), bytes);
            }
        }
    }
}

/// The trace of a server, read part by part.
struct Tape {
    path: PathBuf,
    at: u64,
    thread: u32,
}

impl Tape {
    /// Waits until nothing is written any more, and reads what was since the last time.
    fn part(&mut self) -> Touched {
        self.rest();
        let mut file = File::open(&self.path).expect("a trace");
        file.seek(SeekFrom::Start(self.at)).expect("a place");
        let end = self.rest();
        let file = std::io::Read::take(file, end - self.at);
        self.at = end;
        let lines = BufReader::new(file).split(b'\n');
        let lines = lines.map(|line| String::from_utf8_lossy(&line.expect("a line")).into_owned());
        read(lines, &mut self.thread)
    }

    /// Waits until the main thread alone is awake, now and then; says how long the trace is.
    fn rest(&self) -> u64 {
        let begin = Instant::now();
        let mut before = 0;
        loop {
            let bytes = std::fs::metadata(&self.path).expect("a trace").len();
            if bytes == before {
                return bytes;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "it does not end");
            before = bytes;
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The program, built with the profile and in the folder of this test.
fn program() -> PathBuf {
    let (target, profile) = bounded::built_in();
    let mut build = bounded::cargo();
    build.args(["build", "--locked", "-p", "barewire", "--bin", "barewire"]);
    build.arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    bounded::run(&mut build, Duration::from_secs(600));
    profile.join("barewire")
}

fn start(path: &Path) -> Barewire {
    let log = format!("--log-file={}", path.display());
    let under = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "valgrind",
        "--tool=lackey",
        "--trace-mem=yes",
        "--trace-sched=yes",
        "--trace-syscalls=yes",
        "--vgdb=no",
        &log,
    ];
    // Everything takes fifty times as long.
    let flags = "--workers 2 --connections 100 --users 1000 --user-bytes 64k \
                 --first-byte-ms 120000 --idle-ms 120000";
    Barewire::start_under(&under, &program(), flags)
}

/// What the connections ask, one after the other: each route without shared state, known users.
fn serve(clients: &mut [Client], rounds: usize) {
    for round in 0..rounds {
        for (at, client) in clients.iter_mut().enumerate() {
            // All users of all connections on both workers.
            let user = format!("user-{}", (at + round) % 8);
            let questions = [
                request("GET", "/ping", b""),
                request("GET", "/plaintext", b""),
                request("GET", "/json", b""),
                request("GET", &format!("/users/{user}"), b""),
                request("POST", "/echo", &[b'x'; 3_000]),
                request("GET", "/nowhere", b""),
                event(&user, "0.5"),
            ];
            for question in &questions {
                let _ = client.ask(question);
            }
            client.send(&event(&user, "1.25").repeat(16));
            for _ in 0..16 {
                assert_eq!(client.answer().status, 200);
            }
        }
    }
}

fn told(what: &str, touched: &Touched) -> [usize; 2] {
    let shared = touched.shared();
    let stores: Vec<u64> = touched
        .workers
        .iter()
        .map(|thread| touched.stores.get(thread).copied().unwrap_or(0))
        .collect();
    let [written, read] = shared.each_ref().map(Vec::len);
    println!(
        "{what}: {} lines, stores of each worker {stores:?}; written by two threads: {written}; \
         written by one and read by another: {read}",
        touched.lines.len()
    );
    [written, read]
}

#[ignore = "wants valgrind, and a quarter of a minute"]
#[test]
fn no_line_is_written_by_one_worker_and_touched_by_another() {
    let path = std::env::temp_dir().join(format!("barewire-lines-{}", std::process::id()));
    let mut tape = Tape {
        path: path.clone(),
        at: 0,
        thread: 1,
    };
    let server = start(&path);
    // So many that one in a million runs leaves a worker without any.
    let mut clients: Vec<Client> = (0..20).map(|_| Client::new(server.addr())).collect();
    serve(&mut clients, 1);
    // The start has calls of its own, and is not what this is about.
    tape.at = tape.rest();
    tape.thread = 1;

    serve(&mut clients, 2);
    let steady = tape.part();
    let [written, read] = told("steady", &steady);

    // What has to be seen, or nothing could: a new user takes a place of all workers' table.
    for (at, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.ask(&event(&format!("new-{at}"), "1")).status, 200);
    }
    let new_users = told("16 new users", &tape.part());
    // And a new connection of an address that has some is counted for all of them.
    for _ in 0..16 {
        let mut client = Client::new(server.addr());
        assert_eq!(client.ask(&request("GET", "/ping", b"")).status, 200);
    }
    let connections = told("16 connections", &tape.part());

    drop(clients);
    server.stop();
    assert_eq!(steady.workers.len(), 2, "{:?}", steady.workers);
    for worker in &steady.workers {
        // Ten thousand a round of one connection.
        assert!(steady.stores[worker] > 10_000, "{:?}", steady.stores);
    }
    assert_eq!([written, read], [0, 0], "shared while serving");
    assert!(
        new_users[0] > 0 && connections[0] > 0,
        "nothing can be seen"
    );
}

#[test]
fn a_line_of_two_threads_is_found_in_a_trace() {
    let trace = "\
--7--   SCHED[2]:  acquired lock (VG_(client_syscall)[async])
I  0401ab70,3
 S 00001000,8
 M 0000203c,8
 L 00003000,8
SYSCALL[7,2](45) sys_recvfrom ( 11, 0x5000, 100, 0, 0x0, 0x0 ) --> [async] ...
SYSCALL[7,2](45) ... [async] --> Success(0x30)
--7--   SCHED[2]: releasing lock (VG_(client_syscall)[async]) -> VgTs_WaitSys
--7--   SCHED[3]:  acquired lock (VG_(client_syscall)[async])
 S 00001040,8
 S 00002040,1
 S 00003008,4
 L 00005040,4
SYSCALL[7,3](232) sys_epoll_wait ( 6, 0x6000, 2, 4294967295 ) --> [async] ...
";
    let mut thread = 1;
    let touched = read(trace.lines().map(str::to_owned), &mut thread);
    assert_eq!(thread, 3);
    assert_eq!(touched.shared(), [vec![0x2040], vec![0x3000, 0x5040]]);
    assert_eq!(touched.workers, BTreeSet::from([3]));
    assert_eq!(touched.stores, BTreeMap::from([(2, 2), (3, 3)]));
    assert_eq!(touched.lines.len(), 8);
}
