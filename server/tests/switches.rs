//! Huge pages, pinned workers and the check before the start, from outside: what the system really
//! gave, and what the program says of it. What is not there is refused, or done without, aloud.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Everything here takes milliseconds; this is for machines that do much else at the same time.
const PATIENCE: Duration = Duration::from_secs(20);

/// `barewire serve` on a free port.
fn serve(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command
        .args(["serve", "--port", "0", "--connections", "8"])
        .args(args.split_whitespace())
        .stdin(Stdio::null());
    command
}

/// A server that runs, and does not outlive its test.
struct Serving {
    child: Child,
    banner: Vec<String>,
}

impl Serving {
    fn start(args: &str) -> Serving {
        let mut child = serve(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut serving = Serving {
            child,
            banner: Vec::new(),
        };
        while serving.fact("stop").is_none() {
            serving
                .banner
                .push(out.next().expect("a banner").expect("text"));
        }
        serving
    }

    /// The line of the banner that begins with this word, without it.
    fn fact(&self, name: &str) -> Option<&str> {
        fact(self.banner.iter().map(String::as_str), name)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fact<'t>(mut lines: impl Iterator<Item = &'t str>, name: &str) -> Option<&'t str> {
    lines.find_map(|line| {
        let (word, rest) = line.split_once(' ')?;
        (word == name).then(|| rest.trim())
    })
}

/// Runs a command that ends by itself: its code, and what it said.
fn outcome(mut command: Command) -> (Option<i32>, String, String) {
    let begin = Instant::now();
    let output = command.output().unwrap();
    assert!(begin.elapsed() < PATIENCE, "{command:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Held by each test that asks the pool: the others change it.
static POOL: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of the numbers of the pool.
fn pool(name: &str) -> u64 {
    let path = format!("/sys/kernel/mm/hugepages/hugepages-2048kB/{name}");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().parse::<u64>().unwrap_or(0)
}

/// Pages of the pool that are free and promised to nobody.
fn free() -> u64 {
    pool("free_hugepages") - pool("resv_hugepages")
}

/// What the pool has to be for fifty pages more than it has free.
fn wanted() -> u64 {
    pool("nr_hugepages") + 50
}

/// Slots (128 to a huge page) that take fifty pages more than the pool has, and these pages.
fn too_many() -> (u64, u64) {
    let needed = free() + 50;
    (needed * 128, needed)
}

#[test]
fn huge_pages_that_are_not_there_are_done_without_aloud() {
    let _alone = alone();
    let (slots, needed) = too_many();
    let server = Serving::start(&format!("--huge-pages try --slots {slots}"));
    let pages = server.fact("pages").expect("a line of pages");
    let free = free();
    let wanted = wanted();
    let pool = format!("the pool has {free} of {needed} (sysctl -w vm.nr_hugepages={wanted})");
    assert!(pages.ends_with(&pool), "{pages}");
    let enabled = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let enabled = enabled.unwrap_or_default();
    let transparent = enabled.contains("[always]") || enabled.contains("[madvise]");
    let kind = match transparent {
        true => "huge ones of 2 MiB as the system finds them, ",
        false => "normal ones, ",
    };
    assert!(pages.starts_with(kind), "{pages}");

    // Whoever does not ask is told nothing.
    assert_eq!(Serving::start("").fact("pages"), None);
}

#[test]
fn transparent_pages_that_were_touched_are_those_that_the_system_counts() {
    let _alone = alone();
    let (slots, _) = too_many();
    let server = Serving::start(&format!("--huge-pages try --prefault --slots {slots}"));
    let pages = server.fact("pages").expect("a line of pages");
    let Some(rest) = pages.strip_prefix("huge ones of 2 MiB as the system finds them, ") else {
        println!("SKIPPED: {pages}");
        return;
    };
    let told: u64 = rest
        .split(' ')
        .next()
        .unwrap()
        .replace(',', "")
        .parse()
        .unwrap();
    let path = format!("/proc/{}/smaps_rollup", server.child.id());
    let table = fs::read_to_string(path).unwrap();
    let counted = fact(table.lines(), "AnonHugePages:").unwrap();
    let counted: u64 = counted.trim_end_matches(" kB").parse().unwrap();
    println!("{told} bytes are told, {counted} KiB are counted");
    // Other memory of the process may have some as well.
    assert!(
        told.is_multiple_of(2 << 20) && told <= counted * 1024,
        "{told} {counted}"
    );
}

#[test]
fn required_huge_pages_that_are_not_there_refuse_the_start() {
    let _alone = alone();
    let (slots, needed) = too_many();
    let (free, wanted) = (free(), wanted());
    let (code, out, err) = outcome(serve(&format!("--huge-pages require --slots {slots}")));
    let expected = match fs::exists("/sys/kernel/mm/hugepages/hugepages-2048kB") {
        Ok(true) => format!(
            "barewire: {needed} huge pages of 2 MiB are needed, the pool has {free} free \
             (sysctl -w vm.nr_hugepages={wanted}, or --huge-pages try)\n"
        ),
        _ => "barewire: this system has no pool of huge pages of 2 MiB \
              (--huge-pages try does without)\n"
            .to_owned(),
    };
    assert_eq!((code, out.as_str(), err), (Some(4), "", expected));
}

#[test]
fn pages_of_the_pool_are_taken_from_it() {
    let _alone = alone();
    if free() < 2 {
        println!("SKIPPED: the pool is empty (sysctl -w vm.nr_hugepages=8)");
        return;
    }
    let server = Serving::start("--huge-pages require --slots 200");
    assert_eq!(
        server.fact("pages"),
        Some("2 huge ones of 2 MiB, from the pool")
    );
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("HugetlbPages:"));
    assert_eq!(line.unwrap().split_whitespace().nth(1), Some("4096"));
}

/// The processors of each thread of a process, by the thread's name.
fn threads(pid: u32) -> Vec<(String, String)> {
    let folder = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let value = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.expect(name).trim().to_owned()
    };
    let mut found: Vec<_> = folder
        .map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            (value(&text, "Name:"), value(&text, "Cpus_allowed_list:"))
        })
        .collect();
    found.sort();
    found
}

