//! The whole server over real sockets: the conformance vectors, and what they do not reach.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use barewire::challenge::{Board, Options};
use barewire::{Config, Server};
use barewire_tests::client::{Client, request};
use barewire_tests::conformance::{
    Corpus, Filter, Mode, Pace, Report, ResponseStream, Run, State, Verdict, run_socket_paced,
};
use barewire_tests::sim::Rng;

fn start(change: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers: 2,
        connections: 1000,
        ..Config::default()
    };
    change(&mut config);
    let board = Board::new(Options::default(), config.workers).unwrap();
    Server::start(&config, move |number| board.worker(number)).unwrap()
}

fn is_served(addr: SocketAddr) -> bool {
    let mut client = Client::new(addr);
    client.ask(&request("GET", "/ping", b"")).body == b"pong"
}

/// Bytes that differ wherever two places might be confused.
fn pattern(len: usize) -> Vec<u8> {
    let mut rng = Rng::new(len as u64);
    (0..len.div_ceil(8))
        .flat_map(|_| rng.any().to_le_bytes())
        .take(len)
        .collect()
}

// ---- the conformance vectors ----

/// No warnings either: where the RFCs leave a choice, it is the recommended one.
fn assert_flawless(report: &Report) {
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.count(Verdict::Warn), 0, "{report}");
}

#[test]
fn every_case_that_needs_no_long_wait_is_permitted() {
    let server = start(|_| {});
    // The cases mostly wait; a server on the same machine answers within milliseconds.
    let pace = Pace {
        jobs: 32,
        ..Pace::default()
    };
    let filter = Filter {
        app: true,
        ..Filter::default()
    };
    let modes = [Mode::Whole, Mode::Split, Mode::Bytes];
    let corpus = Corpus::load().unwrap();
    let report = run_socket_paced(server.local_addr(), &corpus, &filter, &modes, &pace);
    assert_flawless(&report);
    assert_eq!(server.shut_down().0.panics, 0);
}

#[test]
fn every_case_that_waits_for_a_deadline_is_permitted() {
    let server = start(|_| {});
    let mut corpus = Corpus::load().unwrap();
    corpus.vectors.retain(|vector| vector.run == Run::Slow);
    let filter = Filter::everything();
    let pace = Pace::default();
    let report = run_socket_paced(server.local_addr(), &corpus, &filter, &[Mode::Whole], &pace);
    assert_flawless(&report);
}

// ---- large and many ----

/// More than all buffers on the way hold: both sides have to go on at the same time.
const LARGE_BYTES: usize = 64 << 20;

#[test]
fn an_echo_of_64_mib_of_known_length_is_exact() {
    let server = start(|_| {});
    let body = pattern(LARGE_BYTES);
    let mut client = Client::new(server.local_addr());
    let mut socket = client.socket.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let head =
                format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE_BYTES}\r\n\r\n");
            socket.write_all(head.as_bytes()).unwrap();
            socket.write_all(&body).unwrap();
        });
        let (status, head) = client.head().unwrap();
        assert_eq!(status, 200, "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {LARGE_BYTES}\r\n")));
        let mut piece = vec![0; 1 << 16];
        for expected in body.chunks(piece.len()) {
            client.read_exact(&mut piece[..expected.len()]).unwrap();
            assert!(piece[..expected.len()] == *expected);
        }
    });
    assert_eq!(client.ask(&request("GET", "/ping", b"")).body, b"pong");
}

#[test]
fn an_echo_of_64_mib_in_chunks_is_exact() {
    let server = start(|_| {});
    let body = pattern(LARGE_BYTES);
    let mut client = Client::new(server.local_addr());
    let mut socket = client.socket.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            socket.write_all(head).unwrap();
            let mut rng = Rng::new(2);
            let mut rest = &body[..];
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rng.one_to(100_000).min(rest.len()));
                let mut bytes = format!("{:x}\r\n", chunk.len()).into_bytes();
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
                socket.write_all(&bytes).unwrap();
                rest = after;
            }
            socket.write_all(b"0\r\n\r\n").unwrap();
        });
        let (status, head) = client.head().unwrap();
        assert_eq!(status, 200, "{head}");
        assert!(
            head.contains("\r\nTransfer-Encoding: chunked\r\n"),
            "{head}"
        );
        let mut echo = Vec::with_capacity(LARGE_BYTES);
        while client.chunk(&mut echo).unwrap() > 0 {}
        assert!(echo == body);
    });
    assert_eq!(client.ask(&request("GET", "/ping", b"")).body, b"pong");
}

