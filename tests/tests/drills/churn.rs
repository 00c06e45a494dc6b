//! Opened and closed, again and again: no slot and no descriptor may be lost.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use barewire_tests::drill::{Close, Manner, Swarm, proc};
use rustix::net::sockopt;

use super::{PATIENCE, alone, hold_slots, number, open, say, serve, settle};

/// Connections of a usual run, a second or two. `BAREWIRE_CHURN=10000000` takes some minutes.
const CONNECTIONS: u64 = 50_000;
/// Slots of the server: if it loses these few, it is deaf.
const SLOTS: usize = 16;
/// So many of them are held by unfinished requests at the end. More would be pressure: with less than
/// an eighth of the slots free, the oldest of these requests has to give way.
const HELD: usize = SLOTS / 4 * 3;
/// An answer takes so long at most: less than any deadline of the server, so that a connection that
/// waits for a slot in vain is seen, and not just its end.
const ANSWER: Duration = Duration::from_secs(5);
/// Threads that open and close.
const THREADS: u64 = 2;
/// Connections that a thread leaves open behind it, so that the server is in the middle of each. More
/// of them would hold all slots, and each of the others wait for a deadline.
const TAIL: usize = 4;

/// One connection, opened and left in the way that its number says.
fn visit(addr: SocketAddr, number: u64, tail: &mut VecDeque<TcpStream>) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(addr)?;
    // At this end nothing stays behind: ports that wait for a minute would be used up in no time.
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    socket.set_read_timeout(Some(ANSWER))?;
    let ask = b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut answer = [0; 512];
    match number % 8 {
        // At once, before anything is said.
        0 => return Ok(()),
        // In the middle of a head, of a body, of a chunk; after a request, its answer unread; in
        // the middle of a pipeline. Each a little later, when the server has seen it or not.
        1 => socket.write_all(&ask[..20])?,
        2 => {
            socket.write_all(b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")?;
        }
        3 => {
            socket.write_all(
                b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            )?;
        }
        4 => socket.write_all(&ask.repeat(3))?,
        // In good order: after an answer, or with a half-close that the server follows, or by an
        // answer that ends the connection.
        5 => {
            socket.write_all(ask)?;
            let _ = socket.read(&mut answer)?;
            return Ok(());
        }
        6 => {
            socket.write_all(ask)?;
            socket.shutdown(Shutdown::Write)?;
            while socket.read(&mut answer)? > 0 {}
            return Ok(());
        }
        _ => {
            socket.write_all(b"nonsense\r\n\r\n")?;
            while socket.read(&mut answer)? > 0 {}
            return Ok(());
        }
    }
    tail.push_back(socket);
    if tail.len() > TAIL {
        tail.pop_front();
    }
    Ok(())
}

#[test]
fn connections_opened_and_closed_lose_no_slot_and_no_descriptor() {
    let _alone = alone();
    let count = number("BAREWIRE_CHURN").unwrap_or(CONNECTIONS);
    let server = serve(&format!("--workers 1 --connections 200 --slots {SLOTS}"));
    let addr = server.addr();
    let before = proc::descriptors(server.pid());
    let (began, cpu) = (Instant::now(), server.cpu());
    let (done, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for at in 0..THREADS {
            let (done, failed) = (&done, &failed);
            scope.spawn(move || {
                let mut tail = VecDeque::new();
                for number in (at..count).step_by(THREADS as usize) {
                    // A server that is full may refuse with a reset: it is counted, and goes on.
                    if let Err(error) = visit(addr, number / THREADS, &mut tail) {
                        let silent = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                        assert!(!silent.contains(&error.kind()), "no answer to {number}");
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(1_000_000) {
                        say(format_args!("{done} after {:?}", began.elapsed()));
                    }
                }
            });
        }
    });
    let took = began.elapsed();
    let cpu = server.cpu() - cpu;

    settle(&server, before);
    hold_slots(addr, HELD);
    // And every place: so many connections at a time.
    let mut swarm = Swarm::new(addr);
    let peers = open(&mut swarm, 200, |_| Manner::default());
    assert_eq!(super::ask(&mut swarm, &peers, 1, PATIENCE).len(), 200);
    swarm.close_all(Close::Reset);
    let failed = failed.into_inner();
    let tally = server.stop();
    say(format_args!(
        "churn: {count} connections within {took:?} ({:.0} per second, {:?} of the server's time \
         each), {failed} of them cut short; {before} descriptors before and after, {HELD} \
         of {SLOTS} slots held at once; {tally:?}",
        count as f64 / took.as_secs_f64(),
        cpu.div_f64(count as f64),
    ));
    // What the server was too busy for waits in its backlog, and is seen as well.
    assert_eq!(tally.connections, count + HELD as u64 + 200);
    assert!(tally.in_time && tally.requests > count / 4 && tally.faults > count / 4);
    assert!(failed < count / 10, "{failed} were cut short");
}
