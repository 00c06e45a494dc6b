//! Which processors the process may use, and how many of them in sum.

use std::io;
use std::num::NonZero;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Ties the calling thread to one processor, as numbered by the system (see [`allowed`]).
///
/// # Errors
/// If the number is not that of a processor which the process may use.
pub fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// Runs `run` with the calling thread tied to one processor, and lets it go again. Threads that it
/// starts meanwhile stay tied, from their first instruction on: their stacks and tables come from
/// memory that is near.
///
/// # Errors
/// As [`pin`]; `run` is not called then.
pub fn tied<T>(cpu: usize, run: impl FnOnce() -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    pin(cpu)?;
    let done = run();
    // What was allowed a moment ago is still; were it not, the system has moved it by itself.
    let _ = sched_setaffinity(None, &before);
    Ok(done)
}

/// The numbers of the processors that the calling thread may run on, in order. Empty if the
/// system does not say (more processors than the set has room for).
pub fn allowed() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|&cpu| set.is_set(cpu))
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// How many threads can run at once: the allowed processors, cut to the quota of the control
/// group. At least 1.
///
/// A broken quota is rounded down: one worker more than the quota pays for would be throttled,
/// and all others with it, in the middle of their work.
pub fn available() -> usize {
    let processors = match allowed().len() {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        n => n,
    };
    let quota = quota(|path| std::fs::read_to_string(path).ok());
    processors.min(quota.unwrap_or(usize::MAX)).max(1)
}

/// The CPU quota of this process's control group in whole processors (at least 1), from the
/// files that `read` gives by their paths. `None`: there is no quota.
///
/// Version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`, `cpu.cfs_period_us`), at the usual
/// mount points. A group is bound by all groups above it, so the least counts. Inside a
/// container the group's path is often one that only the host knows; then only the root of the
/// mount exists, and it is the container's own group.
pub fn quota(read: impl Fn(&str) -> Option<String>) -> Option<usize> {
    let groups = read("/proc/self/cgroup")?;
    let mut least: Option<usize> = None;
    for line in groups.lines() {
        // hierarchy:controllers:path
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let version_2 = controllers.is_empty();
        if !version_2 && !controllers.split(',').any(|name| name == "cpu") {
            continue;
        }
        let mount = if version_2 {
            String::from("/sys/fs/cgroup")
        } else {
            format!("/sys/fs/cgroup/{controllers}")
        };
        // A group outside of the namespace is shown as "/..": its files cannot be reached.
        let mut path = if path.contains("..") {
            ""
        } else {
            path.trim_end_matches('/')
        };
        loop {
            let here = if version_2 {
                read(&format!("{mount}{path}/cpu.max")).and_then(|text| processors_v2(&text))
            } else {
                let quota = read(&format!("{mount}{path}/cpu.cfs_quota_us"));
                let period = read(&format!("{mount}{path}/cpu.cfs_period_us"));
                quota
                    .zip(period)
                    .and_then(|(q, p)| processors(q.trim(), p.trim()))
            };
            least = [least, here].into_iter().flatten().min();
            match path.rfind('/') {
                Some(slash) => path = &path[..slash],
                None => break,
            }
        }
    }
    least
}

/// `"150000 100000"`: microseconds of processor time in each period; `"max 100000"`: no quota.
fn processors_v2(text: &str) -> Option<usize> {
    let mut words = text.split_ascii_whitespace();
    let quota = words.next()?;
    // The kernel's default period, should it ever be left out.
    let period = words.next().unwrap_or("100000");
    processors(quota, period)
}

