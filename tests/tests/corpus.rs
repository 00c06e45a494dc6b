//! The kept inputs of the fuzzer, on a stable compiler and without one.

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, missing_docs)] // it is a crate of its own otherwise
mod fuzz;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Plays every file of a target's folder; at least `least` of them.
fn replay(target: &str, least: usize, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let files = fs::read_dir(folder.join(target)).unwrap();
    let mut played = 0;
    for file in files.map(|file| file.unwrap().path()) {
        let data = fs::read(&file).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&data)));
        assert!(
            outcome.is_ok(),
            "fuzz/corpus/{target}/{:?}",
            file.file_name()
        );
        // Inputs that end early are a part of every corpus.
        for len in 0..data.len().min(200) {
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&data[..len])));
            assert!(outcome.is_ok(), "the first {len} bytes of {file:?}");
        }
        played += 1;
    }
    assert!(played >= least, "{target} has {played} files");
}

#[test]
fn every_head_reads_the_same_however_it_is_cut() {
    replay("head", 16, fuzz::head);
}

#[test]
fn every_chunked_body_reads_the_same_however_it_is_cut() {
    replay("chunk", 9, fuzz::chunk);
}

#[test]
fn every_connection_answers_the_same_however_it_is_cut() {
    replay("connection", 17, fuzz::connection);
}

#[test]
fn the_json_scanner_takes_what_serde_json_takes() {
    replay("json", 14, fuzz::json);
}

#[test]
fn targets_and_hosts_are_made_of_their_parts() {
    replay("target_host", 19, fuzz::target_host);
}

#[test]
fn the_router_finds_what_a_matcher_without_a_tree_finds() {
    replay("router", 19, fuzz::router);
}

#[test]
fn answers_are_read_as_they_were_said() {
    replay("response", 33, fuzz::response);
}

#[test]
fn heads_are_read_as_httparse_reads_them_but_for_named_rules() {
    replay("httparse", 42, fuzz::httparse);
}
