//! Barewire, the server: worker threads over [`barewire_core`], and the application that answers
//! the 1 Million Request Challenge.
//!
//! The binary is a thin shell around this library; [`Server`] starts any [`App`] in threads of its
//! own, [`embed`] lends one worker to a loop of yours.
#![forbid(unsafe_code)]

mod addresses;
mod app;
pub mod cache;
pub mod challenge;
pub mod cli;
mod config;
mod desk;
mod embed;
mod footprint;
mod handler;
pub mod handoff;
pub mod load;
mod occupancy;
mod pages;
mod peer;
mod platform;
mod server;
mod share;
mod worker;

pub use addresses::Addresses;
pub use app::{App, Context};
pub use config::{Accept, Config, ConfigError, HugePages};
pub use embed::{Embedded, embed};
pub use footprint::{PROGRAM_BYTES, Presence, STACK_BYTES};
pub use handler::{Handler, handler};
pub use pages::SlotPages;
pub use peer::Peer;
pub use platform::{Pages, Waker};
pub use server::{Handle, Server, StartError};
pub use share::{Share, skew};
pub use worker::{Admission, Memory, TICK_MS, Tally, Waits, Worker};
