//! The whole client against small servers that are right, or wrong in one way each.

mod server;

use std::net::TcpListener;
use std::time::Duration;

use super::*;
use server::{Quirk, server};

fn options(quirk: Quirk) -> LoadOptions {
    LoadOptions {
        url: server(quirk),
        requests: 1_501,
        connections: 7,
        pipeline: 4,
        ids: 100,
        timeout_ms: 3_000,
        progress: false,
        ..LoadOptions::default()
    }
}

/// The report, whether the run passed or failed.
fn report(options: &LoadOptions) -> LoadReport {
    let mut out = Vec::new();
    match run(options, &mut out) {
        Ok(report) => {
            assert!(report.passed() && String::from_utf8(out).unwrap().contains("PASS"));
            report
        }
        Err(LoadError::Failed(report)) => {
            assert!(!report.passed() && String::from_utf8(out).unwrap().contains("FAIL"));
            *report
        }
        Err(error) => panic!("{error}"),
    }
}

fn passes(options: &LoadOptions) -> LoadReport {
    let report = report(options);
    assert!(report.passed(), "{:?}", report.failures);
    assert_eq!(
        (report.ok, report.refused, report.lost),
        (options.requests, 0, 0)
    );
    report
}

fn fails(options: &LoadOptions, with: &str) -> LoadReport {
    let report = report(options);
    let found = report.failures.iter().any(|line| line.contains(with));
    assert!(found, "{with:?} is not in {:?}", report.failures);
    report
}

#[test]
fn a_right_server_passes_in_every_way_of_sending() {
    let right = options(Quirk::None);
    let report = passes(&right);
    assert_eq!(
        (report.connects, report.reconnects, report.resent),
        (7, 0, 0)
    );
    let (total, users, sum, avg) = report.stats.unwrap();
    assert_eq!((total, users, sum.as_str()), (1_501, 100, "625500.5"));
    assert!(avg.starts_with("416.7225183"), "{avg}");
    assert_eq!(report.by_status, [(200, 1_501)]);
    for sent in [
        LoadOptions {
            pipeline: 1,
            ..right.clone()
        },
        LoadOptions {
            threads: 3,
            ..right.clone()
        },
        LoadOptions {
            values: Values::Integer,
            ..right.clone()
        },
        LoadOptions {
            ids: 5_000,
            ..right.clone()
        },
        LoadOptions {
            requests: 3,
            ..right.clone()
        },
        LoadOptions {
            requests: 400,
            pace: Some(2_000),
            ..right.clone()
        },
        LoadOptions {
            requests: 300,
            threads: 2,
            pace: Some(2_000),
            ..right.clone()
        },
        LoadOptions {
            connections: 1,
            pipeline: 4_096,
            ..right.clone()
        },
        LoadOptions {
            json: false,
            idle: 5,
            ..right.clone()
        },
    ] {
        passes(&sent);
    }
}

#[test]
fn a_right_server_with_habits_of_its_own_passes() {
    let report = passes(&options(Quirk::Verbose));
    assert_eq!(report.by_status, [(201, 1_501)]);
    let report = passes(&options(Quirk::ClosesPolitely));
    assert!(report.reconnects >= 140 && report.resent > 0, "{report:?}");
    let report = passes(&LoadOptions {
        pipeline: 1,
        ..options(Quirk::ClosesPolitely)
    });
    assert!(report.reconnects >= 140 && report.resent == 0, "{report:?}");
    let report = passes(&options(Quirk::NoReset));
    assert!(!report.reset);
    assert_eq!(report.stats.unwrap().0, 1_505);
}

#[test]
fn the_pace_is_kept() {
    let report = passes(&LoadOptions {
        requests: 300,
        pace: Some(1_000),
        ..options(Quirk::None)
    });
    assert!(
        report.elapsed >= Duration::from_millis(290),
        "{:?}",
        report.elapsed
    );
}

