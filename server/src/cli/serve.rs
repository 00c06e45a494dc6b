//! `barewire serve`: starts a server, waits for a signal, ends in good order.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::args::Choices;
use super::{Code, Failure, banner, complain, say};
use crate::challenge::{Board, REPLY_BYTES_MAX};
use crate::config::{Config, HugePages};
use crate::platform::Signals;
use crate::server::{Server, StartError, connections_possible, worker_count};

/// How often a server without signals is looked at: whether its workers live.
const LOOK: Duration = Duration::from_millis(500);
/// How often one that ends is looked at: what a person does not notice.
const LOOK_AT_END: Duration = Duration::from_millis(5);
/// Signals within this time are one: `timeout` and some supervisors send it to the process and to
/// its group, microseconds apart. Nobody presses a key twice as fast.
const ONE_SIGNAL: Duration = Duration::from_millis(200);

/// Serves until a signal comes.
///
/// # Errors
/// Why it did not start.
pub(crate) fn serve(choices: Choices) -> Result<Code, Failure> {
    // Before any thread: they inherit the mask.
    let signals = Signals::block()
        .map_err(|error| Failure::new(Code::Other, format!("cannot wait for signals: {error}")))?;
    let mut options = choices.options;
    options.prefault = choices.config.prefault;
    let wanted = choices.config.connections;
    let only_check = choices.check;
    let config = settle(choices)?;
    let board = Board::new(options, config.workers).map_err(|_| {
        let what = "the memory for the statistics cannot be had (lower --users or --user-bytes)";
        Failure::new(Code::Resources, what)
    })?;
    let server = Server::start(&config, move |number| board.worker(number))
        .map_err(|error| not_started(error, &config))?;
    say(banner::text(&banner::Facts {
        addr: server.local_addr(),
        workers: server.workers(),
        backend: server.backend(),
        hands_out: config.hands_out(config.workers),
        connections: config.connections,
        lowered_from: (config.connections < wanted).then_some(wanted),
        slots: config.slot_count(),
        slot_bytes_all: config.reserved_bytes(),
        processors: server.processors(),
        shares_descriptors: config.wants_own_tables(config.workers) && !server.own_descriptors(),
        // Also who did not ask is told what to ask for, if that is what the check is for.
        pages: (only_check || config.huge_pages != HugePages::Off).then(|| server.pages()),
        presence: server.presence().and(board.presence()),
        memory_bytes_max: config
            .memory_bytes_max(config.workers)
            .saturating_add(board.memory_bytes_max(config.workers)),
        users: options.capacity.users_max,
        user_bytes_all: board.reserved_bytes(),
        shutdown_ms: config.shutdown_ms,
    }));
    if only_check {
        server.handle().abort();
        return Ok(report(server, true));
    }
    Ok(attend(server, &signals, config.shutdown_ms))
}

/// Fills in what was left to the machine, and checks what was not.
fn settle(choices: Choices) -> Result<Config, Failure> {
    let usage = |line: String| Failure::new(Code::Usage, line);
    let mut config = choices.config;
    let workers_given = config.workers != 0;
    config.workers = worker_count(&config);
    config.limits.reply_bytes_max = config.limits.reply_bytes_max.max(REPLY_BYTES_MAX);
    // What the flags let through can only be wrong together.
    config
        .check()
        .map_err(|error| usage(format!("--slot-bytes, --recv-bytes: {error}")))?;
    if !choices.connections_given {
        config.connections = connections_possible(&config);
    }
    // A worker without a slot would never answer.
    let most = config.slot_count().min(config.connections);
    if most < config.workers {
        if workers_given {
            return Err(usage(format!(
                "--workers {}: expected at most {most}, one for each connection and slot",
                config.workers
            )));
        }
        config.workers = most;
    }
    Ok(config)
}

fn not_started(error: StartError, config: &Config) -> Failure {
    let bind = config.bind;
    let code = match &error {
        StartError::Config(_) => Code::Usage,
        StartError::Busy(_) => Code::Busy,
        StartError::Descriptors { .. }
        | StartError::Memory { .. }
        | StartError::HugePages { .. }
        | StartError::HugePagesRefused { .. }
        | StartError::Pin(_) => Code::Resources,
        StartError::Io(_) => Code::Other,
    };
    let line = match &error {
        StartError::Descriptors { needed, allowed } if config.connections <= config.workers => {
            format!(
                "{needed} open files are needed even so, {allowed} are allowed (raise `ulimit -n`)"
            )
        }
        StartError::Memory { bytes } => {
            format!("{bytes} bytes of memory cannot be had (lower --connections or --slots)")
        }
        StartError::Io(cause) => match cause.kind() {
            io::ErrorKind::AddrNotAvailable => format!("{bind} is no address of this machine"),
            io::ErrorKind::PermissionDenied => {
                format!("{bind} is not allowed (ports below 1024 may want a privilege)")
            }
            io::ErrorKind::InvalidInput if is_without_interface(bind) => {
                let (ip, port) = (bind.ip(), bind.port());
                format!("{bind} wants its interface, by number: --bind [{ip}%1]:{port}")
            }
            _ => format!("cannot start on {bind}: {cause}"),
        },
        other => other.to_string(),
    };
    Failure::new(code, line)
}

