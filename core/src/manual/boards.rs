//! On microcontrollers: what was run, where, and what HTTP takes of a board.
//!
//! # What was run
//!
//! `tests/boards/run` builds an example firmware (`tests/boards/firmware`) and runs it under qemu.
//! No hardware was used.
//!
//! | board of qemu | processor | target | RAM | connections at once |
//! |---|---|---|---:|---:|
//! | `lm3s6965evb` | Cortex-M3 | `thumbv7m-none-eabi` | 64 KiB | 8 |
//! | `mps2-an386` | Cortex-M4 | `thumbv7em-none-eabi` | 4 MiB | 8 (it has places for 16) |
//! | `microbit` | Cortex-M0, without compare-and-swap | `thumbv6m-none-eabi` | 16 KiB | 2 |
//!
//! Server and clients are one program over a loopback device of smoltcp, in static memory, without
//! a heap. The clients compare each byte of their answers: 18 conversations with 232 requests,
//! several at once; events kept alive and pipelined; a request in chunks that comes byte by byte;
//! refusals (400, 404, 405, 413); deadlines (408 for a late head, an idle connection that is
//! closed); statistics exact to the thirtieth digit. A build with one wrong expectation has to
//! fail. Time is the number of turns of the loop, so that each run is the same.
//!
//! To be copied: `peer.rs` there, the poll loop of one connection over any socket that does not
//! block; `app.rs`, routes and handlers; `serve` in `main.rs`, which ties both to smoltcp.
//!
//! # What is inside the numbers
//!
//! `tests/boards/table` builds the same server four times (`tests/boards/sizes`): without HTTP,
//! with Barewire, [picoserve](https://docs.rs/picoserve) and
//! [edge-http](https://docs.rs/edge-http), for a Cortex-M4, at `opt-level = "z"`, fat link-time
//! optimisation, one unit, panics that abort.
//!
//! * **The job**: `GET /`, `POST /event`, `GET /stats`, 404; keep-alive and close; deadlines kept
//!   by the same clock. Requests come in pieces of 24 bytes, on all connections by turns.
//! * **The application** is the same in all programs, also in the one without HTTP: JSON and exact
//!   statistics of Barewire. So it is in no difference. Nobody uses floats or serde.
//! * **The transport** is in memory, and the same: no TCP/IP, no semihosting but for one line at the
//!   end.
//! * **The HTTP part** is flash less that of the program without HTTP: parsing, routes, answers,
//!   the poll loop; for the peers, which are `async`, their futures and `core::fmt`, which they
//!   use. Neither of them logs (their features for it are off).
//! * **RAM a connection**: what is kept between polls, without the bytes of buffers: our driver
//!   with `Connection` and deadline, the peers' futures. That of edge-http has room for 16 headers
//!   and 64 bytes of a body in it, both peers' for the text of `/stats`, which is on the stack in
//!   ours.
//! * **Buffers**: all have 768 bytes for a request. Ours wants 512 more for answers; the peers
//!   write into the transport.
//! * **Stack**: painted before each turn, in which all connections are polled once, handlers
//!   included; the deepest turn counts. The futures themselves are not on it.
//! * **Not the same**: ours checks targets and hosts, decodes chunked bodies, answers 408 and 413,
//!   lingers at the close, and its router knows params and ways back. picoserve's router knows
//!   params, edge-http has none: a `match` decides. Only ours can tell a client why it refuses
//!   (feature `explain`).
//!
//! # The tables
//!
#![doc = include_str!("boards.md")]
//!
//! # What made it small
//!
//! At first the HTTP part had 51 KB, of which vectors and what is quick by them took 20: where the
//! processor has none (no SSE2, NEON or simd128), head, router and answers now take the plain way,
//! which is tested against the quick one. The ready status lines, `memmove`, maps of 64 bits in
//! the router and copies of the same inlined function were the next; the texts of refusals are a
//! feature.
//!
//! # What was aimed at, and missed
//!
//! | goal | without `explain` | as it comes |
//! |---|---|---|
//! | HTTP part of 20 KB of flash at most | 20,152 bytes: 152 above 20,000, within 20 KiB | missed: 28.8 KB, the texts of refusals, their places and the reasons of 61 statuses |
//! | 200 bytes of RAM a connection beside its buffers | met: 172 | met: 172 |
//! | stack of a step with its handler of 1 KB | met: 1,000 bytes, of which 576 are the application's | missed: 1,136 bytes |
//! | below both peers | flash and RAM: met. Stack: that of edge-http is less, 576 bytes, as its 1,432 bytes of state are off it | RAM: met; flash: both are smaller |
//!
//! Buffers are ours to lose: 1,280 bytes a connection and not 768, as answers wait in a buffer of
//! ours. Connections, buffers and stack together take less than both peers' all the same.
