//! What is claimed, in figures, and the command that shows each.
//!
//! Taken on Linux 6.18, x86-64, two cores, with the toolchain of `rust-toolchain.toml`. What bites
//! is tried, too: each proof has been seen to fail on a planted fault, and most do so in every run.
//!
//! | fact | figure | shown by |
//! |---|---:|---|
//! | symbols of an allocator, of std or of libc in a program with every public function of core | 0 | `tests/nostd/check` |
//! | allocations and releases of the server after its start: every route, fault, deadline, pressure, both ways to stop | 0 | `cargo test -p barewire-tests --test sealed` |
//! | panics that can be reached from 344 public functions of core, whatever their arguments and the state (release builds, with and without link-time optimisation; a planted one breaks the link) | 0 | `tests/nostd/panics` |
//! | stack of an exchange, from the embedding's loop down, handler included: GET, POST with exact statistics, the most of thirteen (bytes) | 1,112, 1,328, 1,896 | `tests/nostd/stack` |
//! | `Connection`, the entries of the server for an idle one (bytes) | 48, 180 | constant assertions: `cargo build` |
//! | `unsafe` blocks in core, in the server, in `platform-linux` without its tests | 0, 0, 29 | `cargo test -p barewire-tests --test workspace`, `grep -c 'unsafe {'` |
//! | conformance cases, each whole, in two pieces and byte by byte, that the server and both examples fail | 0 of 472 | `cargo test -p barewire-tests --test server --test examples` |
//! | seeds of the simulated epoll, kqueue and completion ring without a failure (261 seconds on two processors; the gates run 100,000) | 1,000,000 | `BAREWIRE_SEEDS=1000000 cargo test --release -p barewire-tests --test sim_worker` |
//! | kinds of faults that must have come in these, each on every one of the three where it can | 45 | the same |
//! | planted bugs that are found, of those on the list (11 minutes; one by one, each in a copy of the sources) | 21 of 21 | `cargo test -p barewire-tests --test planted -- --ignored --nocapture` |
//! | calls of the system that fail one at a time, 55 faults of 12 calls in nine scenes, and end well | 7,395 | `cargo test -p barewire-tests --test nth` |
//! | calls that fail in the real server by injection; storms of resets; a network that loses 5 % | as predicted | `cargo test -p barewire-tests --test drills -- --nocapture` |
//! | models of the statistics under every order that memory allows; planted mistakes found | 13; 20 | `cargo test --locked --manifest-path tests/loom/Cargo.toml` |
//! | inputs kept of the fuzzers, named by what they do, replayed by `cargo test` | 4,787 | `cargo test -p barewire-tests --test corpus` |
//! | lines of core that tests run; each of the others has its reason in `tests/uncovered.txt` | 6,850 of 6,951 | `tests/coverage` |
//! | ways of the conditions of core that its unit tests alone take (two for each condition) | 1,891 of 2,052 | `tests/coverage branches` |
//! | edges of the table of phases that random exchanges take; others that they take | 36 of 36; 0 | `cargo test -p barewire-core --lib connection::tests::passed` |
//! | changes to the framing rules that a test notices (cargo-mutants; on the module and its tests alone) | 86 of 86 | `tests/mutants wire` |
//! | changes to the statistics that a test notices (467 can be made and were: 62 do not compile; 25 are left out, each with its reason in `.cargo/mutants.toml`, as 24 have the same result and one shows only in a race) | 380 of 380 | `tests/mutants stats` |
//! | findings of ThreadSanitizer in the statistics' 13 tests of whole threads, `platform-linux`'s 65 and 400,000 requests to a server of two workers, half for each way to accept (342 seconds of the processors the first time, 38 to 67 after that; its planted race is found) | 0 | `tests/sanitize thread` |
//! | findings of AddressSanitizer, of memcheck | 0, 0 | `tests/sanitize address`, `tests/sanitize memcheck` |
//! | 100,000 events over 500 connections, exact, three runs: answers a second. Server and client have a processor each, and both work nearly all the time (0.57 to 0.59 s each, of 0.56 to 0.66; nine tenths of it in the system), so each is as much the limit as the other | 152,134, 171,829, 180,211 | `taskset -c 0 barewire serve --workers 1`, `taskset -c 1 barewire load --requests 100000 --connections 500` |
//! | resident memory of that server after the first and the third run (kB) | 12,088, 19,372 | `grep VmRSS /proc/PID/status` |
//!
//! # What the fuzzers tried
//!
//! From the kept inputs on, without a finding (`fuzz/minutes`). Edges and features are libFuzzer's
//! counts of what was reached. The other five targets were tried for 90
//! seconds of the clock each while their corpus was made; `head` before the last repair of its parser.
//!
//! | target | processor seconds | inputs tried | edges | features | kept |
//! |---|---:|---:|---:|---:|---:|
//! | json | 600 | 56,665,911 | 1,303 | 6,045 | 1,911 |
//! | head | 600 | 18,984,470 | 891 | 3,433 | 1,502 |
//! | target_host | 600 | 184,875,439 | 300 | 878 | 374 |
//!
//! # What no figure here covers
//!
//! * The proof of no panic is one of the compiler's output: of release builds without checks of
//!   overflows, by the pinned toolchain. Derived `Debug` implementations are not in it, as std's
//!   own printing of texts holds panics; nothing in core prints.
//! * Coverage says that a line was run or a way taken, not that its result was looked at. Of the
//!   161 ways that unit tests do not take, some fifty answer what cannot be (a slice that is
//!   shorter than it was found to be), as nothing may panic; twenty are those of another build (no
//!   vectors, no texts, other lanes), twenty the bounds of route tables that the compiler works
//!   out; nearly fifty are states of the connection and the driver that are left to the tests of
//!   the whole, which do not count here; the rest is of all kinds, and a few need two threads at
//!   one point.
//! * Changes to the statistics are tried on code that several threads share by tests of one thread
//!   and by threads that meet by chance; the order of memory is no change that is made: for that
//!   there are the models.
//! * ThreadSanitizer knows no fences, which the statistics use; the models are their proof. It runs
//!   no test that stops threads by signals, and of the server only what the load asks for.
//! * Nothing was run on macOS or FreeBSD.
