//! The manual: why Barewire is as it is. One page for each subject; the code says what, these pages
//! say why.
//!
//! * [`ablation`]: what each switch of the build and of the server brings.
//! * [`boards`]: microcontrollers: what was run, and what HTTP takes of a board.
//! * [`choices`]: every place where the RFCs leave a choice, and which one is taken.
//! * [`facts`]: what is claimed, in figures, each with the command that shows it.
//! * [`floor`]: what a request costs, in units of a loop that parses nothing.
//! * [`guidance`]: when to use which loop, which memory, which switch.
//! * [`hot_path`]: what a request costs, what made it cheaper, what was measured and not built.
//! * [`machine`]: decide, then lend; what an embedding has to do, and what it can rely on.
//! * [`memory`]: slots, buffers, and what a connection costs.
//! * [`peers`]: our parsers beside those of others, in instructions and time.
//! * [`refusals`]: what an error tells, in which form, and what it costs.
//! * [`seams`]: driver and kernel, and what a platform has to keep.
//! * [`changes`]: where the first design was left, and for what reason.
//!
//! The statistics explain themselves in [`stats`](crate::stats), the framing rules in
//! `wire/length.rs`, the edges of the state machine in `connection/phase.rs`.

pub mod ablation;
pub mod boards;
pub mod changes;
pub mod choices;
pub mod facts;
pub mod floor;
pub mod guidance;
pub mod hot_path;
pub mod machine;
pub mod memory;
pub mod peers;
pub mod refusals;
pub mod seams;