/// [`threads`] once that many workers have their names: a thread gives itself its own, when it
/// runs for the first time, which may be after the banner.
fn named_threads(pid: u32, workers: usize) -> Vec<(String, String)> {
    let end = Instant::now() + PATIENCE;
    loop {
        let threads = threads(pid);
        let named = threads
            .iter()
            .filter(|(name, _)| name.starts_with("worker-"));
        if named.count() == workers {
            assert!(threads.len() > workers, "{threads:?}");
            return threads;
        }
        assert!(Instant::now() < end, "{threads:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Numbers of a list as the system writes it: `0-2,5`.
fn numbers(list: &str) -> Vec<usize> {
    let parts = list.split(',').flat_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse().unwrap()..=last.parse().unwrap()
    });
    parts.collect()
}

#[test]
fn each_worker_is_tied_to_its_processor_and_no_other_thread_is() {
    let own = fs::read_to_string("/proc/thread-self/status").unwrap();
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let processors = numbers(own.unwrap().trim());
    let workers = processors.len() + 1;
    for accept in ["reuseport", "handoff"] {
        let flags = format!("--workers {workers} --accept {accept} --pin --slots {workers}");
        let server = Serving::start(&format!("{flags} --connections {workers}"));
        let told = server.fact("workers").unwrap();
        assert!(told.contains(", pinned to processors "), "{told}");
        assert!(
            told.ends_with(" in turn: more workers than these)"),
            "{told}"
        );
        for (name, list) in named_threads(server.child.id(), workers) {
            let expected = match name.strip_prefix("worker-") {
                Some(number) => {
                    let number: usize = number.parse().unwrap();
                    vec![processors[number % processors.len()]]
                }
                None => processors.clone(),
            };
            assert_eq!(numbers(&list), expected, "{name}, {accept}");
        }
    }
    let server = Serving::start(&format!("--workers {workers} --connections {workers}"));
    for (name, list) in named_threads(server.child.id(), workers) {
        assert_eq!(numbers(&list), processors, "{name}");
    }
}

#[test]
fn the_check_says_what_would_be_got_and_leaves_nothing_behind() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(["serve", "--check", "--port", "0", "--slots", "10000"]);
    let (code, out, err) = outcome(command);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for (name, rest) in [
        ("reserved", "163,840,000 bytes in 10,000 slots (156.25 MiB)"),
        ("stopped", "0 connections, 0 requests"),
    ] {
        let line = fact(out.lines(), name).unwrap_or_else(|| panic!("{name}\n{out}"));
        assert!(line.starts_with(rest), "{line}");
    }
    let pages = fact(out.lines(), "pages").expect("a line of pages");
    // What is missing is asked for beside what others have.
    let needed = match 79u64.checked_sub(free()) {
        Some(more @ 1..) => {
            let wanted = pool("nr_hugepages") + more;
            format!("of 79 (sysctl -w vm.nr_hugepages={wanted})")
        }
        _ => "of 79".to_owned(),
    };
    let is_there = fs::exists("/sys/kernel/mm/hugepages/hugepages-2048kB").unwrap_or(false);
    assert_eq!(pages.ends_with(&needed), is_there, "{pages}");

    // What keeps a server from starting is found out beforehand, with its code.
    let server = Serving::start("");
    let port = server
        .fact("listening")
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap();
    let (code, _, err) = outcome(serve(&format!("--check --port {port}")));
    assert_eq!(code, Some(3), "{err}");
}
