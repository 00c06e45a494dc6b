//! What refusals tell, over whole connections.

extern crate std;

use super::*;
use crate::buffer::SendBuffer;
use crate::connection::{Connection, Flags, ServerName, Site, Step};
use crate::json::{Object, Value};
use crate::limits::{FAULT_REPLY_BYTES, Limits, SERVER_BYTES_MAX};
use crate::wire::{self, Date, Section};
use proptest::prelude::*;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

const LIMITS: Limits = Limits {
    body_bytes_max: 1000,
    ..Limits::DEFAULT
};

/// What comes back for `input`, cut at these places, with a send buffer of `N` bytes.
fn play<const N: usize>(site: &Site<'_>, input: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut rx = RecvBuffer::<[u8; 2048]>::new();
    let mut tx = SendBuffer::<[u8; N]>::new();
    let mut connection = Connection::new();
    let mut out = vec![];
    let mut pieces = cuts.iter().copied().chain([input.len()]);
    let (mut at, mut end) = (0, 0);
    for _ in 0..10_000 {
        match connection.step(site, &mut rx, &mut tx) {
            Step::Read(space) => {
                while at == end && end < input.len() {
                    end = pieces.next().unwrap_or(input.len());
                }
                let n = space.len().min(end - at);
                space[..n].copy_from_slice(&input[at..at + n]);
                at += n;
                match n {
                    0 => rx.end(),
                    n => rx.filled(n),
                }
            }
            Step::Write(bytes) => {
                out.extend_from_slice(bytes);
                let n = bytes.len();
                tx.sent(n);
            }
            Step::Request(exchange) if exchange.head.path() == b"/drop" => {}
            Step::Request(exchange) => {
                let status = match exchange.head.path() {
                    b"/nothing" => Status::NO_CONTENT,
                    b"/odd" => Status::new(499).unwrap(),
                    _ => Status::NOT_FOUND,
                };
                let reply = exchange.reply.status(status);
                let _ = reply.refusal("no \"page\" here", exchange.head.notation());
            }
            Step::Close => return out,
            _ => {}
        }
    }
    panic!("it spins: {connection:?}");
}

/// Head and body of the only answer, the same at every cut.
fn answer_at(site: &Site<'_>, input: &str) -> (String, String) {
    let input = input.as_bytes();
    let whole = play::<2048>(site, input, &[]);
    for cut in 1..input.len() {
        assert_eq!(play::<2048>(site, input, &[cut]), whole, "cut at {cut}");
    }
    let all: Vec<usize> = (1..input.len()).collect();
    assert_eq!(play::<2048>(site, input, &all), whole, "byte by byte");
    let text = String::from_utf8(whole).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect(&text);
    (head.into(), body.into())
}

fn answer(input: &str) -> (String, String) {
    answer_at(&Site::new(&LIMITS), input)
}

/// Every fault there is. A new one does not compile until it is put here.
fn every_fault() -> Vec<Fault> {
    use wire::Fault as W;
    let wire = [
        W::LineEnd,
        W::RequestLine,
        W::Method,
        W::Target,
        W::Misdirected,
        W::TargetTooLong,
        W::Version,
        W::VersionUnsupported,
        W::Fold,
        W::FieldName,
        W::FieldValue,
        W::FieldNameTooLong,
        W::TooManyFields,
        W::HeadTooLarge,
        W::HostMissing,
        W::HostTwice,
        W::Host,
        W::Length,
        W::LengthTwice,
        W::LengthTooLarge,
        W::LengthAndCoding,
        W::CodingInOldVersion,
        W::CodingNotChunked,
        W::CodingUnknown,
        W::Expectation,
        W::Chunk,
        W::ChunkExcess,
        W::TrailerTooLarge,
    ];
    // Both matches name every variant, as the lists do.
    let _ = |fault: W| match fault {
        W::LineEnd | W::RequestLine | W::Method | W::Target | W::Misdirected => {}
        W::TargetTooLong | W::Version | W::VersionUnsupported | W::Fold | W::FieldName => {}
        W::FieldValue | W::FieldNameTooLong | W::TooManyFields | W::HeadTooLarge => {}
        W::HostMissing | W::HostTwice | W::Host | W::Length | W::LengthTwice => {}
        W::LengthTooLarge | W::LengthAndCoding | W::CodingInOldVersion => {}
        W::CodingNotChunked | W::CodingUnknown | W::Expectation | W::Chunk => {}
        W::ChunkExcess | W::TrailerTooLarge => {}
    };
    let others = [
        Fault::Truncated,
        Fault::BodyTooLarge,
        Fault::RequestTimeout,
        Fault::GaveWay,
        Fault::IdleTimeout,
        Fault::SendTimeout,
        Fault::HandlerTimeout,
        Fault::NotAnswered,
        Fault::AnswerShort,
        Fault::Busy,
        Fault::Misuse,
        Fault::Lost,
    ];
    let _ = |fault: Fault| match fault {
        Fault::Wire(_) | Fault::Truncated | Fault::BodyTooLarge | Fault::RequestTimeout => {}
        Fault::GaveWay | Fault::IdleTimeout | Fault::SendTimeout | Fault::HandlerTimeout => {}
        Fault::NotAnswered | Fault::AnswerShort | Fault::Busy | Fault::Misuse | Fault::Lost => {}
    };
    wire.map(Fault::Wire).into_iter().chain(others).collect()
}

