//! Fail the n-th call, for every n: the real driver, worker, application and statistics over a
//! kernel that is nothing but tables, in which one call of a run fails.
//!
//! ```text
//! for each scene:
//!     run it without a fault: these are the right answers
//!     for n = 1, 2, 3 ..:
//!         for each error that the n-th call can give:
//!             run the scene, let the n-th call fail so, judge
//!         until a run ends before its n-th call
//! ```
//!
//! (The method is that of SQLite's tests of I/O errors and of memory.) [`FAULTS`] lists every call
//! with its errors and where they are documented. [`Scene`] is who connects and says what,
//! [`Run`] one run of it with its judgement.

mod app;
mod fault;
mod kernel;
mod line;
mod run;
mod scene;

pub use app::Planted;
pub use fault::{Call, Effect, FAULTS, Fault};
pub use run::{Judge, Outcome, Run};
pub use scene::{Scene, scenes};
