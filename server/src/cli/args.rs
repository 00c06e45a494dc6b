//! The command line, read into plain structs. Nothing here looks at the machine.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;

use lexopt::{Arg, Parser};

use super::flags::{self, Flag, LOAD, SERVE, Table};
use super::help::Topic;
use super::suggest::{see, unknown_command, unknown_flag};
use super::value::bind;
use crate::challenge::Options;
use crate::config::Config;
use crate::load::LoadOptions;

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Serve(Box<Choices>),
    Load(LoadOptions),
    Help(Topic),
    Version,
}

/// Everything a deployment chose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    pub(crate) config: Config,
    pub(crate) options: Options,
    /// `--connections` was given: then they are wanted, all of them.
    pub(crate) connections_given: bool,
    /// Start, say what was got, and stop.
    pub(crate) check: bool,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// One line that names what is wrong and what is expected.
pub(crate) fn parse<I>(args: I) -> Result<Command, String>
where
    I: IntoIterator<Item = OsString>,
{
    let args: Vec<OsString> = args.into_iter().collect();
    let rest = args.get(1..).unwrap_or_default();
    match args.first().and_then(|first| first.to_str()) {
        Some("serve") => serve(rest, Topic::Serve),
        Some("load") => load(rest),
        Some("help") => help(rest),
        // Without a command it serves; its `--help` is the overview.
        _ => serve(&args, Topic::Overview),
    }
}

fn serve(args: &[OsString], topic: Topic) -> Result<Command, String> {
    let mut choices = Choices::default();
    let mut positions = ["PORT", "WORKERS"].into_iter().zip(["port", "workers"]);
    let place = |choices: &mut Choices, value: &OsStr| {
        let Some((place, flag)) = positions.next() else {
            return Err(format!("unexpected argument {}", quoted(value)));
        };
        if place == "PORT" && is_address(value) {
            let value = quoted(value);
            return Err(format!(
                "{value} is no port; an address is given with --bind"
            ));
        }
        let is_word = value
            .to_str()
            .is_none_or(|v| v.starts_with(|c: char| c.is_alphabetic()));
        if place == "PORT" && is_word {
            return Err(unknown_command(&value.to_string_lossy()));
        }
        let flag = flags::find(SERVE, flag).ok_or("no such flag")?;
        store(flag, place, choices, value)
    };
    let asked = read(args, ("serve", SERVE), &mut choices, place)?;
    Ok(asked.command(topic, || Command::Serve(Box::new(choices))))
}

fn load(args: &[OsString]) -> Result<Command, String> {
    // 0 is no value of the flag: it was not given.
    let mut options = LoadOptions {
        requests: 0,
        ..LoadOptions::default()
    };
    let place = |_: &mut LoadOptions, value: &OsStr| {
        let value = quoted(value);
        Err(format!(
            "unexpected argument {value} (the server is given with --url)"
        ))
    };
    let asked = read(args, ("load", LOAD), &mut options, place)?;
    if matches!(asked, Asked::Work) && options.threads > options.connections {
        let (threads, connections) = (options.threads, options.connections);
        return Err(format!(
            "--threads {threads}: expected at most --connections, which is {connections}"
        ));
    }
    // Idle connections alone send nothing, unless they are told what.
    if options.requests == 0 && options.idle == 0 {
        options.requests = LoadOptions::default().requests;
    }
    Ok(asked.command(Topic::Load, || Command::Load(options)))
}

fn help(args: &[OsString]) -> Result<Command, String> {
    let topic = match args {
        [] => Topic::Overview,
        [one, ..] => match one.to_str() {
            Some("serve") => Topic::Serve,
            Some("load") => Topic::Load,
            Some("help" | "-h" | "--help") => Topic::Overview,
            _ => {
                let one = quoted(one);
                return Err(format!("no help about {one}: expected serve or load"));
            }
        },
    };
    match args.get(1) {
        Some(more) => Err(format!("unexpected argument {}", quoted(more))),
        None => Ok(Command::Help(topic)),
    }
}

/// What the flags amount to.
enum Asked {
    Help,
    Version,
    Work,
}

impl Asked {
    fn command(self, topic: Topic, work: impl FnOnce() -> Command) -> Command {
        match self {
            Asked::Help => Command::Help(topic),
            Asked::Version => Command::Version,
            Asked::Work => work(),
        }
    }
}

