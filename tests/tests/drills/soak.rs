//! Mixed load for a while, and far too much of it: memory is what it was.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use barewire_tests::client::{Client, event, request};
use barewire_tests::drill::{Barewire, Close, Manner, News, Swarm, proc};
use barewire_tests::mixture;
use rustix::net::sockopt;

use super::{PATIENCE, alone, number, ping, say, serve, settle};

/// Seconds of a usual run; those of the ignored one unless `BAREWIRE_SOAK` says otherwise.
const SECONDS: u64 = 20;
const LONG_SECONDS: u64 = 120;
/// The first half is warm-up: whatever is touched once is touched then.
const WARM_UP: u32 = 2;
/// Between two looks at the memory.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Bytes of memory that may come to be used between warm-up and end, whatever the time: some pages
/// of stacks and tables that the warm-up did not happen to touch. In two minutes there are about a
/// million requests, of which one byte each would be eight times as much.
const GROWTH_MAX: f64 = (128 << 10) as f64;
/// Users that there is room for; each round brings more, some are told 507, and a reset follows.
const USERS: usize = 4_000;
const CONNECTIONS: usize = 64;

/// Requests of new users until there is no more room, and then the reset.
fn fill(addr: SocketAddr, round: u64) -> u64 {
    let mut client = Client::new(addr);
    let mut full = 0;
    for portion in 0..USERS / 500 + 2 {
        let user = |at: usize| format!("soak-{round}-{}", portion * 500 + at);
        let bytes: Vec<u8> = (0..500).flat_map(|at| event(&user(at), "0.25")).collect();
        client.send(&bytes);
        full += (0..500).filter(|_| client.answer().status == 507).count() as u64;
    }
    assert!(full > 0, "there was room for all users");
    assert_eq!(client.ask(&request("POST", "/reset", b"")).status, 200);
    full
}

/// Uses three quarters of the slots from end to end, to receive and to send: the others are kept
/// for bad times. Otherwise most would be touched late or never, as the last one used is used first.
fn touch_slots(addr: SocketAddr) {
    let whole = request("POST", "/echo", &[b't'; 7_000]);
    let (first, second) = whole.split_at(whole.len() - 5);
    let mut half: Vec<Client> = (0..CONNECTIONS * 3 / 4)
        .map(|_| Client::new(addr))
        .collect();
    half.iter_mut().for_each(|client| client.send(first));
    for client in &mut half {
        assert_eq!(client.ask(second).status, 200);
    }
}

