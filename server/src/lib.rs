//! Barewire, the server.
#![forbid(unsafe_code)]
