//! What the system says of a process, and of itself: `/proc`.

use std::fs;
use std::time::Duration;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Two fields of `/proc/PID/stat`, numbered from 1 as the system's manual does.
fn stat(pid: u32, fields: [usize; 2]) -> [u64; 2] {
    let stat = read(&format!("/proc/{pid}/stat"));
    // The name in brackets may hold anything; behind it the third field comes first.
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    fields.map(|at| {
        let field = rest.split_whitespace().nth(at - 3);
        field.and_then(|n| n.parse().ok()).expect("a number")
    })
}

/// Processor time of a process so far, in user and kernel mode, in steps of 10 ms.
pub fn cpu(pid: u32) -> Duration {
    let [user, kernel] = stat(pid, [14, 15]);
    // The unit is 1/100 s on every system that people run (USER_HZ).
    Duration::from_millis((user + kernel) * 10)
}

/// Minor and major page faults of a process so far, of all its threads.
pub fn faults(pid: u32) -> [u64; 2] {
    stat(pid, [10, 12])
}

/// The number in front of `kB` in a line of a table, in bytes.
fn kilobytes(table: &str, name: &str) -> u64 {
    let line = table.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    let number: u64 = number.and_then(|n| n.parse().ok()).expect(name);
    number * 1024
}

/// Bytes of a process that are in memory, counted page by page. (`VmRSS` is a sum that each thread
/// adds to now and then, and wrong by a few hundred kilobytes.)
pub fn rss(pid: u32) -> u64 {
    kilobytes(&read(&format!("/proc/{pid}/smaps_rollup")), "Rss:")
}

/// The most bytes of a process that were in memory at any time.
pub fn rss_most(pid: u32) -> u64 {
    status_bytes(pid, "VmHWM:")
}

/// A line of `/proc/PID/status` that counts memory, its colon in the name, in bytes.
pub fn status_bytes(pid: u32, name: &str) -> u64 {
    kilobytes(&read(&format!("/proc/{pid}/status")), name)
}

/// Descriptors that a process has open, in all tables of its threads.
pub fn descriptors(pid: u32) -> usize {
    let open = barewire::load::open_descriptors(pid);
    open.unwrap_or_else(|error| panic!("{pid}: {error}")) as usize
}

/// Bytes that all TCP sockets of this network namespace hold in queues, by `sockstat`'s pages.
pub fn tcp_queued() -> u64 {
    let table = read("/proc/net/sockstat");
    let line = table.lines().find(|line| line.starts_with("TCP:"));
    let pages = line.and_then(|line| line.rsplit(' ').next());
    pages.and_then(|n| n.parse::<u64>().ok()).expect("pages") * 4096
}

/// Bytes of kernel memory in slabs, of the whole machine. `None`: this process may not see that.
pub fn slabs() -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    Some(kilobytes(&table, "Slab:"))
}

/// Whether this process may raise hard limits, its own and those of its children
/// (CAP_SYS_RESOURCE).
pub fn may_raise_limits() -> bool {
    let table = read("/proc/self/status");
    let line = table.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let caps = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    caps.expect("capabilities") & 1 << 24 != 0
}

/// Lets this process open as many descriptors as it may, and says how many.
pub fn raise_descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, all).expect("the hard limit is allowed");
    most.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn what_a_process_uses_is_seen() {
        let pid = std::process::id();
        let (cpu_before, open_before) = (cpu(pid), descriptors(pid));
        let held: Vec<fs::File> = (0..10)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        assert!(descriptors(pid) >= open_before + 10);
        drop(held);
        let rss_before = rss(pid);
        let memory = std::hint::black_box(vec![1_u8; 32 << 20]);
        let grown = rss(pid).saturating_sub(rss_before);
        // Other tests of this process take memory and give it back meanwhile.
        assert!(grown > 16 << 20, "{grown}");
        assert!(rss_most(pid) >= rss_before + (16 << 20));
        drop(memory);
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {}
        assert!(cpu(pid) - cpu_before >= Duration::from_millis(50));
    }
}
