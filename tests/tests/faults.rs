//! The server's memory, as the system counts it: no page fault once everything is touched, and
//! never more than the first lines announced. The server is a process of its own.

#[allow(dead_code)] // each test uses a part of it
mod bounded;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use barewire_tests::client::{Client, event, request};
use barewire_tests::drill::{Barewire, proc};
use barewire_tests::mixture::{crowd, load};

/// The program, built with the profile and in the folder of this test.
fn program() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let (target, profile) = bounded::built_in();
        let mut build = bounded::cargo();
        build.args(["build", "--locked", "-p", "barewire", "--bin", "barewire"]);
        build.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        bounded::run(&mut build, Duration::from_secs(300));
        profile.join("barewire")
    })
}

/// Starts `barewire serve` with two workers, behind the words of `under` if there are any.
fn start(under: &[&str], flags: &str) -> Barewire {
    Barewire::start_under(under, program(), &format!("--workers 2 {flags}"))
}

/// Events of new users, as pipelines of 500. Says how many were counted.
fn new_users(addr: SocketAddr, name: &str, count: usize) -> usize {
    let mut client = Client::new(addr);
    let mut counted = 0;
    for start in (0..count).step_by(500) {
        let size = 500.min(count - start);
        let bytes: Vec<u8> = (start..start + size)
            .flat_map(|user| event(&format!("{name}-{user}"), "0.1"))
            .collect();
        client.send(&bytes);
        counted += (0..size).filter(|_| client.answer().status == 200).count();
    }
    counted
}

/// A body larger than all slots, there and back.
fn echo(addr: SocketAddr, bytes: usize) {
    let body: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    let mut client = Client::new(addr);
    let mut writer = client.socket.try_clone().unwrap();
    let whole = request("POST", "/echo", &body);
    let writing = thread::spawn(move || writer.write_all(&whole).unwrap());
    assert!(client.answer().body == body);
    writing.join().unwrap();
}

/// What is not in the mixture.
fn more(addr: SocketAddr, turn: usize, users: usize) {
    assert_eq!(new_users(addr, &format!("more-{turn}"), users), users);
    echo(addr, 1 << 20);
    for _ in 0..100 {
        assert_eq!(
            Client::new(addr).ask(&request("GET", "/ping", b"")).status,
            200
        );
    }
}

const SMALL: &str = "--connections 64 --head-ms 200 --users 200000 --user-bytes 16m";

/// Faults of the first 1,000 requests and of a run of more than 30,000 after them, new users and
/// connections among them.
fn faults_of_a_run(server: &Barewire) -> [[u64; 2]; 2] {
    let start = proc::faults(server.pid());
    let mut warm = 0;
    for turn in 0.. {
        warm += load(server.addr(), turn);
        if warm >= 1_000 {
            break;
        }
    }
    let before = proc::faults(server.pid());
    let mut requests = 0;
    for turn in 100.. {
        requests += load(server.addr(), turn);
        if turn % 20 == 0 {
            more(server.addr(), turn as usize, 4_000);
        }
        if requests >= 20_000 {
            break;
        }
    }
    crowd(server.addr());
    let after = proc::faults(server.pid());
    let since = |late: [u64; 2], early: [u64; 2]| [late[0] - early[0], late[1] - early[1]];
    [since(before, start), since(after, before)]
}

/// Minor faults of the first requests at most: nothing is left to touch but what the kernel maps
/// on demand whatever is asked for (its clock pages).
const FIRST_FAULTS_MAX: u64 = 8;

#[test]
fn nothing_faults_after_a_thousand_requests_if_all_was_touched() {
    let server = start(&[], &format!("{SMALL} --prefault"));
    let [first, later] = faults_of_a_run(&server);
    println!("with --prefault: {first:?} faults at first, then {later:?}, minor and major");
    assert_eq!(later, [0, 0], "minor and major");
    assert!(first[0] <= FIRST_FAULTS_MAX && first[1] == 0, "{first:?}");

    // The same run faults without, so it would be seen.
    let server = start(&[], SMALL);
    let [first, later] = faults_of_a_run(&server);
    println!("without: {first:?}, then {later:?}");
    assert!(
        first[0] > 8 * FIRST_FAULTS_MAX && later[0] > 100,
        "{first:?} {later:?}"
    );
}

/// Words in front of a command that let it lock `bytes` bytes and no more, whoever runs it. Both
/// tools are util-linux's; where they are missing the test fails.
fn limited(bytes: &str) -> Vec<String> {
    let mut words = vec!["prlimit".to_owned(), format!("--memlock={bytes}:{bytes}")];
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let privileged = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .is_some_and(|set| set.trim() != "0000000000000000");
    if privileged {
        // The one that locks without a limit, and the one that lifts limits.
        let set = "--bounding-set=-ipc_lock,-sys_resource";
        words.extend(["setpriv".to_owned(), set.to_owned()]);
    }
    words
}

