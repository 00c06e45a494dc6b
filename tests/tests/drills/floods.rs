//! Peers that send without end, or never take what they are sent: each is answered or cut as the
//! documents say, the others go on, and the memory stays below what the banner announced.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use barewire_tests::client::{event, request};
use barewire_tests::drill::{Barewire, Close, Manner, News, Patrol, Report, Swarm, proc};

use super::{PATIENCE, alone, open, ping, say, serve};

/// A server whose buffers and statistics together are a tenth of a flood.
const SMALL: &str = "--workers 1 --connections 100 --users 1024 --user-bytes 64k";

/// What a flood is, in bytes.
const FLOOD_BYTES: usize = 24 << 20;

/// What the peers of a flood saw.
#[derive(Debug, Default)]
struct Outcome {
    /// Statuses of their answers.
    statuses: Vec<u16>,
    /// Connections, and how they ended.
    came: usize,
    closed: usize,
    reset: usize,
    /// Bytes that the system took from them.
    sent: u64,
    took: Duration,
}

/// Peers send `flood`, and read, until the server ends the connection; then they come again, until
/// `bytes` are sent in all. Eight healthy clients ask meanwhile.
fn flood(server: &Barewire, peers: usize, flood: &Arc<[u8]>, bytes: u64) -> (Outcome, Report) {
    let addr = server.addr();
    let rest = Duration::from_millis(5);
    let mut patrol = Patrol::new(addr, 8, rest, &ping(), |at| Manner::at(9, at));
    thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            let began = Instant::now();
            let mut swarm = Swarm::new(addr);
            let mut outcome = Outcome::default();
            for at in 0..peers {
                outcome.come(&mut swarm, at, flood);
            }
            swarm.run(PATIENCE, |swarm, news| {
                match news {
                    News::Answer { status, .. } => outcome.statuses.push(status),
                    News::Closed { peer, reset, sent } => {
                        outcome.sent += sent;
                        outcome.closed += usize::from(!reset);
                        outcome.reset += usize::from(reset);
                        if outcome.sent < bytes {
                            outcome.come(swarm, peer, flood);
                        }
                    }
                }
                outcome.closed + outcome.reset == outcome.came
            });
            outcome.took = began.elapsed();
            outcome
        });
        let mut reports = Report::default();
        while reports.good == 0 || !flooding.is_finished() {
            reports.add(&patrol.run(Duration::from_millis(200), PATIENCE));
        }
        (flooding.join().unwrap(), reports)
    })
}

impl Outcome {
    fn come(&mut self, swarm: &mut Swarm, at: usize, flood: &Arc<[u8]>) {
        self.came += 1;
        let peer = open(swarm, 1, |_| Manner::at(1, at))[0];
        swarm.send(peer, flood, 1);
    }
}

/// Runs one flood of `bytes` against a server of its own and judges what all floods have in common:
/// `line` behind `text` without end.
fn drill(name: &str, peers: usize, text: &str, line: &str, bytes: usize, expected: u16) {
    let server = serve(SMALL);
    let all = long(text, line, bytes);
    let (outcome, healthy) = flood(&server, peers, &all, bytes as u64);
    let (most, announced) = (proc::rss_most(server.pid()), server.announced_bytes());
    say(format_args!(
        "{name} on {peers} connections at a time: {} bytes on {} in all, {} answered {expected}, \
         {} closed and {} reset within {:?}; healthy: {} answers, the slowest {:?}; memory {most} \
         of {announced} bytes",
        outcome.sent,
        outcome.came,
        outcome.statuses.len(),
        outcome.closed,
        outcome.reset,
        outcome.took,
        healthy.good,
        healthy.slowest,
    ));
    assert!(outcome.sent >= bytes as u64, "that was no flood");
    assert_eq!(outcome.closed + outcome.reset, outcome.came, "all are cut");
    // One who goes on sending may lose the answer with the reset, but no one gets another.
    assert!(outcome.statuses.iter().all(|status| *status == expected));
    assert!(outcome.statuses.len() >= outcome.came / 2, "{outcome:?}");
    assert!(healthy.is_clean() && healthy.slowest < Duration::from_secs(1));
    assert!(
        most <= announced,
        "{most} bytes, announced were {announced}"
    );
    assert!(server.stop().in_time);
}

/// `text` with as many copies of `line` behind it as fit into `bytes`.
fn long(text: &str, line: &str, bytes: usize) -> Arc<[u8]> {
    let mut flood = text.as_bytes().to_vec();
    flood.extend(line.as_bytes().repeat(bytes / line.len()));
    flood.into()
}

const GET: &str = "GET /ping HTTP/1.1\r\nHost: a\r\n";
const FIELD: &str = "X-Field: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
const CHUNKED: &str = "POST /event HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn heads_of_24_mb_are_refused_within_one_slot() {
    let _alone = alone();
    let field = format!("{GET}X-Field: ");
    drill("one field without end", 1, &field, "a", FLOOD_BYTES, 431);
    drill("a target without end", 1, "GET /", "a", FLOOD_BYTES, 414);
    for peers in [1, 80] {
        drill("field lines", peers, GET, FIELD, FLOOD_BYTES, 431);
    }
}

#[test]
fn trailers_of_8_mb_are_refused() {
    let _alone = alone();
    let body = "a\r\n{\"userId\":\r\n11\r\n\"c\",\"value\":0.25}\r\n0\r\n";
    let text = format!("{CHUNKED}{body}");
    for peers in [1, 80] {
        drill("trailers", peers, &text, FIELD, 8 << 20, 431);
    }
}

