//! Barewire, the server.
#![forbid(unsafe_code)]

pub mod load;
