//! One table of cases through both kinds of statistics: the shared one, and the one for a loop
//! without atomics.

extern crate std;
use super::*;
use std::format;
use std::string::String;
use std::vec;

/// What is done in turn.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// An event: id, and value in tenths.
    Event(&'static str, i64),
    /// The same for an id of so many bytes.
    Long(usize, i64),
    /// An event that is not counted.
    No(&'static str, Refused),
    NoLong(usize, Refused),
    Refuse,
    /// The text of a snapshot, and its refused events.
    Says(&'static str, u64),
    /// A reset; events and users that it removes.
    Reset(u64, u64),
}
use Step::{Event, Long, No, NoLong, Refuse, Reset, Says};

struct Case {
    name: &'static str,
    users_max: u32,
    /// Bytes of ids. Every case that meets this bound does so with `users_of_bytes` users, since
    /// the small kind has no bound of its own for it, but an arena.
    id_bytes_max: u64,
    users_of_bytes: u32,
    steps: &'static [Step],
}

const EMPTY: &str = r#"{"totalRequests":0,"uniqueUsers":0,"sum":0,"avg":0}"#;

const CASES: &[Case] = &[
    Case {
        name: "nothing",
        users_max: 1,
        id_bytes_max: 1,
        users_of_bytes: 1,
        steps: &[
            Says(EMPTY, 0),
            Reset(0, 0),
            Says(EMPTY, 0),
            Refuse,
            Says(EMPTY, 1),
            Reset(0, 0),
            Says(EMPTY, 0),
        ],
    },
    Case {
        name: "events of few users",
        users_max: 4,
        id_bytes_max: 100,
        users_of_bytes: 4,
        steps: &[
            Event("a", 15),
            Event("b", -5),
            Event("a", 15),
            Event("", 0),
            Says(
                r#"{"totalRequests":4,"uniqueUsers":3,"sum":2.5,"avg":0.625}"#,
                0,
            ),
            Says(
                r#"{"totalRequests":4,"uniqueUsers":3,"sum":2.5,"avg":0.625}"#,
                0,
            ),
            Refuse,
            Event("b", -100),
            Says(
                r#"{"totalRequests":5,"uniqueUsers":3,"sum":-7.5,"avg":-1.5}"#,
                1,
            ),
        ],
    },
    Case {
        name: "the last user",
        users_max: 3,
        id_bytes_max: 1000,
        users_of_bytes: 3,
        steps: &[
            Event("a", 10),
            Event("b", 10),
            Event("c", 10),
            No("d", Refused::Full),
            No("", Refused::Full),
            Event("c", 10),
            Says(r#"{"totalRequests":4,"uniqueUsers":3,"sum":4,"avg":1}"#, 0),
            Reset(4, 3),
            Event("d", 10),
            Event("e", 10),
            Event("a", 10),
            No("b", Refused::Full),
            Says(r#"{"totalRequests":3,"uniqueUsers":3,"sum":3,"avg":1}"#, 0),
        ],
    },
    Case {
        name: "the last byte",
        users_max: 10,
        id_bytes_max: 10,
        users_of_bytes: 2,
        steps: &[
            Event("12345", 10),
            Event("abcde", 20),
            No("x", Refused::Full),
            Event("12345", 10),
            Says(
                r#"{"totalRequests":3,"uniqueUsers":2,"sum":4,"avg":1.3333333333333333}"#,
                0,
            ),
            Reset(3, 2),
            Event("1", 10),
            No("1234567890", Refused::Full),
            Event("123456789", 20),
            Says(
                r#"{"totalRequests":2,"uniqueUsers":2,"sum":3,"avg":1.5}"#,
                0,
            ),
        ],
    },
    Case {
        name: "the longest id",
        users_max: 2,
        id_bytes_max: 8192,
        users_of_bytes: 2,
        steps: &[
            NoLong(4097, Refused::IdTooLong),
            Long(4096, 1),
            Long(4096, 1),
            NoLong(5000, Refused::IdTooLong),
            Long(4095, 1),
            NoLong(4094, Refused::Full),
            Says(
                r#"{"totalRequests":3,"uniqueUsers":2,"sum":0.3,"avg":0.1}"#,
                0,
            ),
        ],
    },
    Case {
        name: "ids that begin alike",
        users_max: 8,
        id_bytes_max: 100,
        users_of_bytes: 8,
        steps: &[
            Event("12345678", 1),
            Event("1234567", 1),
            Event("123456789", 1),
            Event("1234567\0", 1),
            Event("12345678\0", 1),
            Event("12345678", 1),
            Says(
                r#"{"totalRequests":6,"uniqueUsers":5,"sum":0.6,"avg":0.1}"#,
                0,
            ),
        ],
    },
    Case {
        name: "many resets",
        users_max: 1,
        id_bytes_max: 1,
        users_of_bytes: 1,
        steps: &[
            Event("a", 10),
            Reset(1, 1),
            Event("b", 10),
            Reset(1, 1),
            Event("a", 10),
            Reset(1, 1),
            Reset(0, 0),
            Event("c", 10),
            No("a", Refused::Full),
            Reset(1, 1),
            Says(EMPTY, 0),
        ],
    },
];

/// One kind of statistics, as the table uses it.
trait Kind {
    fn record(&mut self, id: &[u8], amount: Amount) -> Result<(), Refused>;
    fn refuse(&mut self);
    fn snapshot(&mut self) -> Snapshot;
    fn reset(&mut self) -> Snapshot;
}

impl Kind for SoloStats<'_> {
    fn record(&mut self, id: &[u8], amount: Amount) -> Result<(), Refused> {
        SoloStats::record(self, id, amount)
    }

    fn refuse(&mut self) {
        SoloStats::refuse(self);
    }

    fn snapshot(&mut self) -> Snapshot {
        SoloStats::snapshot(self)
    }

    fn reset(&mut self) -> Snapshot {
        SoloStats::reset(self)
    }
}

#[cfg(target_has_atomic = "64")]
struct Shared<'s>(&'s Stats<'s>, Recorder<'s>);

#[cfg(target_has_atomic = "64")]
impl Kind for Shared<'_> {
    fn record(&mut self, id: &[u8], amount: Amount) -> Result<(), Refused> {
        self.1.record(id, amount)
    }

    fn refuse(&mut self) {
        self.1.refuse();
    }

    fn snapshot(&mut self) -> Snapshot {
        match self.0.snapshot().poll(&mut self.1) {
            Some(Outcome::State(state)) => state,
            other => panic!("there is one worker: {other:?}"),
        }
    }

    fn reset(&mut self) -> Snapshot {
        match self.0.reset().poll(&mut self.1) {
            Some(Outcome::Cleared(Some(removed))) => removed,
            other => panic!("there is one worker: {other:?}"),
        }
    }
}

fn amount(tenths: i64) -> Amount {
    Amount::from_small(tenths < 0, tenths.unsigned_abs(), 1).unwrap()
}

/// An id of so many bytes; another one for each length.
fn long(length: usize) -> String {
    format!("{length:0length$}")
}

fn run(case: &Case, kind: &mut dyn Kind) {
    for (number, step) in case.steps.iter().enumerate() {
        let at = format!("{}, step {number}: {step:?}", case.name);
        match *step {
            Event(id, tenths) => {
                assert_eq!(kind.record(id.as_bytes(), amount(tenths)), Ok(()), "{at}")
            }
            Long(length, tenths) => {
                assert_eq!(
                    kind.record(long(length).as_bytes(), amount(tenths)),
                    Ok(()),
                    "{at}"
                );
            }
            No(id, why) => assert_eq!(kind.record(id.as_bytes(), amount(7)), Err(why), "{at}"),
            NoLong(length, why) => {
                assert_eq!(
                    kind.record(long(length).as_bytes(), amount(7)),
                    Err(why),
                    "{at}"
                );
            }
            Refuse => kind.refuse(),
            Says(text, refused) => {
                let state = kind.snapshot();
                let mut room = [0; Snapshot::JSON_BYTES_MAX];
                let length = state.write_json(&mut room).unwrap();
                assert_eq!(core::str::from_utf8(&room[..length]), Ok(text), "{at}");
                assert_eq!(state.refused, refused, "{at}");
            }
            Reset(total, users) => {
                let removed = kind.reset();
                assert_eq!((removed.total, removed.users), (total, users), "{at}");
                assert_eq!(kind.snapshot(), Snapshot::EMPTY, "{at}");
            }
        }
    }
}

#[test]
fn the_kind_without_atomics_passes_every_case() {
    for case in CASES {
        let mut table = vec![0; case.users_max as usize];
        // Two bytes before each id.
        let bytes = case.id_bytes_max + 2 * u64::from(case.users_of_bytes);
        let mut arena = vec![0; bytes as usize];
        run(
            case,
            &mut SoloStats::new(&mut table, &mut arena, Key::new(1, 2)),
        );
    }
}

#[cfg(target_has_atomic = "64")]
#[test]
fn the_shared_kind_passes_every_case() {
    use core::sync::atomic::AtomicU64;
    for case in CASES {
        let capacity = Capacity {
            users_max: case.users_max,
            id_bytes_max: case.id_bytes_max,
        };
        let zeros = |words| -> vec::Vec<_> { (0..words).map(|_| AtomicU64::new(0)).collect() };
        let shards = [Shard::new()];
        let (table, arena) = (
            zeros(capacity.table_words()),
            zeros(capacity.arena_words(1)),
        );
        let stats = Stats::new(&shards, &table, &arena, capacity, Key::new(1, 2)).unwrap();
        let recorder = stats.recorder(0).unwrap();
        run(case, &mut Shared(&stats, recorder));
    }
}