#[test]
fn ten_thousand_requests_come_one_after_the_other_on_one_connection() {
    let server = start(|_| {});
    let mut client = Client::new(server.local_addr());
    for number in 0..10_000 {
        let user = number.to_string();
        let answer = client.ask(&request("GET", &format!("/users/{user}"), b""));
        assert_eq!((answer.status, answer.text()), (200, user));
    }
    drop(client);
    let (tally, _) = server.shut_down();
    assert_eq!((tally.connections, tally.requests), (1, 10_000));
}

#[test]
fn pipelines_64_deep_are_answered_in_order_wherever_they_are_cut() {
    let server = start(|_| {});
    let mut rng = Rng::new(64);
    let mut socket = Client::new(server.local_addr()).socket;
    for round in 0..200 {
        let mut bytes = Vec::new();
        let expected: Vec<Vec<u8>> = (0..64)
            .map(|at| {
                if rng.below(3) == 0 {
                    let name = format!("{round}.{at}");
                    bytes.extend(request("GET", &format!("/users/{name}"), b""));
                    name.into_bytes()
                } else {
                    let body = pattern(rng.below(600));
                    bytes.extend(request("POST", "/echo", &body));
                    body
                }
            })
            .collect();
        thread::scope(|scope| {
            let mut sending = socket.try_clone().unwrap();
            let mut rng = Rng::new(round);
            scope.spawn(move || {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let longest = [8, 200, 5000][rng.below(3)];
                    let (piece, after) = rest.split_at(rng.one_to(longest).min(rest.len()));
                    sending.write_all(piece).unwrap();
                    rest = after;
                }
            });
            let mut answers = ResponseStream::new(&[]);
            let mut piece = [0; 1 << 14];
            while answers.observation().finals.len() < 64 {
                match socket.read(&mut piece) {
                    Ok(0) => panic!("closed after {}", answers.observation().in_short()),
                    Ok(count) => answers.push(&piece[..count]),
                    Err(error) => panic!("{error}"),
                }
            }
            let seen = answers.into_observation();
            assert_eq!((seen.bad, seen.state), (None, State::Open));
            for (answer, body) in seen.finals.iter().zip(&expected) {
                assert_eq!(answer.status, 200);
                assert!(answer.body == *body, "round {round}");
            }
        });
    }
}

// ---- peers that do not do their part ----

#[test]
fn a_peer_that_never_reads_is_cut_and_the_others_go_on() {
    let server = start(|config| {
        config.workers = 1;
        config.limits.send_ms = 700;
    });
    let addr = server.local_addr();
    let mut deaf = Client::new(addr);
    let echo = request("POST", "/echo", &[b'e'; 1024]);
    let requests = echo.repeat(2000);
    let began = Instant::now();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // 2 MB vanish in the buffers of the system; what counts is that it ends.
            loop {
                if let Err(error) = deaf.socket.write_all(&requests) {
                    return error.kind();
                }
            }
        });
        while !writer.is_finished() {
            let asked = Instant::now();
            assert!(is_served(addr));
            assert!(asked.elapsed() < Duration::from_secs(5), "held up");
            thread::sleep(Duration::from_millis(10));
        }
        let kind = writer.join().unwrap();
        let cut = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(cut.contains(&kind), "{kind}");
    });
    assert!(began.elapsed() < Duration::from_secs(15));
    assert!(server.shut_down().1, "something was left open");
}

#[test]
fn heads_that_dribble_are_cut_at_their_deadline() {
    let server = start(|config| {
        config.limits.head_ms = 500;
        config.limits.first_byte_ms = 500;
    });
    let addr = server.local_addr();
    thread::scope(|scope| {
        for at in 0..20 {
            scope.spawn(move || {
                let head = b"GET /ping HTTP/1.1\r\nHost: a\r\nX-Padding: dribble";
                // Some never send anything, some wait for an answer, some just send on.
                let (count, stops) = [(0, true), (20, true), (200, false)][at % 3];
                let mut client = Client::new(addr);
                let began = Instant::now();
                for byte in head.iter().cycle().take(count) {
                    if client.socket.write_all(&[*byte]).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(20));
                }
                match client.try_answer() {
                    Ok(answer) => assert_eq!((answer.status, count > 0), (408, true)),
                    Err(error) => {
                        let silent = count == 0 && error.kind() == ErrorKind::UnexpectedEof;
                        let reset = !stops && error.kind() == ErrorKind::ConnectionReset;
                        assert!(silent || reset, "{at}: {error}");
                    }
                }
                let took = began.elapsed();
                assert!(took >= Duration::from_millis(400), "{at}: {took:?}");
                assert!(took < Duration::from_secs(10), "{at}: {took:?}");
            });
        }
        assert!(is_served(addr));
    });
}

