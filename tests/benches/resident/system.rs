//! What the system says of a process, and of what it keeps for sockets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::thread;

use barewire_tests::drill::proc;

use super::REST;
use super::crowd::{Crowd, Manner};
use super::served::{Kind, Room, Served};

/// Caches that hold sockets, their files and their places in an event loop. Others (names of files)
/// change with whatever else runs on the machine, so they are left out, but for the ones that a
/// socket surely has.
const CACHES: [&str; 7] = [
    "TCP",
    "sock_inode_cache",
    "filp",
    "eventpoll_epi",
    "ep_head",
    "lsm_file_cache",
    "tw_sock_TCP",
];
/// Bytes of a socket's name and of the security module's note of its inode: one each for a socket,
/// in caches that all files share (`dentry`, `lsm_inode_cache`).
const SHARED: [&str; 2] = ["dentry", "lsm_inode_cache"];

/// Objects in use and bytes of one, by cache. `None`: this process may not see that.
fn slabs() -> Option<BTreeMap<String, (u64, u64)>> {
    let table = fs::read_to_string("/proc/slabinfo").ok()?;
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let used = words.next()?.parse().ok()?;
        let bytes = words.nth(1)?.parse().ok()?;
        Some((name, (used, bytes)))
    };
    Some(table.lines().filter_map(row).collect())
}

/// Kernel memory of connections that do nothing, both ends of them, as a table.
pub(crate) fn sockets(kind: Kind, program: &str, count: u64) -> Option<String> {
    slabs()?;
    let server = Served::start(kind, program, Room::new(count, false));
    let few = proc::descriptors(server.pid());
    thread::sleep(REST);
    let (before, queued) = (slabs()?, proc::tcp_queued());
    let crowd = Crowd::open(server.addr(), count, Manner::Silent);
    server.wait_for_descriptors(few + count as usize);
    thread::sleep(REST);
    let (with, queued) = (slabs()?, proc::tcp_queued() as i64 - queued as i64);
    drop(crowd);
    let mut text = format!(
        "The system's memory for {count} idle connections, both ends of each (one on the server's \
         side with its place in epoll, one on the client's without), by `/proc/slabinfo`; bytes \
         that queues hold: {queued} in all (`/proc/net/sockstat`).\n\n\
         | cache | bytes of one | of them for a connection | bytes |\n|---|---:|---:|---:|\n"
    );
    let mut sum = 0.0;
    for name in CACHES {
        let (Some(&(few, bytes)), Some(&(many, _))) = (before.get(name), with.get(name)) else {
            continue; // of another kernel
        };
        let each = (many as f64 - few as f64) / count as f64;
        sum += each * bytes as f64;
        if each >= 0.05 {
            let all = each * bytes as f64;
            let _ = writeln!(text, "| `{name}` | {bytes} | {each:.2} | {all:.0} |");
        }
    }
    for name in SHARED {
        if let Some(&(_, bytes)) = before.get(name) {
            sum += 2.0 * bytes as f64;
            let all = 2 * bytes;
            let _ = writeln!(text, "| `{name}` | {bytes} | 2 (not measured) | {all} |");
        }
    }
    let _ = write!(text, "| sum | | | {sum:.0} |");
    Some(text)
}
