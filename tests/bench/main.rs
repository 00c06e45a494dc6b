//! Measures Barewire, Barewire again, and other servers, in alternating slices of one run; writes
//! a table in Markdown. `bench/run` builds the servers and starts it.
//!
//! `serving --barewire PROGRAM [--peer NAME=PROGRAM]... [--quick]`
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use barewire_tests::bench::{
    Load, SCENARIOS, Scenario, Slice, Slices, cpu_ns, median, processors, quantile, statistics,
};
use barewire_tests::client::{Client, request};
use barewire_tests::drill::{Barewire, proc};

/// How much is measured.
#[derive(Clone, Copy)]
struct Measure {
    /// Slices of each server in each scenario; odd, so that a median is one of them.
    rounds: usize,
    /// One slice.
    slice: Duration,
}

/// Two minutes and a half, for three servers.
const FULL: Measure = Measure {
    rounds: 9,
    slice: Duration::from_millis(500),
};
/// Ten seconds: every answer is checked, the times mean little.
const QUICK: Measure = Measure {
    rounds: 2,
    slice: Duration::from_millis(100),
};

/// A server under measurement.
struct Side {
    name: String,
    // Its pipe and its end are those of the drills, whatever program it is.
    server: Barewire,
    /// Requests that it has answered.
    asked: u64,
}

impl Side {
    fn start(name: &str, program: &str, processor: usize) -> Side {
        let processor = processor.to_string();
        // It dies with this process, however that ends.
        let wrapper = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "taskset",
            "-c",
            &processor,
        ];
        let args = "--workers 1 --connections 4096";
        Side {
            name: name.to_owned(),
            server: Barewire::start_under(&wrapper, Path::new(program), args),
            asked: 0,
        }
    }

    fn ask(&mut self, method: &str, target: &str) -> String {
        self.asked += 1;
        let answer = Client::new(self.server.addr()).ask(&request(method, target, b""));
        assert_eq!(answer.status, 200, "{}: {target}", self.name);
        answer.text()
    }

    /// Holds the statistics against what was sent.
    fn check_statistics(&mut self, events: u64) {
        let text = self.ask("GET", "/stats");
        let stats: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let (total, users, sum) = statistics(events);
        let seen = (
            stats["totalRequests"].as_u64(),
            stats["uniqueUsers"].as_u64(),
            stats["sum"].as_f64(),
        );
        assert_eq!(
            seen,
            (Some(total), Some(users), Some(sum)),
            "{}: {text}",
            self.name
        );
        // The mean has a last digit, which servers may choose.
        let mean = stats["avg"].as_f64().expect("a mean");
        assert!(
            (mean * total as f64 / sum - 1.0).abs() < 1e-9,
            "{}: {text}",
            self.name
        );
    }
}

/// What a scenario gave, server by server.
struct Outcome {
    slices: Vec<Slices>,
    latencies: Vec<Vec<u32>>,
}

fn measure(scenario: Scenario, sides: &mut [Side], how: Measure) -> Outcome {
    let mut outcome = Outcome {
        slices: vec![Slices::default(); sides.len()],
        latencies: vec![Vec::new(); sides.len()],
    };
    let mut loads: Vec<Load> = sides
        .iter_mut()
        .map(|side| {
            side.ask("POST", "/reset");
            let mut load = Load::open(side.server.addr(), scenario);
            load.slice(how.slice / 4, &mut Vec::new()); // tables, caches and branches get warm
            load
        })
        .collect();
    for round in 0..how.rounds {
        for place in 0..sides.len() {
            // Another one begins each time.
            let at = (round + place) % sides.len();
            let pid = sides[at].server.pid();
            let (cpu, began) = (cpu_ns(pid), Instant::now());
            let answers = loads[at].slice(how.slice, &mut outcome.latencies[at]);
            outcome.slices[at].0.push(Slice {
                answers,
                elapsed: began.elapsed(),
                cpu_ns: cpu_ns(pid).checked_sub(cpu).expect("time goes on"),
            });
        }
    }
    for (side, load) in sides.iter_mut().zip(loads) {
        side.asked += load.asked();
        let events = load.asked();
        drop(load);
        if scenario.counts() {
            side.check_statistics(events);
        }
    }
    outcome
}

