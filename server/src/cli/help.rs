//! The texts of `--help`. The flags come from their tables, with their defaults.

use std::fmt::Write as _;

use super::VERSION;
use super::args::Choices;
use super::flags::{LOAD, SERVE, Table, all};
use crate::load::LoadOptions;

/// What help is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Overview,
    Serve,
    Load,
}

/// The text, with a line end.
pub(crate) fn text(topic: Topic) -> String {
    let (head, flags, tail) = match topic {
        Topic::Overview => {
            return format!("barewire {VERSION}, {OVERVIEW}");
        }
        Topic::Serve => (SERVE_HEAD, list(SERVE, &Choices::default()), SERVE_TAIL),
        Topic::Load => (LOAD_HEAD, list(LOAD, &LoadOptions::default()), LOAD_TAIL),
    };
    format!("{head}\n{flags}\n{tail}")
}

const OVERVIEW: &str = "\
an HTTP/1.1 server for the 1 Million Request Challenge

Usage:
  barewire [PORT [WORKERS]]   serve on 127.0.0.1, port 8080, a worker a core
  barewire serve [FLAGS]      serve, with every choice    (barewire help serve)
  barewire load [FLAGS]       load a server and check it  (barewire help load)
  barewire help [serve|load]  this text, or the flags; also -h, --help
  barewire --version          also -V

Try it:
  barewire
  curl -d '{\"userId\":\"ada\",\"value\":1.5}' http://127.0.0.1:8080/event
  curl http://127.0.0.1:8080/stats
  barewire load --requests 100000 --connections 100

Exit codes:
  0  all done; for a server: stopped, and every request under way finished
  1  anything not listed here: a check of the load failed, requests cut off
  2  a flag or a value that cannot be
  3  the address is in use
  4  too few open files allowed, or too little memory
";

const SERVE_HEAD: &str = "\
Usage: barewire serve [FLAGS] [PORT [WORKERS]]

Serves the challenge until SIGTERM or Ctrl-C; a second one ends it at once.
";

const SERVE_TAIL: &str = "\
SIZE is in bytes, or in KiB, MiB, GiB: 1500, 64k, 16m, 1g.
Whatever --head-bytes-max is, a head has to fit into --recv-bytes: else 431.
--accept reuseport: the system spreads connections over a listener for each
worker. handoff: one thread accepts and gives each to whoever has the fewest,
for systems that do not spread, and for few connections that shall be even.
--per-address counts an IPv6 network of 64 bits as one address.
--pin ties the first worker to the first processor that the process may use, and
so on; a system that cannot do that refuses. More workers than processors begin
again with the first.
--own-descriptors: each worker has a table of its own, where the system can. A
request costs a little less; /proc/PID/fd, and what looks there as `ss -p` does,
no longer show the sockets: they stand in /proc/PID/task/*/fd. Not with handoff.
--huge-pages try: from the pool (vm.nr_hugepages); else transparent ones, as the
system finds memory in one piece; else none. require: from the pool or no start.
Both are about the buffers; the statistics keep pages of the usual size.
--check shows what flags would get here, and how large the pool has to be.
--prefault locks as much memory as `ulimit -l` allows. The first lines say if it
did, and how much memory is taken at most, whatever the clients do.
If fewer open files are allowed than the default of --connections needs, it
serves as many as fit and says so; what was asked for is never lowered.

Examples:
  barewire serve --bind 0.0.0.0 --port 80 --workers 4
  barewire serve --bind [::]:8080 --connections 100000 --slots 20000
  barewire serve --prefault --idle-ms 5000 --body-bytes-max 1m
  curl -d '{\"userId\":\"ada\",\"value\":1.5}' http://127.0.0.1:8080/event
";

const LOAD_HEAD: &str = "\
Usage: barewire load [FLAGS]

Plays the client of the challenge against any server of it: resets it, sends
the events, checks every answer, then checks GET /stats exactly.
";

const LOAD_TAIL: &str = "\
--idle without --requests sends nothing, to any server. It opens so many, 1,000
from each of many addresses of 127.0.0.0/8, tells what stopped it, holds them.
A server may close who never speaks (ours: serve --first-byte-ms).

Examples:
  barewire load
  barewire load --url http://127.0.0.1:8000 --requests 100000 --pipeline 16
  barewire load --ids 1000000 --poll-stats 100 --abort 50
  barewire load --requests 100000 --idle 500
  barewire load --idle 10000 --hold 8 --server-pid 1234
";

/// The groups of a table, one flag a line, aligned.
fn list<T>(table: Table<T>, defaults: &T) -> String {
    let width = |name: &str, value: &str| name.len() + value.len();
    let column = all(table)
        .map(|flag| width(flag.name, flag.value))
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for group in table {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}:", group.title);
        for flag in group.flags {
            let (name, value) = (flag.name, flag.value);
            let gap = column - width(name, value);
            let _ = write!(text, "  --{name} {value}{:gap$}  {}", "", flag.about);
            let default = (flag.get)(defaults);
            if !default.is_empty() {
                let _ = write!(text, " [{default}]");
            }
            text.push('\n');
        }
        text.push('\n');
    }
    text.push_str(COMMON);
    text
}

const COMMON: &str = "\
Values in brackets are the defaults. --flag=value does as well; -h shows this,
-V the version.
";

#[cfg(test)]
mod tests {
    use super::super::args::{Command, parse};
    use super::super::flags::names;
    use super::*;
    use std::collections::BTreeSet;

    const TOPICS: [Topic; 3] = [Topic::Overview, Topic::Serve, Topic::Load];

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for topic in TOPICS {
            let text = text(topic);
            assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{line}");
                assert_eq!(line.trim_end(), line);
            }
        }
    }

    /// Words of a text that look like flags.
    fn flags_in(text: &str) -> BTreeSet<&str> {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter_map(|word| word.strip_prefix("--"))
            .collect()
    }

    #[test]
    fn the_help_names_every_flag_and_no_other() {
        for (topic, names) in [(Topic::Serve, names(SERVE)), (Topic::Load, names(LOAD))] {
            let text = text(topic);
            let mut shown = flags_in(&text);
            // Stand-ins of the notes, the other command's, and what every command knows.
            shown.remove("flag");
            if topic == Topic::Load {
                shown.remove("first-byte-ms");
            }
            shown.extend(["help", "version"]);
            assert_eq!(shown, names.into_iter().collect(), "{topic:?}");
        }
    }

    #[test]
    fn every_example_is_a_command_that_is_understood() {
        let mut seen = 0;
        for topic in TOPICS {
            let text = text(topic);
            let examples = text.split("Usage").nth(1).unwrap_or_default();
            let examples = examples.split_once("\n\n").map_or("", |(_, after)| after);
            for line in examples.lines() {
                let mut words = line.split_whitespace();
                if words.next() == Some("barewire") {
                    let parsed = parse(words.map(Into::into));
                    assert!(
                        matches!(parsed, Ok(Command::Serve(_) | Command::Load(_))),
                        "{line}"
                    );
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 10);
    }

    #[test]
    fn defaults_are_shown_and_flags_are_aligned() {
        let text = text(Topic::Serve);
        for line in [
            "  --port N                  port; 0 takes a free one [8080]",
            "  --slot-bytes SIZE         one buffer, to receive and send [16k]",
            "  --idle-ms MS              between two requests [30000]",
            "  --prefault                touch all memory at the start, lock it",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