/// The body that is told of a refusal.
fn told(refusal: &Refusal, refusals: Refusals) -> RefusalBody {
    let mut body = RefusalBody::new(refusal.notation);
    body.tell(refusal, refusals);
    body
}

#[test]
fn faults_are_told_as_text_or_json_with_their_place() {
    let table = [
        (
            "GET / HTTP/1.1\r\nAccept: JSON\r\nX : y\r\nHost: a\r\n\r\n",
            "400 Bad Request: a field line must be: token, colon, value (head, line 3, byte 43)\n",
            "{\"status\":400,\"reason\":\"a field line must be: token, colon, value\",\
             \"section\":\"head\",\"line\":3,\"byte\":43}",
        ),
        (
            "GET / HTTP/1.1\r\nAccept: JSON\r\n\r\n",
            "400 Bad Request: HTTP/1.1 needs a Host field\n",
            "{\"status\":400,\"reason\":\"HTTP/1.1 needs a Host field\"}",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nAccept: JSON\r\nTransfer-Encoding: chunked\r\n\r\nx",
            "400 Bad Request: the chunked body is malformed\n",
            "{\"status\":400,\"reason\":\"the chunked body is malformed\"}",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nAccept: JSON\r\nTransfer-Encoding: chunked\r\n\r\n\
             0\r\na: b\r\n c\r\n\r\n",
            "400 Bad Request: a field line must not begin with white space \
             (trailers, line 2, byte 6)\n",
            "{\"status\":400,\"reason\":\"a field line must not begin with white space\",\
             \"section\":\"trailers\",\"line\":2,\"byte\":6}",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nAccept: JSON\r\nContent-Length: 1001\r\n\r\n",
            "413 Content Too Large: the body is too large (head, line 4, byte 68)\n",
            "{\"status\":413,\"reason\":\"the body is too large\",\
             \"section\":\"head\",\"line\":4,\"byte\":68}",
        ),
        (
            "GET /drop HTTP/1.1\r\nHost: a\r\nAccept: JSON\r\n\r\n",
            "500 Internal Server Error: the handler did not answer\n",
            "{\"status\":500,\"reason\":\"the handler did not answer\"}",
        ),
        (
            "GET / HTTP/1.1\r\nAccept: JSON\r\nHost",
            "400 Bad Request: the request ends before it is complete\n",
            "{\"status\":400,\"reason\":\"the request ends before it is complete\"}",
        ),
        (
            "GET /page HTTP/1.1\r\nHost: a\r\nAccept: JSON\r\nConnection: close\r\n\r\n",
            "404 Not Found: no \"page\" here\n",
            "{\"status\":404,\"reason\":\"no \\\"page\\\" here\"}",
        ),
        (
            "GET /odd HTTP/1.1\r\nHost: a\r\nAccept: JSON\r\nConnection: close\r\n\r\n",
            "499: no \"page\" here\n",
            "{\"status\":499,\"reason\":\"no \\\"page\\\" here\"}",
        ),
    ];
    for (input, text, json) in table {
        // As long as the other, so that the places are the same.
        let (head, body) = answer(&input.replace("JSON", "application/xml;"));
        assert!(
            head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nVary: Accept\r\n"), "{head}");
        assert_eq!(body, text);
        let (head, body) = answer(&input.replace("JSON", "application/json"));
        assert!(
            head.contains("\r\nContent-Type: application/json\r\n"),
            "{head}"
        );
        assert!(
            head.contains(&format!("\r\nContent-Length: {}", body.len())),
            "{head}"
        );
        assert_eq!(body, json);
    }
}

#[test]
fn only_lines_before_the_fault_choose_the_notation() {
    let before = "GET / HTTP/1.1\r\nAccept: application/json\r\nX : y\r\n\r\n";
    assert!(answer(before).1.starts_with('{'));
    let behind = "GET / HTTP/1.1\r\nX : y\r\nAccept: application/json\r\n\r\n";
    assert!(answer(behind).1.starts_with("400 "));
    let broken = "GET / HTTP/1.1\r\nAccept: application/json\0\r\n\r\n";
    assert!(answer(broken).1.starts_with("400 "));
    let cut_short = "GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r";
    assert!(answer(cut_short).1.starts_with("400 "));
    // Of an earlier request nothing is left.
    let second = "GET /nothing HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n(";
    assert!(answer(second).1.contains("\r\n\r\n400 "), "{second}");
}

#[test]
fn an_answer_to_head_and_a_status_without_content_have_no_body() {
    let (get, body) = answer("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    let (head, none) = answer("HEAD / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    assert_eq!(none, "");
    assert_eq!(
        body.len(),
        "400 Bad Request: there must be one Host field (head, line 3, byte 25)\n".len()
    );
    // The place is one byte further, and has as many digits.
    assert_eq!(get, head);
    let (head, none) = answer("GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(
        (head.as_str(), none.as_str()),
        ("HTTP/1.1 204 No Content\r\nConnection: close", "")
    );
}

const BAD: &str = "GET / HTTP/1.1\r\nX : y\r\n\r\n";
const MISSING: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn a_silent_site_tells_nothing() {
    let site = Site {
        refusals: Refusals::Silent,
        ..Site::new(&LIMITS)
    };
    for (input, status) in [(BAD, "400 Bad Request"), (MISSING, "404 Not Found")] {
        let golden = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0");
        assert_eq!(answer_at(&site, input), (golden, String::new()));
    }
}

#[test]
fn an_own_form_replaces_the_body_and_cannot_break_the_framing() {
    fn own(refusal: &Refusal, body: &mut RefusalBody) {
        let _ = fmt::Write::write_fmt(
            body,
            format_args!("{:?}\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", refusal.fault),
        );
        body.content_type(FieldValue::HTML);
    }
    let own = Refusals::Own(own);
    let site = Site {
        refusals: own,
        ..Site::new(&LIMITS)
    };
    assert!(own != Refusals::Explain && own == site.refusals);
    for (input, fault) in [(BAD, "Some(Wire(FieldName))"), (MISSING, "None")] {
        let (head, body) = answer_at(&site, input);
        assert!(
            head.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"),
            "{head}"
        );
        assert_eq!(body, format!("{fault}\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"));
        assert!(
            head.ends_with(&format!("\r\nContent-Length: {}", body.len())),
            "{head}"
        );
    }
}

#[test]
fn an_own_form_that_is_too_long_is_replaced_by_ours() {
    fn exact(_: &Refusal, body: &mut RefusalBody) {
        body.write(&[b'x'; REFUSAL_BODY_BYTES_MAX]);
        body.content_type(FieldValue::HTML);
    }
    fn longer(refusal: &Refusal, body: &mut RefusalBody) {
        exact(refusal, body);
        body.write(b"x");
    }
    fn empty(_: &Refusal, _: &mut RefusalBody) {}
    let body = |refusals| {
        let site = Site {
            refusals,
            ..Site::new(&LIMITS)
        };
        answer_at(&site, BAD)
    };
    assert_eq!(
        body(Refusals::Own(exact)).1,
        "x".repeat(REFUSAL_BODY_BYTES_MAX)
    );
    assert_eq!(body(Refusals::Own(longer)), body(Refusals::Explain));
    assert_eq!(body(Refusals::Own(empty)), body(Refusals::Silent));
}

/// The longest answer: everything that can be sent, and the longest place.
#[test]
fn every_fault_fits_into_the_room_that_is_kept_for_it() {
    let date = Date::from_unix(0);
    let name = "s".repeat(SERVER_BYTES_MAX);
    let site = Site {
        date: Some(&date),
        server: ServerName::new(&name),
        ..Site::new(&LIMITS)
    };
    let (mut longest, mut longest_body, mut answered) = (0, 0, 0);
    for fault in every_fault() {
        for notation in [Notation::Text, Notation::Json] {
            let Some(mut refusal) = Refusal::of(fault, &mut RecvBuffer::<[u8; 1024]>::new()) else {
                assert_eq!(fault.status(), None);
                continue;
            };
            refusal.notation = notation;
            refusal.place = Some(Place {
                section: Section::Trailers,
                line: u16::MAX,
                byte: u16::MAX,
            });
            let body = told(&refusal, Refusals::Explain);
            let text = String::from_utf8(body.as_bytes().into()).unwrap();
            assert!(
                text.contains(fault.reason()) && text.contains("65535"),
                "{text}"
            );
            let mut connection = Connection::new();
            connection.flags.clear(Flags::PERSISTENT);
            let mut tx = SendBuffer::<[u8; FAULT_REPLY_BYTES]>::new();
            Reply::new(&mut connection, &mut tx, &site, FAULT_REPLY_BYTES).refuse(&refusal);
            assert!(tx.pending().ends_with(text.as_bytes()), "{fault:?}");
            longest = longest.max(tx.pending().len());
            longest_body = longest_body.max(text.len());
            answered += 1;
        }
    }
    // As the comments in `limits.rs` say.
    assert_eq!((answered, longest_body), (72, 138));
    assert!(
        longest + (REFUSAL_BODY_BYTES_MAX - longest_body) <= FAULT_REPLY_BYTES,
        "{longest}"
    );
}

#[test]
fn where_there_is_no_room_the_body_is_left_out() {
    let site = Site::new(&LIMITS);
    let input = BAD.as_bytes();
    let golden = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(play::<128>(&site, input, &[]), golden.as_bytes());
    assert_eq!(play::<68>(&site, input, &[]), golden.as_bytes());
    assert_eq!(play::<60>(&site, input, &[]), b"");
    assert_eq!(
        play::<128>(&site, MISSING.as_bytes(), &[]),
        golden
            .replace("400 Bad Request", "404 Not Found")
            .as_bytes()
    );
    assert!(play::<256>(&site, input, &[]).ends_with(b" byte 17)\n"));
}

#[test]
fn a_reason_that_is_too_long_leaves_the_status() {
    let mut refusal = Refusal::of(Fault::Busy, &mut RecvBuffer::<[u8; 1024]>::new()).unwrap();
    refusal.reason = std::boxed::Box::leak("x".repeat(300).into());
    let body = |refusal: &Refusal| {
        let body = told(refusal, Refusals::Explain);
        String::from_utf8(body.as_bytes().into()).unwrap()
    };
    assert_eq!(body(&refusal), "503 Service Unavailable\n");
    refusal.notation = Notation::Json;
    assert_eq!(body(&refusal), "{\"status\":503}");
}

#[test]
fn every_reason_comes_out_of_its_json_as_it_went_in() {
    let reason: &'static str = "\"a\\b/\u{0}\u{1f}\n\u{7f}\u{e9}\u{1f600}";
    let refusal = Refusal {
        status: Status::BAD_REQUEST,
        reason,
        place: None,
        notation: Notation::Json,
        fault: None,
    };
    let body = told(&refusal, Refusals::Explain);
    let mut object = Object::new(body.as_bytes()).unwrap();
    let mut found = 0;
    while let Some((key, value)) = object.next().unwrap() {
        if let (true, Value::Text(text)) = (key.eq_str("reason"), value) {
            let mut room = [0; 100];
            assert_eq!(text.unescape(&mut room).unwrap(), reason.as_bytes());
            found += 1;
        }
    }
    assert_eq!(found, 1);
}

#[test]
fn a_server_field_is_sent_if_there_is_a_name_and_only_then() {
    let name = ServerName::new("a/1").unwrap();
    let site = Site {
        server: Some(name),
        ..Site::new(&LIMITS)
    };
    for input in [BAD, MISSING] {
        assert_eq!(
            answer_at(&site, input)
                .0
                .matches("\r\nServer: a/1\r\n")
                .count(),
            1
        );
        assert!(!answer(input).0.contains("Server"));
    }
}

/// The inside of an explanation: the reason, and whether the rest is as it has to be.
fn reason_of(body: &str, status: Status) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(json) = body.strip_prefix(&format!("{{\"status\":{},\"reason\":\"", status.code()))
    {
        // An escaped quotation mark ends nothing.
        let json = json.replace("\\\"", "'");
        let (reason, rest) = json.split_once('"')?;
        let place = rest.strip_suffix('}')?;
        let known = ["head", "trailers"].iter().any(|section| {
            place
                .strip_prefix(&format!(",\"section\":\"{section}\",\"line\":"))
                .and_then(|rest| rest.split_once(",\"byte\":"))
                .is_some_and(|(line, byte)| digits(line) && digits(byte))
        });
        return (place.is_empty() || known).then(|| reason.into());
    }
    let text = body
        .strip_prefix(&format!("{status}: "))?
        .strip_suffix('\n')?;
    let Some((reason, place)) = text.rsplit_once(" (") else {
        return Some(text.into());
    };
    let known = ["head", "trailers"].iter().any(|section| {
        place
            .strip_prefix(&format!("{section}, line "))
            .and_then(|rest| rest.strip_suffix(')')?.split_once(", byte "))
            .is_some_and(|(line, byte)| digits(line) && digits(byte))
    });
    known.then(|| reason.into())
}

fn may_be_sent(answer: &[u8]) -> Result<(), String> {
    let text = String::from_utf8(answer.into()).map_err(|_| "not UTF-8")?;
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (head, behind) = rest.split_once("\r\n\r\n").ok_or("no head")?;
        let code = head
            .get(9..12)
            .and_then(|code| code.parse().ok())
            .and_then(Status::new);
        let status = code.ok_or("no status")?;
        if status == Status::CONTINUE {
            rest = behind;
            continue;
        }
        let length = head
            .rsplit_once("Content-Length: ")
            .map_or("0", |(_, length)| length);
        let length: usize = length.parse().map_err(|_| "no length")?;
        // An answer to HEAD has a length and no body: the next answer follows.
        let body = match behind.starts_with("HTTP/1.1 ") {
            true => "",
            false => behind.get(..length).unwrap_or(""),
        };
        rest = behind.get(body.len()..).unwrap_or("");
        for line in head.lines().skip(1) {
            let own = [
                "Connection: close",
                "Connection: keep-alive",
                "Vary: Accept",
            ];
            let types = [
                "Content-Type: text/plain; charset=utf-8",
                "Content-Type: application/json",
            ];
            let known = own.contains(&line)
                || types.contains(&line)
                || line.starts_with("Content-Length: ");
            known.then_some(()).ok_or(format!("line {line:?}"))?;
        }
        let ours = "no \"page\" here";
        let known = body.is_empty()
            || reason_of(body, status).is_some_and(|reason| {
                let of_fault = every_fault().iter().any(|fault| fault.reason() == reason);
                of_fault || reason == ours || reason == ours.replace('"', "'")
            });
        known.then_some(()).ok_or(format!("body {body:?}"))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn nothing_of_the_input_is_echoed(
        parts in proptest::collection::vec(prop_oneof![
            4 => proptest::sample::select(vec![
                "GET ", "HEAD ", "POST ", "/<script>alert(1)</script> ", "/x ", "HTTP/1.1\r\n",
                "HTTP/1.0\r\n", "Host: a\r\n", "\r\n", "Accept: application/json\r\n",
                "Accept: \"<b>\"\r\n", "X-<b>: y\r\n", "Content-Length: 3\r\n", "Expect: {\"a\":1}\r\n",
                "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", "0\r\n", ": ", "\n", "GET /p HTTP/1.1\r\nHost: a\r\n",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            1 => any::<Vec<u8>>(),
        ], 0..12)
    ) {
        let input = parts.concat();
        let answer = play::<1024>(&Site::new(&LIMITS), &input, &[]);
        let verdict = may_be_sent(&answer);
        prop_assert!(verdict.is_ok(), "{:?}: {}", verdict, answer.escape_ascii());
    }
}
