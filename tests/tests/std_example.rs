//! `core/examples/std.rs`, the embedding to copy, over real sockets: the conformance vectors of
//! the routes that it has, and its deadlines.

#[allow(dead_code)] // each test uses a part of it
mod bounded;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use barewire_tests::conformance::{
    Corpus, Filter, Mode, Pace, Run, Step, Vector, run_socket_paced,
};
use bounded::Process;

/// Where the built example lies. It is built with the profile and in the folder of this test, so
/// that next to nothing is compiled twice.
fn example() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let (target, profile) = bounded::built_in();
        let mut build = bounded::cargo();
        build.args([
            "build",
            "--locked",
            "-p",
            "barewire-core",
            "--example",
            "std",
        ]);
        build.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        bounded::run(&mut build, Duration::from_secs(300));
        profile.join("examples").join("std")
    })
}

struct Server {
    addr: SocketAddr,
    _process: Process,
}

fn start(flags: &[&str]) -> Server {
    let child = Command::new(example())
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
        _process: process,
    }
}

/// Whether a vector needs nothing but the routes of the example.
fn has_routes(vector: &Vector) -> bool {
    let names = |route: &[u8]| {
        let texts = vector.steps.iter().filter_map(Step::text);
        texts
            .map(|text| text.bytes())
            .any(|bytes| bytes.windows(route.len()).any(|part| part == route))
    };
    vector.run != Run::App && !names(b" /event") && !names(b" /stats") && !names(b" /reset")
}

fn corpus() -> Corpus {
    let mut corpus = Corpus::load().unwrap();
    corpus.vectors.retain(has_routes);
    // So that a change of the filter above, or of the vectors' form, cannot empty this test.
    assert!(corpus.vectors.len() > 400, "{}", corpus.vectors.len());
    corpus
}

#[test]
fn it_answers_every_vector_of_its_routes() {
    let server = start(&[]);
    // The cases wait more than they work.
    let pace = Pace {
        jobs: 24,
        ..Pace::default()
    };
    let modes = [Mode::Whole, Mode::Split];
    let report = run_socket_paced(server.addr, &corpus(), &Filter::default(), &modes, &pace);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn it_drops_every_slow_client() {
    let server = start(&["--fast-deadlines"]);
    let mut corpus = corpus();
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
    assert!(report.is_clean(), "{report}");
}

/// Sends, then reads to the end; says what came and after how long.
fn talk(addr: SocketAddr, input: &[u8]) -> (String, Duration) {
    let begin = Instant::now();
    let mut socket = TcpStream::connect(addr).unwrap();
    let limit = Some(Duration::from_secs(10));
    socket.set_read_timeout(limit).unwrap();
    socket.set_write_timeout(limit).unwrap();
    socket.write_all(input).unwrap();
    let mut output = Vec::new();
    socket.read_to_end(&mut output).unwrap();
    (String::from_utf8(output).unwrap(), begin.elapsed())
}

#[test]
fn a_half_sent_head_is_answered_408_in_time() {
    let server = start(&["--fast-deadlines"]);
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

#[test]
fn answers_larger_than_the_buffer_arrive_whole() {
    let server = start(&["--fast-deadlines"]);
    let (answer, _) = talk(
        server.addr,
        b"GET /count HTTP/1.0\r\n\r\n", // up to the close, so without chunks
    );
    let expected: String = (1..=10_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(answer.split("\r\n\r\n").nth(1), Some(expected.as_str()));
    // More than is promised to an answer: put off and resumed.
    let id = "x".repeat(4000);
    let get = format!("GET /users/{id} HTTP/1.1\r\nHost: a\r\n");
    let twice = format!("{get}\r\n{get}Connection: close\r\n\r\n");
    let (answer, _) = talk(server.addr, twice.as_bytes());
    assert_eq!(answer.matches(&id).count(), 2, "{answer}");
}

#[test]
fn one_connection_too_many_is_told_503() {
    let server = start(&[]);
    let held: Vec<TcpStream> = (0..512)
        .map(|_| TcpStream::connect(server.addr).unwrap())
        .collect();
    let (answer, after) = talk(server.addr, b"");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    assert!(after < Duration::from_secs(5), "{after:?}");
    drop(held);
}