#[test]
fn one_event_lost_or_counted_twice_is_seen() {
    let report = fails(
        &options(Quirk::Loses(1_500)),
        "totalRequests is 1500, expected 1501",
    );
    assert_eq!(report.ok, 1_501);
    assert!(
        report
            .failures
            .iter()
            .any(|line| line.starts_with("sum is"))
    );
    fails(
        &options(Quirk::CountsTwice(0)),
        "totalRequests is 1502, expected 1501",
    );
}

#[test]
fn one_error_among_the_answers_is_seen() {
    let report = fails(
        &options(Quirk::Refuses(700)),
        "1 requests were not answered 200 or 201 (500: 1)",
    );
    assert_eq!((report.ok, report.refused), (1_500, 1));
}

#[test]
fn one_answer_too_many_is_seen_even_if_it_is_the_last() {
    for number in [0, 700, 1_500] {
        fails(
            &options(Quirk::AnswersTwice(number)),
            "that no request asked for",
        );
    }
    let late = LoadOptions {
        connections: 1,
        pipeline: 1,
        ..options(Quirk::AnswersTwiceLate(1_500))
    };
    fails(&late, "an answer (200) that no request asked for");
}

#[test]
fn a_close_without_warning_is_seen_and_nothing_is_sent_again() {
    let report = fails(&options(Quirk::ClosesEarly(700)), "requests unanswered");
    assert!((1..=4).contains(&report.lost), "{report:?}");
    assert_eq!((report.resent, report.broken, report.reconnects), (0, 1, 1));
    assert_eq!(report.ok + report.lost, 1_501);
}

#[test]
fn a_server_that_breaks_every_connection_ends_the_run() {
    let report = fails(
        &options(Quirk::Dies(700)),
        "gave up after 100 broken connections",
    );
    assert_eq!((report.ok, report.broken), (700, 100));
    assert_eq!(
        report
            .failures
            .iter()
            .filter(|line| line.contains("gave up"))
            .count(),
        1
    );
}

#[test]
fn garbage_silence_and_unasked_answers_are_seen() {
    fails(
        &options(Quirk::Garbage(700)),
        "malformed answer: a line ends in a lone LF",
    );
    let silent = LoadOptions {
        timeout_ms: 300,
        ..options(Quirk::Silent(700))
    };
    let report = fails(&silent, "no answer in time");
    assert_eq!(report.broken, 1);
    // The questions before the run hear it already.
    let error = run(&options(Quirk::Unasked), &mut Vec::new()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(
        error.to_string().contains("bytes after the answer") || error.to_string().contains("503"),
        "{error}"
    );
}

#[test]
fn statistics_that_are_not_exact_are_seen() {
    fails(&options(Quirk::Rounds), "sum is 625500, expected 625500.5");
    let error = run(&options(Quirk::Floats), &mut Vec::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("totalRequests is no integer literal: 0.0"),
        "{error}"
    );
}

#[test]
fn looks_meanwhile_see_torn_statistics_and_nothing_else() {
    let many = |quirk| LoadOptions {
        requests: 20_000,
        poll_stats_ms: Some(0),
        ..options(quirk)
    };
    let report = passes(&many(Quirk::None));
    assert!(report.looks > 3, "{report:?}");
    let report = passes(&LoadOptions {
        threads: 2,
        ids: 50_000,
        ..many(Quirk::None)
    });
    assert!(report.looks > 3, "{report:?}");
    passes(&LoadOptions {
        values: Values::Integer,
        ..many(Quirk::NoReset)
    });
    fails(&many(Quirk::Tears), "GET /stats while running");
}

#[test]
fn requests_that_are_never_finished_do_not_count() {
    let slow = |quirk| LoadOptions {
        requests: 500,
        pace: Some(1_000),
        abort: 8,
        ..options(quirk)
    };
    let report = passes(&slow(Quirk::None));
    assert!(report.aborted > 10, "{report:?}");
    fails(&slow(Quirk::CountsHeads), "totalRequests is");
}

#[test]
fn a_server_that_is_not_there_or_not_well_is_one_clear_line() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gone = LoadOptions {
        url: format!("http://{gone}"),
        ..LoadOptions::default()
    };
    let error = run(&gone, &mut Vec::new()).unwrap_err();
    let line = format!(
        "cannot reach {}: connection refused; is the server running?",
        gone.url
    );
    assert_eq!((error.to_string(), error.exit_code()), (line, 2));
    let error = run(&options(Quirk::Ill), &mut Vec::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("/health answered 404, expected 200"),
        "{error}"
    );
}

