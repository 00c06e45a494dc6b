//! Peers that break off, end early, read slowly: and every byte goes to whom it belongs.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use barewire_tests::client::{Client, request};
use barewire_tests::drill::{Manner, Patrol, proc};
use rustix::net::sockopt;

use super::{PATIENCE, alone, ping, say, serve, settle};

/// Connects, says something or nothing, and resets.
fn storm(addr: SocketAddr, number: u64) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(addr)?;
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    match number % 5 {
        0 => Ok(()),
        1 => socket.write_all(b"GET /ping HTTP/1.1\r\nHo"),
        // Answers on their way meet the reset.
        2 => socket.write_all(&request("GET", "/json", b"").repeat(20)),
        3 => {
            socket.write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
        }
        // Snapshots are put off where several workers have to agree.
        _ => socket.write_all(&request("GET", "/stats", b"").repeat(3)),
    }
}

#[test]
fn a_storm_of_resets_is_not_noticed_by_the_others() {
    let _alone = alone();
    let server = serve("--workers 2 --connections 1000");
    let (addr, before) = (server.addr(), proc::descriptors(server.pid()));
    let rest = Duration::from_millis(10);
    let mut patrol = Patrol::new(addr, 30, rest, &ping(), |_| Manner::default());
    let (over, storms) = (AtomicBool::new(false), AtomicU64::new(0));
    let report = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let number = storms.fetch_add(1, Ordering::Relaxed);
                    // A write may meet the end of a connection that was refused.
                    let _ = storm(addr, number);
                }
            });
        }
        let report = patrol.run(Duration::from_secs(2), PATIENCE);
        over.store(true, Ordering::Relaxed);
        report
    });
    drop(patrol);
    settle(&server, before);
    let storms = storms.into_inner();
    let tally = server.stop();
    say(format_args!(
        "storm: {storms} resets within 2 s; 30 others get {} answers, none late by more than {:?} \
         (99 %: {:?}); {before} descriptors before and after; {tally:?}",
        report.good,
        report.slowest,
        report.permille(990),
    ));
    assert!(
        report.is_clean(),
        "{} bad, {} closed",
        report.bad,
        report.closed
    );
    assert!(storms > 2_000 && tally.in_time, "too little");
    assert_eq!(tally.refused, 0);
}

/// Bytes that are not the same anywhere near.
fn pattern(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(next).collect()
}

/// Readers with the smallest buffer that the system gives, a few bytes at a time.
const SLOW_READERS: u32 = 4;
/// Bytes that each of them gets: a dozen fillings of a slot. (The system closes and probes so small
/// a window by timers: three times as many took 1 to 22 s.)
const SLOW_BYTES: usize = 100_000;

#[test]
fn slow_readers_with_tiny_buffers_get_every_byte() {
    let _alone = alone();
    let server = serve("--workers 1");
    let addr = server.addr();
    let rest = Duration::from_millis(10);
    let mut patrol = Patrol::new(addr, 20, rest, &ping(), |_| Manner::default());
    let began = Instant::now();
    let (report, took) = thread::scope(|scope| {
        let readers: Vec<_> = (0..SLOW_READERS)
            .map(|seed| {
                scope.spawn(move || {
                    let body = pattern(seed, SLOW_BYTES);
                    let socket = rustix::net::socket(
                        rustix::net::AddressFamily::INET,
                        rustix::net::SocketType::STREAM,
                        None,
                    )
                    .unwrap();
                    // Before it connects, as the window is agreed on then.
                    sockopt::set_socket_recv_buffer_size(&socket, 1024).unwrap();
                    rustix::net::connect(&socket, &addr).unwrap();
                    let mut socket = TcpStream::from(socket);
                    socket.set_read_timeout(Some(PATIENCE)).unwrap();
                    let mut writer = socket.try_clone().unwrap();
                    let whole = request("POST", "/echo", &body);
                    let writing = thread::spawn(move || {
                        writer.write_all(&whole).unwrap();
                        writer.shutdown(Shutdown::Write).unwrap();
                    });
                    let mut all = Vec::new();
                    let mut piece = [0; 700];
                    loop {
                        match socket.read(&mut piece).unwrap() {
                            0 => break,
                            count => all.extend(&piece[..count]),
                        }
                    }
                    writing.join().unwrap();
                    assert!(all.ends_with(&body) && all.starts_with(b"HTTP/1.1 200 "));
                })
            })
            .collect();
        let report = patrol.run(Duration::from_millis(800), PATIENCE);
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
        (report, began.elapsed())
    });
    drop(patrol);
    let tally = server.stop();
    say(format_args!(
        "slow readers: {SLOW_READERS} with receive buffers of 2 KiB get {SLOW_BYTES} bytes each \
         within {took:?}; 20 others get {} answers (99 %: {:?}); {tally:?}",
        report.good,
        report.permille(990),
    ));
    assert!(report.is_clean());
    assert_eq!((tally.faults, tally.in_time), (0, true));
}

