//! A sans-IO HTTP/1.1 engine: bytes in, bytes out. No `std`, no heap, no unsafe code.
#![no_std]
#![forbid(unsafe_code)]

pub mod buffer;
pub mod connection;
pub mod driver;
pub mod json;
pub mod limits;
pub mod router;
pub mod stats;
pub mod wheel;
pub mod wire;