/// Whether it is an address that each interface may have.
fn is_without_interface(bind: SocketAddr) -> bool {
    matches!(bind, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

/// Waits for the first signal, drains; for the second, or the end of the grace, aborts.
fn attend(server: Server, signals: &Signals, shutdown_ms: u64) -> Code {
    let handle = server.handle();
    while signals.wait_timeout(LOOK).is_none() {
        if server.has_ended() {
            complain("a thread has ended; stopping");
            handle.abort();
            return report(server, false);
        }
    }
    let asked = Instant::now();
    let deadline = asked + Duration::from_millis(shutdown_ms);
    handle.drain();
    say(banner::stopping(shutdown_ms));
    while !server.is_done() {
        let again = signals.wait_timeout(LOOK_AT_END).is_some() && asked.elapsed() >= ONE_SIGNAL;
        if again || Instant::now() >= deadline {
            handle.abort();
            return report(server, false);
        }
    }
    report(server, true)
}

/// Waits for the workers, says what they did.
fn report(server: Server, finished: bool) -> Code {
    // A worker that panicked has said so itself.
    match catch_unwind(AssertUnwindSafe(|| server.join_each())) {
        Ok(shares) => {
            say(banner::stopped(&shares, finished));
            if finished { Code::Done } else { Code::Other }
        }
        Err(_) => Code::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_any_interface_is_told_to_name_one() {
        for (bind, line) in [
            (
                "[fe80::1]:80",
                "[fe80::1]:80 wants its interface, by number: --bind [fe80::1%1]:80",
            ),
            (
                "[::1]:80",
                "cannot start on [::1]:80: invalid input parameter",
            ),
        ] {
            let config = Config {
                bind: bind.parse().unwrap(),
                ..Config::default()
            };
            let error = StartError::Io(io::ErrorKind::InvalidInput.into());
            assert_eq!(not_started(error, &config), Failure::new(Code::Other, line));
        }
    }

    #[test]
    fn huge_pages_and_processors_that_cannot_be_had_say_what_helps() {
        let told = |error| not_started(error, &Config::default());
        let pages = |free: Option<usize>| {
            told(StartError::HugePages {
                needed: 79,
                free,
                wanted: free.map(|_| 92),
            })
        };
        let advice = |line: &str| Failure::new(Code::Resources, line);
        assert_eq!(
            pages(Some(7)),
            advice(
                "79 huge pages of 2 MiB are needed, the pool has 7 free \
                 (sysctl -w vm.nr_hugepages=92, or --huge-pages try)"
            )
        );
        let none = "this system has no pool of huge pages of 2 MiB (--huge-pages try does without)";
        assert_eq!(pages(None), advice(none));
        let refused = told(StartError::HugePagesRefused {
            needed: 79,
            error: io::ErrorKind::OutOfMemory.into(),
        });
        let line = "79 huge pages of 2 MiB are refused though the pool has as many: \
                    out of memory (--huge-pages try does without)";
        assert_eq!(refused, advice(line));
        let pin = told(StartError::Pin(io::ErrorKind::Unsupported.into()));
        assert_eq!(pin, advice("workers cannot be pinned: unsupported"));
    }

    #[test]
    fn too_few_descriptors_say_what_helps() {
        let told = |connections| {
            let config = Config {
                connections,
                workers: 2,
                ..Config::default()
            };
            let error = StartError::Descriptors {
                needed: 55,
                allowed: 16,
            };
            not_started(error, &config)
        };
        let advice = |line: &str| Failure::new(Code::Resources, line);
        assert_eq!(
            told(2),
            advice("55 open files are needed even so, 16 are allowed (raise `ulimit -n`)")
        );
        assert_eq!(
            told(3),
            advice(
                "55 open files are needed, 16 are allowed \
                 (lower --connections, or raise `ulimit -n`)"
            )
        );
    }
}
