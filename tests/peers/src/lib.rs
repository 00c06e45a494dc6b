//! What others use for the same work, measured beside ours on the same bytes: httparse, matchit,
//! serde_json and serde-json-core. `tests/peers/run` prints the table of the manual.
//!
//! * [`ours`] takes requests with `barewire_core::wire`.
//! * [`theirs`] does it with httparse, and a second pass that decides framing.
//! * [`event`] reads the event of the inputs in three ways, [`routes`] looks paths up in two.
//! * [`pairs`] is the list of what is measured; [`count`] counts instructions, [`time`] measures
//!   time, [`table`] prints both.
//!
//! The numbers of the table have an explanation each in the manual, `core/src/manual/peers.rs`.
//!
//! Nothing is measured before both sides have given the same answer to it.
#![forbid(unsafe_code)]

pub mod count;
pub mod event;
#[path = "../../../core/benches/instructions/input.rs"]
mod input;
pub mod ours;
pub mod pairs;
pub mod routes;
pub mod table;
pub mod theirs;
pub mod time;

/// One request that was taken from the front of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of the request, body included.
    pub len: usize,
    /// Bytes of the body, without the framing of chunks.
    pub body: u64,
    /// The connection may be used again.
    pub keep_alive: bool,
    /// The body is sent when it is asked for.
    pub expects: bool,
}

/// What a request says, to be compared.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the parts have the names of the grammar")]
pub struct Said {
    pub method: String,
    pub target: String,
    pub minor: u8,
    pub fields: Vec<(String, Vec<u8>)>,
    pub taken: Taken,
}
