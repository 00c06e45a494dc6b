//! What goes wrong besides wrong requests: peers that are late, deaf or gone, a table of users that
//! is full, and the end of the server. For tests of what serving costs.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use crate::client::{Client, event, request};

/// Longest wait for an end that a deadline of the server brings.
const PATIENCE: Duration = Duration::from_secs(20);

/// Uploads that last beyond the stop. With two workers, one has none of them once in 32,768 times.
const LASTING: usize = 16;

/// Peers of every late kind, one that reads nothing, some that are gone, and more users than there
/// is room for. Takes as long as the longest of the server's deadlines.
///
/// # Panics
/// If one of them is told something else than it should be, or nothing at all.
pub fn hardship(server: SocketAddr) {
    let mut deaf = Client::new(server);
    deafen(&mut deaf);
    let mut late: Vec<(Client, u16)> = lateness()
        .into_iter()
        .map(|(bytes, status)| {
            let mut client = Client::new(server);
            client.send(&bytes);
            (client, status)
        })
        .collect();
    gone(server);
    fill(server);
    for (client, status) in &mut late {
        if *status != 0 {
            assert_eq!(client.answer().status, *status);
        }
        end(client);
    }
    end(&mut deaf);
}

/// Whoever sends this and no more: the status that comes, if one does; then the connection ends.
fn lateness() -> Vec<(Vec<u8>, u16)> {
    let head = |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    let post = |more: &str| head("POST /event", more).into_bytes();
    let echo = |length: usize, sent: usize| {
        let head = head("POST /echo", &format!("Content-Length: {length}\r\n"));
        [head.into_bytes(), vec![b'e'; sent]].concat()
    };
    vec![
        // Nothing at all; a head; a body that was asked for, one that was not, and a chunked one.
        (Vec::new(), 0),
        (b"GET /ping HT".to_vec(), 408),
        (post("Content-Length: 28\r\n"), 408),
        (post("Content-Length: 28\r\nExpect: 100-continue\r\n"), 408),
        (
            [post("Transfer-Encoding: chunked\r\n"), b"5\r\n{".to_vec()].concat(),
            408,
        ),
        // A streamed one, before its answer has begun, and behind that: it is cut.
        (echo(100, 4), 408),
        (echo(40_000, 20_000), 0),
        // An idle connection, and one that was told to end and does not.
        (request("GET", "/ping", b""), 200),
        (b"nonsense\r\n\r\n".to_vec(), 400),
        (
            [post("Content-Length: 99999999999\r\n"), vec![b'x'; 50_000]].concat(),
            413,
        ),
    ]
}

/// Sends a body that comes back, and reads nothing of it, until the server takes no more.
fn deafen(client: &mut Client) {
    client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n");
    let timeout = Some(Duration::from_millis(200));
    client.socket.set_write_timeout(timeout).unwrap();
    let piece = [b'e'; 1 << 16];
    let mut sent = 0usize;
    while let Ok(n) = client.socket.write(&piece) {
        sent += n;
        assert!(
            sent < 60_000_000 - piece.len(),
            "it takes all and sends nothing"
        );
    }
}

/// Peers that reset, before and behind an answer, and one that only ends its sending.
fn gone(server: SocketAddr) {
    for _ in 0..10 {
        // What is there and was not read makes the close of a socket a reset.
        let mut client = Client::new(server);
        client.send(&request("GET", "/ping", b""));
        let mut byte = [0];
        client.socket.peek(&mut byte).unwrap();
        client.send(b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\n{");
        drop(client);
        let mut client = Client::new(server);
        client.send(&request("GET", "/stats", b""));
        client.socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.answer().status, 200);
        end(&mut client);
    }
}

/// New users until there is no room for another, then none.
fn fill(server: SocketAddr) {
    let mut client = Client::new(server);
    let full =
        (0..100_000).any(|user| client.ask(&event(&format!("one-more-{user}"), "1")).status == 507);
    assert!(full, "the table is larger than this test thinks");
    assert_eq!(client.ask(&request("POST", "/reset", b"")).status, 200);
}

/// Waits for the end, in order or not, whatever comes before.
fn end(client: &mut Client) {
    client.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = [0; 1 << 14];
    // An answer that was begun may still be in the client's own buffer: that is no matter here.
    while let Ok(1..) = client.socket.read(&mut bytes) {}
    let mut byte = [0];
    let ended = match client.socket.read(&mut byte) {
        Ok(n) => n == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(ended, "the connection does not end");
}

/// Uploads that are under way, one of which wants to finish, and an idle connection.
#[derive(Debug)]
pub struct UnderWay {
    server: SocketAddr,
    idle: Client,
    upload: Client,
    lasting: Vec<Client>,
}

impl UnderWay {
    /// Begins them: so many that every worker has one that lasts.
    ///
    /// # Panics
    /// If they are not let in.
    pub fn begin(server: SocketAddr) -> UnderWay {
        let mut idle = Client::new(server);
        assert_eq!(idle.ask(&request("GET", "/ping", b"")).status, 200);
        let begin = || {
            let mut client = Client::new(server);
            client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            // More than the server holds back before it begins an answer.
            client.send(format!("1388\r\n{}\r\n", "u".repeat(5000)).as_bytes());
            assert_eq!(client.head().unwrap().0, 200);
            client
        };
        UnderWay {
            server,
            idle,
            upload: begin(),
            lasting: (0..LASTING).map(|_| begin()).collect(),
        }
    }

    /// Sends a little more of every upload, above the least pace if it is done twenty times a
    /// second. Says how many are still open.
    pub fn go_on(&mut self) -> usize {
        let chunk = format!("64\r\n{}\r\n", "u".repeat(100));
        self.lasting
            .retain_mut(|client| client.socket.write_all(chunk.as_bytes()).is_ok());
        self.lasting.len()
    }

    /// Looks on while the server stops in good order: the idle connection ends, nobody else is let
    /// in, and the upload that finishes is answered to its end.
    ///
    /// # Panics
    /// If it is otherwise.
    pub fn see_the_stop(&mut self) {
        let begin = Instant::now();
        assert!(self.idle.ends());
        while Client::try_new(self.server).is_ok() {
            assert!(begin.elapsed() < PATIENCE, "it still lets peers in");
            self.go_on();
            std::thread::sleep(Duration::from_millis(20));
        }
        self.upload.send(b"4\r\nlast\r\n0\r\n\r\n");
        let mut body = Vec::new();
        while self.upload.chunk(&mut body).unwrap() > 0 {}
        assert!(body.len() == 5004 && body.ends_with(b"ulast"));
        self.upload.ends();
        assert_eq!(self.go_on(), LASTING);
    }

    /// Goes on until the server has closed all of them.
    ///
    /// # Panics
    /// If it does not.
    pub fn see_the_end(mut self) {
        let begin = Instant::now();
        while self.go_on() > 0 {
            assert!(begin.elapsed() < PATIENCE, "uploads go on after the end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