#[test]
fn memory_is_locked_where_that_is_allowed_and_it_is_said_where_not() {
    for bytes in ["0", "65536"] {
        let under = limited(bytes);
        let under: Vec<&str> = under.iter().map(String::as_str).collect();
        let server = start(&under, &format!("{SMALL} --prefault"));
        let grouped = if bytes == "0" { "0" } else { "65,536" };
        let expected =
            format!(", all touched, not locked (the limit is {grouped} bytes: ulimit -l)");
        assert!(
            server.fact("memory").unwrap().ends_with(&expected),
            "{:?}",
            server.fact("memory")
        );
        assert!(proc::status_bytes(server.pid(), "VmLck:") <= 65_536);
        // It goes on, and what was touched is there.
        assert!(proc::status_bytes(server.pid(), "VmRSS:") > server.announced_bytes() * 6 / 10);
        assert_eq!(
            Client::new(server.addr())
                .ask(&request("GET", "/ping", b""))
                .status,
            200
        );
        if bytes == "0" {
            assert_eq!(faults_of_a_run(&server)[1], [0, 0], "minor and major");
        }
    }

    let server = start(&[], &format!("{SMALL} --prefault"));
    let (locked, memory) = (
        proc::status_bytes(server.pid(), "VmLck:"),
        server.fact("memory").unwrap(),
    );
    println!("{memory}: {locked} bytes are locked");
    if memory.ends_with(", all touched, locked in memory") {
        let statistics = server.number("statistics", "bytes");
        // Guard pages belong to no stack; what a program takes besides is 2 MiB at least.
        let stacks = 2 * (barewire::STACK_BYTES as u64 - (64 << 10));
        let sum = server.number("reserved", "bytes") + statistics + stacks + (2 << 20);
        assert!(locked >= sum, "{locked} of {sum}");
        assert!(locked <= server.announced_bytes(), "{locked}");
    } else {
        // Whoever runs this may not; then the limit is really too low.
        assert!(memory.contains("not locked (the limit is"), "{memory}");
        assert!(locked < server.announced_bytes(), "{locked}");
    }
}

/// Writes until it is enough, or the server has had enough.
fn flood(addr: SocketAddr, head: &[u8], piece: &[u8], bytes: usize) -> TcpStream {
    let mut socket = TcpStream::connect(addr).unwrap();
    socket
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut written = socket.write(head).unwrap_or(bytes);
    while written < bytes {
        match socket.write(piece) {
            Ok(n) => written += n,
            Err(_) => break,
        }
    }
    socket
}

/// Peers that try to make the server take memory: many, slow, greedy, and more users than fit.
fn stress(addr: SocketAddr, connections: usize) {
    // Heads and bodies that are not finished, in every slot and beyond.
    let post = |length: usize| {
        format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").into_bytes()
    };
    let mut held: Vec<TcpStream> = (0..connections)
        .map(|at| match at % 3 {
            0 => flood(addr, &post(7_000), &[b'x'; 6_000], 6_000),
            1 => flood(
                addr,
                b"GET /ping HTTP/1.1\r\nHost: a\r\nX: ",
                &[b'y'; 4_000],
                4_000,
            ),
            _ => flood(addr, &post(1 << 20), &[b'z'; 20_000], 60_000),
        })
        .collect();
    thread::sleep(Duration::from_millis(100));
    // Half of them go, for those that follow.
    held.truncate(connections / 2);
    thread::sleep(Duration::from_millis(100));

    held.push(flood(
        addr,
        b"GET /ping HTTP/1.1\r\nHost: a\r\n",
        b"X: y\r\n".repeat(4096).as_slice(),
        24 << 20,
    ));
    let chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    held.push(flood(
        addr,
        chunked,
        b"X: y\r\n".repeat(4096).as_slice(),
        8 << 20,
    ));
    // 2,000 answers that nobody reads.
    let pipeline = request("GET", "/json", b"").repeat(2_000);
    held.push(flood(addr, b"", &pipeline, pipeline.len()));
    held.push(flood(addr, &post(16 << 20), &[b'w'; 65_536], 16 << 20));
    echo(addr, 4 << 20);
    for round in 0..3 {
        // More than there is room for; the rest is told 507.
        let counted = new_users(addr, &format!("round-{round}"), 8_000);
        assert!((3_000..8_000).contains(&counted), "{counted}");
        let reset = Client::new(addr).ask(&request("POST", "/reset", b""));
        assert_eq!(reset.status, 200);
    }
    for socket in &mut held {
        let _ = socket.set_read_timeout(Some(Duration::from_millis(1)));
        let _ = socket.read(&mut [0; 4096]);
    }
}

#[test]
fn memory_stays_below_what_was_announced_and_not_far_below_if_all_is_touched() {
    let flags = "--connections 300 --users 5000 --user-bytes 1m";
    for (prefault, least_percent) in [("", 15), ("--prefault", 60)] {
        let server = start(&[], &format!("{flags} {prefault}"));
        let at_start = proc::status_bytes(server.pid(), "VmRSS:");
        stress(server.addr(), 340);
        let (most, announced) = (
            proc::status_bytes(server.pid(), "VmHWM:"),
            server.announced_bytes(),
        );
        println!("{prefault:10} {at_start} at start, {most} at most, {announced} announced");
        assert!(most <= announced, "{most} of {announced}");
        assert!(
            most * 100 >= announced * least_percent,
            "{most} of {announced}"
        );
    }
}

#[test]
fn big_tables_are_touched_as_needed() {
    // As without flags, but for as many connections as every system allows.
    let server = start(&[], "--connections 500 --slots 10000");
    let (at_start, announced) = (
        proc::status_bytes(server.pid(), "VmRSS:"),
        server.announced_bytes(),
    );
    println!("{at_start} bytes at start, {announced} announced");
    assert!(announced > 386 * 1_000_000, "{announced}");
    assert!(
        server
            .fact("memory")
            .unwrap()
            .ends_with(", touched as needed")
    );
    assert!(at_start < 8 << 20, "{at_start}");
}
