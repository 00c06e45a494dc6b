//! What is the same on every Unix: limits of the process, meanings of error numbers, the mask of
//! signals, connections to a server.
//!
//! `barewire-macos` includes these files by their path. A crate for four files would be a fourth
//! folder at the top, and one platform that depends on the other an arrow that says nothing.
//! (There were two copies of each before.)

pub mod dial;
pub mod limits;
pub(crate) mod mask;
pub(crate) mod trouble;
