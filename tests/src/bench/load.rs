//! The client: connections that ask again as soon as they have been answered.
//!
//! It has to cost less than the least server, or it and not the server would be measured. So it has
//! no readiness and no queue: it waits for its connections in the order in which it asked. Servers
//! answer about in that order, so most answers are there when it comes for them, and an answer costs
//! one `recv` and one `send` of prepared bytes. One that comes early waits until its turn.

use std::hint;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, sockopt};

use super::{Requests, Scenario, Template, probe};

/// How long an answer may take: a measurement that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes read at once: a batch of any scenario.
const PIECE_BYTES: usize = 1 << 16;
/// Nanoseconds between two looks, for each connection: the server has work for many times as long,
/// and is not disturbed by looks at its sockets.
const PAUSE_NS: u64 = 125;
/// Nanoseconds between two looks at most: a few requests of a slow server.
const PAUSE_NS_MAX: u64 = 8_000;
/// Answers between two looks at the clock.
const ANSWERS_PER_LOOK: u32 = 16;
/// The first port to connect from; below are those of servers.
const PORT_MIN: u16 = 12_000;

/// How the client waits for an answer that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It looks again and again, on a processor of its own: so no server pays for waking it.
    Spin,
    /// It sleeps, where it shares the processor with the server.
    Sleep,
}

/// One scenario against one server.
#[derive(Debug)]
pub struct Load {
    scenario: Scenario,
    server: SocketAddr,
    wait: Wait,
    template: Template,
    requests: Requests,
    /// The piece that is sent next.
    next: usize,
    asked: u64,
    peers: Vec<Peer>,
    /// Only held.
    _idle: Vec<TcpStream>,
    piece: Vec<u8>,
    from: From,
    /// Nanoseconds that it waited.
    waited_ns: u64,
}

/// What a slice of time gave.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Answers in it.
    pub answers: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// How much of that the client worked and did not wait.
    pub worked: Duration,
}

#[derive(Debug)]
struct Peer {
    socket: OwnedFd,
    /// Bytes of the answer that is coming.
    at: usize,
    /// Answers that are missing.
    missing: u64,
    asked: Instant,
}

/// Addresses and ports to connect from. The ports of one address do not suffice for a connection per
/// request, and a search for a free one would cost more than the rest.
#[derive(Debug)]
struct From {
    /// Third byte of the address: clients that run at the same time have their own.
    network: u8,
    host: u8,
    port: u16,
}

impl From {
    fn next(&mut self) -> SocketAddrV4 {
        if self.port == u16::MAX {
            self.port = PORT_MIN;
            self.host = self.host % 250 + 1;
        }
        self.port += 1;
        SocketAddrV4::new(Ipv4Addr::new(127, 9, self.network, self.host), self.port)
    }
}

