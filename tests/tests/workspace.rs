//! The rules of the house, as far as a program can see them: what is linked in, and sizes. Those of
//! the sources are in `house.rs` and `shape.rs`.

#[allow(dead_code)] // each test uses a part of it
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use sources::{code, files, has_word, product, read, root};

/// Names of the packages that a package is built with, itself left out.
fn dependencies(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "-p", package])
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != package)
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// What core is built with: the four that it names, and what they need.
const CORE: [&str; 9] = [
    "atomic",
    "bytemuck",
    "byteorder",
    "hash32",
    "heapless",
    "memchr",
    "safe_arch",
    "stable_deref_trait",
    "wide",
];

#[test]
fn core_depends_on_four_small_packages_and_their_own() {
    assert_eq!(dependencies("barewire-core"), CORE);
    let manifest = read(Path::new("core/Cargo.toml"));
    let (_, rest) = manifest.split_once("[dependencies]\n").unwrap();
    let named: Vec<&str> = rest
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split(['.', ' ']).next())
        .collect();
    assert_eq!(named, ["atomic", "heapless", "memchr", "wide"]);
}

#[cfg_attr(not(target_env = "gnu"), ignore = "the list is that of one platform")]
#[test]
fn the_platform_adds_nothing_but_system_calls() {
    for platform in ["barewire-linux", "barewire-macos"] {
        let all = dependencies(platform);
        let added: Vec<&String> = all
            .iter()
            .filter(|name| !CORE.contains(&name.as_str()))
            .collect();
        // bitflags and linux-raw-sys are rustix's.
        let expected = [
            "barewire-core",
            "bitflags",
            "libc",
            "linux-raw-sys",
            "rustix",
        ];
        assert_eq!(added, expected, "{platform}");
    }
}

#[test]
fn only_platforms_contain_unsafe_code() {
    // An allocator cannot be written without, nor a stack painted.
    let permitted = [
        "tests/tests/sealable/mod.rs",
        "tests/nostd/src/system.rs",
        "tests/boards/sizes/src/paint.rs",
    ];
    for path in files("rs") {
        let name = path.to_string_lossy();
        if name.starts_with("platform-") || permitted.contains(&&*name) {
            continue;
        }
        for (number, line) in (1..).zip(read(&path).lines()) {
            // The word in a string is no code.
            let found = has_word(line, "unsafe") && !line.contains('"');
            assert!(!found, "{name}:{number}: {line}");
        }
    }
}

#[test]
fn the_other_packages_forbid_unsafe_code() {
    for root in [
        "core/src/lib.rs",
        "server/src/lib.rs",
        "server/src/main.rs",
        "tests/src/lib.rs",
    ] {
        let text = read(Path::new(root));
        assert!(
            text.lines().any(|line| line == "#![forbid(unsafe_code)]"),
            "{root}"
        );
    }
    let core = read(Path::new("core/src/lib.rs"));
    assert!(core.lines().any(|line| line == "#![no_std]"));
    for path in files("rs") {
        let name = path.to_string_lossy();
        if name.starts_with("core/src") {
            let text = read(&path);
            let found = product(&text)
                .lines()
                .any(|line| code(line).contains("extern crate alloc"));
            assert!(!found, "{name}");
        }
    }
}

/// A file is about one thing, and can be read in one go. 500 lines are the aim; tables and test
/// files may be a little longer.
const LINES_MAX: usize = 640;

#[test]
fn no_file_is_too_long_to_be_read() {
    let mut longest: Vec<(usize, PathBuf)> = files("rs")
        .into_iter()
        .map(|path| (read(&path).lines().count(), path))
        .collect();
    longest.sort();
    longest.reverse();
    for (lines, path) in longest.iter().take_while(|(lines, _)| *lines > 500) {
        println!("{lines} lines, more than 500: {}", path.display());
    }
    assert!(longest[0].0 <= LINES_MAX, "{:?}", longest[0]);
}

#[test]
fn a_connection_is_small() {
    use barewire_core::{connection::Connection, driver, wheel};
    assert!(size_of::<Connection>() <= 64);
    // What an idle peer costs in all tables together.
    let idle = size_of::<barewire::Peer>()
        + size_of::<driver::Entry<std::num::NonZeroU32>>()
        + size_of::<wheel::Entry>();
    // With 8 in the counts of addresses it stays below the 192 that were aimed at.
    assert!(idle <= 180, "{idle} bytes");
}
