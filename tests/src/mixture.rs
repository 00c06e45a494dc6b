//! A mixture of requests, right and wrong, over every route of the challenge: for tests of what
//! serving costs.

use std::io::Write;
use std::net::SocketAddr;

use crate::client::{Client, event, request};

/// Some hundred requests; says how many of them are right enough to be lent to the application.
/// Each turn has users of its own, and other cuts.
///
/// # Panics
/// If an answer is not the right one.
pub fn load(server: SocketAddr, turn: u64) -> u64 {
    let mut client = Client::new(server);
    let questions = questions(turn);
    for (question, status) in &questions {
        let answer = client.ask(question);
        assert_eq!(answer.status, *status, "{}", question.escape_ascii());
    }
    // As a pipeline, which goes out while the answers come in.
    let mut writer = client.socket.try_clone().unwrap();
    let bytes: Vec<u8> = questions
        .iter()
        .flat_map(|(bytes, _)| bytes.clone())
        .collect();
    let writing = std::thread::spawn(move || {
        // In pieces whose ends move on from turn to turn.
        for piece in bytes.chunks(700 + turn as usize * 13) {
            writer.write_all(piece).unwrap();
        }
    });
    for (_, status) in &questions {
        assert_eq!(client.answer().status, *status);
    }
    writing.join().unwrap();
    for (affront, status) in affronts() {
        let mut client = Client::new(server);
        client.send(&affront);
        if status != 0 {
            assert_eq!(client.answer().status, status, "{}", affront.escape_ascii());
        }
    }
    2 * questions.len() as u64
}

/// More connections (120) than there may be, and heads that nobody finishes: the server should
/// allow fewer, and a head little time.
///
/// # Panics
/// If nobody is refused, or nobody is told that it took too long.
pub fn crowd(server: SocketAddr) {
    let mut clients: Vec<Client> = (0..120)
        .filter_map(|_| Client::try_new(server).ok())
        .collect();
    for client in &mut clients {
        // The server may have closed it with a 503 already.
        let _ = client.socket.write_all(b"GET /ping HT");
    }
    let statuses: Vec<u16> = clients
        .iter_mut()
        .filter_map(|client| client.try_answer().ok())
        .map(|answer| answer.status)
        .collect();
    assert!(
        statuses.contains(&503) && statuses.contains(&408),
        "{statuses:?}"
    );
}

/// What is answered on an open connection: the request, and the status.
fn questions(turn: u64) -> Vec<(Vec<u8>, u16)> {
    let get = |target: &str, status| (request("GET", target, b""), status);
    let post =
        |target: &str, body: &str, status| (request("POST", target, body.as_bytes()), status);
    let chunked = |target: &str, text: &str, status| {
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        ((head + text).into_bytes(), status)
    };
    let mut all = vec![
        get("/stats", 200),
        get("/health", 200),
        get("/ping", 200),
        get("/plaintext", 200),
        get("/json?x=1", 200),
        get("/users/a%20b", 200),
        get(&format!("/users/{}", "u".repeat(3000)), 200),
        get("/nowhere", 404),
        get("/event", 405),
        post("/ping", "", 405),
        (request("PUT", "/stats", b"x"), 405),
        (request("BREW", "/ping", b""), 501),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), 204),
        post("/echo", "", 200),
        post("/echo", &"e".repeat(3000), 200),
        post("/echo", &"e".repeat(50_000), 200),
        chunked("/echo", "5\r\nhello\r\n0\r\n\r\n", 200),
        chunked("/echo", "5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", 200),
        chunked(
            "/event",
            "a\r\n{\"userId\":\r\n11\r\n\"c\",\"value\":0.25}\r\n0\r\n\r\n",
            200,
        ),
        post("/event", "no", 400),
        post("/event", r#"{"userId":"a"}"#, 400),
        post("/event", r#"{"userId":"a","value":1e999}"#, 422),
        post(
            "/event",
            r#"{"\u0075serId":"\ud83d\ude00\n","value":-1.5e3}"#,
            200,
        ),
    ];
    if turn.is_multiple_of(10) {
        all.push(post("/reset", "", 200));
    }
    for user in 0..20 {
        all.push((event(&format!("new-{turn}-{user}"), "1.5"), 200));
    }
    all
}

/// What ends the connection: the request, and the status; 0: anything or nothing.
fn affronts() -> Vec<(Vec<u8>, u16)> {
    let long = "x".repeat(9000);
    let get = |text: &str| format!("GET /ping HTTP/1.1\r\n{text}\r\n\r\n").into_bytes();
    let post = |text: &str| format!("POST /echo HTTP/1.1\r\nHost: a\r\n{text}").into_bytes();
    vec![
        (b"nonsense\r\n\r\n".to_vec(), 400),
        (b"GET /ping HTTP/3.7\r\nHost: a\r\n\r\n".to_vec(), 505),
        (get("Host: a\r\nHost: b"), 400),
        (get("Host: a\r\nConnection: close"), 200),
        (get(&format!("Host: a\r\nX: {long}")), 431),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
            414,
        ),
        (post("Content-Length: 99999999999\r\n\r\n"), 413),
        (post("Content-Length: 1\r\nExpect: magic\r\n\r\n"), 417),
        (post("Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400),
        (post("Transfer-Encoding: gzip\r\n\r\n"), 0),
        // Broken off within a head, a body, a large body; and a head that stops.
        (b"GET /pi".to_vec(), 0),
        (post("Content-Length: 100\r\n\r\nhalf"), 0),
        (
            post(&format!("Content-Length: 100000\r\n\r\n{long}{long}")),
            0,
        ),
        (
            post("Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"),
            0,
        ),
    ]
}
