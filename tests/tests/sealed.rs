//! Nothing is allocated after the start.
//!
//! This test is two processes. The parent runs the server over an allocator that can be sealed; the
//! child (the same program, told so by a variable) is its client. After a few requests of each
//! kind the child says so, the parent seals the allocator, and the child sends 10,000 more over
//! every route, right and wrong, whole and in pieces, and breaks many of them off. Then each
//! allocation and each release in the server's process is one too many.
//!
//! Only an allocator may be unsafe outside of the platforms, and it is only here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use barewire::challenge::{Board, Options};
use barewire::{Config, Server};
use barewire_tests::client::{Client, event, request};

#[global_allocator]
static ALLOCATOR: Sealable = Sealable;

/// The system's allocator, which counts the calls while it is sealed.
struct Sealable;

static SEALED: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static RELEASES: AtomicU64 = AtomicU64::new(0);
/// Who was the first.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// Whether this thread is taking a backtrace, which allocates.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

fn note(counter: &AtomicU64) {
    if !SEALED.load(Ordering::Relaxed) || LOOKING.get() {
        return;
    }
    counter.fetch_add(1, Ordering::Relaxed);
    LOOKING.set(true);
    if let Ok(mut first) = FIRST.try_lock()
        && first.is_none()
    {
        *first = Some(Backtrace::force_capture().to_string());
    }
    LOOKING.set(false);
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Sealable {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(&ALLOCATIONS);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(&RELEASES);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Where the client finds the server and the parent: two addresses with a blank between.
const VARIABLE: &str = "BAREWIRE_SEALED_CLIENT";

#[test]
fn ten_thousand_requests_over_every_route_allocate_nothing() {
    if let Ok(addresses) = std::env::var(VARIABLE) {
        let (server, parent) = addresses.split_once(' ').unwrap();
        return client(server.parse().unwrap(), parent.parse().unwrap());
    }
    let mut config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers: 2,
        connections: 64,
        ..Config::default()
    };
    // So that deadlines pass while it is sealed.
    config.limits.head_ms = 200;
    let board = Board::new(Options::default(), 2).unwrap();
    let server = Server::start(&config, move |number| board.worker(number)).unwrap();
    let control = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = format!("{} {}", server.local_addr(), control.local_addr().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "ten_thousand_requests_over_every_route_allocate_nothing",
        ])
        .env(VARIABLE, addresses)
        .spawn()
        .unwrap();
    let (mut child_says, _) = control.accept().unwrap();
    child_says
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut word = [0];

    child_says.read_exact(&mut word).unwrap();
    SEALED.store(true, Ordering::SeqCst);
    child_says.write_all(b"s").unwrap();
    let outcome = child_says.read_exact(&mut word);
    SEALED.store(false, Ordering::SeqCst);

    let success = child.wait().unwrap().success();
    let counts = [&ALLOCATIONS, &RELEASES].map(|counter| counter.load(Ordering::SeqCst));
    let first = FIRST.lock().unwrap().take().unwrap_or_default();
    assert_eq!(
        counts,
        [0, 0],
        "allocations and releases; the first:\n{first}"
    );
    assert!(outcome.is_ok() && success, "the client failed");
    let (tally, in_time) = server.shut_down();
    assert!(
        in_time && tally.requests > 10_000 && tally.panics == 0,
        "{tally:?}"
    );
    // The counter counts.
    SEALED.store(true, Ordering::SeqCst);
    drop(std::hint::black_box(Box::new(1)));
    SEALED.store(false, Ordering::SeqCst);
    assert!(ALLOCATIONS.load(Ordering::SeqCst) > 0 && RELEASES.load(Ordering::SeqCst) > 0);
}

/// The other process.
fn client(server: SocketAddr, parent: SocketAddr) {
    let mut parent = TcpStream::connect(parent).unwrap();
    let mut word = [0];
    for turn in 0..3 {
        load(server, turn);
    }
    parent.write_all(b"w").unwrap();
    parent.read_exact(&mut word).unwrap();
    let mut sent = 0;
    for turn in 3.. {
        sent += load(server, turn);
        if sent >= 10_000 {
            break;
        }
    }
    crowd(server);
    parent.write_all(b"d").unwrap();
}