/// Version 1 says -1 for "no quota", which is no number here, nor is "max".
fn processors(quota: &str, period: &str) -> Option<usize> {
    let quota: usize = quota.parse().ok()?;
    let period: usize = period.parse().ok()?;
    Some(quota.checked_div(period)?.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quota in a file system with these files.
    fn with(files: &[(&str, &str)]) -> Option<usize> {
        quota(|path| {
            let file = files.iter().find(|(name, _)| *name == path)?;
            Some(file.1.to_string())
        })
    }

    #[test]
    fn the_quota_of_version_2_is_read_in_whole_processors() {
        for (content, expected) in [
            ("max 100000\n", None),
            ("200000 100000\n", Some(2)),
            ("150000 100000\n", Some(1)),
            ("50000 100000\n", Some(1)),
            ("1600000 100000\n", Some(16)),
            ("300000\n", Some(3)),
            ("100000 0\n", None),
            ("-1 100000\n", None),
            ("99999999999999999999999 100000\n", None),
            ("what is this\n", None),
            ("", None),
        ] {
            let got = with(&[
                ("/proc/self/cgroup", "0::/\n"),
                ("/sys/fs/cgroup/cpu.max", content),
            ]);
            assert_eq!(got, expected, "{content:?}");
        }
    }

    #[test]
    fn the_least_quota_of_all_groups_above_counts() {
        let groups = ("/proc/self/cgroup", "0::/app.slice/web.service\n");
        let root = "/sys/fs/cgroup/app.slice/cpu.max";
        let leaf = "/sys/fs/cgroup/app.slice/web.service/cpu.max";
        assert_eq!(
            with(&[groups, (root, "200000 100000"), (leaf, "max 100000")]),
            Some(2)
        );
        assert_eq!(
            with(&[groups, (root, "800000 100000"), (leaf, "300000 100000")]),
            Some(3)
        );
        assert_eq!(
            with(&[groups, (root, "100000 100000"), (leaf, "300000 100000")]),
            Some(1)
        );
        assert_eq!(with(&[groups]), None);
    }

    #[test]
    fn the_quota_of_version_1_is_read_too() {
        let groups = (
            "/proc/self/cgroup",
            "12:pids:/docker/ab\n4:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n0::/\n",
        );
        // The mount's root is the container's own group; the host's path does not exist.
        let quota = "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us";
        let period = "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us";
        assert_eq!(
            with(&[groups, (quota, "400000\n"), (period, "100000\n")]),
            Some(4)
        );
        assert_eq!(with(&[groups, (quota, "-1\n"), (period, "100000\n")]), None);
        assert_eq!(with(&[groups, (quota, "400000\n")]), None);
    }

    #[test]
    fn a_group_outside_of_the_namespace_falls_back_to_the_root() {
        let groups = ("/proc/self/cgroup", "0::/../../elsewhere\n");
        assert_eq!(
            with(&[groups, ("/sys/fs/cgroup/cpu.max", "200000 100000")]),
            Some(2)
        );
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("/proc/self/cgroup", "nonsense\n::\n")]), None);
    }

    #[test]
    fn a_pinned_thread_stays_where_it_is_put() {
        let all = allowed();
        assert!(!all.is_empty());
        assert!((1..=all.len()).contains(&available()));
        let last = *all.last().unwrap();
        // A thread of its own: the test harness goes on using the others.
        std::thread::spawn(move || {
            pin(last).unwrap();
            assert_eq!(allowed(), [last]);
            assert_eq!(available(), 1);
            assert!(pin(usize::MAX).is_err());
            assert!(pin(CpuSet::MAX_CPU - 1).is_err());
        })
        .join()
        .unwrap();
    }

    #[test]
    fn who_is_started_tied_stays_so_and_who_starts_it_does_not() {
        std::thread::spawn(|| {
            let before = allowed();
            let last = *before.last().unwrap();
            let there = tied(last, || std::thread::spawn(allowed).join().unwrap());
            assert_eq!(there.unwrap(), [last]);
            assert_eq!(allowed(), before);
            assert!(tied(CpuSet::MAX_CPU, || unreachable!("no such processor")).is_err());
            assert_eq!(allowed(), before);
        })
        .join()
        .unwrap();
    }
}
