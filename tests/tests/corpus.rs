//! The kept inputs of the fuzzer, on a stable compiler and without one.
//!
//! Every input is played whole, and its name is held against what it does (`fuzz/src/class.rs`).
//! How inputs come in and get their names: `tests/examples/corpus.rs`.

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, missing_docs)] // it is a crate of its own otherwise
mod fuzz;

use std::collections::HashMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fuzz::Target;

/// Inputs over all targets: the two thousand that were asked for, and no fewer than there were.
const INPUTS: usize = 4700;

/// Bytes of one input, as minimised ones need no more.
const INPUT_BYTES_MAX: usize = 2048;

/// Bytes of all inputs: a repository is downloaded whole.
const CORPUS_BYTES_MAX: usize = 1_500_000;

/// Places where each input is cut off: all of nearly every one, and as many of a longer one.
const ENDS_MAX: usize = 200;

fn target(name: &str) -> &'static Target {
    let mut targets = const { &Target::ALL }.iter();
    targets.find(|target| target.name == name).unwrap()
}

/// Names and bytes of the inputs of a target.
fn inputs(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let files = fs::read_dir(folder.join(target.name)).unwrap();
    let mut inputs: Vec<_> = files
        .map(|file| file.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

/// Plays every file of a target's folder; at least `least` of them.
fn replay(name: &str, least: usize) {
    let target = target(name);
    let inputs = inputs(target);
    for (file, data) in &inputs {
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(data)));
        assert!(outcome.is_ok(), "fuzz/corpus/{name}/{file}");
        // Inputs that end early are a part of every corpus.
        for len in (0..data.len()).step_by(data.len() / ENDS_MAX + 1) {
            let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(&data[..len])));
            assert!(outcome.is_ok(), "the first {len} bytes of {file}");
        }
    }
    assert!(inputs.len() >= least, "{name} has {} files", inputs.len());
}

#[test]
fn every_head_reads_the_same_however_it_is_cut() {
    replay("head", 690);
}

#[test]
fn every_chunked_body_reads_the_same_however_it_is_cut() {
    replay("chunk", 480);
}

#[test]
fn every_connection_answers_the_same_however_it_is_cut() {
    replay("connection", 990);
}

#[test]
fn the_json_scanner_takes_what_serde_json_takes() {
    replay("json", 570);
}

#[test]
fn targets_and_hosts_are_made_of_their_parts() {
    replay("target_host", 410);
}

#[test]
fn the_router_finds_what_a_matcher_without_a_tree_finds() {
    replay("router", 450);
}

#[test]
fn answers_are_read_as_they_were_said() {
    replay("response", 550);
}

#[test]
fn heads_are_read_as_httparse_reads_them_but_for_named_rules() {
    replay("httparse", 580);
}

/// The first half of a name that is not what the input does, or a second half that says nothing.
fn lies(target: &Target, name: &str, data: &[u8]) -> Option<String> {
    let what = name.split_once("--").map_or("", |(_, what)| what);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !what.chars().all(plain) || what.contains("--") {
        return Some("not in small letters, digits and single dashes".to_owned());
    }
    let found = what.starts_with("found-");
    let truth = target.file_name(data, (!found).then_some(what));
    (what.is_empty() || truth != name).then_some(truth)
}

#[test]
fn every_input_is_what_its_name_says() {
    let mut wrong = Vec::new();
    for target in &Target::ALL {
        for (name, data) in inputs(target) {
            if let Some(truth) = lies(target, &name, &data) {
                wrong.push(format!("{}/{name} is {truth}", target.name));
            }
        }
    }
    let hint = "cargo run -p barewire-tests --example corpus -- rename";
    assert!(wrong.is_empty(), "{wrong:#?}; {hint}");
}

#[test]
fn a_name_that_lies_is_seen() {
    let head = target("head");
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(lies(head, "origin--get", get), None);
    let lie = lies(head, "origin-length--get", get);
    assert_eq!(lie.as_deref(), Some("origin--get"));
    for (name, data) in [
        ("origin--", &get[..]),
        ("origin", get),
        ("origin--GET", get),
        ("origin--get--it", get),
        ("origin--found-27-bytes-00000000", get),
        ("origin--get", b"GET / HTTP/1.1\r\n\r\n"),
    ] {
        assert!(lies(head, name, data).is_some(), "{name}");
    }
    let found = head.file_name(get, None);
    assert!(found.starts_with("origin--found-27-bytes-"), "{found}");
    assert_eq!(lies(head, &found, get), None);
    // What a variant holds belongs to its name.
    let twice = b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n";
    assert_eq!((head.class)(twice), "fault-host-twice");
}

#[test]
fn there_are_thousands_of_small_inputs_and_no_two_alike() {
    let (mut count, mut bytes) = (0, 0);
    for target in &Target::ALL {
        let mut seen = HashMap::new();
        for (name, data) in inputs(target) {
            assert!(data.len() <= INPUT_BYTES_MAX, "{}/{name}", target.name);
            count += 1;
            bytes += data.len();
            if let Some(other) = seen.insert(data, name.clone()) {
                panic!("{}: {name} and {other} are the same", target.name);
            }
        }
        println!("{}: {} inputs", target.name, seen.len());
    }
    println!("{count} inputs, {bytes} bytes");
    assert!(count >= INPUTS, "{count} inputs");
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes");
}

/// What a line of a dictionary stands for, as libFuzzer reads it: text in quotes, in which a quote,
/// a backslash and what is not printable are escaped.
fn word(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut word = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (b'\\', [c @ (b'\\' | b'"'), behind @ ..]) => {
                word.push(*c);
                rest = behind;
            }
            (b'\\', [b'x', high, low, behind @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                word.push(u8::from_str_radix(digits, 16).ok()?);
                rest = behind;
            }
            (b' '..=b'~', _) if !b"\\\"".contains(first) => word.push(*first),
            _ => return None,
        }
    }
    (!word.is_empty()).then_some(word)
}

#[test]
fn every_target_has_a_folder_a_dictionary_and_a_program() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let names = |folder: &str, ending: &str| {
        let files = fs::read_dir(fuzz.join(folder)).unwrap();
        let mut names: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .map(|name| name.strip_suffix(ending).unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    };
    let targets = Target::ALL.map(|target| target.name.to_owned());
    assert_eq!(names("corpus", ""), targets);
    assert_eq!(names("dictionaries", ".dict"), targets);
    assert_eq!(names("fuzz_targets", ".rs"), targets);
    for name in targets {
        let text = fs::read_to_string(fuzz.join(format!("dictionaries/{name}.dict"))).unwrap();
        let mut words = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let word = word(line).unwrap_or_else(|| panic!("{name}: {line}"));
            assert!(!words.contains(&word), "{name}: {line} stands there twice");
            words.push(word);
        }
        assert!(words.len() > 15, "{name}");
    }
    for bad in ["GET", "\"\"", "\"\\n\"", "\"\\x0\"", "\"a\"b\"", "\"a"] {
        assert_eq!(word(bad), None, "{bad}");
    }
}
