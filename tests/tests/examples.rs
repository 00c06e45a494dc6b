//! The embeddings to copy, `core/examples/std.rs` and `core/examples/tokio.rs`, over real sockets:
//! the conformance vectors of the routes that they have, and their deadlines and bounds. And
//! `server/examples/embed.rs`, which turns a worker in a loop of its own.

#[allow(dead_code)] // each test uses a part of it
mod bounded;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use barewire_tests::conformance::{
    Corpus, Filter, Mode, Pace, Report, Run, Step, Vector, Verdict, run_socket_paced,
};
use bounded::Process;

/// One set of tests for each example; each test takes its name.
macro_rules! tests_of {
    ($module:ident, $example:literal: $($test:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    super::$test($example);
                }
            )*
        }
    };
}

tests_of! { std_example, "std":
    it_answers_every_vector_of_its_routes
    it_drops_every_slow_client
    a_half_sent_head_is_answered_408_in_time
    an_idle_connection_is_closed_in_time
    a_peer_that_never_reads_is_dropped_in_time
    answers_larger_than_the_promise_arrive_whole
    a_mebibyte_is_echoed_through_small_buffers
    two_hundred_are_served_at_once
    one_connection_too_many_is_told_503
    answers_larger_than_the_buffer_arrive_whole
}

tests_of! { tokio_example, "tokio":
    it_answers_every_vector_of_its_routes
    it_drops_every_slow_client
    a_half_sent_head_is_answered_408_in_time
    an_idle_connection_is_closed_in_time
    a_peer_that_never_reads_is_dropped_in_time
    answers_larger_than_the_promise_arrive_whole
    a_mebibyte_is_echoed_through_small_buffers
    two_hundred_are_served_at_once
    one_connection_too_many_is_told_503
    refusals_are_bounded_too
    a_handler_that_waits_lets_earlier_answers_go
    a_handler_that_waits_too_long_is_answered_503
    a_handler_is_dropped_when_its_peer_resets
    a_stop_closes_the_idle_and_answers_the_busy
    a_second_interrupt_stops_at_once
}

/// Where a built example lies. All are built with the profile and in the folder of this test, so
/// that next to nothing is compiled twice.
fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let (target, profile) = bounded::built_in();
        let mut build = bounded::cargo();
        build.args(["build", "--locked", "-p", "barewire-core", "-p", "barewire"]);
        build.args(["--example", "std", "--example", "tokio"]);
        build.args(["--example", "embed"]);
        build.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        bounded::run(&mut build, Duration::from_secs(300));
        profile.join("examples")
    });
    folder.join(name)
}

struct Server {
    addr: SocketAddr,
    process: Process,
}

