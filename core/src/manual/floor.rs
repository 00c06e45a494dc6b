//! What a request costs the server's processor, in units of the least that a server on epoll can do.
//!
//! `tests/bench/run --markdown core/src/manual/floor.md --svg tests/bench/floor.svg` measures it and
//! writes the tables below as they stand, in about 25 minutes; `--only plaintext,pipelined-16,event`
//! takes six. `tests/bench/README.md` says what is measured, and what the columns are.
//!
//! # What is inside the numbers
//!
//! * **floor**: a loop of `epoll_wait`, `recv` and `send` of a prepared answer as long as ours. It
//!   parses nothing, has no deadlines, and knows of a request only how long it is. Nothing that
//!   answers over epoll, one send for each time it receives, can cost less.
//! * **Barewire**: the release binary with one worker. Every request is parsed and judged, deadlines
//!   run, and events are counted exactly.
//! * **again**: a second process of the same program. Its distance from 1, or from its twin, is the
//!   error of the method.
//! * **The others**: one thread or worker each, the same routes and bodies; events parsed by
//!   serde_json (Go by its own library) and counted in a hash table of that thread. The bare loop of
//!   tokio and httparse has no semantics of a server; nginx and h2o have no handlers, and are not
//!   asked for events.
//!
//! A figure is processor time of the process, user and kernel mode, per answer; a ratio the median
//! over slices that lay side by side in one run, with its 95 % bootstrap interval. Server and client
//! have a processor each, over loopback, so the kernel's part is larger than anything that a server
//! does by itself: of two servers with a ratio of 1.05 and 1.20, one may need a quarter of the
//! instructions that the other needs above the floor.
//!
//! # The tables
//!
#![doc = include_str!("floor.md")]