// ---- how many, and the end ----

#[test]
fn connections_beyond_the_limit_are_told_503_until_one_goes() {
    let server = start(|config| {
        config.workers = 1;
        config.connections = 4;
    });
    let addr = server.local_addr();
    let ping = request("GET", "/ping", b"");
    let mut clients: Vec<Client> = (0..4).map(|_| Client::new(addr)).collect();
    for client in &mut clients {
        assert_eq!(client.ask(&ping).status, 200);
    }
    for _ in 5..=8 {
        let mut client = Client::new(addr);
        let answer = client.answer();
        assert_eq!(answer.status, 503);
        assert!(answer.has("Connection: close"), "{}", answer.head);
        assert!(client.ends(), "in good order");
    }
    for client in &mut clients {
        assert_eq!(
            client.ask(&ping).status,
            200,
            "the four are served as before"
        );
    }
    clients.pop();
    // The server learns of the close in its own time.
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let mut client = Client::new(addr);
        client.send(&ping);
        match client.try_answer() {
            Ok(answer) if answer.status == 200 => break,
            _ => assert!(Instant::now() < deadline, "the place is not free again"),
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert!(server.shut_down().0.refused >= 4);
}

#[test]
fn a_drain_closes_the_idle_and_lets_the_others_finish() {
    // One worker accepts in order: when the last is served, all have been accepted.
    let server = start(|config| config.workers = 1);
    let addr = server.local_addr();
    let mut idle = Client::new(addr);
    idle.ask(&request("GET", "/ping", b""));
    let mut fresh = Client::new(addr);
    let mut busy = Client::new(addr);
    busy.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf ");
    let mut begun = Client::new(addr);
    begun.send(b"GET /ping HT");
    assert!(is_served(addr), "and the others have arrived");
    thread::sleep(Duration::from_millis(200));

    server.handle().drain();
    assert!(idle.ends(), "in good order");
    assert!(fresh.ends(), "in good order");
    thread::sleep(Duration::from_millis(100));
    assert!(Client::try_new(addr).is_err(), "nobody listens any more");
    busy.send(b"done.");
    let answer = busy.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "half done."));
    assert!(answer.has("Connection: close"), "{}", answer.head);
    assert!(busy.ends());
    begun.send(b"TP/1.1\r\nHost: a\r\n\r\n");
    let answer = begun.answer();
    assert_eq!(answer.text(), "pong");
    assert!(answer.has("Connection: close"), "{}", answer.head);
    assert!(begun.ends());
    let tally = server.join();
    assert_eq!((tally.requests, tally.faults, tally.panics), (4, 0, 0));
}

#[test]
fn who_does_not_finish_in_time_is_aborted() {
    let server = start(|config| config.shutdown_ms = 300);
    let mut stuck = Client::new(server.local_addr());
    stuck.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf ");
    thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    let (_, in_time) = server.shut_down();
    assert!(!in_time);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(!stuck.ends(), "by a reset");
}

#[test]
fn an_abort_ends_everything_at_once() {
    let server = start(|_| {});
    let addr = server.local_addr();
    let mut clients: Vec<Client> = (0..20).map(|_| Client::new(addr)).collect();
    for client in &mut clients {
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf ");
    }
    thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    server.handle().abort();
    server.join();
    assert!(began.elapsed() < Duration::from_secs(5));
    for client in &mut clients {
        assert!(!client.ends(), "by a reset");
    }
}

#[test]
fn the_end_of_a_clients_stream_ends_the_connection_in_good_order() {
    let server = start(|config| config.limits.linger_ms = 20_000);
    let mut client = Client::new(server.local_addr());
    client.send(&request("GET", "/ping", b""));
    client.socket.shutdown(Shutdown::Write).unwrap();
    let began = Instant::now();
    assert_eq!(client.answer().body, b"pong");
    assert!(client.ends());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "not by a deadline: {took:?}");
}
