//! Small servers of the challenge for the tests: right, or wrong in one way each. A thread per connection.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What a server does differently from a right one. Numbers count events from 0 over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quirk {
    None,
    /// Right as well: 201, chunked, an interim answer first, after a slow start.
    Verbose,
    /// Right as well: announces the close on every tenth answer of a connection and drops what follows.
    ClosesPolitely,
    /// Right as well: has no `/reset`, and begins with other numbers.
    NoReset,
    /// Wrong: answers this event, but does not count it.
    Loses(u64),
    /// Wrong: counts this event twice.
    CountsTwice(u64),
    /// Wrong: answers 500, once.
    Refuses(u64),
    /// Wrong: answers twice, once.
    AnswersTwice(u64),
    /// Wrong: the same, but the second answer comes late.
    AnswersTwiceLate(u64),
    /// Wrong: closes in place of an answer, unannounced.
    ClosesEarly(u64),
    /// Wrong: answers one event with garbage.
    Garbage(u64),
    /// Wrong: never answers this event.
    Silent(u64),
    /// Wrong: from this event on, every connection is closed without an answer.
    Dies(u64),
    /// Wrong: an answer before any request.
    Unasked,
    /// Wrong: the sum is rounded down.
    Rounds,
    /// Wrong: the counts are no integer literals.
    Floats,
    /// Wrong: reads the total first and the sum a while later.
    Tears,
    /// Wrong: counts an event as soon as it has seen its head.
    CountsHeads,
    /// Wrong: health is 404.
    Ill,
}

#[derive(Default)]
struct Counts {
    total: u64,
    users: HashSet<String>,
    halves: u64,
}

struct Server {
    quirk: Quirk,
    counts: Mutex<Counts>,
    events: AtomicU64,
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Starts a server; its threads end with the test process.
pub(super) fn server(quirk: Quirk) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = Arc::new(Server {
        quirk,
        counts: Mutex::default(),
        events: AtomicU64::new(0),
    });
    if quirk == Quirk::NoReset {
        let users = ["user_3", "somebody"].map(str::to_owned).into();
        *server.counts.lock().unwrap() = Counts {
            total: 4,
            users,
            halves: 9,
        };
    }
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (server, stream) = (Arc::clone(&server), stream.unwrap());
            thread::spawn(move || server.serve(stream));
        }
    });
    url
}

impl Server {
    /// One connection. An error of the socket ends it, as does the peer.
    fn serve(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut stream = stream;
        if self.quirk == Quirk::Unasked {
            stream
                .write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                .ok()?;
        }
        for served in 1.. {
            let (route, body) = self.request(&mut reader)?;
            let close = self.quirk == Quirk::ClosesPolitely && served % 10 == 0;
            let answer = match route.as_str() {
                "POST /event" => self.event(&body, &mut stream)?,
                "GET /stats" => json(&self.stats()),
                "GET /health" if self.quirk == Quirk::Ill => {
                    b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".to_vec()
                }
                "GET /health" => json("{\"status\":\"healthy\"}"),
                "POST /reset" if self.quirk != Quirk::NoReset => {
                    *self.counts.lock().unwrap() = Counts::default();
                    OK.to_vec()
                }
                _ => b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".to_vec(),
            };
            if close {
                let text = String::from_utf8(answer).unwrap();
                let (line, rest) = text.split_once("\r\n").unwrap();
                stream
                    .write_all(format!("{line}\r\nConnection: close\r\n{rest}").as_bytes())
                    .ok()?;
                stream.shutdown(std::net::Shutdown::Write).ok()?;
                std::io::copy(&mut reader, &mut std::io::sink()).ok()?;
                return None;
            }
            stream.write_all(&answer).ok()?;
        }
        None
    }

    /// Method and path, and the body.
    fn request(&self, reader: &mut impl BufRead) -> Option<(String, String)> {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
        let route = line.strip_suffix(" HTTP/1.1\r\n")?.to_owned();
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim_end().parse().ok()?;
            }
        }
        if route == "POST /event" && self.quirk == Quirk::CountsHeads {
            self.counts.lock().unwrap().total += 1;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some((route, String::from_utf8(body).ok()?))
    }

    fn event(&self, body: &str, stream: &mut TcpStream) -> Option<Vec<u8>> {
        let number = self.events.fetch_add(1, Ordering::SeqCst);
        let inside = body.strip_prefix("{\"userId\":\"")?.strip_suffix('}')?;
        let (user, value) = inside.split_once("\",\"value\":")?;
        let halves = match value.strip_suffix(".5") {
            Some(whole) => 2 * whole.parse::<u64>().ok()? + 1,
            None => 2 * value.parse::<u64>().ok()?,
        };
        match self.quirk {
            Quirk::Refuses(n) if n == number => {
                return Some(b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno".to_vec());
            }
            Quirk::ClosesEarly(n) if n == number => return None,
            Quirk::Dies(n) if n <= number => return None,
            Quirk::Silent(n) if n == number => {
                thread::sleep(Duration::from_secs(5));
                return None;
            }
            _ => {}
        }
        let times = match self.quirk {
            Quirk::Loses(n) if n == number => 0,
            Quirk::CountsTwice(n) if n == number => 2,
            _ => 1,
        };
        let mut counts = self.counts.lock().unwrap();
        if self.quirk != Quirk::CountsHeads {
            counts.total += times;
        }
        counts.halves += times * halves;
        if times > 0 && !counts.users.contains(user) {
            counts.users.insert(user.to_owned());
        }
        drop(counts);
        Some(match self.quirk {
            Quirk::Verbose => {
                stream
                    .write_all(b"HTTP/1.1 103 Early\r\nLink: </>\r\n\r\nHTTP/1.1 20")
                    .ok()?;
                b"1 Created\r\nTransfer-Encoding: chunked\r\n\r\nf;a=b\r\n{\"status\":\"ok\"}\r\n0\r\nT: x\r\n\r\n".to_vec()
            }
            Quirk::AnswersTwice(n) if n == number => [OK, OK].concat(),
            Quirk::AnswersTwiceLate(n) if n == number => {
                stream.write_all(OK).ok()?;
                thread::sleep(Duration::from_millis(50));
                OK.to_vec()
            }
            Quirk::Garbage(n) if n == number => b"HTTP/1.1 200 OK\nContent-Length: 0\n\n".to_vec(),
            _ => OK.to_vec(),
        })
    }

    fn stats(&self) -> String {
        let counts = self.counts.lock().unwrap();
        let (total, users) = (counts.total, counts.users.len());
        let counts = if self.quirk == Quirk::Tears {
            drop(counts);
            thread::sleep(Duration::from_millis(2));
            self.counts.lock().unwrap()
        } else {
            counts
        };
        let sum = counts.halves as f64 / 2.0;
        let sum = if self.quirk == Quirk::Rounds {
            sum.floor()
        } else {
            sum
        };
        let avg = if total == 0 { 0.0 } else { sum / total as f64 };
        let dot = if self.quirk == Quirk::Floats {
            ".0"
        } else {
            ""
        };
        format!(
            "{{\"totalRequests\":{total}{dot},\"uniqueUsers\":{users}{dot},\"sum\":{sum:?},\"avg\":{avg:?}}}"
        )
    }
}

fn json(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
    format!("{head}: {}\r\n\r\n{body}", body.len()).into_bytes()
}
