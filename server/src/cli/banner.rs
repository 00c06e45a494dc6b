//! What a server says when it starts and when it ends: for people, and for `grep`.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::VERSION;
use crate::footprint::Presence;
use crate::pages::SlotPages;
use crate::platform::Pages;
use crate::share::{self, Share, skew};

/// What the banner tells.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'s> {
    pub(crate) addr: SocketAddr,
    pub(crate) workers: usize,
    pub(crate) backend: &'static str,
    /// One thread accepts for all workers.
    pub(crate) hands_out: bool,
    /// Where the workers are tied to; empty if nowhere.
    pub(crate) processors: &'s [usize],
    /// The system refuses a table of descriptors for each worker.
    pub(crate) shares_descriptors: bool,
    pub(crate) connections: usize,
    /// What it would have been by default, if that did not fit.
    pub(crate) lowered_from: Option<usize>,
    pub(crate) slots: usize,
    pub(crate) slot_bytes_all: usize,
    /// What the slots lie in, where that is to be told.
    pub(crate) pages: Option<SlotPages>,
    pub(crate) presence: Presence,
    /// The sum of all capacities.
    pub(crate) memory_bytes_max: usize,
    pub(crate) users: u32,
    pub(crate) user_bytes_all: usize,
    pub(crate) shutdown_ms: u64,
}

/// The banner: one fact a line, a word in front of each.
pub(crate) fn text(facts: &Facts<'_>) -> String {
    let bytes = facts.slot_bytes_all as u64;
    let lowered = facts.lowered_from.map_or(String::new(), |default| {
        let default = grouped(default as u64);
        format!(" (not {default}: too few open files are allowed)")
    });
    let handed = match facts.hands_out {
        true => ", connections dealt out by one thread",
        false => "",
    };
    let pinned = pinned(facts.workers, facts.processors);
    let shared = match facts.shares_descriptors {
        true => ", descriptors shared: no tables of their own to be had here",
        false => "",
    };
    let lines = [
        ("barewire", VERSION.to_owned()),
        ("listening", format!("http://{}", facts.addr)),
        (
            "workers",
            format!(
                "{} ({}{handed}{pinned}{shared})",
                facts.workers, facts.backend
            ),
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
        ("pages", facts.pages.map(pages).unwrap_or_default()),
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
    for (name, fact) in lines.into_iter().filter(|(_, fact)| !fact.is_empty()) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:<12} {fact}");
    }
    text
}

/// Where workers are tied to.
fn pinned(workers: usize, processors: &[usize]) -> String {
    let Some((first, rest)) = processors.split_first() else {
        return String::new();
    };
    let mut text = format!(", pinned to processors {first}");
    for processor in rest {
        // Writing into a string cannot fail.
        let _ = write!(text, " {processor}");
    }
    if workers > processors.len() {
        text.push_str(" in turn: more workers than these");
    }
    text
}

