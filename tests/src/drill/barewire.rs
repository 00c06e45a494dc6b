//! The process under test: `barewire serve`, with descriptors and an account of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::proc;

/// How long it may take to start, or to end: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in a process of its own, which ends with this value.
#[derive(Debug)]
pub struct Barewire {
    child: Child,
    addr: SocketAddr,
    banner: Vec<String>,
    lines: Receiver<String>,
}

/// The last line of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Connections accepted.
    pub connections: u64,
    /// Requests served.
    pub requests: u64,
    /// Connections that ended with a fault.
    pub faults: u64,
    /// Calls that panicked.
    pub panics: u64,
    /// Connections that were told 503.
    pub refused: u64,
    /// Whether nothing was cut off.
    pub in_time: bool,
}

impl Barewire {
    /// Starts `program serve --port 0` with further arguments, separated by blanks.
    ///
    /// # Panics
    /// If it does not say where it listens.
    pub fn start(program: &Path, args: &str) -> Barewire {
        Barewire::start_under(&[], program, args)
    }

    /// As [`start`](Self::start), by a command that becomes the server itself (`prlimit`, `setpriv`,
    /// `strace -D`).
    ///
    /// # Panics
    /// As there.
    pub fn start_under(wrapper: &[&str], program: &Path, args: &str) -> Barewire {
        let program = program.to_str().expect("a readable path");
        let words = [wrapper, &[program, "serve", "--port", "0"]].concat();
        let child = Command::new(words[0])
            .args(&words[1..])
            .args(args.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let mut server = Barewire {
            child,
            addr: ([0, 0, 0, 0], 0).into(),
            banner: Vec::new(),
            lines: channel().1,
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
        while server.fact("stop").is_none() {
            match server.lines.recv_timeout(PATIENCE) {
                Ok(line) => server.banner.push(line),
                Err(error) => panic!("{words:?} {args}: {error}\n{:?}", server.banner),
            }
        }
        let url = server.fact("listening").expect("an address");
        let addr = url.trim_start_matches("http://");
        server.addr = addr.parse().expect("an address");
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

    /// The line of the banner that begins with this word, without it.
    pub fn fact(&self, name: &str) -> Option<&str> {
        let mut lines = self.banner.iter();
        lines.find_map(|line| {
            let (word, rest) = line.split_once(' ')?;
            (word == name).then(|| rest.trim())
        })
    }

    /// The number in front of a word in a line of the banner.
    ///
    /// # Panics
    /// If there is none.
    pub fn number(&self, name: &str, word: &str) -> u64 {
        let line = self.fact(name).expect(name);
        number_before(line, word).unwrap_or_else(|| panic!("{name}: {line}"))
    }

    /// Bytes of memory that the banner announces.
    ///
    /// # Panics
    /// If it does not.
    pub fn announced_bytes(&self) -> u64 {
        self.number("memory", "bytes")
    }

    /// Threads that work.
    ///
    /// # Panics
    /// If the banner does not say.
    pub fn workers(&self) -> u64 {
        let line = self.fact("workers").expect("workers");
        digits(line.split(' ').next().unwrap_or_default()).expect("a number")
    }

    /// Lets it have so many descriptors from now on (as `prlimit` does it, which may lower the
    /// limit below what is open).
    ///
    /// # Panics
    /// If that is not possible.
    pub fn limit_descriptors(&self, count: u64) {
        let status = Command::new("prlimit")
            .arg(format!("--pid={}", self.pid()))
            .arg(format!("--nofile={count}:"))
            .status()
            .expect("prlimit, of the package util-linux");
        assert!(status.success(), "prlimit: {status}");
    }

    /// Whether it runs.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Processor time so far.
    pub fn cpu(&self) -> Duration {
        proc::cpu(self.pid())
    }

    /// Ends it in good order and gives its last line.
    ///
    /// # Panics
    /// If it does not end by itself, or failed.
    pub fn stop(mut self) -> Tally {
        assert!(self.lives(), "the server has ended before");
        self.terminate();
        let status = self.wait_for_end();
        let rest: Vec<String> = self.lines.iter().collect();
        let last = rest.last().expect("a last line");
        let count = |word| number_before(last, word).unwrap_or_else(|| panic!("{last}"));
        let tally = Tally {
            connections: count("connections"),
            requests: count("requests"),
            faults: count("faults"),
            panics: count("panics"),
            refused: count("refused"),
            in_time: last.starts_with("stopped"),
        };
        assert!(status.success() == tally.in_time, "{status}: {last}");
        assert_eq!(tally.panics, 0, "{last}");
        tally
    }

    /// Waits until it ends, which somebody has told it to, or it has found reason to.
    ///
    /// # Panics
    /// If it goes on.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < end, "the server does not end");
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.pid()).ok();
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("a pid");
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

impl Drop for Barewire {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn digits(word: &str) -> Option<u64> {
    word.replace(',', "").parse().ok()
}

/// `12,345 bytes` holds 12345 before `bytes`.
fn number_before(line: &str, word: &str) -> Option<u64> {
    let words: Vec<&str> = line.split([' ', '(', ')']).collect();
    let mut pairs = words.windows(2);
    pairs.find_map(|pair| match pair[1].trim_end_matches(',') == word {
        true => digits(pair[0]),
        false => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_what_they_count() {
        let line = "stopped      1,234 connections, 5 requests, 2 faults, 0 panics, 10 refused";
        assert_eq!(number_before(line, "connections"), Some(1_234));
        assert_eq!(number_before(line, "refused"), Some(10));
        assert_eq!(number_before(line, "users"), None);
    }
}