/// A line of the table.
fn line(name: &str, sides: &[Side], outcome: &Outcome) -> String {
    let mut line = format!("| {name} |");
    // The second Barewire is only there to be compared with.
    for (at, slices) in outcome.slices.iter().enumerate().filter(|(at, _)| *at != 1) {
        let cost = median(slices.costs());
        let rate = median(slices.rates());
        let share = median(slices.shares()) * 100.0;
        line += &format!(" {cost:.2} | {rate:.0} | {share:.0} % |");
        let latencies = &mut outcome.latencies[at].clone();
        line += &match latencies.is_empty() {
            true => " |".to_owned(),
            false => {
                let [half, most] = [0.5, 0.99].map(|q| f64::from(quantile(latencies, q)) / 1e3);
                format!(" {half:.0}, {most:.0} |")
            }
        };
    }
    for at in (2..sides.len()).chain([1]) {
        let mut ratios = outcome.slices[at].ratios(&outcome.slices[0]);
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        line += &format!(" {:.2} ({least:.2}-{most:.2}) |", median(ratios));
    }
    line
}

fn heading(sides: &[Side]) -> String {
    let (mut heading, mut rule) = ("| |".to_owned(), "|---|".to_owned());
    for side in sides.iter().enumerate().filter(|(at, _)| *at != 1) {
        let name = &side.1.name;
        heading += &format!(" {name}: CPU µs | requests/s | busy | p50, p99 µs |");
        rule += "---:|---:|---:|---:|";
    }
    for side in &sides[2..] {
        heading += &format!(" {} ÷ Barewire |", side.name);
    }
    format!(
        "{heading} Barewire ÷ Barewire |\n{rule}{}",
        "---:|".repeat(sides.len() - 1)
    )
}

fn main() {
    let (mut barewire, mut peers, mut how) = (None, Vec::new(), FULL);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--barewire" => barewire = words.next(),
            "--peer" => peers.extend(words.next()),
            "--quick" => how = QUICK,
            "--bench" => {} // cargo says so
            other => panic!("{other}: not one of --barewire, --peer, --quick"),
        }
    }
    let barewire = barewire.expect("--barewire PROGRAM");
    proc::raise_descriptors();
    // The servers share one processor, as only one of them is asked at a time; we take another.
    let all = processors();
    let (first, last) = (all[0], all[all.len() - 1]);
    let mut taskset = Command::new("taskset");
    let me = std::process::id().to_string();
    taskset
        .args(["-c", "-p", &last.to_string(), &me])
        .stdout(Stdio::null());
    let status = taskset
        .status()
        .expect("taskset, of the package util-linux");
    assert!(status.success(), "taskset: {status}");

    let mut sides = vec![
        Side::start("Barewire", &barewire, first),
        Side::start("Barewire again", &barewire, first),
    ];
    for peer in &peers {
        let (name, program) = peer.split_once('=').expect("NAME=PROGRAM");
        sides.push(Side::start(name, program, first));
    }
    let Measure { rounds, slice } = how;
    let apart = if first == last {
        "the same processor"
    } else {
        "processors of their own"
    };
    println!("{rounds} slices of {slice:?} each; servers and client on {apart}.\n");
    println!("{}", heading(&sides));
    for scenario in SCENARIOS {
        let outcome = measure(scenario, &mut sides, how);
        println!("{}", line(scenario.name, &sides, &outcome));
    }
    for side in &sides {
        // The coarse clock knows threads that have ended: had there been any, their time would be
        // missing in the fine one.
        let (fine, coarse) = (cpu_ns(side.server.pid()), side.server.cpu());
        let fine = Duration::from_nanos(fine);
        let slack = coarse / 50 + Duration::from_millis(50);
        assert!(
            fine.abs_diff(coarse) < slack,
            "{}: {fine:?}, {coarse:?}",
            side.name
        );
    }
    // The peers end here too; ours also have to have counted as we have.
    for side in sides.drain(..).take(2) {
        let (tally, asked) = (side.server.stop(), side.asked);
        let seen = (tally.requests, tally.faults, tally.refused, tally.in_time);
        assert_eq!(seen, (asked, 0, 0, true), "{}", side.name);
    }
    println!("\nEvery answer was right, byte for byte but for its date; so were the statistics.");
}
