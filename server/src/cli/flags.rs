//! Every flag, once: its name, what it takes, what the help says, how it is set, and its default.

use barewire_core::connection::{Refusals, ServerName};

use super::args::Choices;
use super::value::{bind, bytes, number, size};
use crate::challenge::EventReply;
use crate::config::{Accept, HugePages};
use crate::load::{LoadOptions, Values};

/// One flag of a command that fills a `T`.
#[derive(Debug)]
pub(crate) struct Flag<T> {
    /// Without the dashes.
    pub(crate) name: &'static str,
    /// What kind of value it takes; empty for a switch.
    pub(crate) value: &'static str,
    /// For the help, short.
    pub(crate) about: &'static str,
    /// Takes a value; the error is what is expected instead.
    pub(crate) set: fn(&mut T, &str) -> Result<(), String>,
    /// Reads it back, as one would write it; empty where there is nothing to say.
    pub(crate) get: fn(&T) -> String,
}

/// Flags that belong together.
#[derive(Debug)]
pub(crate) struct Group<T: 'static> {
    pub(crate) title: &'static str,
    pub(crate) flags: &'static [Flag<T>],
}

/// All flags of a command.
pub(crate) type Table<T> = &'static [Group<T>];

/// All flags of a table, in its order.
pub(crate) fn all<T>(table: Table<T>) -> impl Iterator<Item = &'static Flag<T>> {
    table.iter().flat_map(|group| group.flags)
}

/// The flag of this name.
pub(crate) fn find<T>(table: Table<T>, name: &str) -> Option<&'static Flag<T>> {
    all(table).find(|flag| flag.name == name)
}

/// The names of a table, and those that every command knows.
pub(crate) fn names<T>(table: Table<T>) -> Vec<&'static str> {
    let common = ["help", "version"];
    all(table).map(|flag| flag.name).chain(common).collect()
}

/// Milliseconds of a deadline at most: a day. The clock of the deadlines wraps after 49 days, and
/// none may be longer than half of that.
const MS_MAX: u64 = 86_400_000;
/// Seconds that anything is kept at most: a day.
const SECONDS_MAX: u64 = 86_400;
/// Connections at most: indices have 32 bits, and no kernel gives a process more descriptors.
const CONNECTIONS_MAX: u64 = 1 << 31;
/// Users of the statistics at most, below 2^28: see [`barewire_core::stats::Capacity`].
const USERS_MAX: u64 = 268_435_455;
/// Bytes of all their ids at most, below 2^35: see there.
const USER_BYTES_MAX: u64 = 34_359_738_367;
/// Requests of a load at most, so that twice their sum stays below 2^64.
const REQUESTS_MAX: u64 = 1 << 50;
/// Threads of either side at most: more than any machine has processors for.
const THREADS_MAX: u64 = 1024;
/// The largest number of what is kept in 32 bits: bytes, milliseconds and counts.
const U32_MAX: u64 = u32::MAX as u64;

/// A flag that is a field with a number of this type, which the range fits into.
macro_rules! number {
    ($name:literal, $value:literal, $range:expr, $($field:ident).+ as $type:ty, $about:literal) => {
        Flag {
            name: $name,
            value: $value,
            about: $about,
            set: |target, text| {
                target.$($field).+ = number(text, $range)? as $type;
                Ok(())
            },
            get: |target| target.$($field).+.to_string(),
        }
    };
}

/// A flag that is a field with a number of bytes, which the range fits into.
macro_rules! bytes {
    ($name:literal, $range:expr, $($field:ident).+ as $type:ty, $about:literal) => {
        Flag {
            name: $name,
            value: "SIZE",
            about: $about,
            set: |target, text| {
                target.$($field).+ = bytes(text, $range)? as $type;
                Ok(())
            },
            get: |target| size(target.$($field).+ as u64),
        }
    };
}