/// Reads flags by their table into `target`, and everything else by `place`. A flag that comes
/// again wins.
fn read<T>(
    args: &[OsString],
    (command, table): (&str, Table<T>),
    target: &mut T,
    mut place: impl FnMut(&mut T, &OsStr) -> Result<(), String>,
) -> Result<Asked, String> {
    let mut parser = Parser::from_args(args.iter().cloned());
    loop {
        let name = match parser.next().map_err(|error| unwanted_value(&error))? {
            None => return Ok(Asked::Work),
            Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Asked::Help),
            Some(Arg::Short('V') | Arg::Long("version")) => return Ok(Asked::Version),
            Some(Arg::Short(short)) => {
                return Err(format!("unknown flag -{short}; {}", see(command)));
            }
            Some(Arg::Value(value)) => {
                place(target, &value)?;
                continue;
            }
            Some(Arg::Long(name)) => name.to_owned(),
        };
        let Some(flag) = flags::find(table, &name) else {
            return Err(unknown_flag(&name, command, &flags::names(table)));
        };
        if flag.value.is_empty() {
            (flag.set)(target, "").map_err(|expected| format!("--{name}: expected {expected}"))?;
            continue;
        }
        let value = parser
            .value()
            .map_err(|_| format!("--{name}: the {} is missing", flag.value))?;
        store(flag, &format!("--{name}"), target, &value)?;
    }
}

/// Gives a value to its flag; `called` is what the user calls it.
fn store<T>(flag: &Flag<T>, called: &str, target: &mut T, value: &OsStr) -> Result<(), String> {
    // What is no text at all is no value of any flag.
    (flag.set)(target, &value.to_string_lossy())
        .map_err(|expected| format!("{called} {}: expected {expected}", shown(value)))
}

/// A value as one would type it: between marks if it would not stand out otherwise, and never what
/// a terminal would obey.
fn shown(value: &OsStr) -> String {
    let text = value.to_string_lossy();
    let odd = |c: char| c.is_whitespace() || c.is_control();
    match text.is_empty() || text.ends_with(':') || text.contains(odd) {
        true => quoted(value),
        false => text.into_owned(),
    }
}

/// The same, always between marks.
fn quoted(value: &OsStr) -> String {
    format!("'{}'", value.to_string_lossy().escape_debug())
}

