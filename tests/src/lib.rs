//! What runs the whole of Barewire: conformance vectors, the simulated kernel, proofs.
#![forbid(unsafe_code)]

pub mod bench;
pub mod client;
pub mod conformance;
pub mod drill;
pub mod hardship;
pub mod linear;
pub mod misuse;
pub mod mixture;
pub mod nth;
pub mod sim;
pub mod tape;
