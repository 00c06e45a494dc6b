//! Conformance vectors and the judge of them.
//!
//! `tests/vectors/*.txt` says what a client sends and which outcomes the RFCs permit. Nothing in
//! here uses the product: a judge that shared its parser would share its mistakes.
//!
//! ```text
//! vectors/*.txt -> Corpus -> Vector --steps--> a driver --bytes--> ResponseStream -> Observation
//!                                \--pass, warn--------> judge <---------------------/
//! ```
//!
//! Two kinds of drivers play a vector. [`run_socket`] talks to a server over TCP and
//! plays every step. A driver without sockets takes [`Vector::requests_as_bytes`] where
//! [`Vector::is_plain`], cuts the bytes as it likes, and hands what came out to
//! [`Observation::from_bytes`]. Both ask [`judge`].

mod judge;
mod lint;
mod outcome_reader;
mod report;
mod response;
mod socket;
mod text;
mod vector;
mod vector_reader;

pub use judge::{Judgement, Verdict, judge, matches};
pub use lint::{imf_seconds, lint};
pub use report::{CaseResult, Filter, Report, run_socket, run_socket_paced};
pub use response::{Framing, Observation, Response, ResponseStream, State};
pub use socket::{Mode, Pace, answers, play};
pub use text::Text;
pub use vector::{
    Alternative, Condition, Corpus, FieldTest, FloodEnd, JsonWant, Run, StatusPattern, Step,
    Strength, Vector,
};
pub use vector_reader::ReadError;