/// Of `barewire serve`.
pub(crate) static SERVE: Table<Choices> = &[
    Group {
        title: "Where and how many",
        flags: &[
            Flag {
                name: "bind",
                value: "ADDR[:PORT]",
                about: "address; 0.0.0.0 and [::] are all",
                set: |choices, text| bind(&mut choices.config.bind, text),
                get: |choices| choices.config.bind.ip().to_string(),
            },
            Flag {
                name: "port",
                value: "N",
                about: "port; 0 takes a free one",
                set: |choices, text| {
                    choices
                        .config
                        .bind
                        .set_port(number(text, 0..=65_535)? as u16);
                    Ok(())
                },
                get: |choices| choices.config.bind.port().to_string(),
            },
            number!(
                "workers",
                "N",
                0..=THREADS_MAX,
                config.workers as usize,
                "threads; 0: one for each core"
            ),
            Flag {
                name: "accept",
                value: "HOW",
                about: "reuseport, or handoff by one thread",
                set: |choices, text| {
                    choices.config.accept = match text {
                        "reuseport" => Accept::Reuseport,
                        "handoff" => Accept::Handoff,
                        _ => return Err("reuseport or handoff".to_owned()),
                    };
                    Ok(())
                },
                get: |choices| match choices.config.accept {
                    Accept::Reuseport => "reuseport".to_owned(),
                    Accept::Handoff => "handoff".to_owned(),
                },
            },
            Flag {
                name: "connections",
                value: "N",
                about: "served at a time; others get 503",
                set: |choices, text| {
                    choices.config.connections = number(text, 1..=CONNECTIONS_MAX)? as usize;
                    choices.connections_given = true;
                    Ok(())
                },
                get: |choices| choices.config.connections.to_string(),
            },
            Flag {
                name: "pin",
                value: "",
                about: "tie each worker to a processor",
                set: |choices, _| {
                    choices.config.pin = true;
                    Ok(())
                },
                get: |_| String::new(),
            },
            Flag {
                name: "own-descriptors",
                value: "",
                about: "a table of them for each worker",
                set: |choices, _| {
                    choices.config.own_descriptors = true;
                    Ok(())
                },
                get: |_| String::new(),
            },
            number!(
                "per-address",
                "N",
                0..=CONNECTIONS_MAX,
                config.connections_per_address as u32,
                "of these, from one address; 0: any"
            ),
        ],
    },
    Group {
        title: "Memory, all of it reserved at the start",
        flags: &[
            number!(
                "slots",
                "N",
                0..=CONNECTIONS_MAX,
                config.slots as usize,
                "buffers; 0: one for each connection"
            ),
            bytes!(
                "slot-bytes",
                2_048..=130_944,
                config.slot_bytes as usize,
                "one buffer, to receive and send"
            ),
            bytes!(
                "recv-bytes",
                1_024..=65_472,
                config.recv_bytes as usize,
                "the part of it that receives"
            ),
            number!(
                "users",
                "N",
                1..=USERS_MAX,
                options.capacity.users_max as u32,
                "users that are told apart"
            ),
            bytes!(
                "user-bytes",
                1..=USER_BYTES_MAX,
                options.capacity.id_bytes_max as u64,
                "all their ids together"
            ),
            Flag {
                name: "prefault",
                value: "",
                about: "touch all memory at the start, lock it",
                set: |choices, _| {
                    choices.config.prefault = true;
                    Ok(())
                },
                get: |_| String::new(),
            },
            Flag {
                name: "huge-pages",
                value: "HOW",
                about: "of 2 MiB for buffers: off, try, require",
                set: |choices, text| {
                    choices.config.huge_pages = match text {
                        "off" => HugePages::Off,
                        "try" => HugePages::Try,
                        "require" => HugePages::Require,
                        _ => return Err("off, try or require".to_owned()),
                    };
                    Ok(())
                },
                get: |choices| match choices.config.huge_pages {
                    HugePages::Off => "off".to_owned(),
                    HugePages::Try => "try".to_owned(),
                    HugePages::Require => "require".to_owned(),
                },
            },
            Flag {
                name: "check",
                value: "",
                about: "start, say what was got, and stop",
                set: |choices, _| {
                    choices.check = true;
                    Ok(())
                },
                get: |_| String::new(),
            },
        ],
    },
    Group {
        title: "Answers",
        flags: &[
            Flag {
                name: "event-reply",
                value: "200|201",
                about: "what POST /event answers",
                set: |choices, text| {
                    choices.options.event_reply = match text {
                        "200" => EventReply::Ok,
                        "201" => EventReply::Created,
                        _ => return Err("200 or 201".to_owned()),
                    };
                    Ok(())
                },
                get: |choices| match choices.options.event_reply {
                    EventReply::Ok => "200".to_owned(),
                    EventReply::Created => "201".to_owned(),
                },
            },
            Flag {
                name: "refusals",
                value: "KIND",
                about: "explain: errors say why; silent: not",
                set: |choices, text| {
                    choices.config.refusals = match text {
                        "explain" => Refusals::Explain,
                        "silent" => Refusals::Silent,
                        _ => return Err("explain or silent".to_owned()),
                    };
                    Ok(())
                },
                get: |choices| match choices.config.refusals {
                    Refusals::Silent => "silent".to_owned(),
                    Refusals::Explain | Refusals::Own(_) => "explain".to_owned(),
                },
            },
            Flag {
                name: "server-header",
                value: "NAME",
                about: "sent as Server: NAME; none without",
                set: |choices, text| {
                    let Some(name) = ServerName::new(text) else {
                        return Err("1 to 64 visible ASCII characters".to_owned());
                    };
                    // Once for a process, and for as long as that runs.
                    let name: &'static str = Box::leak(name.as_str().into());
                    choices.config.server = ServerName::new(name);
                    Ok(())
                },
                get: |_| String::new(),
            },
        ],
    },
    Group {
        title: "Bounds of a request",
        flags: &[
            bytes!(
                "head-bytes-max",
                64..=U32_MAX,
                config.limits.head_bytes_max as u32,
                "request line and fields"
            ),
            bytes!(
                "target-bytes-max",
                1..=U32_MAX,
                config.limits.target_bytes_max as u32,
                "request target"
            ),
            bytes!(
                "trailer-bytes-max",
                0..=U32_MAX,
                config.limits.trailer_bytes_max as u32,
                "trailers of a chunked body"
            ),
            bytes!(
                "body-bytes-max",
                0..=u64::MAX,
                config.limits.body_bytes_max as u64,
                "body, streamed ones too"
            ),
            bytes!(
                "drain-bytes-max",
                0..=U32_MAX,
                config.limits.drain_bytes_max as u32,
                "unwanted body that is skipped"
            ),
            bytes!(
                "linger-bytes-max",
                0..=U32_MAX,
                config.limits.linger_bytes_max as u32,
                "skipped after a last answer"
            ),
        ],
    },
    Group {
        title: "Deadlines, in milliseconds",
        flags: &[
            number!(
                "first-byte-ms",
                "MS",
                1..=MS_MAX,
                config.limits.first_byte_ms as u32,
                "accept to first byte"
            ),
            number!(
                "head-ms",
                "MS",
                1..=MS_MAX,
                config.limits.head_ms as u32,
                "first to last byte of a head"
            ),
            number!(
                "request-ms",
                "MS",
                1..=MS_MAX,
                config.limits.request_ms as u32,
                "a whole request, unless streamed"
            ),
            number!(
                "pace-ms",
                "MS",
                1..=MS_MAX,
                config.limits.pace_ms as u32,
                "how often a body's rate is checked"
            ),
            bytes!(
                "body-rate-min",
                0..=U32_MAX,
                config.limits.body_rate_min as u32,
                "bytes per second of a body"
            ),
            number!(
                "send-ms",
                "MS",
                1..=MS_MAX,
                config.limits.send_ms as u32,
                "a peer takes what was sent"
            ),
            number!(
                "idle-ms",
                "MS",
                1..=MS_MAX,
                config.limits.idle_ms as u32,
                "between two requests"
            ),
            number!(
                "handler-ms",
                "MS",
                1..=MS_MAX,
                config.limits.handler_ms as u32,
                "an answer that was put off"
            ),
            number!(
                "linger-ms",
                "MS",
                1..=MS_MAX,
                config.limits.linger_ms as u32,
                "a last answer is taken"
            ),
            number!(
                "shutdown-ms",
                "MS",
                0..=MS_MAX,
                config.shutdown_ms as u64,
                "requests under way after a stop"
            ),
        ],
    },
];

