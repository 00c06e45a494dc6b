//! What each switch brings: one is changed at a time, everything else is as it is by default.
//!
//! `tests/bench/ablation` measures it and prints the tables below as they stand; to renew this
//! page: `tests/bench/ablation >table && mv table core/src/manual/ablation.md`. Counts are the same
//! on every run, but for what the clock brings in (half a percent); times are those of a machine,
//! and each ratio stands beside that of the default build against itself, which is the noise.
//! (Valgrind knows no `epoll_pwait2`; under it the server waits by `epoll_wait`.)
//!
//! # The switches
//!
//! * **SIMD width and `target-cpu`**: `RUSTFLAGS=-Ctarget-cpu=x86-64-v3`, or `native`. The scanners
//!   are written in vectors of 16 and 32 bytes (`wide`), so the wider ones come with the flag
//!   alone.
//! * **LTO**: the release profile, always one codegen unit. **PGO**: `tests/bench/pgo`.
//! * **Events in a batch**: how many events one wait may bring (`EVENT_BATCH`).
//! * **Depth of the pipeline**: what a client may do; answers leave together.
//! * **`--prefault`**: all memory is touched and locked at the start.
//! * **`--huge-pages`**: slots in pages of 2 MiB. `require` takes them from the pool (`sysctl -w
//!   vm.nr_hugepages=79` for the default's 163,840,000 bytes); `try` falls back to transparent
//!   ones, then to normal ones, and the first lines of the server say which it got. `barewire serve
//!   --check` says what the pool would have to hold. Pages of the pool are touched at the start,
//!   whatever `--prefault` says: a control group that allows fewer than the pool has would end the
//!   process at the first touch otherwise. Transparent ones are taken 2 MiB at a time, when the
//!   first byte of them is needed. The statistics stay in normal pages: their cells are reached by
//!   a hash, one or two lines a request.
//! * **`--pin`**: a worker to a processor. The measurement pins all sides, so that only the call
//!   itself differs in this table; what pinning does for several workers is below.
//! * **`--own-descriptors`**: a table of descriptors for each worker, not one for all threads.
//!
//! Prepared answers, a cache of answers and `writev` are no switches; their figures are in
//! [`hot_path`](super::hot_path).
//!
//! # What follows
//!
//! * The default build stays portable: AVX2 saves 2 % of a request's instructions in the server (5
//!   % in a pipeline), as most of them are not the parser's. Who builds for one machine sets the
//!   flag.
//! * Fat LTO stays: it is the smallest program with the fewest instructions. Without it a request
//!   takes 8 to 11 % more of them and the program a tenth more bytes; thin is in between.
//! * `--prefault` is off: it changes no instruction, and makes 376 MiB of 3 resident. It is for
//!   those who want no page fault later.
//! * `--huge-pages` is off: no count changes, and a server that serves few connections has one or
//!   two slots in use, which fit into any TLB. `try` costs 2 MiB for the first slot. A gain would
//!   have to show in the times, with thousands of slots in use; with 64 connections none does. The
//!   processor's own counts (misses of the TLB) could not be read where this was measured.
//! * `--pin` is off: alone on a machine the system leaves a busy thread where it is; beside other
//!   programs a pinned worker waits for its processor while another one is idle.
//! * `--own-descriptors` is off: no instruction of ours differs, the kernel saves references and
//!   locks, one or two percent of the time ([`hot_path`](super::hot_path)); but whoever looks with
//!   `ss -p` or in `/proc/PID/fd` for who has a port finds nobody.
//! * A batch of events stays large: with one event for each wait a request takes 15 to 18 % more
//!   time, as each has a call to wait of its own.
//! * A build with a profile has the least time for plaintext, 4 % less, within the noise of 15
//!   rounds; of the other builds and switches none stands out of that, but for `--own-descriptors`
//!   with an event (0.97), and the same in a pipeline (1.09): both sides of noise.
//! * Depth is the client's choice, and the largest switch of all: at 16 a request costs two fifths
//!   of the instructions, and a twelfth of the time.
//!
//! # The tables
//!
#![doc = include_str!("ablation.md")]
//!
//! # Several workers
//!
//! By `tests/bench/scaling`. *Skew* is what the busiest worker has beyond the mean. The system puts
//! a connection where the hash of its addresses says, so 64 connections are as even as 64 throws of
//! a die; `--accept handoff` gives each to the worker with the fewest. The client asks again as
//! soon as it has its answer: a worker whose processor had other things to do served less, so the
//! skew of requests is also that of the machine. Shares of equal work are compared by
//! `tests/tests/scaling.rs`.
//!
//! **No cache line is shared while workers serve.** The test runs the server under a tool that
//! writes down every load and store of the process with its thread, adds what the kernel writes on
//! a thread's behalf (received bytes, events, clocks), and looks for lines of 64 bytes that one
//! worker wrote and another touched. There are none, over all routes and with users that both
//! workers know. What is shared is written when something new comes: a new user takes a place of
//! the one table (two lines: places that are reserved, places that are settled), a new connection
//! is counted with its address. Both are seen in the same run, so that the test can see at all.
//!
#![doc = include_str!("scaling.md")]