/// What is answered on an open connection: the request, and the status.
fn questions(turn: u64) -> Vec<(Vec<u8>, u16)> {
    let get = |target: &str, status| (request("GET", target, b""), status);
    let post =
        |target: &str, body: &str, status| (request("POST", target, body.as_bytes()), status);
    let chunked = |target: &str, text: &str, status| {
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        ((head + text).into_bytes(), status)
    };
    let mut all = vec![
        get("/stats", 200),
        get("/health", 200),
        get("/ping", 200),
        get("/plaintext", 200),
        get("/json?x=1", 200),
        get("/users/a%20b", 200),
        get(&format!("/users/{}", "u".repeat(3000)), 200),
        get("/nowhere", 404),
        get("/event", 405),
        post("/ping", "", 405),
        (request("PUT", "/stats", b"x"), 405),
        (request("BREW", "/ping", b""), 501),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 204),
        post("/echo", "", 200),
        post("/echo", &"e".repeat(3000), 200),
        post("/echo", &"e".repeat(50_000), 200),
        chunked("/echo", "5\r\nhello\r\n0\r\n\r\n", 200),
        chunked("/echo", "5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", 200),
        chunked(
            "/event",
            "a\r\n{\"userId\":\r\n11\r\n\"c\",\"value\":0.25}\r\n0\r\n\r\n",
            200,
        ),
        post("/event", "no", 400),
        post("/event", r#"{"userId":"a"}"#, 400),
        post("/event", r#"{"userId":"a","value":1e999}"#, 422),
        post(
            "/event",
            r#"{"\u0075serId":"\ud83d\ude00\n","value":-1.5e3}"#,
            200,
        ),
    ];
    if turn.is_multiple_of(10) {
        all.push(post("/reset", "", 200));
    }
    for user in 0..20 {
        all.push((event(&format!("new-{turn}-{user}"), "1.5"), 200));
    }
    all
}

/// What ends the connection: the request, and the status; 0: anything or nothing.
fn affronts() -> Vec<(Vec<u8>, u16)> {
    let long = "x".repeat(9000);
    let get = |text: &str| format!("GET /ping HTTP/1.1\r\n{text}\r\n\r\n").into_bytes();
    let post = |text: &str| format!("POST /echo HTTP/1.1\r\nHost: a\r\n{text}").into_bytes();
    vec![
        (b"nonsense\r\n\r\n".to_vec(), 400),
        (b"GET /ping HTTP/3.7\r\nHost: a\r\n\r\n".to_vec(), 505),
        (get("Host: a\r\nHost: b"), 400),
        (get("Host: a\r\nConnection: close"), 200),
        (get(&format!("Host: a\r\nX: {long}")), 431),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
            414,
        ),
        (post("Content-Length: 99999999999\r\n\r\n"), 413),
        (post("Content-Length: 1\r\nExpect: magic\r\n\r\n"), 417),
        (post("Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400),
        (post("Transfer-Encoding: gzip\r\n\r\n"), 0),
        // Broken off within a head, a body, a large body; and a head that stops.
        (b"GET /pi".to_vec(), 0),
        (post("Content-Length: 100\r\n\r\nhalf"), 0),
        (
            post(&format!("Content-Length: 100000\r\n\r\n{long}{long}")),
            0,
        ),
        (
            post("Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"),
            0,
        ),
    ]
}

/// Some hundred requests; says how many of them are right enough to be lent to the application.
fn load(server: SocketAddr, turn: u64) -> u64 {
    let mut client = Client::new(server);
    let questions = questions(turn);
    for (question, status) in &questions {
        let answer = client.ask(question);
        assert_eq!(answer.status, *status, "{}", question.escape_ascii());
    }
    // As a pipeline, which goes out while the answers come in.
    let mut writer = client.socket.try_clone().unwrap();
    let bytes: Vec<u8> = questions
        .iter()
        .flat_map(|(bytes, _)| bytes.clone())
        .collect();
    let writing = std::thread::spawn(move || {
        // In pieces whose ends move on from turn to turn.
        for piece in bytes.chunks(700 + turn as usize * 13) {
            writer.write_all(piece).unwrap();
        }
    });
    for (_, status) in &questions {
        assert_eq!(client.answer().status, *status);
    }
    writing.join().unwrap();
    for (affront, status) in affronts() {
        let mut client = Client::new(server);
        client.send(&affront);
        if status != 0 {
            assert_eq!(client.answer().status, status, "{}", affront.escape_ascii());
        }
    }
    2 * questions.len() as u64
}

/// More connections than there may be, and heads that nobody finishes.
fn crowd(server: SocketAddr) {
    let mut clients: Vec<Client> = (0..120)
        .filter_map(|_| Client::try_new(server).ok())
        .collect();
    for client in &mut clients {
        // The server may have closed it with a 503 already.
        let _ = client.socket.write_all(b"GET /ping HT");
    }
    let statuses: Vec<u16> = clients
        .iter_mut()
        .filter_map(|client| client.try_answer().ok())
        .map(|answer| answer.status)
        .collect();
    assert!(
        statuses.contains(&503) && statuses.contains(&408),
        "{statuses:?}"
    );
}