/// Of `barewire load`.
pub(crate) static LOAD: Table<LoadOptions> = &[
    Group {
        title: "What is sent",
        flags: &[
            Flag {
                name: "url",
                value: "URL",
                about: "the server",
                set: |options, text| {
                    if !text.contains("://") {
                        return Err("http://host:port".to_owned());
                    }
                    text.clone_into(&mut options.url);
                    Ok(())
                },
                get: |options| options.url.clone(),
            },
            number!(
                "requests",
                "N",
                1..=REQUESTS_MAX,
                requests as u64,
                "events in all"
            ),
            number!("ids", "N", 1..=u64::MAX, ids as u64, "different users"),
            Flag {
                name: "values",
                value: "KIND",
                about: "half: i mod 1000 + 0.5; integer: without",
                set: |options, text| {
                    options.values = match text {
                        "half" => Values::Half,
                        "integer" => Values::Integer,
                        _ => return Err("half or integer".to_owned()),
                    };
                    Ok(())
                },
                get: |options| match options.values {
                    Values::Half => "half".to_owned(),
                    Values::Integer => "integer".to_owned(),
                },
            },
        ],
    },
    Group {
        title: "How",
        flags: &[
            number!(
                "connections",
                "N",
                1..=CONNECTIONS_MAX,
                connections as u32,
                "opened before the first event"
            ),
            number!(
                "pipeline",
                "N",
                1..=4096,
                pipeline as u32,
                "requests on their way on each"
            ),
            number!(
                "threads",
                "N",
                1..=THREADS_MAX,
                threads as u32,
                "threads that send"
            ),
            Flag {
                name: "pace",
                value: "RPS",
                about: "requests per second, else as many as go",
                set: |options, text| {
                    options.pace = Some(number(text, 1..=u64::MAX)?);
                    Ok(())
                },
                get: |_| String::new(),
            },
            number!(
                "timeout-ms",
                "MS",
                1..=MS_MAX,
                timeout_ms as u64,
                "no answer within is a failure"
            ),
        ],
    },
    Group {
        title: "What goes on beside it",
        flags: &[
            Flag {
                name: "poll-stats",
                value: "MS",
                about: "check GET /stats so often meanwhile",
                set: |options, text| {
                    options.poll_stats_ms = Some(number(text, 1..=MS_MAX)?);
                    Ok(())
                },
                get: |_| String::new(),
            },
            number!(
                "abort",
                "N",
                0..=CONNECTIONS_MAX,
                abort as u32,
                "connections that break off events"
            ),
            number!(
                "idle",
                "N",
                0..=CONNECTIONS_MAX,
                idle as u32,
                "connections that do nothing"
            ),
            number!(
                "hold",
                "SECONDS",
                0..=SECONDS_MAX,
                hold_s as u32,
                "these are kept, without --requests"
            ),
            Flag {
                name: "server-pid",
                value: "PID",
                about: "say what memory these take there",
                set: |options, text| {
                    options.server_pid = Some(number(text, 1..=U32_MAX)? as u32);
                    Ok(())
                },
                get: |_| String::new(),
            },
        ],
    },
    Group {
        title: "What is shown",
        flags: &[Flag {
            name: "json",
            value: "",
            about: "the report as one line of JSON",
            set: |options, _| {
                options.json = true;
                Ok(())
            },
            get: |_| String::new(),
        }],
    },
];
