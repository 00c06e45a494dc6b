//! Many idle connections at a time: as many servers and clients as the limit of descriptors asks
//! for, since each process may open so many and no more.

use std::fs;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use barewire_tests::drill::proc;

use super::served::{Kind, Room, Served};

/// Memory of the system that connections may take here: others work on this machine too.
const SYSTEM_BYTES_MAX: u64 = 8 << 30;
/// What a connection took of it at most when this was tried: both ends.
const PAIR_BYTES: u64 = 9 << 10;
/// Seconds that they are held when all are open.
const HOLD_S: u64 = 5;
/// Opening and holding may take so long in all.
const PATIENCE: Duration = Duration::from_secs(300);

/// A client; it does not outlive this process by more than its hold.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn available() -> u64 {
    let table = fs::read_to_string("/proc/meminfo").expect("a table");
    let line = table.lines().find(|line| line.starts_with("MemAvailable:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    number.expect("MemAvailable") * 1024
}

/// Opens `count` connections, `each` of them to a server at most, holds them, closes them. Says
/// what they took.
pub(crate) fn run(program: &str, count: u64, each: u64) -> ExitCode {
    if count * PAIR_BYTES > SYSTEM_BYTES_MAX.min(available() / 2) {
        eprintln!(
            "resident: {count} connections would take some {} bytes of the system's memory: more \
             than {SYSTEM_BYTES_MAX}, or than half of what is there",
            count * PAIR_BYTES
        );
        return ExitCode::from(2);
    }
    let shares: Vec<u64> = (0..count.div_ceil(each))
        .map(|at| each.min(count - at * each))
        .collect();
    let servers: Vec<(Served, u64)> = shares
        .iter()
        .map(|&share| {
            (
                Served::start(Kind::Barewire, program, Room::new(share, false)),
                share,
            )
        })
        .collect();
    let empty = Served::start(Kind::Barewire, program, Room::new(1, false));
    thread::sleep(Duration::from_millis(300));
    let base = proc::rss(empty.pid());
    let began = Instant::now();
    let mut open = 0;
    // One after the other, so that each is open before the next begins; all are held to the end.
    let mut clients = Vec::new();
    for (server, share) in &servers {
        let hold = PATIENCE.as_secs();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", program, "load"])
            .args(["--url", &format!("http://{}", server.addr())])
            .args(["--idle", &share.to_string(), "--hold", &hold.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        clients.push(Client(child.expect("a client")));
        server.wait_for_descriptors(*share as usize);
        open += share;
    }
    let opening = began.elapsed();
    thread::sleep(Duration::from_secs(HOLD_S));
    let lives = |client: &mut Client| matches!(client.0.try_wait(), Ok(None));
    let all_there = clients.iter_mut().all(lives)
        && servers
            .iter()
            .all(|(server, share)| proc::descriptors(server.pid()) as u64 >= *share);
    let rss: u64 = servers
        .iter()
        .map(|(server, _)| proc::rss(server.pid()))
        .sum();
    let over = rss as i64 - (base * servers.len() as u64) as i64;
    println!(
        "{open} idle connections to {} servers within {:.1} s, all of them there after {HOLD_S} s: \
         {all_there}. The servers have {rss} bytes resident, {over} more than as many without \
         connections: {:.1} for each connection.",
        servers.len(),
        opening.as_secs_f64(),
        over as f64 / open as f64,
    );
    // The servers close all of them, in good order.
    let closed: Option<u64> = servers.into_iter().map(|(server, _)| server.stop()).sum();
    println!("The servers have ended and had {closed:?} connections.");
    let all_there = all_there && closed >= Some(open);
    match all_there {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
