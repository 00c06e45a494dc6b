//! A sans-IO HTTP/1.1 engine: bytes in, bytes out. No `std`, no heap, no unsafe code.
//!
//! Begin with [`connection`]: it holds the machine, and an embedding of 14 lines. The reasons for
//! everything stand in the [`manual`]; what an embedding has to do, and what it can rely on, in
//! [`manual::machine`]. Two embeddings to copy, with deadlines, a limit of connections and a close
//! that loses nothing, are among the examples of this package: `examples/std.rs` (threads, blocking
//! sockets) and `examples/tokio.rs` (one task a connection).
//!
//! | module | what it is | depends on |
//! |---|---|---|
//! | [`wire`] | the grammar over byte slices | |
//! | [`buffer`] | what came in, what goes out | `wire` |
//! | [`connection`] | what may happen when | `wire`, `buffer` |
//! | [`driver`] | the seams to an operating system | `buffer` |
//! | [`router`] | from a method and a path to a handler | |
//! | [`stats`] | exact counts, sums and users | |
//! | [`json`] | scanner and writer for flat objects | |
//! | [`wheel`] | timers | |
//! | [`limits`] | every bound, with its unit and its reason | |
#![no_std]
#![forbid(unsafe_code)]

pub mod buffer;
pub mod connection;
pub mod driver;
pub mod json;
pub mod limits;
pub mod manual;
pub mod router;
pub mod stats;
pub mod wheel;
pub mod wire;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