#[test]
fn chunk_extensions_of_24_mb_are_refused() {
    let _alone = alone();
    let one = format!("{CHUNKED}1;x=");
    drill("one extension without end", 1, &one, "a", FLOOD_BYTES, 400);
    let chunk = "1;extension=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n";
    for peers in [1, 80] {
        drill(
            "chunks with extensions",
            peers,
            CHUNKED,
            chunk,
            FLOOD_BYTES,
            400,
        );
    }
}

#[test]
fn two_thousand_pipelined_requests_whose_answers_are_unread_fill_no_memory() {
    let _alone = alone();
    let server = serve(SMALL);
    let addr = server.addr();
    // Answers of 3 KB: each connection owes 6 MB, all together 240 MB, and the system holds no more
    // than 4 MB of what one of them was sent.
    let (peers, requests) = (40, 2000);
    let one = request("GET", &format!("/users/{}", "u".repeat(3000)), b"");
    let pipeline: Arc<[u8]> = one.repeat(requests).into();
    let mut swarm = Swarm::new(addr);
    let manner = |at| Manner {
        reads: false,
        recv_bytes: Some(1 << 16),
        ..Manner::at(1, at)
    };
    let peers = open(&mut swarm, peers, manner);
    for peer in &peers {
        swarm.send(*peer, &pipeline, 1);
    }
    let rest = Duration::from_millis(5);
    let mut patrol = Patrol::new(addr, 8, rest, &ping(), |at| Manner::at(9, at));
    let window = Duration::from_millis(1500);
    let healthy = thread::scope(|scope| {
        let patrol = scope.spawn(|| patrol.run(window, PATIENCE));
        swarm.run(window, |_, news| panic!("{news:?} too early"));
        patrol.join().unwrap()
    });
    let (most, announced) = (proc::rss_most(server.pid()), server.announced_bytes());
    let queued = proc::tcp_queued();

    // Nothing is lost of what waits: now they read.
    let mut answers = vec![0; peers.len()];
    let began = Instant::now();
    peers.iter().for_each(|peer| swarm.start_to_read(*peer));
    swarm.run(PATIENCE, |_, news| match news {
        News::Answer {
            peer, status: 200, ..
        } => {
            answers[peer] += 1;
            answers.iter().all(|count| *count == requests)
        }
        other => panic!("{other:?}"),
    });
    let took = began.elapsed();
    assert!(
        answers.iter().all(|count| *count == requests),
        "{answers:?}"
    );
    assert!(healthy.is_clean() && healthy.slowest < Duration::from_secs(1));
    assert!(proc::rss_most(server.pid()) <= announced);
    swarm.close_all(Close::Fin);
    drop(patrol);
    let tally = server.stop();
    assert_eq!((tally.faults, tally.in_time), (0, true));
    say(format_args!(
        "pipelines: {} connections with {requests} unread answers each; healthy: {} answers, the \
         slowest {:?}; memory {most} of {announced} bytes (and {queued} bytes in the system's \
         sockets); then all is read within {took:?}",
        peers.len(),
        healthy.good,
        healthy.slowest
    ));
}

#[test]
fn peers_that_never_read_are_cut_by_their_deadline() {
    let _alone = alone();
    let server = serve(&format!("{SMALL} --send-ms 1500"));
    let addr = server.addr();
    let endless = |target: &str, body: &[u8]| -> Arc<[u8]> {
        let method = if body.is_empty() { "GET" } else { "POST" };
        request(method, target, body).repeat(20).into()
    };
    // Small answers, large ones, streamed ones that never end, and statistics.
    let kinds = [
        endless("/ping", b""),
        endless(&format!("/users/{}", "u".repeat(3000)), b""),
        endless("/echo", &[b'e'; 40_000]),
        event("deaf", "1").repeat(20).into(),
    ];
    let manner = |at| Manner {
        reads: false,
        recv_bytes: Some(2048),
        ..Manner::at(1, at)
    };
    let mut swarm = Swarm::new(addr);
    let peers = open(&mut swarm, 80, manner);
    for peer in &peers {
        swarm.send(*peer, &kinds[peer % kinds.len()], u64::MAX);
    }
    let rest = Duration::from_millis(5);
    let mut patrol = Patrol::new(addr, 8, rest, &ping(), |at| Manner::at(9, at));
    let began = Instant::now();
    let (cut, first, healthy) = thread::scope(|scope| {
        let patrol = scope.spawn(|| patrol.run(Duration::from_secs(3), PATIENCE));
        let (mut cut, mut first) = (0, None);
        swarm.run(Duration::from_secs(10), |_, news| match news {
            News::Closed { .. } => {
                cut += 1;
                first.get_or_insert(began.elapsed());
                cut == peers.len()
            }
            other => panic!("{other:?} for somebody who does not read"),
        });
        (cut, first.unwrap_or_default(), patrol.join().unwrap())
    });
    let (took, most) = (began.elapsed(), proc::rss_most(server.pid()));
    let announced = server.announced_bytes();
    say(format_args!(
        "deaf: {cut} of {} peers cut between {first:?} and {took:?} (deadline 1.5 s); healthy: {} \
         answers, the slowest {:?}; memory {most} of {announced} bytes",
        peers.len(),
        healthy.good,
        healthy.slowest
    ));
    assert_eq!(cut, peers.len());
    assert!(first >= Duration::from_millis(1400), "{first:?}");
    assert!(healthy.is_clean() && healthy.slowest < Duration::from_secs(1));
    assert!(
        most <= announced,
        "{most} bytes, announced were {announced}"
    );
    drop(patrol);
    let tally = server.stop();
    assert_eq!((tally.faults, tally.in_time), (peers.len() as u64, true));
}
