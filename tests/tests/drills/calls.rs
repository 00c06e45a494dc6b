//! How many system calls a request costs: as many as a loop over epoll makes that parses nothing,
//! which is one receive and one send for whatever one packet brought, and one wait for all that are
//! ready at a time. Counted by strace.

use std::collections::HashMap;
use std::path::PathBuf;

use barewire_tests::client::{Client, event, request};
use barewire_tests::drill::Barewire;

use super::descriptors::can_inject;
use super::{alone, program, say};

/// Connections, and packets that each of them sends.
const CONNECTIONS: usize = 8;
const ROUNDS: usize = 50;

/// Calls that the server makes besides its requests, at most: to start, for a connection (accept,
/// register, close), and to stop.
const START_AND_STOP: usize = 250;
const PER_CONNECTION: usize = 3;

/// A server whose system calls are written down.
struct Traced {
    server: Option<Barewire>,
    log: PathBuf,
}

impl Traced {
    fn new() -> Traced {
        let name = format!("barewire-calls-{}", std::process::id());
        let log = std::env::temp_dir().join(name);
        let wrapper = ["strace", "-D", "-f", "-qq", "-o", log.to_str().unwrap()];
        let server = Barewire::start_under(&wrapper, program(), "--workers 1 --connections 100");
        Traced {
            server: Some(server),
            log,
        }
    }

    /// Ends the server and gives the count of each call, and of the tries that found nothing.
    fn calls(mut self) -> (HashMap<String, usize>, usize) {
        let tally = self.server.take().map(Barewire::stop);
        assert!(tally.is_some_and(|tally| tally.faults == 0));
        let mut calls = HashMap::new();
        let mut in_vain = 0;
        // "PID name(arguments) = result", or two lines of which the second says "resumed".
        for line in std::fs::read_to_string(&self.log).unwrap().lines() {
            let moves = line.contains("recvfrom") || line.contains("sendto");
            in_vain += usize::from(moves && line.contains("EAGAIN"));
            let call = line.trim_start_matches(|c: char| c.is_ascii_digit());
            if let Some((name, _)) = call.trim_start().split_once('(')
                && !name.contains(' ')
            {
                *calls.entry(name.to_owned()).or_default() += 1;
            }
        }
        (calls, in_vain)
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.log);
    }
}

/// Lets every connection send `packet` in every round, all of them before any answer is awaited,
/// and compares the calls with those of the floor.
fn costs_no_more_than_the_floor(what: &str, packet: &[u8], depth: usize) {
    let traced = Traced::new();
    let addr = traced.server.as_ref().unwrap().addr();
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| Client::new(addr)).collect();
    for _ in 0..ROUNDS {
        clients.iter_mut().for_each(|client| client.send(packet));
        for client in &mut clients {
            (0..depth).for_each(|_| assert_eq!(client.answer().status, 200));
        }
    }
    drop(clients);
    let (calls, in_vain) = traced.calls();
    let count = |name: &str| calls.get(name).copied().unwrap_or(0);
    let packets = CONNECTIONS * ROUNDS;
    let waits = count("epoll_pwait2") + count("epoll_pwait") + count("epoll_wait");
    let (receives, sends) = (count("recvfrom"), count("sendto"));
    let rest = calls.values().sum::<usize>() - waits - receives - sends;
    let requests = packets * depth;
    say(format_args!(
        "{what}: {requests} requests in {packets} packets: {receives} receives, {sends} sends, \
         {waits} waits, {rest} other calls, {in_vain} in vain"
    ));
    // And one for the end of a connection, unless the server was stopped before it came.
    let due = packets..=packets + CONNECTIONS;
    assert!(due.contains(&receives), "a receive for each packet");
    assert_eq!(sends, packets, "a send for each packet");
    // One packet a wait, if the server is faster than its clients; and connections come and go.
    let most = packets + 4 * CONNECTIONS + 16;
    assert!(waits <= most, "{waits} waits");
    assert_eq!(in_vain, 0, "nothing is tried in vain");
    let most = START_AND_STOP + PER_CONNECTION * CONNECTIONS;
    assert!(rest <= most, "{rest} other calls: {calls:?}");
}

#[test]
fn a_request_costs_no_system_call_that_the_floor_does_not_make() {
    let _alone = alone();
    if !can_inject() {
        return;
    }
    let get = request("GET", "/plaintext", b"");
    costs_no_more_than_the_floor("plaintext", &get, 1);
    costs_no_more_than_the_floor("pipelined", &get.repeat(16), 16);
    costs_no_more_than_the_floor("event", &event("ada", "1.5"), 1);
}

#[test]
fn no_memory_is_writable_and_executable() {
    let _alone = alone();
    let server = super::serve("--workers 2 --connections 100");
    let mut client = Client::new(server.addr());
    for target in ["/plaintext", "/json", "/users/ada", "/stats"] {
        assert_eq!(client.ask(&request("GET", target, b"")).status, 200);
    }
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.pid())).unwrap();
    // "from-to rwxp offset device inode path"
    let modes = || maps.lines().filter_map(|line| line.split(' ').nth(1));
    assert!(modes().any(|mode| mode.starts_with("r-x")), "{maps}");
    assert!(modes().any(|mode| mode.starts_with("rw-")), "{maps}");
    let both = |mode: &str| mode.contains('w') && mode.contains('x');
    assert!(!modes().any(both), "{maps}");
    server.stop();
}
