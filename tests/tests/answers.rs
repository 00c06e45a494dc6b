//! Answers byte for byte: those of the helpers, and those of the challenge.

use barewire::challenge::{Board, EventReply, Options};
use barewire::{Config, Server};
use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Connection, ReplyHead, Site, Step};
use barewire_core::limits::Limits;
use barewire_core::wire::Status;
use barewire_tests::client::{Client, event, request};

/// What the machine sends for a request that is answered so.
fn answered(answer: impl FnOnce(ReplyHead<'_>)) -> String {
    let limits = Limits::DEFAULT;
    let site = Site::new(&limits);
    let (mut rx, mut tx) = (
        RecvBuffer::<[u8; 1024]>::new(),
        SendBuffer::<[u8; 1024]>::new(),
    );
    let mut connection = Connection::new();
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let rx: &mut RecvBuffer = &mut rx;
    rx.space()[..bytes.len()].copy_from_slice(bytes);
    rx.filled(bytes.len());
    let Step::Request(exchange) = connection.step(&site, rx, &mut tx) else {
        panic!("the request is complete");
    };
    answer(exchange.reply.status(Status::OK));
    let Step::Write(bytes) = connection.step(&site, rx, &mut tx) else {
        panic!("nothing is sent");
    };
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn each_helper_names_its_type_and_its_length() {
    let expected = |fields: &str, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    // More bytes than letters.
    let text = "Grüße";
    assert_eq!(
        answered(|head| drop(head.text(text).unwrap())),
        expected("Content-Type: text/plain; charset=utf-8\r\n", text)
    );
    assert_eq!(
        answered(|head| drop(head.html(text).unwrap())),
        expected("Content-Type: text/html; charset=utf-8\r\n", text)
    );
    assert_eq!(
        answered(|head| drop(head.json(b"[1]").unwrap())),
        expected("Content-Type: application/json\r\n", "[1]")
    );
    assert_eq!(
        answered(|head| drop(head.body(text.as_bytes()).unwrap())),
        expected("", text)
    );
}

/// An answer as it came, without its date.
fn asked(client: &mut Client, bytes: &[u8]) -> String {
    let answer = client.ask(bytes);
    let lines = answer.head.lines().filter(|line| !line.is_empty());
    let dated = lines.clone().filter(|line| line.starts_with("Date: "));
    assert_eq!(dated.count(), 1, "{}", answer.head);
    let head: Vec<_> = lines.filter(|line| !line.starts_with("Date: ")).collect();
    format!("{}\n{}", head.join("\n"), answer.text())
}

#[test]
fn both_replies_to_an_event_and_that_to_a_reset_are_these_bytes() {
    let created = "HTTP/1.1 201 Created\nContent-Type: application/json\nContent-Length: 15\n\
                   {\"status\":\"ok\"}";
    for (event_reply, expected) in [
        (EventReply::Ok, "HTTP/1.1 200 OK\nContent-Length: 0\n"),
        (EventReply::Created, created),
    ] {
        let options = Options {
            event_reply,
            ..Options::default()
        };
        let config = Config {
            bind: ([127, 0, 0, 1], 0).into(),
            workers: 1,
            connections: 4,
            ..Config::default()
        };
        let board = Board::new(options, 1).unwrap();
        let server = Server::start(&config, move |number| board.worker(number)).unwrap();
        let mut client = Client::new(server.local_addr());
        assert_eq!(asked(&mut client, &event("ann", "1.5")), expected);
        let expected = "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 18\n\
                        {\"status\":\"reset\"}";
        assert_eq!(
            asked(&mut client, &request("POST", "/reset", b"")),
            expected
        );
        assert!(server.shut_down().1);
    }
}
