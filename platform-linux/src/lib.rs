//! Barewire on Linux: system calls and the mapped region, nothing else.
//!
//! All unsafe code of the project on Linux lives here; no protocol does. [`Epoll`] implements
//! [`Kernel`](barewire_core::driver::Kernel), core turns that into completions, and the server
//! forbids unsafe code.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use barewire_core::driver::{Event, Kernel, WAKER};
//! use barewire_linux::{BACKLOG, Epoll, Listener};
//!
//! let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), BACKLOG, false)?;
//! let (mut epoll, waker) = Epoll::new(listener)?;
//! waker.wake(); // from any thread
//! let mut events = [Event::default(); 8];
//! assert_eq!(epoll.poll(&mut events, None)?, 1);
//! assert_eq!(events[0].token, WAKER);
//! # Ok(())
//! # }
//! ```
//!
//! Needs Linux 5.11 or later (`epoll_pwait2`).
#![cfg(target_os = "linux")]

pub mod affinity;
pub mod clock;
pub mod epoll;
pub mod memory;
pub mod resident;
pub mod shared;
pub mod signal;
pub mod socket;
pub mod table;
mod unix;

pub use epoll::{Epoll, Waker};
pub use memory::{Region, SlotCutter};
pub use shared::Shared;
pub use signal::{Signal, Signals};
pub use socket::{BACKLOG, Listener, bind_group};
pub use unix::{dial, limits};

/// A worker is built in the main thread and moved to its own.
const _: () = {
    const fn moves<T: Send>() {}
    const fn is_shared<T: Send + Sync>() {}
    moves::<Epoll>();
    moves::<Listener>();
    moves::<table::Seat>();
    moves::<barewire_core::buffer::Slot>();
    is_shared::<Waker>();
    is_shared::<Shared>();
};
