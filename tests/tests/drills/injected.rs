//! System calls that fail while the server serves: by injection, at several places of a run. What
//! an error concerns is lost, one connection for each; everything else is answered and counted.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use barewire_tests::client::{Answer, Client, event, request};
use barewire_tests::drill::{Barewire, Manner, Swarm, proc};

use super::descriptors::can_inject;
use super::{PATIENCE, alone, ask, open, program, say, settle};

/// A server whose system calls fail as `inject` says, and where that is written down.
struct Victim {
    server: Barewire,
    log: PathBuf,
}

impl Victim {
    fn new(call: &str, inject: &str, args: &str) -> Victim {
        let name = format!("barewire-{}-{call}", std::process::id());
        let log = std::env::temp_dir().join(name);
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{inject}"));
        let wrapper = ["strace", "-D", "-f", "-qq", "-o", log.to_str().unwrap()];
        let wrapper = [&wrapper[..], &["-e", &trace, "-e", &inject]].concat();
        let server = Barewire::start_under(&wrapper, program(), args);
        Victim { server, log }
    }

    /// Calls that failed so far.
    fn injected(&self) -> usize {
        let lines = std::fs::read_to_string(&self.log).unwrap();
        lines.matches("(INJECTED)").count()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.log);
    }
}

fn try_ask(client: &mut Client, bytes: &[u8]) -> std::io::Result<Answer> {
    client.socket.write_all(bytes)?;
    client.try_answer()
}

/// Connections of a trial one after the other, and events of each.
const CONNECTIONS: usize = 20;
const EVENTS: usize = 5;

/// What a failure costs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    Nothing,
    /// The connection, before its event is counted.
    Unheard,
    /// The connection, when its event is counted and not answered.
    Unanswered,
    /// A descriptor: the tracer does not make the call that it lets fail, where the system closes
    /// and then says what was wrong with that.
    Descriptor,
}

/// Call, error, which calls of the worker's thread fail, how many these are, and the cost of each.
/// (The sixth receive of a connection is its end: one that fails there costs nothing.)
const TRIALS: [(&str, &str, &str, usize, Cost); 15] = [
    ("recvfrom", "EINTR", "3..40", 38, Cost::Nothing),
    ("recvfrom", "ECONNRESET", "3..5", 3, Cost::Unheard),
    ("recvfrom", "ENOMEM", "29", 1, Cost::Unheard),
    ("recvfrom", "EIO", "61..63", 3, Cost::Unheard),
    ("recvfrom", "ETIMEDOUT", "100", 1, Cost::Unheard),
    ("sendto", "EINTR", "1..40", 40, Cost::Nothing),
    ("sendto", "EPIPE", "1..3", 3, Cost::Unanswered),
    ("sendto", "ECONNRESET", "20", 1, Cost::Unanswered),
    ("sendto", "ENOBUFS", "33..35", 3, Cost::Unanswered),
    ("sendto", "ENOMEM", "50", 1, Cost::Unanswered),
    ("sendto", "EIO", "70", 1, Cost::Unanswered),
    ("epoll_pwait2", "EINTR", "2..60", 59, Cost::Nothing),
    ("epoll_ctl", "ENOMEM", "5..6", 2, Cost::Unheard),
    ("close", "EINTR", "14", 1, Cost::Descriptor),
    ("close", "EIO", "16..18", 3, Cost::Descriptor),
];

