//! Wherever the bytes of a case are cut, the same comes out.
//!
//! No sockets and no time: the cases are played from a tape to the real worker and the real
//! application. Every plain case is played in one piece, and judged by its own judge. Then it is
//! played again, cut into two receives at every place, and once more one byte at a time; all of it
//! has to come out as it did in one piece.
//!
//! Cutting everywhere costs the square of the length. Up to [`EVERYWHERE_BYTES_MAX`] every place is
//! cut. Beyond, it is the first and last 128 places, where heads begin and bodies end, the places
//! around the ends of both buffers (8 KiB and its multiples), and 64 spread over the rest; beyond
//! [`LARGE_BYTES`] only 16 of each.

use barewire::Worker;
use barewire::challenge::{Board, Challenge, Options};
use barewire_core::limits::Limits;
use barewire_core::stats::Capacity;
use barewire_tests::conformance::{
    Corpus, Framing, Observation, Run, State, Step, Strength, Vector, Verdict, judge, lint,
};
use barewire_tests::sim::Rng;
use barewire_tests::tape::{self, Script, Tape, Transcript, UNIX_TIME, play, play_for};

/// Inputs up to here are cut at every place: 98 of 100 cases.
const EVERYWHERE_BYTES_MAX: usize = 3000;

/// Inputs from here on take milliseconds for each cut.
const LARGE_BYTES: usize = 64 << 10;

/// Cases that send more than this (24 MB are the largest) show nothing about cuts that smaller ones
/// do not; they are played over sockets.
const PLAYED_BYTES_MAX: usize = 2 << 20;

/// Spoiled cases; more were played while this was written.
const SPOILED: u64 = 50_000;

/// The machine below all cases of a test: statistics and slots go from one case to the next, as
/// they do in a server.
struct Stage {
    worker: Worker<'static, Tape, Challenge>,
}

impl Stage {
    fn new() -> Stage {
        let options = Options {
            capacity: Capacity {
                users_max: 1 << 15,
                id_bytes_max: 4 << 20,
            },
            ..Options::default()
        };
        let board = Board::new(options, 1).unwrap();
        Stage {
            worker: tape::worker(board.worker(0), Limits::DEFAULT),
        }
    }

    /// Plays the bytes; the statistics are zero at first, if the answer depends on them.
    fn play(
        &mut self,
        vector: &Vector,
        bytes: &[u8],
        cut: impl Fn(Script) -> Script,
    ) -> Transcript {
        if asks_for_statistics(bytes) {
            let reset = b"POST /reset HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
            let seen = play(&mut self.worker, Script::new(*reset));
            assert!(seen.output.starts_with(b"HTTP/1.1 200 "));
        }
        let script = Script::new(bytes).shut(vector.shuts());
        play(&mut self.worker, cut(script))
    }
}

fn asks_for_statistics(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| window == b"/stats")
}

fn observe(vector: &Vector, seen: &Transcript) -> Observation {
    Observation::from_bytes(&seen.output, seen.state, &vector.methods)
}

/// Whether two runs came to the same: the same bytes, and open or closed. Chunked answers are
/// compared decoded: where their chunks end depends on what had arrived.
///
/// What stays unread is no output: bytes that come behind a close that was announced.
fn same(vector: &Vector, whole: &Transcript, cut: &Transcript) -> bool {
    if (&whole.output, whole.state) == (&cut.output, cut.state) {
        return true;
    }
    let (one, other) = (observe(vector, whole), observe(vector, cut));
    let chunked = one.finals.iter().any(|r| r.framing == Framing::Chunked);
    chunked && one == other
}

fn plain(corpus: &Corpus) -> impl Iterator<Item = (&Vector, Vec<u8>)> {
    corpus
        .vectors
        .iter()
        .filter(|vector| vector.is_plain())
        .map(|vector| (vector, vector.requests_as_bytes()))
        .filter(|(_, bytes)| bytes.len() <= PLAYED_BYTES_MAX)
}

/// The places where an input of this length is cut.
fn places(length: usize) -> Vec<usize> {
    if length <= EVERYWHERE_BYTES_MAX {
        return (1..length).collect();
    }
    let (ends, spread) = if length < LARGE_BYTES {
        (128, 64)
    } else {
        (16, 16)
    };
    let mut places: Vec<usize> = (1..=ends).chain(length - ends..length).collect();
    // A receive part of 8,192 bytes less its control words and its index, about 7,300.
    for end in (8192..length + 8192).step_by(8192).take(4) {
        places.extend((end - 1024..end).step_by(1024 / ends));
    }
    places.extend((1..length).step_by(length / spread));
    places.retain(|place| *place < length);
    places.sort_unstable();
    places.dedup();
    places
}

/// Panics with all that was found, if anything was.
fn report(found: &[String], what: &str) {
    let some = found.iter().take(30).cloned().collect::<Vec<_>>();
    assert!(
        found.is_empty(),
        "{} {what}:\n{}",
        found.len(),
        some.join("\n")
    );
}

#[test]
fn every_case_in_one_piece_is_permitted_by_its_judge() {
    let corpus = Corpus::load().unwrap();
    let mut stage = Stage::new();
    let mut found = Vec::new();
    let mut played = 0;
    for (vector, bytes) in plain(&corpus) {
        let seen = stage.play(vector, &bytes, |script| script);
        let observation = observe(vector, &seen);
        let judgement = judge(vector, &observation, UNIX_TIME);
        if judgement.verdict == Verdict::Fail && vector.strength != Strength::May {
            let (id, got) = (&vector.id, observation.in_short());
            found.push(format!("{id}: {} -> {got}", judgement.why));
        }
        for response in &observation.finals {
            for what in lint(response, vector.speaks_only_http_1_0()) {
                found.push(format!("{}: {what}", vector.id));
            }
        }
        played += 1;
    }
    report(&found, "faults");
    assert!(played > 400, "only {played} cases were played");
}

