//! A server that is given by its command: one for another processor, in an emulator of it.
//!
//! `BAREWIRE_PROGRAM='qemu-aarch64-static PATH'`: a wrapper, if it needs one, and the program,
//! separated by blanks. `tests/foreign aarch64` builds one and runs these. The same for this
//! machine is `server.rs`, in one process with the server.

use std::path::Path;
use std::time::{Duration, Instant};

use barewire::load::{self, LoadOptions};
use barewire_tests::conformance::{Corpus, Filter, Mode, Pace, Verdict, run_socket_paced};
use barewire_tests::drill::Barewire;

/// Events of the load: half a second, emulated.
const EVENTS: u64 = 100_000;

fn serve() -> Barewire {
    let given = std::env::var("BAREWIRE_PROGRAM").expect("BAREWIRE_PROGRAM, a command");
    let mut words: Vec<&str> = given.split_whitespace().collect();
    let program = words.pop().expect("a program");
    let args = "--workers 2 --connections 1000";
    Barewire::start_under(&words, Path::new(program), args)
}

#[test]
#[ignore = "tests/foreign aarch64 gives it a program"]
fn the_conformance_vectors_are_permitted() {
    let server = serve();
    let begin = Instant::now();
    // Twice the usual silence: an emulator translates before it runs.
    let pace = Pace {
        jobs: 32,
        settle: Duration::from_millis(700),
        ..Pace::default()
    };
    let filter = Filter {
        app: true,
        ..Filter::default()
    };
    let corpus = Corpus::load().unwrap();
    let modes = [Mode::Whole, Mode::Bytes];
    let report = run_socket_paced(server.addr(), &corpus, &filter, &modes, &pace);
    assert!(report.is_clean(), "{report}");
    let runs = report.results.len();
    assert!(runs >= 500, "only {runs}");
    assert_eq!(report.count(Verdict::Pass), runs, "{report}");
    assert!(server.stop().in_time);
    println!(
        "program: {runs} runs of conformance cases permitted, {:.1} s",
        begin.elapsed().as_secs_f32()
    );
}

#[test]
#[ignore = "tests/foreign aarch64 gives it a program"]
fn a_load_is_counted_exactly() {
    let server = serve();
    let options = LoadOptions {
        url: format!("http://{}", server.addr()),
        requests: EVENTS,
        connections: 50,
        pipeline: 4,
        ids: 500,
        poll_stats_ms: Some(200),
        abort: 5,
        idle: 20,
        ..LoadOptions::default()
    };
    let mut text = Vec::new();
    let report = load::run(&options, &mut text);
    let text = String::from_utf8_lossy(&text);
    let report = report.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(report.passed(), "{text}");
    assert_eq!(report.ok, EVENTS, "{text}");
    let (total, users, ..) = report.stats.as_ref().expect("statistics");
    assert_eq!((*total, *users), (EVENTS, 500), "{text}");
    let tally = server.stop();
    assert!(tally.in_time && tally.requests >= EVENTS, "{tally:?}");
    println!(
        "program: {EVENTS} events counted exactly, {} looks meanwhile, {:.0} a second",
        report.looks,
        report.answers_per_second()
    );
}