#[test]
fn a_call_that_fails_costs_its_connection_at_most() {
    let _alone = alone();
    if !can_inject() {
        return;
    }
    for (call, error, when, times, cost) in TRIALS {
        let inject = format!("error={error}:when={when}");
        let mut victim = Victim::new(call, &inject, "--workers 1");
        let (addr, began) = (victim.server.addr(), Instant::now());
        let before = proc::descriptors(victim.server.pid());
        let (mut answered, mut lost) = (0, 0);
        for number in 0..CONNECTIONS {
            let mut client = Client::new(addr);
            for at in 0..EVENTS {
                let user = format!("{number}-{at}");
                let Ok(answer) = try_ask(&mut client, &event(&user, "2")) else {
                    lost += 1;
                    break;
                };
                assert_eq!(answer.status, 200, "{call} {error}");
                answered += 1;
            }
        }
        // Nobody is hurt any more.
        let mut swarm = Swarm::new(addr);
        let peers = open(&mut swarm, 30, |_| Manner::default());
        assert_eq!(
            ask(&mut swarm, &peers, 30, PATIENCE).len(),
            30,
            "{call} {error}"
        );
        drop(swarm);
        let state = Client::new(addr).ask(&request("GET", "/stats", b"")).text();
        let counted = match cost {
            Cost::Unanswered => answered + lost,
            _ => answered,
        };
        let expected = format!(
            r#"{{"totalRequests":{counted},"uniqueUsers":{counted},"sum":{},"avg":2}}"#,
            2 * counted
        );
        assert_eq!(state, expected, "{call} {error}");
        let injected = victim.injected();
        assert_eq!(injected, times, "{call} {error}: not that many were shown");
        let (due, kept) = match cost {
            Cost::Unheard | Cost::Unanswered => (times, 0),
            Cost::Nothing => (0, 0),
            Cost::Descriptor => (0, times),
        };
        assert_eq!(lost, due, "{call} {error}: connections lost");
        settle(&victim.server, before + kept);
        assert!(victim.server.lives(), "{call} {error}");
        say(format_args!(
            "{call} fails {injected} times with {error} (calls {when}): {answered} answered, \
             {lost} connections lost, {counted} events counted, 30 of 30 served behind it, {:?}",
            began.elapsed()
        ));
    }
}

#[test]
fn a_worker_whose_polling_fails_ends_and_the_program_with_it() {
    let _alone = alone();
    if !can_inject() {
        return;
    }
    // Each thread counts its own calls: only the one that serves this client gets so far.
    let mut victim = Victim::new("epoll_pwait2", "error=EBADF:when=150", "--workers 2");
    let addr = victim.server.addr();
    let ping = request("GET", "/ping", b"");
    let mut client = Client::new(addr);
    let answered = (0..400)
        .take_while(|_| try_ask(&mut client, &ping).is_ok_and(|answer| answer.status == 200))
        .count();
    assert!((20..400).contains(&answered), "{answered}");
    // The others go on, but whoever started the program learns of it, and can start it again: so it
    // ends by itself, half a second later at most. (A program that went on with a part of its
    // workers would look healthy.)
    let began = Instant::now();
    let status = victim.server.wait_for_end();
    let took = began.elapsed();
    assert_eq!(victim.injected(), 1);
    assert!(!status.success(), "{status}");
    say(format_args!(
        "a worker whose epoll_pwait2 fails with EBADF ends after {answered} answers; the program \
         ends within {took:?} and fails ({status})"
    ));
}

#[test]
fn a_system_without_epoll_pwait2_is_served_on() {
    let _alone = alone();
    if !can_inject() {
        return;
    }
    // As before Linux 5.11, and in sandboxes and tracers that do not know the call.
    for error in ["ENOSYS", "EPERM"] {
        let victim = Victim::new("epoll_pwait2", &format!("error={error}"), "--workers 2");
        let addr = victim.server.addr();
        let began = Instant::now();
        for _ in 0..50 {
            let answer = Client::new(addr).ask(&request("GET", "/stats", b""));
            assert_eq!(answer.status, 200);
        }
        let took = began.elapsed();
        let injected = victim.injected();
        assert!(
            (1..=2).contains(&injected),
            "each worker asks once: {injected}"
        );
        say(format_args!(
            "no epoll_pwait2 ({injected} times {error}): 50 of 50 answers, whose snapshots wait \
             for both workers, within {took:?}"
        ));
    }
}