#[test]
fn options_without_sense_are_refused() {
    let right = LoadOptions::default();
    for wrong in [
        LoadOptions {
            requests: 0,
            ..right.clone()
        },
        LoadOptions {
            requests: 0,
            idle: 1,
            abort: 1,
            ..right.clone()
        },
        LoadOptions {
            server_pid: Some(1),
            ..right.clone()
        },
        LoadOptions {
            idle: 1,
            server_pid: Some(u32::MAX),
            ..options(Quirk::None)
        },
        LoadOptions {
            connections: 0,
            ..right.clone()
        },
        LoadOptions {
            pipeline: 5_000,
            ..right.clone()
        },
        LoadOptions {
            threads: 2,
            connections: 1,
            ..right.clone()
        },
        LoadOptions {
            pace: Some(0),
            ..right.clone()
        },
        LoadOptions {
            url: "localhost".to_owned(),
            ..right.clone()
        },
    ] {
        let error = run(&wrong, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, LoadError::Usage(_)), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
}

#[test]
fn idle_connections_alone_ask_nothing_and_are_held() {
    // This server would be told off for what it says to a question.
    let alone = LoadOptions {
        requests: 0,
        idle: 12,
        hold_s: 1,
        ..options(Quirk::Ill)
    };
    let mut out = Vec::new();
    let idle = run(&alone, &mut out).unwrap().idle.unwrap();
    assert_eq!(
        (idle.wanted, idle.opened, idle.refused, idle.closed),
        (12, 12, 0, 0)
    );
    assert!(
        idle.held >= Duration::from_secs(1) && idle.stopped.is_none(),
        "{idle:?}"
    );
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("idle         12 connections opened from 1 addresses"),
        "{text}"
    );
    assert!(
        text.ends_with("PASS         all idle connections were opened and kept\n"),
        "{text}"
    );
}

#[test]
fn idle_connections_that_the_server_ends_are_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = LoadOptions {
        url: format!("http://{}", listener.local_addr().unwrap()),
        requests: 0,
        idle: 6,
        hold_s: 1,
        ..LoadOptions::default()
    };
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for (at, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            // The first two are questions whether anybody is there, and from which address.
            match at % 3 {
                0 => held.push(stream),
                1 => {
                    std::io::Write::write_all(&mut &stream, b"HTTP/1.1 503 Busy\r\n\r\n").unwrap();
                    held.push(stream);
                }
                _ => {
                    std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_millis(500));
                        drop(stream);
                    });
                }
            }
        }
    });
    let report = match run(&options, &mut Vec::new()) {
        Err(LoadError::Failed(report)) => *report,
        other => panic!("{other:?}"),
    };
    let idle = report.idle.unwrap();
    assert_eq!((idle.opened, idle.refused, idle.closed), (4, 2, 2));
    assert_eq!(
        report.failures,
        [
            "2 of 6 idle connections were refused",
            "2 idle connections were closed by the server"
        ]
    );
}

#[test]
fn the_report_can_be_json() {
    let mut out = Vec::new();
    run(
        &LoadOptions {
            json: true,
            ..options(Quirk::None)
        },
        &mut out,
    )
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("{\"url\":") && text.ends_with("\"failures\":[]}\n"),
        "{text}"
    );
}
