//! What a client is told that is refused: by the real worker and the real application.

use barewire::Worker;
use barewire::challenge::{Board, Challenge, Options};
use barewire_core::connection::{FieldValue, Refusal, RefusalBody, Refusals, ServerName};
use barewire_core::limits::Limits;
use barewire_core::stats::Capacity;
use barewire_tests::tape::{self, Script, Tape, play};

type Stage = Worker<'static, Tape, Challenge>;

fn stage(refusals: Refusals, server: Option<&'static str>) -> Stage {
    let options = Options {
        capacity: Capacity {
            users_max: 1,
            id_bytes_max: 64 << 10,
        },
        ..Options::default()
    };
    let board = Board::new(options, 1).unwrap();
    let server = server.map(|name| ServerName::new(name).unwrap());
    tape::worker(board.worker(0), Limits::DEFAULT).answering(refusals, server)
}

/// Head and body of the last answer; the same in one piece and byte by byte.
fn ask(stage: &mut Stage, request: &str) -> (String, String) {
    let script = Script::new(request).shut(true);
    let whole = play(stage, script.clone()).output;
    assert_eq!(play(stage, script.bytewise()).output, whole, "{request:?}");
    let text = String::from_utf8(whole).unwrap();
    let last = text.rfind("HTTP/1.1 ").expect("an answer");
    let (head, body) = text[last..].split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn event(body: &str) -> String {
    let length = body.len();
    format!("POST /event HTTP/1.1\r\nHost: a\r\nACCEPT\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Requests, with a line to put `Accept` in, and the status and reason of their refusals.
fn refused() -> Vec<(String, u16, &'static str)> {
    let line = |line: &str| format!("{line} HTTP/1.1\r\nHost: a\r\nACCEPT\r\n\r\n");
    let long = format!("/users/{}", "x".repeat(9000));
    vec![
        (line("GET /nowhere"), 404, "nothing is at this path"),
        (
            line("DELETE /event"),
            405,
            "this path does not take this method",
        ),
        (line("BREW /pot"), 501, "no such method is known here"),
        (event("[]"), 400, "a JSON object must come here"),
        (event(r#"{"value":1}"#), 400, "userId is missing"),
        (
            event(r#"{"userId":"a","value":1e99}"#),
            422,
            "value must be below 10^19 in size",
        ),
        (
            event(r#"{"userId":"other","value":1}"#),
            507,
            "no room for more users",
        ),
        (
            "POST /nowhere HTTP/1.1\r\nHost: a\r\nACCEPT\r\nContent-Length: 1\r\n\r\nx".to_owned(),
            404,
            "nothing is at this path",
        ),
        (
            "POST /event HTTP/1.1\r\nHost: a\r\nACCEPT\r\nContent-Length: 99999\r\n\r\n".to_owned(),
            413,
            "the body is too large",
        ),
        (
            line(&format!("GET {long}")),
            414,
            "the request target is too long",
        ),
        (
            line("GET /ping\0"),
            400,
            "the request target is malformed, or not of a form for this method",
        ),
        (
            line("GET /ping").replace("1.1", "2.0"),
            505,
            "only HTTP/1.x is spoken here",
        ),
    ]
}

#[test]
fn clients_that_ask_for_json_get_json_and_others_text() {
    let mut stage = stage(Refusals::Explain, None);
    ask(
        &mut stage,
        &event(r#"{"userId":"the only one","value":1}"#).replace("ACCEPT", "A: b"),
    );
    for (request, status, reason) in refused() {
        // A line of the same length, so that places are the same.
        let (head, text) = ask(
            &mut stage,
            &request.replace("ACCEPT", "Accept: image/png+jsonxx"),
        );
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(
            head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"),
            "{head}"
        );
        let phrase = &head["HTTP/1.1 ".len()..head.find("\r\n").unwrap()];
        assert!(text.starts_with(&format!("{phrase}: {reason}")), "{text}");
        assert_eq!(head.contains("\r\nAllow: "), status == 405, "{head}");
        assert!(!head.contains("\r\nServer: "), "{head}");

        let (head, json) = ask(
            &mut stage,
            &request.replace("ACCEPT", "Accept: application/json"),
        );
        // What breaks before the field is read is told as text.
        let early = [400, 414, 505].contains(&status) && request.starts_with("GET");
        if early {
            assert_eq!(json, text);
            continue;
        }
        assert!(
            head.contains("\r\nContent-Type: application/json\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nVary: Accept\r\n"), "{head}");
        let golden = format!(r#"{{"status":{status},"reason":"{reason}""#);
        assert!(json.starts_with(&golden) && json.ends_with('}'), "{json}");
        assert_eq!(
            json.contains(r#""section":"head""#),
            status == 413,
            "{json}"
        );
        let no_json = request.ends_with("[]");
        assert_eq!(
            json.contains(r#","section":"body","line":1,"byte":0}"#),
            no_json,
            "{json}"
        );
    }
}

#[test]
fn a_silent_server_gives_the_same_statuses_and_no_reasons() {
    let mut stage = stage(Refusals::Silent, None);
    ask(
        &mut stage,
        &event(r#"{"userId":"the only one","value":1}"#).replace("ACCEPT", "A: b"),
    );
    for (request, status, _) in refused() {
        let (head, body) = ask(&mut stage, &request.replace("ACCEPT", "Accept: */*"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(
            head.contains("\r\nContent-Length: 0") && body.is_empty(),
            "{head}: {body}"
        );
        assert!(
            !head.contains("Content-Type") && !head.contains("Vary"),
            "{head}"
        );
        assert_eq!(head.contains("\r\nAllow: "), status == 405, "{head}");
    }
}

#[test]
fn an_own_form_and_a_server_name_are_in_every_refusal() {
    fn page(refusal: &Refusal, body: &mut RefusalBody) {
        body.write(b"<h1>");
        body.write(&refusal.status.digits());
        body.write(b"</h1>");
        body.content_type(FieldValue::HTML);
    }
    let mut stage = stage(Refusals::Own(page), Some("pages/1"));
    ask(
        &mut stage,
        &event(r#"{"userId":"the only one","value":1}"#).replace("ACCEPT", "A: b"),
    );
    for (request, status, _) in refused() {
        let (head, body) = ask(&mut stage, &request.replace("ACCEPT", "Accept: */*"));
        assert_eq!(body, format!("<h1>{status}</h1>"));
        assert!(
            head.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"),
            "{head}"
        );
        assert_eq!(head.matches("\r\nServer: pages/1\r\n").count(), 1, "{head}");
    }
    let (head, body) = ask(&mut stage, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        head.contains("\r\nServer: pages/1\r\n") && body == "pong",
        "{head}"
    );
}
