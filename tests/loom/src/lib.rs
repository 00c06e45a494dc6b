//! The statistics of core, compiled with loom's words instead of the processor's.
//!
//! The sources are the same: `core/src/stats/register.rs` chooses the words. Only sizes differ, so
//! that a model is small: 2 regions of 2 slots, ids of at most 2 bytes, chunks of 2 words, and two
//! looks at a full set.
#![forbid(unsafe_code)]

#[path = "../../../core/src/stats/mod.rs"]
pub mod stats;
