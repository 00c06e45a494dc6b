//! The vectors are read whole, and the judge is judged: by observations written by hand, and by a
//! server that is wrong on purpose.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use barewire_tests::conformance::{
    Corpus, Filter, Mode, Observation, Pace, Report, Run, State, Step, Strength, Vector, Verdict,
    judge, matches, run_socket_paced,
};

/// 2026-11-21 02:00:00 UTC, a Saturday: the judge's clock in these tests.
const NOW_S: u64 = 1_795_226_400;

fn corpus() -> Corpus {
    match Corpus::load() {
        Ok(corpus) => corpus,
        Err(error) => panic!("{error}"),
    }
}

/// A vector with these outcomes.
fn vector(outcomes: &str) -> Vector {
    let text = format!("case T-1: a test\nmust RFC 9112 1\nidle\n{outcomes}\n");
    match Vector::read_all("made-up", &text) {
        Ok(mut vectors) => vectors.remove(0),
        Err(error) => panic!("{error}"),
    }
}

fn response(status: u16, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn seen(output: &str, state: State) -> Observation {
    Observation::from_bytes(output.as_bytes(), state, &[])
}

/// Asserts whether a single alternative holds for what came on a connection that is open.
#[track_caller]
fn holds(condition: &str, output: &str, wanted: bool) {
    let vector = vector(&format!("pass {condition}"));
    let result = matches(&vector.pass[0], &seen(output, State::Open), NOW_S);
    assert_eq!(
        result.is_ok(),
        wanted,
        "{condition} of {output:?}: {result:?}"
    );
}

#[test]
fn all_vectors_are_read() {
    let vectors = corpus().vectors;
    assert_eq!(vectors.len(), 472);
    let mut categories: BTreeMap<&str, usize> = BTreeMap::new();
    for vector in &vectors {
        *categories.entry(&vector.category).or_default() += 1;
    }
    let expected = [
        ("abort", 13),
        ("app-stats", 28),
        ("body", 10),
        ("content-length", 36),
        ("expect", 7),
        ("field-syntax", 43),
        ("fragmentation", 20),
        ("host", 28),
        ("limits", 12),
        ("methods", 19),
        ("persistence", 23),
        ("pipelining", 9),
        ("request-line", 26),
        ("response", 16),
        ("routes", 15),
        ("smuggling", 34),
        ("target", 32),
        ("timeouts", 6),
        ("transfer-encoding", 73),
        ("versions", 22),
    ];
    assert_eq!(categories.into_iter().collect::<Vec<_>>(), expected);
    let number = |what: &dyn Fn(&Vector) -> bool| vectors.iter().filter(|v| what(v)).count();
    assert_eq!(number(&|v| v.strength == Strength::Must), 273);
    assert_eq!(number(&|v| v.strength == Strength::Should), 165);
    assert_eq!(number(&|v| v.strength == Strength::May), 34);
    assert_eq!(number(&|v| v.run == Run::App), 28);
    assert_eq!(number(&|v| v.run == Run::Alone), 10);
    assert_eq!(number(&|v| v.run == Run::Slow), 6);
    assert_eq!(number(&|v| v.splits), 10);
    assert_eq!(number(&|v| v.not_bytewise), 79);
    assert_eq!(number(&|v| !v.warn.is_empty()), 262);
}

#[test]
fn a_driver_without_sockets_can_play_most_vectors() {
    let vectors = corpus().vectors;
    let plain: Vec<&Vector> = vectors.iter().filter(|vector| vector.is_plain()).collect();
    // Not plain: 6 that wait, 7 floods, 1 reset, 3 that send the body after a 100.
    assert_eq!(plain.len(), 472 - 17);
    assert_eq!(plain.iter().filter(|vector| vector.shuts()).count(), 10);
    assert!(
        plain
            .iter()
            .all(|vector| !vector.requests_as_bytes().is_empty())
    );
    let by_id = |id: &str| plain.iter().find(|vector| vector.id == id).unwrap();
    let flood = by_id("LIM-016");
    assert_eq!(flood.requests_as_bytes().len(), 24_000 * 1011 + 25 + 22);
    assert!(matches!(flood.steps[1], Step::Repeat { times: 24_000, .. }));
    let pair = b"POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 3\r\n\r\nn=0\
        POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 3\r\n\r\nn=1";
    assert_eq!(by_id("PIP-001").requests_as_bytes(), pair);
    assert!(by_id("VER-007").speaks_only_http_1_0());
    assert!(
        !by_id("PER-030").speaks_only_http_1_0(),
        "1.1 first, then 1.0"
    );
}

#[test]
fn a_pass_beats_a_warning_and_a_warning_beats_a_fault() {
    let vector = vector("pass status 200; open\npass status 301\nwarn status 4xx");
    let verdict = |output: &str, state| judge(&vector, &seen(output, state), NOW_S);
    let ok = response(200, "", "ok");
    assert_eq!(verdict(&ok, State::Open).verdict, Verdict::Pass);
    assert_eq!(
        verdict(&response(301, "", ""), State::Closed).verdict,
        Verdict::Pass
    );
    let refused = verdict(&response(404, "", ""), State::Open);
    assert_eq!(refused.verdict, Verdict::Warn);
    assert!(refused.why.contains("response 1 is 404"), "{}", refused.why);
    let closed = verdict(&ok, State::Closed);
    assert_eq!(
        (closed.verdict, closed.why.as_str()),
        (Verdict::Fail, "the connection is closed")
    );
    assert_eq!(
        verdict(&(ok.clone() + "x"), State::Open).verdict,
        Verdict::Fail
    );
    assert_eq!(verdict("", State::Open).verdict, Verdict::Fail);
}

#[test]
fn statuses_and_counts_are_judged() {
    let ok = response(200, "", "ok");
    let not = response(404, "", "");
    holds("status 200 404", &(ok.clone() + &not), true);
    holds("status 200 404", &(not.clone() + &ok), false);
    holds("status 200", &(ok.clone() + &not), false);
    holds("status 200 200", &ok, false);
    holds("status 3xx/4xx", &not, true);
    holds("status 3xx/5xx", &not, false);
    holds("status any", &not, true);
    holds("status !404", &not, false);
    holds("status !405", &not, true);
    holds("status !4xx", &not, false);
    holds("status !5xx", &not, true);
    holds("every 3 2xx", &ok.repeat(3), true);
    holds("every 3 2xx", &ok.repeat(2), false);
    holds("every 2 200", &(ok.clone() + &not), false);
    holds("at-least 2", &ok.repeat(2), true);
    holds("at-least 2", &ok, false);
    holds("at-most 1", &ok, true);
    holds("at-most 1", &ok.repeat(2), false);
}

#[test]
fn connections_and_silence_are_judged() {
    let check = |condition: &str, output: &str, state, wanted: bool| {
        let vector = vector(&format!("pass {condition}"));
        let result = matches(&vector.pass[0], &seen(output, state), NOW_S);
        assert_eq!(
            result.is_ok(),
            wanted,
            "{condition} of {output:?}: {result:?}"
        );
    };
    let ok = response(200, "", "ok");
    for (state, open) in [
        (State::Open, true),
        (State::Closed, false),
        (State::Reset, false),
    ] {
        check("open", &ok, state, open);
        check("closed", &ok, state, !open);
        check("silent; open", "", state, open);
        check("silent; closed", "", state, !open);
    }
    check("silent", &ok, State::Closed, false);
    check("silent", "SSH-2.0", State::Closed, false);
    check("garbage", "SSH-2.0", State::Closed, true);
    check("garbage", &ok, State::Closed, false);
    check("status any", "SSH-2.0", State::Closed, false);
    check("status 200", &ok[..ok.len() - 1], State::Closed, false);
    check("at-least 0", &ok[..ok.len() - 1], State::Closed, false);
}

#[test]
fn interim_responses_are_judged() {
    let ok = response(200, "", "ok");
    let late = format!("HTTP/1.1 100 Continue\r\n\r\n{ok}");
    holds("status 200; interim", &late, true);
    holds("status 200; interim", &ok, false);
    holds("no-interim", &ok, true);
    holds("no-interim", &late, false);
    holds("interim; at-most 0", "HTTP/1.1 100 Continue\r\n\r\n", true);
}

#[test]
fn bodies_are_judged() {
    let two = response(200, "", "hello") + &response(200, "", "");
    holds(r#"body 1 "hello""#, &two, true);
    holds(r#"body 2 "hello""#, &two, false);
    holds(r#"body 3 "hello""#, &two, false);
    holds(r#"body 2 """#, &two, true);
    holds(r#"body-has 1 "ell""#, &two, true);
    holds(r#"body-has 1 "elk""#, &two, false);
    holds(r#"body-has 3 "ell""#, &two, false);
    holds(r#"body-lacks 1 "ell""#, &two, false);
    holds(r#"body-lacks 1 "root:""#, &two, true);
    holds(r#"body-lacks 3 "ell""#, &two, true);
    holds("body-length 1 5", &two, true);
    holds("body-length 2 5", &two, false);
    let filled = response(200, "", "abcabca");
    holds(r#"body-fill 1 "abc" 7"#, &filled, true);
    holds(r#"body-fill 1 "abc" 6"#, &filled, false);
    holds(r#"body-fill 1 "abd" 7"#, &filled, false);
    let (first, second) = (response(200, "", "n=0"), response(200, "", "n=1"));
    holds(r#"counted "n=\(n)""#, &(first.clone() + &second), true);
    holds(r#"counted "n=\(n)""#, &(second + &first), false);
    let chunked =
        "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    holds(r#"body 1 "hello""#, chunked, true);
}

#[test]
fn fields_are_judged() {
    let one = response(200, "A: x\r\nList: Foo , BAR\r\nlist: baz\r\nA-B:\r\n", "");
    for (test, wanted) in [
        ("a present", true),
        ("a-b present", true),
        ("b present", false),
        ("b absent", true),
        ("a absent", false),
        ("a once", true),
        ("list once", false),
        ("b once", false),
        (r#"a equals "x""#, true),
        (r#"a equals "X""#, false),
        (r#"list equals "baz""#, false),
        (r#"a if "x""#, true),
        (r#"a if "y""#, false),
        (r#"b if "y""#, true),
        (r#"list starts "Fo""#, true),
        (r#"list starts "baz""#, false),
        (r#"b starts """#, false),
        (r#"list token "bar""#, true),
        (r#"list token "baz""#, true),
        (r#"list token "ba""#, false),
        (r#"list no-token "ba""#, true),
        (r#"list no-token "foo""#, false),
        (r#"b no-token "foo""#, true),
    ] {
        holds(&format!("field 1 {test}"), &one, wanted);
        holds(&format!("field 2 {test}"), &one, false);
    }
    let two = response(200, "A: x\r\nB: z\r\n", "") + &response(200, "A: y\r\nC: z\r\n", "");
    holds("same 1 2 a", &two, false);
    holds("same 1 2 b", &two, true); // the second has none
    holds("same 1 2 content-length", &two, true);
    holds("same 1 3 a", &two, false);
    holds("differ 1 2 a", &two, true);
    holds("differ 1 2 content-length", &two, false);
}

#[test]
fn lengths_and_dates_are_judged() {
    holds("length-is-body", &response(200, "", "abc"), true);
    let both = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n";
    holds("length-is-body", both, false);
    let head = [String::from("HEAD")];
    let long = "HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\n";
    let vector = vector("pass length-is-body");
    let of_head = Observation::from_bytes(long.as_bytes(), State::Open, &head);
    assert_eq!(matches(&vector.pass[0], &of_head, NOW_S), Ok(()));

    let dated = |date: &str| response(200, &format!("Date: {date}\r\n"), "");
    holds("date-is-now", &dated("Sat, 21 Nov 2026 02:00:00 GMT"), true);
    holds("date-is-now", &dated("Sat, 21 Nov 2026 01:59:57 GMT"), true);
    holds("date-is-now", &dated("Sat, 21 Nov 2026 02:00:03 GMT"), true);
    holds(
        "date-is-now",
        &dated("Sat, 21 Nov 2026 01:59:56 GMT"),
        false,
    );
    holds(
        "date-is-now",
        &dated("Sun, 21 Nov 2026 02:00:00 GMT"),
        false,
    );
    holds("date-is-now", &response(200, "", ""), false);
    holds("date-is-now", "", false);
}

#[test]
fn json_is_judged() {
    let body = r#"{"n":500,"f":500.0,"d":0.30000000000000004,"s":"500","o":null}"#;
    let answer = response(200, "", body);
    for (test, wanted) in [
        ("* any", true),
        ("n any", true),
        ("o any", true),
        ("x any", false),
        ("n 500", true),
        ("f 500", true),
        ("n 501", false),
        ("s 500", false),
        (r#"s "500""#, true),
        (r#"n "500""#, false),
        ("d 0.3", false),
        ("d ~0.3", true),
        ("d ~0.31", false),
        ("n ~500.0004", true),
        ("n ~500.001", false),
        ("o ~0.0", false),
    ] {
        holds(&format!("json 1 {test}"), &answer, wanted);
        holds(&format!("json 2 {test}"), &answer, false);
    }
    holds("json 1 * any", &response(200, "", r#"{"a":1,}"#), false);
    holds("json 1 * any", &response(200, "", "NaN"), false);
    holds("json 1 a any", &response(200, "", "[1]"), false);
}

/// Answers each empty line with the same 200 and never closes: right for what is plain, wrong for
/// all the rest.
fn wrong_server() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    // Lives as long as the test's process: nothing here outlasts it.
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut socket = socket;
                let mut tail = [0; 4];
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = socket.read(&mut buffer) {
                    for byte in &buffer[..read] {
                        tail.rotate_left(1);
                        tail[3] = *byte;
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        if &tail == b"\r\n\r\n" && socket.write_all(answer).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    addr
}

/// Short waits: most cases fail here, and each failure is waited for.
fn hasty() -> Pace {
    Pace {
        settle: Duration::from_millis(40),
        limit: Duration::from_millis(250),
        grace: Duration::from_millis(40),
        slow_limit: Duration::from_millis(100),
        stall: Duration::from_millis(500),
        jobs: 16,
        again: false,
        ..Pace::default()
    }
}

fn verdict(report: &Report, id: &str, mode: Mode) -> Verdict {
    let found = report
        .results
        .iter()
        .find(|result| result.id == id && result.mode == mode);
    found
        .unwrap_or_else(|| panic!("{id} was not played\n{report}"))
        .verdict
}

#[test]
fn a_wrong_server_is_found_out() {
    let categories = [
        "request-line",
        "versions",
        "host",
        "content-length",
        "transfer-encoding",
        "persistence",
        "response",
        "timeouts",
    ];
    let filter = Filter {
        categories: categories.map(str::to_owned).to_vec(),
        slow: true,
        ..Filter::default()
    };
    let report = run_socket_paced(wrong_server(), &corpus(), &filter, &[Mode::Whole], &hasty());
    assert_eq!(report.results.len(), 26 + 22 + 28 + 36 + 73 + 23 + 16 + 6);
    assert!(!report.is_clean());
    // What is plain passes: one GET, several GETs, an empty line first, any valid Host.
    for id in [
        "RL-001", "PER-001", "PER-031", "PER-032", "HOST-036", "VER-005", "RSP-019",
    ] {
        assert_eq!(
            verdict(&report, id, Mode::Whole),
            Verdict::Pass,
            "{id}\n{report}"
        );
    }
    // No Host, bad lengths, close not kept, a body not echoed, no Date, a client never dropped.
    for id in [
        "HOST-001", "CL-005", "PER-003", "VER-007", "RSP-001", "RSP-003", "TMO-003",
    ] {
        assert_eq!(
            verdict(&report, id, Mode::Whole),
            Verdict::Fail,
            "{id}\n{report}"
        );
    }
    let faults = report.faults().count();
    assert!(
        faults > report.results.len() / 3,
        "only {faults} faults\n{report}"
    );
    assert!(
        report.lints.contains_key("no Date in a 2xx response"),
        "{report}"
    );
}

#[test]
fn every_step_of_the_socket_driver_is_played() {
    let ids = [
        "ABT-00", "ABT-021", "PIP-001", "PIP-004", "PIP-014", "BOD-007", "EXP-003", "FRG-",
    ];
    let filter = Filter {
        ids: ids.map(str::to_owned).to_vec(),
        ..Filter::default()
    };
    let modes = [Mode::Whole, Mode::Split, Mode::Bytes];
    let pace = Pace {
        split_gap: Duration::from_micros(100),
        ..hasty()
    };
    let report = run_socket_paced(wrong_server(), &corpus(), &filter, &modes, &pace);
    for id in [
        "ABT-001", "ABT-002", "ABT-004", "ABT-009", "ABT-021", "PIP-004",
    ] {
        assert_eq!(
            verdict(&report, id, Mode::Whole),
            Verdict::Pass,
            "{id}\n{report}"
        );
    }
    for id in ["PIP-001", "BOD-007"] {
        assert_eq!(
            verdict(&report, id, Mode::Whole),
            Verdict::Fail,
            "{id}\n{report}"
        );
    }
    let played = |mode| {
        report
            .results
            .iter()
            .filter(|result| result.mode == mode)
            .count()
    };
    assert_eq!(played(Mode::Split), 10, "{report}");
    assert!(played(Mode::Bytes) > 5, "{report}");
}

#[test]
fn a_server_that_is_not_there_fails_every_case() {
    let addr = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let filter = Filter {
        categories: vec!["host".to_owned()],
        ..Filter::default()
    };
    let report = run_socket_paced(addr, &corpus(), &filter, &[Mode::Whole], &hasty());
    assert_eq!(report.count(Verdict::Fail), 28, "{report}");
}
