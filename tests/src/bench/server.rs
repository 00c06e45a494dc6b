//! A server under measurement: a process that is pinned, is asked where it listens, and does not
//! outlive this one.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Kind, Place, Scenario, Side, probe};
use crate::client::request;

/// How long it may take to start, or to end: a measurement that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in a process of its own, which ends with this value.
#[derive(Debug)]
pub struct Server {
    name: String,
    kind: Kind,
    child: Child,
    addr: SocketAddr,
    lines: Receiver<String>,
    /// Requests that it has answered.
    asked: u64,
}

/// A command that runs on one processor, and ends with this process however that ends.
pub fn pinned(words: &[String], processor: usize) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "taskset", "-c"])
        .arg(processor.to_string())
        .args(words);
    command
}

impl Server {
    /// Starts a server on a processor, in a folder that is there.
    ///
    /// # Panics
    /// If it does not come up, or something else answers at its port.
    pub fn start(side: &Side, scenario: &Scenario, processor: usize, folder: &Path) -> Server {
        let port = if side.wants_port() { free_port() } else { 0 };
        let place = Place { port, folder };
        side.write_files(scenario, place);
        let words = side.words(scenario, place);
        let mut command = pinned(&words, processor);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut server = Server {
            name: side.name.clone(),
            kind: side.kind,
            child: child.expect("setpriv, of the package util-linux"),
            addr: ([127, 0, 0, 1], port).into(),
            lines: channel().1,
            asked: 0,
        };
        let (sender, lines) = channel();
        server.lines = lines;
        let out = server.child.stdout.take().expect("a pipe");
        // Ends with the process; until then it is read, whatever is written.
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        if side.wants_port() {
            server.wait_for_port();
        } else {
            server.wait_for_banner();
        }
        server
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Somebody else has asked it so often.
    pub fn was_asked(&mut self, requests: u64) {
        self.asked += requests;
    }

    /// Holds its statistics against the events that were sent.
    ///
    /// # Panics
    /// If they are others.
    pub fn check_statistics(&mut self, scenario: &Scenario, events: u64) {
        self.asked += 1;
        let answer = probe::ask(self.addr, &request("GET", "/stats", b"")).1;
        let text = answer.text();
        assert_eq!(answer.status, 200, "{}: /stats: {text}", self.name);
        let stats: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let (total, users, sum) = scenario.statistics(events);
        let seen = (
            stats["totalRequests"].as_u64(),
            stats["uniqueUsers"].as_u64(),
            stats["sum"].as_f64(),
        );
        let right = (Some(total), Some(users), Some(sum));
        assert_eq!(seen, right, "{}: {text}", self.name);
        // The mean has a last digit, which servers may choose.
        let mean = stats["avg"].as_f64().expect("a mean");
        let is_near = (mean * total as f64 / sum - 1.0).abs() < 1e-9;
        assert!(is_near, "{}: {text}", self.name);
    }

    /// Ends it. Ours has to have counted as we have.
    ///
    /// # Panics
    /// If it has not, or has ended before.
    pub fn stop(mut self) {
        let ended = self.child.try_wait().expect("a child");
        assert_eq!(ended, None, "{} has ended before", self.name);
        if self.kind != Kind::Barewire {
            return;
        }
        let pid = i32::try_from(self.pid()).ok();
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("a pid");
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let mut last = String::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            last = line;
        }
        let count = |word: &str| {
            let (before, _) = last.split_once(word)?;
            let number = before.trim_end().rsplit(' ').next()?;
            number.replace(',', "").parse::<u64>().ok()
        };
        let seen = (count("requests"), count("faults"), count("refused"));
        let right = (Some(self.asked), Some(0), Some(0));
        assert_eq!(seen, right, "{}: {last}", self.name);
        assert!(last.starts_with("stopped"), "{}: {last}", self.name);
    }

    fn wait_for_banner(&mut self) {
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{}: {error}: {seen:?}", self.name));
            if let Some(url) = line.strip_prefix("listening ") {
                let addr = url.trim().trim_start_matches("http://");
                self.addr = addr.parse().expect("an address");
            }
            let is_last = line.starts_with("stop ");
            seen.push(line);
            if is_last {
                assert_ne!(self.addr.port(), 0, "{}: {seen:?}", self.name);
                return;
            }
        }
    }

    fn wait_for_port(&mut self) {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(self.addr).is_err() {
            let ended = self.child.try_wait().expect("a child");
            assert_eq!(ended, None, "{} has ended", self.name);
            assert!(Instant::now() < end, "{} does not listen", self.name);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port where nothing answers.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    drop(listener);
    let busy = TcpStream::connect(addr).is_ok();
    assert!(!busy, "something else answers at {addr}");
    addr.port()
}