#[test]
fn every_cut_of_every_case_gives_the_same_output() {
    let corpus = Corpus::load().unwrap();
    let mut stage = Stage::new();
    let mut found = Vec::new();
    for (vector, bytes) in plain(&corpus) {
        let whole = stage.play(vector, &bytes, |script| script);
        for at in places(bytes.len()) {
            let cut = stage.play(vector, &bytes, |script| script.cut(at));
            if !same(vector, &whole, &cut) {
                let (one, other) = (observe(vector, &whole), observe(vector, &cut));
                found.push(format!(
                    "{} cut at {at} of {}: {}, whole: {}",
                    vector.id,
                    bytes.len(),
                    other.in_short(),
                    one.in_short()
                ));
                break;
            }
        }
    }
    report(&found, "cases depend on where they are cut");
}

#[test]
fn every_case_one_byte_at_a_time_gives_the_same_output() {
    let corpus = Corpus::load().unwrap();
    let mut stage = Stage::new();
    let mut found = Vec::new();
    for (vector, bytes) in plain(&corpus) {
        let whole = stage.play(vector, &bytes, |script| script);
        let single = stage.play(vector, &bytes, Script::bytewise);
        if !same(vector, &whole, &single) {
            let (one, other) = (observe(vector, &whole), observe(vector, &single));
            found.push(format!(
                "{}: {}, whole: {}",
                vector.id,
                other.in_short(),
                one.in_short()
            ));
        }
    }
    report(&found, "cases depend on being whole");
}

/// Up to eight cuts at random.
fn cut_anywhere(rng: &mut Rng, length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..rng.one_to(8)).map(|_| rng.one_to(length)).collect();
    cuts.sort_unstable();
    cuts
}

/// A few bytes replaced, dropped or doubled.
fn spoil(rng: &mut Rng, bytes: &mut Vec<u8>) {
    const LIKELY: &[u8] = b"\r\n\t :,;=\"%/?#*0159afAF\0\x7f\x80\xff";
    for _ in 0..rng.one_to(3) {
        let at = rng.below(bytes.len());
        match rng.below(4) {
            0 => bytes[at] = LIKELY[rng.below(LIKELY.len())],
            1 => bytes[at] = rng.any() as u8,
            2 => drop(bytes.drain(at..(at + rng.one_to(4)).min(bytes.len()))),
            _ => {
                let end = (at + rng.one_to(12)).min(bytes.len());
                let twice = bytes[at..end].to_vec();
                bytes.splice(at..at, twice);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'G');
        }
    }
}

/// Spoiled cases reach what nobody thought of. They have no judge, but what comes out is HTTP, and
/// the same however it is cut.
#[test]
fn spoiled_cases_give_the_same_output_however_they_are_cut() {
    const SMALL_BYTES: usize = 1000;
    let corpus = Corpus::load().unwrap();
    let small: Vec<_> = plain(&corpus)
        .filter(|(_, bytes)| bytes.len() <= SMALL_BYTES)
        .collect();
    let mut stage = Stage::new();
    let mut found = Vec::new();
    for seed in 0..SPOILED {
        let mut rng = Rng::new(seed);
        let (vector, mut bytes) = small[rng.below(small.len())].clone();
        spoil(&mut rng, &mut bytes);
        let whole = stage.play(vector, &bytes, |script| script);
        let cuts = cut_anywhere(&mut rng, bytes.len());
        let cut = stage.play(vector, &bytes, |script| {
            cuts.iter().fold(script, |script, at| script.cut(*at))
        });
        let single = stage.play(vector, &bytes, Script::bytewise);
        if !same(vector, &whole, &cut) || !same(vector, &whole, &single) {
            let all = [&whole, &cut, &single].map(|seen| observe(vector, seen).in_short());
            found.push(format!(
                "seed {seed}, {} spoiled, cut at {cuts:?}: {all:?}: {}",
                vector.id,
                bytes.escape_ascii()
            ));
        }
    }
    report(&found, "spoiled cases depend on where they are cut");
}

/// What a client would lose to a reset: a server that closes has read what was sent.
#[test]
fn no_case_is_closed_with_bytes_unread() {
    let corpus = Corpus::load().unwrap();
    let mut stage = Stage::new();
    let mut found = Vec::new();
    let limit = Limits::DEFAULT.linger_bytes_max as usize;
    for (vector, bytes) in plain(&corpus) {
        let seen = stage.play(vector, &bytes, |script| script);
        if seen.state != State::Open && seen.unread > 0 && bytes.len() < limit {
            found.push(format!("{}: {} bytes unread", vector.id, seen.unread));
        }
    }
    report(&found, "answers may be lost");
}

/// The cases that wait for a deadline, without the wait.
#[test]
fn every_case_that_waits_is_cut_off_in_time() {
    let corpus = Corpus::load().unwrap();
    let mut stage = Stage::new();
    let mut played = 0;
    for vector in &corpus.vectors {
        let waits = |step: &Step| matches!(step, Step::Send { .. } | Step::Await(_) | Step::Idle);
        if vector.run != Run::Slow || !vector.steps.iter().all(waits) {
            continue;
        }
        let script = Script::new(vector.requests_as_bytes());
        let (seen, took_ms) = play_for(&mut stage.worker, script, 15_000);
        let judgement = judge(vector, &observe(vector, &seen), UNIX_TIME);
        let id = &vector.id;
        assert_eq!(judgement.verdict, Verdict::Pass, "{id}: {}", judgement.why);
        assert!((4_000..12_000).contains(&took_ms), "{id}: {took_ms} ms");
        played += 1;
    }
    assert!(played >= 5, "only {played} cases were played");
}
