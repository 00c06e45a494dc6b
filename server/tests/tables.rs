//! Workers with tables of descriptors of their own: every socket is in one table, nothing is left
//! behind, and a stop frees the port. In a process of its own, one test at a time: a table that is
//! copied holds whatever else is open.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use barewire::challenge::{Board, Options};
use barewire::load::open_descriptors;
use barewire::{Accept, App, Config, Context, Server, StartError};
use barewire_core::connection::{Done, Exchange};
use barewire_core::wire::Status;

/// Everything here takes milliseconds; this is for machines that do much else at the same time.
const PATIENCE: Duration = Duration::from_secs(20);

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn config(workers: usize) -> Config {
    Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers,
        connections: 100,
        own_descriptors: true,
        ..Config::default()
    }
}

fn start(config: &Config) -> Result<Server, StartError> {
    let board = Board::new(Options::default(), config.workers).unwrap();
    Server::start(config, move |number| board.worker(number))
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

const PING: &[u8] = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n";

/// Reads until the answer's body is there.
fn is_answered(stream: &mut TcpStream) -> bool {
    let (mut seen, mut part) = (Vec::new(), [0; 512]);
    while !seen.ends_with(b"pong") {
        match stream.read(&mut part) {
            Ok(n) if n > 0 => seen.extend_from_slice(&part[..n]),
            _ => return false,
        }
    }
    true
}

fn is_served(addr: SocketAddr) -> bool {
    let mut stream = connect(addr);
    stream.write_all(PING).unwrap();
    is_answered(&mut stream)
}

/// Descriptors in the table of this process's main thread, which is that of the tests.
fn open_here() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn servers_that_come_and_go_leave_no_descriptor_in_the_process() {
    let _alone = alone();
    let before = open_here();
    for round in 0..10 {
        let config = config(1 + round % 3);
        let server = start(&config).unwrap();
        assert!(server.own_descriptors());
        let addr = server.local_addr();
        // A waker for each worker, and nothing else, is open in the table of who started it.
        assert_eq!(open_here(), before + config.workers);
        for _ in 0..8 {
            assert!(is_served(addr));
        }
        // Who comes second is told so, and leaves nothing either.
        let second = start(&Config {
            bind: addr,
            ..config.clone()
        });
        assert!(matches!(second, Err(StartError::Busy(at)) if at == addr));
        if round % 2 == 0 {
            let (tally, in_time) = server.shut_down();
            assert_eq!((tally.connections, in_time), (8, true));
        } else {
            // As `--check` ends it.
            server.handle().abort();
            server.join();
        }
        assert_eq!(open_here(), before, "round {round}");
        assert_eq!(
            TcpStream::connect(addr).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
    }
}

#[test]
fn a_drain_frees_the_port_while_a_request_is_under_way() {
    let _alone = alone();
    let server = start(&config(2)).unwrap();
    assert!(server.own_descriptors());
    let addr = server.local_addr();
    let mut slow: Vec<_> = (0..8).map(|_| connect(addr)).collect();
    for stream in &mut slow {
        stream.write_all(PING).unwrap();
        assert!(is_answered(stream));
        stream.write_all(&PING[..20]).unwrap();
    }
    // So that the halves are there: what follows on the same connections is not read before.
    thread::sleep(Duration::from_millis(50));
    server.handle().drain();
    let begin = Instant::now();
    while TcpStream::connect(addr).is_ok() {
        assert!(begin.elapsed() < PATIENCE, "somebody still listens");
        thread::sleep(Duration::from_millis(2));
    }
    assert!(!server.is_done());
    // Nobody is left in the group: others get the port, and all of its connections.
    let here = Config {
        bind: addr,
        ..config(2)
    };
    let next = loop {
        match start(&here) {
            // Whoever closes takes a listener out of its group first, and gives up the port a
            // moment later.
            Err(StartError::Busy(_)) if begin.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(2));
            }
            next => break next.expect("the port is free"),
        }
    };
    for _ in 0..32 {
        assert!(is_served(addr));
    }
    for stream in &mut slow {
        stream.write_all(&PING[20..]).unwrap();
        assert!(is_answered(stream));
    }
    let (tally, in_time) = server.shut_down();
    assert_eq!((tally.requests, in_time), (16, true));
    let (tally, _) = next.shut_down();
    assert_eq!(tally.connections, 32);
}

#[test]
fn whoever_hands_connections_over_shares_its_table() {
    let _alone = alone();
    let before = open_here();
    let shares = [
        (Accept::Handoff, 2, true, false),
        (Accept::Handoff, 1, true, true),
        (Accept::Reuseport, 2, false, false),
    ];
    for (accept, workers, asked, got) in shares {
        let server = start(&Config {
            accept,
            own_descriptors: asked,
            ..config(workers)
        })
        .unwrap();
        assert_eq!(server.own_descriptors(), got);
        assert!(is_served(server.local_addr()));
        server.shut_down();
        assert_eq!(open_here(), before);
    }
}

/// Opens something where it is made, and tells what it reads there with each answer.
struct Reader(fs::File);

impl App for Reader {
    fn request(&mut self, _: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        use std::os::unix::fs::FileExt;
        let mut text = [0; 4];
        let read = self.0.read_exact_at(&mut text, 0);
        let text = read.map_or("none", |()| std::str::from_utf8(&text).unwrap());
        match exchange.reply.status(Status::OK).text(text) {
            Ok(done) => done,
            Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
        }
    }
}

