//! The core in programs without std, heap and C library: `tests/nostd`.

#[allow(dead_code)] // each test uses a part of it
mod bounded;

use std::process::Command;
use std::time::{Duration, Instant};

// The programs make their system calls themselves: they know one system and two processors.

/// What a script of `tests/nostd` says.
fn script(name: &str) -> String {
    let (target, _) = bounded::built_in();
    let mut script = Command::new("bash");
    script
        .arg(bounded::root().join("tests/nostd").join(name))
        .arg(target.join("nostd"));
    // A busy machine needs a minute for what takes seconds.
    let output = bounded::run(&mut script, Duration::from_secs(600));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg_attr(
    not(all(
        target_env = "gnu",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )),
    ignore = "the programs are written for other machines"
)]
#[test]
fn core_links_and_runs_without_std_heap_and_libc() {
    let said = script("check");
    // Four requests played, and every public function named.
    for program in ["barewire-nostd: ", "barewire-panics: "] {
        assert!(said.contains(program), "{said}");
    }
    assert_eq!(
        said.matches("no std, no heap, no libc").count(),
        2,
        "{said}"
    );
}

#[cfg_attr(
    not(all(
        target_env = "gnu",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )),
    ignore = "the programs are written for other machines"
)]
#[test]
fn an_exchange_takes_no_more_stack_than_its_bound() {
    let said = script("stack");
    assert!(
        said.contains("bytes of stack at most, of 2048 allowed"),
        "{said}"
    );
}

#[cfg_attr(
    not(all(
        target_env = "gnu",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )),
    ignore = "the programs are written for other machines"
)]
#[test]
fn core_links_without_a_panic_handler_and_not_with_a_planted_panic() {
    let said = script("panics");
    // As the server is built, and as cargo builds by default.
    let proven = "no panic can be reached";
    assert_eq!(said.matches(proven).count(), 2, "{said}");
}

#[test]
fn a_script_that_takes_too_long_ends_with_what_it_has_started() {
    let (target, _) = bounded::built_in();
    let told = target.join(format!("bounded-{}", std::process::id()));
    let mut script = Command::new("bash");
    script
        .args(["-c", "sleep 60 & echo $! >\"$0\"; wait"])
        .arg(&told);
    // Enough to start a shell on a busy machine.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        bounded::run(&mut script, Duration::from_secs(2));
    }));
    assert!(outcome.is_err(), "it has ended");
    let sleeper = std::fs::read_to_string(&told).unwrap();
    std::fs::remove_file(told).unwrap();
    let state = format!("/proc/{}/stat", sleeper.trim());
    // It ends, but whoever inherits it may not have looked yet.
    let lives = || std::fs::read_to_string(&state).is_ok_and(|text| !text.contains(") Z "));
    let end = Instant::now() + Duration::from_secs(5);
    while lives() {
        assert!(Instant::now() < end, "it goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}