fn start(example_name: &str, flags: &[&str]) -> Server {
    let child = Command::new(example(example_name))
        .arg("127.0.0.1:0")
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let mut line = String::new();
    BufReader::new(process.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let addr = line.trim().rsplit('/').next().unwrap().parse();
    Server {
        addr: addr.unwrap_or_else(|_| panic!("no address in {line:?}")),
        process,
    }
}

/// Whether a vector needs nothing but the routes of the example: that for threads has no
/// statistics.
fn has_routes(example: &str, vector: &Vector) -> bool {
    let names = |route: &[u8]| {
        let texts = vector.steps.iter().filter_map(Step::text);
        texts
            .map(|text| text.bytes())
            .any(|bytes| bytes.windows(route.len()).any(|part| part == route))
    };
    if example == "tokio" {
        return true;
    }
    vector.run != Run::App && !names(b" /event") && !names(b" /stats") && !names(b" /reset")
}

fn corpus(example: &str) -> Corpus {
    let mut corpus = Corpus::load().unwrap();
    corpus.vectors.retain(|vector| has_routes(example, vector));
    // So that a change of the filter above, or of the vectors' form, cannot empty this test.
    assert!(corpus.vectors.len() > 400, "{}", corpus.vectors.len());
    corpus
}

fn it_answers_every_vector_of_its_routes(example: &str) {
    let server = start(example, &[]);
    // The cases wait more than they work.
    let pace = Pace {
        jobs: 24,
        ..Pace::default()
    };
    let modes = [Mode::Whole, Mode::Split, Mode::Bytes];
    let filter = Filter {
        app: true,
        ..Filter::default()
    };
    let report = run_socket_paced(server.addr, &corpus(example), &filter, &modes, &pace);
    assert_flawless(&report);
}

fn it_drops_every_slow_client(example: &str) {
    let server = start(example, &["--fast-deadlines"]);
    let mut corpus = corpus(example);
    corpus.vectors.retain(|vector| vector.run == Run::Slow);
    assert!(!corpus.vectors.is_empty());
    let filter = Filter {
        slow: true,
        ..Filter::default()
    };
    let pace = Pace {
        slow_limit: Duration::from_secs(4),
        ..Pace::default()
    };
    let report = run_socket_paced(server.addr, &corpus, &filter, &[Mode::Whole], &pace);
    assert_flawless(&report);
}

/// No warnings either: where the RFCs leave a choice, it is the recommended one.
fn assert_flawless(report: &Report) {
    assert!(report.is_clean(), "{report}");
    let other = report.count(Verdict::Warn) + report.count(Verdict::Fail);
    assert_eq!(other, 0, "{report}");
}

fn connect(addr: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(addr).unwrap();
    let limit = Some(Duration::from_secs(10));
    socket.set_read_timeout(limit).unwrap();
    socket.set_write_timeout(limit).unwrap();
    socket
}

/// Reads to the end; says what came.
fn rest_of(mut socket: TcpStream) -> String {
    let mut output = Vec::new();
    socket.read_to_end(&mut output).unwrap();
    String::from_utf8(output).unwrap()
}

/// Sends, then reads to the end; says what came and after how long.
fn talk(addr: SocketAddr, input: &[u8]) -> (String, Duration) {
    let begin = Instant::now();
    let mut socket = connect(addr);
    socket.write_all(input).unwrap();
    (rest_of(socket), begin.elapsed())
}

/// Asks for a page on a connection that stays open, and takes the answer: the body must be
/// `expected`.
fn ask(socket: &mut TcpStream, path: &str, expected: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    take(socket, expected);
}

/// Takes an answer of status 200 with this body.
fn take(socket: &mut TcpStream, expected: &str) {
    let mut bytes = Vec::new();
    let mut one = [0];
    while !bytes.ends_with(format!("\r\n\r\n{expected}").as_bytes()) {
        let n = socket.read(&mut one).unwrap();
        assert_eq!(n, 1, "the end behind {:?}", String::from_utf8_lossy(&bytes));
        bytes.push(one[0]);
    }
    assert!(
        bytes.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
}

fn a_half_sent_head_is_answered_408_in_time(example: &str) {
    let server = start(example, &["--fast-deadlines"]);
    let window = Duration::from_millis(500)..Duration::from_secs(5);
    let half = "GET /plaintext HTTP/1.1\r\nHost: a\r\n";
    let (answer, after) = talk(server.addr, half.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    assert!(window.contains(&after), "{after:?}");
    // Half a body is late too.
    let body = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    let (answer, after) = talk(server.addr, body.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(window.contains(&after), "{after:?}");
    // Silence is answered by silence.
    let (answer, after) = talk(server.addr, b"");
    assert!(
        answer.is_empty() && window.contains(&after),
        "{answer} {after:?}"
    );
}

fn answers_larger_than_the_buffer_arrive_whole(example: &str) {
    let server = start(example, &["--fast-deadlines"]);
    let (answer, _) = talk(
        server.addr,
        b"GET /count HTTP/1.0\r\n\r\n", // up to the close, so without chunks
    );
    let expected: String = (1..=10_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(answer.split("\r\n\r\n").nth(1), Some(expected.as_str()));
}

fn answers_larger_than_the_promise_arrive_whole(example: &str) {
    let server = start(example, &["--fast-deadlines"]);
    // More than is promised to an answer: put off and resumed.
    let id = "x".repeat(4000);
    let get = format!("GET /users/{id} HTTP/1.1\r\nHost: a\r\n");
    let twice = format!("{get}\r\n{get}Connection: close\r\n\r\n");
    let (answer, _) = talk(server.addr, twice.as_bytes());
    assert_eq!(answer.matches(&id).count(), 2, "{answer}");
}

fn an_idle_connection_is_closed_in_time(example: &str) {
    let server = start(example, &["--fast-deadlines"]);
    let mut socket = connect(server.addr);
    // Half of the time that is given to the first byte: what follows counts from the answer.
    sleep(Duration::from_millis(300));
    ask(&mut socket, "/plaintext", "Hello, World!");
    let begin = Instant::now();
    assert_eq!(rest_of(socket), "");
    let after = begin.elapsed();
    let window = Duration::from_millis(500)..Duration::from_secs(5);
    assert!(window.contains(&after), "{after:?}");
}

fn a_peer_that_never_reads_is_dropped_in_time(example: &str) {
    let server = start(example, &["--fast-deadlines"]);
    let mut socket = connect(server.addr);
    let length = 60 << 20; // far more than the sockets of both sides hold
    let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let begin = Instant::now();
    let piece = [b'x'; 1 << 16];
    let error = (0..length / piece.len()).find_map(|_| socket.write_all(&piece).err());
    let after = begin.elapsed();
    let kind = error.expect("the echo of it has no place").kind();
    let dropped = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(dropped.contains(&kind), "{kind:?} after {after:?}");
    let window = Duration::from_millis(500)..Duration::from_secs(8);
    assert!(window.contains(&after), "{after:?}");
}

fn a_mebibyte_is_echoed_through_small_buffers(example: &str) {
    let server = start(example, &[]);
    let body: Vec<u8> = (0..1u32 << 18).flat_map(u32::to_be_bytes).collect();
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut socket = connect(server.addr);
    let mut writer = socket.try_clone().unwrap();
    let mut output = Vec::new();
    thread::scope(|threads| {
        threads.spawn(|| {
            writer.write_all(head.as_bytes()).unwrap();
            writer.write_all(&body).unwrap();
        });
        socket.read_to_end(&mut output).unwrap();
    });
    assert!(output.starts_with(b"HTTP/1.1 200 "));
    assert!(output.ends_with(&body), "{} bytes", output.len());
}

fn two_hundred_are_served_at_once(example: &str) {
    let server = start(example, &[]);
    let mut sockets: Vec<TcpStream> = (0..200).map(|_| connect(server.addr)).collect();
    for round in 0..3 {
        // All ask before one is answered.
        for (n, socket) in sockets.iter_mut().enumerate() {
            let get = format!("GET /users/{round}-{n} HTTP/1.1\r\nHost: a\r\n\r\n");
            socket.write_all(get.as_bytes()).unwrap();
        }
        for (n, socket) in sockets.iter_mut().enumerate() {
            take(socket, &format!("{round}-{n}"));
        }
    }
}

fn one_connection_too_many_is_told_503(example: &str) {
    let server = start(example, &[]);
    let held: Vec<TcpStream> = (0..512)
        .map(|_| TcpStream::connect(server.addr).unwrap())
        .collect();
    let (answer, after) = talk(server.addr, b"");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    assert!(after < Duration::from_secs(5), "{after:?}");
    drop(held);
}

fn refusals_are_bounded_too(example: &str) {
    let server = start(example, &[]);
    let _held: Vec<TcpStream> = (0..512).map(|_| connect(server.addr)).collect();
    // None of these goes away, so that each refusal lingers.
    let refused: Vec<TcpStream> = (0..200).map(|_| connect(server.addr)).collect();
    let mut told = 0;
    for mut socket in refused {
        let mut output = Vec::new();
        match socket.read_to_end(&mut output) {
            Ok(_) if output.is_empty() => {}
            Ok(_) => {
                assert!(output.starts_with(b"HTTP/1.1 503 "));
                told += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    // On a slow machine the first may be gone when the last come.
    assert!((64..200).contains(&told), "{told}");
}

fn a_handler_that_waits_lets_earlier_answers_go(example: &str) {
    let server = start(example, &[]);
    let mut socket = connect(server.addr);
    let begin = Instant::now();
    let pipeline = "GET /users/first HTTP/1.1\r\nHost: a\r\n\r\n\
                    GET /slow/800 HTTP/1.1\r\nHost: a\r\n\r\n\
                    GET /users/last HTTP/1.1\r\nHost: a\r\n\r\n";
    socket.write_all(pipeline.as_bytes()).unwrap();
    take(&mut socket, "first");
    assert!(begin.elapsed() < Duration::from_millis(700));
    take(&mut socket, "waited 800 ms beside 0 others");
    assert!(begin.elapsed() >= Duration::from_millis(800));
    take(&mut socket, "last");
}

fn a_handler_that_waits_too_long_is_answered_503(example: &str) {
    let server = start(example, &["--fast-deadlines"]);
    let (answer, after) = talk(server.addr, b"GET /slow/9000 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    let window = Duration::from_millis(800)..Duration::from_secs(5);
    assert!(window.contains(&after), "{after:?}");
    let mut socket = connect(server.addr);
    ask(&mut socket, "/slow/0", "waited 0 ms beside 0 others");
}

fn a_handler_is_dropped_when_its_peer_resets(example: &str) {
    let server = start(example, &[]);
    let mut gone = connect(server.addr);
    let slow = b"GET /slow/20000 HTTP/1.1\r\nHost: a\r\n\r\n";
    gone.write_all(slow).unwrap();
    // Each answer says how many handlers waited beside its own.
    let until = |expected: &str| {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let (answer, _) = talk(server.addr, b"GET /slow/0 HTTP/1.0\r\n\r\n");
            if answer.ends_with(&format!("beside {expected} others")) {
                return;
            }
            assert!(Instant::now() < end, "{answer}, not {expected}");
        }
    };
    until("1");
    // A half-closed peer still reads: its handler goes on.
    gone.shutdown(Shutdown::Write).unwrap();
    sleep(Duration::from_millis(200));
    until("1");
    rustix::net::sockopt::set_socket_linger(&gone, Some(Duration::ZERO)).unwrap();
    drop(gone); // with a reset
    until("0");
}

/// What Ctrl-C sends.
fn interrupt(server: &Server) {
    let kill = format!("kill -INT {}", server.process.0.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}

/// How long the server takes to end by itself, in good order.
fn end_of(mut server: Server) -> Duration {
    let begin = Instant::now();
    loop {
        if let Some(status) = server.process.0.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return begin.elapsed();
        }
        assert!(begin.elapsed() < Duration::from_secs(15), "it goes on");
        sleep(Duration::from_millis(10));
    }
}

fn a_stop_closes_the_idle_and_answers_the_busy(example: &str) {
    let server = start(example, &[]);
    let new = connect(server.addr);
    let mut idle = connect(server.addr);
    ask(&mut idle, "/plaintext", "Hello, World!");
    let mut half = connect(server.addr);
    half.write_all(b"GET /plaintext HTTP/1.1\r\n").unwrap();
    let mut slow = connect(server.addr);
    let get = b"GET /slow/1500 HTTP/1.1\r\nHost: a\r\n\r\n";
    slow.write_all(get).unwrap();
    sleep(Duration::from_millis(300)); // all of it is there before the stop
    let begin = Instant::now();
    interrupt(&server);
    assert_eq!(rest_of(new), "");
    assert_eq!(rest_of(idle), "");
    assert!(
        begin.elapsed() < Duration::from_millis(1000),
        "{:?}",
        begin.elapsed()
    );
    assert!(TcpStream::connect(server.addr).is_err());
    half.write_all(b"Host: a\r\n\r\n").unwrap();
    let answer = rest_of(half);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    let answer = rest_of(slow);
    assert!(
        answer.ends_with("waited 1500 ms beside 0 others"),
        "{answer}"
    );
    let after = end_of(server);
    assert!(after < Duration::from_secs(3), "{after:?}");
}

fn a_second_interrupt_stops_at_once(example: &str) {
    let server = start(example, &[]);
    let mut half = connect(server.addr);
    half.write_all(b"GET /plaintext HTTP/1.1\r\n").unwrap();
    sleep(Duration::from_millis(300));
    interrupt(&server);
    sleep(Duration::from_millis(500));
    interrupt(&server);
    let after = end_of(server);
    assert!(after < Duration::from_secs(3), "{after:?}");
}

/// The steps that the program with a loop of its own says it has made.
fn steps(socket: &mut TcpStream) -> u64 {
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let answer = head_and_body(socket);
    let body = answer.rsplit("\r\n\r\n").next().unwrap();
    let steps = body.strip_suffix(" steps\n").map(str::parse);
    steps.unwrap_or_else(|| panic!("{answer:?}")).unwrap()
}

/// An answer that ends with the end of a line and nothing behind it.
fn head_and_body(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0; 1];
    let is_whole = |answer: &[u8]| {
        let text = String::from_utf8_lossy(answer);
        text.split_once("\r\n\r\n")
            .is_some_and(|(_, body)| body.ends_with('\n'))
    };
    while !is_whole(&answer) {
        socket.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_loop_of_its_own_goes_on_while_it_answers_and_stops_when_it_is_told() {
    let server = start("embed", &["60"]);
    let mut socket = connect(server.addr);
    let first = steps(&mut socket);
    sleep(Duration::from_millis(500));
    let second = steps(&mut socket);
    // Fifty at a hundred a second; a busy machine makes fewer, and a loop that waits for requests
    // makes none.
    assert!(second >= first + 10, "{first}, then {second}");
    let mut half = connect(server.addr);
    half.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    sleep(Duration::from_millis(200));
    let (answer, _) = talk(server.addr, b"POST /stop HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    // Who was under way is answered, and who rests is let go.
    half.write_all(b"Host: a\r\n\r\n").unwrap();
    let answer = rest_of(half);
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert!(answer.ends_with(" steps\n"), "{answer}");
    assert_eq!(rest_of(socket), "");
    let after = end_of(server);
    assert!(after < Duration::from_secs(5), "{after:?}");
}

#[test]
fn a_loop_of_its_own_ends_when_its_time_is_over() {
    example("embed"); // it is built before the clock runs
    let begin = Instant::now();
    let server = start("embed", &["1"]);
    let idle = connect(server.addr);
    assert_eq!(rest_of(idle), "");
    end_of(server);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(900), "{took:?}");
}
