//! What a run has shown: numbers, one text for people, one for programs; and the line that moves meanwhile.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::LoadOptions;
use super::histogram::Histogram;
use super::idle::IdleReport;

/// How long answers took, from the write that carried the request to the read that brought its answer. Requests wait
/// for answers before them (a closed loop), so a server that stalls is asked less meanwhile: compare servers with it,
/// but do not take it for what users of an open system would see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// Half of the answers took at most this.
    pub p50: Duration,
    /// 90 of 100 took at most this.
    pub p90: Duration,
    /// 99 of 100 took at most this.
    pub p99: Duration,
    /// 999 of 1,000 took at most this.
    pub p999: Duration,
    /// The slowest, exactly; the others are rounded up by less than 1/128.
    pub max: Duration,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram) -> Latency {
        let at = |per_mille| Duration::from_nanos(histogram.quantile(per_mille));
        Latency {
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p999: at(999),
            max: Duration::from_nanos(histogram.max()),
        }
    }

    fn named(&self) -> [(&'static str, Duration); 5] {
        [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p99.9", self.p999),
            ("max", self.max),
        ]
    }
}

/// Everything a run has shown. It passed if `failures` is empty.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LoadReport {
    /// Requests answered with 200 or 201.
    pub ok: u64,
    /// Requests answered with any other status.
    pub refused: u64,
    /// Requests that never got an answer.
    pub lost: u64,
    /// Answers by status, ascending.
    pub by_status: Vec<(u16, u64)>,
    /// From the first write to the last answer; connecting and the checks are not in it.
    pub elapsed: Duration,
    /// From write to read, of every answer.
    pub latency: Latency,
    /// Connections opened for the load.
    pub connects: u64,
    /// How many of them replaced one that the server closed.
    pub reconnects: u64,
    /// Requests sent again, because the server announced the close before it came to them.
    pub resent: u64,
    /// Connections that ended in a fault of the server.
    pub broken: u64,
    /// Answers of `GET /stats` that were looked at during the run.
    pub looks: u64,
    /// Connections that sent a part of an event and went away.
    pub aborted: u64,
    /// Connections that did nothing meanwhile, if there were any.
    pub idle: Option<IdleReport>,
    /// `totalRequests`, `uniqueUsers`, `sum` and `avg` at the end, if they could be read.
    pub stats: Option<(u64, u64, String, String)>,
    /// Whether the server could be reset; without it, its numbers were compared from where they stood.
    pub reset: bool,
    /// One line per thing that was wrong.
    pub failures: Vec<String>,
}

impl LoadReport {
    /// Nothing was wrong.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// Takes in what became of idle connections.
    pub(crate) fn rested(&mut self, idle: IdleReport) {
        self.failures.extend(idle.failures());
        self.idle = Some(idle);
    }

