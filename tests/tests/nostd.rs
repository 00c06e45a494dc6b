//! The core in a program without std, heap and C library: `tests/nostd`.

#[allow(dead_code)] // each test uses a part of it
mod bounded;

use std::process::Command;
use std::time::Duration;

// The program makes its system calls itself: it knows one system and two processors.
#[cfg_attr(
    not(all(
        target_env = "gnu",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )),
    ignore = "the program is written for other machines"
)]
#[test]
fn core_links_and_runs_without_std_heap_and_libc() {
    let (target, _) = bounded::built_in();
    let mut check = Command::new("bash");
    check
        .arg(bounded::root().join("tests/nostd/check"))
        .arg(target.join("nostd"));
    let output = bounded::run(&mut check, Duration::from_secs(300));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("no std, no heap, no libc"), "{said}");
}
