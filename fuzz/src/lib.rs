//! What the fuzz targets check, as plain functions: each takes any bytes and panics if a promise
//! of the core does not hold. `cargo fuzz` finds bytes; `tests/tests/corpus.rs` replays the kept
//! ones on stable.

mod answer;
mod chunk;
mod class;
mod connection;
mod cuts;
mod head;
mod httparse;
mod json;
mod response;
mod router;
mod segments;
mod target_host;

pub use self::httparse::httparse;
pub use chunk::chunk;
pub use class::Target;
pub use connection::connection;
pub use head::head;
pub use json::json;
pub use response::response;
pub use router::router;
pub use target_host::target_host;