impl Load {
    /// Opens the connections, and asks once to see that the answer is right. `network` (0 to 255)
    /// tells clients apart that run at the same time.
    ///
    /// # Panics
    /// If it is not.
    pub fn open(server: SocketAddr, scenario: Scenario, wait: Wait, network: u8) -> Load {
        let requests = scenario.requests();
        let (first, body) = (scenario.request(0), scenario.body());
        let ask = || {
            let (socket, answer) = probe::ask(server, &first);
            let right = answer.status == 200 && answer.body == body;
            assert!(right, "{server}, {}: {answer:?}", scenario.id);
            (socket, answer)
        };
        let template = Template::new(&ask().1);
        let idle: Vec<_> = (0..scenario.idle).map(|_| ask().0).collect();
        let seconds = std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_secs());
        let mut load = Load {
            scenario,
            server,
            wait,
            template,
            // The first is the first again: the servers know request 0 already.
            next: 1 % requests.count(),
            requests,
            asked: 1 + idle.len() as u64,
            peers: Vec::new(),
            _idle: idle,
            piece: vec![0; PIECE_BYTES],
            from: From {
                network,
                // Ports of a run before linger for a minute.
                host: (seconds / 4 % 250) as u8 + 1,
                port: PORT_MIN,
            },
            waited_ns: 0,
        };
        for _ in 0..scenario.connections {
            let socket = load.connect();
            load.peers.push(Peer {
                socket,
                at: 0,
                missing: 0,
                asked: Instant::now(),
            });
        }
        load
    }

    /// Requests so far, all of them answered.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Asks for so long, then waits for the answers that are missing. With one connection,
    /// `latencies` gets the nanoseconds of each batch.
    ///
    /// # Panics
    /// If an answer is wrong, or none comes.
    pub fn slice(&mut self, length: Duration, latencies: &mut Vec<u32>) -> Answered {
        let before = self.asked;
        let begin = Instant::now();
        self.waited_ns = 0;
        let all = self.peers.len();
        (0..all).for_each(|index| self.ask(index));
        let (mut until_look, mut goes_on) = (ANSWERS_PER_LOOK, true);
        // Connections that have been asked for the last time.
        let mut over = 0;
        let mut index = 0;
        while over < all {
            self.await_answers(index);
            if all == 1 {
                let took = self.peers[index].asked.elapsed().as_nanos();
                latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
            }
            until_look -= 1;
            if until_look == 0 {
                until_look = ANSWERS_PER_LOOK;
                goes_on = begin.elapsed() < length;
            }
            if self.scenario.close {
                self.peers[index].socket = self.connect();
            }
            match goes_on {
                true => self.ask(index),
                false => over += 1,
            }
            index = if index + 1 == all { 0 } else { index + 1 };
        }
        let elapsed = begin.elapsed();
        Answered {
            answers: self.asked - before,
            elapsed,
            worked: elapsed.saturating_sub(Duration::from_nanos(self.waited_ns)),
        }
    }

    fn connect(&mut self) -> OwnedFd {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None);
        let socket = socket.expect("a socket");
        // Ports that linger after a close do not hinder.
        sockopt::set_socket_reuseaddr(&socket, true).expect("an option");
        loop {
            match rustix::net::bind(&socket, &self.from.next()) {
                Err(Errno::ADDRINUSE) => {}
                bound => break bound.expect("a port"),
            }
        }
        if !self.scenario.close {
            sockopt::set_tcp_nodelay(&socket, true).expect("an option");
        }
        if self.wait == Wait::Sleep {
            let timeout = sockopt::Timeout::Recv;
            sockopt::set_socket_timeout(&socket, timeout, Some(PATIENCE)).expect("an option");
        }
        rustix::net::connect(&socket, &self.server).expect("a connection");
        socket
    }

    fn ask(&mut self, index: usize) {
        let batch = self.requests.get(self.next);
        self.next = if self.next + 1 == self.requests.count() {
            0
        } else {
            self.next + 1
        };
        self.asked += self.scenario.depth;
        let peer = &mut self.peers[index];
        peer.missing = self.scenario.depth;
        if self.scenario.connections == 1 {
            peer.asked = Instant::now();
        }
        // Nothing else is on its way, so the system has room for all of it.
        let sent = rustix::net::send(&peer.socket, batch, SendFlags::NOSIGNAL);
        let sent = sent.unwrap_or_else(|error| panic!("{}: {error}", self.server));
        assert_eq!(sent, batch.len(), "the socket takes a batch at once");
    }

    /// Reads until nothing is missing; where the server closes, until it has.
    fn await_answers(&mut self, index: usize) {
        loop {
            let count = self.receive(index);
            let peer = &mut self.peers[index];
            let closes = self.scenario.close;
            if count == 0 && peer.missing == 0 && closes {
                return;
            }
            let bytes = &self.piece[..count];
            let whole = self.template.check(&mut peer.at, bytes);
            let whole = whole.filter(|whole| count > 0 && *whole <= peer.missing);
            let (server, id) = (self.server, self.scenario.id);
            let Some(whole) = whole else {
                let text = bytes.escape_ascii();
                panic!("{server}, {id}: a wrong answer, or its end: {text}");
            };
            peer.missing -= whole;
            // Who closes is read to the end.
            if peer.missing == 0 && !closes {
                assert_eq!(peer.at, 0, "{server}, {id}: more than was asked for");
                return;
            }
        }
    }

    /// Bytes that there are, or come.
    fn receive(&mut self, index: usize) -> usize {
        let socket = &self.peers[index].socket;
        let flags = match self.wait {
            Wait::Spin => RecvFlags::DONTWAIT,
            Wait::Sleep => RecvFlags::empty(),
        };
        let mut since: Option<Instant> = None;
        let mut look = Duration::ZERO;
        loop {
            match rustix::net::recv(socket, &mut self.piece[..], flags) {
                Ok((_, count)) => {
                    self.waited_ns += look.as_nanos() as u64;
                    return count;
                }
                Err(Errno::AGAIN) if self.wait == Wait::Spin => {
                    let since = *since.get_or_insert_with(Instant::now);
                    let (server, id) = (self.server, self.scenario.id);
                    assert!(look < PATIENCE, "{server}, {id}: no answer");
                    let pause = (PAUSE_NS * self.peers.len() as u64).min(PAUSE_NS_MAX);
                    let end = look + Duration::from_nanos(pause);
                    while look < end {
                        hint::spin_loop();
                        look = since.elapsed();
                    }
                }
                Err(error) => panic!("{}, {}: {error}", self.server, self.scenario.id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SCENARIOS;
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";

    /// A slice against a server whose hundredth answer is this one, if an answer can be so short;
    /// else it ends there.
    fn slice(hundredth: &'static [u8], wait: Wait) -> thread::Result<u64> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        thread::spawn(move || {
            // The first connection asks once, the second one is measured.
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                for turn in 1.. {
                    if !matches!(stream.read(&mut [0; 1 << 10]), Ok(1..)) {
                        break;
                    }
                    let bytes = if turn == 100 { hundredth } else { RIGHT };
                    if stream.write_all(bytes).is_err() || bytes.len() < RIGHT.len() {
                        break;
                    }
                }
            }
        });
        let scenario = Scenario {
            connections: 1,
            ..SCENARIOS[0]
        };
        thread::spawn(move || {
            let mut load = Load::open(server, scenario, wait, 0);
            let (mut latencies, mut answers) = (Vec::new(), 0);
            while answers < 200 {
                let slice = load.slice(Duration::from_millis(20), &mut latencies);
                assert!(slice.worked <= slice.elapsed);
                answers += slice.answers;
            }
            assert_eq!(
                (answers, load.asked()),
                (latencies.len() as u64, answers + 1)
            );
            answers
        })
        .join()
    }

    #[test]
    fn one_wrong_answer_of_a_hundred_fails_the_slice() {
        for wait in [Wait::Spin, Wait::Sleep] {
            assert!(slice(RIGHT, wait).is_ok());
            for wrong in [
                &b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world!"[..],
                b"HTTP/1.1 503 OK\r\nContent-Length: 13\r\n\r\nHello, World!",
                b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!HTTP",
                b"HTTP/1.1 200 OK\r\n",
            ] {
                assert!(slice(wrong, wait).is_err(), "{}", wrong.escape_ascii());
            }
        }
    }

    #[test]
    fn no_port_is_taken_twice_for_a_long_time() {
        let mut from = From {
            network: 7,
            host: 250,
            port: PORT_MIN,
        };
        let first = from.next();
        let ports = usize::from(u16::MAX - PORT_MIN);
        let second = (0..ports).map(|_| from.next()).last().unwrap();
        assert_eq!(
            (first.ip().octets(), first.port()),
            ([127, 9, 7, 250], PORT_MIN + 1)
        );
        assert_eq!(
            (second.ip().octets(), second.port()),
            ([127, 9, 7, 1], PORT_MIN + 1)
        );
    }
}