    /// Answers per second, of any status.
    pub fn answers_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        let answers = (self.ok + self.refused) as f64;
        if seconds > 0.0 {
            answers / seconds
        } else {
            0.0
        }
    }

    /// The report for people.
    pub(crate) fn text(&self, options: &LoadOptions) -> String {
        let mut lines = match options.requests {
            0 => Vec::new(),
            _ => self.sending(options),
        };
        if let Some(idle) = &self.idle {
            lines.extend(idle.text(grouped));
        }
        lines.extend(
            self.failures
                .iter()
                .map(|failure| format!("FAIL         {failure}")),
        );
        if self.passed() {
            let exact = match options.requests {
                0 => "all idle connections were opened and kept",
                _ => "every answer and the statistics are exact",
            };
            lines.push(format!("PASS         {exact}"));
        }
        lines.join("\n") + "\n"
    }

    /// The lines about what was sent.
    fn sending(&self, options: &LoadOptions) -> Vec<String> {
        let mut lines = vec![format!(
            "sent         {} requests to {} over {} connections, {} deep; {} ids, values {}",
            grouped(options.requests),
            options.url,
            grouped(u64::from(options.connections)),
            options.pipeline,
            grouped(options.ids),
            options.values.name(),
        )];
        let mut line = format!("answers      {} ok", grouped(self.ok));
        for (status, count) in &self.by_status {
            let _ = write!(line, ", {status}: {}", grouped(*count));
        }
        lines.push(format!(
            "{line}; {} refused, {} lost",
            grouped(self.refused),
            grouped(self.lost)
        ));
        lines.push(format!(
            "speed        {} requests/s ({:.3} s from first write to last answer)",
            grouped(self.answers_per_second() as u64),
            self.elapsed.as_secs_f64()
        ));
        let named = self
            .latency
            .named()
            .map(|(name, value)| format!("{name} {}", short(value)));
        lines.push(format!(
            "latency      {}  (write to read, closed loop)",
            named.join("  ")
        ));
        lines.push(format!(
            "connections  {} opened, {} of them again; {} requests sent again, {} connections broken",
            grouped(self.connects),
            grouped(self.reconnects),
            grouped(self.resent),
            grouped(self.broken)
        ));
        if options.poll_stats_ms.is_some() {
            lines.push(format!(
                "looks        {} at /stats meanwhile",
                grouped(self.looks)
            ));
        }
        if options.abort > 0 {
            lines.push(format!(
                "aborted      {} connections in the middle of a request",
                grouped(self.aborted)
            ));
        }
        if let Some((total, users, sum, avg)) = &self.stats {
            lines.push(format!(
                "stats        totalRequests {total}  uniqueUsers {users}  sum {sum}  avg {avg}"
            ));
        }
        if !self.reset {
            lines.push(
                "note         the server has no /reset: compared with its numbers at the start"
                    .to_owned(),
            );
        }
        lines
    }

    /// The report for programs: one JSON object on one line. Durations in nanoseconds.
    pub(crate) fn json(&self, options: &LoadOptions) -> String {
        let mut text = format!(
            "{{\"url\":{},\"requests\":{},\"connections\":{},\"pipeline\":{},\"ids\":{},\"passed\":{}",
            quoted(&options.url),
            options.requests,
            options.connections,
            options.pipeline,
            options.ids,
            self.passed()
        );
        for (name, value) in [
            ("ok", self.ok),
            ("refused", self.refused),
            ("lost", self.lost),
            ("connects", self.connects),
            ("reconnects", self.reconnects),
            ("resent", self.resent),
            ("broken", self.broken),
            ("looks", self.looks),
            ("aborted", self.aborted),
        ] {
            let _ = write!(text, ",\"{name}\":{value}");
        }
        let status = |(status, count): &(u16, u64)| format!("\"{status}\":{count}");
        let by_status: Vec<String> = self.by_status.iter().map(status).collect();
        let latency = self
            .latency
            .named()
            .map(|(name, value)| format!("\"{name}\":{}", value.as_nanos()));
        let failures: Vec<String> = self
            .failures
            .iter()
            .map(|failure| quoted(failure))
            .collect();
        let stats = self.stats.as_ref().map_or("null".to_owned(), |(total, users, sum, avg)| {
            format!("{{\"totalRequests\":{total},\"uniqueUsers\":{users},\"sum\":{sum},\"avg\":{avg}}}")
        });
        if let Some(idle) = &self.idle {
            let _ = write!(text, ",\"idle\":{}", idle.json());
        }
        let _ = write!(
            text,
            ",\"elapsed_ns\":{},\"per_second\":{:.1},\"by_status\":{{{}}},\"latency_ns\":{{{}}},\"stats\":{stats},\
             \"reset\":{},\"failures\":[{}]}}",
            self.elapsed.as_nanos(),
            self.answers_per_second(),
            by_status.join(","),
            latency.join(","),
            self.reset,
            failures.join(",")
        );
        text + "\n"
    }
}

