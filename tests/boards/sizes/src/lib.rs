//! What the measured programs share: a wire without a network, the application, and the means to
//! measure. `tests/boards/table` builds them, runs them, and makes a table of it.
//!
//! Each program serves the same requests over the same wires: `base` with a fixed answer and no
//! HTTP,
//! `ours`, `picoserve` and `edge` with it. What one of these takes beyond `base` is its HTTP part.
#![no_std]

#[path = "../../firmware/src/desk.rs"]
pub mod desk;
pub mod paint;
pub mod report;
pub mod wire;

include!(concat!(env!("OUT_DIR"), "/connections.rs"));

/// Bytes of a request at most: as many as the firmware gives one.
pub const RX_BYTES: usize = 768;
/// Bytes for answers that wait, where a server needs them besides the transport's.
pub const TX_BYTES: usize = 512;