#[test]
fn data_and_the_end_in_one_segment_are_answered_and_closed() {
    let _alone = alone();
    let server = serve("--workers 1");
    let (addr, before) = (server.addr(), proc::descriptors(server.pid()));
    let began = Instant::now();
    let text = [
        request("GET", "/users/7", b""),
        request("POST", "/echo", b"the end"),
    ]
    .concat();
    let mut paused = 0;
    for number in 0..1_000 {
        let mut socket = TcpStream::connect(addr).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // Nothing goes out before the end of the stream, and then all in one segment.
        sockopt::set_tcp_cork(&socket, true).unwrap();
        socket.write_all(&text).unwrap();
        if number % 2 == 0 {
            // Time to be accepted, and to wait with an empty buffer. The others may still lie in
            // the backlog when all of it comes.
            thread::sleep(Duration::from_millis(1));
            paused += 1;
        }
        socket.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
        assert!(answer.contains("\r\n\r\n7HTTP/1.1") && answer.ends_with("\r\n\r\nthe end"));
    }
    let took = began.elapsed();
    settle(&server, before);
    let tally = server.stop();
    say(format_args!(
        "data and FIN in one segment: 1000 connections, {paused} of them 1 ms after they were \
         opened, answered and closed within {took:?}; {tally:?}"
    ));
    assert_eq!((tally.requests, tally.faults), (2_000, 0));
}

#[test]
fn who_has_ended_its_stream_still_gets_its_whole_answer() {
    let _alone = alone();
    let server = serve("--workers 2");
    let (addr, before) = (server.addr(), proc::descriptors(server.pid()));
    let began = Instant::now();
    for round in 0..10 {
        let mut client = Client::new(addr);
        let body = pattern(round, 1 << 20);
        let mut writer = client.socket.try_clone().unwrap();
        let mut whole = request("GET", "/json", b"").repeat(64);
        whole.extend(request("POST", "/echo", &body));
        let writing = thread::spawn(move || {
            writer.write_all(&whole).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        // The answers fill all buffers on the way while nobody reads.
        thread::sleep(Duration::from_millis(20));
        for _ in 0..64 {
            assert_eq!(client.answer().status, 200);
        }
        assert!(client.answer().body == body, "round {round}");
        writing.join().unwrap();
        assert_eq!(
            client.socket.read(&mut [0]).unwrap(),
            0,
            "it ends in good order"
        );
    }
    let took = began.elapsed();
    settle(&server, before);
    let tally = server.stop();
    say(format_args!(
        "half-closed: 10 clients end their streams and get 64 answers and 1 MiB each within \
         {took:?}; {tally:?}"
    ));
    assert_eq!((tally.requests, tally.faults), (650, 0));
}

/// Connections whose descriptors follow each other, as fast as it goes.
const REUSES: u64 = 20_000;

/// One of them: it asks for what only it knows, and leaves in one of several ways. Says whether it
/// has read its answers.
fn reuse(addr: SocketAddr, number: u64) -> bool {
    let mut client = Client::new(addr);
    let _ = sockopt::set_socket_linger(&client.socket, Some(Duration::ZERO));
    let ask = |at: u64| request("GET", &format!("/users/{number}-{at}"), b"");
    client.send(&[ask(0), ask(1), ask(2)].concat());
    if number.is_multiple_of(3) {
        // Its answers are under way: whoever gets its descriptor must not get them.
        return false;
    }
    for at in 0..3 {
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.text()),
            (200, format!("{number}-{at}"))
        );
    }
    true
}

#[test]
fn descriptors_used_again_at_full_speed_bring_each_answer_to_its_own_client() {
    let _alone = alone();
    let server = serve("--workers 2 --connections 1000");
    let (addr, before) = (server.addr(), proc::descriptors(server.pid()));
    let (next, read) = (AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= REUSES {
                        break;
                    }
                    let has_read = reuse(addr, number);
                    read.fetch_add(u64::from(has_read), Ordering::Relaxed);
                }
            });
        }
    });
    let took = began.elapsed();
    settle(&server, before);
    let (read, tally) = (read.into_inner(), server.stop());
    say(format_args!(
        "descriptors used again: {REUSES} connections within {took:?} ({:.0} per second), {read} \
         read three answers each, all their own; {tally:?}",
        REUSES as f64 / took.as_secs_f64()
    ));
    assert_eq!((tally.connections, tally.refused), (REUSES, 0));
    assert_eq!(read, REUSES - REUSES.div_ceil(3));
}
