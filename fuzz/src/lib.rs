//! What the fuzz targets check, as plain functions: each takes any bytes and panics if a promise
//! of the core does not hold. `cargo fuzz` finds bytes; `tests/tests/corpus.rs` replays the kept
//! ones on stable.

mod chunk;
mod connection;
mod cuts;
mod head;
mod json;
mod target_host;

pub use chunk::chunk;
pub use connection::connection;
pub use head::head;
pub use json::json;
pub use target_host::target_host;