/// What the slots lie in, and what would make it better.
fn pages(pages: SlotPages) -> String {
    let SlotPages { needed, .. } = pages;
    let pool = match pages.free {
        Some(free) => {
            let advice = pages
                .pool_wanted()
                .map(|wanted| format!(" (sysctl -w vm.nr_hugepages={wanted})"));
            format!(
                "the pool has {} of {needed}{}",
                grouped(free as u64),
                advice.unwrap_or_default()
            )
        }
        None => "this system has no pool of them".to_owned(),
    };
    match pages.kind {
        Pages::Pool => format!("{needed} huge ones of 2 MiB, from the pool"),
        Pages::Transparent => format!(
            "huge ones of 2 MiB as the system finds them, {} bytes so far; {pool}",
            grouped(pages.huge_bytes as u64)
        ),
        Pages::Normal => format!("normal ones, no huge ones; {pool}"),
    }
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

/// What was done: by each worker if there are several, and in all; `finished` if nothing was cut
/// off.
pub(crate) fn stopped(shares: &[Share], finished: bool) -> String {
    let mut text = String::new();
    if shares.len() > 1 {
        for (number, share) in shares.iter().enumerate() {
            let name = format!("worker-{number}");
            let _ = writeln!(
                text,
                "{name:<12} {} connections, {} requests, {} ms of processor time",
                grouped(share.tally.connections),
                grouped(share.tally.requests),
                grouped(share.cpu.as_millis() as u64),
            );
        }
        let percent = |count: fn(&Share) -> u64| {
            let parts: Vec<u64> = shares.iter().map(count).collect();
            100.0 * skew(&parts)
        };
        let _ = writeln!(
            text,
            "{:<12} the busiest has {:.1} % more than the mean in connections, \
             {:.1} % in requests, {:.1} % in processor time",
            "skew",
            percent(|share| share.tally.connections),
            percent(|share| share.tally.requests),
            percent(|share| share.cpu.as_nanos() as u64),
        );
    }
    let tally = share::sum(shares);
    let _ = writeln!(
        text,
        "{:<12} {} connections, {} requests, {} faults, {} panics, {} refused, {} gave way",
        if finished { "stopped" } else { "aborted" },
        grouped(tally.connections),
        grouped(tally.requests),
        grouped(tally.faults),
        grouped(tally.panics),
        grouped(tally.refused),
        grouped(tally.gave_way),
    );
    text
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
    use crate::worker::Tally;
    use std::time::Duration;

    fn facts() -> Facts<'static> {
        Facts {
            addr: ([127, 0, 0, 1], 8080).into(),
            workers: 2,
            backend: "epoll",
            hands_out: false,
            processors: &[],
            shares_descriptors: false,
            connections: 10_000,
            lowered_from: None,
            slots: 10_000,
            slot_bytes_all: 163_840_000,
            pages: None,
            presence: Presence::AsNeeded,
            memory_bytes_max: 401_234_567,
            users: 1 << 20,
            user_bytes_all: 224_616_448,
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
statistics   1,048,576 users, 224,616,448 bytes reserved
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
        let alone = [Share {
            tally,
            cpu: Duration::ZERO,
        }];
        let counts = "1,234 connections, 1,000,000 requests, 2 faults, 0 panics, 1 refused, \
                      3 gave way\n";
        assert_eq!(stopped(&alone, true), format!("stopped      {counts}"));
        assert_eq!(stopped(&alone, false), format!("aborted      {counts}"));
    }

    #[test]
    fn each_of_several_workers_says_what_it_did() {
        let share = |connections, requests, ms: u64| Share {
            tally: Tally {
                connections,
                requests,
                ..Tally::default()
            },
            cpu: Duration::from_micros(ms * 1000 + 999),
        };
        let golden = "\
worker-0     30 connections, 1,500 requests, 1,200 ms of processor time
worker-1     50 connections, 4,500 requests, 800 ms of processor time
skew         the busiest has 25.0 % more than the mean in connections, 50.0 % in requests, \
20.0 % in processor time
stopped      80 connections, 6,000 requests, 0 faults, 0 panics, 0 refused, 0 gave way
";
        let shares = [share(30, 1_500, 1_200), share(50, 4_500, 800)];
        assert_eq!(stopped(&shares, true), golden);
    }

    #[test]
    fn the_banner_says_where_workers_are_tied_to() {
        for (workers, processors, line) in [
            (2, &[0, 3][..], "2 (epoll, pinned to processors 0 3)"),
            (1, &[7], "1 (epoll, pinned to processors 7)"),
            (
                4,
                &[0, 1],
                "4 (epoll, pinned to processors 0 1 in turn: more workers than these)",
            ),
        ] {
            let text = text(&Facts {
                workers,
                processors,
                ..facts()
            });
            let line = format!("workers      {line}");
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_banner_says_where_descriptors_are_shared_although_they_need_not() {
        let text = text(&Facts {
            shares_descriptors: true,
            ..facts()
        });
        let line =
            "workers      2 (epoll, descriptors shared: no tables of their own to be had here)";
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }

    #[test]
    fn the_banner_says_what_pages_were_got_and_what_would_give_better_ones() {
        let told = |kind, huge_bytes, free: Option<usize>| {
            let got = SlotPages {
                kind,
                huge_bytes,
                needed: 79,
                free,
                // Somebody else has three.
                pool: free.map(|free| free + 3),
            };
            let text = text(&Facts {
                pages: Some(got),
                ..facts()
            });
            let line = text.lines().find_map(|line| line.strip_prefix("pages "));
            line.expect("a line of pages").trim().to_owned()
        };
        for (kind, huge_bytes, free, line) in [
            (
                Pages::Pool,
                165_675_008,
                Some(80),
                "79 huge ones of 2 MiB, from the pool",
            ),
            (
                Pages::Transparent,
                2_097_152,
                Some(0),
                "huge ones of 2 MiB as the system finds them, 2,097,152 bytes so far; \
                 the pool has 0 of 79 (sysctl -w vm.nr_hugepages=82)",
            ),
            (
                Pages::Normal,
                0,
                Some(5),
                "normal ones, no huge ones; the pool has 5 of 79 (sysctl -w vm.nr_hugepages=82)",
            ),
            (
                Pages::Normal,
                0,
                Some(79),
                "normal ones, no huge ones; the pool has 79 of 79",
            ),
            (
                Pages::Normal,
                0,
                None,
                "normal ones, no huge ones; this system has no pool of them",
            ),
        ] {
            assert_eq!(told(kind, huge_bytes, free), line);
        }
    }
}