#[test]
fn what_an_application_opens_where_it_is_made_is_its_own() {
    let _alone = alone();
    let path = std::env::temp_dir().join(format!("barewire-tables-{}", std::process::id()));
    fs::write(&path, "pong").unwrap();
    let of_file = path.clone();
    let open = move |_| Reader(fs::File::open(&of_file).unwrap());
    let server = Server::start(&config(2), open).unwrap();
    // Others that have the same numbers here.
    let _others: Vec<_> = (0..64)
        .map(|_| fs::File::open("/dev/null").unwrap())
        .collect();
    for _ in 0..16 {
        assert!(is_served(server.local_addr()));
    }
    assert_eq!(server.shut_down().0.requests, 16);
    let _ = fs::remove_file(path);
}

/// A server in a process of its own, which does not outlive its test.
struct Serving(Child, SocketAddr);

impl Serving {
    fn start(args: &[&str]) -> Serving {
        let mut child = Command::new(env!("CARGO_BIN_EXE_barewire"))
            .args(["serve", "--port", "0", "--connections", "100"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut serving = Serving(child, ([0, 0, 0, 0], 0).into());
        for line in lines.map_while(Result::ok) {
            if let Some((_, addr)) = line.split_once("http://") {
                serving.1 = addr.parse().unwrap();
            }
            if line.starts_with("stop ") {
                return serving;
            }
        }
        panic!("no banner");
    }

    /// The sockets in the table of each thread, by the thread's name.
    fn sockets(&self) -> Vec<(String, BTreeSet<String>)> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let threads = tasks.map(|task| {
            let path = task.unwrap().path();
            let links = fs::read_dir(path.join("fd")).unwrap();
            let links = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
            let sockets = links
                .map(|link| link.display().to_string())
                .filter(|link| link.starts_with("socket:"));
            let name = fs::read_to_string(path.join("comm")).unwrap();
            (name.trim().to_owned(), sockets.collect())
        });
        threads.collect()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_program_gives_each_worker_its_table_only_if_told_to() {
    let _alone = alone();
    // Until all threads have given themselves their names.
    let settled = |args: &[&str]| {
        let server = Serving::start(args);
        assert!(is_served(server.1));
        let begin = Instant::now();
        loop {
            let sockets = server.sockets();
            let workers = || {
                sockets
                    .iter()
                    .filter(|(name, _)| name.starts_with("worker-"))
            };
            // One listener each: what was accepted is closed again.
            let are_alone = workers().all(|(_, open)| open.len() == 1);
            if workers().count() == 2 && (are_alone || !args.contains(&"--own-descriptors")) {
                return sockets;
            }
            assert!(begin.elapsed() < PATIENCE, "{sockets:?}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    let own = settled(&["--workers", "2", "--own-descriptors"]);
    let listeners: BTreeSet<_> = own.iter().flat_map(|(_, open)| open).collect();
    assert_eq!(listeners.len(), 2, "{own:?}");
    let others = own.iter().filter(|(name, _)| !name.starts_with("worker-"));
    for (name, open) in others {
        assert!(open.is_empty(), "{name}: {open:?}");
    }
    let shared = settled(&["--workers", "2"]);
    for (name, open) in &shared {
        assert!(open.len() >= 2, "{name}: {open:?}");
    }
}

/// Descriptors in the tables of this process's threads whose names begin so.
fn open_of_threads(begin: &str) -> Vec<usize> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let paths = tasks.map(|task| task.unwrap().path());
    let named = paths.filter(|path| {
        let name = fs::read_to_string(path.join("comm"));
        name.is_ok_and(|name| name.starts_with(begin))
    });
    named
        .map(|path| fs::read_dir(path.join("fd")).unwrap().count())
        .collect()
}

#[test]
fn what_a_process_has_open_is_counted_in_all_its_tables() {
    let _alone = alone();
    let before = open_here() as u64;
    let count = || open_descriptors(std::process::id()).unwrap();
    assert_eq!(count(), before);
    for own_descriptors in [true, false] {
        let server = start(&Config {
            own_descriptors,
            ..config(2)
        })
        .unwrap();
        let clients: Vec<_> = (0..10).map(|_| connect(server.local_addr())).collect();
        for mut client in &clients {
            client.write_all(PING).unwrap();
            assert!(is_answered(&mut client.try_clone().unwrap()));
        }
        let of_workers = open_of_threads("worker-");
        assert_eq!(of_workers.len(), 2);
        let of_workers = match own_descriptors {
            true => of_workers.iter().sum::<usize>() as u64,
            false => 0,
        };
        assert_eq!(count(), open_here() as u64 + of_workers);
        drop(clients);
        server.shut_down();
    }
    assert_eq!(count(), before);
    assert!(open_descriptors(u32::MAX).is_err());
}

#[test]
fn a_port_of_another_program_stays_its_own() {
    let _alone = alone();
    let (before, other) = (open_here(), TcpListener::bind("127.0.0.1:0").unwrap());
    let bind = other.local_addr().unwrap();
    let busy = start(&Config { bind, ..config(2) });
    assert!(matches!(busy, Err(StartError::Busy(_))));
    drop(other);
    assert_eq!(open_here(), before);
}
