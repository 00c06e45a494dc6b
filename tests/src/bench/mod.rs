//! Measuring: a lean client that checks every byte of every answer, the processor time that a server
//! took for them, and what the figures of slices in turns say. `tests/bench/` puts them together.

mod interval;
mod load;
mod options;
mod plot;
mod probe;
mod requests;
mod scenario;
mod server;
mod side;
mod slices;
mod table;
mod template;
mod wrk;

pub use interval::{Interval, median};
pub use load::{Answered, Load, Wait};
pub use options::{Options, USAGE};
pub use plot::plot;
pub use requests::Requests;
pub use scenario::{SCENARIOS, Scenario};
pub use server::{Server, pinned};
pub use side::{Kind, Place, Side, known};
pub use slices::{Slice, Slices, quantile};
pub use table::{Column, Row, details, matrix};
pub use template::Template;
pub use wrk::wrk;

use std::fs;

/// Processor time of a process so far in nanoseconds, user and kernel mode, of the threads that it
/// has: what one took that has ended is lost. (`/proc/PID/stat` knows that too, but counts in 10 ms,
/// a fiftieth of a slice.)
///
/// # Panics
/// If there is no such process, or this system does not say.
pub fn cpu_ns(pid: u32) -> u64 {
    let folder = format!("/proc/{pid}/task");
    let tasks = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let time = |task: fs::DirEntry| -> u64 {
        let path = task.path().join("schedstat");
        let text = match fs::read_to_string(&path) {
            // It has ended since.
            Err(_) if !task.path().exists() => return 0,
            text => text.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        };
        let time = text.split(' ').next().and_then(|time| time.parse().ok());
        time.expect("nanoseconds")
    };
    tasks.map(|task| time(task.expect("a thread"))).sum()
}

/// The processors that this process may run on.
///
/// # Panics
/// If the system does not say.
pub fn processors() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    expand(list.expect("Cpus_allowed_list").trim())
}

/// `0-2,5` are 0, 1, 2 and 5.
fn expand(list: &str) -> Vec<usize> {
    let number = |text: &str| -> usize { text.parse().expect("a processor") };
    let ranges = list.split(',').map(|range| match range.split_once('-') {
        Some((first, last)) => number(first)..=number(last),
        None => number(range)..=number(range),
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};
    use std::thread;
    use std::time::{Duration, Instant};

    /// Does nothing but work, and ends with the test.
    struct Busy(Child);

    impl Drop for Busy {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn processor_time_is_seen_to_the_millisecond() {
        let mut shell = Command::new("sh");
        let busy = Busy(shell.args(["-c", "while :; do :; done"]).spawn().unwrap());
        let (begin, mut seen) = (Instant::now(), vec![cpu_ns(busy.0.id())]);
        // Looks until it took 50 ms; a clock of 10 ms would show six values.
        while seen[seen.len() - 1] < 50_000_000 {
            assert!(begin.elapsed() < Duration::from_secs(20), "{seen:?}");
            thread::sleep(Duration::from_millis(1));
            seen.push(cpu_ns(busy.0.id()));
        }
        assert!(seen.is_sorted());
        seen.dedup();
        assert!(seen.len() > 8, "{seen:?}");
    }

    #[test]
    fn lists_of_processors_are_expanded() {
        assert_eq!(expand("0-2,5"), [0, 1, 2, 5]);
        assert!(!processors().is_empty());
    }
}