/// The line on a terminal that tells how far the run is.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    requests: u64,
    before: u64,
}

impl Progress {
    /// Shows nothing unless asked to and standard error is a terminal.
    pub(crate) fn new(wanted: bool, requests: u64) -> Progress {
        Progress {
            shown: wanted && io::stderr().is_terminal(),
            requests,
            before: 0,
        }
    }

    /// Called about once a second with the requests answered well so far.
    pub(crate) fn show(&mut self, answered: u64, since_last: Duration) {
        if self.shown {
            let line = progress_line(answered, self.before, self.requests, since_last);
            // Nobody is harmed if the terminal has gone.
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
            self.before = answered;
        }
    }

    /// Wipes the line.
    pub(crate) fn end(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn progress_line(answered: u64, before: u64, requests: u64, since_last: Duration) -> String {
    let per_cent = u128::from(answered) * 100 / u128::from(requests.max(1));
    let rate = answered.saturating_sub(before) as f64 / since_last.as_secs_f64().max(1e-3);
    format!(
        "{} of {} ({per_cent} %), {}/s",
        grouped(answered),
        grouped(requests),
        grouped(rate as u64)
    )
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

/// Three digits and a unit.
fn short(value: Duration) -> String {
    let us = value.as_nanos() as f64 / 1e3;
    let (value, unit) = match us {
        ..1e3 => (us, "us"),
        ..1e6 => (us / 1e3, "ms"),
        _ => (us / 1e6, "s"),
    };
    match value {
        ..10.0 => format!("{value:.2} {unit}"),
        ..100.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> LoadReport {
        LoadReport {
            ok: 1_000_000,
            by_status: vec![(200, 1_000_000)],
            elapsed: Duration::from_secs(4),
            stats: Some((1_000_000, 75_000, "500000000".to_owned(), "500".to_owned())),
            reset: true,
            ..LoadReport::default()
        }
    }

    #[test]
    fn a_good_report_says_pass_and_a_bad_one_says_why() {
        let good = report().text(&LoadOptions::default());
        assert!(
            good.contains("speed        250,000 requests/s (4.000 s"),
            "{good}"
        );
        assert!(
            good.contains("totalRequests 1000000  uniqueUsers 75000  sum 500000000  avg 500\n")
        );
        assert!(good.ends_with("PASS         every answer and the statistics are exact\n"));
        let bad = LoadReport {
            failures: vec!["sum is 1".to_owned()],
            ..report()
        };
        let bad = bad.text(&LoadOptions::default());
        assert!(bad.contains("FAIL         sum is 1\n") && !bad.contains("PASS"));
    }

    #[test]
    fn the_report_for_programs_is_one_line_of_json() {
        let bad = LoadReport {
            failures: vec!["a \"b\"\n".to_owned()],
            ..report()
        };
        let text = bad.json(&LoadOptions::default());
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains(r#""passed":false,"ok":1000000,"#), "{text}");
        assert!(
            text.contains(r#""by_status":{"200":1000000},"latency_ns":{"p50":0,"#),
            "{text}"
        );
        assert!(text.contains(
            r#""stats":{"totalRequests":1000000,"uniqueUsers":75000,"sum":500000000,"avg":500}"#
        ));
        assert!(
            text.ends_with("\"reset\":true,\"failures\":[\"a \\\"b\\\"\\u000a\"]}\n"),
            "{text}"
        );
    }

    #[test]
    fn numbers_are_short_and_readable() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(n), text);
        }
        for (ns, text) in [
            (1_230, "1.23 us"),
            (45_600, "45.6 us"),
            (789_000_000, "789 ms"),
            (2_000_000_000, "2.00 s"),
        ] {
            assert_eq!(short(Duration::from_nanos(ns)), text);
        }
        let line = progress_line(500_000, 400_000, 1_000_000, Duration::from_secs(1));
        assert_eq!(line, "500,000 of 1,000,000 (50 %), 100,000/s");
    }
}
