//! The limit of connections for each address, over real sockets.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use barewire::challenge::{Board, Options};
use barewire::{Config, Server};
use barewire_tests::client::request;
use barewire_tests::drill::{Close, Manner, News, Swarm};

/// Opens connections from one address and lets each ask: how many are answered 200, and how many
/// 503. All of them stay open, as far as the server leaves them.
fn ask(swarm: &mut Swarm, address: usize, count: usize) -> (usize, usize) {
    let ping: Arc<[u8]> = request("GET", "/ping", b"").into();
    let (mut served, mut refused) = (0, 0);
    let mut waiting = HashSet::new();
    for _ in 0..count {
        let peer = swarm.open(Manner::at(1, address)).unwrap();
        swarm.send(peer, &ping, 1);
        waiting.insert(peer);
    }
    swarm.run(Duration::from_secs(10), |_, news| {
        match news {
            News::Answer {
                peer, status: 200, ..
            } if waiting.remove(&peer) => served += 1,
            News::Answer {
                peer, status: 503, ..
            } if waiting.remove(&peer) => refused += 1,
            // The end of one that was refused.
            News::Closed { peer, .. } if !waiting.contains(&peer) => {}
            other => panic!("{other:?}"),
        }
        waiting.is_empty()
    });
    (served, refused)
}

#[cfg_attr(
    not(target_env = "gnu"),
    ignore = "not every system has all of 127.0.0.0/8"
)]
#[test]
fn an_address_has_no_more_connections_than_it_may_and_others_have_theirs() {
    let config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers: 2,
        connections: 64,
        connections_per_address: 3,
        ..Config::default()
    };
    let board = Board::new(Options::default(), 2).unwrap();
    let server = Server::start(&config, move |number| board.worker(number)).unwrap();
    let mut swarm = Swarm::new(server.local_addr());
    // Both workers count together.
    assert_eq!(ask(&mut swarm, 0, 3), (3, 0));
    assert_eq!(ask(&mut swarm, 0, 5), (0, 5));
    assert_eq!(ask(&mut swarm, 1, 3), (3, 0), "another address");
    assert_eq!(ask(&mut swarm, 1, 1), (0, 1));
    swarm.close_all(Close::Fin);
    // Who has gone makes room; the server learns of it in its own time.
    let began = std::time::Instant::now();
    while ask(&mut swarm, 0, 1) != (1, 0) {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    swarm.close_all(Close::Fin);
    assert!(server.shut_down().0.refused >= 6);
}
