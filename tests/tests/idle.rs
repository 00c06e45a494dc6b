//! What an idle connection costs, and what a handler learns of its connection: over real sockets.

use std::net::SocketAddr;

use barewire::challenge::{Board, Options};
use barewire::{App, Config, Context, Server};
use barewire_core::connection::{Done, Exchange};
use barewire_core::wire::Status;
use barewire_tests::client::{Client, request};

fn config(connections: usize, slots: usize) -> Config {
    Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        connections,
        slots,
        ..Config::default()
    }
}

#[test]
fn an_idle_connection_holds_no_slot() {
    let board = Board::new(Options::default(), 1).unwrap();
    let server = Server::start(&config(100, 1), move |number| board.worker(number)).unwrap();
    let ping = request("GET", "/ping", b"");
    // With one slot for all of them, each can be served only if none of the others keeps it.
    let mut clients: Vec<Client> = (0..100).map(|_| Client::new(server.local_addr())).collect();
    for _ in 0..3 {
        for client in &mut clients {
            assert_eq!(client.ask(&ping).body, b"pong");
        }
    }
    // Nor does one that never said a word, or only empty lines.
    clients.pop();
    let mut silent = Client::new(server.local_addr());
    silent.send(b"\r\n\r\n");
    assert_eq!(clients[0].ask(&ping).body, b"pong");
    assert_eq!(silent.ask(&ping).body, b"pong");
    let (tally, in_time) = server.shut_down();
    assert_eq!(
        (tally.panics, tally.refused, tally.faults, in_time),
        (0, 0, 0, true)
    );
    assert_eq!(tally.requests, 302);
}

/// Answers with both ends of its connection.
struct WhoAmI;

impl App for WhoAmI {
    fn request(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        let (peer, local) = (context.peer_addr(), context.local_addr().unwrap());
        match exchange
            .reply
            .status(Status::OK)
            .text(&format!("{peer} {local}"))
        {
            Ok(done) => done,
            Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
        }
    }
}

#[test]
fn a_handler_learns_both_addresses() {
    let server = Server::start(&config(10, 0), |_| WhoAmI).unwrap();
    let answer = Client::new(server.local_addr())
        .ask(&request("GET", "/", b""))
        .text();
    let mut ends = answer
        .split(' ')
        .map(|end| end.parse::<SocketAddr>().unwrap());
    let (peer, local) = (ends.next().unwrap(), ends.next().unwrap());
    assert_eq!(local, server.local_addr());
    assert!(
        peer.ip().is_loopback() && peer.port() != local.port(),
        "{answer}"
    );
    server.shut_down();
}

/// Panics when it is asked to.
struct Fragile;

impl App for Fragile {
    fn request(&mut self, _: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        assert_ne!(exchange.head.path(), b"/panic", "on purpose, for a test");
        exchange.reply.bare(Status::NO_CONTENT)
    }
}

#[test]
fn a_handler_that_panics_costs_its_peer_one_answer_and_nobody_else_anything() {
    let server = Server::start(&config(10, 0), |_| Fragile).unwrap();
    let mut other = Client::new(server.local_addr());
    assert_eq!(other.ask(&request("GET", "/", b"")).status, 204);
    for _ in 0..3 {
        let mut client = Client::new(server.local_addr());
        assert_eq!(client.ask(&request("GET", "/panic", b"")).status, 500);
        assert!(client.ends());
        assert_eq!(other.ask(&request("GET", "/", b"")).status, 204);
    }
    assert_eq!(server.shut_down().0.panics, 3);
}
