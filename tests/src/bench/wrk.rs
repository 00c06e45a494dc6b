//! The command of the challenge, literally: `wrk -t12 -c400 -d30s --latency`. Only reported: wrk has
//! twelve threads on one processor here and costs more for each request than the servers do.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Scenario, Server, Side, cpu_ns, pinned};

/// Its arguments, all but the address.
const ARGS: [&str; 4] = ["-t12", "-c400", "-d30s", "--latency"];
/// Seconds after which it is killed: half as many again as it shall take.
const SECONDS_MAX: &str = "45";

/// What wrk is asked to ask for.
fn scenario() -> Scenario {
    Scenario {
        title: "wrk -t12 -c400 -d30s --latency",
        connections: 400,
        ..super::SCENARIOS[0]
    }
}

/// Asks each server in turn, and gives a table of what wrk said.
///
/// # Panics
/// If wrk fails, or had an answer that was none.
pub fn wrk(sides: &[Side], servers: usize, client: usize, scratch: &Path) -> String {
    let scenario = scenario();
    let mut text = format!("### {}\n\n", scenario.title);
    text +=
        "| | requests/s | CPU µs | p50 | p75 | p90 | p99 |\n|---|---:|---:|---:|---:|---:|---:|\n";
    for (place, side) in sides.iter().enumerate() {
        let folder = scratch.join(format!("wrk-{place}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        // The floor knows requests by their length: of wrk's, which come one by one, it has to be
        // told that each `recv` is one.
        let side = side.with("{request-bytes}", "0");
        let server = Server::start(&side, &scenario, servers, &folder);
        let before = cpu_ns(server.pid());
        let said = run(&format!("http://{}/plaintext", server.addr()), client);
        let cpu = cpu_ns(server.pid()).saturating_sub(before);
        let report = Report::of(&said).unwrap_or_else(|| panic!("{}: {said}", side.name));
        let cost = cpu as f64 / 1e3 / report.requests as f64;
        let [p50, p75, p90, p99] = report.latencies;
        let rate = report.rate;
        let name = &side.name;
        text += &format!("| {name} | {rate} | {cost:.2} | {p50} | {p75} | {p90} | {p99} |\n");
    }
    text
}

fn run(url: &str, processor: usize) -> String {
    let words = [
        &["timeout", "-k", "5", SECONDS_MAX, "wrk"][..],
        &ARGS,
        &[url],
    ]
    .concat();
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    let mut command: Command = pinned(&words, processor);
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("setpriv, of util-linux");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "wrk: {}: {text}", output.status);
    text
}

/// What it wrote.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    requests: u64,
    rate: String,
    latencies: [String; 4],
}

impl Report {
    /// `None`: it is no report, or tells of wrong answers.
    fn of(text: &str) -> Option<Report> {
        if text.contains("Non-2xx") {
            return None;
        }
        let behind = |name: &str| {
            let mut lines = text.lines().map(str::trim);
            lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        let mut lines = text.lines().map(str::trim);
        let requests = lines.find_map(|line| line.split_once(" requests in ")?.0.parse().ok());
        Some(Report {
            requests: requests?,
            rate: behind("Requests/sec:")?,
            latencies: [
                behind("50%")?,
                behind("75%")?,
                behind("90%")?,
                behind("99%")?,
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Running 30s test @ http://127.0.0.1:1/plaintext
  12 threads and 400 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.70ms    2.11ms  40.00ms   90.00%
  Latency Distribution
     50%    4.69ms
     75%    5.10ms
     90%    5.90ms
     99%   10.11ms
  2568131 requests in 30.10s, 350.20MB read
Requests/sec:  85320.10
Transfer/sec:     11.63MB
";

    #[test]
    fn its_report_is_read() {
        let report = Report::of(TEXT).unwrap();
        assert_eq!(
            (report.requests, report.rate.as_str()),
            (2_568_131, "85320.10")
        );
        assert_eq!(report.latencies, ["4.69ms", "5.10ms", "5.90ms", "10.11ms"]);
        assert_eq!(
            Report::of(&format!("{TEXT}  Non-2xx or 3xx responses: 1\n")),
            None
        );
        assert_eq!(Report::of("unable to connect"), None);
    }
}
