//! What runs the whole of Barewire: conformance vectors, the simulated kernel, proofs.

pub mod conformance;
pub mod sim;
