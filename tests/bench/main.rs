//! Measures servers side by side: slices of each in turns, in one run, by the same client. Writes
//! tables in Markdown and a plot. `bench/run` builds the servers and starts it; `README.md` says
//! how to read what it writes.
//!
//! Each server of a scenario has a client of its own, a process too, as one alone could not have as
//! many connections open as all of them together. Only one of them is at work at any time.
#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use barewire_tests::bench::{
    Column, Kind, Load, Options, Row, Scenario, Server, Side, Slice, Slices, Wait, cpu_ns, details,
    known, matrix, median, pinned, plot, processors, quantile, wrk,
};
use barewire_tests::drill::proc;

/// Share of its processor that the base has to have, where enough connections ask.
const BUSY_MIN: f64 = 0.8;

/// A client in a process of its own, which does what it is told on a pipe.
struct Hand {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl Hand {
    fn start(
        server: &Server,
        scenario: &Scenario,
        place: usize,
        processor: usize,
        wait: Wait,
    ) -> Hand {
        let program = std::env::current_exe().expect("the name of this program");
        let words = [
            program.to_str().expect("a readable path"),
            "client",
            &server.addr().to_string(),
            &server.pid().to_string(),
            scenario.id,
            &place.to_string(),
            if wait == Wait::Sleep { "sleep" } else { "spin" },
        ];
        let mut command = pinned(&words.map(str::to_owned), processor);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("setpriv, of the package util-linux");
        Hand {
            orders: child.stdin.take().expect("a pipe"),
            reports: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
        }
    }

    /// Numbers that answer an order.
    fn told(&mut self, order: &str) -> Vec<u64> {
        let mut line = String::new();
        writeln!(self.orders, "{order}").expect("the client is there");
        self.reports
            .read_line(&mut line)
            .expect("the client is there");
        let numbers = line.split_whitespace().map(str::parse);
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().expect("numbers");
        assert!(!numbers.is_empty(), "the client has failed");
        numbers
    }

