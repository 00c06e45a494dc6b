//! A network that loses packets and resets connections: a namespace of its own, in which the
//! system's packet filter does both. Server and clients are there; nothing else
//! of the machine is touched.
//!
//! The drill is two processes: the test starts itself again within the namespace.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use barewire_tests::client::{Client, event, request};
use barewire_tests::drill::{Manner, Patrol, proc};

use super::{PATIENCE, alone, bounded, program, say, serve, settle};

/// Says to the second process that it is the second.
const INSIDE: &str = "BAREWIRE_DRILL_INSIDE";

/// A command in namespaces of its own: network, processes and their `/proc`. Whoever ends it ends
/// all that runs there (`--kill-child`).
fn inside(words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    let mut flags = vec!["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !rustix::process::geteuid().is_root() {
        flags.extend(["--user", "--map-root-user"]);
    }
    command.args(flags).arg("--").args(words);
    command
}

/// Whether this machine has such a network. What it lacks is said; where the run has to be
/// complete, a missing tool fails.
fn can_lose_packets() -> bool {
    let try_out = "ip link set lo up && nft add table ip drill && nft add chain ip drill wire \
                   '{ type filter hook input priority 0; }' && \
                   nft add rule ip drill wire tcp dport 1 numgen random mod 100 == 0 drop && \
                   nft add rule ip drill wire tcp dport 1 reject with tcp reset";
    let missing = |tool: &&&str| {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .stdout(Stdio::null())
            .status();
        !found.is_ok_and(|status| status.success())
    };
    let tools = ["unshare", "ip", "nft"];
    let absent: Vec<_> = tools.iter().filter(missing).collect();
    let problem = if absent.is_empty() {
        match inside(&["sh", "-c", try_out]).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => return true,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        }
    } else {
        let complete = std::env::var_os("CI").is_some();
        assert!(
            !complete,
            "{absent:?}: missing, and this run has to be complete"
        );
        format!("{absent:?} are missing (packages util-linux, iproute2, nftables)")
    };
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: no network of our own that loses packets: {problem}"
    );
    say("1 drill SKIPPED: a network that loses packets");
    false
}

fn filter(words: &str) {
    let status = Command::new("nft").args(words.split(' ')).status();
    assert!(status.is_ok_and(|status| status.success()), "nft {words}");
}

/// Rules of the packet filter until this is dropped.
struct Rules;

impl Rules {
    fn new(rules: &[String]) -> Rules {
        filter("add table ip drill");
        filter("add chain ip drill wire { type filter hook input priority 0; }");
        for rule in rules {
            filter(&format!("add rule ip drill wire {rule}"));
        }
        Rules
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        filter("delete table ip drill");
    }
}

#[test]
fn a_network_with_loss_and_resets() {
    if std::env::var_os(INSIDE).is_some() {
        lossy();
        resetting();
        return;
    }
    let _alone = alone();
    if !can_lose_packets() {
        return;
    }
    // Built before, as there is no network inside.
    let server = program();
    let this = std::env::current_exe().unwrap();
    let name = "namespace::a_network_with_loss_and_resets";
    let run = "ip link set lo up && exec \"$@\"";
    let words = [
        "sh",
        "-c",
        run,
        "sh",
        this.to_str().unwrap(),
        "--exact",
        name,
    ];
    let mut inside = inside(&words);
    inside.arg("--nocapture");
    inside.env(INSIDE, "1").env("BAREWIRE_BIN", server);
    // Two drills of some seconds, each with waits of its own.
    let output = bounded::run(&mut inside, 6 * PATIENCE);
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines() {
        if let Some((_, line)) = line.split_once("drill: ") {
            say(line);
        }
    }
    assert!(text.contains("1 passed"), "it ran nothing: {text}");
}