/// Whether a word was meant for `--bind`: `10.0.0.1`, `[::1]:80`, `localhost:8080`.
fn is_address(value: &OsStr) -> bool {
    let text = value.to_string_lossy();
    let mut ignored = SocketAddr::from(([0; 4], 0));
    let (name, port) = text.rsplit_once(':').unwrap_or((&text, ""));
    bind(&mut ignored, &text).is_ok()
        || (!name.is_empty() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// The one fault that the scanner finds by itself: `--prefault=yes`.
fn unwanted_value(error: &lexopt::Error) -> String {
    match error {
        lexopt::Error::UnexpectedValue { option, value } => {
            format!("{option} {}: expected no value", shown(value))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::EventReply;
    use crate::config::{Accept, HugePages};
    use crate::load::Values;
    use barewire_core::connection::{Refusals, ServerName};
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn command(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn served(line: &str) -> Choices {
        match command(line) {
            Ok(Command::Serve(choices)) => *choices,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn loaded(line: &str) -> LoadOptions {
        match command(line) {
            Ok(Command::Load(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[track_caller]
    fn refused(line: &str, message: &str) {
        assert_eq!(command(line).map(|_| ()), Err(message.to_owned()), "{line}");
    }

    #[test]
    fn nothing_at_all_serves_by_default() {
        for line in ["", "serve"] {
            let choices = served(line);
            assert_eq!(format!("{choices:?}"), format!("{:?}", Choices::default()));
        }
    }

    #[test]
    fn port_and_workers_need_no_flags() {
        for line in [
            "8000 4",
            "serve 8000 4",
            "8000 --workers=4",
            "--port 8000 9 --workers 4",
        ] {
            let expected = if line.starts_with("--port") { 9 } else { 8000 };
            let config = served(line).config;
            assert_eq!(
                (config.bind.port(), config.workers),
                (expected, 4),
                "{line}"
            );
        }
        assert_eq!(served("0").config.bind.to_string(), "127.0.0.1:0");
    }

    #[test]
    fn an_address_comes_with_or_without_its_port() {
        for (line, bind) in [
            ("--bind 0.0.0.0", "0.0.0.0:8080"),
            ("--bind 10.0.0.1:81", "10.0.0.1:81"),
            ("--bind 10.0.0.1 --port 81", "10.0.0.1:81"),
            ("--port 81 --bind 10.0.0.1", "10.0.0.1:81"),
            ("--bind 10.0.0.1:80 --port 81", "10.0.0.1:81"),
            ("--bind ::1", "[::1]:8080"),
            ("--bind [::1]", "[::1]:8080"),
            ("--bind [::]:8080 9000", "[::]:9000"),
            ("--bind localhost", "127.0.0.1:8080"),
            ("--bind [fe80::1%2]:80", "[fe80::1%2]:80"),
        ] {
            assert_eq!(served(line).config.bind.to_string(), bind, "{line}");
        }
        for value in ["255.255.255.255", "224.0.0.1:80", "ff02::1"] {
            refused(
                &format!("--bind {value}"),
                &format!("--bind {value}: expected the address of one machine"),
            );
        }
        for value in ["example.org", "1.2.3", "[::1", "1.2.3.4:99999", "::1:x"] {
            refused(
                &format!("--bind {value}"),
                &format!("--bind {value}: expected an IP address, with :PORT if wanted"),
            );
        }
    }

    /// One flag, its value, and what has to be there afterwards.
    macro_rules! sets {
        ($read:ident: $($flag:literal $value:literal => $($field:ident).+ == $expected:expr;)+) => {
            [$({
                let line = concat!("--", $flag, " ", $value);
                let line = format!("{} {line}", stringify!($read).trim_end_matches("ed"));
                let line = line.replace("serv ", "serve ");
                assert_eq!($read(&line).$($field).+, $expected, "{line}");
                $flag
            }),+]
        };
    }

    #[test]
    fn every_flag_of_serve_sets_its_field() {
        let mut tried = sets! { served:
            "bind" "::1" => config.bind == SocketAddr::from((Ipv6Addr::LOCALHOST, 8080));
            "port" "65535" => config.bind == SocketAddr::from((Ipv4Addr::LOCALHOST, 65535));
            "workers" "3" => config.workers == 3;
            "accept" "handoff" => config.accept == Accept::Handoff;
            "connections" "5" => config.connections == 5;
            "pin" "" => config.pin == true;
            "own-descriptors" "" => config.own_descriptors == true;
            "per-address" "9" => config.connections_per_address == 9;
            "slots" "6" => config.slots == 6;
            "slot-bytes" "32k" => config.slot_bytes == 32_768;
            "recv-bytes" "4KiB" => config.recv_bytes == 4_096;
            "users" "7" => options.capacity.users_max == 7;
            "user-bytes" "1G" => options.capacity.id_bytes_max == 1 << 30;
            "prefault" "" => config.prefault == true;
            "huge-pages" "require" => config.huge_pages == HugePages::Require;
            "check" "" => check == true;
            "event-reply" "201" => options.event_reply == EventReply::Created;
            "refusals" "silent" => config.refusals == Refusals::Silent;
            "server-header" "a/1" => config.server == ServerName::new("a/1");
            "head-bytes-max" "100" => config.limits.head_bytes_max == 100;
            "target-bytes-max" "101" => config.limits.target_bytes_max == 101;
            "trailer-bytes-max" "0" => config.limits.trailer_bytes_max == 0;
            "body-bytes-max" "3m" => config.limits.body_bytes_max == 3 << 20;
            "drain-bytes-max" "102" => config.limits.drain_bytes_max == 102;
            "linger-bytes-max" "103" => config.limits.linger_bytes_max == 103;
            "first-byte-ms" "1" => config.limits.first_byte_ms == 1;
            "head-ms" "2" => config.limits.head_ms == 2;
            "request-ms" "3" => config.limits.request_ms == 3;
            "pace-ms" "4" => config.limits.pace_ms == 4;
            "body-rate-min" "0" => config.limits.body_rate_min == 0;
            "send-ms" "5" => config.limits.send_ms == 5;
            "idle-ms" "6" => config.limits.idle_ms == 6;
            "handler-ms" "7" => config.limits.handler_ms == 7;
            "linger-ms" "8" => config.limits.linger_ms == 8;
            "shutdown-ms" "0" => config.shutdown_ms == 0;
        }
        .to_vec();
        tried.extend(["help", "version"]);
        assert_eq!(tried, flags::names(SERVE));
    }

    #[test]
    fn every_flag_of_load_sets_its_field() {
        let mut tried = sets! { loaded:
            "url" "http://x:1" => url == "http://x:1";
            "requests" "1" => requests == 1;
            "ids" "2" => ids == 2;
            "values" "integer" => values == Values::Integer;
            "connections" "3" => connections == 3;
            "pipeline" "16" => pipeline == 16;
            "threads" "4" => threads == 4;
            "pace" "5" => pace == Some(5);
            "timeout-ms" "6" => timeout_ms == 6;
            "poll-stats" "7" => poll_stats_ms == Some(7);
            "abort" "8" => abort == 8;
            "idle" "9" => idle == 9;
            "hold" "10" => hold_s == 10;
            "server-pid" "11" => server_pid == Some(11);
            "json" "" => json == true;
        }
        .to_vec();
        tried.extend(["help", "version"]);
        assert_eq!(tried, flags::names(LOAD));
        let defaults = format!("{:?}", LoadOptions::default());
        assert_eq!(format!("{:?}", loaded("load")), defaults);
    }

    #[test]
    fn idle_connections_alone_send_nothing() {
        assert_eq!(loaded("load --idle 9").requests, 0);
        assert_eq!(loaded("load --idle 9 --requests 7").requests, 7);
        assert_eq!(loaded("load --idle 0").requests, 1_000_000);
        refused(
            "load --idle 9 --requests 0",
            "--requests 0: expected a number from 1 to 1125899906842624",
        );
    }

    #[test]
    fn the_default_that_the_help_shows_is_a_value_that_sets_it() {
        let (choices, options) = (Choices::default(), LoadOptions::default());
        for flag in flags::all(SERVE).filter(|flag| !(flag.get)(&choices).is_empty()) {
            let line = format!("--{} {}", flag.name, (flag.get)(&choices));
            let mut set = served(&line);
            set.connections_given = false;
            assert_eq!(format!("{set:?}"), format!("{choices:?}"), "{line}");
        }
        for flag in flags::all(LOAD).filter(|flag| !(flag.get)(&options).is_empty()) {
            let line = format!("load --{} {}", flag.name, (flag.get)(&options));
            assert_eq!(
                format!("{:?}", loaded(&line)),
                format!("{options:?}"),
                "{line}"
            );
        }
    }

    #[test]
    fn connections_that_were_asked_for_are_remembered_as_such() {
        assert!(!served("--slots 5").connections_given);
        assert!(served("--connections 10000").connections_given);
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_expected() {
        refused(
            "--port 99999",
            "--port 99999: expected a number from 0 to 65535",
        );
        refused(
            "serve 99999",
            "PORT 99999: expected a number from 0 to 65535",
        );
        refused(
            "8080 four",
            "WORKERS four: expected a number from 0 to 1024",
        );
        refused("--port=+1", "--port +1: expected a number from 0 to 65535");
        refused("--port=", "--port '': expected a number from 0 to 65535");
        refused(
            "--workers 1.5",
            "--workers 1.5: expected a number from 0 to 1024",
        );
        refused(
            "--connections 0",
            "--connections 0: expected a number from 1 to 2147483648",
        );
        refused(
            "--slot-bytes 1x",
            "--slot-bytes 1x: expected bytes (or k, m, g) from 2048 to 130944",
        );
        refused(
            "--body-bytes-max 99999999999g",
            "--body-bytes-max 99999999999g: expected bytes (or k, m, g) from 0 to 18446744073709551615",
        );
        refused(
            "--event-reply 204",
            "--event-reply 204: expected 200 or 201",
        );
        refused(
            "--refusals none",
            "--refusals none: expected explain or silent",
        );
        refused(
            "--server-header caf\u{e9}",
            "--server-header caf\u{e9}: expected 1 to 64 visible ASCII characters",
        );
        refused(
            "--idle-ms 0",
            "--idle-ms 0: expected a number from 1 to 86400000",
        );
        refused("--prefault=yes", "--prefault yes: expected no value");
        refused("--connections", "--connections: the N is missing");
        refused("load --values x", "--values x: expected half or integer");
        refused("load --url x:80", "--url x:80: expected http://host:port");
        refused(
            "load --pipeline 0",
            "--pipeline 0: expected a number from 1 to 4096",
        );
        refused(
            "load --threads 4 --connections 2",
            "--threads 4: expected at most --connections, which is 2",
        );
    }

    #[test]
    fn a_value_that_would_not_stand_out_is_put_between_marks() {
        for (value, shown) in [
            ("", "''"),
            ("a b", "'a b'"),
            ("127.0.0.1:", "'127.0.0.1:'"),
            ("\u{1b}[2J", "'\\u{1b}[2J'"),
        ] {
            let args = ["--bind", value].map(OsString::from);
            assert_eq!(
                parse(args).map(|_| ()),
                Err(format!(
                    "--bind {shown}: expected an IP address, with :PORT if wanted"
                ))
            );
        }
    }

    #[test]
    fn an_address_in_place_of_the_port_is_told_its_flag() {
        for word in ["127.0.0.1", "10.0.0.1:80", "[::1]:80", "::1", "host:8080"] {
            refused(
                word,
                &format!("'{word}' is no port; an address is given with --bind"),
            );
        }
        refused("8080.5", "PORT 8080.5: expected a number from 0 to 65535");
    }

    #[test]
    fn what_is_unknown_is_named_with_what_was_probably_meant() {
        refused(
            "--conections 5",
            "unknown flag --conections; did you mean --connections?",
        );
        refused(
            "--wrokers 5",
            "unknown flag --wrokers; did you mean --workers?",
        );
        refused(
            "--conn 5",
            "unknown flag --conn; did you mean --connections?",
        );
        refused("serve --hlep", "unknown flag --hlep; did you mean --help?");
        refused(
            "load --request 5",
            "unknown flag --request; did you mean --requests?",
        );
        refused("--xyzzy", "unknown flag --xyzzy; see 'barewire help serve'");
        refused("-x", "unknown flag -x; see 'barewire help serve'");
        refused("load -p", "unknown flag -p; see 'barewire help load'");
        refused(
            "load --xyzzy",
            "unknown flag --xyzzy; see 'barewire help load'",
        );
        refused(
            "serve --requests 5",
            "unknown flag --requests here: it belongs to 'barewire load'",
        );
        refused("lod", "unknown command 'lod'; did you mean 'load'?");
        refused("stop", "unknown command 'stop'; see 'barewire help'");

        refused("--port 80 load", "the command 'load' comes first");
        refused("1 2 3", "unexpected argument '3'");
        refused(
            "load 8080",
            "unexpected argument '8080' (the server is given with --url)",
        );
        refused("help me", "no help about 'me': expected serve or load");
        refused("help serve load", "unexpected argument 'load'");
    }

    #[test]
    fn help_and_version_are_had_everywhere() {
        for (line, topic) in [
            ("--help", Topic::Overview),
            ("-h", Topic::Overview),
            ("help", Topic::Overview),
            ("8080 -h", Topic::Overview),
            ("serve --help", Topic::Serve),
            ("serve --port 1 -h", Topic::Serve),
            ("help serve", Topic::Serve),
            ("load -h", Topic::Load),
            ("help load", Topic::Load),
            // Wrong together, but whoever asks for help gets it.
            ("load --threads 4 --connections 2 --help", Topic::Load),
        ] {
            assert!(
                matches!(command(line), Ok(Command::Help(t)) if t == topic),
                "{line}"
            );
        }
        for line in ["-V", "--version", "serve -V", "load --version"] {
            assert!(matches!(command(line), Ok(Command::Version)), "{line}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_refused_not_a_panic() {
        use std::os::unix::ffi::OsStringExt;
        let bad = || OsString::from_vec(vec![0xff, b'a']);
        assert!(parse([bad()]).is_err());
        assert!(parse(["--port".into(), bad()]).is_err());
        assert!(parse(["load".into(), "--url".into(), bad()]).is_err());
        assert!(parse(["help".into(), bad()]).is_err());
    }
}
