//! A kernel made of nothing but a seed.
//!
//! [`SimKernel`] implements the [`Kernel`](barewire_core::driver::Kernel) seam, so the driver, the
//! worker and the application above it are the real ones. The clock is virtual, every client is a
//! [`Plan`], and everything that a real kernel may do (cut bytes anywhere, say EAGAIN anywhere,
//! interrupt, reset, run out of descriptors) is drawn from the seed: the same seed gives the same
//! run, byte by byte.
//!
//! ```
//! use barewire_core::driver::{Driver, Entry, Readiness, Slots};
//! use barewire_tests::sim::{Plan, SimKernel, Step};
//! let plan = Plan::new([Step::Send(b"hello".to_vec()), Step::Close]);
//! let mut entries = [const { Entry::new() }; 4];
//! let mut driver = Readiness::new(SimKernel::new(7, vec![plan]), &mut entries);
//! let mut slots = Slots::new(&mut []);
//! while !driver.kernel().is_idle() {
//!     driver.wait(&mut slots, None).unwrap();
//!     while let Some(_completion) = driver.next(&mut slots) {}   // a worker would serve here
//! }
//! assert_eq!(driver.kernel().transcripts().count(), 1);
//! ```
//!
//! The rules of edges are those of epoll: an event of the kernel puts a socket on the ready list
//! once; the next poll takes it off and reports all that is true of the socket then; what was
//! reported and not used is not reported again.
//!
//! [`SimKqueue`] is the same network told in another dialect: the product's adaptor for kqueue runs
//! on a simulated `kevent(2)` that keeps to the manual pages of both systems. What is registered
//! belongs to a direction, an event is looked at when it is told, a close takes its events along,
//! and an end comes with the bytes before it.
//!
//! [`Ring`] is the other seam: a [`Driver`](barewire_core::driver::Driver) over the same network
//! that completes what is submitted, in any order, as one over io_uring has to.
//!
//! In front of either kernel the product's acceptor may stand, and hand connections over through a
//! ring of few places. What happened is counted ([`Haps`]), for each [`Seam`], so that a fault which
//! never comes is noticed. [`scenario`] puts the whole server on any of them (the seed's remainder
//! by three chooses) and judges what its clients see; [`shrink()`] makes a failure small and prints
//! it as a test.
//!
//! While the worker is at work its thread is marked ([`is_strict`]), so that an allocator can see
//! that it takes no memory; while the simulation below it is, it is not.

mod bounds;
mod client;
mod contract;
pub mod crowd;
mod door;
mod faults;
mod hap;
mod judge;
mod kernel;
mod knotes;
mod kqueue;
mod later;
mod link;
mod net;
mod paste;
mod queue;
mod request;
mod ring;
mod rng;
pub mod scenario;
mod script;
mod seam;
mod seeds;
mod shrink;
mod stage;
mod strict;
mod task;
mod turnstile;

pub use client::{Ending, Plan, Step, Times, Transcript};
pub use contract::Checked;
pub use faults::Faults;
pub use hap::{Hap, Haps};
pub use kernel::SimKernel;
pub use kqueue::SimKqueue;
pub use net::{Net, SimSocket};
pub use ring::Ring;
pub use rng::Rng;
pub use script::{Body, Counted, Expected, Fate, Script, Stall};
pub use seam::{Either, Seam};
pub use seeds::{Failure, OnSeam, Seeds, attempt, seeds};
pub use shrink::{Shrunk, shrink};
pub use strict::{Marked, is_strict, strict};