/// Connections that come and go in the middle of something: by a reset, by an end, in good order.
fn visit(addr: SocketAddr, number: u64) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let mut socket = TcpStream::connect(addr)?;
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let part: &[u8] = match number % 5 {
        0 => b"",
        1 => b"GET /ping HTTP/1.1\r\nHo",
        2 => b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{\"us",
        3 => b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        _ => b"GET /json HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    socket.write_all(part)?;
    if number % 5 == 4 {
        socket.shutdown(Shutdown::Write)?;
        while socket.read(&mut [0; 512])? > 0 {}
    }
    Ok(())
}

/// What a run was like: memory at each look, the seconds since the begin with it.
struct Run {
    looks: Vec<(f64, f64)>,
    requests: u64,
    visits: u64,
}

fn soak(server: &Barewire, time: Duration) -> Run {
    let addr = server.addr();
    let (stop, requests, visits) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    let mut looks = Vec::new();
    thread::scope(|scope| {
        let (stop, requests, visits) = (&stop, &requests, &visits);
        scope.spawn(move || {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let lent = mixture::load(addr, round % 16);
                fill(addr, round);
                requests.fetch_add(lent + USERS as u64 + 1_000, Ordering::Relaxed);
            }
        });
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                visit(addr, visits.fetch_add(1, Ordering::Relaxed)).expect("a visit");
                thread::sleep(Duration::from_micros(500));
            }
        });
        while began.elapsed() < time {
            thread::sleep(LOOK_EVERY);
            let at = began.elapsed();
            if at > time / WARM_UP {
                looks.push((at.as_secs_f64(), proc::rss(server.pid()) as f64));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    Run {
        looks,
        requests: requests.into_inner(),
        visits: visits.into_inner(),
    }
}

/// Bytes a second, by least squares.
fn slope(looks: &[(f64, f64)]) -> f64 {
    let count = looks.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| looks.iter().map(pick).sum::<f64>() / count;
    let (x, y) = (mean(|one| one.0), mean(|one| one.1));
    let above: f64 = looks.iter().map(|one| (one.0 - x) * (one.1 - y)).sum();
    let below: f64 = looks.iter().map(|one| (one.0 - x).powi(2)).sum();
    above / below
}

fn is_flat(seconds: u64) {
    let server = serve(&format!(
        "--workers 2 --connections {CONNECTIONS} --users {USERS} --user-bytes 256k"
    ));
    let before = proc::descriptors(server.pid());
    touch_slots(server.addr());
    let run = soak(&server, Duration::from_secs(seconds));
    settle(&server, before);
    let [first, last] = [run.looks.first(), run.looks.last()].map(|look| look.unwrap());
    let most = run.looks.iter().map(|look| look.1).fold(0.0, f64::max);
    let a_second = slope(&run.looks);
    let announced = server.announced_bytes() as f64;
    let tally = server.stop();
    say(format_args!(
        "soak: {} requests and {} visits within {seconds} s: {} bytes of memory after the \
         warm-up, {} at the end, {most} at most of {announced}; {a_second:.0} bytes a second; \
         {tally:?}",
        run.requests, run.visits, first.1, last.1
    ));
    let time = last.0 - first.0;
    assert!(a_second * time <= GROWTH_MAX, "{a_second} bytes a second");
    assert!(most <= first.1 + 2.0 * GROWTH_MAX, "{most} bytes");
    assert!(most <= announced);
    // All of it happened.
    assert!(run.visits > 100 * seconds && run.requests > 1_000 * seconds);
    assert!(tally.requests >= run.requests && tally.faults > run.visits / 5);
    assert!(tally.refused == 0 && tally.in_time);
}

#[test]
fn memory_is_flat_under_mixed_load() {
    let _alone = alone();
    is_flat(SECONDS);
}

#[test]
#[ignore = "two minutes, or as many seconds as BAREWIRE_SOAK says"]
fn memory_is_flat_under_mixed_load_for_long() {
    let _alone = alone();
    is_flat(number("BAREWIRE_SOAK").unwrap_or(LONG_SECONDS));
}

#[test]
fn a_slope_is_found() {
    let looks = |slope: f64| (0..50).map(move |at| (f64::from(at), 1e6 + slope * f64::from(at)));
    for bytes in [0.0, 5_000.0, -3.0] {
        let found = slope(&looks(bytes).collect::<Vec<_>>());
        assert!((found - bytes).abs() < 1e-3, "{found}");
    }
}

/// Places of the server that is overloaded, and how many want one.
const PLACES: usize = 100;
const OVERLOAD: usize = 10;
/// How long.
const OVERLOADED: Duration = Duration::from_secs(4);

#[test]
fn ten_times_too_many_peers_make_it_take_no_more_than_it_announced() {
    let _alone = alone();
    let server = serve(&format!(
        "--workers 2 --connections {PLACES} --users {USERS} --user-bytes 256k"
    ));
    let before = proc::descriptors(server.pid());
    let mut swarm = Swarm::new(server.addr());
    // Each wants more than it takes: pipelines of events, bodies, heads without an end; every
    // fourth reads no answer. Whoever is sent away comes back.
    let body = request("POST", "/echo", &[b'e'; 6_000]);
    let wishes: [Arc<[u8]>; 4] = [
        event("overload", "0.5").into(),
        body.into(),
        b"GET /ping HTTP/1.1\r\nHost: a\r\nX: y\r\n"
            .as_slice()
            .into(),
        request("GET", "/json", b"").into(),
    ];
    let mut came = 0_usize;
    let mut come = |swarm: &mut Swarm| {
        let manner = Manner {
            reads: came % 4 != 3,
            ..Manner::at(1, came)
        };
        let peer = swarm.open(manner).expect("a connection");
        swarm.send(peer, &wishes[came % wishes.len()], 2_000);
        came += 1;
    };
    for _ in 0..OVERLOAD * PLACES {
        come(&mut swarm);
    }
    let (mut answered, mut gone) = (0_u64, 0_u64);
    swarm.run(OVERLOADED, |swarm, news| {
        match news {
            News::Answer { .. } => answered += 1,
            News::Closed { .. } => {
                gone += 1;
                come(swarm);
            }
        }
        false
    });
    let wanted = swarm.len();
    swarm.close_all(Close::Reset);
    settle(&server, before);
    let (most, announced) = (proc::rss_most(server.pid()), server.announced_bytes());
    // It is as well as before.
    let mut swarm = Swarm::new(server.addr());
    let peer = swarm.open(Manner::default()).expect("a connection");
    swarm.send(peer, &ping(), 1);
    let mut well = false;
    swarm.run(PATIENCE, |_, news| {
        well = matches!(news, News::Answer { status: 200, .. });
        true
    });
    drop(swarm);
    let tally = server.stop();
    say(format_args!(
        "overload: {wanted} connections want {PLACES} places for {OVERLOADED:?}: {answered} \
         answers, {gone} sent away; {most} bytes of memory at most, {announced} announced; \
         {tally:?}"
    ));
    assert!(most <= announced, "{most} of {announced}");
    assert!(wanted >= OVERLOAD * PLACES && tally.refused > PLACES as u64);
    assert!(well && answered > 1_000);
}
