//! The client: connections that ask again as soon as they have been answered.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::{Scenario, Template};
use crate::client::Client;

/// How long an answer may take: a measurement that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes read at once: a batch of any scenario.
const PIECE_BYTES: usize = 1 << 16;

/// One scenario against one server.
#[derive(Debug)]
pub struct Load {
    scenario: Scenario,
    server: SocketAddr,
    template: Template,
    /// What is sent at once; prepared once, if all requests are the same.
    batch: Vec<u8>,
    asked: u64,
    poll: Poll,
    peers: Vec<Peer>,
    /// Only held.
    _idle: Vec<StdStream>,
    piece: Vec<u8>,
    opened: usize,
}

#[derive(Debug)]
struct Peer {
    stream: TcpStream,
    /// Bytes of the answer that is coming.
    at: usize,
    /// Answers that are missing.
    missing: u64,
    asked: Instant,
}

impl Load {
    /// Opens the connections, and asks once to see that the answer is right.
    ///
    /// # Panics
    /// If it is not.
    pub fn open(server: SocketAddr, scenario: Scenario) -> Load {
        let (bytes, body) = scenario.exchange(0);
        let ask = || {
            let mut client = Client::new(server);
            let answer = client.ask(&bytes);
            let right = answer.status == 200 && answer.body == body;
            assert!(right, "{server}, {}: {answer:?}", scenario.name);
            (client.socket, answer)
        };
        let template = Template::new(&ask().1);
        let idle: Vec<_> = (0..scenario.idle).map(|_| ask().0).collect();
        let mut load = Load {
            scenario,
            server,
            template,
            batch: bytes.repeat(scenario.depth as usize),
            asked: 1 + idle.len() as u64,
            poll: Poll::new().expect("a poll"),
            peers: Vec::new(),
            _idle: idle,
            piece: vec![0; PIECE_BYTES],
            opened: 0,
        };
        for index in 0..scenario.connections {
            let peer = load.connect(index);
            load.peers.push(peer);
        }
        load
    }

    /// Requests so far, all of them answered.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Asks for so long, then waits for the answers that are missing; says how many came. With one
    /// connection, `latencies` gets the nanoseconds of each batch.
    ///
    /// # Panics
    /// If an answer is wrong, or none comes.
    pub fn slice(&mut self, length: Duration, latencies: &mut Vec<u32>) -> u64 {
        let end = Instant::now() + length;
        let before = self.asked;
        let mut events = Events::with_capacity(1_024);
        // Connections that have not been answered in full.
        let mut open = self.peers.len();
        (0..open).for_each(|index| self.ask(index));
        while open > 0 {
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.expect("a poll"),
            }
            let server = self.server;
            assert!(!events.is_empty(), "{server}: {open} wait for an answer");
            let goes_on = Instant::now() < end;
            for event in &events {
                let index = event.token().0;
                if !self.is_answered(index) {
                    continue;
                }
                if self.peers.len() == 1 {
                    let took = self.peers[index].asked.elapsed().as_nanos();
                    latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
                }
                if self.scenario.close {
                    self.peers[index] = self.connect(index);
                }
                match goes_on {
                    true => self.ask(index),
                    false => open -= 1,
                }
            }
        }
        self.asked - before
    }

    /// Of several addresses: the ports of one do not suffice for a connection per request.
    fn connect(&mut self, index: usize) -> Peer {
        self.opened += 1;
        let from = Ipv4Addr::new(127, 0, 9, (self.opened % 250) as u8 + 1);
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None);
        let socket = socket.expect("a socket");
        // Ports that linger after a close do not hinder.
        sockopt::set_socket_reuseaddr(&socket, true).expect("an option");
        sockopt::set_tcp_nodelay(&socket, true).expect("an option");
        let from = SocketAddr::new(IpAddr::V4(from), 0);
        rustix::net::bind(&socket, &from).expect("a port");
        rustix::net::connect(&socket, &self.server).expect("a connection");
        rustix::io::ioctl_fionbio(&socket, true).expect("an option");
        let mut stream = TcpStream::from_std(socket.into());
        let registry = self.poll.registry();
        let registered = registry.register(&mut stream, Token(index), Interest::READABLE);
        registered.expect("a place in the poll");
        Peer {
            stream,
            at: 0,
            missing: 0,
            asked: Instant::now(),
        }
    }

    fn ask(&mut self, index: usize) {
        if self.scenario.counts() {
            self.batch = self.scenario.exchange(self.asked).0;
        }
        let peer = &mut self.peers[index];
        self.asked += self.scenario.depth;
        peer.missing = self.scenario.depth;
        peer.asked = Instant::now();
        // Nothing else is on its way, so the system has room for all of it.
        let sent = peer.stream.write(&self.batch).expect("the server is there");
        assert_eq!(sent, self.batch.len(), "the socket takes a batch at once");
    }

    /// Reads what there is. Whether it was the last that the peer waited for.
    fn is_answered(&mut self, index: usize) -> bool {
        let peer = &mut self.peers[index];
        let name = self.scenario.name;
        loop {
            let count = match peer.stream.read(&mut self.piece) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("{}, {name}: {error}", self.server),
            };
            let answered = peer.missing == 0;
            if count == 0 && answered && self.scenario.close {
                return true;
            }
            let bytes = &self.piece[..count];
            let whole = self.template.check(&mut peer.at, bytes);
            let whole = whole.filter(|whole| count > 0 && *whole <= peer.missing);
            let Some(whole) = whole else {
                let text = bytes.escape_ascii();
                panic!(
                    "{}, {name}: a wrong answer, or its end: {text}",
                    self.server
                );
            };
            peer.missing -= whole;
            // Who closes is read to the end.
            if peer.missing == 0 && !self.scenario.close {
                let rest = peer.at;
                assert_eq!(rest, 0, "{}, {name}: more than was asked for", self.server);
                return true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SCENARIOS;
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!";

    /// A slice against a server whose hundredth answer is this one, if an answer can be so short;
    /// else it ends there.
    fn slice(hundredth: &'static [u8]) -> thread::Result<u64> {
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
            let mut load = Load::open(server, scenario);
            let (mut latencies, mut answers) = (Vec::new(), 0);
            while answers < 200 {
                answers += load.slice(Duration::from_millis(20), &mut latencies);
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
        assert!(slice(RIGHT).is_ok());
        for wrong in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world!"[..],
            b"HTTP/1.1 503 OK\r\nContent-Length: 13\r\n\r\nHello, World!",
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!HTTP",
            b"HTTP/1.1 200 OK\r\n",
        ] {
            assert!(slice(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
