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
//!
//! The feature `explain` is on by default. Without it refusals have a status and no body, status
//! lines have no reason, and none of these texts is linked in (see [`manual::boards`]).
#![no_std]
#![forbid(unsafe_code)]

/// Whether the processor has vectors. Without them they are emulated, and the ways that are quick
/// by them are neither quick nor small: there the plain ways, which every input may take anywhere,
/// are the only ones.
pub(crate) const VECTORS: bool = cfg!(any(
    target_feature = "sse2",
    all(target_feature = "neon", target_arch = "aarch64"),
    target_feature = "simd128",
));

/// Whether refusals have a body: see [`connection::Refusals`].
pub(crate) const EXPLAIN: bool = cfg!(feature = "explain");

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
