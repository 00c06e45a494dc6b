//! Drills: a real server in a process of its own, and the peers that make its life hard.
//!
//! [`Barewire`] is the process under test, [`proc`] reads what the system says of it, [`Swarm`]
//! holds thousands of connections in one thread, [`Patrol`] are the healthy clients that must not
//! notice any of it.

mod answers;
mod barewire;
mod patrol;
pub mod proc;
mod swarm;

pub(crate) use answers::Answers;
pub use barewire::{Barewire, Tally};
pub use patrol::{Patrol, Report};
pub use swarm::{Close, Manner, News, Swarm};
