//! Measures what a connection takes of a server's memory: idle ones that never spoke, idle ones
//! that were answered, and ones with half a request sent; and what it takes of the system's. Writes
//! tables in Markdown. `bench/memory` builds the servers and starts it.
//!
//! `resident --barewire PROGRAM [--nginx PROGRAM] [--peer NAME=PROGRAM]... [--quick]`, or
//! `resident --barewire PROGRAM --together N`.
#![forbid(unsafe_code)]

mod crowd;
mod line;
mod served;
mod system;
mod together;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use barewire_tests::drill::proc;

use crowd::{Crowd, Manner};
use line::Line;
use served::{Kind, Room, Served};

/// Descriptors besides those of the connections, on either side: streams, listeners, event loops,
/// and a margin for runtimes.
const DESCRIPTORS_BESIDE: u64 = 200;
/// Connections of the largest run: enough for a slope, and few enough for the time.
const CONNECTIONS_MAX: u64 = 18_000;
/// Runs of each server and manner; the first has no connections.
const RUNS: u64 = 5;
/// After the last connection a server gets so long to come to rest.
const REST: Duration = Duration::from_millis(400);

/// What is to be done.
#[derive(Debug, Default)]
struct Task {
    servers: Vec<(String, Kind, String)>,
    quick: bool,
    together: Option<u64>,
}

fn task() -> Result<Task, String> {
    let mut task = Task::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--barewire" => {
                let own = (String::from("Barewire"), Kind::Barewire, value()?);
                task.servers.push(own);
            }
            "--nginx" => task
                .servers
                .push((String::from("nginx"), Kind::Nginx, value()?)),
            "--peer" => {
                let text = value()?;
                let (name, program) = text.split_once('=').ok_or("--peer NAME=PROGRAM")?;
                task.servers
                    .push((name.to_owned(), Kind::Peer, program.to_owned()));
            }
            "--together" => {
                let count = value()?.parse().map_err(|_| "--together N");
                task.together = Some(count?);
            }
            "--quick" => task.quick = true,
            "--bench" => {} // cargo says so
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    if task.servers.is_empty() {
        return Err("--barewire PROGRAM is missing".to_owned());
    }
    Ok(task)
}

/// What a server takes with so many connections.
#[derive(Clone, Copy, Debug)]
struct Point {
    connections: u64,
    rss: u64,
}

/// A server that was started for so many connections, with all of them.
fn point(kind: Kind, program: &str, manner: Manner, connections: u64, room: Room) -> Point {
    let server = Served::start(kind, program, room);
    let before = proc::descriptors(server.pid());
    let crowd = Crowd::open(server.addr(), connections, manner);
    server.wait_for_descriptors(before + connections as usize);
    thread::sleep(REST);
    assert_eq!(
        crowd.lost(),
        0,
        "{program}: {manner:?}: connections were lost"
    );
    Point {
        connections,
        rss: proc::rss(server.pid()),
    }
}

fn main() -> ExitCode {
    let task = match task() {
        Ok(task) => task,
        Err(what) => {
            eprintln!("resident: {what}");
            return ExitCode::from(2);
        }
    };
    let allowed = proc::raise_descriptors();
    if let Some(count) = task.together {
        return together::run(&task.servers[0].2, count, allowed - DESCRIPTORS_BESIDE);
    }
    let most = match task.quick {
        true => 1_000,
        false => CONNECTIONS_MAX.min(allowed - DESCRIPTORS_BESIDE),
    };
    let runs = if task.quick { 3 } else { RUNS };
    let steps: Vec<u64> = (0..runs).map(|at| most * at / (runs - 1)).collect();
    println!(
        "Bytes for each connection: the slope of resident memory (`Rss` of \
         `/proc/PID/smaps_rollup`, least squares) over {} servers each, started for and with {} to \
         {most} connections; in \
         brackets the largest distance of a run from the line, as bytes for each of {most}. One \
         thread or process each, 64 bit; this process may open {allowed} files, which \
         is the bound.",
        steps.len(),
        steps[0],
    );
    println!("\n| server | idle, never spoke | idle, was answered | half a head sent | base |");
    println!("|---|---:|---:|---:|---:|");
    for (name, kind, program) in &task.servers {
        let mut cells = Vec::new();
        let mut base = 0;
        for manner in [Manner::Silent, Manner::Answered, Manner::Half] {
            let points: Vec<Point> = steps
                .iter()
                .map(|&count| {
                    let room = Room::new(count, manner == Manner::Half);
                    point(*kind, program, manner, count, room)
                })
                .collect();
            eprintln!("{name}: {manner:?}: {points:?}");
            let pairs = points.iter().map(|one| (one.connections, one.rss));
            let rss = Line::through(&pairs.collect::<Vec<_>>());
            cells.push(format!("{:.0} ({:.0})", rss.slope, rss.off / most as f64));
            if manner == Manner::Silent {
                base = points[0].rss;
            }
        }
        println!(
            "| {name} | {} | {:.1} MB |",
            cells.join(" | "),
            base as f64 / 1e6
        );
    }
    let (_, kind, program) = &task.servers[0];
    grown(*kind, program, most);
    match system::sockets(*kind, program, most) {
        Some(table) => println!("\n{table}"),
        None => println!("\nSKIPPED: the system's memory: /proc/slabinfo is for root"),
    }
    ExitCode::SUCCESS
}

/// The same server with the same tables, with no connections and with many.
fn grown(kind: Kind, program: &str, most: u64) {
    let room = Room::new(most, false);
    let with = |count, manner| point(kind, program, manner, count, room).rss as f64;
    let none = with(0, Manner::Silent);
    let [silent, answered] =
        [Manner::Silent, Manner::Answered].map(|manner| (with(most, manner) - none) / most as f64);
    println!(
        "\nBarewire's tables are made and touched at its start. After that, {most} idle \
         connections made it grow by {silent:.1} bytes for each (answered ones: {answered:.1})."
    );
}