    fn slice(&mut self, length: Duration) -> Slice {
        let told = self.told(&format!("slice {}", length.as_nanos()));
        Slice {
            answers: told[0],
            elapsed: Duration::from_nanos(told[1]),
            cpu_ns: told[2],
            worked: Duration::from_nanos(told[3]),
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The client's side of the pipe.
fn client(words: &[String]) {
    let [addr, pid, id, place, wait] = words else {
        panic!("client ADDR PID SCENARIO PLACE WAIT");
    };
    proc::raise_descriptors();
    let addr: SocketAddr = addr.parse().expect("an address");
    let pid: u32 = pid.parse().expect("a process");
    let wait = if wait == "sleep" {
        Wait::Sleep
    } else {
        Wait::Spin
    };
    let scenario = Scenario::of(id).expect("a scenario");
    let mut load = Load::open(addr, scenario, wait, place.parse().expect("a place"));
    let (me, mut latencies) = (std::process::id(), Vec::new());
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("slice", ns)) => {
                let length = Duration::from_nanos(ns.parse().expect("nanoseconds"));
                let (own, before) = (cpu_ns(me), cpu_ns(pid));
                let slice = load.slice(length, &mut latencies);
                let cpu = cpu_ns(pid).checked_sub(before).expect("time goes on");
                let elapsed = slice.elapsed.as_nanos();
                let worked = match wait {
                    Wait::Spin => slice.worked.as_nanos(),
                    Wait::Sleep => (cpu_ns(me) - own).into(),
                };
                println!("{} {elapsed} {cpu} {worked}", slice.answers);
            }
            None if line == "warm" => {
                latencies.clear();
                println!("0");
            }
            None if line == "end" => {
                let latency = match latencies.is_empty() {
                    true => [0, 0],
                    false => [0.5, 0.99].map(|q| quantile(&mut latencies, q)),
                };
                println!("{} {} {}", load.asked(), latency[0], latency[1]);
            }
            _ => panic!("{line}: no order"),
        }
    }
}

/// Where things run.
struct Machine {
    /// The servers share one processor, as only one of them is asked at a time.
    servers: usize,
    client: usize,
    wait: Wait,
    scratch: PathBuf,
}

fn measure(scenario: Scenario, sides: &[Side], options: &Options, machine: &Machine) -> Column {
    let mut servers: Vec<Option<(Server, Hand)>> = Vec::new();
    for (place, side) in sides.iter().enumerate() {
        if let Some(why) = side.lack(&scenario) {
            eprintln!("{}: {} {why}", scenario.id, side.name);
            servers.push(None);
            continue;
        }
        let folder = machine.scratch.join(format!("{}-{place}", scenario.id));
        std::fs::create_dir_all(&folder).expect("a folder");
        let server = Server::start(side, &scenario, machine.servers, &folder);
        let mut hand = Hand::start(&server, &scenario, place, machine.client, machine.wait);
        hand.slice(options.slice / 2); // tables, caches and branches get warm
        hand.told("warm");
        servers.push(Some((server, hand)));
    }
    let base = sides.iter().position(|side| side.name == options.base);
    let base = base.expect("a base");
    let mut slices: Vec<Vec<Option<Slice>>> = vec![Vec::new(); sides.len()];
    for round in 0..options.rounds {
        let takes_part =
            |at: &usize| sides[*at].kind != Kind::Peer || *at == base || round % options.every == 0;
        let mut order: Vec<usize> = (0..sides.len()).filter(takes_part).collect();
        // Another one begins each time, and every other round goes backwards.
        let shift = (round / 2) % order.len();
        order.rotate_left(shift);
        if round % 2 == 1 {
            order.reverse();
        }
        slices.iter_mut().for_each(|slices| slices.push(None));
        for at in order {
            if let Some((_, hand)) = &mut servers[at] {
                slices[at][round] = Some(hand.slice(options.slice));
            }
        }
    }
    let mut rows = Vec::new();
    for (at, (side, server)) in sides.iter().zip(servers).enumerate() {
        let mut latency = None;
        if let Some((mut server, mut hand)) = server {
            let told = hand.told("end");
            drop(hand);
            latency = (told[1] > 0).then_some((told[1] as u32, told[2] as u32));
            server.was_asked(told[0]);
            if scenario.counts() && side.has_statistics() {
                server.check_statistics(&scenario, told[0]);
            }
            server.stop();
        }
        let own = slices[at].iter().zip(&slices[base]);
        let pairs = own.filter_map(|(own, base)| own.zip(*base));
        let (own, base): (Vec<Slice>, Vec<Slice>) = pairs.unzip();
        rows.push(Row {
            name: side.name.clone(),
            lack: side.lack(&scenario),
            slices: Slices(own),
            base: Slices(base),
            latency,
        });
    }
    Column {
        scenario,
        base: options.base.clone(),
        rows,
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "client") {
        return client(&words[1..]);
    }
    let options = Options::parse(words).unwrap_or_else(|error| stop(&error));
    let sides = options.choose(known(&options.programs));
    let sides = sides.unwrap_or_else(|error| stop(&error));
    proc::raise_descriptors();
    let all = processors();
    let (first, last) = (all[0], all[all.len() - 1]);
    let scratch = Scratch::new();
    let machine = Machine {
        servers: first,
        client: last,
        wait: if first == last || options.sleeps {
            Wait::Sleep
        } else {
            Wait::Spin
        },
        scratch: scratch.0.clone(),
    };
    let mut columns = Vec::new();
    for scenario in &options.scenarios {
        let began = std::time::Instant::now();
        let column = measure(*scenario, &sides, &options, &machine);
        eprintln!(
            "{}: {:.0?}\n\n{}",
            scenario.id,
            began.elapsed(),
            details(&column)
        );
        columns.push(column);
    }
    let mut text = heading(&options, &machine) + &warning(&columns);
    text += &matrix(&columns);
    for column in &columns {
        text += &format!("\n{}", details(column));
    }
    if options.wrk {
        text += &format!(
            "\n{}",
            wrk(&sides, machine.servers, machine.client, &scratch.0)
        );
    }
    print!("{text}");
    if let Some(path) = &options.svg {
        std::fs::write(path, plot(&columns)).expect("the file of the plot");
    }
    if let Some(path) = &options.markdown {
        std::fs::write(path, &text).expect("the file of the tables");
    }
}

fn heading(options: &Options, machine: &Machine) -> String {
    let apart = match machine.servers == machine.client {
        true => "Servers and client share a processor",
        false => "Servers on one processor, the client on another",
    };
    let (rounds, slice) = (options.rounds, options.slice.as_millis());
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = cpuinfo.lines();
    let model = lines.find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor without a name", |(_, model)| model);
    format!("{model}. {apart}; {rounds} rounds of slices of {slice} ms.\n\n")
}

/// Says so where the base was not at work for most of the time: then others had its processor, or
/// the client did not keep up.
fn warning(columns: &[Column]) -> String {
    let busy = |column: &Column| {
        let base = column.rows.iter().find(|row| row.name == column.base);
        base.map_or(1.0, |row| median(row.slices.shares()))
    };
    // A client of one connection, or one that opens them, keeps no server busy.
    let told = columns
        .iter()
        .filter(|column| column.scenario.connections > 1 && !column.scenario.close);
    told.map(|column| (column, busy(column)))
        .filter(|(_, share)| *share < BUSY_MIN)
        .map(|(column, share)| {
            format!(
                "**Noisy**: with {} the {} was at work for {:.0} % of the time only. For the rest \
                 other programs had its processor, or the client did not keep up.\n\n",
                column.scenario.title,
                column.base,
                share * 100.0
            )
        })
        .collect()
}

fn stop(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2)
}

/// A folder that ends with the run.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let name = format!("barewire-bench-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}