/// Every twentieth packet is lost, of either side: nobody notices but by the time.
fn lossy() {
    let server = serve("--workers 2");
    let (addr, port) = (server.addr(), server.addr().port());
    let rules = Rules::new(&[
        format!("tcp dport {port} numgen random mod 100 < 5 counter drop"),
        format!("tcp sport {port} numgen random mod 100 < 5 counter drop"),
    ]);
    let one: Vec<u8> = event("lossy", "0.25");
    let rest = Duration::from_millis(2);
    let mut patrol = Patrol::new(addr, 40, rest, &one, |_| Manner::default());
    let report = patrol.run(Duration::from_secs(2), PATIENCE);
    let dropped = packets();
    drop(rules);
    drop(patrol);
    let state = Client::new(addr).ask(&request("GET", "/stats", b"")).text();
    say(format_args!(
        "5 % of packets lost: 40 clients get {} answers within 2 s (99 %: {:?}, longest {:?}), \
         {dropped} packets were lost; {state}",
        report.good,
        report.permille(990),
        report.slowest
    ));
    assert!(
        report.is_clean(),
        "{} bad, {} closed",
        report.bad,
        report.closed
    );
    assert!(dropped > 50 && report.good > 500, "too little");
    // Sent again by the network is not counted again.
    let expected = format!(r#"{{"totalRequests":{},"uniqueUsers":1,"#, report.good);
    assert!(state.starts_with(&expected), "{state} of {}", report.good);
    assert_eq!(server.stop().faults, 0);
}

/// Packets that the rules have caught.
fn packets() -> u64 {
    let output = Command::new("nft")
        .args(["list", "ruleset"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let counts = text.split("packets ").skip(1);
    let counts = counts.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

/// Events over one connection after the other until `end`: answered, connections lost, sent.
fn ask_until(addr: SocketAddr, end: Instant) -> [u64; 3] {
    let [mut answered, mut lost, mut sent] = [0; 3];
    while Instant::now() < end {
        let Ok(mut client) = Client::try_new(addr) else {
            lost += 1;
            continue;
        };
        // Of a reset that only the server got nobody tells this side.
        let patience = Some(Duration::from_millis(500));
        client.socket.set_read_timeout(patience).unwrap();
        for _ in 0..20 {
            sent += 1;
            let asked = client.socket.write_all(&event("reset", "1"));
            match asked.and_then(|()| client.try_answer()) {
                Ok(answer) => assert_eq!(answer.status, 200),
                Err(_) => {
                    lost += 1;
                    break;
                }
            }
            answered += 1;
        }
    }
    [answered, lost, sent]
}

/// Every hundredth packet is answered with a reset, which the other side may never hear of: the
/// deadlines of the server end those connections.
fn resetting() {
    let server =
        serve("--workers 2 --idle-ms 1000 --head-ms 500 --first-byte-ms 500 --send-ms 500");
    let (addr, port) = (server.addr(), server.addr().port());
    let before = proc::descriptors(server.pid());
    let rules = Rules::new(&[
        format!("tcp dport {port} numgen random mod 100 == 0 counter reject with tcp reset"),
        format!("tcp sport {port} numgen random mod 100 == 0 counter reject with tcp reset"),
    ]);
    let end = Instant::now() + Duration::from_secs(2);
    let all: Vec<[u64; 3]> = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| ask_until(addr, end)))
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    let [answered, lost, sent] = [0, 1, 2].map(|at| all.iter().map(|one| one[at]).sum::<u64>());
    let resets = packets();
    drop(rules);
    let took = settle(&server, before);
    let mut client = Client::new(addr);
    let state = client.ask(&request("GET", "/stats", b"")).text();
    let counted: Option<u64> = state
        .split_once("\"totalRequests\":")
        .and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
    let counted = counted.expect("a number");
    say(format_args!(
        "1 % of packets answered with a reset: {resets} resets, {lost} connections lost, \
         {answered} answers of {sent} events, {counted} counted; all descriptors are back \
         after {took:?}"
    ));
    assert!(lost > 10 && answered > 500, "too little");
    assert!((answered..=sent).contains(&counted), "{counted}");
    assert!(server.stop().in_time);
}
