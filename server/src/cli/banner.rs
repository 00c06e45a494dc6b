//! What a server says when it starts and when it ends: for people, and for `grep`.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::VERSION;
use crate::footprint::Presence;
use crate::worker::Tally;

/// What the banner tells.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) addr: SocketAddr,
    pub(crate) workers: usize,
    pub(crate) backend: &'static str,
    /// One thread accepts for all workers.
    pub(crate) hands_out: bool,
    pub(crate) connections: usize,
    /// What it would have been by default, if that did not fit.
    pub(crate) lowered_from: Option<usize>,
    pub(crate) slots: usize,
    pub(crate) slot_bytes_all: usize,
    pub(crate) presence: Presence,
    /// The sum of all capacities.
    pub(crate) memory_bytes_max: usize,
    pub(crate) users: u32,
    pub(crate) user_bytes_all: usize,
    pub(crate) shutdown_ms: u64,
}

/// The banner: one fact a line, a word in front of each.
pub(crate) fn text(facts: &Facts) -> String {
    let bytes = facts.slot_bytes_all as u64;
    let lowered = facts.lowered_from.map_or(String::new(), |default| {
        let default = grouped(default as u64);
        format!(" (not {default}: too few open files are allowed)")
    });
    let handed = match facts.hands_out {
        true => ", connections dealt out by one thread",
        false => "",
    };
    let lines = [
        ("barewire", VERSION.to_owned()),
        ("listening", format!("http://{}", facts.addr)),
        (
            "workers",
            format!("{} ({}{handed})", facts.workers, facts.backend),
        ),
        (
            "connections",
            format!("{}{lowered}", grouped(facts.connections as u64)),
        ),
        (
            "reserved",
            format!(
                "{} bytes in {} slots ({:.2} MiB)",
                grouped(bytes),
                grouped(facts.slots as u64),
                bytes as f64 / f64::from(1 << 20),
            ),
        ),
        (
            "statistics",
            format!(
                "{} users, {} bytes reserved",
                grouped(facts.users.into()),
                grouped(facts.user_bytes_all as u64),
            ),
        ),
        (
            "memory",
            format!(
                "at most {} bytes, {}",
                grouped(facts.memory_bytes_max as u64),
                presence(facts.presence),
            ),
        ),
        (
            "stop",
            format!(
                "Ctrl-C (requests under way get {})",
                time(facts.shutdown_ms)
            ),
        ),
    ];
    let mut text = String::new();
    for (name, fact) in lines {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:<12} {fact}");
    }
    text
}

/// How much of the memory is there, and why not more.
fn presence(presence: Presence) -> String {
    match presence {
        Presence::AsNeeded => "touched as needed".to_owned(),
        Presence::Locked => "all touched, locked in memory".to_owned(),
        Presence::Touched { lock_bytes_max } => format!(
            "all touched, not locked (the limit is {} bytes: ulimit -l)",
            grouped(lock_bytes_max)
        ),
    }
}

/// Said when the first signal has come.
pub(crate) fn stopping(shutdown_ms: u64) -> String {
    format!(
        "stopping     requests under way get {}; Ctrl-C again ends them now\n",
        time(shutdown_ms)
    )
}

/// The last line: what was done; `finished` if nothing was cut off.
pub(crate) fn stopped(tally: &Tally, finished: bool) -> String {
    format!(
        "{:<12} {} connections, {} requests, {} faults, {} panics, {} refused, {} gave way\n",
        if finished { "stopped" } else { "aborted" },
        grouped(tally.connections),
        grouped(tally.requests),
        grouped(tally.faults),
        grouped(tally.panics),
        grouped(tally.refused),
        grouped(tally.gave_way),
    )
}

/// In seconds where that is exact.
fn time(ms: u64) -> String {
    match ms.is_multiple_of(1000) {
        true => format!("{} s", ms / 1000),
        false => format!("{ms} ms"),
    }
}

/// Digits in groups of three.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            addr: ([127, 0, 0, 1], 8080).into(),
            workers: 2,
            backend: "epoll",
            hands_out: false,
            connections: 10_000,
            lowered_from: None,
            slots: 10_000,
            slot_bytes_all: 163_840_000,
            presence: Presence::AsNeeded,
            memory_bytes_max: 401_234_567,
            users: 1 << 20,
            user_bytes_all: 222_519_296,
            shutdown_ms: 30_000,
        }
    }

    #[test]
    fn the_banner_says_everything_in_eight_lines() {
        let golden = "\
barewire     0.1.0
listening    http://127.0.0.1:8080
workers      2 (epoll)
connections  10,000
reserved     163,840,000 bytes in 10,000 slots (156.25 MiB)
statistics   1,048,576 users, 222,519,296 bytes reserved
memory       at most 401,234,567 bytes, touched as needed
stop         Ctrl-C (requests under way get 30 s)
";
        assert_eq!(text(&facts()), golden);
    }

    #[test]
    fn the_banner_says_what_differs() {
        let text = text(&Facts {
            addr: "[::]:80".parse().unwrap(),
            hands_out: true,
            connections: 312,
            lowered_from: Some(10_000),
            presence: Presence::Locked,
            shutdown_ms: 1_500,
            ..facts()
        });
        for line in [
            "listening    http://[::]:80",
            "workers      2 (epoll, connections dealt out by one thread)",
            "connections  312 (not 10,000: too few open files are allowed)",
            "memory       at most 401,234,567 bytes, all touched, locked in memory",
            "stop         Ctrl-C (requests under way get 1500 ms)",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_banner_says_why_memory_is_not_locked() {
        let presence = Presence::Touched {
            lock_bytes_max: 8 << 20,
        };
        let text = text(&Facts {
            presence,
            ..facts()
        });
        let line = "memory       at most 401,234,567 bytes, all touched, \
                    not locked (the limit is 8,388,608 bytes: ulimit -l)";
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }

    #[test]
    fn the_last_line_counts_and_says_how_it_ended() {
        let tally = Tally {
            connections: 1_234,
            refused: 1,
            gave_way: 3,
            requests: 1_000_000,
            faults: 2,
            panics: 0,
        };
        let counts = "1,234 connections, 1,000,000 requests, 2 faults, 0 panics, 1 refused, \
                      3 gave way\n";
        assert_eq!(stopped(&tally, true), format!("stopped      {counts}"));
        assert_eq!(stopped(&tally, false), format!("aborted      {counts}"));
    }
}
